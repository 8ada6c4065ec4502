"""As little of the parts as possible: own schedule, loss, rows and draw; new tokens go into a tensor that is there."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Recipe:
    context_length: int = 16
    num_layers: int = 2
    num_heads: int = 2
    d_model: int = 32
    num_steps: int = 200
    peak_rate: float = 2e-2
    warmup_steps: int = 20
    min_factor: float = 0.1
    weight_decay: float = 0.1
    max_norm: float = 1.0
    eval_every: int = 20


def learning_rate(recipe, step):
    if step < recipe.warmup_steps:
        return recipe.peak_rate * step / recipe.warmup_steps
    angle = math.pi * (step - recipe.warmup_steps) / (recipe.num_steps - recipe.warmup_steps)
    least = recipe.peak_rate * recipe.min_factor
    return least + (recipe.peak_rate - least) * (math.cos(angle) + 1) / 2


def set_up(parts, vocab_size, recipe):
    model = parts.gpt.GPT(
        parts.gpt.GPTConfig(
            vocab_size, recipe.context_length, recipe.num_layers, recipe.num_heads, recipe.d_model
        )
    )
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = parts.optimizer_and_schedule.AdamW(groups, lr=recipe.peak_rate)
    return model, optimizer, [learning_rate(recipe, step) for step in range(recipe.num_steps)]


def split(stream, num_held_out, context_length):
    train, held_out = stream.tensor_split([len(stream) - num_held_out])
    batches = []
    first = 0
    while first + context_length < num_held_out:
        window = held_out.narrow(0, first, context_length + 1)
        batches.append((window[:-1].view(1, -1), window[1:].view(1, -1)))
        first += context_length
    if first < num_held_out - 1:
        batches.append((held_out[first:-1].view(1, -1), held_out[first + 1 :].view(1, -1)))
    return train, batches


def measure(model, batches):
    mode = model.training
    model.eval()
    sums, count = 0.0, 0
    with torch.no_grad():
        for inputs, targets in batches:
            log_probs = F.log_softmax(model(inputs), dim=-1)
            sums -= log_probs.gather(2, targets[..., None]).sum().item()
            count += targets.numel()
    model.train(mode)
    return sums / count


def pretrain(parts, model, optimizer, rates, train, held_out, starts, recipe):
    offsets = torch.arange(recipe.context_length)
    losses, record = [], {0: measure(model, held_out)}
    for step in range(len(rates)):
        places = starts[step].unsqueeze(1) + offsets
        micro_batches = ((train[places], train[places + 1]),)
        loss, _norm = parts.training_loop.train_step(
            model, optimizer, micro_batches, learning_rate=rates[step], max_norm=recipe.max_norm
        )
        losses.append(loss)
        if (step + 1) % recipe.eval_every == 0:
            record[step + 1] = measure(model, held_out)
    if len(rates) not in record:
        record[len(rates)] = measure(model, held_out)
    return losses, record


@torch.inference_mode()
def write(parts, model, prompt, draws, context_length, temperature=1.0):
    mode = model.training
    model.eval()
    rows, known = prompt.shape
    ids = torch.empty(rows, known + draws.shape[1], dtype=torch.int64)
    ids[:, :known] = prompt
    for place in range(known, ids.shape[1]):
        logits = model(ids[:, max(0, place - context_length) : place])[:, -1, :]
        line = torch.softmax(logits / temperature, dim=-1).cumsum(dim=-1)
        ids[:, place] = (line > draws[:, place - known, None]).int().argmax(dim=-1)
    model.train(mode)
    return ids
