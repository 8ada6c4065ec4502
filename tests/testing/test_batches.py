"""Ragged batches: ids, mask and positions, by hand."""

from __future__ import annotations

import pytest
import torch

from autograder.testing import ragged_batch


def test_each_side_by_hand() -> None:
    right = ragged_batch([2, 0, 3], pad_id=99)
    assert right.mask.tolist() == [[1, 1, 0], [0, 0, 0], [1, 1, 1]]
    assert right.positions.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 2]]
    left = ragged_batch([2, 0, 3], "left", pad_id=99)
    assert left.mask.tolist() == [[0, 1, 1], [0, 0, 0], [1, 1, 1]]
    assert left.positions.tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 2]]
    for batch in (left, right):
        assert {each.dtype for each in batch} == {torch.int64}
        assert torch.equal(batch.ids == 99, batch.mask == 0)
    assert torch.equal(left.ids[left.mask == 1], right.ids[right.mask == 1])


def test_edges() -> None:
    assert ragged_batch([]).ids.shape == (0, 0)
    assert ragged_batch([0]).ids.shape == (1, 0)
    assert not torch.equal(ragged_batch([9]).ids, ragged_batch([9], seed=1).ids)
    with pytest.raises(ValueError, match="'left' or 'right', not 'middle'"):
        ragged_batch([1], "middle")  # type: ignore[arg-type]
