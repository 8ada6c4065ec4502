"""What outcomes, statuses and levels of isolation are called."""

from __future__ import annotations

from autograder.results import Isolation, Outcome, Status
from autograder.text import Text

CHINESE: dict[Outcome | Status | Isolation, str] = {
    Outcome.PASSED: "通过",
    Outcome.FAILED: "未通过",
    Outcome.NOT_IMPLEMENTED: "尚未实现",
    Outcome.ERROR: "出错",
    Outcome.TIMEOUT: "超时",
    Outcome.NOT_RUN: "未运行",
    Outcome.MEMORY: "内存超限",
    Outcome.CRASHED: "崩溃",
    Outcome.BLOCKED: "被拦截",
    Outcome.UNGRADED: "尚未评分",
    Status.GRADED: "已评分",
    Status.NOT_BEGUN: "未动笔",
    Status.INVALID: "无法读取",
    Status.MISSING: "未提交",
    Status.UNGRADED: "尚未评分",
    Isolation.FULL: "完全隔离",
    Isolation.STANDARD: "标准隔离",
    Isolation.UNSAFE: "不安全模式",
    Isolation.NONE: "未运行",
}


def label(value: Outcome | Status | Isolation) -> Text:
    """Its name, in both languages."""
    return Text(value.value, CHINESE[value])
