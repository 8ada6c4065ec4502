from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Pairs = tuple[Tensor, Tensor, Tensor]  # prompts, chosen, rejected


def set_up(
    parts: Any, config: Any, weights: Mapping[str, Tensor], rate: float
) -> tuple[nn.Module, nn.Module, Any, int]:
    policy, reference = parts.gpt.GPT(config), parts.gpt.GPT(config)
    for model in (policy, reference):
        model.load_state_dict(weights, strict=False)
    reference.requires_grad_(False)
    groups = [{"params": list(policy.parameters()), "weight_decay": 0.0}]
    optimizer = parts.optimizer_and_schedule.AdamW(groups, lr=rate)
    return policy, reference, optimizer, sum(parameter.numel() for parameter in optimizer.parameters())


def answer_logps(parts: Any, model: nn.Module, prompts: Tensor, answers: Tensor) -> Tensor:
    labels = torch.cat([torch.full_like(prompts, -100), answers], dim=1)
    return parts.dpo.sequence_logps(model(torch.cat([prompts, answers], dim=1)), labels)


def train(
    parts: Any,
    policy: nn.Module,
    reference: nn.Module,
    optimizer: Any,
    pairs: Pairs,
    batches: Tensor,
    beta: float,
) -> list[float]:
    losses: list[float] = []
    for rows in batches:
        prompts, chosen, rejected = (tensor[rows] for tensor in pairs)
        with torch.no_grad():
            reference_logps = [answer_logps(parts, reference, prompts, y) for y in (chosen, rejected)]
        policy_logps = [answer_logps(parts, policy, prompts, y) for y in (chosen, rejected)]
        loss = parts.dpo.dpo_loss(*policy_logps, *reference_logps, beta)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def report(
    parts: Any, policy: nn.Module, reference: nn.Module, pairs: Pairs, answers: Tensor
) -> dict[str, float]:
    prompts, chosen, rejected = pairs

    def both(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return answer_logps(parts, policy, x, y), answer_logps(parts, reference, x, y)

    with torch.no_grad():
        chosen_ratio, rejected_ratio = (
            pi - ref for pi, ref in (both(prompts, y) for y in (chosen, rejected))
        )
        divergences = []
        for prompt in prompts.unique(dim=0):
            pi, ref = both(prompt.expand(len(answers), -1), answers)
            divergences.append((pi.exp() * (pi - ref)).sum())
        return {
            "margin": (chosen_ratio - rejected_ratio).mean().item(),
            "accuracy": (chosen_ratio > rejected_ratio).double().mean().item(),
            "chosen_shift": chosen_ratio.mean().item(),
            "kl": torch.stack(divergences).mean().item(),
        }
