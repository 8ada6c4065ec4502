"""The reference of blocks/normalization against PyTorch's layers and LLaMA's RMSNorm."""

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, load_reference

SHAPES = [(7, 5), (2, 3, 11), (4, 1), (2, 1, 3, 8), (6,)]


@pytest.fixture(scope="module")
def ref():
    return load_reference("blocks/normalization")


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("batch", "width"), [(2, 5), (17, 3), (6, 1)])
@pytest.mark.parametrize(("eps", "momentum"), [(1e-5, 0.1), (0.5, 0.7)])
def test_batch_norm(ref, batch, width, eps, momentum):
    own = ref.BatchNorm1d(width, eps, momentum)
    library = torch.nn.BatchNorm1d(width, eps=eps, momentum=momentum)
    state = {
        "weight": torch.randn(width),
        "bias": torch.randn(width),
        "running_mean": torch.randn(width),
        "running_var": torch.rand(width) + 0.1,
    }
    own.load_state_dict(state)
    library.load_state_dict(state, strict=False)
    for training in (True, True, False, True, False):
        own.train(training)
        library.train(training)
        leaves = [(3 * torch.randn(batch, width) + 100).requires_grad_()]
        leaves.append(leaves[0].detach().clone().requires_grad_())
        outputs = [own(leaves[0]), library(leaves[1])]
        assert_close(outputs[0], outputs[1].detach())
        upstream = torch.randn(batch, width)
        for output in outputs:
            output.backward(upstream)
        assert_close(leaves[0].grad, leaves[1].grad)
        assert_close(own.weight.grad, library.weight.grad)
        for name in ("running_mean", "running_var"):
            assert_close(getattr(own, name), getattr(library, name))
    for each in (own, library):
        each.train()
        with pytest.raises(ValueError):
            each(torch.randn(1, width))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("eps", [1e-5, 0.5])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_layer_norm_and_its_gradient(ref, shape, eps, offset):
    x, upstream = torch.randn(2, *shape, dtype=torch.float64)
    x, (weight, bias) = x + offset, torch.randn(2, shape[-1], dtype=torch.float64)
    leaves = [tensor.clone().requires_grad_() for tensor in (x, weight, bias)]
    expected = F.layer_norm(leaves[0], shape[-1:], leaves[1], leaves[2], eps)
    expected.backward(upstream)
    assert_close(ref.layer_norm(x, weight, bias, eps), expected.detach())
    assert_close(ref.layer_norm_backward(upstream, x, weight, eps), [leaf.grad for leaf in leaves])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 10_000.0])
def test_rms_norm(ref, shape, dtype, scale):
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    x, weight = (scale * torch.randn(shape)).to(dtype), torch.randn(shape[-1]).to(dtype)
    own = ref.rms_norm(x, weight, 1e-6)
    assert_close(own, F.rms_norm(x, shape[-1:], weight, 1e-6))
    llama = LlamaRMSNorm(shape[-1], eps=1e-6).to(dtype)
    llama.load_state_dict({"weight": weight})
    # LLaMA's code computes in float32, whatever the input, and rounds before the weight.
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float64 else {}
    assert_close(own, llama(x).detach(), **close)
