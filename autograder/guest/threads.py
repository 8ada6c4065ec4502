"""torch's pool of threads in a process that was forked."""

from __future__ import annotations

import torch


def renew_pool() -> None:
    """Let torch make its pool anew, in a child that has one thread still.

    It does so at first use. Two threads that come to it at once, as the ranks of a distributed exercise do, find one that is
    being made, and torch raises "Invalid thread pool!" (aten/src/ATen/ParallelOpenMP.cpp, set_num_threads).
    """
    torch.set_num_threads(1)
