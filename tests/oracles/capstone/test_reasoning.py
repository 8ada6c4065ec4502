"""The reference against the exact success probability, found by listing every response."""

from itertools import product
from types import SimpleNamespace

import torch
from torch import nn

from autograder.testing import assert_close, load_reference

SYMBOLS = "0123456789+="
TOPICS = {"grpo": "alignment", "verifiable_rewards": "alignment", "sampling": "decoding"}
PARTS = SimpleNamespace(**{topic: load_reference(f"{unit}/{topic}") for topic, unit in TOPICS.items()})


def listed(model: nn.Module, prompt: list[int], truth: str) -> torch.Tensor:
    """The probability of the right answer, as a sum over all 144 responses, with its graph."""
    responses = list(product(range(12), repeat=2))
    rows = torch.tensor([prompt + list(response) for response in responses])
    right = ["".join(SYMBOLS[token] for token in response) in (truth.zfill(2),) for response in responses]
    log_probs = model(rows[:, :-1]).log_softmax(-1)[:, len(prompt) - 1 :]
    chances = log_probs.gather(2, rows[:, len(prompt) :, None]).sum((1, 2)).exp()
    assert_close(chances.sum().detach(), torch.tensor(1.0))
    return chances[torch.tensor(right)].sum()


def start() -> nn.Module:
    torch.manual_seed(3)
    return nn.Embedding(12, 12)


def test_success() -> None:
    reference = load_reference("capstone/reasoning")
    problems = {"3+4=": "7", "7+5=": "12", "0+0=": "0"}
    model = start()
    prompts = torch.tensor([reference.encode(problem) for problem in problems])
    exact = [listed(model, reference.encode(problem), truth).item() for problem, truth in problems.items()]
    assert_close(reference.success(model, prompts, list(problems.values())), sum(exact) / len(exact))


def test_rewards() -> None:
    """Every response to every problem: only the two digits of the sum earn anything."""
    reference = load_reference("capstone/reasoning")
    responses = list(product(range(12), repeat=2))
    for a, b in product(range(0, 10, 3), range(0, 10, 3)):
        prompt = reference.encode(f"{a}+{b}=")
        rows = torch.tensor([prompt + list(response) for response in responses])
        rewards, _ = reference.score(PARTS, rows, 4, [str(a + b)])
        assert rewards.sum() == 1 and responses[int(rewards.argmax())] == divmod(a + b, 10)


def test_rollouts_and_step() -> None:
    """Shares of many rollouts are the exact probabilities, and a step on them follows the exact gradient of success."""
    reference = load_reference("capstone/reasoning")
    prompt, truth, rate = reference.encode("7+5="), "12", 1e-3
    model = start()
    with torch.no_grad():  # the answer is neither rare nor sure
        model.weight[11, 1] += 2.0
        model.weight[1, 2] += 2.0
    exact = listed(model, prompt, truth)
    (gradient,) = torch.autograd.grad(exact, [model.weight])
    before = model.weight.detach().clone()
    draws = torch.rand(1, 200_000, 2, generator=torch.Generator().manual_seed(0))
    ids = reference.roll_out(PARTS, model, torch.tensor([prompt]), draws)
    rewards, advantages = reference.score(PARTS, ids, 4, [truth])
    share = exact.item()
    assert abs(rewards.mean().item() - share) < 0.005
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    reference.learn(PARTS, model, optimizer, ids, 4, advantages, 1)
    moved = (model.weight.detach() - before) / rate
    # The mean over two tokens, and the deviation sqrt(p (1 - p)), scale the gradient of success.
    expected = gradient / (2 * (share * (1 - share)) ** 0.5)
    assert_close(moved, expected, rtol=0.0, atol=0.01)
