"""The keys that a learner presses: each acts at once where the terminal allows it, else a line's first letter does."""

from __future__ import annotations

import os
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterator

if sys.platform == "win32":
    import msvcrt
else:
    import select

DUMB = ("dumb", "unknown")  # terminals that know no commands
QUIT = "q"
OTHER = "?"  # a key that means nothing
END, INTERRUPT = "\x04", "\x03"  # Ctrl-D, Ctrl-C
ESCAPE = b"\x1b"  # what the bytes of arrows and function keys begin with
EXTENDED = ("\x00", "\xe0")  # the same on Windows: one more character follows
LOOK = 0.05  # seconds between two looks at the keyboard on Windows


def single_keys() -> bool:
    """Whether standard input gives each key as it is pressed."""
    return sys.stdin is not None and sys.stdin.isatty() and os.environ.get("TERM") not in DUMB


def read_lines(put: Callable[[str], None]) -> None:
    """`put` the first letter of each line that is typed, on the side. The end of input means quit."""

    def read() -> None:
        for line in sys.stdin:
            put(next(_letters(line), OTHER))
        put(QUIT)

    threading.Thread(target=read, daemon=True).start()


def read_keys(put: Callable[[str], None], reading: threading.Event) -> None:
    """`put` each key that is pressed, on the side. While `reading` is not set, what is typed is left to others."""
    threading.Thread(target=_read_keys, args=(put, reading), daemon=True).start()


def _letters(typed: str) -> Iterator[str]:
    """What stands for keys in what was typed. An input method may give wide letters."""
    for letter in unicodedata.normalize("NFKC", typed).lower():
        if letter == END:
            yield QUIT
        elif letter.isprintable() and not letter.isspace():
            yield letter


if sys.platform == "win32":

    def _read_keys(put: Callable[[str], None], reading: threading.Event) -> None:
        import _thread

        pause = threading.Event()
        while reading.wait():
            if not msvcrt.kbhit():
                pause.wait(LOOK)
                continue
            key = msvcrt.getwch()
            if key in EXTENDED:
                msvcrt.getwch()
            elif key == INTERRUPT:
                _thread.interrupt_main()
            else:
                for letter in _letters(key):
                    put(letter)

else:

    def _read_keys(put: Callable[[str], None], reading: threading.Event) -> None:
        keyboard = sys.stdin.fileno()
        while reading.wait():
            try:
                select.select([keyboard], [], [])
                if not reading.is_set():
                    continue
                typed = os.read(keyboard, 1024)
            except OSError:  # the terminal is gone
                typed = b""
            if not typed:
                put(QUIT)
                return
            if not typed.startswith(ESCAPE):
                for letter in _letters(typed.decode("utf-8", "ignore")):
                    put(letter)
