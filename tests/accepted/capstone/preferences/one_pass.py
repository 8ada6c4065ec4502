"""Chosen and rejected in one forward pass; the reference is a deep copy; the KL from a table."""

import copy

import torch
import torch.nn.functional as F


def set_up(parts, config, weights, rate):
    policy = parts.gpt.GPT(config)
    policy.load_state_dict(weights)
    reference = copy.deepcopy(policy).eval()
    for parameter in reference.parameters():
        parameter.requires_grad = False
    optimization = parts.optimizer_and_schedule
    groups = optimization.decay_groups(policy, 0.0)
    number = sum(parameter.numel() for group in groups for parameter in group["params"])
    return policy, reference, optimization.AdamW(groups, lr=rate), number


def answer_logps(parts, model, prompts, answers):
    labels = torch.cat([torch.full_like(prompts, -100), answers], dim=1)
    return parts.dpo.sequence_logps(model(torch.cat([prompts, answers], dim=1)), labels)


def both(parts, model, pairs):
    prompts, chosen, rejected = pairs
    return answer_logps(parts, model, prompts.repeat(2, 1), torch.cat([chosen, rejected])).chunk(2)


def train(parts, policy, reference, optimizer, pairs, batches, beta):
    def step(rows):
        batch = [side[rows] for side in pairs]
        with torch.no_grad():
            anchors = both(parts, reference, batch)
        loss = parts.dpo.dpo_loss(*both(parts, policy, batch), *anchors, beta)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss)

    return [step(rows) for rows in batches]


@torch.inference_mode()
def report(parts, policy, reference, pairs, answers):
    chosen, _, margins = parts.dpo.implicit_rewards(
        *both(parts, policy, pairs), *both(parts, reference, pairs), beta=1.0
    )

    def table(model):
        rows = []
        for prompt in dict.fromkeys(map(tuple, pairs[0].tolist())):
            prompts = torch.tensor(prompt).expand(len(answers), -1)
            rows.append(answer_logps(parts, model, prompts, answers))
        return torch.stack(rows)

    kl = F.kl_div(table(reference), table(policy), log_target=True, reduction="batchmean")
    return {
        "kl": kl.item(),
        "margin": margins.mean().item(),
        "accuracy": margins.gt(0).float().mean().item(),
        "chosen_shift": chosen.mean().item(),
    }
