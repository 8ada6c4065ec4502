"""Hidden tests of inference/memory."""

from itertools import product

import pytest

from autograder.testing import assert_close, check_refusal

NAMES = [
    "vocab_size",
    "max_positions",
    "num_layers",
    "d_model",
    "d_ff",
    "num_heads",
    "num_kv_heads",
    "head_dim",
]
FLAGS = ["gated", "qkv_bias", "linear_bias", "norm_bias", "tied", "dropout"]


def model(*sizes, flags=""):
    """A config from its sizes, in the order of NAMES, and the flags that are on."""
    on = flags.split()
    assert set(on) <= set(FLAGS)
    return dict(zip(NAMES, sizes, strict=True)) | {flag: flag in on for flag in FLAGS}


GPT = "qkv_bias linear_bias norm_bias tied"
PUBLISHED = {
    "GPT-2": (model(50257, 1024, 12, 768, 3072, 12, 12, 64, flags=GPT), 124_439_808),
    "Gemma 7B": (model(256000, 0, 28, 3072, 24576, 16, 16, 256, flags="gated tied"), 8_537_680_896),
    "Llama 3.1 8B": (model(128256, 0, 32, 4096, 14336, 32, 8, 128, flags="gated"), 8_030_261_248),
    "Qwen2.5 7B": (model(152064, 0, 28, 3584, 18944, 28, 4, 128, flags="gated qkv_bias"), 7_615_616_512),
}

# Sizes of which no two agree: heads in groups of three that are together wider than the model; heads narrower than
# the model, one KV head; one of everything, where a query head is no KV head's neighbour.
SIZES = [(101, 17, 3, 14, 29, 6, 2, 5), (53, 0, 7, 19, 23, 5, 1, 2), (31, 11, 1, 4, 3, 1, 1, 9)]
for _sizes in SIZES:
    assert _sizes[5] * _sizes[7] != _sizes[3], "the heads are as wide as the model"


def variants(*flags):
    """All sizes, with each combination of these flags, the plainest last."""
    for sizes, values in product(SIZES, product([True, False], repeat=len(flags))):
        yield model(*sizes) | dict(zip(flags, values, strict=True))


@pytest.mark.points(1)
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(student, name):
    """The parts of published models add up to the number of parameters that they have.

    zh: 已公开的模型，各部分加起来正好等于它的参数量。
    """
    config, total = PUBLISHED[name]
    assert_close(sum(student.parameters(config).values()), total)


@pytest.mark.points(1)
def test_projection_sizes(student, reference):
    """Keys and values are as wide as the KV heads, queries and the output projection's input as all heads.

    zh: 键和值的宽度由 KV 头决定，查询和输出投影的输入则由全部的头决定。
    """
    for config in variants("qkv_bias", "linear_bias"):
        assert_close(student.parameters(config)["attention"], reference.parameters(config)["attention"])


@pytest.mark.points(1)
def test_matrices_of_the_feed_forward_network(student, reference):
    """A feed-forward network has two matrices, with a gate three, each with a bias of its own if there are any.

    zh: 前馈网络有两个矩阵，有门控时是三个；带偏置时，每个矩阵都有自己的偏置。
    """
    for config in variants("gated", "linear_bias"):
        actual = student.parameters(config)["feed_forward"]
        assert_close(actual, reference.parameters(config)["feed_forward"])


@pytest.mark.points(1)
def test_tables_norms_and_head(student, reference):
    """Two tables, two norms in each layer and one after the last, and a head that counts only if it isn't tied.

    zh: 两张表；每层两个归一化，最后还有一个；输出头不与嵌入共享时才另算。
    """
    for config in variants("tied", "norm_bias"):
        actual, expected = student.parameters(config), reference.parameters(config)
        for part in ("head", "embedding", "norm"):
            assert_close(actual[part], expected[part])


PRECISIONS = ["mixed", "bfloat16", "float32"]
OPTIMIZERS = ["momentum", "adam", "adam8bit", "sgd"]  # with momentum the mistakes give different numbers


@pytest.mark.points(1)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_rows_of_both_tables(student, reference, precision):
    """Each precision with each optimiser: bytes of weights, gradients and optimiser state, all parameters trained.

    zh: 每种精度配每种优化器，全部参数都训练：权重、梯度、优化器状态的字节数。
    """
    for optimizer in OPTIMIZERS:
        arguments = (7_919, 7_919, precision, optimizer)
        assert_close(student.training_states(*arguments), reference.training_states(*arguments))


