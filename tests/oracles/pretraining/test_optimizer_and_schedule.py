"""The reference of pretraining/optimizer_and_schedule against PyTorch's AdamW, and the schedules of two libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from autograder.testing import load_reference


def tied_model() -> nn.Module:
    """Embedding, norm, a linear layer and a head that shares the embedding's weight; random weights."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(7, 5), nn.LayerNorm(5), nn.Linear(5, 5), nn.Linear(5, 7, bias=False))
    model[3].weight = model[0].weight
    return model.double()


@pytest.mark.parametrize(
    ("betas", "eps", "weight_decay"),
    [((0.9, 0.95), 1e-8, 0.1), ((0.8, 0.999), 1e-3, 0.0), ((0.0, 0.5), 0.1, 0.7)],
)
def test_adamw(betas: tuple[float, float], eps: float, weight_decay: float) -> None:
    reference = load_reference("pretraining/optimizer_and_schedule")
    ours, theirs = tied_model(), tied_model()
    groups = reference.decay_groups(ours, weight_decay)
    assert [len(group["params"]) for group in groups] == [2, 3]
    optimizer = reference.AdamW(groups, 0.03, betas, eps)
    parameters = list(theirs.parameters())
    oracle = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ],
        lr=0.03,
        betas=betas,
        eps=eps,
        foreach=False,
    )
    for step in range(9):
        factor = [0.0, 0.5, 1.0][step % 3]
        ids = torch.randint(7, (3, 4))
        for model in (ours, theirs):
            model.zero_grad()
            model(ids).square().sum().backward()
            if step < 2:
                model[2].zero_grad()  # its first gradient comes late
        optimizer.step(factor)
        for group in oracle.param_groups:
            group["lr"] = 0.03 * factor
        oracle.step()
        for actual, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


def library_factors(make: Callable[[torch.optim.Optimizer], Any], steps: int) -> list[float]:
    """The rates that a library's scheduler sets for steps 0, 1, ... where the peak is 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("warmup", "total", "least"), [(5, 23, 0.25), (1, 12, 0.1), (0, 7, 0.0), (20, 600, 0.1)]
)
def test_cosine(warmup: int, total: int, least: float) -> None:
    from transformers import get_cosine_schedule_with_warmup, get_cosine_with_min_lr_schedule_with_warmup

    schedule = load_reference("pretraining/optimizer_and_schedule").Schedule(warmup, total, least)
    expected = library_factors(
        lambda o: get_cosine_with_min_lr_schedule_with_warmup(o, warmup, total, min_lr_rate=least), total + 1
    )
    assert [schedule.cosine(step) for step in range(total + 1)] == pytest.approx(expected, abs=1e-12)
    if not least:
        plain = library_factors(lambda o: get_cosine_schedule_with_warmup(o, warmup, total), total + 1)
        assert plain == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("warmup", "total", "decay", "least"),
    [(3, 29, 7, 0.1), (2, 11, 1, 0.3), (4, 17, 13, 0.0), (0, 9, 4, 0.2)],
)
def test_wsd(warmup: int, total: int, decay: int, least: float) -> None:
    """The library's warm-up rises from its last factor, ours from 0: compared after it, or where that factor is 0."""
    from transformers import get_wsd_schedule

    schedule = load_reference("pretraining/optimizer_and_schedule").Schedule(warmup, total, least)
    expected = library_factors(
        lambda o: get_wsd_schedule(
            o,
            warmup,
            decay,
            num_stable_steps=total - warmup - decay,
            decay_type="linear",
            min_lr_ratio=least,
        ),
        total + 5,
    )
    begin = warmup if least else 0
    actual = [schedule.wsd(step, decay) for step in range(total + 5)]
    assert actual[begin:] == pytest.approx(expected[begin:], abs=1e-12)


@pytest.mark.parametrize("total", [10, 20, 50, 70])
def test_multi_step(total: int) -> None:
    schedule = load_reference("pretraining/optimizer_and_schedule").Schedule(0, total, 0.5)
    drops = [total * 8 // 10, total * 9 // 10]
    expected = library_factors(
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, drops, gamma=0.1**0.5), total + 3
    )
    assert [schedule.multi_step(step) for step in range(total + 3)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("start", "increment", "full"), [(3, 5, 28), (1, 1, 7), (8, 8, 16), (2, 3, 20), (32, 32, 1024)]
)
@pytest.mark.parametrize("ramp_samples", [1, 30, 101, 4096])
def test_ramp(start: int, increment: int, full: int, ramp_samples: int) -> None:
    """Sample by sample: the size goes up whenever another n-th of the ramp is behind."""
    reference = load_reference("pretraining/optimizer_and_schedule")
    increases = (full - start) // increment
    expected, consumed = [], 0
    for _ in range(60):
        size = start
        for k in range(1, increases + 1):
            if consumed * increases >= k * ramp_samples:
                size += increment
        expected.append(size)
        consumed += size
    assert reference.batch_size_ramp(60, start, increment, full, ramp_samples) == expected
