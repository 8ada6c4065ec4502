"""Small helpers and generators; rows are made one by one; tokens are written into a tensor that exists already."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


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


def set_up(parts, vocab_size, recipe):
    tools = parts.optimizer_and_schedule
    model = parts.gpt.GPT(
        parts.gpt.GPTConfig(
            vocab_size, recipe.context_length, recipe.num_layers, recipe.num_heads, recipe.d_model
        )
    )
    optimizer = tools.AdamW(tools.decay_groups(model, recipe.weight_decay), recipe.peak_rate)
    factor = tools.Schedule(recipe.warmup_steps, recipe.num_steps, recipe.min_factor).cosine
    rates = list(map(factor, range(recipe.num_steps)))
    return model, optimizer, [recipe.peak_rate * each for each in rates]


def _rows(tokens: torch.Tensor, width: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for first in range(0, len(tokens) - 1, width):
        window = tokens[first : first + width + 1]
        yield window[None, :-1], window[None, 1:]


def split(stream, num_held_out, context_length):
    border = len(stream) - num_held_out
    return stream[:border], list(_rows(stream[border:], context_length))


def pretrain(parts, model, optimizer, rates, train, held_out, starts, recipe):
    total = len(rates)
    marks = {*range(0, total, recipe.eval_every), total}
    losses, record = [], {}
    for done in range(total + 1):
        if done in marks:
            record[done] = parts.training_loop.evaluate(model, held_out)
        if done < total:
            batch = parts.training_loop.get_batch(train, starts[done], recipe.context_length)
            losses += parts.training_loop.train_step(
                model, optimizer, (batch,), rates[done], recipe.max_norm
            )[:1]
    return losses, record


@contextmanager
def _evaluating(model):
    mode = model.training
    model.train(False)
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(mode)


def write(parts, model, prompt, draws, context_length, temperature=1.0):
    rows, known = prompt.shape
    ids = torch.empty(rows, known + draws.shape[1], dtype=torch.int64)
    ids[:, :known] = prompt
    with _evaluating(model):
        for place in range(known, ids.shape[1]):
            window = ids[:, max(0, place - context_length) : place]
            probabilities = parts.sampling.next_token_probabilities(
                model(window).select(1, -1), window, temperature=temperature
            )
            ids[:, place] = parts.sampling.sample(probabilities, draws[:, place - known])
    return ids
