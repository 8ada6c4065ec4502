"""Regrading: whose score moves and why, applied or not, undone, and told in order of time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.gradebook import Gradebook
from autograder.gradebook.policy import GradingScheme, Rules
from autograder.gradebook.regrades import Regraded
from autograder.gradebook.scores import current_scores
from autograder.results import AttemptPolicy, ExerciseResult, Isolation, Policy, Status

Cli = Callable[..., Any]
Edit = Callable[[Path, str, str], None]
HandIn = Callable[..., Path]
GOOD = "def vowels(text):\n    return sum(text.lower().count(c) for c in 'aeiou')\n"
LOWER = "def vowels(text):\n    return sum(c in 'aeiou' for c in text)\n"  # loses the hidden test
EXERCISE = "extras/vowels"


@pytest.fixture
def book_file(tmp_path: Path) -> Path:
    return tmp_path / "book.db"


@pytest.fixture
def command(cli: Cli, toy: Path, book_file: Path, shared_sandbox: Any) -> Cli:
    """`command("grade", folder)`: on the toy course's gradebook."""

    def run(*arguments: object) -> Any:
        only = ("--only", "extras") if arguments[0] in ("grade", "regrade") else ()
        return cli(*arguments, *only, "--course", toy, "--gradebook", book_file)

    return run


@pytest.fixture
def regrade(command: Cli) -> Callable[..., dict[str, Any]]:
    """`regrade(folder, "--dry-run")`: what it says as JSON."""

    def run(folder: Path, *options: str) -> dict[str, Any]:
        done = command("regrade", folder, *options, "--json")
        assert done.code == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found

    return run


@pytest.fixture
def graded(command: Cli, hand_in: HandIn) -> Path:
    """s001 has full marks (4/4), s002 1/4, and both were graded."""
    hand_in("s001", {"vowels.py": GOOD})
    folder = hand_in("s002", {"vowels.py": LOWER})
    assert command("grade", folder).code == 0
    return folder


@pytest.fixture
def other_test(toy: Path, edited: Edit) -> Callable[[str, str], None]:
    """`other_test(old, new)`: an edit of the hidden test."""

    def edit(old: str, new: str) -> None:
        edited(toy / "solutions/extras/test_vowels.py", old, new)

    return edit


@pytest.fixture
def easier(other_test: Callable[[str, str], None]) -> Callable[[], None]:
    """The hidden test asks what is right, and no longer what nobody meant: what s002 has written is enough now."""
    return lambda: other_test('"Attention Is All You Need") == 10', '"attention is all you need") == 10')


@pytest.fixture
def harder(other_test: Callable[[str, str], None], toy: Path, edited: Edit) -> Callable[[], None]:
    """A `y` is a vowel, too, from now on: the hidden test fails everybody."""

    def change() -> None:
        other_test("== 10", "== 11")
        edited(toy / "solutions/extras/vowels.py", '"aeiou"', '"aeiouy"')
        edited(toy / "solutions/extras/vowels.toml", 'letter in "aeiou"', 'letter in "aeiouy"')
        edited(toy / "solutions/extras/vowels.toml", 'letter not in "aeiou"', 'letter not in "aeiouy"')

    return change


def scores(command: Cli) -> dict[str, tuple[float, float]]:
    rows = json.loads(command("gradebook", "show", "--json").out)["results"]
    return {row["student"]: (row["standing"], row["standing_max_score"]) for row in rows}


def stale(command: Cli) -> list[str]:
    rows = json.loads(command("gradebook", "show", "--json").out)["results"]
    return [row["student"] for row in rows if row["stale"]]


