"""The reference of decoding/greedy_and_beam against transformers' generate and against enumeration."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.testing import load_reference

EOS, PAD = 1, 2


def tiny_gpt2() -> Any:
    """A random GPT-2 whose logits are wide enough for choices to differ."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=23, n_positions=32, n_embd=16, n_layer=2, n_head=2, bos_token_id=0, initializer_range=0.4
    )
    return GPT2LMHeadModel(config).eval()


class OneEos:
    """The model as the exercise calls it, with a bonus for eos; for transformers it is a logits processor's."""

    def __init__(self, model: Any, bonus: float) -> None:
        self.model, self.bias = model, torch.zeros(23)
        self.bias[EOS] = bonus

    @torch.no_grad()
    def __call__(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.model(ids).logits + self.bias
        return logits


def generate(model: Any, bonus: float, prompt: list[int], max_new_tokens: int, **options: Any) -> Any:
    """transformers' answer: the bonus is in the bias of its output layer."""
    head = model.lm_head
    biased = torch.nn.Linear(head.in_features, head.out_features)
    biased.weight = head.weight
    with torch.no_grad():
        biased.bias.zero_()
        biased.bias[EOS] = bonus
    model.lm_head = biased
    try:
        return model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=EOS,
            pad_token_id=PAD,
            return_dict_in_generate=True,
            output_scores=True,
            **options,
        )
    finally:
        model.lm_head = head


def cut(tokens: list[int]) -> list[int]:
    """Up to the first eos, included: what follows is padding."""
    return tokens[: tokens.index(EOS) + 1] if EOS in tokens else tokens


PROMPTS = [[5, 7, 9], [3], [4, EOS, 8, 8, 6]]


@pytest.mark.parametrize("bonus", [-3.0, 0.0, 2.0, 4.0])
def test_greedy_against_transformers(bonus: float) -> None:
    exercise, model = load_reference("decoding/greedy_and_beam"), tiny_gpt2()
    for prompt in PROMPTS:
        expected = generate(model, bonus, prompt, 9).sequences[0, len(prompt) :].tolist()
        assert exercise.greedy(OneEos(model, bonus), prompt, EOS, 9) == cut(expected)


@pytest.mark.parametrize("num_beams", [2, 3, 5])
@pytest.mark.parametrize("bonus", [-3.0, 0.0, 2.0, 4.0])
def test_beam_search_against_transformers(num_beams: int, bonus: float) -> None:
    exercise, model = load_reference("decoding/greedy_and_beam"), tiny_gpt2()
    for prompt, penalty, steps in product(PROMPTS, (0.0, 0.6, 2.0), (1, 9)):
        expected = generate(
            model,
            bonus,
            prompt,
            steps,
            num_beams=num_beams,
            num_return_sequences=num_beams,
            length_penalty=penalty,
            early_stopping=True,
        )
        actual = exercise.beam_search(OneEos(model, bonus), prompt, EOS, num_beams, steps, penalty)
        sequences = [cut(row[len(prompt) :].tolist()) for row in expected.sequences]
        assert [tokens for tokens, _ in actual] == sequences
        torch.testing.assert_close(
            torch.tensor([score for _, score in actual]), expected.sequences_scores, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("groups", "width", "vocab"), [(1, 3, 5), (3, 2, 7), (4, 1, 2), (3, 3, 4)])
@pytest.mark.parametrize("penalty", [0.0, 0.4, 3.0])
def test_diverse_step_against_enumeration(groups: int, width: int, vocab: int, penalty: float) -> None:
    exercise = load_reference("decoding/greedy_and_beam")
    torch.manual_seed(groups * vocab)
    totals = torch.randn(groups, width, dtype=torch.float64)
    logps = torch.randn(groups, width, vocab, dtype=torch.float64).log_softmax(-1)
    beams, tokens, new_totals = exercise.diverse_step(totals, logps, penalty)
    earlier: list[int] = []
    for group in range(groups):
        ranked = sorted(
            product(range(width), range(vocab)),
            key=lambda pair: (
                -(totals[group, pair[0]] + logps[group, pair[0], pair[1]] - penalty * earlier.count(pair[1]))
            ),
        )[:width]
        assert list(zip(beams[group].tolist(), tokens[group].tolist(), strict=True)) == ranked
        model_totals = [totals[group, beam] + logps[group, beam, token] for beam, token in ranked]
        torch.testing.assert_close(new_totals[group], torch.stack(model_totals))
        earlier += [token for _, token in ranked]
