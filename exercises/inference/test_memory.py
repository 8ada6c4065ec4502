"""Public tests of inference/memory: examples small enough to do by hand, and one model that you know."""

import pytest

from autograder.testing import assert_close, check_refusal

PLAIN = {
    "vocab_size": 10,
    "max_positions": 5,
    "num_layers": 3,
    "d_model": 4,
    "d_ff": 6,
    "num_heads": 2,
    "num_kv_heads": 1,
    "head_dim": 3,
    "gated": False,
    "qkv_bias": True,
    "linear_bias": False,
    "norm_bias": False,
    "tied": False,
    "dropout": False,
}
LLAMA_2_7B = PLAIN | {
    "vocab_size": 32000,
    "max_positions": 0,
    "num_layers": 32,
    "d_model": 4096,
    "d_ff": 11008,
    "num_heads": 32,
    "num_kv_heads": 32,
    "head_dim": 128,
    "gated": True,
    "qkv_bias": False,
}
PAPER = PLAIN | {"d_model": 8, "num_heads": 2, "num_kv_heads": 2, "head_dim": 4, "d_ff": 32, "dropout": True}


@pytest.mark.points(1)
def test_parameters_by_hand(student):
    """Two query heads of width 3 need 6 channels in a model of width 4, and their one KV head needs 3.

    zh: 模型宽度是 4；两个宽 3 的查询头要 6 个通道，它们共用的一个 KV 头要 3 个。
    """
    found = student.parameters(PLAIN)
    assert_close(
        found["attention"], 3 * (6 * 4 + 6 + 2 * (3 * 4 + 3) + 4 * 6)
    )  # 3 layers: q, k and v, output
    assert_close(found["feed_forward"], 3 * (6 * 4 + 4 * 6))
    assert_close(found["norm"], 7 * 4)  # two in each layer, one at the end
    assert_close(found["embedding"], 10 * 4 + 5 * 4)
    assert_close(found["head"], 10 * 4)


@pytest.mark.points(1)
def test_llama_2_7b(student):
    """Llama 2 7B has 6,738,415,616 parameters.

    zh: Llama 2 7B 有 6,738,415,616 个参数。
    """
    assert_close(sum(student.parameters(LLAMA_2_7B).values()), 6_738_415_616)


@pytest.mark.points(1)
def test_sixteen_bytes(student):
    """Mixed precision with Adam takes 2 + 2 + 12 bytes for each of 100 parameters.

    zh: 混合精度加 Adam，100 个参数每个都要 2 + 2 + 12 字节。
    """
    found = student.training_states(100, 100, "mixed", "adam")
    assert_close(found, {"weights": 200, "gradients": 200, "optimizer": 1200})


@pytest.mark.points(1)
def test_formula_of_the_paper(student):
    """A GPT layer keeps T B C (34 + 5 H T / C) bytes, or 34 T B C, or 2 T B C; another word for recompute is refused.

    zh: 一个 GPT 层要留 T B C (34 + 5 H T / C)、34 T B C 或 2 T B C 字节；recompute 若是别的词，应当报错。
    """
    # Three layers of width 8 with two heads, sequences of 12 tokens, two of them: 5 * 2 * 12 / 8 = 15.
    assert_close(student.activations(PAPER, 12, 2), 3 * 12 * 2 * 8 * (34 + 15))
    assert_close(student.activations(PAPER, 12, 2, "selective"), 3 * 12 * 2 * 8 * 34)
    assert_close(student.activations(PAPER, 12, 2, "full"), 3 * 12 * 2 * 8 * 2)
    check_refusal(student.activations, (PAPER, 12, 2, "none"), (PAPER, 12, 2, "partial"), ValueError)


@pytest.mark.points(1)
def test_room_for_the_cache(student):
    """One KV head of width 100 in 25 layers takes 10,000 bytes a token; 1 GB less 0.8 GB holds 20,000 such tokens.

    zh: 25 层，每层一个宽 100 的 KV 头，每个词元占 10,000 字节；1 GB 减去 0.8 GB，能放 20,000 个词元。
    """
    config = PLAIN | {"num_layers": 25, "num_kv_heads": 1, "head_dim": 100}
    found = student.serving(config, 1, "GB", 700_000_000, 100_000_000, 1000)
    assert_close(found, {"kv_per_token": 10_000, "batch": 20})
    found = student.serving(config, 1, "GiB", 700_000_000, 100_000_000, 1000)
    assert_close(found, {"kv_per_token": 10_000, "batch": 27})  # 1,073,741,824 bytes
