import torch
from torch import Tensor


def reward_to_go(rewards: Tensor, mask: Tensor, discount: float) -> Tensor:
    rewards = rewards.masked_fill(~mask, 0.0)
    returns = torch.zeros_like(rewards)
    following = torch.zeros_like(rewards[:, 0])
    for t in reversed(range(rewards.shape[1])):
        following = rewards[:, t] + discount * following
        returns[:, t] = following
    return returns


def reinforce_loss(
    logits: Tensor, actions: Tensor, returns: Tensor, baseline: Tensor, mask: Tensor, discount: float
) -> Tensor:
    log_probs = logits.log_softmax(dim=-1)
    taken = log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    steps = torch.arange(logits.shape[1], dtype=logits.dtype)
    weights = discount**steps * (returns - baseline).detach()
    return -(weights * taken)[mask].mean()


def leave_one_out(returns: Tensor) -> Tensor:
    count = returns.shape[-1]
    if count == 1:
        raise ValueError("a group of one episode has no other episode")
    return (returns.sum(dim=-1, keepdim=True) - returns) / (count - 1)


def estimate_moments(
    logits: Tensor, states: Tensor, actions: Tensor, weights: Tensor, mask: Tensor, probabilities: Tensor
) -> tuple[Tensor, Tensor]:
    num_states, num_actions = logits.shape
    # The slope of log pi(a | s): 1 at the action taken, minus the probabilities, in the row of the state.
    taken = torch.nn.functional.one_hot(actions, num_actions)
    slopes = taken - logits.softmax(dim=-1)[states]
    steps = slopes * weights.masked_fill(~mask, 0.0).unsqueeze(-1)
    rows = torch.nn.functional.one_hot(states, num_states).to(logits.dtype)
    estimates = torch.einsum("nts,nta->nsa", rows, steps)
    mean = torch.einsum("n,nsa->sa", probabilities, estimates)
    distances = (estimates - mean).square().sum(dim=(1, 2))
    return mean, (probabilities * distances).sum()
    # END SOLUTION
