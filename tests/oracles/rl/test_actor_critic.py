"""The reference of rl/actor_critic against its oracle."""

# Random inputs, the edges included. For a table or an equation of a paper: the numbers, with their place.

import torch

from autograder.testing import assert_close, load_reference


def test_actor_critic() -> None:
    reference = load_reference("rl/actor_critic")
    x = torch.randn(5, 7)
    assert_close(reference.first(x), torch.nn.functional.relu(x))
