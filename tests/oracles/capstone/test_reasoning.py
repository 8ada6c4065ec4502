"""The reference against the exact success probability, found by listing every response."""

from itertools import product
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from autograder.testing import assert_close, load_reference

TOPICS = {"grpo": "alignment", "verifiable_rewards": "alignment", "sampling": "decoding"}
PARTS = SimpleNamespace(**{topic: load_reference(f"{unit}/{topic}") for topic, unit in TOPICS.items()})


RESPONSES = torch.tensor(list(product(range(12), repeat=2)))


def start() -> nn.Module:
    torch.manual_seed(3)
    return nn.Embedding(12, 12)


def chances(model: nn.Module, prompt: list[int]) -> Tensor:
    """The probability of each of the 144 responses, with its graph."""
    rows = torch.cat([torch.tensor([prompt]).expand(144, -1), RESPONSES], dim=1)
    log_probs = model(rows[:, :-1]).log_softmax(-1)[:, len(prompt) - 1 :]
    return log_probs.gather(2, RESPONSES[..., None]).sum((1, 2)).exp()


def right(total: int) -> Tensor:
    """Which of the 144 responses is the sum, in two digits."""
    return (torch.tensor(divmod(total, 10)) == RESPONSES).all(1)


def test_success() -> None:
    reference = load_reference("capstone/reasoning")
    model, sums = start(), [(3, 4), (7, 5), (0, 0)]
    prompts = [reference.encode(f"{a}+{b}=") for a, b in sums]
    exact = [
        chances(model, prompt)[right(a + b)].item() for prompt, (a, b) in zip(prompts, sums, strict=True)
    ]
    found = reference.success(model, torch.tensor(prompts), [str(a + b) for a, b in sums])
    assert_close(found, sum(exact) / 3)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (3, 4), (9, 0), (7, 5), (9, 9)])
def test_rewards(a: int, b: int) -> None:
    """Of all responses only the two digits of the sum earn anything."""
    reference = load_reference("capstone/reasoning")
    prompt = torch.tensor([reference.encode(f"{a}+{b}=")])
    rows = torch.cat([prompt.expand(144, -1), RESPONSES], dim=1)
    rewards, _ = reference.score(PARTS, rows, 4, [str(a + b)])
    assert_close(rewards, right(a + b).float()[None])


def test_rollouts() -> None:
    """The shares of many rollouts are the probabilities of the responses."""
    reference = load_reference("capstone/reasoning")
    model, prompt = start(), reference.encode("7+5=")
    draws = torch.rand(1, 40_000, 2, generator=torch.Generator().manual_seed(0))
    ids = reference.roll_out(PARTS, model, torch.tensor([prompt]), draws)
    shares = torch.bincount(12 * ids[:, 4] + ids[:, 5], minlength=144) / 40_000
    assert_close(shares, chances(model, prompt).detach(), rtol=0.0, atol=0.005)


def test_step() -> None:
    """Each response weighed with its probability, one update follows the exact gradient of success."""
    reference = load_reference("capstone/reasoning")
    model, prompt, rate = start(), reference.encode("7+5="), 1.0
    exact = chances(model, prompt)
    success = exact[right(12)].sum()
    (gradient,) = torch.autograd.grad(success, [model.weight], retain_graph=True)
    before = model.weight.detach().clone()
    advantages = (144 * exact * (right(12).float() - success)).detach()[:, None]
    rows = torch.cat([torch.tensor([prompt]).expand(144, -1), RESPONSES], dim=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    reference.learn(PARTS, model, optimizer, rows, 4, advantages, 1)
    # A response's loss is the mean over its two tokens.
    assert_close(model.weight.detach() - before, gradient / 2, rtol=0.0, atol=1e-6)
