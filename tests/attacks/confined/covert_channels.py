"""Covert channels: what one child leaves in the kernel, and another one of the same student reads.

A hidden input that one exercise sees could come out through another one's error. Which pages of a file are in memory, and
who has locked what, is asked and changed by calls that the filter lacks.
"""

from __future__ import annotations


def _calls(name: str, *args: str) -> str:
    """A raw system call; the answer is its errno's name."""
    return f"from raw import *\ndef attack():\n    return system_call({name!r}, {', '.join(args)})\n"


DENIED = ("EPERM", "ENOSYS")

_OPENED = "import fcntl, mmap, os\ndef attack():\n    fd = os.open(os.__file__, os.O_RDONLY)\n    "
ATTACKS = {
    name: (f"{_OPENED}{call}\n    return 'went through'\n", (PermissionError,))
    for name, call in {
        "pages pushed out of memory": "os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)",
        "pages asked for at once or never": "os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)",
        "a lock on a file": "fcntl.flock(fd, fcntl.LOCK_SH)",
        "a lock on some bytes": "fcntl.lockf(fd, fcntl.LOCK_SH, 1, 7)",
        "who holds a lock": "fcntl.fcntl(fd, fcntl.F_GETLK, bytes([1] + [0] * 31))",
        "a lock of an open file": "fcntl.fcntl(fd, fcntl.F_OFD_SETLK, bytes(32))",
        "a lease": "fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)",
        "a watch on a folder": "fcntl.fcntl(os.open('/usr', 0), fcntl.F_NOTIFY, fcntl.DN_ACCESS)",
        **{
            f"advice {advice} on a file's pages": f"mmap.mmap(fd, 1, mmap.MAP_PRIVATE, mmap.PROT_READ).madvise({advice})"
            for advice in (3, 20, 21, 22)  # WILLNEED, COLD, PAGEOUT, POPULATE_READ
        },
    }.items()
} | {
    f"system call {name}": (_calls(name, *args), DENIED)
    for name, args in {
        "fadvise64": ("3", "0", "0", "4"),
        "preadv2": ("3", "buffer", "0", "0", "0", "8"),
        "pwritev2": ("3", "buffer", "0", "0", "0", "8"),
        "mincore": ("0", "0", "buffer"),
        "flock": ("3", "1"),
        "getrusage": ("0", "buffer"),
        "sysinfo": ("buffer",),
        "clock_gettime": ("(~os.getppid() << 3) | 2", "buffer"),
    }.items()
}  # fmt: skip

# What the machine counts while others work.
HIDDEN = (PermissionError, FileNotFoundError)
ATTACKS |= {
    path: (f"def attack():\n    with open({path!r}, 'rb') as file:\n        return len(file.read(10)) > 0\n", (*HIDDEN, False))
    for path in ("/proc/meminfo", "/proc/cpuinfo", "/proc/loadavg", "/proc/stat", "/proc/pressure/io")
} | {
    "the processors' counters": (
        "import os\ndef attack():\n    return os.listdir('/sys/devices/system/cpu')\n",
        (*HIDDEN, []),
    )
}  # fmt: skip
