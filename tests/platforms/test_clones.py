"""Submissions from clones: which commit counts, whose it is, and that nothing of a clone is ever run or trusted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course, CourseError
from autograder.gradebook.extensions import Extension
from autograder.grading.collector import Upload
from autograder.grading.submissions import submissions_of
from autograder.platforms.github import clones as clones_module
from autograder.platforms.github import repository as git_objects
from autograder.platforms.github.clones import Clone, ClonesError, entries, opened_clones, whose
from autograder.results import Submitted, TimeSource, Why

Clones = Callable[..., Path]
DUE = datetime.fromisoformat("2026-10-01T12:00:00+00:00")


def git(folder: Path, *command: str, when: str = "2026-09-01T00:00:00Z", **options: Any) -> str:
    """The instructor's or a student's own git, with no configuration from elsewhere."""
    person = {
        f"GIT_{role}_{what}": "s001@example.org"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_DATE": when,
        "GIT_COMMITTER_DATE": when,
        **person,
    }
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *command],
        cwd=folder, env=variables, capture_output=True, text=True, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str | bytes], when: str = "2026-09-01T00:00:00Z") -> str:
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "work", when=when)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `gh classroom clone student-repos` makes for the assignment week1."""
    place = tmp_path / "week1-submissions"
    place.mkdir()
    return place


def read(
    folder: Path, course: Course, deadline: datetime | None = None, students: dict[str, str] | None = None
) -> tuple[dict[str, Clone], dict[str, dict[str, bytes]]]:
    """Clone name -> the clone, and -> its files."""
    with opened_clones(folder, course, deadline, students) as (files, found):
        contents = {
            clone.folder.name: {
                str(path.relative_to(files / clone.folder.name)): path.read_bytes()
                for path in sorted((files / clone.folder.name).rglob("*"))
                if path.is_file()
            }
            for clone in found
        }
    assert not files.exists()
    return {clone.folder.name: clone for clone in found}, contents


# ------------------------------------------------------------------------------------------ which commit


def test_the_last_commit_before_the_deadline(folder: Path, toy_course: Course) -> None:
    place = folder / "week1-s001"
    commit(place, {"vowels.py": "first"}, "2026-09-30T12:00:00Z")
    second = commit(place, {"vowels.py": "second"}, "2026-10-01T14:00:00+02:00")  # the very second
    commit(place, {"vowels.py": "late"}, "2026-10-01T12:00:01Z")
    found, files = read(folder, toy_course, DUE)
    clone = found["week1-s001"]
    assert clone.commit is not None and clone.commit.hash == second
    assert clone.committed == DUE
    assert files["week1-s001"] == {"vowels.py": b"second"}
    _, files = read(folder, toy_course)
    assert files["week1-s001"] == {"vowels.py": b"late"}


def test_each_file_is_as_old_as_its_last_change(folder: Path, toy_course: Course) -> None:
    """One repository for a whole term: what is handed in later makes nothing late that lay there unchanged."""
    place = folder / "week1-s001"
    commit(place, {"affine.py": "first", "vowels.py": "begun"}, "2026-09-02T12:00:00Z")
    commit(place, {"vowels.py": "done", "1.py": "1"}, "2026-09-09T12:00:00Z")
    commit(place, {"notes.py": "later"}, "2026-10-01T12:00:00Z")
    with opened_clones(folder, toy_course) as (files, found):
        (upload,) = entries(found, files)["s001"]
        submissions = submissions_of("s001", [upload], list(toy_course), dict, files)
        told = {one.exercise: one.submitted for one in submissions}
    assert told == {
        "basics/affine": Submitted(datetime(2026, 9, 2, 12, tzinfo=UTC), TimeSource.COMMIT),
        "extras/vowels": Submitted(datetime(2026, 9, 9, 12, tzinfo=UTC), TimeSource.COMMIT),
    }


