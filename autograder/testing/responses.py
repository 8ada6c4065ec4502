"""Prompts and responses for alignment: conversations, padded batches with masks, and the four models of RLHF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from autograder.testing.models import load_by_name

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "a",
    "mat",
    "because",
    "it",
    "was",
    "warm",
    "猫",
    "坐在",
    "垫子上",
    "很暖和",
]


def conversation(turns: int, *, system: bool = False, seed: int = 0) -> list[dict[str, str]]:
    """A conversation of this many turns, user and assistant by turns, of uneven lengths.

    Args:
        turns: messages besides the system's; the user begins.
        system: whether a system message stands first.

    Returns: messages with `role` and `content`, as chat templates take them.
    """
    generator = torch.Generator().manual_seed(seed)
    roles = ["system"] * system + ["user", "assistant"] * ((turns + 1) // 2)
    messages = []
    for place, role in enumerate(roles[: turns + system]):
        length = 2 + (3 * place) % 5 + int(torch.randint(2, (), generator=generator))
        picked = torch.randint(len(WORDS), (length,), generator=generator).tolist()
        messages.append({"role": role, "content": " ".join(WORDS[word] for word in picked)})
    return messages


class MaskedResponses(NamedTuple):
    """Prompts with their responses, padded; every tensor is int64 [B, T].

    ids: the padding has `pad_id`, and so may real tokens.
    attention_mask: 1 = prompt or response, 0 = padding.
    response_mask: 1 = response.
    """

    ids: Tensor
    attention_mask: Tensor
    response_mask: Tensor


def masked_responses(
    prompts: Sequence[int],
    responses: Sequence[int],
    side: Literal["left", "right", "both"] = "both",
    *,
    vocab_size: int = 11,
    pad_id: int = 0,
    seed: int = 0,
) -> MaskedResponses:
    """Random ids of these lengths.

    Args:
        prompts, responses: lengths, one of each for a row.
        side: where rows are padded. "both": prompts on the left and responses on the right, as they come from generation, so
            that all responses begin in one column, `max(prompts)`.

    Raises:
        ValueError: for another side, or where the lengths are not as many.
    """
    if side not in ("left", "right", "both"):
        raise ValueError(f"side is 'left', 'right' or 'both', not {side!r}")
    generator = torch.Generator().manual_seed(seed)
    lengths = list(zip(prompts, responses, strict=True))
    width = (
        max(prompts) + max(responses)
        if side == "both"
        else max(prompt + answer for prompt, answer in lengths)
    )
    ids = torch.full((len(lengths), width), pad_id)
    attention_mask, response_mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(lengths):
        begin = {"left": width - prompt - answer, "right": 0, "both": max(prompts) - prompt}[side]
        whole = slice(begin, begin + prompt + answer)
        ids[row, whole] = torch.randint(vocab_size, (prompt + answer,), generator=generator)
        attention_mask[row, whole] = 1
        response_mask[row, begin + prompt : begin + prompt + answer] = 1
    return MaskedResponses(ids, attention_mask, response_mask)


class FourModels(NamedTuple):
    """Actor and reference give logits [B, T, V] of ids [B, T]; critic and reward model a number for each position, [B, T, 1]."""

    actor: Any
    critic: Any
    reward_model: Any
    reference: Any


def four_models(
    build: Callable[..., Any] | None = None,
    *,
    vocab_size: int = 7,
    width: int = 3,
    dropout: float = 0.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
) -> FourModels:
    """The models of RLHF, tiny: each looks at a position's token and the two before it, and no two have the same weights.

    Args:
        build: the fixture, for models on the student's side; without it the same models here, to compare with.
        dropout: before the output layer. The models are in training mode.
    """

    def make(name: str, *args: Any, **kwargs: Any) -> Any:
        return (
            build(name, *args, **kwargs) if build else getattr(nn, name.rpartition(".")[2])(*args, **kwargs)
        )

    def model(outputs: int, number: int) -> Any:
        made = make(
            "torch.nn.Sequential",
            make("torch.nn.Embedding", vocab_size, width, dtype=dtype),
            make("torch.nn.Unflatten", 0, (-1, 1)),  # [B, 1, T, C]: an image of one channel
            make("torch.nn.ZeroPad2d", (0, 0, 2, 0)),
            make("torch.nn.Conv2d", 1, 1, (3, 1), dtype=dtype),  # three positions, the last of them its own
            make("torch.nn.Flatten", 0, 1),  # [B, T, C]
            make("torch.nn.Dropout", dropout),
            make("torch.nn.Linear", width, outputs, dtype=dtype),
        )
        shapes = {
            "0.weight": (vocab_size, width),
            "3.weight": (1, 1, 3, 1),
            "3.bias": (1,),
            "6.weight": (outputs, width),
            "6.bias": (outputs,),
        }
        load_by_name(made, shapes, scale=0.8, seed=4 * seed + number, dtype=dtype)
        return made

    return FourModels(model(vocab_size, 0), model(1, 1), model(1, 2), model(vocab_size, 3))
