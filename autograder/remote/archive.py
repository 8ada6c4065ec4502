"""Unpacking a submitted archive: `unpack` runs in a confined child, `accept` checks its answer outside.

Zip (stored or deflated) and tar, gzipped or not. No name may leave the archive's own folder, nothing but
plain files and folders is taken, and what counts is the size that comes out, not the size that the archive
claims. Folders count, too: a tar of nothing else is packed to a few bytes each, and reading each takes its time.

What is nobody's own work (environments, version control, caches) is passed over unread, whatever its size, names and
links: whoever packs a whole project folder packs that with it. The archive itself stays outside; the child asks for
the parts of it that it needs.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO

MAX_NAME = 240
MAX_DEPTH = 16
CHUNK = 1 << 16
BLOCK = 1 << 17  # bytes of the archive that are asked for at a time
# Folders of other people's work. Hidden ones (.git, .venv, .ipynb_checkpoints) are known by their dot.
IGNORED = {"__pycache__", "__MACOSX", "node_modules", "site-packages", "venv"}
HIDDEN = re.compile(r"\.+[^.\\][^\\]*")  # not "..", nor what Windows takes for a way up

Entry = tuple[str, BinaryIO | None]  # name and content; None: a folder
Read = Callable[[int, int], bytes]  # (offset, length) -> that part of the archive, or what there is of it


class Refused(Exception):
    """The archive is refused; the text says which entry, or which limit."""


def passed_over(parts: Iterable[str]) -> bool:
    """Whether a path leads through what is nobody's own work, or is hidden."""
    return any(part in IGNORED or HIDDEN.fullmatch(part) for part in parts)


def unpack(
    read: Read, size: int, max_bytes: int, max_files: int, suffixes: Collection[str] = ()
) -> dict[str, bytes]:
    """File name -> content. Refused for anything but a modest archive of plain files.

    Args:
        suffixes: in lower case, of the files whose content is wanted; others come empty. All are, by default.
    """
    raw = io.BufferedReader(_Remote(read, size), BLOCK)
    try:
        entries = _zip_entries(raw) if zipfile.is_zipfile(raw) else _tar_entries(raw)
        return _collect(entries, max_bytes, max_files, suffixes)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        NotImplementedError,
        ValueError,
    ) as error:
        raise Refused(f"not a readable zip or tar.gz archive ({error})") from None
    except (OSError, RuntimeError) as error:  # gzip's errors are OSErrors; RuntimeError: the zip is encrypted
        raise Refused(f"the archive can't be read ({error})") from None


class _Remote(io.RawIOBase):
    """The archive as a file that lies elsewhere."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self._size, self._place = read, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        if place < 0:
            raise OSError("a place before its beginning")  # as files have it; zipfile reckons with that
        self._place = place
        return place

    def readinto(self, buffer: Any) -> int:
        piece = self._read(self._place, min(len(buffer), BLOCK))
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)


def _collect(
    entries: Iterator[Entry], max_bytes: int, max_files: int, suffixes: Collection[str]
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    total = 0
    for count, (name, stream) in enumerate(entries, start=1):
        check_name(name)
        if count > max_files:
            raise Refused(f"it holds more than {max_files} files and folders")
        if stream is None:
            continue
        if name in files:
            raise Refused(f"{name!r} is in the archive twice")
        pieces = []
        with stream:
            wanted = not suffixes or PurePosixPath(name).suffix.lower() in suffixes
            while wanted and (piece := stream.read(CHUNK)):
                total += len(piece)
                if total > max_bytes:
                    raise Refused(f"{name!r} takes its unpacked size beyond {max_bytes} bytes")
                pieces.append(piece)
        files[name] = b"".join(pieces)
    if not files:
        raise Refused("it holds no files")
    return files


def _zip_entries(raw: BinaryIO) -> Iterator[Entry]:
    with zipfile.ZipFile(raw) as archive:
        for entry in archive.infolist():
            if passed_over(entry.orig_filename.split("/")):
                continue
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise Refused(f"{entry.filename!r} is a link or a special file")
            if entry.is_dir():
                yield entry.filename.rstrip("/"), None
                continue
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Refused(f"{entry.filename!r} is compressed in an unusual way; use an ordinary zip")
            yield entry.orig_filename, archive.open(entry)  # type: ignore[misc]


def _tar_entries(raw: BinaryIO) -> Iterator[Entry]:
    raw.seek(0)
    with tarfile.open(fileobj=raw, mode="r|*") as archive:
        for entry in archive:
            name = entry.name.removeprefix("./")
            if passed_over(name.split("/")):
                continue
            if entry.isdir():
                yield ("folder" if name in ("", ".") else name), None
                continue
            content = archive.extractfile(entry) if entry.isreg() else None
            if content is None:
                raise Refused(f"{entry.name!r} is a link or a special file")
            yield name, content  # type: ignore[misc]


def check_name(name: str) -> None:
    """Refused unless `name` is a plain relative path."""
    parts = name.split("/")
    if not name or len(name) > MAX_NAME or len(parts) > MAX_DEPTH or not name.isprintable():
        raise Refused(f"the name {name[:80]!r} is too long or holds unprintable characters")
    if "\\" in name or ":" in name or any(part in ("", ".", "..") for part in parts):
        raise Refused(f"the name {name!r} is not a plain relative path")


def accept(answer: Any, max_bytes: int, max_files: int) -> dict[str, bytes]:
    """The child's answer, checked again: the child may have been taken over by the archive it read."""
    if type(answer) is not dict or len(answer) > max_files:
        raise Refused("unpacking gave no list of files within the limit")
    for name, content in answer.items():
        if type(name) is not str or type(content) is not bytes:
            raise Refused("unpacking gave something other than files")
        check_name(name)
    if sum(map(len, answer.values())) > max_bytes:
        raise Refused(f"its unpacked size is beyond {max_bytes} bytes")
    return answer
