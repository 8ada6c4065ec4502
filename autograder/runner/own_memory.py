"""A cap on what one test may take of this process's memory, whatever it makes of a submission's answers.

What a submission sends is counted (see `autograder.remote.intake`). What a test makes of it is not: `list(x)`, a
comparison that broadcasts. Without a cap the system would end this process, and with it the grading of a class.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from autograder.remote.errors import out_of_memory
from autograder.remote.intake import TooMuch

# Left in any case: what can't lie in freed memory, such as the stacks of threads.
ROOM = 64 << 20
LITTLE = 16 << 20  # what makes no difference to a limit


@contextmanager
def own_memory(mebibytes: int) -> Iterator[None]:
    """In the block this process may take about so many MiB more than it uses now; what exceeds that is TooMuch.

    Only the Linux kernel keeps such a limit. The C library and torch raise where it is met; nothing ends the process.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    taken = _mapped()
    # A greedy test leaves its memory scattered and free, but mapped. That must not add to what the next one may take.
    limit = max(taken - _free.of(taken) + (mebibytes << 20), taken + ROOM)
    for ceiling in (soft, hard):
        if ceiling != resource.RLIM_INFINITY:
            limit = min(limit, ceiling)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
        return
    except BaseException as error:
        if not out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)  # they hold what has filled it
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    gc.collect()
    if _libc() is not None:
        _libc().malloc_trim(0)
    raise TooMuch("its test needed more memory than a test may")


class _Mallinfo(ctypes.Structure):
    # How much is taken, in eight ways; free; free at the top.
    _fields_ = [
        ("others", ctypes.c_size_t * 8),
        ("fordblks", ctypes.c_size_t),
        ("keepcost", ctypes.c_size_t),
    ]


@cache
def _libc() -> Any:
    """The C library, where it is one that tells how much of its memory is free: glibc from 2.33 on."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return None
    library.mallinfo2.restype = _Mallinfo
    return library


class _Free:
    """Bytes that are mapped and free, as last counted; 0 where that is not known.

    The C library goes through all its free blocks to count them, which takes up to 0.4 ms. So it is asked only where
    more is mapped than the last time, or where much was free.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._free = 0

    def of(self, taken: int) -> int:
        """How many of these bytes are free."""
        if _libc() is not None and (taken > self._taken + LITTLE or self._free > LITTLE):
            self._taken, self._free = taken, _libc().mallinfo2().fordblks
        return self._free


_free = _Free()


def _mapped() -> int:
    """Bytes of data that this process has mapped."""
    statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(statm, 256).split()[5]) * os.sysconf("SC_PAGE_SIZE")
    finally:
        os.close(statm)
