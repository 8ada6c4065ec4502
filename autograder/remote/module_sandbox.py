"""A sandbox whose processes each serve one student's module, or take one archive apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from autograder.results import Limits
from autograder.sandbox.messages import Program
from autograder.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from autograder.remote.client import RemoteModule

PROGRAM = Program("autograder.remote.program", files=("remote", "guest"))


class ModuleSandbox(Sandbox):
    """Opens students' modules, confined. A context manager.

    with ModuleSandbox() as sandbox, sandbox.open({"a.py": source}, "a.py", limits=Limits()) as module:
        module.load()
        module.student.softmax(torch.randn(3))
    """

    def __init__(self, program: Program = PROGRAM, **options: Any) -> None:
        """Takes the options of `Sandbox`."""
        super().__init__(program, **options)

    def open(
        self, files: Mapping[str, bytes], main: str, *, limits: Limits, forbidden: Sequence[str] = ()
    ) -> RemoteModule:
        """A confined process for these files; `load` then runs `files[main]`. `forbidden`: calls that it may not make."""
        # It imports torch, as the zygote does: whoever makes a sandbox first has both at the same time.
        from autograder.remote.client import RemoteModule

        process = self.fork(limits.memory_mb << 20, forbidden if main else None)
        return RemoteModule(process, files, main, limits)

    def unpack(
        self, archive: BinaryIO, *, max_bytes: int, max_files: int, suffixes: Sequence[str] = ()
    ) -> dict[str, bytes]:
        """The files of a zip or tar archive, unpacked in a child of its own. ArchiveError names what is wrong.

        Args:
            suffixes: of the files whose content is wanted; others come empty. All are, by default.
        """
        memory_mb = 256 + 3 * max_bytes // (1 << 20)
        with self.open({}, "", limits=Limits(seconds=20, memory_mb=memory_mb)) as child:
            return child.unpack(archive, max_bytes, max_files, suffixes)
