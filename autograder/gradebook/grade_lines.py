"""The sentences that lead from what is recorded to a grade, one for each step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from autograder.gradebook.grades import AssignmentGrade
from autograder.gradebook.lateness import DAY, Lateness
from autograder.gradebook.policy import GradingScheme, Score, ScoredAssignment
from autograder.gradebook.submission_times import SOURCES, shown
from autograder.results import AttemptPolicy, Policy, TimeSource, total
from autograder.text import Text, number

EARNED = Text("{name}: {points} of {most} points{bonus}", "{name}：{points} 分，满分 {most}{bonus}")
BONUS = Text(" (bonus: not in the maximum)", "（附加题：不计入满分）")
NOTHING = Text("{name}: nothing handed in{bonus}", "{name}：没有提交{bonus}")
UNKNOWN = Text("{name}: not graded yet, through no fault of the student", "{name}：尚未评分，原因不在学生")
CHOSEN = {
    AttemptPolicy.LATEST: Text("counted: the latest of {n} attempts", "计分：{n} 次提交中最后一次"),
    AttemptPolicy.BEST: Text("counted: the best of {n} attempts", "计分：{n} 次提交中最好的一次"),
}
BEYOND = Text("not counted: {n} attempts beyond the first {most}", "不计：前 {most} 次之后的 {n} 次提交")
UNHEARD = Text("not counted: {n} attempts after the hard stop", "不计：最终截止之后的 {n} 次提交")
HANDED_IN = Text("handed in {when} ({source})", "提交于 {when}（{source}）")
FUTURE = Text(
    "{source} says {when}, which is after it was graded, and is not used",
    "{source}为 {when}，晚于评分时间，不予采用",
)
DUE = Text("due {when}", "截止于 {when}")
EXTENDED = Text("extended to {when}: {reason}", "延期至 {when}：{reason}")
PUNCTUAL = Text("in time", "按时")
IN_GRACE = Text("{late} late, within the grace of {grace}: in time", "迟 {late}，在 {grace} 的宽限之内：按时")
TOO_LATE = Text(
    "{late} late, after the hard stop ({cutoff} after the due date): counts nothing",
    "迟 {late}，晚于最终截止（截止后 {cutoff}）：不计分",
)
LATE = Text("{late} late", "迟 {late}")
LATE_DAYS = Text("late days spent: {n}", "使用迟交天数：{n}")
FREE = Text("nothing is taken", "不扣分")
PENALTY = Text(
    "{units} started {period} at {penalty}{cap}: {taken} taken, {earned} -> {left}",
    "迟交 {units} {period}（不足一{period}按一{period}计），每{period} {penalty}{cap}：扣 {taken}，{earned} -> {left}",
)
CAP = Text(", at most {cap}", "，最多 {cap}")
BY_HAND = Text("adjusted by hand: {points}", "人工调整：{points}")
SUM = Text("sum: {score} of {most} = {share}", "合计：{score} / {most} = {share}")
SUM_UNKNOWN = Text("sum: not known yet", "合计：尚不能确定")
ASSIGNMENT = Text("{title}: {share} x weight {weight}", "{title}：{share} × 权重 {weight}")
EXTRA = Text(
    "{title}: {share} x weight {weight}, extra credit: added above",
    "{title}：{share} × 权重 {weight}，额外加分",
)
DROPPED = Text("{title}: {share}, dropped", "{title}：{share}，已去掉（最低）")
NOT_BEGUN = Text(
    "not counted yet, because nobody has handed in anything: {titles}", "尚无人提交，暂不计入：{titles}"
)
WEIGHTLESS = Text("{title}: {share}, weight 0: not counted", "{title}：{share}，权重为 0：不计入")
SPENT = Text("late days spent: {n} of {all}", "使用迟交天数：{n} / {all}")
FINAL = Text("final grade: ({terms}) / {weights} = {share}", "总评：（{terms}）/ {weights} = {share}")
FINAL_UNKNOWN = Text(
    "final grade: not known while a part of it is not graded", "总评：有一部分尚未评分，暂时无法确定"
)
FINAL_NONE = Text("final grade: nothing counts yet", "总评：还没有计入的作业")
UNITS = (
    (DAY, Text("{n} d", "{n} 天")),
    (timedelta(hours=1), Text("{n} h", "{n} 小时")),
    (timedelta(minutes=1), Text("{n} min", "{n} 分钟")),
)
PERIODS = {"day": Text("day(s)", "天"), "hour": Text("hour(s)", "小时")}
INDENT = Text("  {line}", "  {line}")


def percent(share: float) -> str:
    """A share as people write it: 81.25 %."""
    return f"{number(100 * share)} %"


def length(time: timedelta) -> Text:
    """A length of time in its two largest units: 2 d 3 h; never less than a minute."""
    left, parts = max(time, timedelta(minutes=1)), []
    for unit, words in UNITS:
        n, left = divmod(left, unit)
        if n:
            parts.append(words.format(n=n))
    return Text(" ".join(p.en for p in parts[:2]), " ".join(p.zh for p in parts[:2]))


def exercise_lines(name: str, score: Score | None, bonus: bool, policy: Policy) -> list[Text]:
    """How one exercise's points come about."""
    marked = BONUS if bonus else Text()
    if score is None:
        return [NOTHING.format(name=name, bonus=marked)]
    if score.score is None:
        return [UNKNOWN.format(name=name)]
    points, most = number(score.score), number(score.max_score)
    lines = [EARNED.format(name=name, points=points, most=most, bonus=marked)]
    steps: list[Text] = []
    if score.of > 1:
        steps.append(CHOSEN[policy.attempts].format(n=score.of))
    if score.beyond:
        steps.append(BEYOND.format(n=score.beyond, most=policy.max_attempts))
    steps += time_lines(score, policy.timezone)
    if score.adjusted:
        steps.append(BY_HAND.format(points=f"{score.adjusted:+g}"))
    return lines + [INDENT.format(line=step) for step in steps]


