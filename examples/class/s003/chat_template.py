from collections.abc import Callable

import torch
from torch import Tensor

ROLES = ("system", "user", "assistant")
IGNORE_INDEX = -100  # the label of a token that isn't learned

Message = dict[str, str]


def render(messages: list[Message], add_generation_prompt: bool = False) -> str:
    text = "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages)
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

    def add(piece: list[int], learned: bool) -> None:
        ids.extend(piece)
        labels.extend(piece if learned else [IGNORE_INDEX] * len(piece))

    for message in messages:
        role = message["role"]
        if role not in ROLES:
            raise ValueError(f"the role {role!r} is none of {', '.join(ROLES)}")
        add([im_start, *encode(f"{role}\n")], learned=False)
        add(encode(message["content"]), learned=role == "assistant")
        add([im_end], learned=False)
        add(encode("\n"), learned=False)
    if add_generation_prompt:
        add([im_start, *encode("assistant\n")], learned=False)
    return ids, labels


def collate(examples: list[tuple[list[int], list[int]]], pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    shape = (len(examples), max(len(ids) for ids, _ in examples))
    batch_ids, batch_labels = torch.full(shape, pad_id), torch.full(shape, IGNORE_INDEX)
    for row, (ids, labels) in enumerate(examples):
        batch_ids[row, : len(ids)] = torch.tensor(ids)
        batch_labels[row, : len(labels)] = torch.tensor(labels)

    learned = batch_labels != IGNORE_INDEX
    begins = learned.clone()
    begins[:, 1:] &= ~learned[:, :-1]
    # The turns of the batch are numbered from 1 on; 0 is everything else.
    turns = begins.flatten().cumsum(dim=0).reshape(shape) * learned
    sizes = turns.flatten().bincount()
    weights = learned / (begins.sum().clamp(min=1) * sizes[turns])
    return batch_ids, batch_labels, weights


def truncate(
    messages: list[Message], max_length: int, length: Callable[[list[Message]], int]
) -> list[Message]:
    system = [message for message in messages[:1] if message["role"] == "system"]
    for first, message in enumerate(messages):
        kept = system + messages[first:]
        if message["role"] == "user" and length(kept) <= max_length:
            return kept
    raise ValueError(f"the last turns alone have more than {max_length} tokens")
    # END SOLUTION
