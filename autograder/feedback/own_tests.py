"""What a learner reads about tests that they wrote themselves.

At home, where solutions are at hand, that is everything. After grading it is sentences of ours and the name of a test: the
text of a test's error may hold what a right answer gave.
"""

from __future__ import annotations

import re

from autograder.text import Text, joined, shortened

REFUSED = Text(
    "A right answer does not pass your tests, so they earn nothing yet:",
    "有一个正确答案没有通过你的测试，因此暂时不得分：",
)
MISSED = Text("Your tests accept a program with this mistake:", "你的测试接受了带有这个错误的程序：")
NOTHING = Text(
    "Your tests accept every program that was tried: does each of them assert something?",
    "你的测试接受了所有试过的程序：每个测试里都有断言吗？",
)
NO_TESTS = Text(
    "{path} holds no tests: write functions called test_...", "{path} 里没有测试：请编写名为 test_... 的函数"
)
ENDLESS = Text("{test} did not end within its time.", "{test} 没有在时限内结束。")
CRASHED = Text("{test} ended its process.", "{test} 结束了所在的进程。")
FAILED = Text("{test} fails.", "{test} 未通过。")
CONFINED = Text(
    "Tests run without a network, files and other programs.", "测试运行时没有网络、文件和其他程序。"
)
ANSWERS_ONLY = Text(
    "Tests see what a program answers, and not how it is written.", "测试只能看到程序的输出，看不到它的代码。"
)
WHY = (  # what stands in an error, and what it means
    (
        ("OSError", "PermissionError", "FileNotFoundError", "gaierror", "URLError", "ConnectionError"),
        CONFINED,
    ),
    (("is not to be had", "does not forward __", "got Handle"), ANSWERS_ONLY),
)
SOME_TEST = Text("One of your tests", "有一个测试")
DEFINED = re.compile(r"\bdef\s+(test\w*)")
MOST_NAMED = 4096  # functions of one file that a message may name; which one it is, is 12 bits


def why(error: str) -> Text:
    """What the text of an error means, where that is known."""
    return next((text for signs, text in WHY if any(sign in error for sign in signs)), Text())


def told_at_home(test: str, outcome: str, error: str, path: str) -> Text:
    """What a test said of a right answer, in full. `outcome` is empty where there are no tests."""
    if not outcome:
        return NO_TESTS.format(path=path)
    if outcome == "timeout":
        return ENDLESS.format(test=shortened(test))
    line = f"{shortened(test)}: {error}"
    return joined(Text(line, line), why(error))


def told_after_grading(test: str, outcome: str, error: str, path: str, source: str) -> Text:
    """The same for whoever has no solutions: of the test its name, if `source` holds it, and no word of its own."""
    if not outcome:
        return NO_TESTS.format(path=path)
    function = test.partition("[")[0]
    known = function in DEFINED.findall(source)[:MOST_NAMED]
    text = {"timeout": ENDLESS, "crashed": CRASHED}.get(outcome, FAILED)
    named = text.format(test=Text(shortened(function), shortened(function)) if known else SOME_TEST)
    return joined(REFUSED, named, why(error))
