"""Which database a gradebook is in, how it is opened, and what is said where that fails."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, NoSuchModuleError, OperationalError, SQLAlchemyError

from autograder.course.outputs import is_database, refuse_course, refuse_work
from autograder.errors import UserError
from autograder.text import Text

BUSY_SECONDS = 10  # how long a lock that another program holds is waited for

# What to do about a database that can't be used.
URL_OR_FILE = Text(
    "write postgresql://user@host/name or a file name", "请写 postgresql://user@host/name 或文件名"
)
EXTRA = Text(
    "install the instructor extra, or use a file name for SQLite",
    "请安装 instructor 附加依赖，或改用文件名（SQLite）",
)
HELD = Text(
    "another program holds it; close that program or wait, then run the same command again",
    "另一个程序正占用它；请关闭该程序或稍候，再运行同一条命令",
)
FULL = Text(
    "the disk that it is on is full. Make room there, then run the same command again; what was recorded stays",
    "它所在的磁盘已满。请腾出空间，再运行同一条命令；已记录的内容不会丢失",
)
FOLDER = Text(
    "check that its folder exists, and that both the folder and the file may be written to, or name another one with "
    "--gradebook",
    "请检查它所在的文件夹是否存在、该文件夹和文件能否写入，或用 --gradebook 指定另一个",
)
RUNNING = Text(
    "check that the database is running and that the URL is right", "请检查数据库是否在运行、URL 是否正确"
)


class GradebookError(UserError):
    """The gradebook can't be opened, read or written. Nothing that was recorded is lost."""


def database_url(place: str) -> sa.URL:
    """A database URL as it is, or a file name as SQLite. GradebookError where it is neither."""
    if "://" not in place:
        return sa.URL.create("sqlite", database=str(Path(place)))
    try:
        url = sa.make_url(place)
    except (SQLAlchemyError, ValueError):  # ValueError: a port that is no number
        raise GradebookError(
            f"{place!r} is no database URL; {URL_OR_FILE.en}",
            f"{place!r} 不是数据库 URL；{URL_OR_FILE.zh}",
        ) from None
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgresql", "postgres") else url


def must_exist(place: str) -> None:
    """GradebookError for a file that is not there: opening it would create it, and a slip of the pen goes unseen."""
    url = database_url(place)
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    if is_file and "uri" not in url.query and not Path(str(url.database)).exists():
        raise GradebookError(
            f"{url.database} does not exist; `autograder grade` creates it, or name another one with --gradebook",
            f"{url.database} 不存在；`autograder grade` 会创建它，也可用 --gradebook 指定另一个",
        )


def redacted_url(place: str) -> str:
    """A gradebook's name as it was typed, but for the password."""
    if "://" not in place:
        return str(Path(place))
    url = sa.make_url(place)
    if url.drivername == "sqlite" and url.database:
        return url.database
    return url.render_as_string(hide_password=True)


def open_engine(place: str) -> sa.Engine:
    """An engine for the database at a file name or URL; nothing is connected yet.

    Raises:
        GradebookError: there is no such kind of database, or no driver for it.
    """
    url, name = database_url(place), redacted_url(place)
    try:
        if url.drivername == "sqlite" and url.database:
            _check_file(Path(url.database))
        options = {"connect_args": {"timeout": BUSY_SECONDS}} if url.drivername == "sqlite" else {}
        engine = sa.create_engine(url, **options)
    except NoSuchModuleError:
        raise GradebookError(
            f"{name}: no kind of database is called {url.drivername!r}; {URL_OR_FILE.en}",
            f"{name}：没有名为 {url.drivername!r} 的数据库类型；{URL_OR_FILE.zh}",
        ) from None
    except ImportError as error:
        remedy = EXTRA if url.get_backend_name() == "postgresql" else URL_OR_FILE
        raise GradebookError(
            f"{name}: no driver for this database ({error}); {remedy.en}",
            f"{name}：没有这种数据库的驱动（{error}）；{remedy.zh}",
        ) from None
    if url.drivername == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    elif url.get_backend_name() == "postgresql":
        sa.event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _check_file(path: Path) -> None:
    """UserError for a file that is no database. SQLite would make one of it where it is empty, or a single byte."""
    size = path.stat().st_size if path.is_file() else 0  # first: another program may just be making it
    if path.is_file() and not is_database(path):
        refuse_course(path)
        refuse_work(path)
        if size:
            raise GradebookError(
                f"{path} is not a database; choose another file or URL for the gradebook",
                f"{path} 不是数据库；请为成绩册另选文件或 URL",
            )


def write_ahead(engine: sa.Engine) -> None:
    """Switch on SQLite's write-ahead log: a reader never waits for the grader, and a killed grader leaves whole transactions.

    It fails only while somebody else writes, who has switched it on already; so it is not worth a long wait.
    """
    if engine.dialect.name != "sqlite":
        return
    with contextlib.closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=1000")
        with contextlib.suppress(sqlite3.OperationalError):
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA busy_timeout={round(BUSY_SECONDS * 1000)}")


@contextlib.contextmanager
def closed_on_failure(engine: sa.Engine) -> Iterator[None]:
    """Close the engine's connections if the block raises: whoever wanted to open it has nothing to close."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def remove_unused(url: sa.URL, tables: Iterable[str]) -> None:
    """Remove a SQLite file in whose `tables` there is nothing. One that somebody else has open stays."""
    if url.drivername != "sqlite" or not url.database or not Path(url.database).is_file():
        return
    with (
        contextlib.closing(sqlite3.connect(url.database, isolation_level=None, timeout=0)) as connection,
        contextlib.suppress(sqlite3.OperationalError, OSError),
    ):
        connection.execute("PRAGMA journal_mode=DELETE")  # refused while there is another connection
        connection.execute("BEGIN EXCLUSIVE")
        if not any(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in tables):
            Path(url.database).unlink()


def is_held(error: DatabaseError) -> bool:
    """Whether another program holds a lock, for which this one has waited as long as it does."""
    problem = str(error.orig)
    return "locked" in problem or "lock timeout" in problem


@contextlib.contextmanager
def translate_errors(name: str) -> Iterator[None]:
    """Turn the database's errors into ours, with the remedy."""
    try:
        yield
    except OperationalError as error:
        problem = str(error.orig).strip().splitlines()[0]
        if is_held(error):
            remedy = HELD
        elif "is full" in problem or "No space left" in problem:
            remedy = FULL
        elif "unable to open" in problem or "readonly" in problem or "read-only" in problem:
            remedy = FOLDER
        else:
            remedy = RUNNING
        raise GradebookError(f"{name}: {problem}; {remedy.en}", f"{name}：{problem}；{remedy.zh}") from None
    except DatabaseError as error:
        problem = str(error.orig).strip().splitlines()[0]
        raise GradebookError(
            f"{name}: {problem}; choose another file or URL for the gradebook",
            f"{name}：{problem}；请为成绩册另选文件或 URL",
        ) from None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Settings of a connection; none of them touches the file, which may turn out to be somebody else's."""
    connection.isolation_level = (
        None  # the driver would begin no transaction for CREATE TABLE; _begin_sqlite does
    )
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: object) -> None:
    """PostgreSQL waits for a lock without end, unless it is told otherwise."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {round(BUSY_SECONDS * 1000)}")
    connection.commit()


def _begin_sqlite(connection: sa.Connection) -> None:
    """A transaction that will write says so at once: one that finds out later can't wait for another writer."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
