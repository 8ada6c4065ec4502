"""Which files a confined process may see: the interpreter, its libraries, and a few harmless system files.

The lists are computed by the zygote from its own interpreter, so that they fit whatever environment the
grader runs in.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from autograder.sandbox.messages import Program

PACKAGE = Path(__file__).resolve().parent.parent

DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
TEMPORARY = "/tmp"  # its name, for what asks; nobody can write there
WRITABLE = ("/dev/null",)
SYSTEM = (
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
# What libraries read as they are loaded. Later it would tell a child how busy others keep the machine.
STARTING = ("/proc/cpuinfo", "/sys/devices/system/cpu")


def library_paths() -> list[str]:
    """What a child may read: existing paths only, no device nodes, nothing of the autograder."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    wanted = [*SYSTEM, *(sysconfig.get_path(name) for name in names), *site.getsitepackages()]
    # libpython, and what extension modules link to
    wanted += [os.path.join(sys.base_prefix, name) for name in (sys.platlibdir, "lib")]
    return _outermost([path for path in wanted if os.path.exists(path)])


def package_paths(program: Program) -> list[str]:
    """The parts of the autograder that the zygote and its program import: never the course, its solutions or its tests."""
    return [str(PACKAGE / name) for name in ("__init__.py", "sandbox", *program.files)]


def exposed(hidden: Sequence[str], visible: Sequence[str]) -> list[str]:
    """Those of `hidden` that lie under a visible directory, by their real names."""
    trees = [os.path.realpath(path) for path in visible]
    real = [os.path.realpath(path) for path in hidden]
    return [path for path in real if any(os.path.commonpath([path, tree]) == tree for tree in trees)]


def _outermost(paths: list[str]) -> list[str]:
    """The paths without those below another one; a symlink stays, because it is a name of its own."""
    kept: list[str] = []
    for path in sorted({os.path.normpath(path) for path in paths}):
        below = any(path.startswith(other + "/") and not os.path.islink(path) for other in kept)
        if not below:
            kept.append(path)
    return kept
