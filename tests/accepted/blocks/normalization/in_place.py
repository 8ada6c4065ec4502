"""Statistics by sums, buffers updated in place, RMSNorm rounded before the weight as in LLaMA's code."""

import math

import torch


class BatchNorm1d(torch.nn.Module):
    def __init__(self, num_features, eps, momentum):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        for name, start in (("weight", 1.0), ("bias", 0.0)):
            self.register_parameter(name, torch.nn.Parameter(torch.full((num_features,), start)))
        for name, start in (("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((num_features,), start))

    def forward(self, x):
        if not self.training:
            scale = self.weight / (self.running_var + self.eps) ** 0.5
            return x * scale + (self.bias - self.running_mean * scale)
        rows = len(x)
        if rows == 1 or rows == 0:
            raise ValueError("no variance of one row")
        mean = x.sum(0) / rows
        deviations = x - mean
        squares = (deviations * deviations).sum(0)
        self.running_mean.lerp_(mean.detach(), self.momentum)
        self.running_var.lerp_(squares.detach() / (rows - 1), self.momentum)
        return torch.addcmul(self.bias, deviations / (squares / rows + self.eps).sqrt(), self.weight)


def _normalized(x, eps):
    var, mean = torch.var_mean(x, -1, correction=0, keepdim=True)
    std = (var + eps).sqrt()
    return (x - mean) / std, std


def layer_norm(x, weight, bias, eps):
    return torch.addcmul(bias, _normalized(x, eps)[0], weight)


def layer_norm_backward(upstream, x, weight, eps):
    """The Jacobian of one token, as a matrix: (I - 1/C - h h^T / C) / std."""
    width = x.shape[-1]
    h, std = _normalized(x, eps)
    jacobian = torch.eye(width, dtype=x.dtype) - 1 / width - h[..., :, None] * h[..., None, :] / width
    x_gradient = ((upstream * weight)[..., None, :] @ jacobian).squeeze(-2) / std
    flat_upstream, flat_h = upstream.flatten(0, -2) if x.dim() > 1 else upstream[None], h.reshape(-1, width)
    return x_gradient, torch.einsum("nc,nc->c", flat_upstream, flat_h), flat_upstream.sum(0)


def rms_norm(x, weight, eps):
    wide = x.float()
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    root = torch.hypot(length / math.sqrt(x.shape[-1]), torch.tensor(math.sqrt(eps)))
    return weight * (wide / root).to(x.dtype)
