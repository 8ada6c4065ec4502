"""Public tests of pretraining/optimizer_and_schedule: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close, check_refusal


@pytest.mark.points(1)
def test_groups_by_hand(student, build):
    """Of a layer norm and a linear layer, one tensor decays: the linear layer's weight.

    zh: 一个层归一化加一个线性层，只有一个张量衰减：线性层的权重。
    """
    model = build("torch.nn.Sequential", build("torch.nn.LayerNorm", 3), build("torch.nn.Linear", 3, 2))
    decayed, others = student.decay_groups(model, 0.1)
    assert [tuple(p.shape) for p in decayed["params"]] == [(2, 3)]
    assert sorted(tuple(p.shape) for p in others["params"]) == [(2,), (3,), (3,)]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


@pytest.mark.points(2)
def test_first_step_by_hand(student, build, gradients):
    """Rate 0.1, decay 0.5: each weight loses a twentieth of itself, then moves by 0.1 against its gradient's sign.

    zh: 学习率 0.1、衰减 0.5：每个权重先减去自身的二十分之一，再逆着梯度的符号移动 0.1。
    """
    layer = build("torch.nn.Linear", 2, 1, bias=False)
    layer.load_state_dict({"weight": torch.tensor([[2.0, -4.0]])})
    optimizer = student.AdamW([{"params": layer.parameters(), "weight_decay": 0.5}], lr=0.1)
    gradients(layer, torch.tensor([[3.0, -0.5]]))  # for one input, the gradient of the weight is the input
    optimizer.step(factor=1.0)
    assert_close(layer.weight.detach(), torch.tensor([[1.9 - 0.1, -3.8 + 0.1]]))


@pytest.mark.points(1)
@pytest.mark.parametrize("curve", ["cosine", "wsd", "multi_step"])
def test_schedule_by_hand(student, curve):
    """Four steps of warm-up, 20 steps in all, a last factor of 0.1: start, peak, half-way down, end, and beyond.

    zh: 预热 4 步，共 20 步，最后的系数是 0.1：起点、峰值、下降到一半、终点，以及终点之后。
    """
    schedule = student.Schedule(warmup_steps=4, total_steps=20, min_factor=0.1)
    factors, more = {
        "cosine": ({0: 0.0, 2: 0.5, 4: 1.0, 12: 0.55, 20: 0.1, 27: 0.1}, ()),
        "wsd": ({0: 0.0, 2: 0.5, 4: 1.0, 12: 1.0, 16: 0.55, 20: 0.1, 27: 0.1}, (8,)),  # decays over 8 steps
        "multi_step": ({0: 0.0, 2: 0.5, 4: 1.0, 15: 1.0, 16: 0.1**0.5, 18: 0.1, 27: 0.1}, ()),
    }[curve]
    for step, factor in factors.items():
        assert_close(getattr(schedule, curve)(step, *more), factor, message=f"step {step}")


@pytest.mark.points(1)
def test_ramp_by_hand(student):
    """From 2 to 6 by 2 in 8 samples: one increase for every 4 samples consumed, so 2, 2, 4, and 6 from then on.

    zh: 用 8 个样本从 2 增到 6，每次增加 2：每用掉 4 个样本增加一次，于是 2、2、4，此后都是 6。
    """
    assert list(student.batch_size_ramp(6, 2, 2, 6, 8)) == [2, 2, 4, 6, 6, 6]


@pytest.mark.points(0.5)
def test_ramp_that_does_not_fit(student):
    """By 2 at a time nothing leads from 2 to 7, from 6 to 2, or from 2 to 2: ValueError.

    zh: 每次增加 2，从 2 到不了 7，从 6 到不了 2，从 2 到 2 也不算增加：抛出 ValueError。
    """
    for start, full in [(2, 7), (6, 2), (2, 2)]:
        check_refusal(student.batch_size_ramp, (3, 2, 2, 6, 8), (3, start, 2, full, 8), ValueError)
