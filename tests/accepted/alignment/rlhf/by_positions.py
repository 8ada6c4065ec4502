"""Everything by gathering at positions, GAE row by row, the losses as weighted sums."""

import torch


def response_outputs(outputs, prompt_length):
    count = outputs.size(1) - prompt_length
    return outputs.narrow(1, prompt_length - 1, count)


def response_advantages(rewards, values, mask, gamma, lam):
    result = torch.zeros_like(rewards)
    for row, count in enumerate(mask.sum(1).tolist()):
        ahead = torch.cat([values[row, 1:count], values.new_zeros(1)])
        errors = rewards[row, :count] + gamma * ahead - values[row, :count]
        steps = torch.arange(count)
        distance = (steps[None, :] - steps[:, None]).clamp(min=0)
        # Entry (t, s) is what the error at s is worth at t.
        weight = torch.triu(torch.as_tensor(gamma * lam, dtype=rewards.dtype) ** distance)
        result[row, :count] = weight @ errors
    return result


def _log_probs(model, ids, prompt_length, temperature):
    logits = response_outputs(model(ids), prompt_length) / temperature
    chosen = logits.gather(2, ids[:, prompt_length:, None])[:, :, 0]
    return chosen - logits.logsumexp(-1)


def collect(actor, critic, reward_model, reference, ids, mask, prompt_length, temperature, beta, gamma, lam):
    with torch.no_grad():
        old = _log_probs(actor.eval(), ids, prompt_length, temperature)
        anchor = _log_probs(reference.eval(), ids, prompt_length, temperature)
        values = response_outputs(critic.eval()(ids), prompt_length)[..., 0]
        scored = reward_model.eval()(ids)[:, prompt_length:, 0]
        # The last real token is the one whose successor is not real.
        behind = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], dim=1)
        rewards = beta * (anchor - old) + scored * (mask & ~behind)
        raw = response_advantages(rewards, values, mask, gamma, lam)
        count = mask.sum()
        mean = (raw * mask).sum() / count
        variance = ((raw - mean).square() * mask).sum() / (count - 1)
        white = (raw - mean) / torch.sqrt(variance + 1e-8)
        return {"log_probs": old, "values": values, "returns": raw + values, "advantages": white * mask}


def ppo_step(
    actor,
    critic,
    optimizer,
    ids,
    mask,
    prompt_length,
    temperature,
    experience,
    clip_range,
    value_coef,
    epochs,
):
    share = mask / mask.sum()
    actor, critic = actor.train(False), critic.train(False)
    history = []
    while len(history) < epochs:
        ratio = torch.exp(_log_probs(actor, ids, prompt_length, temperature) - experience["log_probs"])
        bounded = torch.clamp(ratio, 1 - clip_range, 1 + clip_range)
        gain = torch.minimum(ratio * experience["advantages"], bounded * experience["advantages"])
        values = response_outputs(critic(ids), prompt_length)[..., 0]
        low, high = experience["values"] - clip_range, experience["values"] + clip_range
        held = torch.maximum(torch.minimum(values, high), low)
        errors = torch.maximum((values - experience["returns"]) ** 2, (held - experience["returns"]) ** 2)
        total = ((value_coef / 2 * errors - gain) * share).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(float(total))
    return history
