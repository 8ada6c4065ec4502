"""The formats of the pages that people get."""

from __future__ import annotations

from enum import StrEnum


class PageFormat(StrEnum):
    HTML = "html"
    MD = "md"
    TEXT = "text"

    @property
    def suffix(self) -> str:
        return ".txt" if self is PageFormat.TEXT else f".{self}"
