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
    return [template.collate([encoded[j] for j in row], tokenizer.im_end) for row in order.tolist()]


def chat_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    targets = labels[:, 1:]
    # cross_entropy gives 0 for -100, whatever the logits are
    losses = F.cross_entropy(
        logits[:, :-1].transpose(1, 2).float(), targets, ignore_index=-100, reduction="none"
    )
    return (losses * weights[:, 1:]).sum().to(logits.dtype)


def fine_tune(
    parts: Any, base: nn.Module, batches: Sequence[Batch], recipe: Recipe
) -> tuple[nn.Module, list[float]]:
    model = copy.deepcopy(base)
    losses: list[float] = []
    if len(batches) == 0:
        return model, losses
    training = parts.optimizer_and_schedule
    optimizer = training.AdamW(training.decay_groups(model, recipe.weight_decay), lr=recipe.peak_rate)
    schedule = training.Schedule(recipe.warmup_steps, len(batches), recipe.min_factor)
    model.train()
    for i, (ids, labels, weights) in enumerate(batches):
        optimizer.zero_grad()
        loss = chat_loss(model(ids), labels, weights)
        loss.backward()
        optimizer.step(schedule.cosine(i))
        losses.append(loss.item())
    optimizer.zero_grad()
    model.train(base.training)
    return model, losses


def reply(
    parts: Any,
    model: nn.Module,
    messages: list[Message],
    tokenizer: Tokenizer,
    context_length: int,
    max_new_tokens: int = 8,
) -> tuple[list[int], bool]:
    template = parts.chat_template

    def prompt_ids(kept: list[Message]) -> list[int]:
        ids, _ = template.encode_chat(
            kept, tokenizer.encode, tokenizer.im_start, tokenizer.im_end, add_generation_prompt=True
        )
        return ids

    budget = context_length - max_new_tokens
    ids = prompt_ids(messages)
    if len(ids) > budget:
        ids = prompt_ids(template.truncate(messages, budget, lambda kept: len(prompt_ids(kept))))

    answer: list[int] = []
    ended = False
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for _ in range(max_new_tokens):
                token = int(model(torch.tensor([ids + answer]))[0, -1].argmax())
                if token == tokenizer.im_end:
                    ended = True
                    break
                answer.append(token)
    finally:
        model.train(was_training)
    return answer, ended
