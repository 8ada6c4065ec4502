"""Hostile submissions. Each must gain nothing, and the child opened after it must be untouched.

An attack is a module with a function `attack`; `expected` says what its call may end in: exception classes, or values.
The sources know this program well; what they can't know is the machine, so paths and pids are filled in.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autograder.remote import client
from autograder.remote.errors import StudentError
from autograder.remote.module_sandbox import ModuleSandbox
from autograder.results import Limits
from autograder.sandbox.errors import Blocked, Crashed, Ended, OutOfMemory, TimedOut
from autograder.sandbox.syscalls import NUMBERS

SECRET = Path(__file__).resolve()  # stands for a hidden test or a solution: a file of this repository
REPOSITORY = SECRET.parents[2]
LOOT = Path(f"/tmp/loot-{os.getpid()}")  # what an attack would leave behind
HEALTHY = b"def answer():\n    return 42\n"


@dataclass(frozen=True)
class Attack:
    source: str
    expected: tuple[Any, ...]
    seconds: float = 3
    memory_mb: int = 512


def _reads(path: str) -> str:
    return f"def attack():\n    with open({path!r}, 'rb') as file:\n        return len(file.read(10)) > 0\n"


def _calls(name: str, *args: str) -> str:
    """A raw system call through ctypes; the answer is its errno's name."""
    number = NUMBERS[platform.machine()].get(name, -1)
    return f"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def attack():
    buffer = ctypes.create_string_buffer(4096)
    result = libc.syscall(ctypes.c_long({number}), {", ".join(args)})
    return errno.errorcode.get(ctypes.get_errno(), "?") if result < 0 else f"went through: {{result}}"
