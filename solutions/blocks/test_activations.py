"""Hidden tests of blocks/activations."""

import pytest
import torch
from torch import Tensor

from autograder.testing import PROMISES, assert_close, check_promise, own_or_reference

FAR = torch.tensor([[-1e4, 1e4], [-750.0, 750.0], [-95.0, 95.0]], dtype=torch.float64)
# The first beta tells most: neither 1 nor its own square.
KINDS = [("gelu", 1.0), ("gelu_tanh", 1.0), ("swish", 2.7), ("swish", 0.3), ("swish", 1.0)]


def near(dtype: torch.dtype = torch.float64) -> Tensor:
    """[7, 5], the same at every call: from -6 to 6, of both signs, no zero."""
    x = 6 - 12 * torch.rand(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert x.min() < -4 and x.max() > 4 and (x.abs() > 1e-3).all()
    return x.to(dtype)


@pytest.mark.points(2)
def test_sigmoid(student, reference):
    """The sigmoid is right near zero and out to -10000 and 10000.

    zh: Sigmoid 的值处处正确，从 0 附近一直到 -10000 和 10000。
    """
    for x in (FAR, FAR.float(), near(), torch.zeros(1), torch.tensor(-0.5), torch.empty(0, 3)):
        assert_close(student.sigmoid(x)[0], reference.sigmoid(x)[0])


@pytest.mark.points(3)
@pytest.mark.parametrize("how", ["autograd", "returned"])
def test_sigmoid_derivative(student, reference, gradients, how):
    """The sigmoid's derivative, returned or found by autograd through the value, is right and finite everywhere.

    zh: Sigmoid 的导数，无论是直接返回的，还是 autograd 穿过函数值求得的，处处正确且有限。
    """
    for x in (FAR, FAR.float(), near()):
        if how == "returned":
            assert_close(student.sigmoid(x)[1], reference.sigmoid(x)[1])
        else:
            found = gradients(student.sigmoid, x, output=0).arguments[0]
            assert_close(found, reference.sigmoid(x)[1])


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("name, args", [("sigmoid", ()), ("activation", ("gelu_tanh",))])
def test_promises(student, reference, unchanged, promise, name, args):
    """Right results that keep the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """
    target = getattr(student, name)
    # What returns its input keeps every promise: the value must be right as well.
    assert_close(target(near(), *args)[0], getattr(reference, name)(near(), *args)[0])
    dtypes = (torch.float64, torch.float32, torch.bfloat16)
    check_promise(promise, target, lambda dtype: (near(dtype), *args), unchanged, dtypes=dtypes)


@pytest.mark.points(1)
@pytest.mark.parametrize("kind, beta", KINDS)
def test_gradients(student, reference, gradients, kind, beta):
    """Autograd finds each kind's derivative through its value, near zero and far from it.

    zh: autograd 穿过每一种函数的值，都能求出它的导数，在 0 附近和远处都正确。
    """
    inputs = [near(), FAR]
    if kind == "swish" and not gradients(student.sigmoid, FAR, output=0).arguments[0].isfinite().all():
        inputs = [near()]  # that was a mistake in the first question
    for x in inputs:
        found = gradients(student.activation, x, kind, beta, output=0).arguments[0]
        assert_close(found, reference.activation(x, kind, beta)[1])


@pytest.mark.points(3)
@pytest.mark.parametrize("kind, beta", [*KINDS, ("swish", 0.0)])
@own_or_reference("sigmoid")
def test_values(student, reference, kind, beta):
    """Each kind's value has the form asked for, near zero and far from it; beta is 1 where it isn't given.

    zh: 每一种函数的值都用所要求的形式，在 0 附近和远处都正确；不给 beta 时它等于 1。
    """
    forms = [reference.activation(near(), form)[0] for form in ("gelu", "gelu_tanh")]
    assert (forms[0] - forms[1]).abs().max() > 3e-4  # float64 tells them apart
    for x in (near(), FAR, torch.zeros(2), torch.tensor(1.5)):
        assert_close(student.activation(x, kind, beta)[0], reference.activation(x, kind, beta)[0])
        if beta == 1.0:
            assert_close(student.activation(x, kind)[0], reference.activation(x, kind)[0])


@pytest.mark.points(3)
@pytest.mark.parametrize("kind, beta", KINDS)
@own_or_reference("sigmoid")
def test_derivatives(student, reference, kind, beta):
    """Each kind returns the derivative of its own form, near zero and far from it.

    zh: 每一种函数返回的导数，都是它自己那个式子的导数，在 0 附近和远处都正确。
    """
    for x in (near(), FAR, torch.zeros(2)):
        assert_close(student.activation(x, kind, beta)[1], reference.activation(x, kind, beta)[1])
