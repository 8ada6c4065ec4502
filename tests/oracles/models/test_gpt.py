"""The reference of models/gpt against transformers' GPT-2, with random weights."""

import pytest
import torch

from autograder.testing import assert_close, load_by_name, load_reference, tiny_gpt_config

SIZES = [
    {},
    {"num_heads": 1, "num_layers": 1, "d_model": 6},
    {"num_heads": 5, "d_model": 5, "num_layers": 2},
    {"block_size": 1},
]

# A block's names here and there. The published matrices are [in, out].
NAMES = {
    "norm_1": "ln_1",
    "qkv_proj": "attn.c_attn",
    "out_proj": "attn.c_proj",
    "norm_2": "ln_2",
    "up_proj": "mlp.c_fc",
    "down_proj": "mlp.c_proj",
}


@pytest.fixture(scope="module")
def ref():
    return load_reference("models/gpt")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def library_model(sizes):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=sizes["vocab_size"],
        n_positions=sizes["block_size"],
        n_layer=sizes["num_layers"],
        n_head=sizes["num_heads"],
        n_embd=sizes["d_model"],
        bos_token_id=0,
        eos_token_id=1,
    )
    return GPT2LMHeadModel(config)


def both(ref, sizes):
    """The reference and the library's model in eval mode, with the same random weights."""
    own, library = ref.GPT(ref.GPTConfig(**sizes)), library_model(sizes).eval()
    weights = load_by_name(own, {name: tuple(p.shape) for name, p in own.named_parameters()})
    state = {
        "transformer.wte.weight": weights["token_embedding.weight"],
        "transformer.wpe.weight": weights["position_embedding.weight"],
        "lm_head.weight": weights["token_embedding.weight"],
        "transformer.ln_f.weight": weights["final_norm.weight"],
        "transformer.ln_f.bias": weights["final_norm.bias"],
    }
    for i in range(sizes["num_layers"]):
        for name, published in NAMES.items():
            for kind in ("weight", "bias"):
                value = weights[f"blocks.{i}.{name}.{kind}"]
                state[f"transformer.h.{i}.{published}.{kind}"] = value.T if value.dim() == 2 else value
    library.load_state_dict(state)
    return own, library


@pytest.mark.parametrize("changes", SIZES)
def test_logits_and_number_of_parameters(ref, changes):
    sizes = tiny_gpt_config(**changes)
    own, library = both(ref, sizes)
    for length in {1, sizes["block_size"]}:
        ids = torch.randint(sizes["vocab_size"], (3, length))
        assert_close(own(ids).detach(), library(ids).logits.detach())
    assert ref.num_params(own.config) == library.num_parameters() == sum(p.numel() for p in own.parameters())


def test_loss_and_gradients(ref):
    own, library = both(ref, tiny_gpt_config())
    ids = torch.randint(13, (3, 7))
    labels = ids.masked_fill(torch.rand(3, 7) < 0.4, -100)
    for given in (None, labels):
        own.zero_grad()
        library.zero_grad()
        loss, expected = own.loss(ids, given), library(ids, labels=ids if given is None else given).loss
        loss.backward()
        expected.backward()
        assert_close(loss.detach(), expected.detach())
        assert_close(own.token_embedding.weight.grad, library.transformer.wte.weight.grad)
        assert_close(own.blocks[1].qkv_proj.weight.grad, library.transformer.h[1].attn.c_attn.weight.grad.T)


def test_initial_spread(ref):
    sizes = {"vocab_size": 97, "block_size": 89, "num_layers": 3, "num_heads": 2, "d_model": 64}
    own, library = ref.GPT(ref.GPTConfig(**sizes)), library_model(sizes)
    for name, published in NAMES.items():
        weight = getattr(own.blocks[1], name).weight.detach()
        expected = library.transformer.h[1].get_submodule(published).weight.detach()
        assert_close(float(weight.std()), float(expected.std()), rtol=0.1)
    for table, expected in (("token_embedding", "wte"), ("position_embedding", "wpe")):
        spread = float(library.transformer.get_submodule(expected).weight.detach().std())
        assert_close(float(getattr(own, table).weight.detach().std()), spread, rtol=0.1)


def test_generate_within_the_block(ref):
    own, library = both(ref, tiny_gpt_config(block_size=20))
    ids = torch.randint(13, (3, 5))
    with torch.no_grad():
        expected = library.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=15,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
    assert_close(ref.generate(own, ids, 15), expected)


def test_generate_beyond_the_block(ref):
    own, library = both(ref, tiny_gpt_config())
    ids = torch.randint(13, (2, 4))
    expected = ids
    for _ in range(9):
        logits = library(expected[:, -7:]).logits
        expected = torch.cat([expected, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert_close(ref.generate(own, ids, 9), expected)
