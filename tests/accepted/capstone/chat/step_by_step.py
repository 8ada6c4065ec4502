"""Loops and probabilities; old turns are dropped by hand, and each token is one call of `generate`."""

import copy
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Tokenizer:
    encode: Any
    im_start: int
    im_end: int


@dataclass(frozen=True)
class Recipe:
    peak_rate: float = 1e-2
    warmup_steps: int = 8
    min_factor: float = 0.1
    weight_decay: float = 0.0


def make_batches(parts, conversations, order, tokenizer):
    encode_chat, collate = parts.chat_template.encode_chat, parts.chat_template.collate
    batches = []
    for step in range(order.shape[0]):
        rows = []
        for number in order[step]:
            rows.append(
                encode_chat(
                    conversations[int(number)],
                    tokenizer.encode,
                    im_start=tokenizer.im_start,
                    im_end=tokenizer.im_end,
                )
            )
        batches.append(collate(rows, pad_id=tokenizer.im_end))
    return batches


def chat_loss(logits, labels, weights):
    log_probs = torch.log_softmax(logits, dim=-1).roll(1, dims=1)
    picked = log_probs.gather(-1, labels.clamp(min=0)[..., None]).squeeze(-1)
    return -(picked * weights)[:, 1:].sum()


def fine_tune(parts, base, batches, recipe):
    model = copy.deepcopy(base).train()
    tools = parts.optimizer_and_schedule
    optimizer = tools.AdamW(tools.decay_groups(model, recipe.weight_decay), recipe.peak_rate)
    schedule = tools.Schedule(recipe.warmup_steps, len(batches), recipe.min_factor)
    history = []
    for batch in batches:
        ids, *targets = batch
        model.zero_grad()
        loss = chat_loss(model(ids), *targets)
        loss.backward()
        optimizer.step(factor=schedule.cosine(len(history)))
        history.append(float(loss.detach()))
    return model, history


def reply(parts, model, messages, tokenizer, context_length, max_new_tokens=8):
    def prompt_of(some):
        special = tokenizer.im_start, tokenizer.im_end
        ids, _ = parts.chat_template.encode_chat(some, tokenizer.encode, *special, add_generation_prompt=True)
        return ids

    system = [message for message in messages if message["role"] == "system"]
    rest = messages[len(system) :]
    while len(prompt_of(system + rest)) + max_new_tokens > context_length or rest[0]["role"] != "user":
        rest = rest[1:]
    ids = torch.tensor([prompt_of(system + rest)])
    begin = ids.shape[1]
    while ids.shape[1] < begin + max_new_tokens:
        ids = parts.gpt.generate(model, ids, 1)
        if ids[0, -1] == tokenizer.im_end:
            return ids[0, begin:-1].tolist(), True
    return ids[0, begin:].tolist(), False
