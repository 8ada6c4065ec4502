"""What a mistake costs: one in an early question costs that question, and public tests see the lesson's first pitfalls."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.course import Course

ROOT = Path(__file__).resolve().parents[1]
COURSE = Course.load(ROOT, authoring=True)

# Points lost at most, where a later question builds on the answer.
EARLY = {
    "peft/lora": {"bias_lost": 3, "merge_without_scale": 1, "base_trained": 2, "b_not_zero": 1},
    "alignment/dpo": {"margin_reversed": 3, "no_reference": 2, "beta_forgotten": 2, "reference_trained": 0.5},
    "distributed/zero": {"remainder_dropped": 3, "padding_not_removed": 3, "strided_shards": 4},
    "rag/fixed_chunks": {
        "overlap_ignored": 4,
        "last_chunk_lost": 4,
        "offsets_in_bytes": 4,
        "limit_exclusive": 3,
    },
}
# What the lesson warns of first: not every public test passes.
PITFALLS = {
    "peft/lora": ["b_not_zero", "scale_forgotten", "not_divided_by_rank"],
    "alignment/dpo": ["no_reference", "log_of_sigmoid", "not_shifted"],
    "distributed/zero": ["gradients_summed", "stage1_nothing_sharded"],
    "rag/fixed_chunks": ["overlap_ignored", "last_chunk_lost", "gaps_lost"],
}
# Mistakes that are no misconceptions of the list: an edit of the reference, the test that sees it, what it is called.
OTHERS = {
    "peft/lora": [
        ("self.scaling = alpha / r=>self.scaling = alpha", "test_scale", "not_divided_by_rank"),
        ("self.scaling = alpha / r=>self.scaling = alpha / r**0.5", "test_scale", "rank_stabilised_scale"),
        ("    return list(found)\n=>    model.train()\n    return list(found)\n", "test_inject_keeps_modes", "model_set_to_training"),
        ("in model.named_modules():=>in list(model.named_modules())[:-1]:", "test_inject_by_name", None),
    ],
    "distributed/zero": [
        (
            "comm.reduce_scatter(partitions[i].flatten([grad_weights])) / comm.world_size"
            "=>comm.reduce_scatter(partitions[i].flatten([grad_weights]))",
            "test_equals_adamw",
            "gradients_summed",
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", list(EARLY))
def test_a_mistake_costs_its_own_question(
    cli: Callable[..., Any], shared_sandbox: Any, tmp_path: Path, name: str
) -> None:
    exercise = COURSE.exercise(name)
    source = exercise.solution.read_text(encoding="utf-8")
    known = {mistake.name: mistake for mistake in exercise.spec.misconception}
    files = []
    for mistake in {**EARLY[name], **dict.fromkeys(PITFALLS[name])}:
        files.append(tmp_path / f"{mistake}.py")
        files[-1].write_text(known[mistake].apply(source), encoding="utf-8")
    edits = [word for edit, _, _ in OTHERS.get(name, []) for word in ("--edit", edit)]
    said = cli("try", name, *files, *edits, "--json", "--course", ROOT)
    assert said.code == 0, said.err
    tries = {Path(one["name"]).stem: one["result"] for one in json.loads(said.out)["tries"][: len(files)]}
    for mistake, most in EARLY[name].items():
        lost = tries[mistake]["max_score"] - tries[mistake]["score"]
        assert 0 < lost <= most, f"{mistake} costs {lost}"
    for mistake in PITFALLS[name]:
        public = [test for test in tries[mistake]["tests"] if test["visibility"] == "public"]
        assert any(test["outcome"] != "passed" for test in public), f"the public tests don't see {mistake}"
    others = [one["result"] for one in json.loads(said.out)["tries"][len(files) :]]
    for result, (edit, test, diagnosis) in zip(others, OTHERS.get(name, []), strict=True):
        lost = [
            each
            for each in result["tests"]
            if each["visibility"] == "hidden" and each["score"] < each["max_score"]
        ]
        assert {each["name"].partition("[")[0] for each in lost} == {test}, edit
        assert {each["diagnosis"] for each in lost} == {diagnosis}, edit
