"""The reference of blocks/embedding against PyTorch's embedding, its automatic differentiation, and transformers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, load_reference

SIZES = [(1, 1, 1, 1), (3, 5, 7, 6), (2, 17, 3, 5), (4, 2, 101, 32)]  # B, T, V, C


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", SIZES)
def test_lookup_and_gradient(size: tuple[int, int, int, int], dtype: torch.dtype) -> None:
    reference = load_reference("blocks/embedding")
    batch, length, vocab, d_model = size
    torch.manual_seed(vocab)
    ids = torch.randint(vocab, (batch, length))
    weight = torch.randn(vocab, d_model, dtype=dtype, requires_grad=True)
    upstream = torch.randn(batch, length, d_model, dtype=dtype)
    for padding_idx in (None, 0, vocab - 1, int(ids[-1, -1])):
        output = F.embedding(ids, weight, padding_idx) * d_model**0.5
        assert_close(reference.embed(ids, weight), output)
        (gradient,) = torch.autograd.grad(output, weight, upstream)
        assert_close(reference.embedding_gradient(ids, upstream, vocab, padding_idx), gradient)


@pytest.mark.parametrize("outside", [-1, 7])
def test_id_outside_the_table(outside: int) -> None:
    ids, weight = torch.tensor([[0, outside]]), torch.zeros(7, 2)
    for lookup in (F.embedding, load_reference("blocks/embedding").embed):
        with pytest.raises(IndexError):
            lookup(ids, weight)


@pytest.mark.parametrize("new_size", [2, 10, 11, 13])
def test_resize_against_transformers(new_size: int) -> None:
    """transformers adds noise of about 1e-6 to the mean."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(new_size)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=11, **sizes))
    table = model.get_input_embeddings().weight
    torch.nn.init.normal_(table, mean=1.0)
    before = table.detach().clone()
    model.resize_token_embeddings(new_size, mean_resizing=True)
    after = model.get_input_embeddings().weight.detach()
    assert_close(load_reference("blocks/embedding").resize_embedding(before, new_size), after, atol=1e-4)
