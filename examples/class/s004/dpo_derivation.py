import torch
from torch import Tensor


def kl_objective(policy_logps: Tensor, reference_logps: Tensor, rewards: Tensor, beta: float) -> Tensor:
    probabilities = policy_logps.exp()
    # Where the policy gives nothing, -inf - (-inf) and 0 * inf would be NaN; p log p tends to 0.
    log_ratios = (policy_logps - reference_logps).masked_fill(probabilities == 0, 0.0)
    expected_reward = (probabilities * rewards).sum(dim=-1)
    divergence = (probabilities * log_ratios).sum(dim=-1)
    return expected_reward - beta * divergence


def optimal_policy(reference_logps: Tensor, rewards: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    nats = rewards * beta  # that each reward buys
    tilted_logps = reference_logps + nats
    log_partition = tilted_logps.logsumexp(dim=-1)
    policy_logps = tilted_logps - log_partition.unsqueeze(-1)
    return policy_logps, log_partition


def recover_rewards(
    policy_logps: Tensor, reference_logps: Tensor, beta: float, log_partition: Tensor | None = None
) -> Tensor:
    nats = policy_logps - reference_logps
    if log_partition is not None:
        nats = nats + log_partition.unsqueeze(-1)  # normalising took as much from every response
    return beta * nats


def ranking_loss(rewards: Tensor, ranking: Tensor) -> Tensor:
    in_order = ranking.sort().values
    if (in_order[:, 1:] == in_order[:, :-1]).any():
        raise ValueError("a ranking names a response twice")
    place_logps = []
    left = rewards
    for place in range(ranking.shape[-1]):
        chosen = ranking[:, place : place + 1]
        place_logps.append(left.log_softmax(dim=-1).gather(-1, chosen))
        left = left.scatter(-1, chosen, -torch.inf)  # it is placed, and no longer competes
    ranking_logps = torch.cat(place_logps, dim=-1).sum(dim=-1)
    return -ranking_logps.mean()
    # END SOLUTION
