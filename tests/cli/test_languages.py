"""Errors are told in the language that the user chose, by `--lang` or by the locale."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import CourseError
from autograder.results import ExerciseResult, Isolation, Outcome, Status, TestResult, Visibility

Cli = Callable[..., Any]
CASES = [
    (
        ("check", "basics/afine"),
        "autograder: there is no exercise 'basics/afine'; did you mean 'basics/affine'?\n",
        "autograder: 没有练习 'basics/afine'；你要找的是不是 'basics/affine'？\n",
    ),
    (
        ("grade", "nowhere"),
        "autograder: nowhere is not a folder; give the folder that holds one folder for each student\n",
        "autograder: nowhere 不是文件夹；请给出存放所有学生提交的文件夹（每个学生一个子文件夹）\n",
    ),
    (
        ("gradebook", "show", "--gradebook", "none.db"),
        "autograder: none.db does not exist; `autograder grade` creates it, or name another one with --gradebook\n",
        "autograder: none.db 不存在；`autograder grade` 会创建它，也可用 --gradebook 指定另一个\n",
    ),
]


@pytest.mark.parametrize(("command", "english", "chinese"), CASES, ids=["course", "submissions", "gradebook"])
def test_errors_in_both_languages(
    cli: Cli,
    toy: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    english: str,
    chinese: str,
) -> None:
    monkeypatch.chdir(toy)
    assert cli(*command).err == english
    for given in (["--lang", "zh"], ["--lang=zh"]):
        said = cli(*command, *given)
        assert (said.code, said.out, said.err) == (2, "", chinese)
    monkeypatch.delenv("AUTOGRADER_LANG")
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert cli(*command).err == chinese
    assert cli(*command, "--lang", "en").err == english


def test_without_a_sandbox(cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (toy / "submissions/s001").mkdir(parents=True)
    (toy / "submissions/s001/vowels.py").write_text("def vowels(text): return 0\n", encoding="utf-8")
    monkeypatch.setattr("autograder.sandbox.sandbox.platform.system", lambda: "Darwin")
    monkeypatch.chdir(toy)
    command = ("grade", "submissions", "--gradebook", "book.db")
    english, chinese = cli(*command), cli(*command, "--lang", "zh")
    assert english.code == chinese.code == 2
    assert "submissions can't be confined on Darwin" in english.err
    assert "--unsafe grades without isolation" in english.err
    assert "上无法隔离提交" in chinese.err
    assert "--unsafe 会在没有隔离的情况下评分" in chinese.err


def test_the_chinese_text_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(CourseError("missing", "缺少")))
    assert (str(error), error.text.zh) == ("missing", "缺少")


def test_states_have_chinese_names(cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from autograder.feedback.labels import CHINESE
    from autograder.gradebook import Gradebook

    assert {*Outcome, *Status, *Isolation} <= CHINESE.keys()
    test = TestResult(
        name="test_y", visibility=Visibility.HIDDEN, outcome=Outcome.NOT_IMPLEMENTED, score=0.0, max_score=1.0
    )
    result = ExerciseResult(
        student="s001", exercise="extras/vowels", status=Status.GRADED, score=0.0, max_score=1.0,
        isolation=Isolation.FULL, tests=[test],
    )  # fmt: skip
    monkeypatch.chdir(toy)
    with Gradebook("book.db") as book:
        book.record(result)
    command = ("gradebook", "show", "--student", "s001", "--gradebook", "book.db")
    english, chinese = cli(*command).out, cli(*command, "--lang", "zh").out
    assert "graded  (full)" in english and "not_implemented" in english
    assert all(word in chinese for word in ("已评分", "完全隔离", "尚未实现"))
    assert "graded" not in chinese and "not_implemented" not in chinese


HELP = {
    "check": [
        "用法：",
        "测试一道题的答案",
        "参数：",
        "选项：",
        "有答案时，也运行隐藏测试",
        "显示本说明后退出",
    ],
    "learn": ["用法：", "逐题学习", "从哪里开始"],
    "notebooks": ["用法：", "写成 notebook", "[默认：notebooks]"],
}


@pytest.mark.parametrize("command", HELP)
def test_a_learner_s_help_is_in_chinese(cli: Cli, command: str) -> None:
    said = cli(command, "--help", "--lang", "zh").out
    assert [words for words in HELP[command] if words not in said] == []
    english = cli(command, "--help").out
    assert english.startswith("Usage: ") and "Show this message and exit." in english


def test_nothing_that_a_learner_s_command_says_of_itself_lacks_its_chinese() -> None:
    import typer.main

    from autograder.cli.help import CHINESE, LearnerCommand
    from autograder.cli.main import app

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    learners = [command for command in commands.values() if isinstance(command, LearnerCommand)]
    assert {"check", "learn", "notebooks"} <= {command.name for command in learners}
    said = {text for command in learners for text in (command.help, *(p.help for p in command.params))}
    assert said <= CHINESE.keys()