"""


DENIED = ("EPERM", "ENOSYS")
UNREADABLE = (PermissionError, FileNotFoundError)

FILES = {
    "a file of the repository": Attack(_reads("{secret}"), UNREADABLE),
    "the solutions": Attack(
        "import os\ndef attack():\n    return os.listdir('{repository}/tests')\n", UNREADABLE
    ),
    "the package's other rooms": Attack(
        "import os\ndef attack():\n    return os.listdir('{repository}/autograder')\n",
        (*UNREADABLE, lambda names: set(names) <= {"__init__.py", "guest", "remote", "sandbox"}),
    ),
    "the password file": Attack(_reads("/etc/passwd"), UNREADABLE),
    "the environment of process 1": Attack(_reads("/proc/1/environ"), UNREADABLE),
    "its own memory map": Attack(_reads("/proc/self/maps"), UNREADABLE),
    "the memory of its parent": Attack(
        "import os\ndef attack():\n    return open(f'/proc/{os.getppid()}/mem', 'rb').read(1)\n",
        UNREADABLE,
    ),
    "the grader's command line": Attack(_reads("/proc/{grader}/cmdline"), UNREADABLE),
    "a relative path out": Attack(_reads("/usr/lib/../../{secret}"), UNREADABLE),
    "a link to a secret": Attack(
        "import os\ndef attack():\n    os.symlink('{secret}', '/tmp/link')\n    return open('/tmp/link').read(1)\n",
        (OSError,),
    ),
    "writing to /tmp": Attack("def attack():\n    open('{loot}', 'w').write('x')\n", (OSError,)),
    "writing to the libraries": Attack(
        "import os\ndef attack():\n    open(os.__file__, 'a').write('#')\n", (OSError,)
    ),
    "truncating by a read": Attack(
        "import os\ndef attack():\n    os.open(os.__file__, os.O_RDONLY | os.O_TRUNC)\n", (OSError,)
    ),
    "writing to shared memory": Attack("def attack():\n    open('/dev/shm/x', 'w').write('x')\n", (OSError,)),
    "making a directory": Attack("import os\ndef attack():\n    os.mkdir('/tmp/d')\n", (OSError,)),
    "a temporary file": Attack("import tempfile\ndef attack():\n    tempfile.TemporaryFile()\n", (OSError,)),
    "an installed copy of this program": Attack(
        "def attack():\n    import autograder.grading\n", (ImportError, PermissionError)
    ),
}

PROCESSES = {
    "killing the parent": Attack(
        "import os\ndef attack():\n    os.kill(os.getppid(), 9)\n", (PermissionError,)
    ),
    "killing the grader": Attack("import os\ndef attack():\n    os.kill({grader}, 9)\n", (OSError,)),
    "killing everything": Attack("import os\ndef attack():\n    os.kill(-1, 9)\n", (PermissionError,)),
    "a signal through fcntl": Attack(
        "import fcntl, os\ndef attack():\n    fcntl.fcntl(3, fcntl.F_SETOWN, os.getppid())\n",
        (PermissionError,),
    ),
    "a fork bomb": Attack(
        "import os\ndef attack():\n    while True:\n        os.fork()\n", (PermissionError,)
    ),
    "a program": Attack(
        "import subprocess\ndef attack():\n    return subprocess.run(['/bin/true']).returncode\n", (OSError,)
    ),
    "os.system": Attack("import os\ndef attack():\n    return os.system('true') == 0\n", (False, OSError)),
    "multiprocessing": Attack(
        "import multiprocessing as m\ndef attack():\n    p = m.get_context('fork').Process(target=print)\n"
        "    p.start()\n    p.join()\n",
        (OSError,),
    ),
    "a socket": Attack("import socket\ndef attack():\n    socket.socket()\n", (PermissionError,)),
    "a name server": Attack(
        "import socket\ndef attack():\n    return socket.getaddrinfo('localhost', 80)\n", (OSError,)
    ),
    "a higher priority": Attack("import os\ndef attack():\n    os.nice(1)\n", (PermissionError,)),
    "another user": Attack("import os\ndef attack():\n    os.setuid(0)\n", (PermissionError,)),
    "more memory by its limit": Attack(
        "import resource\ndef attack():\n    resource.setrlimit(resource.RLIMIT_AS, (2**62, 2**62))\n",
        (PermissionError, ValueError),
    ),
    "a preloaded library": Attack(
        "import os\ndef attack():\n    os.environ['LD_PRELOAD'] = '/tmp/x.so'\n    os.execv('/bin/true', ['true'])\n",
        (PermissionError,),
    ),
}

SYSTEM_CALLS = {
    f"system call {name}": Attack(_calls(name, *args), DENIED)
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

# What one child leaves in the kernel, and another one reads: which pages of a file are in memory, who has locked what, how
# much memory and processor time somebody took.
_OPENED = "import fcntl, mmap, os\ndef attack():\n    fd = os.open(os.__file__, os.O_RDONLY)\n    "
NOTES = {
    name: Attack(f"{_OPENED}{call}\n    return 'went through'\n", (PermissionError,))
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
    f"system call {name}": Attack(_calls(name, *args), DENIED)
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
COUNTERS = {
    path: Attack(_reads(path), (*UNREADABLE, False))
    for path in ("/proc/meminfo", "/proc/cpuinfo", "/proc/loadavg", "/proc/stat", "/proc/pressure/io")
} | {
    "the processors' counters": Attack(
        "import os\ndef attack():\n    return os.listdir('/sys/devices/system/cpu')\n", (*UNREADABLE, [])
    )
}

FORGE = """
import os, struct, sys
msgspec = sys.modules["msgspec"]  # to import it is refused
def frame(header, size=0, length=None):
    packed = msgspec.msgpack.encode(header)
    os.write(3, struct.pack("<IQ", length or len(packed), size) + packed)
