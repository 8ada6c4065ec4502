"""`autograder audit --mutants`: which automatic mutants of the references the tests catch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from autograder.cli.common import Speaker, console, print_json
from autograder.text import Text

if TYPE_CHECKING:
    from autograder.audit.kill import MutationReport
    from autograder.course import Course, Exercise

SUMMARY = Text(
    "{exercise}: {killed} of {mutants} mutants caught, {equivalent} equivalent, {survivors} survive ({rate:.1%})",
    "{exercise}：{mutants} 个变异体中捕获 {killed} 个，等价 {equivalent} 个，存活 {survivors} 个（{rate:.1%}）",
)
LINE, OPERATOR, CHANGE = Text("line", "行"), Text("operator", "变异算子"), Text("change", "改动")


def audit_mutants(
    course: Course, exercises: Sequence[Exercise], say: Speaker, *, json: bool, workers: int | None
) -> None:
    """Run the mutants of these exercises and print what survives. Exit status 1 unless every exercise is green."""
    from autograder.audit import kill

    with console(stderr=True).status("") as status:
        reports = list(
            kill.audit_mutants(
                course,
                exercises,
                workers,
                lambda exercise, done, total: status.update(f"{exercise}  {done}/{total}"),
            )
        )
    if json:
        print_json({"exercises": reports})
    else:
        for report in reports:
            console().print(mutants_table(report, say))
    if not all(report.green for report in reports):
        raise typer.Exit(1)


def mutants_table(report: MutationReport, say: Speaker) -> Group:
    """One exercise's figures, its survivors, and the entries of its TOML file that no longer hold."""
    values = {"exercise": report.exercise, "mutants": report.mutants, "killed": report.killed}
    values |= {"equivalent": report.equivalent, "survivors": len(report.survivors), "rate": report.rate}
    summary = f"{'[green]✓[/]' if report.green else '[red]✗[/]'} {escape(say(SUMMARY, **values))}"
    parts: list[str | Table] = [summary, *(f"  [red]{escape(problem)}[/]" for problem in report.problems)]
    if report.survivors:
        table = Table()
        table.add_column(say(LINE), justify="right")
        table.add_column(say(OPERATOR), overflow="fold")
        table.add_column(say(CHANGE), overflow="fold")
        for change in report.survivors:
            both = f"{escape(change.before)}\n→ {escape(change.after)}"
            table.add_row(str(change.line), change.operator, both, end_section=True)
        parts.append(table)
    return Group(*parts)
