"""Learned places are picked out of flat tensors; a partial encoder, an iterator for the tokens, comprehensions."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Tokenizer:
    encode: Callable[[str], list[int]]
    im_start: int
    im_end: int


@dataclass(frozen=True)
class Recipe:
    peak_rate: float = 1e-2
    warmup_steps: int = 8
    min_factor: float = 0.1
    weight_decay: float = 0.0


def make_batches(parts, conversations, order, tokenizer):
    render = partial(
        parts.chat_template.encode_chat,
        encode=tokenizer.encode,
        im_start=tokenizer.im_start,
        im_end=tokenizer.im_end,
    )
    return [
        parts.chat_template.collate([render(conversations[i]) for i in step], tokenizer.im_end)
        for step in order.tolist()
    ]


def chat_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    rows, places = (labels[:, 1:] != -100).nonzero(as_tuple=True)
    before, at = logits[rows, places], labels[rows, places + 1]
    chosen = before[torch.arange(len(at)), at]
    return torch.dot((before.logsumexp(-1) - chosen), weights[rows, places + 1].to(logits.dtype))


def fine_tune(parts, base: nn.Module, batches, recipe: Recipe):
    total = len(batches)
    schedule = parts.optimizer_and_schedule.Schedule(
        warmup_steps=recipe.warmup_steps, total_steps=total, min_factor=recipe.min_factor
    )
    factors = [schedule.cosine(step) for step in range(total)]
    model = deepcopy(base)
    optimizer = parts.optimizer_and_schedule.AdamW(
        parts.optimizer_and_schedule.decay_groups(model, recipe.weight_decay), lr=recipe.peak_rate
    )

    def update(factor, ids, labels, weights):
        loss = chat_loss(model(ids), labels, weights)
        loss.backward()
        optimizer.step(factor)
        optimizer.zero_grad()
        return loss.item()

    return model, [update(factor, *batch) for factor, batch in zip(factors, batches, strict=True)]


@torch.inference_mode()
def reply(parts, model, messages, tokenizer, context_length, max_new_tokens=8):
    template = parts.chat_template

    def encoded(some):
        special = tokenizer.im_start, tokenizer.im_end
        return template.encode_chat(some, tokenizer.encode, *special, add_generation_prompt=True)[0]

    kept = template.truncate(messages, context_length - max_new_tokens, lambda some: len(encoded(some)))

    def stream() -> Iterator[int]:
        ids = torch.tensor(encoded(kept))
        while True:
            scores = model(ids[None])[0, -1]
            yield int(scores.topk(1).indices)
            ids = torch.cat([ids, scores.argmax()[None]])

    model.eval()
    read: list[int] = []

    def heard(token: int) -> bool:
        read.append(token)
        return token != tokenizer.im_end

    answer = list(takewhile(heard, islice(stream(), max_new_tokens)))
    return answer, tokenizer.im_end in read