def time_lines(score: Score, zone: str) -> list[Text]:
    """When the attempt that counts was handed in, when it was due, and what follows."""
    lines: list[Text] = []
    said = score.submitted
    known = score.lateness is not None or (score.result is not None and score.result.submitted is not None)
    if said is not None and score.result is not None and known:
        lines.append(HANDED_IN.format(when=shown(said.at, zone), source=SOURCES[said.source]))
        told = score.result.submitted
        if said.source is TimeSource.RECORDED and told is not None:
            lines.append(FUTURE.format(when=shown(told.at, zone), source=SOURCES[told.source]))
    late = score.lateness
    if late is None or score.result is None:
        return lines
    lines.append(DUE.format(when=shown(late.deadline.due, zone)))
    if late.deadline.extended is not None:
        when = shown(late.deadline.extended, zone)
        lines.append(EXTENDED.format(when=when, reason=late.deadline.reason))
    lines += _lateness_lines(late, score.result.score or 0.0)
    if score.unheard and not late.too_late:
        lines.append(UNHEARD.format(n=score.unheard))
    return lines


def _lateness_lines(late: Lateness, earned: float) -> list[Text]:
    rule, how = late.deadline.rule, length(late.late)
    if not late.late:
        return [PUNCTUAL]
    if late.in_grace:
        return [IN_GRACE.format(late=how, grace=length(rule.grace))]
    if late.too_late:
        return [TOO_LATE.format(late=how, cutoff=length(rule.cutoff or timedelta()))]
    lines = [LATE.format(late=how)]
    if late.late_days:
        lines.append(LATE_DAYS.format(n=late.late_days))
    if not late.taken:
        return [*lines, FREE]
    numbers = {"taken": percent(late.taken), "earned": number(earned), "left": number(late.applied(earned))}
    cap = Text() if rule.cap is None else CAP.format(cap=percent(rule.cap))
    period = PERIODS[rule.per or "day"]
    penalty = percent(rule.penalty or 0.0)
    return [*lines, PENALTY.format(units=late.units, period=period, penalty=penalty, cap=cap, **numbers)]


def sum_line(score: float | None, most: float) -> Text:
    """What an assignment comes to."""
    if score is None:
        return SUM_UNKNOWN
    share = percent(score / most) if most else "–"
    return SUM.format(score=number(score), most=number(most), share=share)


def final_lines(
    grades: Sequence[AssignmentGrade],
    assignments: Sequence[ScoredAssignment],
    share: float | None,
    scheme: GradingScheme,
) -> list[Text]:
    """How a final grade comes about, from those of the assignments."""
    lines = [_assignment_line(grade) for grade, one in zip(grades, assignments, strict=True) if one.begun]
    waiting = [one.title for one in assignments if not one.begun]
    if waiting:
        titles = Text(", ".join(title.en for title in waiting), "、".join(title.zh for title in waiting))
        lines.append(NOT_BEGUN.format(titles=titles))
    if scheme.policy.late_days:
        spent = sum(grade.late_days for grade in grades)
        lines.append(SPENT.format(n=spent, all=scheme.policy.late_days))
    counted = [grade for grade in grades if grade.counted]
    weights = total(grade.weight for grade in counted if not grade.extra_credit)
    if not weights:
        return [*lines, FINAL_NONE]
    if share is None:
        return [*lines, FINAL_UNKNOWN]
    terms = " + ".join(f"{percent(grade.share or 0.0)} x {number(grade.weight)}" for grade in counted)
    return [*lines, FINAL.format(terms=terms, weights=number(weights), share=percent(share))]


def _assignment_line(grade: AssignmentGrade) -> Text:
    share = percent(grade.share) if grade.share is not None else "?"
    said = {"title": grade.title, "share": share, "weight": number(grade.weight)}
    if not grade.weight:
        return WEIGHTLESS.format(**said)
    if grade.extra_credit:
        return EXTRA.format(**said)
    return (ASSIGNMENT if grade.counted else DROPPED).format(**said)
