"""What an instructor may get wrong: a mistyped gradebook, points that are none, Ctrl-C, a terminal of another age."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.gradebook import Gradebook
from autograder.results import ExerciseResult, Isolation, Status

Cli = Callable[..., Any]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A gradebook in which s001 has 12.25 of 20 points, and s002 nothing."""
    path = tmp_path / "book.db"
    with Gradebook(str(path)) as book:
        book.record(
            ExerciseResult(
                student="s001", exercise="extras/vowels", status=Status.GRADED, score=12.25, max_score=20.0,
                isolation=Isolation.FULL,
            )
        )  # fmt: skip
        book.add_students(["s002"])
    return path


@pytest.fixture
def adjust(cli: Cli, toy: Path, place: Path) -> Cli:
    def run(student: str, *arguments: str) -> Any:
        where = ("--gradebook", place, "--course", toy, "--who", "ann")
        return cli("gradebook", "adjust", student, "vowels", *arguments, *where)

    return run


def recorded(place: Path) -> int:
    with Gradebook(str(place)) as book:
        return sum(map(len, book.adjustments().values()))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("inf", "--reason", "x"), "s001, extras/vowels: inf is no number of points; give one, as 1.5"),
        (("-inf", "--reason", "x"), "-inf is no number of points"),
        (("nan", "--reason", "x"), "nan is no number of points"),
        (("1", "--reason", " "), "s001, extras/vowels: the reason is blank; say in a few words"),
        (("1", "--raeson", "x"), "No such option: --raeson"),
        (("--nosuch", "1", "--reason", "x"), "No such option: --nosuch"),
        (("-x", "--reason", "x"), "No such option: -x"),
        (("-1", "--raeson", "x"), "Missing option '--reason'"),
        (("-1", "--reason", "x", "--nosuch"), "unexpected extra argument(s) (--nosuch)"),
    ],
)
def test_what_is_refused_leaves_no_trace(
    adjust: Cli, place: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = adjust("s001", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert recorded(place) == 0


def test_the_new_standing(adjust: Cli) -> None:
    done = adjust("s001", "1", "--reason", "x")
    assert (done.out, done.err) == ("s001, extras/vowels: 12.25 -> 13.25 of 20\n", "")
    done = adjust("s001", "-1.5", "--reason", "x")
    assert (done.out, done.err) == ("s001, extras/vowels: 13.25 -> 11.75 of 20\n", "")
    done = adjust("s001", "10", "--reason", "x")
    assert done.out == "s001, extras/vowels: 11.75 -> 21.75 of 20\n"
    assert "above the maximum" in done.err
    done = adjust("s001", "-25", "--reason", "x", "--lang", "zh")
    assert done.out == "s001，extras/vowels：21.75 -> 0，满分 20\n"
    assert "合计为 -3.25，低于 0" in done.err
    done = adjust("s002", "-1", "--reason", "x")
    assert (done.out, done.err.strip()) == (
        "s002, extras/vowels: 0 -> 0 of 4\n",
        "The sum is -1, below 0, and counts as 0. To take it back: autograder gradebook undo 5",
    )


def test_adjustments_are_seen(adjust: Cli, cli: Cli, toy: Path, place: Path) -> None:
    assert adjust("s001", "1", "--reason", "the [bold] test was wrong").code == 0
    assert adjust("s002", "2", "--reason", "early").code == 0
    show = ("gradebook", "show", "--gradebook", place, "--course", toy)
    one = cli(*show, "--student", "s001").out
    assert "extras/vowels  13.25/20" in one
    assert re.search(r'^  #1  \+1  ann  20\d\d-\d\d-\d\d  "the \[bold\] test was wrong"$', one, re.MULTILINE)
    other = cli(*show, "--student", "s002").out
    assert "extras/vowels  2/4  not handed in" in other and '"early"' in other
    row, none = json.loads(cli(*show, "--json").out)["results"]
    assert (row["score"], row["standing"], none["score"], none["standing"]) == (12.25, 13.25, None, 2.0)
    (given,) = row["adjustments"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", given.pop("when"))
    assert given == {
        "number": 1, "points": 1.0, "who": "ann", "reason": "the [bold] test was wrong",
        "undoes": None, "undone_by": None,
    }  # fmt: skip


def test_a_student_who_has_handed_in_nothing(cli: Cli, toy: Path, place: Path) -> None:
    show = ("gradebook", "show", "--student", "s002", "--gradebook", place, "--course", toy)
    done = cli(*show)
    assert (done.code, done.out) == (0, "s002 has handed in nothing.\n")
    assert cli(*show, "--lang", "zh").out == "s002 没有提交任何练习。\n"


@pytest.mark.parametrize("name", ["none.db", "sqlite:///none.db"])
@pytest.mark.parametrize(
    "command",
    [
        ("show",),
        ("show", "--student", "s001", "--json"),
        ("export", "grades.csv"),
        ("adjust", "s001", "vowels", "1", "--reason", "x"),
        ("sync", "--nbgrader", "."),
    ],
)
def test_a_mistyped_gradebook(
    cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], name: str
) -> None:
    monkeypatch.chdir(toy)
    Path("grades.csv").write_text("last week's")
    done = cli("gradebook", *command, "--gradebook", name)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("autograder: none.db does not exist; `autograder grade` creates it")
    assert not Path("none.db").exists()
    assert Path("grades.csv").read_text() == "last week's"


def test_a_roster_may_come_first(cli: Cli, tmp_path: Path) -> None:
    """`grade --github` looks up in it whose clones these are."""
    (tmp_path / "roster.csv").write_text("student,github\ns001,jane-d\n")
    book = tmp_path / "new.db"
    assert cli("gradebook", "roster", tmp_path / "roster.csv", "--gradebook", book).code == 0
    assert book.exists()


def test_an_empty_gradebook_s_export_has_a_head(cli: Cli, toy: Path, tmp_path: Path) -> None:
    Gradebook(str(tmp_path / "book.db")).__exit__()
    where = ("--gradebook", tmp_path / "book.db", "--course", toy)
    heads = {
        "student": "student,basics/affine,extras/vowels,total,max_score,stale",
        "exercise": "student,exercise,status,score,",
    }
    for per, head in {**heads, "test": "student,exercise,test,visibility,"}.items():
        assert cli("gradebook", "export", tmp_path / f"{per}.csv", "--per", per, *where).code == 0
        (line,) = (tmp_path / f"{per}.csv").read_text().splitlines()
        assert line.startswith(head)


def _interrupt(*_arguments: object, **_more: object) -> Any:
    raise KeyboardInterrupt


def test_control_c_while_grading(
    cli: Cli, toy: Path, hand_in: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import autograder.grading.scheduler

    folder = hand_in("s001", {"vowels.py": "def vowels(text): return 3"})
    monkeypatch.setattr(autograder.grading.scheduler.Grader, "run", _interrupt)
    done = cli("grade", folder, "--course", toy, "--gradebook", tmp_path / "b.db")
    assert (done.code, done.out) == (130, "")
    told = f"Stopped. What is graded is recorded in {tmp_path / 'b.db'}; run the same command to go on."
    assert done.err.replace("\n", " ").strip() == told


@pytest.mark.parametrize(("lang", "told"), [("en", "Stopped.\n"), ("zh", "已停止。\n")])
def test_control_c(cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch, lang: str, told: str) -> None:
    import autograder.authoring.build

    monkeypatch.setattr(autograder.authoring.build, "build", _interrupt)
    monkeypatch.setenv("AUTOGRADER_LANG", lang)
    done = cli("build", "--course", toy)
    assert (done.code, done.out, done.err) == (130, "", told)


def test_control_c_in_a_test(cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import autograder.learn.check

    def interrupt(*_arguments: object, **_more: object) -> Any:
        raise KeyboardInterrupt("interrupted in test_vowels")

    monkeypatch.setattr(autograder.learn.check, "check_file", interrupt)
    done = cli("check", "vowels", "--course", toy)
    assert (done.code, done.err) == (130, "interrupted in test_vowels\n")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_our_characters(
    python: Callable[..., Any], toy: Path, place: Path, encoding: str
) -> None:
    show = ("gradebook", "show", "--student", "s002", "--gradebook", place, "--lang", "zh")
    done = python("-m", "autograder", *show, cwd=toy, env={"PYTHONIOENCODING": encoding})
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"s002 \?+\n", done.stdout)


def test_help_is_in_order_and_whole(cli: Cli) -> None:
    said = cli("gradebook", "--help").out.partition("Commands:")[2]
    assert re.findall(r"^  (\w+)", said, re.MULTILINE) == [
        "show", "export", "history", "adjust", "adjustments", "undo", "extend", "extensions", "explain", "roster",
        "sync",
    ]  # fmt: skip
    assert "..." not in said
    for command in ("grade", "doctor"):
        (line,) = re.findall(rf"^  {command} .*", cli("--help").out, re.MULTILINE)
        assert not line.endswith("...")
    # What its own page says stays whole.
    assert "nbgrader course's, or a folder of clones" in cli("grade", "--help").out.replace("\n ", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nowhere",),
        ("--nbgrader", "nowhere"),
        ("--github", "nowhere"),
        ("submissions", "--scheduler", "tcp://127.0.0.1:9", "--unsafe"),
    ],
)
def test_a_refused_run_leaves_no_gradebook(
    cli: Cli,
    toy: Path,
    hand_in: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(hand_in("s001", {"vowels.py": "def vowels(text): return 3"}).parent)
    monkeypatch.setattr("distributed.Client", _refuse)
    before = sorted(Path().iterdir())
    assert cli("grade", *arguments, "--course", toy).code == 2
    assert sorted(Path().iterdir()) == before


def _refuse(*_arguments: object) -> Any:
    raise OSError("no scheduler")


def test_a_machine_without_isolation_leaves_no_gradebook(
    cli: Cli, toy: Path, hand_in: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder.sandbox.errors import SandboxUnavailable

    def refuse(**_options: object) -> Any:
        raise SandboxUnavailable("nothing protects here", "这里没有隔离")

    monkeypatch.setattr("autograder.grading.worker.ModuleSandbox", refuse)
    folder, place = hand_in("s001", {"vowels.py": "def vowels(text): return 3"}), tmp_path / "new.db"
    grade = ("grade", folder, "--course", toy, "--gradebook", place)
    assert cli(*grade).code == 2
    assert not list(tmp_path.glob("new.db*"))
    # What is recorded already stays, a roster, too.
    roster = tmp_path / "roster.csv"
    roster.write_text("student\ns001\n")
    assert cli("gradebook", "roster", roster, "--gradebook", place).code == 0
    assert cli(*grade).code == 2
    with Gradebook(str(place)) as book:
        assert book.students() == ["s001"]


def test_a_new_gradebook_that_somebody_else_has_open_stays(tmp_path: Path) -> None:
    place = str(tmp_path / "new.db")
    with Gradebook(str(tmp_path / "other.db")):
        pass
    with pytest.raises(RuntimeError), Gradebook(place):
        other = Gradebook(place)
        other.students()
        raise RuntimeError("refused")
    other.add_students(["s001"])
    other.__exit__()
    with Gradebook(place) as book:
        assert book.students() == ["s001"]
