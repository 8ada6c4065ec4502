import torch
from torch import Tensor


def kl_objective(policy_logps: Tensor, reference_logps: Tensor, rewards: Tensor, beta: float) -> Tensor:
    given = policy_logps > float("-inf")
    known = reference_logps > float("-inf")
    both = given & known
    # Infinities are taken out before anything is computed with them, so that gradients stay finite too.
    p = torch.where(both, policy_logps, 0.0)
    q = torch.where(both, reference_logps, 0.0)
    terms = torch.where(both, p.exp() * (rewards - beta * (p - q)), 0.0)
    objective = terms.sum(dim=-1)
    return objective.masked_fill((given & ~known).any(dim=-1), float("-inf"))


def optimal_policy(reference_logps: Tensor, rewards: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    # Rewards relative to the best possible response keep the digits of the reference next to r / beta = 10,000.
    possible = reference_logps > float("-inf")
    best = rewards.masked_fill(~possible, float("-inf")).amax(dim=-1, keepdim=True).detach()
    scores = reference_logps + torch.where(possible, (rewards - best) / beta, 0.0)
    rest = torch.logsumexp(scores, dim=-1, keepdim=True)
    return scores - rest, (rest + best / beta).squeeze(-1)


def recover_rewards(
    policy_logps: Tensor, reference_logps: Tensor, beta: float, log_partition: Tensor | None = None
) -> Tensor:
    rewards = beta * (policy_logps - reference_logps)
    if log_partition is not None:
        rewards = rewards + beta * log_partition[:, None]
    return rewards


def ranking_loss(rewards: Tensor, ranking: Tensor) -> Tensor:
    ordered = ranking.sort(dim=-1).values
    if bool((ordered[:, 1:] == ordered[:, :-1]).any()):
        raise ValueError("a ranking names a response twice")
    left = torch.ones_like(rewards, dtype=torch.bool)
    losses = torch.zeros_like(rewards[:, 0])
    for place in range(ranking.shape[1]):
        choice = ranking[:, place : place + 1]
        among = rewards.masked_fill(~left, float("-inf"))
        losses = losses - torch.log_softmax(among, dim=-1).gather(-1, choice).squeeze(-1)
        left = left.scatter(-1, choice, False)
    return losses.mean()