@pytest.mark.parametrize(
    ("rule", "more", "counted"),
    [
        ("", 0, "punctual"),
        ("", 1, "late"),
        ("late = { penalty = 0.1 }", 0, "much later"),
        ("late = { penalty = 0.1, cutoff_days = 1 }", 0, "late"),
        ("late = { penalty = 0.1, cutoff_days = 1 }", 30, "much later"),
    ],
)
def test_late_work_is_taken_where_the_course_says_what_follows(
    folder: Path, toy: Path, edited: Callable[[Path, str, str], None], rule: str, more: int, counted: str
) -> None:
    edited(toy / "course/course.toml", 'id = "week1"', f'id = "week1"\ndue = 2026-10-01T12:00:00Z\n{rule}')
    given = [Extension(assignment="week1", student="s001", days=more, reason="ill")] if more else []
    commit(folder / "week1-s001", {"vowels.py": "punctual"}, "2026-10-01T11:00:00Z")
    commit(folder / "week1-s001", {"vowels.py": "late"}, "2026-10-02T11:00:00Z")
    commit(folder / "week1-s001", {"vowels.py": "much later"}, "2026-10-20T11:00:00Z")
    with opened_clones(folder, Course.load(toy), extensions=lambda student: given) as (files, _):
        assert (files / "week1-s001/vowels.py").read_text() == counted


def test_nothing_before_the_deadline(folder: Path, toy_course: Course) -> None:
    commit(folder / "week1-s001", {"vowels.py": "late"}, "2026-10-02T00:00:00Z")
    found, files = read(folder, toy_course, DUE)
    assert "before the deadline" in found["week1-s001"].problem
    assert files["week1-s001"] == {}


def test_the_assignment_s_own_deadline(toy: Path, tmp_path: Path, edited: Callable[..., None]) -> None:
    edited(toy / "course/course.toml", 'id = "week1"', 'id = "week1"\ndue = 2026-10-01T14:00:00+02:00')
    folder = tmp_path / "clones"
    commit(folder / "week1-s001", {"vowels.py": "right"}, "2026-10-01T12:00:00Z")
    commit(folder / "week1-s001", {"vowels.py": "late"}, "2026-10-01T12:00:01Z")
    commit(folder / "other-s001", {"vowels.py": "any time"}, "2026-11-01T12:00:01Z")
    _, files = read(folder, Course.load(toy))
    assert files == {"week1-s001": {"vowels.py": b"right"}, "other-s001": {"vowels.py": b"any time"}}
    edited(toy / "course/course.toml", "+02:00", "")
    with pytest.raises(CourseError, match="timezone"):
        Course.load(toy)


def test_a_date_that_was_set_back_is_remarked(folder: Path, toy_course: Course) -> None:
    """It counts, because its date is all there is; the instructor is told, and has the day of their own clone."""
    place = folder / "week1-s001"
    commit(place, {"vowels.py": "late"}, "2026-10-02T00:00:00Z")
    commit(place, {"vowels.py": "set back"}, "2026-09-30T00:00:00Z")
    found, files = read(folder, toy_course, DUE)
    assert files["week1-s001"] == {"vowels.py": b"set back"}
    (remark,) = found["week1-s001"].remarks
    assert "stands on 1 commits dated after it" in remark


def test_the_branch_of_the_server_not_of_the_working_copy(
    folder: Path, tmp_path: Path, toy_course: Course
) -> None:
    """After `git fetch`, or after an instructor looked at another branch, the server's default branch still counts."""
    origin = tmp_path / "origin"
    commit(origin, {"vowels.py": "pushed"})
    git(folder, "clone", "--quiet", str(origin), "week1-s001")
    place = folder / "week1-s001"
    git(place, "switch", "--quiet", "-c", "mine")
    commit(place, {"vowels.py": "the instructor's try"})
    commit(origin, {"vowels.py": "pushed later"})
    git(place, "fetch", "--quiet")
    assert read(folder, toy_course)[1]["week1-s001"] == {"vowels.py": b"pushed later"}
    git(place, "pack-refs", "--all")
    git(place, "gc", "--quiet")
    assert read(folder, toy_course)[1]["week1-s001"] == {"vowels.py": b"pushed later"}


def test_merged_work_counts_when_it_was_merged(folder: Path, toy_course: Course) -> None:
    place = folder / "week1-s001"
    commit(place, {"vowels.py": "main"}, "2026-09-01T00:00:00Z")
    git(place, "switch", "--quiet", "-c", "side")
    commit(place, {"vowels.py": "side"}, "2026-09-02T00:00:00Z")
    git(place, "switch", "--quiet", "main")
    git(place, "merge", "--quiet", "--no-ff", "-m", "merge", "side", when="2026-10-05T00:00:00Z")
    assert read(folder, toy_course, DUE)[1]["week1-s001"] == {"vowels.py": b"main"}


