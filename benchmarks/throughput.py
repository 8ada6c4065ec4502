"""What a class costs: from ten submissions to thousands, with one worker and with two.

The exercise is a small one of ten tests. Each submission has content of its own, so none is known from another; a third is
right, a third has a known mistake, which is diagnosed, and a third is the untouched skeleton. CPU and memory are those of all
processes, from the start of the command to its end; "further" is what each submission costs beyond those of the row above.
A rate is that between the first result and the last. Goals: CPU of a further submission and memory stay the same from row to
row; two workers on two idle processors are at least 1.8 times as fast as one, and grade 100 submissions a second.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from classes import TEN_TESTS, attempts, grading, recorded, scores, write_class, write_course
from measure import Cost, cost_of
from part import Size, Table, main

COUNTS = (10, 100, 1000)


def tables(size: Size) -> list[Table]:
    counts = sorted({size.of(count, least=2) for count in COUNTS})
    if size.large:
        counts.append(10_000)
    one = Table(
        "submissions",
        "workers",
        "wall s",
        "submissions/s",
        "CPU s",
        "CPU ms each",
        "CPU ms, further",
        "peak MiB",
    )
    two = Table("submissions", "two workers : one, rate", "whole command", "CPU", "same results")
    before: dict[int, Cost] = {}
    last = 0
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        course = write_course(here / "course", 1, widths=TEN_TESTS)
        for count in counts:
            write_class(next(iter(course)), here / f"{count}", count)
            costs, rates, found = [], [], []
            for workers in (1, 2):
                book = here / f"{count}-{workers}.db"
                cost = cost_of(
                    f"{count} submissions, {workers} worker(s)",
                    grading(here / f"{count}", book, course.root, "--workers", str(workers)),
                    done=lambda book=book: f"{attempts(book)} recorded",
                )
                times = recorded(book)
                rate = (len(times) - 1) / max((times[-1] - times[0]).total_seconds(), 1e-3)
                further = (
                    "" if not last else f"{(cost.cpu - before[workers].cpu) / (count - last) * 1000:.1f}"
                )
                one.add(
                    count, workers, f"{cost.wall:.1f}", f"{rate:.1f}", f"{cost.cpu:.1f}", f"{cost.cpu / count * 1000:.1f}", further, f"{cost.mebibytes:.0f}",
                )  # fmt: skip
                before[workers] = cost
                costs.append(cost)
                rates.append(rate)
                found.append(scores(book))
            if len(found[0]) != count or any(len(history[0][3]) != 10 for history in found[0].values()):
                raise SystemExit("throughput: not everybody has ten tests")
            two.add(
                count, f"{rates[1] / rates[0]:.2f}", f"{costs[0].wall / costs[1].wall:.2f}",
                f"{costs[1].cpu / costs[0].cpu:.2f}", "yes" if found[0] == found[1] else "NO",
            )  # fmt: skip
            last = count
    return [one, two]


if __name__ == "__main__":
    main(__doc__, tables)