"""

CHANNEL = {
    "answering ahead of time": Attack(
        FORGE + "frame(['rt', 1, 1])\ndef attack():\n    return 1\n", (Blocked,)
    ),
    "a second answer": Attack(
        FORGE + "import atexit, threading, time\n"
        "def later():\n    time.sleep(0.2)\n    frame(['rt', 1, 1])\n"
        "def attack():\n    threading.Thread(target=later).start()\n    return 'once'\n",
        ("once",),
    ),
    "garbage": Attack(
        "import os\ndef attack():\n    os.write(3, b'garbage' * 99)\n    return 1\n", (Blocked,)
    ),
    "a huge length": Attack(
        "import os\ndef attack():\n    os.write(3, b'\\xff' * 12)\n    return 1\n", (Blocked,)
    ),
    "a frame that never ends": Attack(
        "import os, time\ndef attack():\n    os.write(3, b'\\x10\\0\\0\\0' + bytes(8) + b'x')\n    time.sleep(99)\n",
        (TimedOut,),
        seconds=0.3,
    ),
    "a claim of four thousand million items": Attack(
        "import os, struct\ndef attack():\n    h = b'\\xdd\\xff\\xff\\xff\\xff'\n"
        "    os.write(3, struct.pack('<IQ', len(h), 0) + h)\n",
        (Blocked,),
    ),
    "closing the channel": Attack(
        "import os, time\ndef attack():\n    os.close(3)\n    time.sleep(99)\n", (Ended,), seconds=0.3
    ),
    "closing every descriptor": Attack(
        "import os\ndef attack():\n    os.closerange(0, 64)\n    return 1\n", (Ended,)
    ),
    "a callback that was never given": Attack(
        FORGE + "import gc\nserver = sys.modules['autograder.remote.server']\n"
        "def attack():\n    s = next(o for o in gc.get_objects() if type(o) is server.Server)\n"
        "    return s._caller(99, '')()\n",
        (Blocked,),
    ),
    "another process on the channel": Attack(
        "import socket\ndef attack():\n    s = socket.socket(fileno=3)\n"
        "    socket.send_fds(s, [b'x'], [0])\n    return 1\n",
        (PermissionError, Ended),
    ),
}

EXHAUSTION = {
    "a CPU loop": Attack("def attack():\n    while True:\n        pass\n", (TimedOut,), seconds=0.3),
    "a CPU loop while loading": Attack("while True:\n    pass\n", (TimedOut,), seconds=0.3),
    "a loop that swallows exceptions": Attack(
        "import signal\nfor n in (signal.SIGTERM, signal.SIGINT, signal.SIGXCPU, signal.SIGALRM):\n"
        "    signal.signal(n, signal.SIG_IGN)\n"
        "def attack():\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass\n",
        (TimedOut,),
        seconds=0.3,
    ),
    "sleep": Attack("import time\ndef attack():\n    time.sleep(99)\n", (TimedOut,), seconds=0.2),
    "many threads in a loop": Attack(
        "import threading\ndef spin():\n    while True: pass\n"
        "def attack():\n    for _ in range(8):\n        threading.Thread(target=spin).start()\n    spin()\n",
        (TimedOut, RuntimeError),
        seconds=0.3,
    ),
    "a thread bomb": Attack(
        "import threading, time\nthreading.stack_size(32768)\n"
        "def attack():\n    for _ in range(100_000):\n        threading.Thread(target=time.sleep, args=(99,)).start()\n",
        (RuntimeError, TimedOut, MemoryError, Ended),
        seconds=1,
    ),
    "a memory bomb": Attack("def attack():\n    return len(bytearray(4 << 30))\n", (MemoryError,)),
    "a slow memory bomb": Attack(
        "def attack():\n    x = []\n    while True:\n        x.append(bytearray(1 << 20))\n",
        (MemoryError, OutOfMemory),
    ),
    "a tensor beyond the limit": Attack(
        "import torch\ndef attack():\n    return torch.ones(1 << 30).sum().item()\n", (MemoryError,)
    ),
    "10**12 elements by expand": Attack(
        "import torch\ndef attack():\n    return torch.ones(1).expand(10**12)\n", (StudentError,)
    ),
    "a self-referential list": Attack(
        "def attack():\n    x = []\n    x.append(x)\n    return x\n", (StudentError,)
    ),
    "deep nesting": Attack(
        "def attack():\n    x = []\n    for _ in range(10**5):\n        x = [x]\n    return x\n",
        (StudentError,),
    ),
    "a recursion bomb": Attack("def attack():\n    return attack()\n", (RecursionError,)),
    "a recursion bomb without limit": Attack(
        "import sys\nsys.setrecursionlimit(2**30)\ndef attack():\n    return attack()\n",
        (MemoryError, SystemError, Ended),  # CPython 3.11 itself may stumble over the failed allocation
        memory_mb=128,
    ),
    "an output flood": Attack(
        "def attack():\n    for _ in range(200_000):\n        print('x' * 200)\n    return 'done'\n",
        ("done",),
    ),
    "an endless output": Attack(
        "import os\ndef attack():\n    while True:\n        os.write(1, bytes(65536))\n",
        (TimedOut,),
        seconds=0.3,
    ),
    "keys of one hash": Attack(
        "def attack():\n    return {{i * (2**61 - 1): 0 for i in range(1, 3000)}}\n", (Blocked,)
    ),
    "an integer without end": Attack("def attack():\n    return 1 << 10**6\n", (StudentError,)),
}

OBJECTS = {
    "sys.exit": Attack("import sys\ndef attack():\n    sys.exit(0)\n", (StudentError,)),
    "sys.exit while loading": Attack("import sys\nsys.exit(0)\n", (StudentError,)),
    "os._exit": Attack("import os\ndef attack():\n    os._exit(0)\n", (Crashed,)),
    "an interrupt": Attack("def attack():\n    raise KeyboardInterrupt\n", (StudentError,)),
    "the end of a generator": Attack("def attack():\n    raise GeneratorExit\n", (StudentError,)),
    "the end of an iteration": Attack("def attack():\n    raise StopIteration\n", (StudentError,)),
    "pytest's Skipped": Attack(
        "class Skipped(BaseException):\n    __module__ = 'builtins'\n"
        "def attack():\n    raise Skipped('skip this test')\n",
        (StudentError,),
    ),
    "the real Skipped": Attack(
        "def attack():\n    import pytest\n    pytest.skip('skip this test')\n", (StudentError, ImportError)
    ),
    "a class that lies about its bases": Attack(
        "class M(type):\n    def mro(cls):\n        return type.mro(cls)\n"
        "class E(Exception, metaclass=M):\n    __name__ = 'ValueError'\n    __class__ = SystemExit\n"
        "def attack():\n    raise E\n",
        (StudentError,),
    ),
    "an exception whose text loops": Attack(
        "class E(Exception):\n    def __str__(self):\n        while True: pass\ndef attack():\n    raise E\n",
        (TimedOut,),
        seconds=0.3,
    ),
    "an exception whose text raises": Attack(
        "class E(ValueError):\n    def __str__(self):\n        raise SystemExit\n"
        "def attack():\n    raise E\n",
        (ValueError,),
    ),
    "a segmentation fault": Attack("import ctypes\ndef attack():\n    ctypes.string_at(0)\n", (Crashed,)),
    "an abort": Attack("import os\ndef attack():\n    os.abort()\n", (Crashed,)),
    "killing itself": Attack("import os\ndef attack():\n    os.kill(os.getpid(), 9)\n", (Ended,)),
    "atexit": Attack(
        "import atexit\natexit.register(lambda: open('{loot}', 'w'))\ndef attack():\n    return 'quiet'\n",
        ("quiet",),
    ),
}

ALL = {**FILES, **PROCESSES, **SYSTEM_CALLS, **NOTES, **COUNTERS, **CHANNEL, **EXHAUSTION, **OBJECTS}


def _met(outcome: Any, expected: tuple[Any, ...]) -> bool:
    for wanted in expected:
        if isinstance(wanted, type):
            if isinstance(outcome, wanted):
                return True
        elif callable(wanted):
            if not isinstance(outcome, Exception) and wanted(outcome):
                return True
        elif type(outcome) is type(wanted) and outcome == wanted:
            return True
    return False


def attempt(sandbox: ModuleSandbox, attack: Attack) -> Any:
    """Load and run one attack: the value or exception that the trusted side sees."""
    source = attack.source
    places = {"secret": SECRET, "repository": REPOSITORY, "grader": os.getpid(), "loot": LOOT}
    for name, value in places.items():
        source = source.replace(f"{{{name}}}", str(value))
    source = source.replace("{{", "{").replace("}}", "}")
    limits = Limits(seconds=attack.seconds, memory_mb=attack.memory_mb)
    with sandbox.open({"s.py": source.encode()}, "s.py", limits=limits) as child:
        try:
            child.load()
            return child.student.attack()
        except Exception as error:
            return error


@pytest.mark.parametrize("name", ALL)
def test_attack_gains_nothing(confined: ModuleSandbox, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LOAD_SECONDS", 2.0)  # of a loop that never ends, less is enough
    began = time.monotonic()
    outcome = attempt(confined, ALL[name])
    assert _met(outcome, ALL[name].expected), f"{type(outcome).__mro__}: {outcome}"
    assert time.monotonic() - began < 60
    with confined.open({"s.py": HEALTHY}, "s.py", limits=Limits()) as child:
        child.load()
        assert child.student.answer() == 42
    assert not LOOT.exists()


def test_second_answer_is_noticed(confined: ModuleSandbox) -> None:
    """An answer that nobody asked for ends the child at the next question, before it could be taken for an answer."""
    source = CHANNEL["a second answer"].source.encode()
    with confined.open({"s.py": source}, "s.py", limits=Limits()) as child:
        child.load()
        assert child.student.attack() == "once"
        time.sleep(0.5)
        with pytest.raises(Blocked):
            child.student.attack()
        with pytest.raises(Blocked):
            child.student.attack()


def test_nothing_of_the_grader_in_memory(confined: ModuleSandbox) -> None:
    """Hunting through frames and objects finds no name that only the trusted side knows."""
    source = b"""