@pytest.mark.points(1)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_only_an_adapter_is_trained(student, precision):
    """A parameter that isn't trained adds its weight, and neither gradient nor optimiser state.

    zh: 不训练的参数只增加权重，既没有梯度，也没有优化器状态。
    """
    for optimizer in OPTIMIZERS:
        alone = student.training_states(31, 31, precision, optimizer)
        beside = student.training_states(31 + 5_003, 31, precision, optimizer)
        size = 4 if precision == "float32" else 2
        assert_close(alone["gradients"], size * 31)
        assert_close(beside, alone | {"weights": alone["weights"] + size * 5_003})


@pytest.mark.points(1)
@pytest.mark.parametrize("tokens", [13, 39])
def test_bytes_of_a_layer(student, reference, tokens):
    """What a layer keeps, without the attention core: each line of the table at its width, masks at one byte.

    zh: 一层留下的激活值，不算注意力核心：表中每一行的宽度都对，掩码每个数 1 字节。
    """
    for config in variants("dropout", "gated"):
        arguments = (config, tokens, 3, "selective")
        assert_close(student.activations(*arguments), reference.activations(*arguments))


@pytest.mark.points(1)
@pytest.mark.parametrize("tokens", [13, 39])
def test_square_of_the_attention_core(student, tokens):
    """The core keeps 2 bytes for each head and pair of tokens, with dropout 5: three times the text, nine times as much.

    zh: 注意力核心对每个头、每对词元留 2 字节，有 dropout 时留 5 字节：文本长到三倍，它就是九倍。
    """
    for config in variants("dropout", "gated"):
        whole = student.activations(config, tokens, 3)
        without = student.activations(config, tokens, 3, "selective")
        pairs = config["num_layers"] * config["num_heads"] * 3 * tokens * tokens
        assert_close(whole - without, pairs * (5 if config["dropout"] else 2))


@pytest.mark.points(1)
def test_only_inputs_of_layers(student):
    """Full recomputation keeps the input of every layer; an unknown word is refused.

    zh: 完全重计算留下每一层的输入；不认识的词应当报错。
    """
    for config in variants("dropout", "gated"):
        inputs = config["num_layers"] * 3 * 13 * config["d_model"]
        assert_close(student.activations(config, 13, 3, "full"), 2 * inputs)
    for word in ("Full", ""):
        check_refusal(student.activations, (config, 5, 1, "selective"), (config, 5, 1, word), ValueError)


@pytest.mark.points(1)
def test_cache_of_one_token(student):
    """The cache holds a key and a value of every KV head in every layer, whatever the query heads are.

    zh: 缓存里是每层、每个 KV 头的一份键和一份值，与查询头有几个无关。
    """
    for sizes, item_bytes in product(SIZES, (2, 1, 4)):
        _, _, layers, _, _, _, kv_heads, head_dim = sizes
        found = student.serving(model(*sizes), 1, "GB", 10**6, 10**5, 10, item_bytes)
        assert_close(found["kv_per_token"], 2 * layers * kv_heads * head_dim * item_bytes)


@pytest.mark.points(1)
@pytest.mark.parametrize("unit", ["GiB", "GB"])
def test_largest_batch(student, unit):
    """Only whole sequences that fit count, after weights and reserve; GB and GiB differ; what doesn't fit gives 0.

    zh: 减去权重和预留之后，只数放得下的完整序列；GB 与 GiB 要分清；放不下就是 0。
    """
    config = model(101, 17, 3, 14, 29, 6, 2, 5)
    size = 2**30 if unit == "GiB" else 10**9
    for item_bytes, tokens in [(2, 10_007), (1, 40_009), (4, 997)]:
        # From the student's own size of the cache, if it is one.
        one = student.serving(config, 7, unit, size, 0, tokens, item_bytes)["kv_per_token"] * tokens
        assert 0 < one < size, "the cache of one sequence has no plausible size"
        for sequences, missing in [(6, 0), (6, 1), (1, 1), (0, 1), (-3, 0)]:
            # Weights and reserve leave exactly this many sequences, less the missing byte.
            weights = 5 * size - sequences * one + missing
            found = student.serving(config, 7, unit, weights, 2 * size, tokens, item_bytes)
            assert_close(found["batch"], max(0, sequences - missing))
