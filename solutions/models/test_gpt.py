"""Hidden tests of models/gpt."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import (
    assert_close,
    check_any,
    compare_gradients,
    load_by_name,
    next_token_model,
    tiny_gpt_config,
)

# Sizes of which no two are equal; then one head; then heads of one channel.
SIZES = [
    {},
    {"num_heads": 1, "num_layers": 1, "d_model": 6},
    {"num_heads": 5, "d_model": 5, "num_layers": 2},
]


def block_shapes(C, prefix=""):
    """Name -> shape of one block's parameters."""
    shapes = {"norm_1": (C,), "qkv_proj": (3 * C, C), "out_proj": (C, C)}
    shapes |= {"norm_2": (C,), "up_proj": (4 * C, C), "down_proj": (C, 4 * C)}
    both = {f"{prefix}{name}.weight": shape for name, shape in shapes.items()}
    return both | {f"{prefix}{name}.bias": shape[:1] for name, shape in shapes.items()}


def gpt_shapes(vocab_size, block_size, num_layers, d_model, **_):
    """Name -> shape of a model's parameters, each once."""
    shapes = {
        "token_embedding.weight": (vocab_size, d_model),
        "position_embedding.weight": (block_size, d_model),
    }
    for i in range(num_layers):
        shapes |= block_shapes(d_model, f"blocks.{i}.")
    return shapes | {"final_norm.weight": (d_model,), "final_norm.bias": (d_model,)}


def blocks(student, reference, changes, silent=()):
    """The student's block and the reference's, with the same weights; those of `silent` are zero. In float64."""
    sizes = tiny_gpt_config(**changes)
    pair = [student.Block(student.GPTConfig(**sizes)).double()]
    pair.append(reference.Block(reference.GPTConfig(**sizes)).double())
    for block in pair:
        weights = load_by_name(block, block_shapes(sizes["d_model"]), dtype=torch.float64)
        weights |= {
            name: torch.zeros_like(weights[name]) for name in weights if name.startswith(tuple(silent))
        }
        block.load_state_dict(weights)
    return pair


def fill(model, sizes, dtype=torch.float32):
    """Give a model weights by name; a tied head may have a second name for the same tensor."""
    lenient = SimpleNamespace(load_state_dict=lambda weights: model.load_state_dict(weights, strict=False))
    return load_by_name(lenient, gpt_shapes(**sizes), dtype=dtype)


def models(student, reference, dtype=torch.float32, **changes):
    """The student's model and the reference's, with the same weights; and those weights."""
    sizes = tiny_gpt_config(**changes)
    pair = [side.GPT(side.GPTConfig(**sizes)).to(dtype) for side in (student, reference)]
    weights = [fill(model, sizes, dtype) for model in pair]
    return *pair, weights[0]


def assert_new(model, sizes):
    """The logits of a new model: small, and not all the same."""
    logits = model(torch.tensor([[3, 1, 4]])).detach()
    assert logits.shape == (1, 3, sizes["vocab_size"])
    assert logits.std() > 1e-4 and logits.abs().max() < 1.5


def inputs(d_model, B=2, T=5):
    """[B, T, C] in float64, with positions of very different sizes: eps shows where they are small."""
    x = torch.randn(B, T, d_model, dtype=torch.float64)
    return x * torch.tensor([1.0, 1e-3, 3.0, 0.1, 1e-2], dtype=torch.float64)[:T, None]


@pytest.mark.points(2)
def test_num_params(student, reference):
    """The count holds for any sizes: each layer, each position, each token adds what the table says.

    zh: 任何尺寸都数得对：每多一层、一个位置、一个词元，增加的正是表里写的那些。
    """
    for changes in (
        {},
        {"vocab_size": 101},
        {"block_size": 64},
        {"num_layers": 7},
        {"d_model": 10},
        {"num_heads": 4},
    ):
        sizes = tiny_gpt_config(**changes)
        expected = sum(math.prod(shape) for shape in gpt_shapes(**sizes).values())
        assert_close(student.num_params(student.GPTConfig(**sizes)), expected)
    xl = {"num_layers": 48, "num_heads": 25, "d_model": 1600}
    assert_close(student.num_params(student.GPTConfig(**xl)), 1_557_611_200)


@pytest.mark.points(2)
@pytest.mark.parametrize("changes", SIZES)
def test_attention_part(student, reference, gradients, changes):
    """With a silent feed-forward network, a block adds causal attention over its normalised input.

    zh: 前馈网络不出声时，一层给输入加上的是：对归一化后的输入做的因果注意力。
    """
    own, expected = blocks(student, reference, changes, silent=("down_proj",))
    x = inputs(tiny_gpt_config(**changes)["d_model"])
    names = [f"{part}.{kind}" for part in ("norm_1", "qkv_proj", "out_proj") for kind in ("weight", "bias")]
    compare_gradients(gradients, own, expected, x, upstream=torch.randn_like(x), parameters=names)
    assert_close(own(x[:1, :1]).detach(), expected(x[:1, :1]).detach())


