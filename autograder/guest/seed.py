"""Repeatable random numbers: torch, numpy and the standard library, seeded together."""

from __future__ import annotations

import random
import zlib


def seed_everything(seed: int) -> None:
    """Seed the three generators a submission or a test may draw from."""
    import numpy
    import torch

    # torch.manual_seed() does this and, for accelerators that aren't there, formats a traceback: a millisecond a call.
    torch.default_generator.manual_seed(seed)
    numpy.random.seed(seed % 2**32)
    random.seed(seed)


def seed_of(name: str) -> int:
    """A test's seed, from its name: the same in every run and every mode."""
    return zlib.crc32(name.encode())
