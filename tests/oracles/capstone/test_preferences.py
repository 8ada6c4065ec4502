"""The reference against trl's DPOTrainer, and against a list of all answers, one by one."""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.testing import load_reference, load_weights

V, P, A = 10, 3, 2
PARTS = SimpleNamespace(
    gpt=load_reference("models/gpt"),
    dpo=load_reference("alignment/dpo"),
    optimizer_and_schedule=load_reference("pretraining/optimizer_and_schedule"),
)


def models() -> tuple[nn.Module, nn.Module]:
    """A policy that has moved away from its reference."""
    weights = load_weights("capstone/preferences")
    config = PARTS.gpt.GPTConfig(vocab_size=V, block_size=P + A, num_layers=1, num_heads=2, d_model=24)
    policy, reference, *_ = load_reference("capstone/preferences").set_up(PARTS, config, weights, 1e-3)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return policy, reference


def pairs(number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Few prompts, so that they repeat unevenly."""
    generator = torch.Generator().manual_seed(number)
    prompts = torch.randint(V, (3, P), generator=generator)
    rows = prompts[torch.randint(3, (number,), generator=generator)]
    draw = torch.randint(V, (2, number, A), generator=generator)
    return rows, draw[0], draw[1]


def trl_loss(
    monkeypatch: pytest.MonkeyPatch, policy: nn.Module, reference: nn.Module, data: Any, beta: float
) -> tuple[float, dict[str, list[float]]]:
    """trl's loss on the models' log-probabilities, and what it logs; the trainer is a stand-in, so that none is loaded."""
    import trl.trainer.dpo_trainer as trainer_module

    monkeypatch.setattr(
        trainer_module, "disable_gradient_checkpointing", lambda *_, **__: contextlib.nullcontext()
    )
    monkeypatch.setattr(trainer_module, "is_peft_model", lambda model: False)
    prompts, chosen, rejected = data
    ids = torch.cat([prompts.repeat(2, 1), torch.cat([chosen, rejected])], dim=1)
    mask = torch.zeros_like(ids)
    mask[:, P:] = 1

    def model(network: nn.Module) -> Any:
        logps = network(ids)[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)
        nothing = torch.zeros_like(logps)
        answer = SimpleNamespace(
            log_probs=logps * mask[:, 1:],
            entropy=nothing,
            mean_logits=nothing,
            is_top1=nothing > 0,
            aux_loss=0,
        )
        return lambda **_: answer

    one_process = SimpleNamespace(
        num_processes=1,
        device=torch.device("cpu"),
        sync_gradients=False,
        gather=lambda tensor: tensor,
        gather_for_metrics=lambda tensor: tensor,
    )
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=False, is_gradient_checkpointing=False),
        accelerator=one_process,
        ref_model=model(reference),
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=False,
        f_divergence_type="reverse_kl",
        loss_types=["sigmoid"],
        loss_weights=[1.0],
        beta=beta,
        label_smoothing=0.0,
        use_weighting=False,
        args=SimpleNamespace(gradient_checkpointing_kwargs=None),
        _metrics=defaultdict(lambda: defaultdict(list)),
        _total_train_tokens=0,
    )
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": mask}
    loss = trainer_module.DPOTrainer._compute_loss(trainer, model(policy), inputs, False)
    return loss.item(), dict(trainer._metrics["eval"])


@pytest.mark.parametrize("number", [1, 4, 13])
def test_against_trl(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The loss before the first step, and the three figures that trl logs, at beta 1."""
    capstone = load_reference("capstone/preferences")
    policy, reference = models()
    data = pairs(number)
    loss, _ = trl_loss(monkeypatch, policy, reference, data, 0.3)
    _, logged = trl_loss(monkeypatch, policy, reference, data, 1.0)
    answers = torch.cartesian_prod(torch.arange(V), torch.arange(V))
    found = capstone.report(PARTS, policy, reference, data, answers)
    assert found["margin"] == pytest.approx(logged["rewards/margins"][0], rel=1e-4, abs=1e-5)
    assert found["accuracy"] == pytest.approx(logged["rewards/accuracies"][0])
    assert found["chosen_shift"] == pytest.approx(logged["rewards/chosen"][0], rel=1e-4, abs=1e-5)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    losses = capstone.train(PARTS, policy, reference, optimizer, data, torch.arange(number)[None], 0.3)
    assert losses[0] == pytest.approx(loss, rel=1e-5)


def test_against_a_list_of_all_answers() -> None:
    """Each answer's probability, token after token; they sum to one, and give the KL."""
    capstone = load_reference("capstone/preferences")
    policy, reference = models()
    data = pairs(7)

    def probability(model: nn.Module, prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
        product_so_far, past = 1.0, list(prompt)
        for token in answer:
            with torch.no_grad():
                product_so_far *= model(torch.tensor([past]))[0, -1].double().softmax(-1)[token].item()
            past.append(token)
        return product_so_far

    prompts = sorted(set(map(tuple, data[0].tolist())))
    answers = list(product(range(V), repeat=A))
    kl = 0.0
    for prompt in prompts:
        now = [probability(policy, prompt, answer) for answer in answers]
        then = [probability(reference, prompt, answer) for answer in answers]
        assert math.isclose(sum(now), 1, rel_tol=1e-6) and math.isclose(sum(then), 1, rel_tol=1e-6)
        kl += sum(p * math.log(p / q) for p, q in zip(now, then, strict=True)) / len(prompts)
        rows = torch.tensor(prompt).expand(len(answers), -1)
        logps = capstone.answer_logps(PARTS, policy, rows, torch.tensor(answers)).detach()
        torch.testing.assert_close(logps.exp(), torch.tensor(now), rtol=1e-4, atol=1e-7)
    found = capstone.report(PARTS, policy, reference, data, torch.tensor(answers))
    assert found["kl"] == pytest.approx(kl, rel=1e-4)