def moved(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    names = ("student", "before", "before_max", "after", "after_max", "direction")
    return [tuple(move[name] for name in names) for move in found["moves"]]


# ------------------------------------------------------------------------------------------ seen, then applied


def test_what_was_seen_is_applied_without_a_run(
    command: Cli, regrade: Any, graded: Path, easier: Any, book_file: Path
) -> None:
    easier()
    seen = regrade(graded, "--dry-run")
    assert moved(seen) == [("s002", 1.0, 4.0, 4.0, 4.0, "up")]
    assert seen["moves"][0]["why"] == {"en": "passes now: test_vowels", "zh": "现在通过：test_vowels"}
    assert (seen["regrade"], seen["summary"]["run"], seen["summary"]["regraded"]) == (None, 2, 2)
    assert scores(command) == {"s001": (4.0, 4.0), "s002": (1.0, 4.0)}
    assert stale(command) == ["s001", "s002"]
    with Gradebook(str(book_file)) as book:
        assert [len(history) for history in book.attempts().values()] == [1, 1]
        assert book.regrades() == []
    done = regrade(graded, "--reason", "the test was wrong", "--who", "ann")
    assert (moved(done), done["regrade"], done["summary"]["run"]) == (moved(seen), "R1", 0)
    assert scores(command) == {"s001": (4.0, 4.0), "s002": (4.0, 4.0)}
    assert stale(command) == []  # those who did not move are graded with the current version, too
    again = command("regrade", graded, "--reason", "once more")
    assert "Nothing to apply" in again.err and "Scores that move: 0 (" in again.out
    with Gradebook(str(book_file)) as book:
        (one,) = book.regrades()
    assert (one.name, one.who, one.reason, one.undone) == ("R1", "ann", "the test was wrong", None)
    assert "0 graded, 2 known already" in command("grade", graded).err


def test_as_a_table(command: Cli, graded: Path, easier: Any) -> None:
    easier()
    seen = command("regrade", graded, "--dry-run")
    said = " ".join(seen.out.split())
    assert "│ s002 │ extras/vowels │ 1/4 │ 4/4 │ passes now: test_vowels │" in said
    assert "extras/vowels │ +3 │ 1 │ ██" in said
    assert "Submissions looked at: 2, run: 2. Scores that move: 1 (1 up, 0 down" in said
    assert "Nothing was applied" in seen.err
    chinese = command("regrade", graded, "--dry-run", "--lang", "zh")
    assert "现在通过：test_vowels" in chinese.out and "没有应用任何改动" in chinese.err


@pytest.mark.parametrize("reason", [(), ("--reason", "  ")])
def test_applying_asks_for_a_reason(command: Cli, graded: Path, reason: tuple[str, ...]) -> None:
    done = command("regrade", graded, *reason)
    assert (done.code, done.out) == (2, "")
    assert "a regrade is applied with --reason TEXT" in done.err


def test_a_weight(command: Cli, regrade: Any, graded: Path, other_test: Any, cli: Cli, toy: Path) -> None:
    other_test("points(3)", "points(7)")
    assert cli("build", EXERCISE, "--course", toy).code == 0
    done = regrade(graded, "--reason", "it is the heart of it", "--never-lower")
    assert moved(done) == [
        ("s001", 4.0, 4.0, 8.0, 8.0, "same share of another maximum"),
        ("s002", 1.0, 4.0, 2.0, 8.0, "same share of another maximum"),
    ]
    assert done["summary"]["kept"] == 1  # s002 earned 1/8, which is less than 1/4
    assert "weighs otherwise: test_vowels (3 -> 7)" in done["moves"][0]["why"]["en"]
    assert scores(command) == {"s001": (8.0, 8.0), "s002": (2.0, 8.0)}


def test_a_hint_moves_nobody(regrade: Any, graded: Path, toy: Path, edited: Edit) -> None:
    edited(toy / "solutions/extras/vowels.toml", "Some vowels are upper case.", "Look at A, E, I, O, U.")
    done = regrade(graded, "--reason", "a clearer hint")
    assert (done["moves"], done["summary"]["regraded"], done["summary"]["other_feedback"]) == ([], 2, 1)


def test_new_work_is_left_to_grade(
    command: Cli, regrade: Any, graded: Path, hand_in: HandIn, easier: Any
) -> None:
    easier()
    hand_in("s001", {"vowels.py": f"{GOOD}# handed in again\n"})
    hand_in("s003", {"vowels.py": GOOD})
    seen = command("regrade", graded, "--dry-run")
    assert "New work, which `autograder grade` grades: 2 (s001, s003)" in seen.err
    assert "Scores that stay those of an older version" in seen.err.replace("\n", " ")
    assert "s003" not in seen.out and "Submissions looked at: 1, run: 1." in seen.out


def test_since(command: Cli, regrade: Any, graded: Path, easier: Any) -> None:
    easier()
    assert regrade(graded, "--dry-run", "--since", "2999-01-01")["summary"]["looked_at"] == 0
    assert regrade(graded, "--dry-run", "--since", "2020-01-01")["summary"]["looked_at"] == 2
    done = command("regrade", graded, "--dry-run", "--since", "soon")
    assert done.code == 2 and "--since 'soon': write a date" in done.err


def test_what_could_not_be_graded_is(
    regrade: Any, command: Cli, hand_in: HandIn, book_file: Path, toy: Path
) -> None:
    folder = hand_in("s001", {"vowels.py": GOOD})
    fault = ExerciseResult(
        student="s001", exercise=EXERCISE, status=Status.UNGRADED, score=None, max_score=4.0,
        isolation=Isolation.NONE, path="s001/vowels.py",
    )  # fmt: skip
    with Gradebook(str(book_file)) as book:
        book.record(fault)
    done = regrade(folder, "--reason", "the test is mended")
    assert moved(done) == [("s001", None, 4.0, 4.0, 4.0, "up")]
    assert scores(command) == {"s001": (4.0, 4.0)}


def test_control_c_leaves_whole_results(
    command: Cli, regrade: Any, graded: Path, easier: Any, book_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    easier()
    keep, kept = Gradebook.keep, []

    def once(self: Gradebook, result: ExerciseResult) -> None:
        if kept:
            raise KeyboardInterrupt
        kept.append(result)
        keep(self, result)

    monkeypatch.setattr(Gradebook, "keep", once)
    done = command("regrade", graded, "--reason", "x")
    assert done.code == 130 and "run the same command to go on" in done.err.replace("\n", " ")
    assert scores(command) == {"s001": (4.0, 4.0), "s002": (1.0, 4.0)}
    monkeypatch.undo()
    monkeypatch.setenv("COLUMNS", "200")
    again = regrade(graded, "--reason", "x")
    assert again["summary"]["run"] == 1 and again["summary"]["regraded"] == 2


# ------------------------------------------------------------------------------------------ never lower


def test_never_lower(
    command: Cli, regrade: Any, graded: Path, harder: Any, hand_in: HandIn, toy: Path, edited: Edit
) -> None:
    harder()
    assert moved(regrade(graded, "--dry-run")) == [("s001", 4.0, 4.0, 1.0, 4.0, "down")]
    done = regrade(graded, "--reason", "the paper says so", "--never-lower")
    assert (done["moves"], done["summary"]["kept"]) == ([], 1)
    assert scores(command) == {"s001": (4.0, 4.0), "s002": (1.0, 4.0)}
    one = command("gradebook", "show", "--student", "s001")
    assert "extras/vowels  4/4" in one.out and "Its tests give 1; it keeps 4 by a regrade" in one.out
    # The same work keeps it, whatever it is graded with next.
    edited(toy / "solutions/extras/vowels.toml", "Some vowels are upper case.", "Look again.")
    assert command("grade", graded).code == 0
    assert scores(command) == {"s001": (4.0, 4.0), "s002": (1.0, 4.0)}
    # Other work does not: it is no gift of points.
    hand_in("s001", {"vowels.py": f"{GOOD}# other\n"})
    assert command("grade", graded).code == 0
    assert scores(command)["s001"] == (1.0, 4.0)


def test_best_keeps_what_is_not_at_hand(
    command: Cli, regrade: Any, graded: Path, hand_in: HandIn, harder: Any, toy: Path
) -> None:
    """Under `best` an earlier file is not compared with what is graded anew, so a score may fall; or it is kept."""
    with (toy / "course/course.toml").open("a") as file:
        file.write('\n[policy]\nattempts = "best"\n')
    hand_in("s001", {"vowels.py": LOWER})
    assert command("grade", graded).code == 0
    assert scores(command)["s001"] == (4.0, 4.0)
    harder()
    seen = regrade(graded, "--dry-run")
    assert moved(seen) == [("s001", 4.0, 4.0, 1.0, 4.0, "down")]
    assert "s001/vowels.py earned more with an older version" in seen["moves"][0]["why"]["en"]
    regrade(graded, "--reason", "x", "--never-lower")
    assert scores(command)["s001"] == (4.0, 4.0)


def test_what_stands_for_earlier_work_takes_its_place(
    command: Cli, regrade: Any, graded: Path, hand_in: HandIn, easier: Any
) -> None:
    """An older folder is regraded: the student's last work still is the last."""
    hand_in("s002", {"vowels.py": GOOD})
    assert command("grade", graded).code == 0
    hand_in("s002", {"vowels.py": LOWER})
    easier()
    done = regrade(graded, "--reason", "x")
    assert done["summary"]["regraded"] == 2 and done["moves"] == []
    assert scores(command)["s002"] == (4.0, 4.0) and stale(command) == ["s002"]


# ------------------------------------------------------------------------------------------ rules


def test_a_policy_alone_runs_nothing(
    command: Cli, regrade: Any, graded: Path, hand_in: HandIn, toy: Path, edited: Edit
) -> None:
    with (toy / "course/course.toml").open("a") as file:
        file.write('\n[policy]\nattempts = "latest"\n')
    hand_in("s001", {"vowels.py": LOWER})
    assert command("grade", graded).code == 0
    edited(toy / "course/course.toml", '"latest"', '"best"')
    seen = regrade(graded, "--dry-run")
    assert (moved(seen), seen["summary"]["run"]) == ([("s001", 1.0, 4.0, 4.0, 4.0, "up")], 0)
    assert "another attempt counts" in seen["moves"][0]["why"]["en"]
    assert [one["student"] for one in seen["final_moves"]] == ["s001"]
    assert regrade(graded, "--reason", "as promised")["regrade"] == "R1"
    assert regrade(graded, "--reason", "as promised") == regrade(graded, "--dry-run")
    edited(toy / "course/course.toml", '"best"', '"latest"')
    assert moved(regrade(graded, "--dry-run")) == [("s001", 4.0, 4.0, 1.0, 4.0, "down")]
    regrade(graded, "--reason", "no, the last", "--never-lower")
    assert scores(command)["s001"] == (4.0, 4.0)
    undone = command("gradebook", "undo", "R2")
    assert undone.code == 0 and "course/course.toml stay as they are" in undone.err.replace("\n", " ")
    assert scores(command)["s001"] == (1.0, 4.0)


def test_a_gradebook_without_rules(command: Cli, graded: Path, book_file: Path) -> None:
    import sqlite3

    with sqlite3.connect(book_file) as connection:  # as one from before rules were noted
        connection.execute("DELETE FROM rules")
    connection.close()
    assert "so only results are compared" in command("regrade", graded, "--dry-run").err.replace("\n", " ")
    command("regrade", graded, "--reason", "x")
    assert "only results" not in command("regrade", graded, "--dry-run").err


# ------------------------------------------------------------------------------------------ undone


def test_undone(command: Cli, regrade: Any, graded: Path, easier: Any) -> None:
    easier()
    regrade(graded, "--reason", "x")
    done = command("gradebook", "undo", "R1", "--reason", "no", "--who", "bob")
    assert (done.code, done.err) == (0, "")
    assert (
        "R1 is undone: what counted before it counts again (submissions: 2, scores that move: 1)." in done.out
    )
    assert scores(command) == {"s001": (4.0, 4.0), "s002": (1.0, 4.0)}
    assert stale(command) == ["s001", "s002"]
    for number, said in (
        ("R1", "R1 was undone already, by bob"),
        ("R7", "no regrade R7; it has R1"),
        ("Rx", "'Rx': give"),
    ):
        refused = command("gradebook", "undo", number)
        assert refused.code == 2 and said in refused.err.replace("\n", " ")
    again = regrade(graded, "--reason", "yes after all")
    assert (again["regrade"], again["summary"]["run"]) == ("R2", 0)
    assert scores(command)["s002"] == (4.0, 4.0)
    assert command("gradebook", "undo", "r2").code == 0
    assert command("grade", graded).code == 0  # grades with what is current, undone or not
    assert scores(command)["s002"] == (4.0, 4.0) and stale(command) == []


def result(content: str, score: float, bundle: str = "old") -> ExerciseResult:
    return ExerciseResult(
        student="s001", exercise=EXERCISE, status=Status.GRADED, score=score, max_score=10.0,
        isolation=Isolation.FULL, key=f"{bundle}-{content}", path=f"s001/{content}.py",
    )  # fmt: skip


def test_recorded_on_every_database(book: Gradebook) -> None:
    for content, score in (("a", 8.0), ("b", 6.0)):
        book.record(result(content, score))
    book.keep(result("a", 3.0, "new"))
    book.keep(result("a", 3.0, "new"))
    known = book.known("new-a")
    assert known is not None and known.score == 3.0
    first = book.attempts()["s001", EXERCISE][0]
    number, _ = book.by_key(["new-a", "new-none"])["new-a"]
    again = [Regraded("s001", EXERCISE, "s001/a.py", number, first.handed_in)]
    best = Rules(Policy(AttemptPolicy.BEST))
    book.note_rules(Rules())
    assert book.add_regrade(again, {first.handed_in: 0.8}, who="ann", reason="x", rules=best) == 1
    assert [(a.result.score, a.kept) for a in book.attempts()["s001", EXERCISE]] == [(3.0, 0.8), (6.0, 0.0)]
    assert (book.rules(), book.rules(first=True)) == (best, Rules())
    scheme = GradingScheme(policy=Policy(AttemptPolicy.BEST))
    assert current_scores(book, scheme)["s001", EXERCISE].score == 6.0
    assert book.latest(["s001"], [EXERCISE])["s001", EXERCISE].key == "old-b"
    book.record(result("b", 6.0))  # the last work, still
    assert len(book.attempts()["s001", EXERCISE]) == 2
    assert book.places_of_regrade(1) == [("s001", EXERCISE)]
    book.undo_regrade(1, who="bob")
    assert [(a.result.score, a.kept) for a in book.attempts()["s001", EXERCISE]] == [(8.0, 0.0), (6.0, 0.0)]
    assert book.rules() == Rules()
    (regrade,) = book.regrades()
    assert regrade.undone is not None and regrade.undone.who == "bob"


# ------------------------------------------------------------------------------------------ the story


def test_a_story(command: Cli, regrade: Any, graded: Path, harder: Any, hand_in: HandIn) -> None:
    where = ("gradebook", "adjust", "s001", "vowels", "0.5", "--reason", "an [oral]", "--who", "ann")
    assert command(*where).code == 0
    harder()
    regrade(graded, "--reason", "the paper", "--who", "bob")
    assert command("gradebook", "undo", "R1", "--who", "eve", "--reason", "no").code == 0
    regrade(graded, "--reason", "kindly", "--who", "bob", "--never-lower")
    told = json.loads(command("gradebook", "history", "s001", "--json").out)
    assert [(e["kind"], e["who"], e["reason"], e["score"], e["max_score"]) for e in told["events"]] == [
        ("attempt", "", "", 4.0, 4.0),
        ("adjustment", "ann", "an [oral]", 4.5, 4.0),
        ("regrade", "bob", "the paper", 1.5, 4.0),
        ("undone", "eve", "no", 4.5, 4.0),
        ("regrade", "bob", "kindly", 4.5, 4.0),
    ]
    assert told["now"] == [{"exercise": EXERCISE, "score": 4.5, "max_score": 4.0, "stale": False}]
    said = command("gradebook", "history", "s001", "vowels").out
    assert "s001/vowels.py: graded" in said and "fails now: test_vowels" in said and "an [oral]" in said
    assert "keeps what it had" in said and "R1 is undone" in said
    chinese = command("gradebook", "history", "s001", "--lang", "zh").out
    assert "s001/vowels.py：已评分" in chinese and "R1 被撤销" in chinese and "保留原有得分" in chinese
    assert "no student 's01'" in command("gradebook", "history", "s01").err
    assert "s001" not in command("gradebook", "history", "s002").out


def test_a_story_tells_of_today(command: Cli, graded: Path, easier: Any) -> None:
    easier()
    assert "of an older version of the exercise" in command("gradebook", "history", "s001").out
