"""What tests of fine-tuning and alignment are written with: conversations, masks, the four models."""

from __future__ import annotations

import pytest
import torch

from autograder.testing import conversation, four_models, masked_responses


def test_conversations() -> None:
    messages = conversation(5, system=True)
    assert [m["role"] for m in messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert len({len(m["content"].split()) for m in messages}) > 2, "of uneven lengths"
    assert conversation(5, system=True) == messages != conversation(5, system=True, seed=1)
    assert [m["role"] for m in conversation(2)] == ["user", "assistant"]
    assert conversation(0) == []


def test_masks_of_each_side_by_hand() -> None:
    both = masked_responses([1, 3], [2, 1], pad_id=99)
    assert both.attention_mask.tolist() == [[0, 0, 1, 1, 1], [1, 1, 1, 1, 0]]
    assert both.response_mask.tolist() == [[0, 0, 0, 1, 1], [0, 0, 0, 1, 0]]
    left = masked_responses([1, 3], [2, 2], "left", pad_id=99)
    assert left.attention_mask.tolist() == [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]
    assert left.response_mask.tolist() == [[0, 0, 0, 1, 1], [0, 0, 0, 1, 1]]
    right = masked_responses([1, 3], [2, 2], "right", pad_id=99)
    assert right.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert right.response_mask.tolist() == [[0, 1, 1, 0, 0], [0, 0, 0, 1, 1]]
    for batch in (both, left, right):
        assert {each.dtype for each in batch} == {torch.int64}
        assert torch.equal(batch.ids == 99, batch.attention_mask == 0)
    assert torch.equal(left.ids[left.attention_mask == 1], right.ids[right.attention_mask == 1])


def test_bad_sides_and_lengths() -> None:
    with pytest.raises(ValueError, match="'left', 'right' or 'both', not 'middle'"):
        masked_responses([1], [1], "middle")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="zip"):
        masked_responses([1, 2], [1])


def test_the_four_models_differ() -> None:
    models = four_models(vocab_size=5)
    ids = torch.tensor([[0, 3, 4]])
    assert [model(ids).shape[-1] for model in models] == [5, 1, 1, 5]
    assert not torch.equal(models.actor(ids), models.reference(ids))
    assert not torch.equal(models.critic(ids), models.reward_model(ids))
    again = four_models(vocab_size=5)
    assert all(torch.equal(a(ids), b(ids)) for a, b in zip(models, again, strict=True))
    assert not torch.equal(four_models(vocab_size=5, seed=1).actor(ids), models.actor(ids))


def test_the_four_models_are_causal_and_remember() -> None:
    ids = torch.tensor([[0, 3, 4, 1, 2], [4, 4, 0, 2, 1]])
    for model in four_models(vocab_size=5, width=2):
        before = model(ids)
        for place in range(5):
            changed = ids.clone()
            changed[:, place] = (ids[:, place] + 1) % 5
            moved = (model(changed) != before).any(dim=-1)
            assert moved.tolist() == [[place <= t < place + 3 for t in range(5)]] * 2


def test_dropout_of_the_four_models() -> None:
    ids = torch.tensor([[0, 3, 4, 1, 2]])
    for noisy, plain in zip(four_models(dropout=0.5), four_models(), strict=True):
        assert noisy.training
        assert not torch.equal(noisy(ids), plain(ids))
        assert torch.equal(noisy.eval()(ids), plain(ids))
