"""What students receive of the real course, target by target, unpacked to the last archive and searched.

Searched for: every telling line of every solution, the name of every hidden test, the name, the edit and the hint of
every misconception.

A hint may stand in one place: in `U/T.mistakes.json`, if a public test catches its misconception. That file is no leak.
What is in it answers public tests alone, which students have with their expected values; the answers are those of wrong
programs; a hint names a mistake and never the answer; and nothing says what a mistake is called, what was edited, or
what else the hidden tests look for.
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.authoring.mistakes import mistakes_text
from autograder.authoring.script import solution_lines
from autograder.course import Course
from autograder.grading.known_mistakes import read
from autograder.platforms.publish import Target, release
from autograder.platforms.selection import Selection, select

ROOT = Path(__file__).resolve().parents[2]
COURSE = Course.load(ROOT)
PATTERN = ROOT / "autograder/authoring/templates/hidden.py.j2"
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)
# What only an instructor gets of a target, and why that is right.
NOT_FOR_STUDENTS = {
    "otter": re.compile(r"^instructor/"),  # what `otter assign` reads; students get what it makes of it
    "gradescope": re.compile(
        r"."
    ),  # uploaded by the instructor, unpacked in the container; see test_gradescope.py
}


def secrets() -> dict[str, str]:
    """Text that no student may see -> where it is from."""
    found: dict[str, str] = {}
    # What a public test, or the package's own pattern of a hidden one, is called says nothing of another test of that name.
    known = [PATTERN, *(exercise.public_tests for exercise in COURSE)]
    public = "\n".join(path.read_text(encoding="utf-8") for path in known)
    for exercise in COURSE:
        solution = exercise.solution.read_text(encoding="utf-8")
        found |= dict.fromkeys(solution_lines(solution, str(exercise.solution)), f"solution of {exercise.id}")
        hidden = TEST.findall(exercise.hidden_tests.read_text(encoding="utf-8"))
        found |= {name: f"hidden test of {exercise.id}" for name in hidden if f"def {name}(" not in public}
        for mistake in exercise.spec.misconception:
            where, hint = f"misconception of {exercise.id}", f"hint of {exercise.id}"
            found |= {f'"{mistake.name}"': where, mistake.hint.en: hint, mistake.hint.zh: hint}
            edits = [edit.with_.strip() for edit in mistake.changes]
            # Shorter ones are common code.
            found |= {edit: where for edit in edits if len(edit.replace(" ", "")) >= 40}
    return found


def public_hints() -> dict[str, set[str]]:
    """File of known mistakes -> the hints of misconceptions that a public test catches, found by running them."""
    found: dict[str, set[str]] = {}
    for exercise in COURSE:
        if exercise.kind != "quiz":
            known = read(mistakes_text(exercise, exercise.solution.read_text(encoding="utf-8")))
            hints = [hint for hint, _ in known if hint is not None]
            found[f"{exercise.id}.mistakes.json"] = {text for hint in hints for text in (hint.en, hint.zh)}
    return found


SECRETS = secrets()
PUBLIC_HINTS = public_hints()


def unpacked(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    """(name, text) of a file, and of every member of an archive, whatever it is called."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield from unpacked(f"{name}/{member}", archive.read(member))
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for entry in archive.getmembers():
                content = archive.extractfile(entry)
                if content is not None:
                    yield from unpacked(f"{name}/{entry.name}", content.read())
        return
    except tarfile.TarError:
        pass
    yield name, data.decode("utf-8", "replace")


def leaks(folder: Path) -> list[str]:
    """Everything secret that can be found below a folder, one sentence each."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        for name, text in unpacked(str(path.relative_to(folder)), path.read_bytes()):
            # A notebook holds its lines as JSON strings.
            flat = text.replace('\\"', '"')
            lines = {line.strip().strip('",').removesuffix("\\n").strip() for line in flat.splitlines()}
            places = {"hidden test": set(re.findall(r"\w+", flat)), "misconception": flat, "hint": flat}
            # In JSON, which has no lines of code, any place counts.
            places["solution"] = flat if name.endswith(".json") else lines
            allowed = next((hints for file, hints in PUBLIC_HINTS.items() if name.endswith(file)), set())
            for secret, where in SECRETS.items():
                if secret in places[where.split(" of ")[0]] and secret not in allowed:
                    found.append(f"{name} holds {secret!r}, {where}")
    return found


@pytest.fixture(scope="module")
def chosen() -> Selection:
    return select(COURSE, None, "en")


def test_secrets_are_worth_searching() -> None:
    kinds = [where.split(" of ")[0] for where in SECRETS.values()]
    assert kinds.count("solution") > 200
    assert kinds.count("hidden test") > 80
    assert kinds.count("misconception") > 300
    assert kinds.count("hint") > 400


def test_a_hint_is_a_leak_where_no_public_test_catches_its_mistake(tmp_path: Path) -> None:
    exercise = COURSE.exercise("peft/lora")
    file = tmp_path / "exercises/peft/lora.mistakes.json"
    file.parent.mkdir(parents=True)
    text = exercise.mistakes_file.read_text(encoding="utf-8")
    told = PUBLIC_HINTS["peft/lora.mistakes.json"]
    hidden = next(m.hint.zh for m in exercise.spec.misconception if m.hint.zh not in told)
    file.write_text(text)
    assert leaks(tmp_path) == []
    file.write_text(text.replace("[", f'["{hidden}",', 1))
    assert [hidden in leak for leak in leaks(tmp_path)] == [True]
    file.rename(tmp_path / "hints.json")
    assert len(leaks(tmp_path)) > len(told)


@pytest.mark.parametrize("target", list(Target))
def test_target(chosen: Selection, target: Target, tmp_path: Path) -> None:
    if target is Target.SITE:  # every lesson would be executed
        some = COURSE.select(["attention/multi_head", "attention/quiz"])
        chosen = replace(chosen, exercises=tuple(some))
    release(chosen, target, tmp_path / "out")
    kept_back = NOT_FOR_STUDENTS.get(target)
    for path in sorted((tmp_path / "out").rglob("*"), reverse=True):
        if kept_back and path.is_file() and kept_back.search(str(path.relative_to(tmp_path / "out"))):
            path.unlink()
    assert leaks(tmp_path / "out") == []


@pytest.mark.parametrize("place", ["a.py", "notebooks/a.ipynb", "deep.zip", "x.whl"])
def test_a_leak_is_found(tmp_path: Path, place: str) -> None:
    """In a file, in a notebook's JSON, in an archive in an archive."""
    import json

    line = next(text for text, where in SECRETS.items() if where.startswith("solution") and '"' not in text)
    hint = COURSE.exercise("peft/lora").spec.misconception[0].hint.zh
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    source = f"def f():\n    {line}\n# {hint}\n"
    if path.suffix == ".ipynb":
        cell = {"cell_type": "code", "source": source.splitlines(keepends=True)}
        path.write_text(json.dumps({"cells": [cell]}, indent=1, ensure_ascii=False))
    elif path.suffix == ".py":
        path.write_text(source)
    else:
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w:gz") as archive:
            entry = tarfile.TarInfo("inside.txt")
            entry.size = len(source.encode())
            archive.addfile(entry, io.BytesIO(source.encode()))
        with zipfile.ZipFile(path, "w") as outer:
            outer.writestr("inner.bin", inner.getvalue())
    assert len(leaks(tmp_path)) == 2
