"""What the students of the term hand in: for each exercise some fifteen contents, made of what the repository holds.

Right ones are the reference and the accepted solutions; wrong ones the reference with misconceptions of its TOML file,
or with a question left open. `contents.csv` says what each is worth, and which tests it loses.
"""

from __future__ import annotations

from collections.abc import Iterator

from autograder.authoring.build import skeleton_of
from autograder.authoring.notebooks import import_nbformat, notebook_of
from autograder.authoring.script import find_blocks
from autograder.course import Exercise

# Six of each exercise's misconceptions; the last one comes as a notebook.
MISTAKES = {
    "tokenizers/byte_pair_encoding": (
        "merge_first_only", "ties_first_seen", "encode_by_position", "code_points", "special_shortest",
        "decode_token_by_token",
    ),
    "attention/scaled_dot_product": (
        "unscaled", "mask_after_softmax", "causal_hides_itself", "softmax_over_queries", "masked_by_large_number",
        "padding_off_by_one",
    ),
    "attention/multi_head": (
        "split_without_moving_axes", "scale_of_the_whole_model", "context_ignored", "mask_inverted",
        "weights_averaged_over_heads", "no_output_projection",
    ),
    "peft/lora": (
        "scale_forgotten", "b_not_zero", "merge_without_scale", "rest_not_frozen", "substring_match",
        "dropout_on_the_base_path",
    ),
    "alignment/dpo": (
        "mean_over_tokens", "not_shifted", "sign_flipped", "prompt_counted", "beta_forgotten", "log_of_sigmoid",
    ),
    "distributed/zero": (
        "gradients_summed", "strided_shards", "padding_not_removed", "stage2_reduced_at_the_end", "whole_bytes",
        "stage3_never_freed",
    ),
    "rag/fixed_chunks": (
        "overlap_ignored", "last_chunk_lost", "offsets_in_bytes", "gaps_lost", "every_mark_ends", "pack_without_overlap",
    ),
}  # fmt: skip
NAMELESS = "nameless"  # the right answer, under a name that says too little


def contents_of(exercise: Exercise) -> Iterator[tuple[str, str, str]]:
    """(name, file name, text) of everything that somebody hands in for this exercise."""
    topic, right = exercise.topic, exercise.solution.read_text(encoding="utf-8")
    skeleton = skeleton_of(exercise)
    script, notebook = f"{topic}.py", f"{topic}.ipynb"
    mistakes = {mistake.name: mistake for mistake in exercise.spec.misconception}
    *chosen, last = MISTAKES[exercise.id]
    yield "reference", script, right
    yield "notebook", notebook, _notebook(exercise, right, "en")
    yield "chinese_notebook", notebook, _notebook(exercise, right, "zh")
    for number, path in enumerate(exercise.accepted[:2], 1):
        yield f"accepted_{number}", script, path.read_text(encoding="utf-8")
    for name in chosen:
        yield name, script, mistakes[name].apply(right)
    yield last, notebook, _notebook(exercise, mistakes[last].apply(right), "en")
    two = right
    for name in chosen[:2]:
        two = mistakes[name].apply(two)
    yield "two_mistakes", script, two
    yield "half", script, _blocks(right, exercise, half=True)
    yield "returns_nothing", script, _blocks(right, exercise, half=False)
    yield "skeleton", script, skeleton
    yield "syntax_error", script, right.replace("):\n", ")\n", 1) if "):\n" in right else right + "\ndef (:\n"
    yield "empty", script, "\n"
    yield NAMELESS, f"{topic}_final_v2.py", right


def _notebook(exercise: Exercise, source: str, lang: str) -> str:
    return str(import_nbformat().writes(notebook_of(exercise, lang, source))) + "\n"


def _blocks(source: str, exercise: Exercise, *, half: bool) -> str:
    """The reference with the second half of its questions open, or with `return None` for its last answer."""
    blocks = find_blocks(source, str(exercise.solution))
    asked = list(dict.fromkeys(block.question for block in blocks))
    gone = asked[(len(asked) + 1) // 2 :] if half else asked[-1:]
    lines = source.splitlines()
    for block in reversed(blocks):
        if block.question in gone:
            marker = lines[block.first - 1]
            indent = marker[: len(marker) - len(marker.lstrip())]
            lines[block.first - 1 : block.last] = [indent + (block.unanswered if half else "return None")]
    return "\n".join(lines) + "\n"
