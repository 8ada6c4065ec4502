"""Exhaustion: hold a worker for ever, fill the machine's memory, or the grader's.

The trusted side counts the child's CPU and its own waiting; resource limits bound its memory; each frame has limits of size,
depth, number and hash collisions before it is decoded.
"""

from __future__ import annotations

from autograder.remote.errors import StudentError
from autograder.sandbox.errors import Blocked, Ended, OutOfMemory, TimedOut

ATTACKS = {
    "a CPU loop": ("def attack():\n    while True:\n        pass\n", (TimedOut,), {"seconds": 0.3}),
    "a CPU loop while loading": ("while True:\n    pass\n", (TimedOut,), {"seconds": 0.3}),
    "a loop that swallows exceptions": (
        "import signal\nfor n in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU, signal.SIGALRM):\n"
        "    signal.signal(n, signal.SIG_IGN)\n"
        "def attack():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass\n",
        (TimedOut,),
        {"seconds": 0.3},
    ),
    "sleep": ("import time\ndef attack():\n    time.sleep(99)\n", (TimedOut,), {"seconds": 0.2}),
    "many threads in a loop": (
        "import threading\ndef spin():\n    while True: pass\n"
        "def attack():\n    for _ in range(8):\n        threading.Thread(target=spin).start()\n    spin()\n",
        (TimedOut, RuntimeError),
        {"seconds": 0.3},
    ),
    "a thread bomb": (
        "import threading, time\nthreading.stack_size(32768)\n"
        "def attack():\n    for _ in range(100_000):\n        threading.Thread(target=time.sleep, args=(99,)).start()\n",
        (RuntimeError, TimedOut, MemoryError, Ended),
        {"seconds": 1},
    ),
    "a memory bomb": ("def attack():\n    return len(bytearray(4 << 30))\n", (MemoryError,)),
    "a slow memory bomb": (
        "def attack():\n    x = []\n    while True:\n        x.append(bytearray(1 << 20))\n",
        (MemoryError, OutOfMemory),
    ),
    "a tensor beyond the limit": (
        "import torch\ndef attack():\n    return torch.ones(1 << 30).sum().item()\n",
        (MemoryError,),
    ),
    "10**12 elements by expand": (
        "import torch\ndef attack():\n    return torch.ones(1).expand(10**12)\n",
        (StudentError,),
    ),
    "a self-referential list": (
        "def attack():\n    x = []\n    x.append(x)\n    return x\n",
        (StudentError,),
    ),
    "deep nesting": (
        "def attack():\n    x = []\n    for _ in range(10**5):\n        x = [x]\n    return x\n",
        (StudentError,),
    ),
    "a recursion bomb": ("def attack():\n    return attack()\n", (RecursionError,)),
    "a recursion bomb without limit": (
        "import sys\nsys.setrecursionlimit(2**30)\ndef attack():\n    return attack()\n",
        (MemoryError, SystemError, Ended),  # CPython 3.11 itself may stumble over the failed allocation
        {"memory_mb": 128},
    ),
    "an output flood": (
        "def attack():\n    for _ in range(200_000):\n        print('x' * 200)\n    return 'done'\n",
        ("done",),
    ),
    "an endless output": (
        "import os\ndef attack():\n    while True:\n        os.write(1, bytes(65536))\n",
        (TimedOut,),
        {"seconds": 0.3},
    ),
    "keys of one hash": (
        "def attack():\n    return {i * (2**61 - 1): 0 for i in range(1, 3000)}\n",
        (Blocked,),
    ),
    "an integer without end": ("def attack():\n    return 1 << 10**6\n", (StudentError,)),
}