import gc, os, sys
def attack():
    frame, seen = sys._getframe(), []
    while frame:
        seen += [str(k) for k in frame.f_locals] + [repr(v)[:2000] for v in list(frame.f_locals.values())]
        frame = frame.f_back
    seen += [s for o in gc.get_objects() if isinstance(o, (list, tuple, dict)) for s in (o if not isinstance(o, dict)
             else [*o, *o.values()]) if isinstance(s, str)]
    seen += [*os.environ, *os.environ.values(), *sys.argv, *sys.orig_argv]
    text = chr(10).join(seen)
    # Spelled backwards, or the hunt would find its own quarry.
    words = ["".join(reversed(w)) for w in ("DETCEPXE_TERCES", "/snoitulos", "skcatta_tset", "TNERRUC_TSETYP")]
    return [word for word in words if word in text]
"""
    os.environ["SECRET_EXPECTED"] = "SECRET_EXPECTED"
    try:
        with confined.open({"s.py": source}, "s.py", limits=Limits(seconds=20)) as child:
            child.load()
            assert child.student.attack() == []
    finally:
        del os.environ["SECRET_EXPECTED"]


def test_threads_left_behind_die_with_the_child(confined: ModuleSandbox) -> None:
    source = b"import threading, time\ndef attack():\n    threading.Thread(target=time.sleep, args=(99,)).start()\n"
    child = confined.open({"s.py": source}, "s.py", limits=Limits())
    child.load()
    child.student.attack()
    began = time.monotonic()
    child.close()
    assert time.monotonic() - began < 10


def test_children_die_with_the_grader() -> None:
    """Where the trusted process is killed, no child goes on: neither in namespaces nor without them."""
    for without in ("[]", "['namespaces']"):
        script = (
            "import os, sys\nfrom autograder.remote.module_sandbox import ModuleSandbox\nfrom autograder.results import Limits\n"
            f"s = ModuleSandbox(without={without})\n"
            "c = s.open({'s.py': b'def spin():\\n    while True: pass'}, 's.py', limits=Limits(seconds=99))\nc.load()\n"
            "import threading, time\nthreading.Thread(target=c.student.spin, daemon=True).start()\ntime.sleep(0.5)\n"
            "line = open(f'/proc/self/fdinfo/{c._process._pidfd}').read()\n"
            "print(next(l.split()[1] for l in line.splitlines() if l.startswith('Pid:')), flush=True)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        answer = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, env=environment, check=False
        )
        pid = int(answer.stdout)
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{pid}").exists()
