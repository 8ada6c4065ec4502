"""What code can set for its whole process and forget: each test begins with what the file left when it was loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _settings() -> list[tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """How each is read, and set."""
    import numpy
    import torch

    return [
        (torch.is_grad_enabled, torch._C._set_grad_enabled),
        (torch.get_default_dtype, torch.set_default_dtype),
        # A processor that was named stays a mode, through which every call goes from then on.
        (
            torch.get_default_device,
            lambda device: torch.set_default_device(None if device.type == "cpu" else device),
        ),
        (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
        (numpy.geterr, lambda errors: numpy.seterr(**errors)),
    ]


def read_settings() -> list[Any]:
    """Their values, for `restore_settings`."""
    return [read() for read, _ in _settings()]


def restore_settings(values: list[Any]) -> None:
    """Set those that are no longer what they were."""
    for (read, write), value in zip(_settings(), values, strict=True):
        if read() != value:
            write(value)
