"""Make an object of a torch class by its dotted name, on the side where the student's code runs."""

from __future__ import annotations

import importlib
from typing import Any


def build_torch(name: str, *args: Any, **kwargs: Any) -> Any:
    """`build_torch("torch.nn.Linear", 4, 3)` -> a Linear. ValueError for a name outside torch or unknown."""
    module, _, attribute = name.rpartition(".")
    if module.split(".")[0] != "torch":
        raise ValueError(
            f"build() makes torch classes only, not {name!r}; write the full name, as torch.nn.Linear"
        )
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError):
        raise ValueError(f"build(): there is no {name!r} in this torch") from None
    return factory(*args, **kwargs)