def test_bare_and_shallow_clones(folder: Path, tmp_path: Path, toy_course: Course) -> None:
    origin = tmp_path / "origin"
    commit(origin, {"vowels.py": "1"})
    commit(origin, {"vowels.py": "2"})
    git(folder, "clone", "--quiet", "--bare", str(origin), "week1-s001.git")
    git(folder, "clone", "--quiet", "--depth", "1", f"file://{origin}", "week1-s002")
    git(folder, "clone", "--quiet", "--no-checkout", str(origin), "week1-s003")
    found, files = read(folder, toy_course, DUE)
    assert list(files.values()) == [{"vowels.py": b"2"}] * 3
    assert [clone.student for clone in found.values()] == ["s001", "s002", "s003"]


# ------------------------------------------------------------------------------------------ work elsewhere


@pytest.fixture
def skeleton(toy_course: Course) -> str:
    return toy_course.exercise("vowels").skeleton.read_text(encoding="utf-8")


def told_elsewhere(clone: Clone) -> list[tuple[str, Why, tuple[str, ...]]]:
    return [(file.path, file.why, file.looks_like) for file in clone.elsewhere]


def test_work_on_another_branch_is_told(
    folder: Path, tmp_path: Path, toy_course: Course, skeleton: str
) -> None:
    """The default branch still has what was given out, or nothing at all."""
    origin = tmp_path / "origin"
    commit(origin, {"vowels.py": skeleton})
    git(origin, "switch", "--quiet", "-c", "solve/vowels")
    commit(origin, {"vowels.py": "def vowels(text): return 3\n", "week1/Affine.ipynb": '{"cells": []} '})
    git(origin, "switch", "--quiet", "main")
    git(folder, "clone", "--quiet", str(origin), "week1-s001")
    git(folder, "clone", "--quiet", "--bare", str(origin), "week1-s002.git")
    found, files = read(folder, toy_course)
    assert files["week1-s001"] == {"vowels.py": skeleton.encode()}
    for name, clone in found.items():
        assert told_elsewhere(clone) == [
            (f"{name}@solve/vowels:vowels.py", Why.BRANCH, ("extras/vowels",)),
        ]


def test_a_branch_beside_finished_work_is_not_told(folder: Path, toy_course: Course, skeleton: str) -> None:
    place = folder / "week1-s001"
    commit(place, {"vowels.py": skeleton})
    git(place, "switch", "--quiet", "-c", "try")
    commit(place, {"vowels.py": "def vowels(text): return 3\n", ".hidden/affine.py": "x"})
    git(place, "switch", "--quiet", "main")
    commit(place, {"vowels.py": "def vowels(text): return 4\n"})
    git(place, "branch", "untouched", "HEAD~1")
    assert read(folder, toy_course)[0]["week1-s001"].elsewhere == ()


def test_a_damaged_branch_costs_nothing(folder: Path, toy_course: Course) -> None:
    place = folder / "week1-s001"
    commit(place, {"vowels.py": "v"})
    (place / ".git/refs/heads/gone").write_text("1" * 40 + "\n")
    found, files = read(folder, toy_course)
    assert (found["week1-s001"].problem, files["week1-s001"]) == ("", {"vowels.py": b"v"})


def test_what_is_no_code_keeps_its_name_only(folder: Path, toy_course: Course) -> None:
    commit(folder / "week1-s001", {"vowels.pdf": b"%PDF" * 100, "DATA.csv": b"1", "Affine.PY": b"a"})
    _, files = read(folder, toy_course)
    assert set(files["week1-s001"]) == {"vowels.pdf", "Affine.PY"}
    assert files["week1-s001"]["Affine.PY"] == b"a" and b"PDF" not in files["week1-s001"]["vowels.pdf"]


# ------------------------------------------------------------------------------------------ whose it is


