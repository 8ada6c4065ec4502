"""Hidden tests of capstone/preferences."""

# core: 9 to 11 functions. A docstring is one sentence that is true of whatever makes its test fail.
# No answer that ignores its input may earn a point here. Fixtures are not degenerate: assert it.

import pytest
import torch
from torch import Tensor

from autograder.testing import PROMISES, assert_close, check_promise


def draw(dtype: torch.dtype = torch.float32) -> Tensor:
    """[5, 7], the same at every call, of both signs."""
    return torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.points(2)
def test_negative_inputs(student, parts):
    """Negative inputs give zero.

    zh: 负的输入得到 0。
    """
    x = draw()
    assert_close(student.first(parts, x), x.clamp(min=0))


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
def test_promises(student, parts, unchanged, promise):
    """Right results that keep the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """
    x = draw()
    # What returns its input keeps every promise: it must be right as well.
    assert_close(student.first(parts, x), x.clamp(min=0))
    check_promise(promise, student.first, lambda dtype: (parts, draw(dtype)), unchanged)
