"""What search is tested with: a tiny corpus with graded questions, and an embedder without weights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Corpus(NamedTuple):
    """`documents`: id -> text; `queries`: id -> question; `grades`: query's id -> document's id -> 1 (helps) or 2 (answers)."""

    documents: dict[str, str]
    queries: dict[str, str]
    grades: dict[str, dict[str, int]]


def tiny_corpus_en_zh() -> Corpus:
    """Twelve documents, half in English and half in Chinese, and six questions with graded relevance.

    Neighbouring documents share words; a question's documents are in its own language; one question has three of them,
    and one none.
    """
    return Corpus(
        dict(_DOCUMENTS), dict(_QUERIES), {query: dict(grades) for query, grades in _GRADES.items()}
    )


class HashEmbedder:
    """See `hash_embedder`. `batches` holds the texts of each call."""

    def __init__(self, width: int, normalised: bool) -> None:
        self.width = width
        self._normalised = normalised
        self.batches: list[list[str]] = []

    @property
    def calls(self) -> int:
        return len(self.batches)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """One float32 row for each text, [N, width]; an empty text is the zero vector."""
        self.batches.append(list(texts))
        return torch.stack([self._row(text) for text in texts]) if texts else torch.zeros(0, self.width)

    def _row(self, text: str) -> Tensor:
        row = torch.zeros(self.width)
        for term in _terms(text):
            number = int.from_bytes(hashlib.blake2b(term.encode(), digest_size=8).digest(), "big")
            row[number % self.width] += 1.0 if number >> 63 else -1.0
        return row / row.norm() if self._normalised and row.any() else row


def hash_embedder(width: int = 256, *, normalised: bool = True) -> HashEmbedder:
    """An embedder that is the same everywhere: each word (each pair of Chinese characters) adds +1 or -1 at a place that its
    hash names. Texts that share words are near each other.

    Args:
        width: numbers in a vector.
        normalised: whether vectors have length 1.
    """
    return HashEmbedder(width, normalised)


def _terms(text: str) -> Iterator[str]:
    for run in re.findall(r"[\u4e00-\u9fff]+|[a-z0-9]+", text.lower()):
        if "\u4e00" <= run[0] <= "\u9fff" and len(run) > 1:
            yield from (run[i : i + 2] for i in range(len(run) - 1))
        else:
            yield run


_DOCUMENTS = {
    "en-kiln": "The old kiln at the river fires bricks twice a week. A firing takes nine hours and needs dry oak.",
    "en-oven": "The village oven bakes bread every morning. Dry oak keeps it hot for five hours.",
    "en-river": "The river rises in spring. A gauge at the bridge shows how high it stands, in centimetres.",
    "en-bridge": "The bridge was built in 1903 of bricks from the old kiln. It carries carts of two tons.",
    "en-bees": "Bees fly when it is warmer than ten degrees. A hive gives about fifteen kilograms of honey a year.",
    "en-honey": "Honey keeps for years in a closed jar. Warm it gently, and it is liquid again.",
    "zh-kiln": "河边的老窑每周烧两次砖。烧一窑要九个小时，用的是干橡木。",
    "zh-oven": "村里的面包炉每天早上烤面包。干橡木能让炉子热五个小时。",
    "zh-river": "春天河水上涨。桥上的水尺标出水位，单位是厘米。",
    "zh-bridge": "这座桥建于 1903 年，砖是老窑烧的。桥上能过两吨重的马车。",
    "zh-bees": "气温高过十度，蜜蜂才飞出来。一箱蜂每年大约产十五公斤蜂蜜。",
    "zh-honey": "蜂蜜装在密封的罐子里能放好几年。慢慢加热，它又会变成液体。",
}
_QUERIES = {
    "en-firing": "How long does a firing of the kiln take?",
    "en-oak": "What is dry oak used for?",
    "en-bricks": "Where do the bricks of the bridge come from?",
    "zh-firing": "老窑烧一窑要多少小时？",
    "zh-hive": "一箱蜂每年产多少蜂蜜？",
    "zh-ship": "轮船几点出发？",
}
_GRADES: dict[str, dict[str, int]] = {
    "en-firing": {"en-kiln": 2},
    "en-oak": {"en-oven": 2, "en-kiln": 2},
    "en-bricks": {"en-bridge": 2, "en-kiln": 1, "en-river": 1},
    "zh-firing": {"zh-kiln": 2, "zh-oven": 1},
    "zh-hive": {"zh-bees": 2, "zh-honey": 1},
    "zh-ship": {},
}