@pytest.mark.points(2)
@pytest.mark.parametrize("changes", SIZES)
def test_feed_forward_part(student, reference, gradients, changes):
    """After attention, a block adds the feed-forward network of the normalised sum, with GELU in its tanh form.

    zh: 加上注意力的结果之后，一层再加上：对这个和归一化、再做前馈网络；GELU 用 tanh 形式。
    """
    own, expected = blocks(student, reference, changes, silent=("out_proj",))
    x = inputs(tiny_gpt_config(**changes)["d_model"])
    names = [f"{part}.{kind}" for part in ("norm_2", "up_proj", "down_proj") for kind in ("weight", "bias")]
    compare_gradients(gradients, own, expected, x, upstream=torch.randn_like(x), parameters=names)
    # Whatever attention adds: from its sum on, the reference goes the rest of the way.
    attention_alone, _ = blocks(student, reference, changes, silent=("down_proj",))
    whole, _ = blocks(student, reference, changes)
    assert_close(whole(x).detach(), expected(attention_alone(x).detach()).detach())


@pytest.mark.points(1)
def test_parameters(student):
    """The model's parameters are those of the table and no others: a tied head adds none.

    zh: 模型的参数正好是表里那些，没有别的：共享的输出头不添参数。
    """
    for changes in SIZES:
        sizes = tiny_gpt_config(**changes)
        model = student.GPT(student.GPTConfig(**sizes))
        assert_new(model, sizes)
        shapes = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
        assert_close(shapes, {name: tuple(shape) for name, shape in gpt_shapes(**sizes).items()})


@pytest.mark.points(2)
@pytest.mark.parametrize("changes", [{}, {"num_layers": 1, "d_model": 6}])
def test_logits(student, reference, changes):
    """With loaded weights: both embeddings, every block in order, the final norm, the token table as the head.

    zh: 加载权重之后：两种嵌入相加，依次经过每一层，最后归一化，再以词元嵌入表作输出头。
    """
    model, expected, weights = models(student, reference, torch.float64, **changes)
    ids = torch.tensor([[3, 12, 3, 0, 7, 7, 1], [5, 5, 9, 2, 0, 4, 11]])

    def from_own_blocks(some):
        x = weights["token_embedding.weight"][some] + weights["position_embedding.weight"][: some.shape[1]]
        for i in range(tiny_gpt_config(**changes)["num_layers"]):
            x = model.blocks[i](x).detach()
        norm = weights["final_norm.weight"], weights["final_norm.bias"]
        return F.linear(F.layer_norm(x, x.shape[-1:], *norm, 1e-5), weights["token_embedding.weight"])

    for some in (ids, ids[:, 2:5], ids[:1, :1]):
        logits = model(some).detach()
        check_any(
            lambda right, logits=logits: assert_close(logits, right),
            lambda some=some: expected(some).detach(),
            lambda some=some: from_own_blocks(some),
        )


@pytest.mark.points(1)
def test_tied_gradient(student, reference, gradients):
    """The token table's gradient has both parts: from its use as embedding and from its use as head.

    zh: 词元嵌入表的梯度有两部分：一部分来自作嵌入，一部分来自作输出头。
    """
    model, _, weights = models(student, reference, torch.float64)
    ids = torch.tensor([[3, 12, 3, 0, 7], [5, 5, 9, 2, 0]])
    upstream, name = torch.randn(2, 5, 13, dtype=torch.float64), "token_embedding.weight"
    gradient = gradients(model, ids, upstream=upstream).parameters[name]
    direction = torch.randn(13, 8, dtype=torch.float64)
    # How the model's own logits change when the table moves a little way, whatever its blocks do.
    change = 0.0
    for step in (1e-5, -1e-5):
        moved = {name: weights[name] + step * direction}
        model.load_state_dict(moved, strict=False)
        change += float((upstream * model(ids).detach()).sum()) / (2 * step)
    assert abs(change) > 1.0
    assert_close(float((gradient * direction).sum()), change, rtol=1e-4)


