"""Hidden tests of positions/rope."""

import pytest
import torch

from autograder.testing import PROMISES, assert_close, check_promise, own_or_given, own_or_reference

LAYOUTS = ("half", "interleaved")


def draw(*shape, seed=0):
    """The same numbers at every call."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def irregular(*shape, low=0, high=300):
    """Positions with gaps that don't start at 0; no two neighbours and no two rows in a row are alike."""
    while True:
        positions = torch.randint(low, high, shape)
        rows_differ = len(shape) == 1 or (positions[1:] != positions[:-1]).any(dim=-1).all()
        if rows_differ and (positions.diff(dim=-1) != 1).all() and (positions[..., 0] != 0).all():
            return positions


@pytest.mark.points(2)
def test_frequencies(student, reference):
    """Pair i turns by theta^(-2i / D) where all D columns turn: one angle for each pair, in float32.

    zh: D 列全部旋转时，第 i 对的转速是 theta^(-2i / D)：每对一个角度，dtype 为 float32。
    """
    for head_dim, theta in [(10, 500.0), (64, 10000.0), (128, 500000.0), (6, 7.0), (2, 10000.0)]:
        frequencies = student.rope_frequencies(head_dim, theta=theta)
        expected = torch.tensor([theta ** (-2 * i / head_dim) for i in range(head_dim // 2)])
        # Relative to each frequency: the last ones are small, and count as much.
        assert_close(frequencies, expected)
        assert_close(frequencies / expected, torch.ones_like(expected))


@pytest.mark.points(2)
def test_frequencies_of_some_columns(student, reference):
    """Where only R of the D columns turn, there are R / 2 pairs and the exponent is -2i / R.

    zh: D 列中只有 R 列旋转时，共有 R / 2 对，指数是 -2i / R。
    """
    for head_dim, rotary_dim, theta in [(20, 8, 10000.0), (7, 6, 300.0), (96, 24, 10000.0), (9, 2, 50.0)]:
        frequencies = student.rope_frequencies(head_dim, rotary_dim, theta)
        assert_close(frequencies, reference.rope_frequencies(head_dim, rotary_dim, theta))


@pytest.mark.points(4)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_turn(student, reference, layout):
    """Every pair of the layout is turned counterclockwise by its own frequency times the given position.

    zh: 布局规定的每一对，都按自己的频率乘以给定的位置，逆时针旋转。
    """
    # From 0 on; before 0; one alone; and so far that only a frequency of 1 gives angles that float32 holds exactly.
    for B, H, T, D, low in [(2, 3, 5, 10, 0), (1, 2, 7, 16, -300), (3, 1, 1, 6, 0), (1, 1, 4, 2, 100_000)]:
        x, positions = torch.randn(B, H, T, D), irregular(T, low=low, high=low + 300)
        frequencies = reference.rope_frequencies(D, theta=500.0)
        turned = student.apply_rope(x, positions, frequencies, layout)
        expected = reference.apply_rope(x, positions, frequencies, layout)
        assert (expected - x).abs().max() > 0.1
        assert_close(turned, expected)


@pytest.mark.points(2)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rest_passes(student, reference, layout):
    """Only the first R columns turn, in pairs among themselves; the others come out as they went in.

    zh: 只有前 R 列旋转，而且只在它们之间配对；其余各列原样输出。
    """
    for D, R in [(11, 6), (8, 2), (20, 14)]:
        x, positions = torch.randn(2, 3, 5, D), irregular(5)
        frequencies = reference.rope_frequencies(D, R, theta=100.0)
        turned = student.apply_rope(x, positions, frequencies, layout)
        assert_close(turned, reference.apply_rope(x, positions, frequencies, layout))
        assert torch.equal(turned[..., R:], x[..., R:])


@pytest.mark.points(2)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_have_their_own_positions(student, reference, layout):
    """With positions [B, T] each row of the batch turns by its own positions, the same in all heads.

    zh: 位置为 [B, T] 时，批次里每一行按自己的位置旋转，同一行的各个头转得一样。
    """
    # As many rows as heads, so that taking one for the other fits; then one new token for each row of a KV cache.
    for B, H, T in [(3, 3, 5), (5, 2, 1), (2, 4, 3)]:
        x, positions = torch.randn(B, H, T, 6), irregular(B, T)
        frequencies = reference.rope_frequencies(6)
        turned = student.apply_rope(x, positions, frequencies, layout)
        assert_close(turned, reference.apply_rope(x, positions, frequencies, layout))


@pytest.mark.points(1)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bfloat16(student, reference, layout):
    """In bfloat16, too, positions far beyond 256 turn by their own exact angles.

    zh: 在 bfloat16 下，远大于 256 的位置也按各自准确的角度旋转。
    """
    positions = torch.tensor([257, 999, 1003, 2049, 3001])
    assert (positions.bfloat16().long() != positions).all()
    frequencies = reference.rope_frequencies(8, theta=50.0)
    x = torch.randn(2, 3, 5, 8).bfloat16()
    expected = reference.apply_rope(x.float(), positions, frequencies, layout).bfloat16()
    assert_close(student.apply_rope(x, positions, frequencies, layout), expected)


@pytest.mark.points(1)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradient(student, reference, gradients, layout):
    """The gradient of x is what arrives, turned back by the same angles.

    zh: x 的梯度就是传回来的梯度按同样的角度转回去。
    """
    x, upstream, positions = torch.randn(2, 3, 5, 8), torch.randn(2, 3, 5, 8), irregular(5)
    frequencies = reference.rope_frequencies(8)
    actual = gradients(student.apply_rope, x, positions, frequencies, layout, upstream=upstream)
    expected = reference.apply_rope(upstream, -positions, frequencies, layout)
    assert (expected - upstream).abs().max() > 0.1
    assert_close(actual.arguments[0], expected)


@pytest.mark.points(2)
@pytest.mark.parametrize("to", LAYOUTS)
def test_conversion(student, reference, to):
    """Row by row: pairs move to their places in the other layout, within each head, and the rows from R on stay.

    zh: 逐行检查：在每个头内部，各对移到另一种布局中的位置；第 R 行起不动。
    """
    for H, D, R, C in [(3, 11, 8, 5), (1, 10, 10, 2), (4, 6, 2, 24), (2, 6, 6, 12)]:
        weight = torch.randn(H * D, C)
        assert_close(student.convert_layout(weight, H, R, to), reference.convert_layout(weight, H, R, to))
        bias = weight[:, 0].clone()
        assert_close(student.convert_layout(bias, H, R, to), reference.convert_layout(bias, H, R, to))


@pytest.mark.points(1)
@pytest.mark.parametrize("to", LAYOUTS)
def test_conversion_keeps_scores(student, reference, to):
    """Converted query and key projections give the scores of the old ones, each in its own layout.

    zh: 转换之后的查询和键投影，在新布局里给出的分数与旧投影在旧布局里的分数相同。
    """
    other = LAYOUTS[to == "half"]
    B, T, C, H, D, R = 2, 5, 7, 3, 11, 8
    x, positions = torch.randn(B, T, C), irregular(B, T)
    frequencies = reference.rope_frequencies(D, R, theta=100.0)
    projections = [torch.randn(H * D, C) / C**0.5 for _ in "qk"]

    def scores(weights, layout):
        q, k = (
            reference.apply_rope(
                (x @ weight.T).reshape(B, T, H, D).transpose(1, 2), positions, frequencies, layout
            )
            for weight in weights
        )
        return q @ k.mT

    expected = scores(projections, other)
    assert (scores(projections, to) - expected).abs().max() > 1, "without conversion they differ"
    converted = [student.convert_layout(weight, H, R, to) for weight in projections]
    assert_close(scores(converted, to), expected)


def promised(question, reference, dtype):
    """Arguments of a function, the same at every call."""
    frequencies = reference.rope_frequencies(6)
    return {
        "apply_rope": (
            draw(2, 3, 5, 6).to(dtype),
            torch.tensor([5, 9, 4, 7, 30]),
            frequencies,
            "interleaved",
        ),
        "convert_layout": (draw(14, 5).to(dtype), 2, 6, "half"),
        "relative_scores": (
            draw(2, 3, 7).to(dtype),
            draw(2, 3, 7, seed=1).to(dtype),
            torch.tensor([5, -9, 4, 30]),
            frequencies,
            "interleaved",
        ),
    }[question]


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("question", ["apply_rope", "convert_layout", "relative_scores"])
def test_promises(student, reference, unchanged, promise, question):
    """Right results that keep the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """

    def check():
        target, arguments = getattr(student, question), promised(question, reference, torch.float32)
        assert_close(target(*arguments), getattr(reference, question)(*arguments))
        check_promise(promise, target, lambda dtype: promised(question, reference, dtype), unchanged)

    if question == "relative_scores":
        own_or_given(check, student, apply_rope=reference.apply_rope)
    else:
        check()


@pytest.mark.points(3)
@pytest.mark.parametrize("layout", LAYOUTS)
@own_or_reference("apply_rope")
def test_relative_scores(student, reference, layout):
    """The score at distance d is that of a query d positions after the key, wherever the two stand.

    zh: 距离为 d 的分数，就是查询在键之后 d 个位置时的分数，与两者站在哪里无关。
    """
    for B, H, D, R, N in [(2, 3, 11, 8, 7), (1, 5, 6, 6, 1), (4, 1, 7, 2, 3)]:
        q, k = torch.randn(B, H, D), torch.randn(B, H, D)
        distances = irregular(N, low=-40, high=40)
        frequencies = reference.rope_frequencies(D, R, theta=20.0)
        actual = student.relative_scores(q, k, distances, frequencies, layout)
        at = 57  # of the key
        turned_k = reference.apply_rope(k.unsqueeze(2), torch.tensor([at]), frequencies, layout)
        turned_q = reference.apply_rope(
            q.unsqueeze(2).repeat(1, 1, N, 1), at + distances, frequencies, layout
        )
        assert_close(actual, (turned_q * turned_k).sum(-1))
