"""What leads to what, as a picture whose boxes are links: units of a course, or exercises of a unit."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 158, 64  # of a box
BETWEEN, GAP = 14, 30  # between boxes of one level, and between levels
LETTERS = 19  # that fit into a line of a box; a Chinese character counts as two


@dataclass(frozen=True)
class Node:
    """One box. `data`: the attribute by which a page's script finds what it stands for."""

    id: str
    title: str
    note: str
    href: str
    data: str
    style: str = ""


def graph(nodes: Sequence[Node], edges: Iterable[tuple[str, str]], label: str, abreast: int) -> str:
    """An SVG with each node behind those that lead to it: from left to right where that fits, else from top to bottom.

    Args:
        nodes: in teaching order.
        edges: (from, to); those that go against the order of the nodes are left out, so there are no circles.
        label: what the picture shows, for who can't see it.
        abreast: how many boxes fit side by side.
    """
    place = {node.id: number for number, node in enumerate(nodes)}
    forward = sorted({(a, b) for a, b in edges if a in place and b in place and place[a] < place[b]})
    kept = _without_detours(forward)
    levels = _levels(nodes, kept)
    across = 2 < len(levels) <= abreast
    ways = {(a, b): [a, b] for a, b in kept}
    if across:
        ways = {edge: _through_gaps(*edge, levels) for edge in kept}
    else:
        levels = [
            level[start : start + abreast] for level in levels for start in range(0, len(level), abreast)
        ]
    step_x, step_y = WIDTH + (GAP if across else BETWEEN), HEIGHT + (BETWEEN if across else GAP)
    widest = max(map(len, levels))
    corner = {}
    for depth, level in enumerate(levels):
        for number, name in enumerate(level):
            beside = number + (widest - len(level)) / 2
            x, y = (depth, beside) if across else (beside, depth)
            corner[name] = (x * step_x, y * step_y)
    columns, rows = (len(levels), widest) if across else (widest, len(levels))
    width, height = columns * step_x - (step_x - WIDTH), rows * step_y - (step_y - HEIGHT)
    lines = [_way([corner[name] for name in names], across) for names in ways.values()]
    boxes = [_box(node, *corner[node.id]) for node in nodes]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="group" aria-label="{escape(label)}" class="graph" '
        f'viewBox="-2 -2 {width + 4} {height + 4}" width="{width + 4}" height="{height + 4}">'
    )
    return "\n".join([head, *lines, *boxes, "</svg>"])


def _without_detours(edges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The edges without those that a longer way replaces."""
    after: dict[str, set[str]] = {}
    for a, b in edges:
        after.setdefault(a, set()).add(b)

    def reaches(a: str, b: str) -> bool:
        return any(c == b or reaches(c, b) for c in after.get(a, ()))

    return [(a, b) for a, b in edges if not any(reaches(c, b) for c in after[a] - {b})]


def _levels(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The nodes by the length of the longest way that leads to them."""
    level: dict[str, int] = {}
    for node in nodes:
        level[node.id] = max((level[a] + 1 for a, b in edges if b == node.id), default=0)
    return [[n.id for n in nodes if level[n.id] == depth] for depth in range(max(level.values()) + 1)]


def _through_gaps(start: str, end: str, levels: list[list[str]]) -> list[str]:
    """The way from one node to another, with a gap in each level between them, which all ways from this node share."""
    depth = {name: number for number, level in enumerate(levels) for name in level}
    gaps = []
    for number in range(depth[start] + 1, depth[end]):
        gaps.append(f"{start} {number}")
        if gaps[-1] not in levels[number]:
            levels[number].append(gaps[-1])
    return [start, *gaps, end]


def _way(corners: Sequence[tuple[float, float]], across: bool) -> str:
    """The line from one box to another, straight through the gaps between them."""
    path = ""
    for start, end in pairwise(corners):
        if across:
            x1, y1, x2, y2 = start[0] + WIDTH, start[1] + HEIGHT / 2, end[0], end[1] + HEIGHT / 2
            bend = max(GAP, (x2 - x1) / 2)
            first, second = f"{x1 + bend:g} {y1:g}", f"{x2 - bend:g} {y2:g}"
        else:
            x1, y1, x2, y2 = start[0] + WIDTH / 2, start[1] + HEIGHT, end[0] + WIDTH / 2, end[1]
            bend = max(GAP, (y2 - y1) / 2)
            first, second = f"{x1:g} {y1 + bend:g}", f"{x2:g} {y2 - bend:g}"
        path += f"{'L' if path else 'M'}{x1:g} {y1:g}C{first} {second} {x2:g} {y2:g}"
    return f'<path class="way" d="{path}"/>'


def _box(node: Node, x: float, y: float) -> str:
    lines = _lines(node.title)
    top = 26 if len(lines) == 1 else 19
    text = "".join(
        f'<text x="10" y="{top + 16 * number}">{escape(line)}</text>' for number, line in enumerate(lines)
    )
    return (
        f'<a href="{escape(node.href)}" {node.data} class="{node.style}" transform="translate({x:g} {y:g})">'
        f"<title>{escape(node.title)}</title>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8"/>{text}'
        f'<text class="note" x="10" y="{HEIGHT - 10}">{escape(node.note)}</text>'
        f'<text class="state" x="{WIDTH - 10}" y="{HEIGHT - 10}" text-anchor="end"></text></a>'
    )


def _lines(title: str) -> list[str]:
    """The title in one line or two; what does not fit ends in an ellipsis."""
    lines = [""]
    for piece in _pieces(title):
        if len(lines) < 2 and lines[-1] and _wide(lines[-1] + piece.rstrip()) > LETTERS:
            lines.append("")
        lines[-1] += piece
    last = lines[-1].strip()
    while _wide(last) > LETTERS:
        last = last.removesuffix("…")[:-1].rstrip() + "…"
    return [*(line.strip() for line in lines[:-1]), last]


def _pieces(title: str) -> list[str]:
    """Where a line may break: after a blank, and around Chinese characters."""
    pieces = [""]
    for letter in title:
        if pieces[-1] and (pieces[-1][-1] == " " or _wide(letter) == 2):
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _wide(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
