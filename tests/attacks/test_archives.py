"""Archives: write outside of a folder, name a link or a device, fill memory or disk, take a long time to unpack.

An archive is unpacked in a confined child, within limits; what comes back is checked as its word. Nothing reaches a disk.
"""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import time
import zipfile
from typing import Any

import pytest

from autograder.remote.archive import Refused, accept, check_name
from autograder.remote.errors import ArchiveError
from autograder.remote.module_sandbox import ModuleSandbox

MAX_BYTES, MAX_FILES = 1 << 20, 20


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type, entry.linkname = len(content), kind, target
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def folders(count: int) -> bytes:
    """A tar of nothing but folders: a few bytes each, once it is packed."""
    header = tarfile.TarInfo("d")
    header.type = tarfile.DIRTYPE
    return gzip.compress(header.tobuf() * count + bytes(1024), compresslevel=1)


def symlink_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, pytest.warns(UserWarning):
        archive.writestr("a.py", "1")
        archive.writestr("a.py", "2")
    return buffer.getvalue()


def lying_zip() -> bytes:
    """Claims to hold 10 bytes, holds 8 MiB."""
    raw = bytearray(zipped({"a": bytes(8 << 20)}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        position = raw.index(signature) + offset
        raw[position : position + 4] = (10).to_bytes(4, "little")
    return bytes(raw)


def whole_folder() -> bytes:
    """As `tar cz .` makes it: its first entry is the folder itself."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("./")
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
        entry = tarfile.TarInfo("./a.py")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"1"))
    return buffer.getvalue()


def unpack(sandbox: ModuleSandbox, raw: bytes) -> dict[str, bytes]:
    return sandbox.unpack(io.BytesIO(raw), max_bytes=MAX_BYTES, max_files=MAX_FILES)


def test_honest_archives(sandbox: ModuleSandbox) -> None:
    files = {"a.py": b"x = 1\n", "folder/b.ipynb": b"{}" * 5000, "ü.txt": b""}
    assert unpack(sandbox, zipped(files)) == files
    assert unpack(sandbox, zipped(files, zipfile.ZIP_STORED)) == files
    assert unpack(sandbox, tarred(files)) == files
    assert unpack(sandbox, tarred({"./a.py": b"1"})) == {"a.py": b"1"}
    assert unpack(sandbox, zipped({"folder/": b"", "folder/a.py": b"1"})) == {"folder/a.py": b"1"}
    assert unpack(sandbox, whole_folder()) == {"a.py": b"1"}
    assert len(unpack(sandbox, zipped({f"f{i}": b"" for i in range(MAX_FILES)}))) == MAX_FILES


def project(environment: dict[str, bytes]) -> bytes:
    """A zip of a whole project folder, its environment in it, with a link to an interpreter as `zip -y` keeps it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**environment, "work/a.py": b"1"}.items():
            archive.writestr(name, content)
        entry = zipfile.ZipInfo("work/.venv/bin/python")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/usr/bin/python3")
    return buffer.getvalue()


OTHERS = [
    ".venv",
    "venv",
    ".git",
    "__pycache__",
    ".ipynb_checkpoints",
    "node_modules",
    "__MACOSX",
    "env/site-packages",
]


@pytest.mark.parametrize("place", OTHERS)
def test_what_is_nobody_s_work_is_passed_over_before_any_limit(sandbox: ModuleSandbox, place: str) -> None:
    """Its number, its size, its names and its links."""
    many = {f"work/{place}/{n}.py": b"" for n in range(3 * MAX_FILES)}
    large = {f"work/{place}/large.bin": bytes(3 * MAX_BYTES)}
    odd = {f"work/{place}/{'deep/' * 40}{'long' * 70}.py": b"", ".DS_Store": b"\0"}
    assert unpack(sandbox, project({**many, **large, **odd})) == {"work/a.py": b"1"}
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w:gz") as archive:
        for name, content in {**many, **large, "work/a.py": b"1"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    assert unpack(sandbox, packed.getvalue()) == {"work/a.py": b"1"}


def test_no_way_out_through_what_is_passed_over(sandbox: ModuleSandbox) -> None:
    for name in (".venv/../../a.py", "../.venv/a.py", "/.git/a.py", "venv/../a.py"):
        try:
            assert unpack(sandbox, zipped({name: b"", "b.py": b""})) == {"b.py": b""}
        except ArchiveError as refused:
            assert "plain relative path" in str(refused)


def test_a_content_that_nobody_asked_for_is_not_unpacked(sandbox: ModuleSandbox) -> None:
    raw = zipped({"data.csv": bytes(5 * MAX_BYTES), "report.pdf": b"%PDF", "a.PY": b"1"})
    found = sandbox.unpack(io.BytesIO(raw), max_bytes=MAX_BYTES, max_files=MAX_FILES, suffixes=[".py"])
    assert found == {"data.csv": b"", "report.pdf": b"", "a.PY": b"1"}


def test_a_large_archive_is_not_read_as_a_whole(sandbox: ModuleSandbox) -> None:
    """Its work is small; what comes along may be as large as an environment is."""

    class Counted(io.BytesIO):
        taken = 0

        def read(self, length: int | None = -1, /) -> bytes:
            piece = super().read(length)
            Counted.taken += len(piece)
            return piece

    names = {f".venv/{n}.so": bytes(1 << 20) for n in range(64)}
    raw = zipped({**names, "a.py": b"1"}, zipfile.ZIP_STORED)
    found = sandbox.unpack(Counted(raw), max_bytes=MAX_BYTES, max_files=MAX_FILES)
    assert found == {"a.py": b"1"}
    assert Counted.taken < 1 << 20


HOSTILE: dict[str, tuple[Any, str]] = {
    "up": (lambda: zipped({"../a": b""}), r"\.\./a"),
    "up inside": (lambda: zipped({"a/../../b": b""}), "plain relative"),
    "absolute": (lambda: zipped({"/etc/passwd": b""}), "passwd"),
    "drive": (lambda: zipped({"C:/a": b""}), "C:"),
    "backslash": (lambda: zipped({"..\\a": b""}), "plain relative"),
    "control": (lambda: zipped({"a\nb": b""}), "unprintable"),
    "long": (lambda: zipped({"a" * 300: b""}), "too long"),
    "deep": (lambda: zipped({"a/" * 40 + "b": b""}), "too long"),
    "symlink": (symlink_zip, "link"),
    "twice": (twice, "twice"),
    "bomb": (lambda: zipped({"a": bytes(50 << 20)}), "'a'"),
    "lying bomb": (lying_zip, "archive|'a'"),
    "many": (lambda: zipped({f"f{i}": b"" for i in range(50)}), "20 files"),
    "many folders": (lambda: zipped({f"f{i}/": b"" for i in range(50)}), "20 files and folders"),
    "a tar of folders": (lambda: folders(30_000), "20 files and folders"),
    "bzip": (lambda: zipped({"a": b"x" * 100}, zipfile.ZIP_BZIP2), "unusual"),
    "nothing in it": (lambda: zipped({}), "no files"),
    "not an archive": (lambda: b"print('hello')", "not a readable"),
    "empty": (lambda: b"", "not a readable"),
    "cut short": (lambda: zipped({"a": b"x" * 5000})[:-40], "archive"),
    "cut tar": (lambda: tarred({"a": bytes(range(256)) * 50})[:100], "archive"),
    "tar up": (lambda: tarred({"../a": b""}), "plain relative"),
    "tar symlink": (lambda: tarred({"a": b""}, tarfile.SYMTYPE, "/etc/passwd"), "link"),
    "tar hard link": (lambda: tarred({"a": b""}, tarfile.LNKTYPE, "b"), "link"),
    "tar device": (lambda: tarred({"a": b""}, tarfile.CHRTYPE), "special"),
    "gzip bomb": (lambda: gzip.compress(bytes(200 << 20)), "no files|size"),
    "tar bomb": (lambda: tarred({"a": bytes(50 << 20)}), "'a'"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives(sandbox: ModuleSandbox, name: str) -> None:
    make, text = HOSTILE[name]
    raw = make()
    began = time.monotonic()
    with pytest.raises(ArchiveError, match=text):
        unpack(sandbox, raw)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "answer",
    [None, [], {"../a": b""}, {"/a": b""}, {"a": "text"}, {1: b""}, {"a": b"x" * (MAX_BYTES + 1)}, {"": b""},
     {f"f{i}": b"" for i in range(50)}, {"a\\b": b""}],
    ids=range(10),
)  # fmt: skip
def test_the_childs_word_is_checked(answer: Any) -> None:
    """As if the archive had taken the child over, and it now answered what it liked."""
    with pytest.raises(Refused):
        accept(answer, MAX_BYTES, MAX_FILES)


def test_names() -> None:
    for name in ("a", "a/b.py", "a b", "ü/ß", "..a", "a..", "...a"):
        check_name(name)
    for name in ("", ".", "..", "a//b", "a/", "/a", "a/./b", "a\x00", "a:b", "\u202ea"):
        with pytest.raises(Refused):
            check_name(name)
