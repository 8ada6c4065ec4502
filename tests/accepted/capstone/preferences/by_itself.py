"""As little of the parts as possible: own log-probabilities, own loss, one log-ratio for each answer and prompt."""

import torch
import torch.nn.functional as F


def set_up(parts, config, weights, rate):
    models = []
    for learns in (True, False):
        model = parts.gpt.GPT(config)
        model.load_state_dict({name: weight.clone() for name, weight in weights.items()})
        models.append(model.requires_grad_(learns))
    group = {"params": list(models[0].parameters()), "weight_decay": 0, "lr": rate}
    number = sum(p.numel() for p in models[0].parameters() if p.requires_grad)
    return *models, parts.optimizer_and_schedule.AdamW([group], rate), number


def answer_logps(parts, model, prompts, answers):
    length = answers.shape[1]
    logits = model(torch.hstack([prompts, answers[:, :-1]]))[:, -length:]
    return -F.cross_entropy(logits.transpose(1, 2), answers, reduction="none").sum(dim=1)


def log_ratio(parts, policy, reference, prompts, answers):
    with torch.no_grad():
        anchor = answer_logps(parts, reference, prompts, answers)
    return answer_logps(parts, policy, prompts, answers) - anchor


def train(parts, policy, reference, optimizer, pairs, batches, beta):
    losses = torch.zeros(len(batches), dtype=torch.float64)
    for step in range(len(batches)):
        optimizer.zero_grad()
        prompts, liked, disliked = (side.index_select(0, batches[step]) for side in pairs)
        gap = log_ratio(parts, policy, reference, prompts, liked)
        gap = gap - log_ratio(parts, policy, reference, prompts, disliked)
        loss = F.softplus(-beta * gap).mean()
        loss.backward()
        optimizer.step()
        losses[step] = loss.detach()
    return losses.tolist()


def report(parts, policy, reference, pairs, answers):
    prompts, liked, disliked = pairs
    with torch.no_grad():
        up = log_ratio(parts, policy, reference, prompts, liked)
        down = log_ratio(parts, policy, reference, prompts, disliked)
        divergences = []
        for prompt in torch.unique(prompts, dim=0):
            same = prompt.repeat(len(answers), 1)
            weights = answer_logps(parts, policy, same, answers).exp()
            divergences.append(weights @ log_ratio(parts, policy, reference, same, answers))
        return {
            "margin": float((up - down).mean()),
            "accuracy": sum((up > down).tolist()) / len(up),
            "chosen_shift": float(up.mean()),
            "kl": float(sum(divergences) / len(divergences)),
        }
