"""As little of the parts as possible: own draw, check, advantages and loss; rollouts go into a table that is there."""

import torch

SYMBOLS = "0123456789+="


def roll_out(parts, model, prompts, draws):
    P, G, N = draws.shape
    L = prompts.size(1)
    table = torch.zeros(P, G, L + N, dtype=torch.int64)
    table[:, :, :L] = prompts.unsqueeze(1)
    rows = table.view(P * G, L + N)
    for n in range(N):
        logits = model(rows[:, : L + n])[:, -1].detach()
        line = torch.softmax(logits, dim=1).cumsum(dim=1)
        rows[:, L + n] = (line > draws[:, :, n].reshape(-1, 1)).int().argmax(dim=1)
    return rows


def score(parts, ids, prompt_length, truths):
    P = len(truths)
    groups = ids[:, prompt_length:].reshape(P, len(ids) // P, -1)
    worth = 10 ** torch.arange(groups.size(2) - 1, -1, -1)
    numbers = torch.where((groups < 10).all(dim=2), (groups * worth).sum(dim=2), -1)
    rewards = (numbers == torch.tensor([[int(truth)] for truth in truths])).to(torch.float32)
    mean, std = rewards.mean(1, keepdim=True), rewards.std(1, keepdim=True)
    return rewards, ((rewards - mean) / (std + 1e-4)).view(-1, 1)


def learn(parts, model, optimizer, ids, prompt_length, advantages, num_updates):
    response = ids[:, prompt_length:].unsqueeze(-1)

    def chances():
        probabilities = model(ids[:, :-1])[:, prompt_length - 1 :].softmax(dim=-1)
        return probabilities.gather(-1, response).squeeze(-1)

    before = chances().detach()
    history = []
    for _ in range(num_updates):
        ratio = chances() / before
        # A good token counts up to 1.2 times, a bad one at least 0.8 times.
        gain = torch.where(advantages > 0, ratio.clamp(max=1.2), ratio.clamp(min=0.8)) * advantages
        loss = -gain.mean(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
    return history


def reinforce(parts, model, optimizer, prompts, truths, picks, draws, num_updates):
    record = []
    for step in range(len(picks)):
        problems = picks[step]
        rows = roll_out(parts, model, prompts.index_select(0, problems), draws[step])
        rewards, advantages = score(parts, rows, prompts.size(1), [truths[int(p)] for p in problems])
        record.append(float(rewards.mean()))
        learn(parts, model, optimizer, rows, prompts.size(1), advantages, num_updates)
    return record
