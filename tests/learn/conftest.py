"""A learner at a terminal: a shell in a pseudo-terminal, whose screen is read as a person sees it."""

from __future__ import annotations

import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

if sys.platform != "win32":
    import fcntl
    import termios

    import pyte

SECONDS = 180.0  # until a learner no longer believes that something will appear
SECOND_SCREEN = re.compile(rb"\x1b\[\?1049h(.*?)(?:\x1b\[\?1049l|\Z)", re.DOTALL)
# The shell leads a session of its own, whose terminal this is.
LEAD = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class Terminal:
    """bash in a terminal of `columns` x `rows`."""

    def __init__(self, folder: Path, environment: Mapping[str, str], columns: int, rows: int) -> None:
        self.said = b""
        self._keyboard, slave = os.openpty()
        self.resize(columns, rows)
        self._shell = subprocess.Popen(
            [sys.executable, "-c", LEAD, "bash", "--norc", "--noprofile", "-i"],
            stdin=slave, stdout=slave, stderr=slave, cwd=folder, env={**environment, "PS1": "$ "},
        )  # fmt: skip
        os.close(slave)
        self.wait_for_the_shell()

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self._keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._keyboard, keys.encode())

    @property
    def on_second_screen(self) -> bool:
        return self.said.rfind(b"\x1b[?1049h") > self.said.rfind(b"\x1b[?1049l")

    @property
    def screen(self) -> list[str]:
        """The rows that are to be seen."""
        seen = pyte.Screen(self.columns, self.rows)
        told = (
            SECOND_SCREEN.findall(self.said)[-1]
            if self.on_second_screen
            else SECOND_SCREEN.sub(b"", self.said)
        )
        pyte.ByteStream(seen).feed(told)
        return [row.rstrip() for row in seen.display]

    def wait_for(self, *texts: str) -> str:
        """The screen, joined to one text, once all of these stand on it. Where a row ends doesn't matter."""
        return self.wait_until(lambda seen: all(_joined(text) in _joined(seen) for text in texts), texts)

    def wait_for_the_shell(self) -> None:
        """Until the shell asks for a command."""
        self.wait_until(
            lambda seen: not self.on_second_screen and seen.rstrip().splitlines()[-1:] == ["$"], ("$",)
        )

    def wait_until(self, there: Callable[[str], bool], texts: tuple[str, ...] = ()) -> str:
        """The screen, once it is as it should be."""
        deadline = time.monotonic() + SECONDS
        while not there(seen := "\n".join(self.screen)):
            left = deadline - time.monotonic()
            assert left > 0, f"one of {texts} never came:\n{seen}"
            self.read(left)
        return seen

    def read(self, seconds: float = SECONDS) -> None:
        """What is said next."""
        if select.select([self._keyboard], [], [], seconds)[0]:
            self.said += os.read(self._keyboard, 1 << 16)

    @property
    def in_front(self) -> int:
        """The process group that the keyboard belongs to."""
        return os.tcgetpgrp(self._keyboard)

    def modes(self) -> str:
        """What the shell says of the terminal's modes."""
        self.type("clear; stty -a; echo e''nd\n")
        return self.wait_for("end")

    def close(self) -> None:
        os.killpg(self._shell.pid, signal.SIGHUP)
        os.close(self._keyboard)
        self._shell.kill()
        self._shell.wait()


def _joined(text: str) -> str:
    return "".join(text.split())


@pytest.fixture
def sit_down(toy: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """`sit_down(columns, rows)`: a learner at a terminal in the toy course, who types the command."""
    seats: list[Terminal] = []
    environment = {
        name: value for name, value in environment.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"

    def begin(columns: int = 80, rows: int = 24, options: str = "", **more: str) -> Terminal:
        own = {"TERM": "xterm-256color", "PATH": path, "OMP_NUM_THREADS": "1", **more}
        seats.append(Terminal(toy, environment | own, columns, rows))
        seats[-1].type(f"python -m autograder learn affine {options}\n")
        return seats[-1]

    yield begin
    for seat in seats:
        seat.close()
