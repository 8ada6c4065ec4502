"""Unpacking a submitted archive: `unpack` runs in a confined child, `accept` checks its answer outside.

Zip (stored or deflated) and tar, gzipped or not. No name may leave the archive's own folder, nothing but
plain files and folders is taken, and what counts is the size that comes out, not the size that the archive
claims. Folders count, too: a tar of nothing else is packed to a few bytes each, and reading each takes its time.
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

MAX_NAME = 240
MAX_DEPTH = 16
CHUNK = 1 << 16

Entry = tuple[str, BinaryIO | None]  # name and content; None: a folder


class Refused(Exception):
    """The archive is refused; the text says which entry, or which limit."""


def unpack(raw: bytes, max_bytes: int, max_files: int) -> dict[str, bytes]:
    """File name -> content. Refused for anything but a modest archive of plain files."""
    try:
        if zipfile.is_zipfile(io.BytesIO(raw)):
            return _collect(_zip_entries(raw), max_bytes, max_files)
        return _collect(_tar_entries(raw), max_bytes, max_files)
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


def _collect(entries: Iterator[Entry], max_bytes: int, max_files: int) -> dict[str, bytes]:
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
            while piece := stream.read(CHUNK):
                total += len(piece)
                if total > max_bytes:
                    raise Refused(f"{name!r} takes its unpacked size beyond {max_bytes} bytes")
                pieces.append(piece)
        files[name] = b"".join(pieces)
    if not files:
        raise Refused("it holds no files")
    return files


def _zip_entries(raw: bytes) -> Iterator[Entry]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for entry in archive.infolist():
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise Refused(f"{entry.filename!r} is a link or a special file")
            if entry.is_dir():
                yield entry.filename.rstrip("/"), None
                continue
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Refused(f"{entry.filename!r} is compressed in an unusual way; use an ordinary zip")
            yield entry.orig_filename, archive.open(entry)  # type: ignore[misc]


def _tar_entries(raw: bytes) -> Iterator[Entry]:
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r|*") as archive:
        for entry in archive:
            name = entry.name.removeprefix("./")
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
