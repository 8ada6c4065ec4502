"""A library that solves the exercise is no answer to it, wherever it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course
from autograder.grading.bundle import bundle_of
from autograder.grading.submissions import Submission
from autograder.grading.worker import Mode, Worker
from autograder.results import Status

EXERCISE = Course.load(Path(__file__).resolve().parents[2]).exercise("rag/fixed_chunks")
SPLITTER = """
def character_chunks(text, size, overlap=0):
    {inside}
    made = RecursiveCharacterTextSplitter([""], chunk_size=size, chunk_overlap=overlap, add_start_index=True)
    found = made.create_documents([text])
    return [(d.metadata["start_index"], d.metadata["start_index"] + len(d.page_content), d.page_content) for d in found]
"""
IMPORT = "from langchain_text_splitters import RecursiveCharacterTextSplitter"


@pytest.mark.parametrize("unsafe", [False, True], ids=["isolated", "unsafe"])
def test_langchain_s_own_splitter_gets_nothing(unsafe: bool, shared_sandbox: Any) -> None:
    import langchain_text_splitters  # noqa: F401 (it is there to be borrowed)

    worker, bundle = Worker(Mode(unsafe=unsafe)), bundle_of(EXERCISE)

    def grade(source: str) -> Any:
        files = {"fixed_chunks.py": source.encode()}
        return worker.grade(
            bundle, Submission("s001", EXERCISE.id, "fixed_chunks.py", "fixed_chunks.py", files)
        )

    at_the_top = grade(IMPORT + "\n" + SPLITTER.format(inside="pass"))
    assert (at_the_top.status, at_the_top.score) == (Status.INVALID, 0)
    words, place = at_the_top.message.en.splitlines()
    assert words == (
        "ForbiddenImport: a submission may not import langchain_text_splitters, only torch, numpy, matplotlib, the standard "
        "library and files handed in with it; if langchain_text_splitters is a file of yours, hand it in, too"
    )
    assert place.startswith("  line 1")
    assert "提交的代码不能导入 langchain_text_splitters" in at_the_top.message.zh
    assert grade(SPLITTER.format(inside=IMPORT)).score == 0
