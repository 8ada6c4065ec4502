"""Hidden tests of blocks/gated_ffn."""

import pytest
import torch

from autograder.testing import (
    PROMISES,
    assert_close,
    check_promise,
    compare_gradients,
    load_by_name,
)

# C and F: never equal, odd, prime, and 1.
SIZES = [(5, 7), (6, 1), (1, 3), (11, 4)]
# With ReLU: which function bends is for two other tests.
EITHER = pytest.mark.parametrize("name, kind", [("FeedForward", "relu"), ("GatedFeedForward", "reglu")])


def pair(own, right, d_model, d_hidden, *args, dtype=torch.float64):
    """The student's module and the reference's, with the same weights."""
    assert d_model != d_hidden
    shapes = {"w1.weight": (d_hidden, d_model), "w2.weight": (d_model, d_hidden)}
    if right.__name__ == "FeedForward":
        shapes |= {"w1.bias": (d_hidden,), "w2.bias": (d_model,)}
    else:
        shapes |= {"w3.weight": (d_hidden, d_model)}
    modules = own(d_model, d_hidden, *args), right(d_model, d_hidden, *args)
    for module in modules:
        module.to(dtype)
        load_by_name(module, shapes, scale=0.8, dtype=dtype)
    return modules


def draw(*shape, dtype=torch.float64):
    """Of both signs, the same at every call."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64).to(dtype)


@pytest.mark.points(2)
@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_plain(student, reference, activation):
    """The plain FFN applies the named activation function, GELU the exact one, between its two layers.

    zh: 普通 FFN 在两个层之间使用指定的激活函数，其中 GELU 用精确式。
    """
    for d_model, d_hidden in SIZES:
        module, expected = pair(student.FeedForward, reference.FeedForward, d_model, d_hidden, activation)
        x = draw(2, 3, d_model)
        assert_close(module(x), expected(x).detach())
    if activation == "relu":  # where nothing is said
        module, expected = pair(student.FeedForward, reference.FeedForward, 5, 7)
        assert_close(module(draw(4, 5)), expected(draw(4, 5)).detach())


@pytest.mark.points(3)
@pytest.mark.parametrize("kind", ["swiglu", "geglu", "reglu"])
def test_gated(student, reference, kind):
    """The gated FFN multiplies the activated gate by the up projection; its name says which function opens the gate.

    zh: 门控 FFN 把激活后的 gate 与 up 逐元素相乘；名字说明用哪个函数开门。
    """
    for d_model, d_hidden in SIZES:
        module, expected = pair(student.GatedFeedForward, reference.GatedFeedForward, d_model, d_hidden, kind)
        x = draw(2, 3, d_model)
        assert_close(module(x), expected(x).detach())
    if kind == "swiglu":  # where nothing is said
        module, expected = pair(student.GatedFeedForward, reference.GatedFeedForward, 5, 7)
        assert_close(module(draw(4, 5)), expected(draw(4, 5)).detach())


@pytest.mark.points(1)
@pytest.mark.parametrize("kind", ["swiglu", "geglu", "reglu"])
def test_only_the_gate_bends(student, reference, kind):
    """The output is proportional to the up projection, and not to the gate projection.

    zh: 输出与 up 投影成正比，与 gate 投影不成正比。
    """
    module, expected = pair(student.GatedFeedForward, reference.GatedFeedForward, 5, 7, kind)
    x = draw(3, 5)
    weights = expected.state_dict()
    outputs = []
    for gate, up in [(1.0, 1.0), (1.0, -2.0), (-2.0, 1.0)]:
        scaled = weights | {"w1.weight": gate * weights["w1.weight"], "w3.weight": up * weights["w3.weight"]}
        module.load_state_dict(scaled)
        outputs.append(module(x).detach())
    assert outputs[0].abs().max() > 0.1
    assert_close(outputs[1], -2 * outputs[0])
    assert (outputs[2] + 2 * outputs[0]).abs().max() > 0.1


@pytest.mark.points(1)
@pytest.mark.parametrize("leading", [(), (4,), (2, 1, 3), (0, 3)])
@EITHER
def test_leading_axes(student, reference, name, kind, leading):
    """Any axes may stand before the features, none or empty ones included, and each position is computed for itself.

    zh: 特征轴之前可以有任意多个轴，可以没有，也可以为空；各个位置分别计算，互不影响。
    """
    module, expected = pair(getattr(student, name), getattr(reference, name), 5, 7, kind)
    x = draw(*leading, 5)
    rows = [expected(row).detach() for row in x.reshape(-1, 5)]
    assert_close(module(x), torch.stack(rows).view(x.shape) if rows else x)
    assert_close(module(draw(4, 5)), expected(draw(4, 5)).detach())


@pytest.mark.points(1)
@EITHER
def test_gradients(student, reference, gradients, name, kind):
    """Gradients reach the input and every matrix.

    zh: 梯度能传到输入和每一个矩阵。
    """
    module, expected = pair(getattr(student, name), getattr(reference, name), 5, 7, kind)
    compare_gradients(gradients, module, expected, draw(2, 3, 5), upstream=draw(3, 2, 5).transpose(0, 1))


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
@EITHER
def test_promises(student, reference, unchanged, name, kind, promise):
    """Right results that keep the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        module, expected = pair(getattr(student, name), getattr(reference, name), 5, 7, kind, dtype=dtype)
        x = draw(2, 3, 5, dtype=dtype)
        assert_close(module(x), expected(x).detach())
        check_promise(
            promise, module, lambda dtype: (draw(2, 3, 5, dtype=dtype),), unchanged, dtypes=(dtype,)
        )


@pytest.mark.points(2)
def test_hidden_size(student, reference):
    """Two thirds of 4 C, up to the next multiple: as many weights as a plain FFN of width 4 C, up to the rounding.

    zh: 4 C 的三分之二，再向上取到倍数：权重个数与宽度为 4 C 的普通 FFN 相同，只差取整的部分。
    """
    for d_model, multiple_of in [(4096, 256), (5120, 256), (100, 12), (97, 64), (1, 5), (768, 1000)]:
        size = student.gated_hidden_size(d_model, multiple_of)
        assert (8 * d_model // 3) % multiple_of != 0, "there is something to round"
        assert_close(size, reference.gated_hidden_size(d_model, multiple_of))
        # Three matrices of C times F against two of C times 4 C.
        assert 0 <= 3 * d_model * size - 8 * d_model**2 <= 3 * d_model * multiple_of
    assert_close(student.gated_hidden_size(8192), 22016)


@pytest.mark.points(1)
def test_exact_multiple(student):
    """The fraction is dropped first; a width that is a multiple then is not rounded further.

    zh: 先舍去小数部分；这时已经是倍数的宽度，不再继续往上取。
    """
    for d_model, multiple_of, expected in [(97, 43, 258), (96, 256, 256), (768, 1, 2048), (2, 1, 5)]:
        assert expected % multiple_of == 0
        assert_close(student.gated_hidden_size(d_model, multiple_of), expected)
