"""The reference of capstone/chat against its oracle."""

# Random inputs, the edges included. For a table or an equation of a paper: the numbers, with their place.

from types import SimpleNamespace

import torch

from autograder.testing import assert_close, load_reference


def test_chat() -> None:
    reference = load_reference("capstone/chat")
    x = torch.randn(5, 7)
    parts = SimpleNamespace(gpt=load_reference("models/gpt"))
    assert_close(reference.first(parts, x), torch.nn.functional.relu(x))
