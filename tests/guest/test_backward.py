"""Forward and backward of one call: gradients of everything a test may ask for, and nothing else."""

from __future__ import annotations

import random

import numpy
import pytest
import torch

from autograder.guest.helpers import build, gradients
from autograder.guest.seed import seed_everything, seed_of


def test_a_function() -> None:
    x, w = torch.randn(3, 2), torch.randn(2)
    result = gradients(lambda x, w: x @ w, x, w)
    assert torch.equal(result.output, x @ w)
    assert not result.output.requires_grad
    assert torch.allclose(result.arguments[0], w.expand(3, 2))
    assert torch.allclose(result.arguments[1], x.sum(0))
    assert not x.requires_grad
    assert x.grad is None
    assert result.parameters == {}


def test_upstream_gradient() -> None:
    x = torch.tensor([1.0, 2.0, 3.0])
    upstream = torch.tensor([1.0, 0.0, -2.0])
    result = gradients(lambda x: x**2, x, upstream=upstream)
    assert torch.equal(result.arguments[0], 2 * x * upstream)


def test_upstream_takes_the_dtype_of_the_result() -> None:
    x = torch.tensor([1.0, 2.0], dtype=torch.float64)
    result = gradients(lambda x: 3 * x, x, upstream=torch.ones(2))
    assert result.arguments[0].dtype == torch.float64


def test_keywords() -> None:
    result = gradients(lambda x, *, scale: x * scale, torch.ones(2), scale=torch.tensor(3.0))
    assert torch.equal(result.keywords["scale"], torch.tensor(2.0))
    assert torch.equal(result.arguments[0], torch.full((2,), 3.0))


def test_modules() -> None:
    module = torch.nn.Linear(3, 2)
    module.weight.grad = torch.full((2, 3), 99.0)
    module.register_parameter("unused", torch.nn.Parameter(torch.ones(1)))
    x = torch.randn(4, 3)
    result = gradients(module, x)
    assert torch.allclose(result.parameters["weight"], x.sum(0).expand(2, 3))
    assert torch.equal(result.parameters["bias"], torch.full((2,), 4.0))
    assert result.parameters["unused"] is None


def test_one_output_of_several() -> None:
    x = torch.tensor([2.0])
    result = gradients(lambda x: (x**2, x**3, "done"), x, output=1)
    assert torch.equal(result.arguments[0], torch.tensor([12.0]))
    assert not any(value.requires_grad for value in result.output[:2])
    assert result.output[2] == "done"


def test_unused_inputs_have_zero_gradients() -> None:
    x, y = torch.randn(2, 3), torch.randn(4)
    result = gradients(lambda x, y: x.sum(), x, y)
    assert torch.equal(result.arguments[1], torch.zeros(4))
    detached = gradients(lambda x, y: x.sum() + 0 * y.detach().sum(), x, y)
    assert torch.equal(detached.arguments[1], torch.zeros(4))


def test_what_has_no_gradient() -> None:
    ids, mask = torch.tensor([0, 1]), torch.tensor([True, False])
    result = gradients(lambda ids, mask, x, k, flag: x[ids] * mask * k, ids, mask, torch.randn(2), 3, None)
    assert [gradient is None for gradient in result.arguments] == [True, True, False, True, True]


def test_nothing_to_differentiate() -> None:
    with pytest.raises(RuntimeError, match="needs a tensor result, not str"):
        gradients(lambda x: "no", torch.ones(1))
    with pytest.raises(RuntimeError):
        gradients(lambda x: x.detach(), torch.ones(1))


def test_arguments_are_not_changed() -> None:
    x = torch.ones(2)
    gradients(lambda x: x.clone().mul_(2), x)
    with pytest.raises(RuntimeError):
        gradients(lambda x: x.mul_(2), x)  # autograd refuses an in-place change of a leaf
    assert torch.equal(x, torch.ones(2))


def test_seeds_cover_three_generators() -> None:
    def draw() -> tuple[float, float, float]:
        return float(torch.rand(())), float(numpy.random.rand()), random.random()

    seed_everything(5)
    first = draw()
    seed_everything(5)
    assert draw() == first
    seed_everything(6)
    assert all(a != b for a, b in zip(draw(), first, strict=True))
    seed_everything(2**40)  # numpy takes 32 bits only


def test_seed_of_a_name_is_the_same_everywhere() -> None:
    assert seed_of("test_affine[3]") == 1429725127
    assert seed_of("test_affine[3]") != seed_of("test_affine[7]")


def test_build_torch() -> None:
    linear = build("torch.nn.Linear", 4, 3, bias=False)
    assert linear.weight.shape == (3, 4)
    for name in ("os.system", "numpy.zeros", "torchx.nn.Linear", "Linear"):
        with pytest.raises(ValueError, match="torch classes only"):
            build(name)
    for name in ("torch.nn.NoSuch", "torch.nowhere.Thing"):
        with pytest.raises(ValueError, match="there is no"):
            build(name)
