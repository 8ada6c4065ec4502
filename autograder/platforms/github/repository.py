"""Reading a repository that somebody else made: its branches as text, its objects through git, nothing of it ever run.

A clone may come with a configuration, hooks and attributes of its own, all of which can start programs. So git never
looks at the clone: it is given an empty repository of ours and the clone's objects. No file is checked out.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO

MAX_REF_FILE = 8 << 20  # bytes of packed-refs
MAX_REF_FILES = 1000
MAX_BRANCHES = 20
MAX_LISTING = 16 << 20  # bytes of what git prints of a history or a tree
MAX_COMMITS = 100_000
MAX_OBJECT_FILES = 200_000
SECONDS = 60
MEMORY = 2 << 30  # bytes of address space for one git process
NO_CLONE = "it is no clone"
HASH = re.compile(r"[0-9a-f]{40}")
REF = re.compile(r"refs/[\w./@+-]+")
OPTIONS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.commitGraph=false",  # it repeats what commits say, and may say something else
    "core.multiPackIndex=false",
    "core.packedGitWindowSize=32m",
    "core.packedGitLimit=256m",
)


class RepositoryError(Exception):
    """This repository can't be read; the text says why, and what to do."""


@dataclass(frozen=True)
class Commit:
    hash: str
    time: int  # seconds since 1970, as its committer's clock, or its committer, said


@dataclass(frozen=True)
class Blob:
    """A file of a commit. `mode` as git has it: "120000" is a symbolic link, "160000" a submodule."""

    mode: str
    hash: str
    size: int
    path: bytes


def path_of(blob: Blob) -> PurePosixPath:
    """Where a file lies in its repository."""
    return PurePosixPath(blob.path.decode("utf-8", "surrogateescape"))


