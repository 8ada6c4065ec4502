"""Values and exceptions: an end of the process, or an exception, that the grader takes for something else.

Nothing crosses but plain data, tensors and opaque handles. An exception is a name and a text, and is raised here as a
StudentError, whatever its class claims.
"""

from __future__ import annotations

from autograder.remote.errors import StudentError
from autograder.sandbox.errors import Crashed, Ended, TimedOut

ATTACKS = {
    "sys.exit": ("import sys\ndef attack():\n    sys.exit(0)\n", (StudentError,)),
    "sys.exit while loading": ("import sys\nsys.exit(0)\n", (StudentError,)),
    "os._exit": ("import os\ndef attack():\n    os._exit(0)\n", (Crashed,)),
    "an interrupt": ("def attack():\n    raise KeyboardInterrupt\n", (StudentError,)),
    "the end of a generator": ("def attack():\n    raise GeneratorExit\n", (StudentError,)),
    "the end of an iteration": ("def attack():\n    raise StopIteration\n", (StudentError,)),
    "pytest's Skipped": (
        "class Skipped(BaseException):\n    __module__ = 'builtins'\n"
        "def attack():\n    raise Skipped('skip this test')\n",
        (StudentError,),
    ),
    "the real Skipped": (
        "def attack():\n    import pytest\n    pytest.skip('skip this test')\n",
        (StudentError, ImportError),
    ),
    "a class that lies about its bases": (
        "class M(type):\n    def mro(cls):\n        return type.mro(cls)\n"
        "class E(Exception, metaclass=M):\n    __name__ = 'ValueError'\n    __class__ = SystemExit\n"
        "def attack():\n    raise E\n",
        (StudentError,),
    ),
    "an exception whose text loops": (
        "class E(Exception):\n    def __str__(self):\n        while True: pass\ndef attack():\n    raise E\n",
        (TimedOut,),
        {"seconds": 0.3},
    ),
    "an exception whose text raises": (
        "class E(ValueError):\n    def __str__(self):\n        raise SystemExit\n"
        "def attack():\n    raise E\n",
        (ValueError,),
    ),
    "a segmentation fault": ("import ctypes\ndef attack():\n    ctypes.string_at(0)\n", (Crashed,)),
    "an abort": ("import os\ndef attack():\n    os.abort()\n", (Crashed,)),
    "killing itself": ("import os\ndef attack():\n    os.kill(os.getpid(), 9)\n", (Ended,)),
    "atexit": (
        "import atexit\natexit.register(lambda: open('{loot}', 'w'))\ndef attack():\n    return 'quiet'\n",
        ("quiet",),
    ),
}
