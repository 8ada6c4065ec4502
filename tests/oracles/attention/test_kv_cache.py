"""The reference against attention over all tokens, PyTorch's lower-right mask and the cache of transformers."""

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention.bias import causal_lower_right

from autograder.testing import assert_close, load_reference

# B, H, D, and how the tokens are cut.
CUTS = [
    (2, 3, 5, (3, 1, 4, 2)),
    (1, 1, 8, (1, 1, 1, 1)),
    (3, 2, 1, (7,)),
    (2, 5, 16, (1, 6, 1)),
    (1, 4, 64, (31, 2, 1, 1)),
]


@pytest.fixture(scope="module")
def ref():
    return load_reference("attention/kv_cache")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("B, H, D, cuts", CUTS)
def test_append_is_that_of_transformers(ref, B, H, D, cuts):
    from transformers import DynamicCache

    k, v = torch.randn(2, B, H, sum(cuts), D).unbind()
    cache, library = ref.KVCache(B, H, sum(cuts), D), DynamicCache()
    for new_k, new_v in zip(k.split(cuts, 2), v.split(cuts, 2), strict=True):
        keys, values = library.update(new_k, new_v, 0)
        found = cache.append(new_k, new_v)
        assert_close(found[0], keys)
        assert_close(found[1], values)
        assert cache.length == library.get_seq_length()
    assert cache.keys.data_ptr() == found[0].data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("B, H, D, cuts", CUTS)
def test_attention_equals_full(ref, B, H, D, cuts, dtype):
    total = sum(cuts)
    q, k, v = torch.randn(3, B, H, total, D, dtype=dtype).unbind()
    full = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    for chunk_size in (1, 2, 3, total, total + 1):
        cache, end = ref.KVCache(B, H, total, D, dtype), 0
        for size in cuts:
            start, end = end, end + size
            new = [each[:, :, start:end] for each in (q, k, v)]
            output = ref.prefill(*new, cache, chunk_size) if size > 1 else ref.decode_step(*new, cache)
            assert_close(output, full[:, :, start:end])
            lower_right = F.scaled_dot_product_attention(
                new[0], k[:, :, :end], v[:, :, :end], attn_mask=causal_lower_right(size, end)
            )
            assert_close(output, lower_right)


def test_bytes_of_transformers(ref):
    """The tensors of a real model's cache, counted."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50,
        hidden_size=24,
        intermediate_size=20,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=10,
    )
    with torch.no_grad():
        cache = LlamaForCausalLM(config).eval()(torch.randint(50, (5, 7)), use_cache=True).past_key_values
    found = sum(tensor.nbytes for layer in cache.layers for tensor in (layer.keys, layer.values))
    assert ref.kv_cache_bytes(3, 2, 10, 7, 5, torch.float32) == found


def test_bytes_as_published(ref):
    """Kwon et al. 2023 (arXiv:2309.06180), section 3: OPT-13B needs 800 KB for a token in FP16."""
    assert ref.kv_cache_bytes(40, 40, 128, 1, 1, torch.float16) == 800 * 1024