class Repository:
    """A clone on disk, with or without a working tree.

    Args:
        folder: the clone.
        scratch: an empty folder, for the repository of ours.

    Raises:
        RepositoryError: it is none, or one whose objects lie elsewhere.
    """

    def __init__(self, folder: Path, scratch: Path) -> None:
        self._git = _git_folder(folder)
        _check_objects(self._git / "objects")
        self._scratch = scratch
        for name in ("objects", "refs"):
            (scratch / name).mkdir()
        (scratch / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
        (scratch / "config").write_text(
            "[core]\n\trepositoryformatversion = 0\n\tbare = true\n", encoding="utf-8"
        )
        # A clone of depth 1 ends somewhere; only hashes are taken over.
        ends = HASH.findall(self._text("shallow"))
        if ends:
            (scratch / "shallow").write_text("\n".join(ends) + "\n", encoding="utf-8")

    def head(self) -> str:
        """The last commit of the default branch, as it was on the server when it was fetched, where that is known."""
        for name in ("refs/remotes/origin/HEAD", "HEAD"):
            found = self._resolve(name)
            if found is not None:
                return found
        raise RepositoryError("it has no commit on its default branch")

    def branches(self) -> dict[str, str]:
        """Branch -> its last commit: those of the server when it was fetched; its own where it was cloned bare.

        The default one is among them. No more than MAX_BRANCHES are named.
        """
        for kind in ("refs/remotes/origin/", "refs/heads/"):
            packed = re.findall(rf"^[0-9a-f]{{40}} {kind}(\S+)$", self._text("packed-refs"), re.MULTILINE)
            loose = islice((self._git / kind).rglob("*"), MAX_REF_FILES)
            names = {*packed, *(str(path.relative_to(self._git / kind)) for path in loose)} - {"HEAD"}
            found = {name: self._resolve(kind + name) for name in sorted(names)[:MAX_BRANCHES]}
            known = {name: commit for name, commit in found.items() if commit is not None}
            if known:
                return known
        return {}

    def origin(self) -> str:
        """The address it was cloned from, as its configuration says; "" without one."""
        section = ""
        for line in self._text("config").splitlines():
            line = line.strip()
            if line.startswith("["):
                section = line
            elif section == '[remote "origin"]' and (found := re.fullmatch(r"url ?= ?(\S+)", line)):
                return found[1]
        return ""

    def history(self, commit: str) -> Iterator[Commit]:
        """The branch itself (first parents), newest first."""
        count = f"--max-count={MAX_COMMITS}"
        for line in self._run("rev-list", "--first-parent", "--timestamp", count, commit, "--").split(b"\n"):
            if line:
                time, found = line.split()
                yield Commit(found.decode(), int(time))

    def changed(self, commit: str, paths: Sequence[bytes]) -> dict[bytes, int]:
        """Path -> when it was changed last on the branch that leads to a commit, as the commits say."""
        if not paths:
            return {}
        what = ("-m", "--first-parent", "--no-renames", "--name-only", "--format=%ct", "-z")
        told = self._run("--literal-pathspecs", "log", *what, commit, "--", *map(os.fsdecode, paths))
        found: dict[bytes, int] = {}
        time, parts = 0, told.split(b"\0")
        for part, following in zip(parts, [*parts[1:], b""], strict=True):
            if part.isdigit() and following.startswith(b"\n"):
                time = int(part)
            elif part:
                found.setdefault(part.removeprefix(b"\n"), time)
        return found

    def files(self, commit: str) -> Iterator[Blob]:
        """Every file of a commit."""
        for entry in self._run("ls-tree", "-r", "-z", "-l", "--full-tree", commit).split(b"\0"):
            if entry:
                about, path = entry.split(b"\t", 1)
                mode, _kind, found, size = about.decode().split()
                yield Blob(mode, found, int(size) if size.isdigit() else 0, path)

    def contents(self, blobs: Sequence[Blob]) -> Iterator[tuple[Blob, bytes]]:
        """The contents of these files. The caller has looked at their sizes."""
        if not blobs:
            return
        limit = sum(blob.size + 100 for blob in blobs)
        wanted = "".join(f"{blob.hash}\n" for blob in blobs).encode()
        answer = memoryview(self._run("cat-file", "--batch", limit=limit, given=wanted))
        for blob in blobs:
            head = f"{blob.hash} blob {blob.size}\n".encode()
            end = len(head) + blob.size
            if answer[: len(head)] != head or answer[end : end + 1] != b"\n":
                raise RepositoryError("a file of it is missing or damaged; clone it again, whole")
            yield blob, bytes(answer[len(head) : end])
            answer = answer[end + 1 :]

    # ------------------------------------------------------------------------------------------ its own text files

    def _text(self, name: str) -> str:
        """A small file of the repository; "" where there is none, or where a link leads out of it."""
        path = self._git / name
        try:
            inside = path.resolve().is_relative_to(self._git.resolve())
            if not inside or not stat.S_ISREG(path.lstat().st_mode):
                return ""
            with path.open("rb") as file:
                return file.read(MAX_REF_FILE).decode("utf-8", "replace")
        except (OSError, ValueError, RuntimeError):
            return ""

    def _resolve(self, name: str) -> str | None:
        """The hash that a branch's name stands for."""
        for _ in range(5):
            text = self._text(name).strip() or self._packed(name)
            if HASH.fullmatch(text):
                return text
            name = text.removeprefix("ref: ")
            if not REF.fullmatch(name) or ".." in name:
                return None
        return None

    def _packed(self, name: str) -> str:
        found = re.search(rf"^([0-9a-f]{{40}}) {re.escape(name)}$", self._text("packed-refs"), re.MULTILINE)
        return found[1] if found else ""

    # ------------------------------------------------------------------------------------------ git

    def _run(self, *command: str, limit: int = MAX_LISTING, given: bytes = b"") -> bytes:
        """What a git command prints. Its time, memory and output are limited: objects can be made to explode."""
        program = shutil.which("git")
        if program is None:
            raise RepositoryError("git is not installed; install it")
        options = [part for option in OPTIONS for part in ("-c", option)]
        process = subprocess.Popen(
            [program, "--no-replace-objects", *options, *command],
            cwd=self._scratch,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdin is not None and process.stdout is not None
        _limit(process.pid)
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            # From a thread: git may begin to answer before it has read everything.
            writer = threading.Thread(target=_write, args=(process.stdin, given))
            writer.start()
            answer = process.stdout.read(limit + 1)
            if len(answer) > limit:
                process.kill()
            process.stdout.close()
            status = process.wait()
            writer.join()
        finally:
            timer.cancel()
        if len(answer) > limit:
            raise RepositoryError("it holds more than the limits allow")
        if status:
            raise RepositoryError("git can't read it (damaged, or cloned in part); clone it again, whole")
        return answer

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._scratch),
            "LC_ALL": "C",
            "GIT_DIR": str(self._scratch),
            "GIT_OBJECT_DIRECTORY": str(self._git.resolve() / "objects"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
        }


def _limit(process: int) -> None:
    """Bound a process that has just begun, where the system can (Linux)."""
    if sys.platform.startswith("linux"):
        import resource

        with suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_AS, (MEMORY, MEMORY))


def _write(stream: IO[bytes], given: bytes) -> None:
    with suppress(OSError):  # git has ended; its status says why
        stream.write(given)
    with suppress(OSError):
        stream.close()


def _git_folder(folder: Path) -> Path:
    """Where the repository itself lies: `.git`, or the folder of a bare clone."""
    for place in (folder / ".git", folder):
        if folder.is_symlink() or place.is_symlink() or (place / "objects").is_symlink():
            raise RepositoryError("it leads elsewhere by a link; clone it as it is")
        if (place / "objects").is_dir() and (place / "HEAD").is_file():
            return place
    if (folder / ".git").is_file():
        raise RepositoryError("its repository lies elsewhere (a worktree or a submodule); clone it by itself")
    raise RepositoryError(NO_CLONE)


def _check_objects(objects: Path) -> None:
    """Objects that are borrowed from elsewhere could be anybody's, the solutions' included."""
    for name in ("alternates", "http-alternates"):
        if os.path.lexists(objects / "info" / name):
            raise RepositoryError(
                "it borrows objects of another repository; clone it without --reference or --shared"
            )
    count = 0
    for place, folders, files in os.walk(objects):
        count += len(files)
        if count > MAX_OBJECT_FILES:
            raise RepositoryError("it holds more than the limits allow")
        for name in (*folders, *files):
            mode = os.lstat(os.path.join(place, name)).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise RepositoryError("an object of it is a link or no file; clone it again")
