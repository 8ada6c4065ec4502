"""All benchmarks in one run, as ratios; README.md beside this file holds the last results.

python benchmarks                  all parts: about ten minutes on two idle processors, the first time five more
python benchmarks throughput       one part; each can also be run alone: python benchmarks/throughput.py
python benchmarks --quick          tiny numbers: does it run?
python benchmarks --write          all parts, and write README.md
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path

from part import add_options, size_of

PARTS = {
    "side_by_side": "Side by side with nbgrader and otter",
    "throughput": "Throughput",
    "overhead": "What isolation costs",
    "regrade": "Grading again",
    "waiting": "What people wait for",
}
README = Path(__file__).with_name("README.md")
PREAMBLE = """\
# Benchmarks

```
python benchmarks --write          # all of it, and this page: about ten minutes on two idle processors
python benchmarks PART ...         # {parts}
python benchmarks --quick          # tiny numbers
python benchmarks --large          # 10,000 submissions, too
```

Read the ratios: seconds depend on the machine and on what else it does. This page is written by the first command.
The first time it installs nbgrader and otter, into `build/benchmarks` or the folder that `--environments` names.

On their own, because they take long or ask something else: `endless_loop.py` (what an endless loop costs), `course_size.py`
(161 exercises beside 7), `nbgrader_sync.py` (the synchronisation with nbgrader's gradebook beside nbgrader's own API),
`class_report.py` (`autograder report` on classes of 200 and 1,000), `week.py` (an instructor's week with 200 students).

## The machine

"""


def machine(begun: datetime, load: float) -> str:
    """What the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    command = ["git", "-C", str(README.parent), "describe", "--always", "--dirty"]
    commit = subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    return (
        f"{begun:%Y-%m-%d %H:%M} UTC, commit {commit}. {model or platform.machine()}, {len(os.sched_getaffinity(0))} cores, "
        f"{memory:.0f} GiB; Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}, "
        f"torch {metadata.version('torch')}. Processes waiting for a core when it began: {load:.1f}"
        + (" (busy: only ratios mean something).\n" if load > 1 else ".\n")
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all by default")
    parser.add_argument("--write", action="store_true", help="write README.md; only with all parts")
    add_options(parser)
    options = parser.parse_args()
    parts, unknown = options.parts or list(PARTS), set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if options.write and (set(parts) != set(PARTS) or options.quick):
        parser.error("--write needs all parts and no --quick")
    begun, load, size = datetime.now(UTC), os.getloadavg()[0], size_of(options)
    page = [PREAMBLE.format(parts=", ".join(PARTS)) + machine(begun, load)]
    print(page[0].partition("## The machine\n\n")[2], flush=True)
    for number, name in enumerate(parts, 1):
        print(f"{number} of {len(parts)}: {PARTS[name]}", file=sys.stderr, flush=True)
        part, since = import_module(name), time.monotonic()
        told = "\n\n".join(map(str, part.tables(size)))
        print(f"## {PARTS[name]}\n\n{told}\n", flush=True)
        page.append(f"## {PARTS[name]}\n\n{part.__doc__.strip()}\n\n{told}\n")
        print(f"{time.monotonic() - since:.0f} s", file=sys.stderr, flush=True)
    share = "" if size.share == 1 else f"{size.share:g} of the usual numbers. "
    page.append(f"{share}All of it took {(datetime.now(UTC) - begun).total_seconds() / 60:.0f} minutes.\n")
    if options.write:
        README.write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
