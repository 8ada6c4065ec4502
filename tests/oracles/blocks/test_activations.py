"""The reference of blocks/activations against torch's functions, and against autograd through them, in float64."""

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, load_reference

LIBRARY = {
    "gelu": lambda x, beta: F.gelu(x),
    "gelu_tanh": lambda x, beta: F.gelu(x, approximate="tanh"),
    "swish": lambda x, beta: x * torch.sigmoid(beta * x),
}


def assert_agree(own, library, inputs) -> None:
    """Values, returned derivatives, and gradients through the values."""
    inputs = inputs.clone().requires_grad_()
    expected = library(inputs)
    (slope,) = torch.autograd.grad(expected.sum(), inputs)
    value, derivative = own(inputs)
    assert_close(value, expected.detach(), rtol=1e-12, atol=1e-15)
    assert_close(derivative, slope, rtol=1e-9, atol=1e-12)
    assert_close(torch.autograd.grad(value.sum(), inputs)[0], slope, rtol=1e-9, atol=1e-12)


@pytest.fixture(params=["near", "far", "zero"])
def inputs(request):
    torch.manual_seed(0)
    return {
        "near": 4 * torch.randn(11, 7, dtype=torch.float64),
        "far": torch.tensor([-1e4, -800.0, -40.0, 40.0, 800.0, 1e4], dtype=torch.float64),
        "zero": torch.zeros(3, dtype=torch.float64),
    }[request.param]


def test_sigmoid(inputs) -> None:
    assert_agree(load_reference("blocks/activations").sigmoid, torch.sigmoid, inputs)


@pytest.mark.parametrize("kind, beta", [("gelu", 1.0), ("gelu_tanh", 1.0), ("swish", 0.4), ("swish", 3.1)])
def test_activation(inputs, kind, beta) -> None:
    activation = load_reference("blocks/activations").activation
    assert_agree(lambda x: activation(x, kind, beta), lambda x: LIBRARY[kind](x, beta), inputs)


def test_silu_is_swish_with_beta_1(inputs) -> None:
    activation = load_reference("blocks/activations").activation
    assert_agree(lambda x: activation(x, "swish"), F.silu, inputs)
