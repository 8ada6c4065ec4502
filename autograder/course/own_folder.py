"""A folder that a command fills again and again: of what is in it, only the command's own files are replaced.

A list in the folder says which files those are, and what they hold. A file is added to it before it is written, so that
a run that is stopped half-way can be run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from autograder.course.outputs import is_database, refuse_course, write_atomically
from autograder.errors import UserError


class OwnFolder:
    """An output folder of one command, whose list has this name. It is made, and written into, in a `with` block.

    Raises:
        UserError: it is no folder, or holds something, and no list of this command.
    """

    def __init__(self, out: Path, marker: str) -> None:
        self.out, self._list = out, out / marker
        refuse_course(out / marker)
        if out.exists() and not out.is_dir():
            raise UserError(
                f"{out} is a file; name a folder, new or of an earlier run",
                f"{out} 是文件；请给出文件夹名，新的或以前生成的都可以",
            )
        if not self._list.is_file() and out.is_dir() and any(out.iterdir()):
            raise UserError(
                f"{out} holds something else than this command writes; name a new folder",
                f"{out} 里有本命令以外的内容；请给出新的文件夹",
            )
        self._known: dict[str, set[str]] = {}  # path -> digests of what this command has written there
        try:
            for line in self._list.read_text(encoding="utf-8").splitlines() if self._list.is_file() else ():
                digest, _, name = line.partition("  ")
                self._known.setdefault(name, set()).add(digest)
        except OSError as error:
            raise self._unusable(self._list, error) from None

    def __enter__(self) -> OwnFolder:
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self._open = self._list.open("a", encoding="utf-8")
        except OSError as error:
            raise self._unusable(self._list, error) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def replace(self, files: Mapping[str, bytes]) -> None:
        """Write these files, and remove what else an earlier run wrote: it could show what this one leaves out."""
        for name, content in files.items():
            self.write(name, content)
        for name in self._known.keys() - files.keys():
            path = self.out / name
            if path.is_file() and not path.is_symlink() and _digest(path) in self._known[name]:
                path.unlink()

    def write(self, name: str, content: bytes) -> bool:
        """Write a file below the folder; whether it is new or changed.

        Raises:
            UserError: somebody else's file is there, or it can't be written.
        """
        path, digest = self.out / name, hashlib.sha256(content).hexdigest()
        try:
            if path.is_symlink() or path.is_dir() or path.exists():
                there = "" if path.is_symlink() or not path.is_file() else _digest(path)
                if there == digest:
                    return False
                if there not in self._known.get(name, ()) or is_database(path):
                    raise UserError(
                        f"{path} was not written by this command, or has been changed since; move it away, or name a "
                        "new folder",
                        f"{path} 不是本命令写的，或者之后被修改过；请把它移走，或给出新的文件夹",
                    )
            if digest not in self._known.get(name, ()):
                self._open.write(f"{digest}  {name}\n")
                self._open.flush()
                self._known.setdefault(name, set()).add(digest)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        except OSError as error:
            raise self._unusable(path, error) from None
        return True

    @staticmethod
    def _unusable(path: Path, error: OSError) -> UserError:
        return UserError(
            f"{path} can't be written ({error.strerror}); choose another place",
            f"{path} 无法写入（{error.strerror}）；请另选位置",
        )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
