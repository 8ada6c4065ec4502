"""Public tests of alignment/verifiable_rewards."""

# standard: 3 to 4 functions, about a third of the points (20% to 45%): an example by hand, a bad input,
# and the pitfall that the lesson names first. Students get this file: take this comment out.

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_by_hand(student):
    """A small example done by hand.

    zh: 一个可以手算的小例子。
    """
    x = torch.tensor([[-1.0, 2.0]])
    assert_close(student.first(x), torch.tensor([[0.0, 2.0]]))
