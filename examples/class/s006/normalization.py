import torch
from torch import Tensor, nn


class BatchNorm1d(nn.Module):
    def __init__(self, num_features: int, eps: float, momentum: float) -> None:
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: Tensor) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        h = x.to(wide)
        if self.training:
            rows = h.shape[0]
            if rows < 2:
                raise ValueError("training needs at least two rows")
            first = h[:1].detach()  # a shift near the mean keeps the small digits
            shifted = h - first
            offset = shifted.mean(0)
            centred = shifted - offset
            var = (centred * centred).mean(0)
            m = self.momentum
            batch_mean = (first[0] + offset).detach()
            batch_var = var.detach()
            self.running_mean.copy_((1 - m) * self.running_mean + m * batch_mean)
            self.running_var.copy_((1 - m) * self.running_var + m * batch_var)
        else:
            centred = h - self.running_mean
            var = self.running_var
        y = centred / torch.sqrt(var + self.eps) * self.weight + self.bias
        return y.to(x.dtype)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    h = x.to(torch.promote_types(x.dtype, torch.float32))
    h = h - h[..., :1].detach()  # any shift drops out; this one keeps the small digits
    centred = h - h.mean(-1, keepdim=True)
    var = (centred * centred).mean(-1, keepdim=True)
    return (centred / torch.sqrt(var + eps) * weight + bias).to(x.dtype)


def layer_norm_backward(
    upstream: Tensor, x: Tensor, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    C = x.shape[-1]
    wide = torch.promote_types(x.dtype, torch.float32)
    h, up, w = x.to(wide), upstream.to(wide), weight.to(wide)
    centred = h - h.mean(-1, keepdim=True)
    root = torch.sqrt((centred * centred).mean(-1, keepdim=True) + eps)
    x_hat = centred / root

    g = up * w
    grad_x = (g - g.mean(-1, keepdim=True) - x_hat * (g * x_hat).mean(-1, keepdim=True)) / root
    grad_w = (up * x_hat).reshape(-1, C).sum(0)
    grad_b = up.reshape(-1, C).sum(0)
    return grad_x.to(x.dtype), grad_w.to(weight.dtype), grad_b.to(weight.dtype)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = torch.promote_types(x.dtype, torch.float32)
    h = x.to(wide)
    mean_square = (h * h).mean(-1, keepdim=True)
    return (h / torch.sqrt(mean_square + eps) * weight.to(wide)).to(x.dtype)
