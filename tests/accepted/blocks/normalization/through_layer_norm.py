"""The gradient built on the student's own forward pass, loops over the leading axes, standard deviations."""

import torch
from torch import nn


class BatchNorm1d(nn.Module):
    def __init__(self, num_features, eps, momentum):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.eps = eps
        self.momentum = momentum

    def forward(self, x):
        batch, _ = x.shape
        if self.training and batch < 2:
            raise ValueError(f"a batch of {batch} can't be normalized in training")
        if self.training:
            # One feature of the batch is one token of LayerNorm.
            y = layer_norm(x.T, torch.ones(batch).to(x), torch.zeros(batch).to(x), self.eps).T
            with torch.no_grad():
                new = {"mean": x.mean(0), "var": x.std(0) ** 2}
                for name, value in new.items():
                    old = self.get_buffer(f"running_{name}")
                    old += self.momentum * (value - old)
        else:
            y = (x - self.running_mean) * (self.running_var + self.eps).pow(-0.5)
        return y * self.weight + self.bias


def layer_norm(x, weight, bias, eps):
    mean = x.mean(-1).unsqueeze(-1)
    std = x.std(-1, unbiased=False).square().add(eps).sqrt().unsqueeze(-1)
    return weight * ((x - mean) / std) + bias


def layer_norm_backward(upstream, x, weight, eps):
    ones = torch.ones_like(weight)
    x_hat = layer_norm(x, ones, 0 * ones, eps)
    dweight, dbias = upstream * x_hat, upstream
    while dbias.dim() > 1:
        dweight, dbias = dweight.sum(0), dbias.sum(0)
    width = x.shape[-1]
    d_hat = upstream * weight
    centered = x - x.mean(-1, keepdim=True)
    var = (centered**2).mean(-1, keepdim=True)
    # The chain rule, one way after the other: the variance first, then the mean.
    d_var = (d_hat * centered).sum(-1, keepdim=True) * -0.5 * (var + eps) ** -1.5
    d_mean = -d_hat.sum(-1, keepdim=True) / torch.sqrt(var + eps)
    dx = d_hat / torch.sqrt(var + eps) + d_var * 2 * centered / width + d_mean / width
    return dx, dweight, dbias


def rms_norm(x, weight, eps):
    if x.dtype in (torch.float16, torch.bfloat16):
        return rms_norm(x.float(), weight.float(), eps).to(x.dtype)
    return weight * x / (torch.sum(x**2, -1, keepdim=True) / x.size(-1) + eps).sqrt()