@pytest.mark.points(2)
@pytest.mark.parametrize("which", ["residual", "others", "constants"])
@pytest.mark.parametrize("layers", [3, 1])
def test_initial_weights(student, which, layers):
    """Two projections of each block start at 0.02 / sqrt(2 L), other weights at 0.02, biases at 0, norms at 1.

    zh: 每层有两个投影的初始标准差是 0.02 / sqrt(2 L)，其余权重是 0.02，偏置为 0，norm 的权重为 1。
    """
    sizes = {"vocab_size": 97, "block_size": 89, "num_layers": layers, "num_heads": 2, "d_model": 48}
    model = student.GPT(student.GPTConfig(**sizes))
    assert_new(model, sizes)
    weights = model.state_dict()
    for name in gpt_shapes(**sizes):
        weight, residual = weights[name], "out_proj" in name or "down_proj" in name
        kind = "constants" if weight.dim() == 1 else "residual" if residual else "others"
        if kind != which:
            continue
        if kind == "constants":
            assert_close(weight, torch.full_like(weight, float(name.endswith("weight"))))
        else:
            scaled = weight / (0.02 / math.sqrt(2 * layers) if residual else 0.02)
            # Six standard errors of 2,304 or more draws, and tails that a uniform distribution lacks.
            assert_close(float(scaled.std()), 1.0, atol=0.09)
            assert_close(float(scaled.mean()), 0.0, atol=0.13)
            assert scaled.abs().max() > 2.5, f"{name} is not normally distributed"


@pytest.mark.points(2)
def test_loss(student, reference, gradients):
    """The loss averages over all labels that count, each predicted by the logits one place before.

    zh: 损失对所有算数的标签取平均，每个标签由前一个位置的 logits 预测。
    """
    model, _, _ = models(student, reference)
    ids = torch.tensor([[3, 12, 3, 0, 7], [5, 5, 9, 2, 0], [1, 8, 8, 6, 4]])
    log_probs = model(ids).detach().log_softmax(-1)
    labels = torch.tensor([[2, -100, 3, 0, 7], [5, 1, 2, -100, -100], [-100, -100, -100, -100, 4]])
    assert len(set((labels[:, 1:] >= 0).sum(1).tolist())) == 3
    for given in (None, labels):
        found = gradients(model.loss, ids, given) if given is not None else gradients(model.loss, ids)
        used = ids if given is None else given
        counted = [(b, t) for b in range(3) for t in range(1, 5) if used[b, t] >= 0]
        expected = torch.stack([-log_probs[b, t - 1, used[b, t]] for b, t in counted]).mean()
        assert_close(found.output, expected)


def language_model(student, build, block_size, forward):
    """A module whose logits a function of this test gives, on the student's side."""
    model = build("torch.nn.Module")
    model.config = student.GPTConfig(vocab_size=11, block_size=block_size)
    model.forward = forward
    return model


def always_seven(ids):
    """Logits of a model that knows one token alone."""
    return torch.eye(11)[7].expand(*ids.shape, 11).clone()


@pytest.mark.points(2)
@pytest.mark.parametrize("length, new, block_size", [(3, 4, 20), (1, 6, 3), (7, 3, 4), (4, 3, 1), (5, 0, 8)])
def test_generate(student, build, length, new, block_size):
    """Each step appends the most probable token after the last of those tokens that the model can read.

    zh: 每一步接上的，是模型能读到的最后那些词元之后最可能的词元。
    """
    scorer = next_token_model(vocab=11, seed=length)
    model = language_model(student, build, block_size, scorer)
    ids = torch.randint(11, (3, length))
    rows = ids.tolist()
    for row in rows:
        for _ in range(new):
            row.append(int(scorer.after(row[-block_size:]).argmax()))
    assert_close(student.generate(model, ids, new), torch.tensor(rows))


@pytest.mark.points(1)
@pytest.mark.parametrize("training", [True, False])
def test_generate_mode(student, build, training):
    """The model writes in eval mode, and is afterwards in the mode that it was in; so is each module inside it.

    zh: 模型在 eval 模式下生成，之后回到原来的模式；它里面的各个模块也是如此。
    """
    modes = []

    def forward(ids):
        modes.extend((model.training, inside.training))
        return always_seven(ids)

    model, inside = language_model(student, build, 5, forward), build("torch.nn.Dropout")
    model.add_module("dropout", inside)
    model.train(training)
    assert_close(student.generate(model, torch.tensor([[1, 2]]), 2), torch.tensor([[1, 2, 7, 7]]))
    assert modes and not any(modes), "the model was asked in training mode"
    assert model.training is training, "the mode has changed"
    assert inside.training is training, "the mode of a module inside has changed"


@pytest.mark.points(1)
def test_generate_without_gradients(student, build):
    """No graph is kept while the model writes.

    zh: 生成时不保留计算图。
    """
    recording = []

    def forward(ids):
        recording.append(bool(float(build("torch.is_grad_enabled"))))
        return always_seven(ids)

    model = language_model(student, build, 5, forward)
    assert_close(student.generate(model, torch.tensor([[1, 2]]), 2), torch.tensor([[1, 2, 7, 7]]))
    assert recording and not any(recording), "autograd records every step"
