"""The program itself, for machines that have never seen this repository: a wheel, and what else to install with it."""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from importlib import metadata, resources
from pathlib import Path

import autograder
from autograder.platforms.leftovers import files_below

DISTRIBUTION = "llm-autograder"
WHEEL = """\
Wheel-Version: 1.0
Generator: autograder {version}
Root-Is-Purelib: true
Tag: py3-none-any
"""
WHEN = (1980, 1, 1, 0, 0, 0)  # one moment for every file: the same program gives the same bytes


def write_package(out: Path, extra: str = "notebook") -> Path:
    """Write the wheel, requirements.txt, constraints.txt and install.py into `out`; the wheel's path.

    Args:
        out: a folder.
        extra: the extra of the package that whoever receives this needs, or "".
    """
    wheel = write_wheel(out)
    wanted = f"./{wheel.name}" + (f"[{extra}]" if extra else "")
    (out / "requirements.txt").write_text(f"-c constraints.txt\n{wanted}\n", encoding="utf-8")
    (out / "constraints.txt").write_text("\n".join(constraints(extra)) + "\n", encoding="utf-8")
    installer = resources.files(__package__) / "files" / "install.py"
    with resources.as_file(installer) as path:
        shutil.copyfile(path, out / "install.py")
    return wheel


def write_wheel(out: Path) -> Path:
    """Pack the running program as a wheel (binary distribution format: PEP 427).

    Built from the installed files, so it works from a clone and from an installation, without a build tool.
    """
    installed = metadata.distribution(DISTRIBUTION)
    name = f"{DISTRIBUTION.replace('-', '_')}-{installed.version}"
    package = Path(autograder.__file__).resolve().parent
    members = {
        f"autograder/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in files_below(package)
    }
    info = f"{name}.dist-info"
    # A clone's own build leaves the same text under its older name.
    text = installed.read_text("METADATA") or installed.read_text("PKG-INFO") or ""
    members[f"{info}/METADATA"] = text.encode()
    members[f"{info}/entry_points.txt"] = (installed.read_text("entry_points.txt") or "").encode()
    members[f"{info}/WHEEL"] = WHEEL.format(version=installed.version).encode()
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

    out.mkdir(parents=True, exist_ok=True)
    wheel = out / f"{name}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in members.items():
            entry = zipfile.ZipInfo(path, WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return wheel


def _digest(data: bytes) -> str:
    """As RECORD wants it: urlsafe base64 without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def constraints(extra: str = "") -> list[str]:
    """`name==version` for everything installed here that the package needs, with one of its extras.

    What is released then runs on the versions that the instructor's own machine runs.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(DISTRIBUTION, ""), *([(DISTRIBUTION, extra)] if extra else [])]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # needed on other systems only, or in an extra that is not installed here
        found[canonicalize_name(name)] = installed.version.split("+")[0]
        for line in installed.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": wanted}):
                inner = canonicalize_name(requirement.name)
                waiting += [(inner, ""), *((inner, chosen) for chosen in requirement.extras)]
    del found[DISTRIBUTION]
    return [f"{name}=={version}" for name, version in sorted(found.items())]
