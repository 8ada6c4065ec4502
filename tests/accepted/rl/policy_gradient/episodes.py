"""One episode and one step at a time, as in a textbook; the estimates of question 4 by automatic differentiation."""

import torch
from torch.distributions import Categorical


def reward_to_go(rewards, mask, discount):
    rows = []
    for row, real in zip(rewards, mask, strict=True):
        length = int(real.sum())
        steps = []
        for t in range(length):
            total = row.new_zeros(())
            for k in range(t, length):
                total = total + discount ** (k - t) * row[k]
            steps.append(total)
        steps += [row.new_zeros(())] * (len(row) - length)
        rows.append(torch.stack(steps))
    return torch.stack(rows)


def reinforce_loss(logits, actions, returns, baseline, mask, discount):
    losses = []
    for episode in range(len(actions)):
        objective = logits.new_zeros(())
        for t in range(int(mask[episode].sum())):
            advantage = (returns[episode, t] - baseline[episode, t]).item()
            log_prob = Categorical(logits=logits[episode, t]).log_prob(actions[episode, t])
            objective = objective + discount**t * advantage * log_prob
        losses.append(-objective)
    return sum(losses) / len(losses)


def leave_one_out(returns):
    if returns.shape[-1] == 1:
        raise ValueError("one episode only")
    columns = []
    for left_out in range(returns.shape[-1]):
        others = torch.cat([returns[..., :left_out], returns[..., left_out + 1 :]], dim=-1)
        columns.append(others.mean(dim=-1))
    return torch.stack(columns, dim=-1)


def estimate_moments(logits, states, actions, weights, mask, probabilities):
    estimates = []
    for episode in range(len(states)):
        table = logits.detach().clone().requires_grad_()
        length = int(mask[episode].sum())
        log_probs = torch.log_softmax(table, dim=1)[states[episode, :length], actions[episode, :length]]
        (weights[episode, :length].detach() * log_probs).sum().backward()
        estimates.append(table.grad)
    mean = torch.zeros_like(logits)
    for probability, estimate in zip(probabilities, estimates, strict=True):
        mean = mean + probability * estimate
    variance = logits.new_zeros(())
    for probability, estimate in zip(probabilities, estimates, strict=True):
        variance = variance + probability * torch.linalg.vector_norm(estimate - mean) ** 2
    return mean, variance
