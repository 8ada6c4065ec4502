"""The output head against PyTorch's losses, its linear cross-entropy, and transformers' causal loss."""

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, load_reference


def gradients(loss, *inputs):
    return torch.autograd.grad(loss, inputs)


def test_log_softmax() -> None:
    torch.manual_seed(0)
    reference = load_reference("blocks/output_head")
    for scale in (1, 100, 10_000):
        logits = scale * torch.randn(5, 3, 17)
        assert_close(reference.log_softmax(logits), F.log_softmax(logits, dim=-1))


@pytest.mark.parametrize("ignore_index", [-100, 4])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy(smoothing: float, ignore_index: int) -> None:
    torch.manual_seed(0)
    reference = load_reference("blocks/output_head")
    logits = 5 * torch.randn(4, 7, 11, requires_grad=True)
    targets = torch.randint(11, (4, 7))
    targets[torch.rand(4, 7) < 0.4] = ignore_index
    actual = reference.cross_entropy(logits, targets, ignore_index, smoothing)
    expected = F.cross_entropy(
        logits.transpose(1, 2), targets, ignore_index=ignore_index, label_smoothing=smoothing
    )
    assert_close(actual, expected)
    assert_close(gradients(actual, logits), gradients(expected, logits))


def test_nothing_counts() -> None:
    """Here PyTorch gives NaN, and the exercise 0."""
    torch.manual_seed(0)
    reference = load_reference("blocks/output_head")
    logits, targets = torch.randn(3, 5, requires_grad=True), torch.full((3,), -100)
    assert F.cross_entropy(logits, targets).isnan()
    loss = reference.cross_entropy(logits, targets)
    assert loss == 0 and not gradients(loss, logits)[0].any()


@pytest.mark.parametrize(("B", "T"), [(1, 2), (3, 9)])
def test_causal_loss(B: int, T: int) -> None:
    from transformers.loss.loss_utils import ForCausalLMLoss

    torch.manual_seed(0)
    reference = load_reference("blocks/output_head")
    model = reference.TiedLanguageModel(13, 6, torch.nn.Linear(6, 6))
    ids = torch.randint(13, (B, T))
    labels = ids.masked_fill(torch.rand(B, T) < 0.3, -100)
    labels[0, 1] = 5
    logits, loss = model(ids, labels)
    assert_close(loss, ForCausalLMLoss(logits, labels, vocab_size=13))


@pytest.mark.parametrize("chunk_size", [1, 5, 8, 23, 100])
def test_linear_cross_entropy(chunk_size: int) -> None:
    torch.manual_seed(0)
    reference = load_reference("blocks/output_head")
    hidden, weight = torch.randn(23, 6, requires_grad=True), torch.randn(31, 6, requires_grad=True)
    targets = torch.randint(31, (23,))
    targets[3:12] = -100
    actual = reference.chunked_cross_entropy(hidden, weight, targets, chunk_size)
    expected = F.linear_cross_entropy(hidden, weight, targets)
    assert_close(actual, expected)
    assert_close(gradients(actual, hidden, weight), gradients(expected, hidden, weight))
