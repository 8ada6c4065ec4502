"""The learner's terminal: taken over while `autograder learn` runs, and given back as it was, whatever happens.

Without Enter keys act at once, and the screen is a second one, behind which the shell's stays as it is. Ctrl-Z gives both back
until the learner returns. Signals that ask something of the program become events in its queue, where no work of it is
interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

from autograder.learn.keys import read_keys, read_lines, single_keys

if sys.platform != "win32":
    import termios

if TYPE_CHECKING:
    from rich.console import Console

RESIZED, SUSPENDED, RESUMED = "resized", "suspended", "resumed"  # beside keys, which have one letter
EVENTS = {"SIGWINCH": RESIZED, "SIGTSTP": SUSPENDED, "SIGCONT": RESUMED}
ENDINGS = ("SIGTERM", "SIGHUP", "SIGQUIT")
# As terminals since xterm have them: the second screen, and no cursor on it.
SECOND_SCREEN, FIRST_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


class Terminal:
    """A context: inside, the terminal is ours.

    Attributes:
        single: whether keys act without Enter.
        screen: whether there is one screen to draw on; else lines are printed one below the other.
    """

    def __init__(self, console: Console, put: Callable[[str], None]) -> None:
        self.single = single_keys()
        known = sys.platform == "win32" or bool(os.environ.get("TERM"))
        plain = console.no_color or console.legacy_windows or console.is_dumb_terminal
        self.screen = self.single and console.is_terminal and known and not plain
        self._put = put
        self._reading = threading.Event()
        self._modes: list[Any] | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if not self.single:
            read_lines(self._put)
            return self
        if sys.platform != "win32":
            self._modes = termios.tcgetattr(sys.stdin)
        for names, handler in ((EVENTS, self._tell), (ENDINGS, _end)):
            for name in names:
                if hasattr(signal, name):
                    number = getattr(signal, name)
                    self._handlers[number] = signal.signal(number, handler)
        try:
            self.take()
        except BaseException:
            self.__exit__()
            raise
        read_keys(self._put, self._reading)
        return self

    def __exit__(self, *error: object) -> None:
        self.give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def take(self) -> None:
        """Keys without Enter and without an echo; the second screen."""
        if sys.platform != "win32" and self._modes is not None:
            modes = termios.tcgetattr(sys.stdin)
            modes[3] &= ~(termios.ICANON | termios.ECHO)
            modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, modes)
        if self.screen:
            write(SECOND_SCREEN)
        self._reading.set()

    def give_back(self) -> None:
        """The terminal as it was. Twice does no harm."""
        self._reading.clear()
        if self.screen:
            write(FIRST_SCREEN)
        if sys.platform != "win32" and self._modes is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._modes)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Another program may use the terminal meanwhile."""
        self.give_back()
        try:
            yield
        finally:
            self.take()

    def obey(self, event: object) -> bool:
        """Do what a signal asked for. Whether the event was one; the screen is to be drawn again then."""
        if event == SUSPENDED:
            with self.lent():
                stop = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGTSTP)  # comes back when the shell lets this process go on
                signal.signal(signal.SIGTSTP, stop)
        elif event == RESUMED:  # the shell has set its own modes, also after a stop that nobody can catch
            self.take()
        return event in EVENTS.values()

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self._put(EVENTS[signal.Signals(number).name])


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def write(text: str) -> None:
    """To the terminal, at once. What its encoding lacks becomes a question mark."""
    sys.stdout.flush()
    raw = text.encode(sys.stdout.encoding or "utf-8", "replace")
    while raw:
        raw = raw[os.write(sys.stdout.fileno(), raw) :]
