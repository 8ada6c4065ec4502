"""As solved from the skeleton alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Batch = tuple[Tensor, Tensor]  # inputs and targets


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


def set_up(parts: Any, vocab_size: int, recipe: Recipe) -> tuple[nn.Module, Any, list[float]]:
    config = parts.gpt.GPTConfig(
        vocab_size=vocab_size,
        block_size=recipe.context_length,
        num_layers=recipe.num_layers,
        num_heads=recipe.num_heads,
        d_model=recipe.d_model,
    )
    model = parts.gpt.GPT(config)
    opt = parts.optimizer_and_schedule
    optimizer = opt.AdamW(opt.decay_groups(model, recipe.weight_decay), lr=recipe.peak_rate)
    schedule = opt.Schedule(recipe.warmup_steps, recipe.num_steps, recipe.min_factor)
    rates = [recipe.peak_rate * schedule.cosine(step) for step in range(recipe.num_steps)]
    return model, optimizer, rates


def split(stream: Tensor, num_held_out: int, context_length: int) -> tuple[Tensor, list[Batch]]:
    cut = len(stream) - num_held_out
    train, held = stream[:cut], stream[cut:]
    inputs, targets = held[:-1], held[1:]
    full = len(inputs) // context_length * context_length
    batches = []
    if full:
        batches.append(
            (inputs[:full].reshape(-1, context_length), targets[:full].reshape(-1, context_length))
        )
    if full < len(inputs):
        batches.append((inputs[None, full:], targets[None, full:]))
    return train, batches


def pretrain(
    parts: Any,
    model: nn.Module,
    optimizer: Any,
    rates: Sequence[float],
    train: Tensor,
    held_out: Sequence[Batch],
    starts: Tensor,
    recipe: Recipe,
) -> tuple[list[float], dict[int, float]]:
    loop = parts.training_loop
    losses = []
    evals = {0: loop.evaluate(model, held_out)}
    num_steps = len(starts)
    for i in range(num_steps):
        batch = loop.get_batch(train, starts[i], recipe.context_length)
        loss, _ = loop.train_step(model, optimizer, [batch], rates[i], recipe.max_norm)
        losses.append(loss)
        done = i + 1
        if done % recipe.eval_every == 0 or done == num_steps:
            evals[done] = loop.evaluate(model, held_out)
    return losses, evals


def write(
    parts: Any, model: nn.Module, prompt: Tensor, draws: Tensor, context_length: int, temperature: float = 1.0
) -> Tensor:
    was_training = model.training
    model.eval()
    ids = prompt
    with torch.no_grad():
        for j in range(draws.shape[1]):
            logits = model(ids[:, -context_length:])[:, -1]
            probabilities = parts.sampling.next_token_probabilities(logits, ids, temperature=temperature)
            new = parts.sampling.sample(probabilities, draws[:, j])
            ids = torch.cat([ids, new[:, None]], dim=1)
    model.train(was_training)
    return ids
