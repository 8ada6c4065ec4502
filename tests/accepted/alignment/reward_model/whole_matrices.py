"""No loops: a flipped mask, a log-sum-exp, and one matrix of all differences with a weight for each pair."""

import torch


def sequence_rewards(hidden, head, ids, attention_mask, pad_id):
    real = attention_mask == 1
    if (~real).all(dim=1).any():
        raise ValueError("a row is all padding")
    from_the_end = real.flip(1).int().argmax(dim=1, keepdim=True)
    is_last = torch.arange(real.shape[1]) == real.shape[1] - 1 - from_the_end  # [B, T]
    return torch.einsum("btc,c->bt", hidden, head)[is_last]


def pairwise_loss(chosen, rejected):
    both = torch.stack([chosen, rejected], dim=-1)
    loss = (torch.logsumexp(both, dim=-1) - chosen).mean()
    with torch.no_grad():
        accuracy = torch.gt(chosen, rejected).type_as(chosen).mean()
    return loss, accuracy


def ranking_loss(rewards, counts):
    sizes = torch.tensor(counts)
    prompt = torch.repeat_interleave(torch.arange(len(counts)), sizes)
    counted = (prompt[:, None] == prompt[None, :]).triu(diagonal=1)
    weight = (2.0 / (sizes * (sizes - 1)) / len(counts)).to(rewards.dtype)[prompt]
    lost = torch.logaddexp(torch.zeros_like(rewards), rewards[None, :] - rewards[:, None])
    return (weight[:, None] * lost)[counted].sum()
