"""Hidden tests of blocks/residual_placement."""

import pytest
import torch
from torch import Tensor

from autograder.testing import PROMISES, assert_close, check_promise

# B, T, C, branches: also one position, one sequence, an odd number of branches.
SIZES = [(2, 3, 5, 3), (1, 4, 7, 2), (3, 1, 6, 1)]


def drawn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def stream(B, T, C, dtype=torch.float32) -> Tensor:
    """[B, T, C], far from normalised: mean about 1, standard deviation about 3."""
    x = 1 + 3 * drawn(0, B, T, C)
    assert x.std() > 2
    return x.to(dtype)


def branch(build, seed, C, dtype=torch.float32):
    """A linear map with a bias, so that f(2 x) isn't 2 f(x)."""
    made = build("torch.nn.Linear", C, C, dtype=dtype)
    made.load_state_dict({"weight": drawn(seed, C, C), "bias": drawn(seed + 50, C)})
    return made


def norm(build, seed, C, dtype=torch.float32):
    """A LayerNorm unlike any other, and unlike one that has just been made."""
    made = build("torch.nn.LayerNorm", C, dtype=dtype)
    made.load_state_dict({"weight": 1.5 + drawn(seed, C).tanh(), "bias": drawn(seed + 50, C)})
    return made


def parts(build, n, C, norms):
    """n branches; and norms by kind: True for a LayerNorm, False for one that does nothing."""
    kinds = enumerate(norms)
    nothing = lambda: build("torch.nn.Identity")  # noqa: E731
    return (
        [branch(build, 10 + index, C) for index in range(n)],
        [norm(build, 30 + index, C) if real else nothing() for index, real in kinds],
    )


def compare(student, reference, build, size, norms, placement, **options):
    B, T, C, n = size
    branches, made = parts(build, n, C, norms)
    assert_close(
        student.residual_stack(stream(B, T, C), branches, made, placement, **options),
        reference.residual_stack(stream(B, T, C), branches, made, placement, **options).detach(),
    )


@pytest.mark.points(2)
@pytest.mark.parametrize("size", SIZES)
def test_norm_after_the_sum(student, reference, build, size):
    """The norm takes the sum: x + f(x) in post-norm, alpha x + f(x) in DeepNorm.

    zh: 归一化作用于和：Post-Norm 是 x + f(x)，DeepNorm 是 alpha x + f(x)。
    """
    norms = [True] * size[-1]
    compare(student, reference, build, size, norms, "deepnorm", alpha=2.5)
    compare(student, reference, build, size, norms, "post", alpha=2.5)


@pytest.mark.points(2)
@pytest.mark.parametrize("size", SIZES)
def test_pre_norm(student, reference, build, size):
    """Pre-norm is x + f(norm(x)): the branch reads the normalised stream, the skip carries x itself.

    zh: Pre-Norm 是 x + f(norm(x))：分支读归一化后的残差流，跳连传的是 x 本身。
    """
    compare(student, reference, build, size, [True] * size[-1] + [False], "pre", alpha=2.5)


@pytest.mark.points(2)
@pytest.mark.parametrize("size", SIZES)
def test_sandwich(student, reference, build, size):
    """Sandwich is x + norm2(f(norm1(x))): both norms are on the branch, in order of use.

    zh: Sandwich-Norm 是 x + norm2(f(norm1(x)))：两个归一化都在分支上，按使用的先后排列。
    """
    compare(student, reference, build, size, [True] * 2 * size[-1] + [False], "sandwich", alpha=2.5)


@pytest.mark.points(2)
@pytest.mark.parametrize("placement", ["pre", "sandwich"])
def test_final_norm(student, reference, build, placement):
    """Where the stream itself is never normalised, one norm follows the last branch.

    zh: 残差流本身从未归一化时，最后一个分支之后还有一个归一化。
    """
    # Only the last norm does anything.
    for size in SIZES:
        count = size[-1] * (1 if placement == "pre" else 2)
        compare(student, reference, build, size, [False] * count + [True], placement)
    compare(student, reference, build, (2, 3, 5, 0), [True], placement)


@pytest.mark.points(2)
@pytest.mark.parametrize("placement", ["post", "pre", "deepnorm", "sandwich"])
def test_dropout(student, reference, build, placement):
    """Dropout acts on what the branch gives, first of all; what survives is divided by 1 - drop_prob.

    zh: dropout 最先作用于分支的输出，留下的元素除以 1 - drop_prob。
    """
    B, T, C, n = SIZES[0]
    # The norms before the branches, behind the sum and at the end do nothing: where they stand is other tests' question.
    norms = {"post": [False] * n, "deepnorm": [False] * n, "pre": [False] * (n + 1)}
    norms["sandwich"] = [False, True] * n + [False]
    keep = [drawn(70 + index, B, T, C) > -0.5 for index in range(n)]
    assert all(0 < (~mask).sum() < mask.numel() / 2 for mask in keep)
    assert not torch.equal(keep[0], keep[1])
    compare(student, reference, build, SIZES[0], norms[placement], placement, keep=keep, drop_prob=0.3)
    compare(student, reference, build, SIZES[0], norms[placement], placement, drop_prob=0.3)


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
def test_promises(student, reference, build, unchanged, promise):
    """Right results that keep the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """
    B, T, C, _ = SIZES[0]

    def arguments(dtype):
        keep = [drawn(70, B, T, C) > -0.5]
        return stream(B, T, C, dtype), [branch(build, 10, C, dtype)], [norm(build, 30, C, dtype)], keep

    def stack(x, branches, norms, keep):
        return student.residual_stack(x, branches, norms, "deepnorm", 2.5, keep, 0.3)

    x, branches, norms, keep = arguments(torch.float32)
    expected = reference.residual_stack(x, branches, norms, "deepnorm", 2.5, keep, 0.3)
    assert_close(stack(x, branches, norms, keep), expected.detach())
    if promise == "arguments_unchanged":
        # In pre-norm the stream is what is added to.
        assert unchanged(student.residual_stack, x, branches, [*norms, build("torch.nn.Identity")], "pre")
    else:
        check_promise(promise, stack, arguments, unchanged)


@pytest.mark.points(2.5)
@pytest.mark.parametrize("layers", [1, 3, 12, 100])
def test_deepnorm_constants(student, reference, layers):
    """Alpha is (2M)^(1/4) for M layers; beta, (8M)^(-1/4), scales feed-forward, values and output, not queries and keys.

    zh: M 层时 alpha 是 (2M)^(1/4)；beta 即 (8M)^(-1/4) 用于前馈、值投影和输出投影，不用于查询和键。
    """
    assert_close(student.deepnorm_constants(layers), reference.deepnorm_constants(layers))


@pytest.mark.points(2)
def test_residual_std(student, reference):
    """Variances of independent terms add up, the stream's own 1 included; a norm behind each sum makes it 1 again.

    zh: 相互独立的项方差相加，残差流最初的 1 也算在内；每次求和之后归一化，方差就回到 1。
    """
    for branches in (24, 7, 1, 0):
        for placement in ("pre", "sandwich", "post", "deepnorm"):
            expected = reference.residual_std(placement, branches)
            assert_close(student.residual_std(placement, branches), expected)
    with pytest.raises(ValueError):
        student.residual_std("before", 3)
