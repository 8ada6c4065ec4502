"""What tests need of models: sizes, weights by name, a language model whose answers are known, draws."""

from __future__ import annotations

import pytest
import torch

from autograder.testing import given_draws, load_by_name, next_token_model, tiny_gpt_config


def test_no_two_sizes_of_the_tiny_gpt_can_be_confused() -> None:
    sizes = tiny_gpt_config()
    head_dim = sizes["d_model"] // sizes["num_heads"]
    assert len({*sizes.values(), head_dim}) == len(sizes) + 1
    assert tiny_gpt_config(num_layers=1) == sizes | {"num_layers": 1}
    with pytest.raises(TypeError, match="no size \\['depth'\\]"):
        tiny_gpt_config(depth=3)


def test_weights_by_name() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3))
    shapes = {"0.weight": (3, 3), "0.bias": (3,), "1.weight": (3,), "1.bias": (3,)}
    weights = load_by_name(module, shapes)
    assert all(torch.equal(weights[name], value) for name, value in module.state_dict().items())
    assert not torch.equal(weights["0.weight"], weights["0.weight"].T)
    assert weights["1.bias"].any() and (weights["1.weight"] - weights["1.bias"]).mean() > 0.3
    again = load_by_name(module, dict(reversed(shapes.items())))
    assert all(torch.equal(weights[name], again[name]) for name in shapes)
    assert not torch.equal(weights["0.bias"], load_by_name(module, shapes, seed=1)["0.bias"])
    with pytest.raises(RuntimeError, match="Missing key"):
        load_by_name(module, {"0.weight": (3, 3)})


def test_every_token_of_the_prefix_counts() -> None:
    model = next_token_model(vocab=4, seed=2)
    first, second = torch.tensor([[0, 1, 2]]), torch.tensor([[1, 0, 2]])
    logits = model(torch.cat([first, second]))
    assert logits.shape == (2, 3, 4) and logits.dtype == torch.float32
    assert not torch.allclose(logits[0, 2], logits[1, 2])
    assert torch.equal(logits[0, :2], model(first[:, :2])[0])
    assert (model.calls, model.rows) == (2, 3)
    assert torch.equal(model.after([0, 1, 2]), logits[0, 2])
    assert (model.calls, model.rows) == (2, 3)
    assert torch.equal(next_token_model(vocab=4, seed=2, last=True)(first), logits[:1, 2])
    assert not torch.equal(next_token_model(vocab=4, seed=3)(first), logits[:1])


def test_a_table_is_what_the_model_says() -> None:
    model = next_token_model(table={(0,): [0.0, 1.0, 2.0]}, eos=2, eos_bonus=0.5)
    assert model.after((0,)).tolist() == [0.0, 1.0, 2.5]
    assert model.after((1,)).shape == (3,)


def test_an_end_that_is_certain() -> None:
    model = next_token_model(eos=3, eos_bonus=lambda length: 50.0 if length >= 4 else -50.0, normalised=True)
    for length in (1, 3, 4, 6):
        row = model.after([0] * length)
        assert float(row.exp().sum()) == pytest.approx(1.0, abs=1e-5)
        assert (row.argmax() == 3) == (length >= 4)


def test_draws_begin_with_both_ends() -> None:
    draws = given_draws(3, 4)
    assert draws.shape == (3, 4) and draws.dtype == torch.float32
    assert draws[0, 0] == 0.0 and 1.0 - 1e-6 < draws[0, 1] < 1.0
    assert draws.min() >= 0.0 and draws.max() < 1.0
    assert torch.equal(draws, given_draws(3, 4)) and not torch.equal(draws, given_draws(3, 4, seed=1))
    assert given_draws(1).tolist() == [0.0]
