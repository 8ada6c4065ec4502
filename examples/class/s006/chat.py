import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Message = dict[str, str]
Batch = tuple[Tensor, Tensor, Tensor]  # ids, labels and weights, each [B, T], as from `collate`


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


def make_batches(
    parts: Any, conversations: Sequence[list[Message]], order: Tensor, tokenizer: Tokenizer
) -> list[Batch]:
    template = parts.chat_template
    encoded = [
        template.encode_chat(messages, tokenizer.encode, tokenizer.im_start, tokenizer.im_end)
        for messages in conversations
    ]
    batches = [template.collate([encoded[i] for i in rows], tokenizer.im_end) for rows in order.tolist()]
    return [
        (ids, labels.masked_fill(ids == tokenizer.im_end, -100), weights) for ids, labels, weights in batches
    ]


def chat_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
    return (weights[:, 1:] * losses).sum()


def fine_tune(
    parts: Any, base: nn.Module, batches: Sequence[Batch], recipe: Recipe
) -> tuple[nn.Module, list[float]]:
    model = copy.deepcopy(base)
    optimization = parts.optimizer_and_schedule
    groups = optimization.decay_groups(model, recipe.weight_decay)
    optimizer = optimization.AdamW(groups, lr=recipe.peak_rate)
    schedule = optimization.Schedule(recipe.warmup_steps, len(batches), recipe.min_factor)
    batch_losses = []
    for step, (ids, labels, weights) in enumerate(batches):
        loss = chat_loss(model(ids), labels, weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(schedule.cosine(step))
        batch_losses.append(loss.item())
    return model, batch_losses


def reply(
    parts: Any,
    model: nn.Module,
    messages: list[Message],
    tokenizer: Tokenizer,
    context_length: int,
    max_new_tokens: int = 8,
) -> tuple[list[int], bool]:
    template = parts.chat_template

    def prompt_of(kept: list[Message]) -> list[int]:
        return template.encode_chat(kept, tokenizer.encode, tokenizer.im_start, tokenizer.im_end, True)[0]

    kept = template.truncate(messages, context_length - max_new_tokens, lambda some: len(prompt_of(some)))
    prompt, answer = prompt_of(kept), []
    with torch.no_grad():
        for _ in range(max_new_tokens):
            token = int(model(torch.tensor([prompt + answer]))[0, -1].argmax())
            if token == tokenizer.im_end:
                return answer, True
            answer.append(token)
    return answer, False
    # END SOLUTION
