"""The zygote's memory, laid out so that its children copy few pages. Purely an optimisation."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

from autograder.sandbox.linux import libc

MADV_COLLAPSE = 25  # Linux 6.1


def fill_holes() -> int:
    """Use up, for good, what malloc has free between blocks in use, so that a child's blocks come one after another.

    Each hole that a child takes lies in a page of its own, which the kernel must copy.

    Returns: how many bytes were used up.
    """
    libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
    end, filled = libc.sbrk(ctypes.c_long(0)), 0
    for size in [*(1 << power for power in range(16, 10, -1)), *range(1024, 0, -16)]:
        while (block := libc.malloc(ctypes.c_size_t(size))) and block < end:
            filled += size
        libc.free(ctypes.c_void_p(block))
    return filled


def collapse_pages(maps: int) -> Iterator[int]:
    """Gather this process's anonymous memory into huge pages, one at a time: forking then copies fewer page-table entries.

    Measured with torch and torch._dynamo imported: a fork takes 5.5 ms instead of 18, and all the pages together 0.5 s.
    What the kernel won't collapse stays as it is.

    Args:
        maps: a descriptor of this process's /proc/self/maps.
    Yields: how many bytes were collapsed.
    """
    huge = 1 << 21
    with open(os.dup(maps), encoding="utf-8") as lines:
        regions = lines.readlines()
    for line in regions:
        span, permissions, _, _, inode, *_ = line.split()
        low, high = (int(bound, 16) for bound in span.split("-"))
        if permissions != "rw-p" or inode != "0":
            continue
        for page in range(-(-low // huge) * huge, high - huge + 1, huge):
            failed = libc.madvise(ctypes.c_void_p(page), ctypes.c_size_t(huge), MADV_COLLAPSE)
            yield 0 if failed else huge
