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
    sizes = parts.gpt.GPTConfig(
        vocab_size=vocab_size,
        block_size=recipe.context_length,
        num_layers=recipe.num_layers,
        num_heads=recipe.num_heads,
        d_model=recipe.d_model,
    )
    model = parts.gpt.GPT(sizes)
    optimization = parts.optimizer_and_schedule
    groups = optimization.decay_groups(model, recipe.weight_decay)
    optimizer = optimization.AdamW(groups, lr=recipe.peak_rate)
    schedule = optimization.Schedule(recipe.warmup_steps, recipe.num_steps, recipe.min_factor)
    rates = [recipe.peak_rate * schedule.cosine(step) for step in range(recipe.num_steps)]
    return model, optimizer, rates


def split(stream: Tensor, num_held_out: int, context_length: int) -> tuple[Tensor, list[Batch]]:
    train, held_out = stream, stream[-num_held_out:]
    sides = held_out[:-1], held_out[1:]
    whole = (num_held_out - 1) // context_length * context_length
    rows = tuple(side[:whole].view(-1, context_length) for side in sides)
    rest = tuple(side[whole:].unsqueeze(0) for side in sides)
    return train, [batch for batch in (rows, rest) if batch[0].numel()]


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
    train_losses, held_out_losses = [], {0: loop.evaluate(model, held_out)}
    for step, rate in enumerate(rates):
        batch = loop.get_batch(train, starts[step], recipe.context_length)
        loss, _ = loop.train_step(model, optimizer, [batch], rate, recipe.max_norm)
        train_losses.append(loss)
        updates = step + 1
        if updates % recipe.eval_every == 0 or updates == len(rates):
            held_out_losses[updates] = loop.evaluate(model, held_out)
    return train_losses, held_out_losses


def write(
    parts: Any, model: nn.Module, prompt: Tensor, draws: Tensor, context_length: int, temperature: float = 1.0
) -> Tensor:
    was_training = model.training
    model.eval()
    ids = prompt
    with torch.no_grad():
        for draw in draws.unbind(1):
            logits = model(ids[:, -context_length:])[:, -1]
            probabilities = parts.sampling.next_token_probabilities(logits, ids, temperature)
            ids = torch.cat([ids, parts.sampling.sample(probabilities, draw)[:, None]], dim=1)
    model.train(was_training)
    return ids
    # END SOLUTION
