"""Whether a call leaves its arguments as they were."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from autograder.guest.helpers import unchanged

NAN = math.nan


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([1.0, NAN]),
        torch.tensor([True, False]),
        torch.zeros(0),
        np.array([1.0, NAN]),
        [1, (2, [3])],
        {"a": [1], "b": {2}},
        "text",
        None,
        NAN,
        object(),
    ],
)
def test_left_alone(value: Any) -> None:
    assert unchanged(lambda given, other=None: None, value, other=value)


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (torch.ones(2), lambda x: x.add_(1)),
        (torch.ones(2), lambda x: setattr(x, "data", x.data.double())),
        (torch.ones(2), lambda x: x.requires_grad_()),
        (torch.ones(2), lambda x: x.resize_(1)),
        (torch.ones(2, requires_grad=True), lambda x: x.data.mul_(2)),
        (np.ones(2), lambda x: x.sort() or x.fill(0)),
        ([3, 1], list.sort),
        ([3, 1], list.clear),
        ([1], lambda x: x.append(2)),
        ([[1], [2]], lambda x: x[1].append(3)),
        (([1],), lambda x: x[0].clear()),
        ({"lr": 1}, lambda x: x.pop("lr")),
        ({"a": 1, "b": 2}, lambda x: x.update(a=x.pop("a"))),
        ({"m": torch.zeros(2)}, lambda x: x["m"].add_(1)),
        ({1}, lambda x: x.add(2)),
    ],
)
def test_changed(value: Any, change: Any) -> None:
    assert not unchanged(change, value)


def test_changed_by_name() -> None:
    assert not unchanged(lambda *, x: x.add_(1), x=torch.ones(2))


def test_an_error_is_the_calls() -> None:
    with pytest.raises(ZeroDivisionError):
        unchanged(lambda x: x / 0, 1)
