"""One token from a row of probabilities, by inverse CDF of a given draw."""

from torch import Tensor


def draw_token(probabilities: Tensor, draw: float) -> int:
    """Given: the first token whose cumulative probability exceeds `draw`, in [0, 1); never one of probability 0.

    probabilities: [V], with the sum 1.
    """
    possible = probabilities.nonzero().flatten()
    passed = int((probabilities[possible].cumsum(0) <= draw).sum())
    return int(possible[min(passed, len(possible) - 1)])
