"""Hidden tests of blocks/normalization."""

import pytest
import torch

from autograder.testing import (
    PROMISES,
    assert_close,
    check_promise,
    compare_gradients,
    own_or_given,
    own_or_reference,
)

HALVES = [torch.float16, torch.bfloat16]


def draw(*shape, dtype=torch.float32, seed=0):
    """Numbers whose mean and spread differ from row to row and from column to column."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(*shape, generator=generator)
    x = x * (0.5 + 2 * torch.rand(*shape[:-1], 1, generator=generator))
    return (x + 2 * torch.randn(shape[-1], generator=generator) + 1).to(dtype)


def vectors(width, dtype=torch.float32):
    """A weight of both signs and a bias, neither of ones or zeros."""
    weight, bias = torch.randn(2, width, generator=torch.Generator().manual_seed(1)) * 2
    assert not torch.allclose(weight, torch.ones(width), atol=0.1)
    return weight.to(dtype), bias.to(dtype)


def far_from_zero(*shape):
    """Eighths around 4096, whose sums float32 holds exactly, and their squares not."""
    eighths = torch.randint(-4, 5, shape, generator=torch.Generator().manual_seed(2))
    return 4096 + eighths / 8


def batch_norms(student, reference, width, eps, momentum):
    """The student's module and the reference's, with the same weights and running statistics."""
    weight, bias = vectors(width)
    generator = torch.Generator().manual_seed(3)
    running_mean = torch.randn(width, generator=generator)
    state = {
        "weight": weight,
        "bias": bias,
        "running_mean": running_mean,
        "running_var": 0.2 + 3 * torch.rand(width, generator=generator),
    }
    pair = [side.BatchNorm1d(width, eps, momentum) for side in (student, reference)]
    for module in pair:
        module.load_state_dict({name: value.clone() for name, value in state.items()})
    return *pair, state


def state_of(module):
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("batch", "width", "eps"), [(3, 5, 0.5), (2, 1, 1e-5), (7, 2, 3.0)])
def test_batch_norm_in_training(student, reference, batch, width, eps):
    """In training each feature is normalized over the rows, with the mean and the biased variance of this batch.

    zh: 训练时，每个特征用这一批次各行的均值和有偏方差归一化。
    """
    module, expected, state = batch_norms(student, reference, width, eps, 0.3)
    x = draw(batch, width, seed=batch)
    used = x.mean(0), x.var(0, correction=0)
    assert not torch.allclose(used[0], state["running_mean"], atol=0.1)
    assert not torch.allclose(used[1], state["running_var"], atol=0.1)
    for inputs in (x, x.flip(0) + 2):
        assert_close(module(inputs), expected(inputs).detach())


@pytest.mark.points(1.5)
@pytest.mark.parametrize("momentum", [0.3, 0.9])
def test_running_statistics(student, reference, momentum):
    """Each training batch moves the running statistics, two buffers, by its share, `momentum`, with the unbiased variance.

    zh: 每个训练批次按 momentum 的比例推动运行统计量（两个缓冲区），其中的方差是无偏的。
    """
    module, _, state = batch_norms(student, reference, 5, 0.5, momentum)
    mean, var = state["running_mean"], state["running_var"]
    for seed in (4, 5):
        x = draw(3, 5, seed=seed)
        assert not torch.allclose(x.var(0, correction=0), x.var(0), rtol=0.1)
        y = module(x)
        # Whatever it was normalized with: the order of the rows stays, or is reversed by a negative weight.
        assert_close((y * state["weight"].sign()).argsort(0), x.argsort(0))
        mean = mean + momentum * (x.mean(0) - mean)
        var = var + momentum * (x.var(0) - var)
        assert_close(state_of(module), state | {"running_mean": mean, "running_var": var})
    assert_close(sorted(name for name, _ in module.named_parameters()), ["bias", "weight"])
    fresh = state_of(student.BatchNorm1d(3, 0.5, momentum))
    names = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
    assert_close(fresh, {name: torch.full((3,), value) for name, value in names.items()})


@pytest.mark.points(1.5)
def test_batch_norm_in_evaluation(student, reference):
    """In evaluation the running statistics normalize each row, whatever else is in the batch, and don't change.

    zh: 评估时用运行统计量归一化每一行，与批次里有什么无关，并且运行统计量不变。
    """
    module, expected, state = batch_norms(student, reference, 5, 0.5, 0.3)
    x = draw(3, 5)
    module.eval()
    expected.eval()
    wanted = expected(x).detach()
    assert_close(module(x), wanted)
    assert_close(module(x[:1]), wanted[:1])
    assert_close(state_of(module), state)


@pytest.mark.points(1.5)
@pytest.mark.parametrize(
    ("shape", "eps"), [((2, 3, 5), 0.5), ((7, 2), 1e-5), ((1, 3, 2, 11), 2.0), ((5, 1), 0.1), ((13,), 0.3)]
)
def test_layer_norm(student, reference, shape, eps):
    """Each token is normalized with the mean and the biased variance of its own features, eps inside the root.

    zh: 每个词元用自己各个特征的均值和有偏方差归一化，eps 在根号里面。
    """
    x, (weight, bias) = draw(*shape), vectors(shape[-1])
    assert_close(student.layer_norm(x, weight, bias, eps), reference.layer_norm(x, weight, bias, eps))


@pytest.mark.points(2)
@pytest.mark.parametrize("question", ["BatchNorm1d", "layer_norm"])
def test_mean_far_from_zero(student, reference, question):
    """Numbers that lie close together and far from zero keep their variance.

    zh: 离零很远、彼此又很近的数，方差不能丢。
    """
    x, (weight, bias) = far_from_zero(16, 16), vectors(16)
    if question == "layer_norm":
        assert_close(student.layer_norm(x, weight, bias, 1e-5), reference.layer_norm(x, weight, bias, 1e-5))
    else:
        module, expected, _ = batch_norms(student, reference, 16, 1e-5, 0.5)
        assert_close(module(x), expected(x).detach())
        # So roughly that any share and either variance will do.
        assert_close(state_of(module)["running_var"], state_of(expected)["running_var"], rtol=0.05)


@pytest.mark.points(1)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("shape", "eps"), [((2, 3, 5), 0.5), ((7, 2), 1e-6), ((3, 1, 11), 2.0), ((5, 1), 0.1), ((13,), 0.3)]
)
def test_rms_norm(student, reference, shape, eps, dtype):
    """Each token is divided by the root of its mean square plus eps, then scaled; its mean stays in.

    zh: 每个词元除以“均方加 eps”的平方根，再乘权重；均值不减。
    """
    x, (weight, _) = draw(*shape), vectors(shape[-1])
    expected = reference.rms_norm(x, weight, eps).to(dtype)
    # float32 is precise enough, whatever the input.
    assert_close(student.rms_norm(x.to(dtype), weight.to(dtype), eps), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.points(2)
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize(
    ("scale", "eps"), [(400.0, 1e-6), (20_000.0, 1e-6), (2e-4, 1e-8)], ids=["large", "largest", "small"]
)
def test_rms_norm_of_halves(student, reference, dtype, scale, eps):
    """Half inputs whose squares don't fit into half precision are normalized like any others.

    zh: 半精度输入，即使平方超出半精度的范围，也照常归一化。
    """
    x = (scale * draw(3, 7).clamp(-3, 3)).to(dtype)
    weight, _ = vectors(7, dtype)
    assert x.isfinite().all() and (scale < 1 or x.half().square().isinf().any())
    assert_close(
        student.rms_norm(x, weight, eps), reference.rms_norm(x.double(), weight.double(), eps).to(dtype)
    )


@pytest.mark.points(1.5)
@pytest.mark.parametrize("question", ["BatchNorm1d", "layer_norm", "rms_norm"])
def test_gradients_flow(student, reference, gradients, question):
    """Results are right, and their gradients pass through the input's statistics; running statistics are constants.

    zh: 结果正确，梯度流过由输入算出的统计量；运行统计量是常数。
    """
    x, (weight, bias) = draw(3, 5), vectors(5)
    upstream = draw(3, 5, seed=6)
    if question == "layer_norm":
        arguments = (x, weight, bias, 0.5)
        compare_gradients(gradients, student.layer_norm, reference.layer_norm, *arguments, upstream=upstream)
    elif question == "rms_norm":
        compare_gradients(gradients, student.rms_norm, reference.rms_norm, x, weight, 0.5, upstream=upstream)
    else:
        module, expected, state = batch_norms(student, reference, 5, 0.5, 0.3)
        compare_gradients(gradients, module, expected, x, upstream=upstream)
        for each in (module, expected):
            each.load_state_dict(state)
            each.eval()
        for _ in range(2):  # a graph that hangs on the running statistics can be walked once
            compare_gradients(gradients, module, expected, x, upstream=upstream)


def promised(question, dtype):
    """Arguments of a function, the same at every call."""
    x, (weight, bias) = draw(2, 3, 5, dtype=dtype), vectors(5, dtype)
    return {
        "layer_norm": (x, weight, bias, 0.5),
        "rms_norm": (x, weight, 0.5),
        "layer_norm_backward": (draw(2, 3, 5, dtype=dtype, seed=6), x, weight, 0.5),
    }[question]


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize("question", ["layer_norm", "rms_norm", "layer_norm_backward"])
def test_promises(student, reference, unchanged, promise, question):
    """Right results that keep the promises of every exercise: arguments, dtypes, memory layouts.

    zh: 结果正确，并且遵守处处成立的约定：不改动参数，dtype 不变，任何内存布局都行。
    """

    def check():
        target, arguments = getattr(student, question), promised(question, torch.float32)
        assert_close(target(*arguments), getattr(reference, question)(*arguments))
        check_promise(promise, target, lambda dtype: promised(question, dtype), unchanged)

    if question == "layer_norm_backward":
        own_or_given(check, student, layer_norm=reference.layer_norm)
    else:
        check()


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("shape", "eps"), [((2, 3, 5), 0.5), ((7, 2), 1e-5), ((3, 2, 1, 11), 2.0), ((13,), 0.3)]
)
@own_or_reference("layer_norm")
def test_input_gradient(student, reference, shape, eps):
    """The input's gradient is the direct one, less what flows through the mean and through the variance.

    zh: 输入的梯度等于直接的梯度，减去经由均值和经由方差的部分。
    """
    x, upstream, (weight, _) = draw(*shape), draw(*shape, seed=7), vectors(shape[-1])
    actual = student.layer_norm_backward(upstream, x, weight, eps)
    assert_close(actual[0], reference.layer_norm_backward(upstream, x, weight, eps)[0])


@pytest.mark.points(2)
@pytest.mark.parametrize("shape", [(2, 3, 5), (7, 2), (3, 2, 1, 11), (5, 1), (13,)])
@own_or_reference("layer_norm")
def test_weight_and_bias_gradients(student, reference, shape):
    """The gradients of weight and bias are sums over all tokens, whatever the number of axes in front.

    zh: 权重和偏置的梯度是对全部词元求和，不论前面有几个轴。
    """
    x, upstream, (weight, _) = draw(*shape), draw(*shape, seed=7), vectors(shape[-1])
    actual = student.layer_norm_backward(upstream, x, weight, 0.5)
    assert_close(actual[1:], reference.layer_norm_backward(upstream, x, weight, 0.5)[1:])
