"""What the `gradients` helper says of a result without a graph. Without torch: who explains it needs none."""

from __future__ import annotations


class CutGraph(RuntimeError):
    """A result that depends on nothing that could have a gradient."""