@pytest.mark.parametrize(
    ("name", "parent", "students", "expected"),
    [
        ("lab-1-ann", "lab-1-submissions", {}, ("lab-1", "ann", "ann")),
        ("lab-1-Ann-B", "lab-1-submissions", {"ann-b": "s007"}, ("lab-1", "Ann-B", "s007")),
        ("week1-s001", "clones", {}, ("week1", "s001", "s001")),
        ("hw-ann", "clones", {"ann": "s001", "hw-ann": "s002"}, ("", "hw-ann", "s002")),
        ("hw-Ann", "clones", {"ann": "s001"}, ("hw", "ann", "s001")),
        ("hw-bob", "clones", {"ann": "s001"}, ("", "hw-bob", "hw-bob")),
    ],
)
def test_whose(name: str, parent: str, students: dict[str, str], expected: tuple[str, str, str]) -> None:
    assert whose(name, parent, ["week1"], students) == expected


def test_entries_and_addresses(folder: Path, toy_course: Course) -> None:
    commit(folder / "week1-bob", {"vowels.py": "b"})
    git(folder / "week1-bob", "remote", "add", "origin", "git@github.com:toys/week1-bob.git")
    commit(folder / "week1-Ann", {"vowels.py": "a"})
    git(
        folder / "week1-Ann",
        "remote",
        "add",
        "origin",
        "https://x-access-token:secret@github.com/toys/week1-Ann",
    )
    (folder / "week1-carl").mkdir()
    with opened_clones(folder, toy_course, None, {"ann": "s001"}) as (files, found):
        assert entries(found, files) == {
            "bob": [Upload(files / "week1-bob", source=TimeSource.COMMIT)],
            "carl": [],
            "s001": [Upload(files / "week1-Ann", source=TimeSource.COMMIT)],
        }
        (submission,) = submissions_of("s001", [files / "week1-Ann"], list(toy_course), dict)
        assert submission.path == "week1-Ann/vowels.py"
    urls = {clone.folder.name: clone.url for clone in found}
    assert urls["week1-bob"] == "https://github.com/toys/week1-bob"
    assert urls["week1-Ann"] == "https://github.com/toys/week1-Ann"  # without the token
    assert next(c.problem for c in found if c.login == "carl") == "it is no clone"


def test_the_folder_itself(tmp_path: Path, toy_course: Course) -> None:
    for place, message in ((tmp_path / "nowhere", "is not a folder"), (tmp_path / "toy", "holds no clone")):
        if place.exists():
            place = tmp_path / "empty"
            place.mkdir()
        with pytest.raises(ClonesError, match=message), opened_clones(place, toy_course):
            pass
    for student in ("s001", "s002"):  # a folder of submissions, given by mistake
        (tmp_path / "empty" / student).mkdir()
    with pytest.raises(ClonesError, match="holds no clone"), opened_clones(tmp_path / "empty", toy_course):
        pass


# ------------------------------------------------------------------------------------------ hostile clones


