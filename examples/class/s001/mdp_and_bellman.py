import torch
from torch import Tensor


def discounted_returns(rewards: Tensor, ends: Tensor, discount: float) -> Tensor:
    running = torch.zeros((), dtype=rewards.dtype, device=rewards.device)
    out = []
    for t in reversed(range(rewards.shape[0])):
        running = rewards[t] if ends[t] else rewards[t] + discount * running
        out.append(running)
    return torch.stack(out[::-1]) if out else rewards.clone()


def evaluate_policy(
    transitions: Tensor, rewards: Tensor, terminal: Tensor, policy: Tensor, discount: float
) -> tuple[Tensor, Tensor, Tensor]:
    dtype = transitions.dtype
    live = ~terminal
    # Terminal rows mean nothing (they may even be NaN): blank them before anything is computed.
    P = torch.where(live[:, None, None], transitions, 0.0).double()
    R = torch.where(live[:, None, None], rewards, 0.0).double()
    pi = torch.where(live[:, None], policy, 0.0).double()

    chain = torch.einsum("sa,sat->st", pi, P) + torch.diag(terminal.double())

    if discount == 1:
        edges = ((pi[:, :, None] > 0) & (P > 0)).any(dim=1)
        reaches = terminal.clone()
        for _ in range(len(terminal)):
            reaches = reaches | (edges & reaches[None, :]).any(dim=1)
        if not bool(reaches.all()):
            raise ValueError("from some state the policy can never reach a terminal state")

    reward_sa = (P * R).sum(dim=-1)  # [S, A]
    idx = live.nonzero(as_tuple=True)[0]
    block = chain[idx][:, idx]
    eye = torch.eye(len(idx), dtype=block.dtype, device=block.device)
    solved = torch.linalg.solve(eye - discount * block, (pi * reward_sa).sum(dim=-1)[idx])
    V = torch.zeros(len(terminal), dtype=block.dtype, device=block.device).index_put((idx,), solved)
    Q = reward_sa + discount * (P @ V)
    return chain.to(dtype), V.to(dtype), Q.to(dtype)


def bellman_operator(
    values: Tensor,
    transitions: Tensor,
    rewards: Tensor,
    terminal: Tensor,
    discount: float,
    policy: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    live = ~terminal
    old = torch.where(live, values, 0.0)
    P = torch.where(live[:, None, None], transitions, 0.0)
    R = torch.where(live[:, None, None], rewards, 0.0)
    q = (P * (R + discount * old)).sum(dim=-1)
    new = q.amax(dim=-1) if policy is None else (torch.where(live[:, None], policy, 0.0) * q).sum(dim=-1)
    bound = discount / (1 - discount) * (new - old).abs().max()
    return new, bound
