"""What tests and lessons are written with: comparison, contracts, ranks, models, references, examples, figures.

Test files import from here: `from autograder.testing import assert_close`.
"""

from __future__ import annotations

from typing import Any

_HOMES = {
    "PROMISES": "autograder.testing.contracts",
    "assert_choice": "autograder.testing.quiz",
    "assert_close": "autograder.testing.compare",
    "assert_number": "autograder.testing.quiz",
    "assert_ordering": "autograder.testing.quiz",
    "assert_several": "autograder.testing.quiz",
    "check_any": "autograder.testing.follows",
    "check_promise": "autograder.testing.contracts",
    "check_refusal": "autograder.testing.contracts",
    "chinese_figures": "autograder.testing.figures",
    "compare_gradients": "autograder.testing.gradients",
    "conversation": "autograder.testing.responses",
    "exact_policy": "autograder.testing.decisions",
    "first_seed": "autograder.testing.contracts",
    "for_student": "autograder.testing.scripted",
    "four_models": "autograder.testing.responses",
    "given_draws": "autograder.testing.models",
    "hash_embedder": "autograder.testing.retrieval",
    "kv_oracle": "autograder.testing.cached",
    "load_by_name": "autograder.testing.models",
    "load_reference": "autograder.testing.reference",
    "load_weights": "autograder.testing.weights",
    "markov_source": "autograder.testing.markov",
    "masked_responses": "autograder.testing.responses",
    "next_token_model": "autograder.testing.models",
    "own_or_given": "autograder.testing.earlier",
    "own_or_reference": "autograder.testing.earlier",
    "per_rank": "autograder.testing.ranks",
    "ragged_batch": "autograder.testing.batches",
    "running_examples": "autograder.testing.examples",
    "save_weights": "autograder.testing.weights",
    "scripted_model": "autograder.testing.scripted",
    "tell_reached": "autograder.testing.reached",
    "tiny_corpus_en_zh": "autograder.testing.retrieval",
    "tiny_gpt_config": "autograder.testing.models",
    "with_answers": "autograder.testing.follows",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'autograder.testing' has no attribute {name!r}")
