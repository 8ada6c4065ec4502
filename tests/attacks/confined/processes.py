"""Processes: kill or trace the grader, start a program, outlive the test, reach a network, gain a right.

The system-call filter allows what computing needs. A user and a pid namespace of one's own stand behind it.
"""

from __future__ import annotations


def _calls(name: str, *args: str) -> str:
    """A raw system call; the answer is its errno's name."""
    return f"from raw import *\ndef attack():\n    return system_call({name!r}, {', '.join(args)})\n"


DENIED = ("EPERM", "ENOSYS")

ATTACKS = {
    "killing the parent": ("import os\ndef attack():\n    os.kill(os.getppid(), 9)\n", (PermissionError,)),
    "killing the grader": ("import os\ndef attack():\n    os.kill({grader}, 9)\n", (OSError,)),
    "killing everything": ("import os\ndef attack():\n    os.kill(-1, 9)\n", (PermissionError,)),
    "a signal through fcntl": (
        "import fcntl, os\ndef attack():\n    fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid())\n",
        (PermissionError,),
    ),
    "a fork bomb": ("import os\ndef attack():\n    while True:\n        os.fork()\n", (PermissionError,)),
    "a program": (
        "import subprocess\ndef attack():\n    return subprocess.run(['/bin/true']).returncode\n",
        (OSError,),
    ),
    "os.system": ("import os\ndef attack():\n    return os.system('true') == 0\n", (False, OSError)),
    "multiprocessing": (
        "import multiprocessing as m\ndef attack():\n    p = m.get_context('fork').Process(target=print)\n"
        "    p.start()\n    p.join()\n",
        (OSError,),
    ),
    "a socket": ("import socket\ndef attack():\n    socket.socket()\n", (PermissionError,)),
    "a name server": (
        "import socket\ndef attack():\n    return socket.getaddrinfo('localhost', 80)\n",
        (OSError,),
    ),
    "a higher priority": ("import os\ndef attack():\n    os.nice(1)\n", (PermissionError,)),
    "another user": ("import os\ndef attack():\n    os.setuid(0)\n", (PermissionError,)),
    "more memory by its limit": (
        "import resource\ndef attack():\n    resource.setrlimit(resource.RLIMIT_AS, (2**62, 2**62))\n",
        (PermissionError, ValueError),
    ),
    "a preloaded library": (
        "import os\ndef attack():\n    os.environ['LD_PRELOAD'] = '/tmp/x.so'\n    os.execv('/bin/true', ['true'])\n",
        (PermissionError,),
    ),
}

ATTACKS |= {
    f"system call {name}": (_calls(name, *args), DENIED)
    for name, args in {
        "execve": ("b'/bin/true'", "None", "None"),
        "execveat": ("-100", "b'/bin/true'", "None", "None", "0"),
        "clone": ("17", "0", "0", "0", "0"),
        "clone3": ("buffer", "88"),
        "socket": ("2", "1", "0"),
        "ptrace": ("16", "os.getppid()", "0", "0"),
        "process_vm_readv": ("os.getppid()", "buffer", "1", "buffer", "1", "0"),
        "process_vm_writev": ("os.getppid()", "buffer", "1", "buffer", "1", "0"),
        "io_uring_setup": ("8", "buffer"),
        "bpf": ("0", "buffer", "16"),
        "userfaultfd": ("0",),
        "memfd_create": ("b'x'", "0"),
        "keyctl": ("0", "0", "0"),
        "unshare": ("0x10000000",),
        "setns": ("3", "0"),
        "mount": ("b'none'", "b'/'", "b'tmpfs'", "0", "None"),
        "chroot": ("b'/'",),
        "pivot_root": ("b'/'", "b'/'"),
        "perf_event_open": ("buffer", "0", "-1", "-1", "0"),
        "personality": ("0",),
        "tkill": ("os.getppid()", "9"),
        "rt_sigqueueinfo": ("os.getppid()", "9", "buffer"),
        "pidfd_open": ("os.getppid()", "0"),
        "setpriority": ("0", "0", "5"),
        "sched_setscheduler": ("0", "0", "buffer"),
        "shmget": ("0", "4096", "0o1000"),
        "mq_open": ("b'x'", "0", "0", "None"),
        "timer_create": ("0", "None", "buffer"),
        "setuid": ("0",),
        "capset": ("buffer", "buffer"),
        "sendmsg": ("3", "buffer", "0"),
        "process_madvise": ("3", "buffer", "1", "0", "0"),
    }.items()
}  # fmt: skip
