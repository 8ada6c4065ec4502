"""Public tests of blocks/activations: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_given


@pytest.mark.points(1)
def test_sigmoid_by_hand(student):
    """With x = log 3 the odds are three to one: the sigmoid is 3/4 and its slope 3/16.

    zh: x = log 3 时胜算是三比一：Sigmoid 为 3/4，斜率为 3/16。
    """
    x = torch.tensor([[math.log(3), 0.0, -math.log(3)]], dtype=torch.float64)
    value, derivative = student.sigmoid(x)
    assert_close(value, torch.tensor([[0.75, 0.5, 0.25]], dtype=torch.float64))
    assert_close(derivative, torch.tensor([[3 / 16, 1 / 4, 3 / 16]], dtype=torch.float64))


@pytest.mark.points(2)
def test_sigmoid_far_from_zero(student, gradients):
    """At -10000 and 10000 value and derivative are finite, and so is the gradient that flows back through the value.

    zh: 在 -10000 和 10000 处，函数值和导数都是有限值，穿过函数值传回来的梯度也是。
    """
    x = torch.tensor([-1e4, 1e4])
    value, derivative = student.sigmoid(x)
    assert_close(value, torch.tensor([0.0, 1.0]))
    assert_close(derivative, torch.zeros(2))
    found = gradients(student.sigmoid, x, output=0)
    assert_close(found.arguments[0], torch.zeros(2), message="autograd's gradient through the value")


@pytest.mark.points(2)
def test_activation_by_hand(student):
    """GELU of 1 is 0.8413447 exactly and 0.8411920 by tanh; Swish with beta = 2 opens its gate to 3/4 at x = (log 3) / 2.

    zh: GELU(1) 的精确值是 0.8413447，tanh 近似式给出 0.8411920；beta = 2 的 Swish 在 x = (log 3) / 2 处，门开到 3/4。
    """
    one = torch.ones(1, dtype=torch.float64)
    by_hand = {"gelu": (0.8413447461, 1.0833154706), "gelu_tanh": (0.8411919906, 1.0829640838)}
    for kind, (value, derivative) in by_hand.items():
        found = student.activation(one, kind)
        assert_close(found[0], value * one, message=f"{kind} at 1")
        assert_close(found[1], derivative * one, message=f"the derivative of {kind} at 1")

    def check():
        x = math.log(3) / 2
        value, _ = student.activation(x * one, "swish", 2.0)
        assert_close(value, 3 / 4 * x * one, message="swish")

    def of_log_3(x):
        assert_close(x, math.log(3) * one, message="the sigmoid's argument")
        return 3 / 4 * one, 3 / 16 * one

    # Where your own sigmoid is not right yet, this one stands in: it knows the answer for log 3 alone.
    own_or_given(check, student, sigmoid=of_log_3)
