from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Pairs = tuple[Tensor, Tensor, Tensor]  # prompts, chosen, rejected


def set_up(
    parts: Any, config: Any, weights: Mapping[str, Tensor], rate: float
) -> tuple[nn.Module, nn.Module, Any, int]:
    policy, reference = parts.gpt.GPT(config), parts.gpt.GPT(config)
    policy.load_state_dict(weights)
    reference.load_state_dict(weights)
    reference.requires_grad_(False)
    groups = [{"params": policy.parameters(), "weight_decay": 0.0}]
    optimizer = parts.optimizer_and_schedule.AdamW(groups, lr=rate)
    return policy, reference, optimizer, sum(moved.numel() for moved in optimizer.parameters())


def answer_logps(parts: Any, model: nn.Module, prompts: Tensor, answers: Tensor) -> Tensor:
    ids = torch.cat([prompts, answers], dim=1)
    labels = ids.clone()
    labels[:, : prompts.shape[1]] = -100
    return parts.dpo.sequence_logps(model(ids), labels) / answers.shape[1]


def train(
    parts: Any,
    policy: nn.Module,
    reference: nn.Module,
    optimizer: Any,
    pairs: Pairs,
    batches: Tensor,
    beta: float,
) -> list[float]:
    prompts, chosen, rejected = pairs
    with torch.no_grad():  # the reference never changes: once is enough
        reference_chosen = answer_logps(parts, reference, prompts, chosen)
        reference_rejected = answer_logps(parts, reference, prompts, rejected)
    losses = []
    for rows in batches:
        both = torch.cat([chosen[rows], rejected[rows]])  # one pass through the model for both sides
        policy_chosen, policy_rejected = answer_logps(parts, policy, prompts[rows].repeat(2, 1), both).chunk(
            2
        )
        loss = parts.dpo.dpo_loss(
            policy_chosen, policy_rejected, reference_chosen[rows], reference_rejected[rows], beta
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def report(
    parts: Any, policy: nn.Module, reference: nn.Module, pairs: Pairs, answers: Tensor
) -> dict[str, float]:
    prompts, chosen, rejected = pairs
    different = prompts.unique(dim=0)
    every_prompt = different.repeat_interleave(len(answers), dim=0)
    every_answer = answers.repeat(len(different), 1)
    with torch.no_grad():

        def log_ratios(prompts: Tensor, answers: Tensor) -> Tensor:
            logps = answer_logps(parts, policy, prompts, answers)
            return logps - answer_logps(parts, reference, prompts, answers)

        moved = log_ratios(prompts, chosen)
        gaps = moved - log_ratios(prompts, rejected)
        probabilities = answer_logps(parts, policy, every_prompt, every_answer).exp()
        kl = (probabilities * log_ratios(every_prompt, every_answer)).sum() / len(different)
    return {
        "margin": gaps.mean().item(),
        "accuracy": (gaps > 0).double().mean().item(),
        "chosen_shift": moved.mean().item(),
        "kl": kl.item(),
    }
    # END SOLUTION
