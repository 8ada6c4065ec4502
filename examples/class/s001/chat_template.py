from collections.abc import Callable

import torch
from torch import Tensor

ROLES = ("system", "user", "assistant")
IGNORE_INDEX = -100  # the label of a token that isn't learned

Message = dict[str, str]


def render(messages: list[Message], add_generation_prompt: bool = False) -> str:
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return text + "<|im_start|>assistant\n" if add_generation_prompt else text


def encode_chat(
    messages: list[Message],
    encode: Callable[[str], list[int]],
    im_start: int,
    im_end: int,
    add_generation_prompt: bool = False,
) -> tuple[list[int], list[int]]:
    ids: list[int] = []
    labels: list[int] = []

    def add(tokens: list[int], learned: bool) -> None:
        ids.extend(tokens)
        labels.extend(tokens if learned else [IGNORE_INDEX] * len(tokens))

    for message in messages:
        role = message["role"]
        if role not in ROLES:
            raise ValueError(f"unknown role {role!r}")
        learned = role == "assistant"
        add([im_start, *encode(role + "\n")], False)
        add([*encode(message["content"]), im_end], learned)
        add(list(encode("\n")), False)
    if add_generation_prompt:
        add([im_start, *encode("assistant\n")], False)
    return ids, labels


def collate(examples: list[tuple[list[int], list[int]]], pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    longest = max((len(row) for row, _ in examples), default=0)
    shape = (len(examples), longest)
    ids = torch.full(shape, pad_id, dtype=torch.int64)
    labels = torch.full(shape, IGNORE_INDEX, dtype=torch.int64)
    weights = torch.zeros(shape, dtype=torch.float32)
    turns: list[tuple[int, int, int]] = []
    for i, (row_ids, row_labels) in enumerate(examples):
        ids[i, : len(row_ids)] = torch.tensor(row_ids, dtype=torch.int64)
        labels[i, : len(row_labels)] = torch.tensor(row_labels, dtype=torch.int64)
        start = None
        for t, label in enumerate([*row_labels, IGNORE_INDEX]):
            if label != IGNORE_INDEX and start is None:
                start = t
            elif label == IGNORE_INDEX and start is not None:
                turns.append((i, start, t))
                start = None
    for i, start, stop in turns:
        weights[i, start:stop] = 1 / (len(turns) * (stop - start))
    return ids, labels, weights


def truncate(
    messages: list[Message], max_length: int, length: Callable[[list[Message]], int]
) -> list[Message]:
    first = 1 if messages and messages[0]["role"] == "system" else 0
    system = messages[:first]
    for start in range(first, len(messages)):
        if messages[start]["role"] == "user":
            kept = system + messages[start:]
            if length(kept) <= max_length:
                return kept
    raise ValueError("the last user turn does not fit")
