import torch
from torch import Tensor


def discounted_returns(rewards: Tensor, ends: Tensor, discount: float) -> Tensor:
    returns, following = [], rewards.new_zeros(())
    for reward, end in zip(rewards.flip(0), ends.flip(0), strict=True):
        following = reward if end else reward + discount * following
        returns.append(following)
    return torch.stack(returns[::-1])


def evaluate_policy(
    transitions: Tensor, rewards: Tensor, terminal: Tensor, policy: Tensor, discount: float
) -> tuple[Tensor, Tensor, Tensor]:
    states = torch.eye(len(terminal), dtype=transitions.dtype)
    alive = (~terminal).to(transitions.dtype)
    chain = (policy[:, :, None] * transitions).sum(dim=1)
    chain = torch.where(terminal[:, None], states, chain)

    reaches_end = terminal
    for _ in range(len(terminal)):
        reaches_end = reaches_end | ((chain > 0) & reaches_end).any(dim=-1)
    if discount == 1 and not reaches_end.all():
        raise ValueError("discount 1: the policy can't reach a terminal state from everywhere")

    earned = (transitions * rewards * alive).sum(dim=-1) * alive[:, None]  # r(s, a)
    # V = r + discount * P V; the equation of a terminal state reads V = 0.
    system = states - discount * alive[:, None] * chain
    values = torch.linalg.solve(system, (policy * earned).sum(dim=-1))
    return chain, values, earned + discount * alive[:, None] * (transitions @ values)


def bellman_operator(
    values: Tensor,
    transitions: Tensor,
    rewards: Tensor,
    terminal: Tensor,
    discount: float,
    policy: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    old = values.masked_fill(terminal, 0.0)
    action_values = (transitions * (rewards + discount * old) * ~terminal).sum(dim=-1)
    new = action_values.amax(dim=-1) if policy is None else (policy * action_values).sum(dim=-1)
    new = new.masked_fill(terminal, 0.0)
    return new, discount / (1 - discount) * (new - old).abs().max()
    # END SOLUTION
