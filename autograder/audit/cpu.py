"""CPU seconds of a process together with everything that it has started."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree_seconds(root: int | None = None) -> float:
    """CPU seconds that a process (by default this one) and its descendants have used until now.

    The living ones are read from /proc; what has ended is in the account of whoever waited for it. So a child counts
    from its first moment on, and none counts twice.
    """
    children: dict[int, list[int]] = defaultdict(list)
    seconds: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has just ended
                # proc_pid_stat(5): after the name in parentheses, fields 3 and on
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                children[int(fields[1])].append(int(entry.name))
                seconds[int(entry.name)] = sum(map(int, fields[11:15])) / TICKS
    total, pending = 0.0, [os.getpid() if root is None else root]
    while pending:
        pid = pending.pop()
        total += seconds.get(pid, 0.0)
        pending += children[pid]
    return total