def test_nothing_of_a_clone_is_run(folder: Path, tmp_path: Path, toy_course: Course) -> None:
    """Hooks, and every setting that names a program: each would leave a mark."""
    place, marks = folder / "week1-s001", tmp_path / "marks"
    marks.mkdir()
    program = tmp_path / "evil.sh"
    program.write_text(f'#!/bin/sh\ntouch "{marks}/$1"\ncat\n')
    program.chmod(0o755)
    commit(
        place,
        {
            "vowels.py": "honest",
            ".gitattributes": "*.py filter=evil diff=evil\n* text=auto eol=crlf\n",
            ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch x"\n',
        },
    )
    for setting, value in (
        ("core.fsmonitor", f"{program} fsmonitor"),
        ("core.sshCommand", f"{program} ssh"),
        ("core.pager", f"{program} pager"),
        ("core.hooksPath", str(tmp_path)),
        ("core.alternateRefsCommand", f"{program} alternate"),
        ("filter.evil.smudge", f"{program} smudge"),
        ("filter.evil.clean", f"{program} clean"),
        ("filter.evil.process", f"{program} process"),
        ("diff.evil.textconv", f"{program} textconv"),
        ("alias.cat-file", f"!{program} alias"),
        ("alias.rev-list", f"!{program} alias"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", f"ext::{program} fetch"),
        ("include.path", str(tmp_path / "included")),
    ):
        git(place, "config", setting, value)
    (tmp_path / "included").write_text(f"[core]\n\tfsmonitor = {program} included\n")
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        (place / ".git/hooks").mkdir(exist_ok=True)
        (place / ".git/hooks" / hook).write_text(f"#!/bin/sh\ntouch {marks}/{hook}\n")
        (place / ".git/hooks" / hook).chmod(0o755)
    before = sorted(path for path in place.rglob("*"))
    found, files = read(folder, toy_course, DUE)
    assert files["week1-s001"] == {
        "vowels.py": b"honest"
    }  # as committed: no filter, no conversion of newlines
    assert found["week1-s001"].url == ""
    assert list(marks.iterdir()) == []
    assert sorted(path for path in place.rglob("*")) == before
    git(place, "checkout", "--quiet", "--force", "HEAD")  # the traps are set: whoever checks it out runs them
    assert any(marks.iterdir())


def test_replaced_objects_and_grafts_are_not_believed(folder: Path, toy_course: Course) -> None:
    place = folder / "week1-s001"
    first = commit(place, {"vowels.py": "early"}, "2026-09-01T00:00:00Z")
    late = commit(place, {"vowels.py": "late"}, "2026-10-05T00:00:00Z")
    git(place, "replace", first, late)
    (place / ".git/info/grafts").write_text(f"{late}\n")
    assert read(folder, toy_course, DUE)[1]["week1-s001"] == {"vowels.py": b"early"}


def test_objects_from_elsewhere_are_refused(folder: Path, toy_course: Course, tmp_path: Path) -> None:
    """With borrowed objects a student could hand in any file of any repository on this machine whose hash they know."""
    secret = tmp_path / "secret"
    head = commit(secret, {"vowels.py": "the solution"})
    for name in (
        "alternates",
        "linked objects",
        "linked git",
        "git file",
        "linked pack",
        "linked branch",
        "linked",
    ):
        place = folder / f"week1-{name.replace(' ', '_')}"
        if name == "linked":
            place.symlink_to(secret)
            continue
        commit(place, {"notes.txt": name})
        dotgit = place / ".git"
        if name == "alternates":
            (dotgit / "objects/info/alternates").write_text(f"{secret}/.git/objects\n")
            (dotgit / "refs/heads/main").write_text(f"{head}\n")
        elif name == "linked objects":
            subprocess.run(["rm", "-r", dotgit / "objects"], check=True)
            (dotgit / "objects").symlink_to(secret / ".git/objects")
            (dotgit / "refs/heads/main").write_text(f"{head}\n")
        elif name == "linked git":
            subprocess.run(["rm", "-r", dotgit], check=True)
            dotgit.symlink_to(secret / ".git")
        elif name == "git file":
            subprocess.run(["rm", "-r", dotgit], check=True)
            dotgit.write_text(f"gitdir: {secret}/.git\n")
        elif name == "linked pack":
            (dotgit / "objects" / "zz").symlink_to(secret / ".git/objects")
        else:
            (dotgit / "refs/heads/main").unlink()
            (dotgit / "refs/heads/main").symlink_to(secret / ".git/refs/heads/main")
    found, files = read(folder, toy_course)
    assert all(clone.problem for clone in found.values()), found
    assert not any(files.values())
    assert len(found) == 7
    assert "no commit" in found["week1-linked_branch"].problem


def test_links_submodules_and_odd_names(folder: Path, toy_course: Course, tmp_path: Path) -> None:
    place = folder / "week1-s001"
    place.mkdir()
    git(place, "init", "--quiet")
    (place / "affine.py").symlink_to(tmp_path / "toy/solutions/basics/affine.py")
    (place / "sub").symlink_to(tmp_path)
    commit(
        place,
        {
            "作业/vowels.py": "fine",
            "a\\b.py": "odd",
            "line\nbreak.py": "odd",
            ".hidden/vowels.py": "no",
            "__pycache__/vowels.py": "no",
            "data.csv": "no",
        },
    )
    git(place, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module.py")
    git(place, "commit", "--quiet", "-m", "submodule")
    found, files = read(folder, toy_course)
    assert files["week1-s001"] == {"作业/vowels.py": b"fine"}
    (remark,) = found["week1-s001"].remarks
    for name in ("affine.py", "a\\\\b.py", "line\\x0abreak.py", "module.py"):
        assert name in remark


def crafted(place: Path, path: str, content: str) -> None:
    """A commit whose tree holds a name that git's own commands would not take."""
    commit(place, {})
    blob = git(place, "hash-object", "-w", "--stdin", input=content)
    raw = f"100644 {path}".encode() + b"\0" + bytes.fromhex(blob)
    (place / "tree").write_bytes(raw)
    tree = git(place, "hash-object", "-w", "-t", "tree", "--literally", "tree")
    made = git(place, "commit-tree", tree, "-m", "crafted")
    git(place, "update-ref", "refs/heads/main", made)


@pytest.mark.parametrize("path", ["../outside.py", "/outside.py", "a/../../outside.py", "..\\outside.py"])
def test_paths_that_lead_out(folder: Path, toy_course: Course, path: str) -> None:
    crafted(folder / "week1-s001", path, "x")
    with opened_clones(folder, toy_course) as (files, (clone,)):
        assert not list(files.parent.rglob("*outside*"))
        assert not (files.parent / "outside.py").exists()
    assert clone.problem == ""


def test_limits(folder: Path, toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clones_module, "MAX_FILE", 1000)
    monkeypatch.setattr(clones_module, "MAX_FILES", 2)
    monkeypatch.setattr(clones_module, "MAX_BYTES", 1500)
    place = folder / "week1-s001"
    commit(
        place,
        {
            "vowels.py": "x" * 5000,
            "a.py": "a" * 500,
            "b.py": "b" * 900,
            "c.py": "c",
            "z/affine.py": "a" * 800,
        },
    )
    with opened_clones(folder, toy_course) as (files, (clone,)):
        mine = files / "week1-s001"
        assert (mine / "vowels.py").stat().st_size == 5000  # a hole: read by nobody, and refused for its size
        assert set((mine / "vowels.py").read_bytes()) == {0}
        assert sorted(path.name for path in mine.iterdir()) == ["a.py", "vowels.py", "z"]
    assert clone.remarks == ("left out of it: b.py, c.py",)


def test_a_tree_that_explodes(folder: Path, toy_course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten levels of ten names for one tree would be ten thousand million files."""
    monkeypatch.setattr(git_objects, "MAX_LISTING", 1 << 20)
    place = folder / "week1-s001"
    commit(place, {})
    entry = git(place, "hash-object", "-w", "--stdin", input="x")
    tree = git(place, "mktree", input="".join(f"100644 blob {entry}\tf{n}.py\n" for n in range(10)))
    for _ in range(9):
        tree = git(place, "mktree", input="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)))
    git(place, "update-ref", "refs/heads/main", git(place, "commit-tree", tree, "-m", "bomb"))
    (clone,) = read(folder, toy_course)[0].values()
    assert "more than the limits allow" in clone.problem


def test_damaged_and_partial_clones(folder: Path, toy_course: Course, tmp_path: Path) -> None:
    """One broken clone is one student's problem."""
    commit(folder / "week1-s001", {"vowels.py": "fine"})
    broken = folder / "week1-s002"
    commit(broken, {"vowels.py": "x"})
    blob = git(broken, "rev-parse", "HEAD:vowels.py")
    (broken / ".git/objects" / blob[:2] / blob[2:]).unlink()
    commit(folder / "week1-s003", {})
    (folder / "week1-s003/.git/HEAD").write_text("ref: refs/heads/none\n")
    (folder / "week1-s004/.git/objects").mkdir(parents=True)
    (folder / "week1-s004/.git/HEAD").write_text("ref: ../../../../secret\n")
    commit(folder / "week1-s005", {})
    (folder / "week1-s005/.git/refs/heads/main").unlink()
    os.mkfifo(folder / "week1-s005/.git/refs/heads/main")  # whoever reads it waits for ever
    found, files = read(folder, toy_course)
    assert files["week1-s001"] == {"vowels.py": b"fine"}
    assert "clone it again, whole" in found["week1-s002"].problem
    assert "no commit" in found["week1-s003"].problem
    assert "no commit" in found["week1-s004"].problem
    assert "no commit" in found["week1-s005"].problem


def test_two_hundred_clones_are_read_quickly(folder: Path, toy_course: Course) -> None:
    import shutil
    import time

    commit(folder / "week1-s000", {"vowels.py": "x"})
    for number in range(1, 40):
        shutil.copytree(folder / "week1-s000", folder / f"week1-s{number:03}")
    began = time.process_time()
    read(folder, toy_course, DUE)
    assert time.process_time() - began < 40 * 0.1  # CPU seconds of ours, forty clones
