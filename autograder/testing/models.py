"""Models that a test needs: the sizes of a tiny GPT, weights for named parameters, a language model whose answers are known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def tiny_gpt_config(**changes: int) -> dict[str, int]:
    """The sizes of a GPT of which no two can be confused: 3 layers, 2 heads of 4 channels, 13 tokens, 7 positions.

    Args:
        changes: other values for `vocab_size`, `block_size`, `num_layers`, `num_heads`, `d_model`.

    Raises:
        TypeError: for another name.
    """
    sizes = {"vocab_size": 13, "block_size": 7, "num_layers": 3, "num_heads": 2, "d_model": 8}
    if unknown := changes.keys() - sizes.keys():
        raise TypeError(f"a GPT has no size {sorted(unknown)}; it has {', '.join(sizes)}")
    return sizes | changes


def load_by_name(
    module: Any,
    shapes: Mapping[str, Sequence[int]],
    *,
    scale: float = 0.5,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Tensor]:
    """Give a module random weights, by the names and shapes that its statement fixes; return them.

    Biases and norms' weights are random, too, so that none can be forgotten.

    Args:
        module: of the student's or the reference; its `load_state_dict` is called, which refuses other names.
        shapes: parameter name -> shape, in any order: the same name and seed give the same values.
        scale: the standard deviation; norms' weights (one axis, "weight" in the name) have mean 1.
    """
    weights = {}
    for name, shape in shapes.items():
        draw = torch.randn(*shape, generator=_generator(seed, name), dtype=torch.float64) * scale
        weights[name] = (draw + (len(shape) == 1 and "weight" in name)).to(dtype)
    module.load_state_dict(weights)
    return weights


class NextTokenModel:
    """See `next_token_model`. `calls` counts how often it was asked, `rows` the sequences in all of that."""

    def __init__(self, logits: Callable[[tuple[int, ...]], Tensor], last: bool) -> None:
        self._logits, self._last = logits, last
        self.calls = self.rows = 0

    def __call__(self, ids: Tensor) -> Tensor:
        """Logits [B, T, V] of the token after each prefix of `ids`, int64 [B, T]; [B, V], those after it, with `last`."""
        self.calls += 1
        self.rows += len(ids)
        sequences = ids.tolist()
        if self._last:
            return torch.stack([self.after(row) for row in sequences])
        return torch.stack(
            [torch.stack([self.after(row[: t + 1]) for t in range(len(row))]) for row in sequences]
        )

    def after(self, prefix: Sequence[int]) -> Tensor:
        """Logits [V] of the token after one prefix; not counted. A test lists all continuations with it."""
        return self._logits(tuple(prefix))


def next_token_model(
    *,
    table: Mapping[tuple[int, ...], Sequence[float]] | None = None,
    seed: int = 0,
    vocab: int = 5,
    scale: float = 1.5,
    eos: int | None = None,
    eos_bonus: float | Callable[[int], float] = 0.0,
    normalised: bool = False,
    last: bool = False,
) -> NextTokenModel:
    """A language model whose logits depend on every token of the prefix, in order.

    Args:
        table: prefix -> logits [V]; what it lacks is drawn at random, by prefix and `seed`.
        vocab: tokens, where there is no table.
        scale: the standard deviation of what is drawn.
        eos: the token that gets `eos_bonus`, a number or a function of the prefix's length: `lambda n: 50.0 if n >= 6
            else -50.0` makes the end certain.
        normalised: log-probabilities instead of logits.
        last: answer for the whole prefix alone, [B, V].
    """
    known = {prefix: torch.tensor(row, dtype=torch.float32) for prefix, row in (table or {}).items()}
    size = len(next(iter(known.values()))) if known else vocab

    def logits(prefix: tuple[int, ...]) -> Tensor:
        row = known.get(prefix)
        if row is None:
            row = torch.randn(size, generator=_generator(seed, prefix)) * scale
        if eos is not None:
            row = row.clone()
            row[eos] += eos_bonus(len(prefix)) if callable(eos_bonus) else eos_bonus
        return row.log_softmax(-1) if normalised else row

    return NextTokenModel(logits, last)


def given_draws(*shape: int, seed: int = 0) -> Tensor:
    """Uniform draws of [0, 1) for a sampler, float32, the two ends among the first: 0 and the largest below 1."""
    draws = torch.rand(*shape, generator=_generator(seed, "draws"))
    flat = draws.view(-1)
    flat[:2] = torch.tensor([0.0, 1.0 - 2.0**-24])[: len(flat)]
    return draws


def _generator(*key: Any) -> torch.Generator:
    """The same draws for the same key, in every process."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)
