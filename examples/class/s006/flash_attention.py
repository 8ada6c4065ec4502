import math

import torch
from torch import Tensor


def attend_block(scores: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    m = scores.amax(dim=-1)
    m = m.masked_fill(m == -math.inf, 0.0)
    p = (scores - m[..., None]).exp()
    z = p.sum(dim=-1)
    output = p @ values / z.clamp(min=1.0)[..., None]  # z is 0 or at least 1
    return output, m + z.log()


def merge(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> tuple[Tensor, Tensor]:
    lse = torch.logaddexp(lse_a, lse_b)
    safe = lse.masked_fill(lse == -math.inf, 0.0)
    w_a, w_b = (lse_a - safe).exp(), (lse_b - safe).exp()
    return w_a[..., None] * out_a + w_b[..., None] * out_b, lse


def flash_forward(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, block_q: int, block_k: int
) -> tuple[Tensor, Tensor]:
    n_q, n_k = q.shape[2], k.shape[2]
    if causal and n_q != n_k:
        raise ValueError(f"causal attention of {n_q} queries over {n_k} keys")
    scale = q.shape[-1] ** -0.5
    output, lse = torch.empty_like(q), torch.empty_like(q[..., 0])
    for i in range(0, n_q, block_q):
        i_end = i + block_q
        qi = q[:, :, i:i_end] * scale
        m = torch.full_like(qi[..., 0], -math.inf)
        z = torch.zeros_like(m)
        acc = torch.zeros_like(qi)
        for j in range(0, min(n_k, i_end) if causal else n_k, block_k):
            kj, vj = k[:, :, j : j + block_k], v[:, :, j : j + block_k]
            s = qi @ kj.mT
            if causal:
                row_ids = i + torch.arange(s.shape[2])
                col_ids = j + torch.arange(s.shape[3])
                s = s.masked_fill(col_ids > row_ids[:, None], -math.inf)
            m_new = torch.maximum(m, s.amax(dim=-1))
            shrink = (m - m_new).exp()
            p = (s - m_new[..., None]).exp()
            z = z * shrink + p.sum(dim=-1)
            acc = acc + p @ vj
            m = m_new
        output[:, :, i:i_end] = acc / z[..., None]
        lse[:, :, i:i_end] = m + z.log()
    return output, lse


def hbm_traffic(num_tokens: int, head_dim: int, block_q: int) -> tuple[int, int]:
    nd = num_tokens * head_dim
    naive = 4 * nd + 4 * num_tokens**2
    flash = 2 * nd + 2 * nd * math.ceil(num_tokens / block_q) + num_tokens
    return naive, flash


def flash_backward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    output: Tensor,
    lse: Tensor,
    grad_output: Tensor,
    causal: bool,
    block_q: int,
    block_k: int,
) -> tuple[Tensor, Tensor, Tensor]:
    n_q, n_k = q.shape[2], k.shape[2]
    scale = q.shape[-1] ** -0.5
    row_dot = (grad_output * output).sum(dim=-1, keepdim=True)
    dq, dk, dv = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    for i in range(0, n_q, block_q):
        qs = slice(i, i + block_q)
        for j in range(0, min(n_k, qs.stop) if causal else n_k, block_k):
            ks = slice(j, j + block_k)
            s = scale * q[:, :, qs] @ k[:, :, ks].mT
            probs = (s - lse[:, :, qs, None]).exp()
            if causal:
                probs = probs.tril(i - j)
            dv[:, :, ks] += probs.mT @ grad_output[:, :, qs]
            ds = probs * (grad_output[:, :, qs] @ v[:, :, ks].mT - row_dot[:, :, qs]) * scale
            dq[:, :, qs] += ds @ k[:, :, ks]
            dk[:, :, ks] += ds.mT @ q[:, :, qs]
    return dq, dk, dv
