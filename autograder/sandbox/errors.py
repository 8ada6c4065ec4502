"""What ends a confined process (`Ended` and its subclasses), and what is the sandbox's own affair."""

from __future__ import annotations

from autograder.errors import Worded


class Ended(Exception):
    """The student's process is gone, and so are its handles: every further use raises this again."""


class TimedOut(Ended):
    """More CPU or wall-clock time than the test allows."""


class OutOfMemory(Ended):
    """The process died for want of memory (where Python could still raise, it is a StudentError instead)."""


class Killed(OutOfMemory):
    """The system killed the process: for want of memory, but perhaps for others' sake."""


class Crashed(Ended):
    """The process exited, or was ended by a signal; the message names which."""


class Blocked(Ended):
    """The process broke the protocol or ran into the system-call filter: it was trying something."""


class SandboxUnavailable(Worded):
    """This machine can't confine a submission as asked. The message names what is missing and the remedies."""


class SandboxFault(Exception):
    """The sandbox itself failed. Never the student's doing, and never to be scored."""
