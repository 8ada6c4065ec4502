"""The LoRA reference against the peft library."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.testing import load_reference

TARGETS = [
    ["q_proj"],
    ["v_proj", "down"],
    ["layers.1.q_proj", "head"],
]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(6, 5)
        self.v_proj = nn.Linear(6, 5, bias=False)
        self.down = nn.Linear(5, 6)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.tanh(self.q_proj(x)) * self.v_proj(x))


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Block(), Block()])
        self.head = nn.Linear(6, 7)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def same_weights(lora: Any, targets: list[str], **options: Any) -> tuple[nn.Module, nn.Module, list[str]]:
    """A model adapted by the reference and one by peft, with equal random weights, and the adapted names."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    ours, base = Model(), Model()
    base.load_state_dict(ours.state_dict())
    names = lora.inject_lora(ours, targets, options["r"], options["lora_alpha"], options["lora_dropout"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft wonders about a model without a configuration
        theirs = get_peft_model(base, LoraConfig(target_modules=targets, **options))
    for name in names:
        layer, other = ours.get_submodule(name), theirs.base_model.model.get_submodule(name)
        nn.init.normal_(layer.lora_A)
        nn.init.normal_(layer.lora_B)
        other.lora_A["default"].weight.data.copy_(layer.lora_A.data)
        other.lora_B["default"].weight.data.copy_(layer.lora_B.data)
    return ours, theirs, names


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize(("r", "alpha"), [(1, 3), (4, 16), (9, 2)])
def test_outputs_and_gradients(targets: list[str], r: int, alpha: int) -> None:
    lora = load_reference("peft/lora")
    ours, theirs, names = same_weights(lora, targets, r=r, lora_alpha=alpha, lora_dropout=0.0)
    x = torch.randn(3, 6)
    torch.testing.assert_close(ours(x), theirs(x))
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    for name in names:
        layer, other = ours.get_submodule(name), theirs.base_model.model.get_submodule(name)
        for matrix in ("lora_A", "lora_B"):
            torch.testing.assert_close(
                getattr(layer, matrix).grad, getattr(other, matrix)["default"].weight.grad
            )


@pytest.mark.parametrize("targets", TARGETS)
def test_names_and_counts(targets: list[str]) -> None:
    lora = load_reference("peft/lora")
    ours, theirs, names = same_weights(lora, targets, r=3, lora_alpha=5, lora_dropout=0.1)
    assert sorted(names) == sorted(theirs.base_model.targeted_module_names)
    assert lora.count_parameters(ours) == theirs.get_nb_trainable_parameters()


def test_merge_and_unmerge() -> None:
    lora = load_reference("peft/lora")
    ours, theirs, names = same_weights(lora, ["q_proj", "down"], r=2, lora_alpha=7, lora_dropout=0.5)
    for model in (ours, theirs):
        model.eval()
    x = torch.randn(4, 6)
    before = ours(x)
    for name in names:
        layer, other = ours.get_submodule(name), theirs.base_model.model.get_submodule(name)
        old = layer.base.weight.clone()
        layer.merge()
        other.merge()
        torch.testing.assert_close(layer.base.weight, other.base_layer.weight)
        layer.unmerge()
        torch.testing.assert_close(layer.base.weight, old)
        layer.merge()
    torch.testing.assert_close(ours(x), before)
    torch.testing.assert_close(theirs(x), before)


def test_dropout_draws_the_same() -> None:
    """Same seed, same place of the dropout, same output."""
    lora = load_reference("peft/lora")
    ours, theirs, _ = same_weights(lora, ["q_proj"], r=2, lora_alpha=7, lora_dropout=0.4)
    x = torch.randn(5, 6)
    torch.manual_seed(3)
    actual = ours.train()(x)
    torch.manual_seed(3)
    torch.testing.assert_close(actual, theirs.train()(x))


def test_delta_and_initialisation() -> None:
    from peft import LoraConfig
    from peft.tuners.lora.layer import Linear

    lora = load_reference("peft/lora")
    torch.manual_seed(0)
    inputs, outputs, r, alpha = 300, 40, 20, 8
    config = LoraConfig(r=r, lora_alpha=alpha)
    theirs = Linear(nn.Linear(inputs, outputs), "default", config=config, r=r, lora_alpha=alpha)
    ours = lora.LoRALinear(nn.Linear(inputs, outputs), r, alpha)
    their_A, their_B = theirs.lora_A["default"].weight, theirs.lora_B["default"].weight
    assert not their_B.any() and not ours.lora_B.any()
    for matrix in (their_A, ours.lora_A):
        assert 0.99 / math.sqrt(inputs) < matrix.abs().max() <= 1 / math.sqrt(inputs)
    torch.testing.assert_close(ours.lora_A.std(), their_A.std(), rtol=0.05, atol=0.0)
    nn.init.normal_(their_B)
    torch.testing.assert_close(lora.lora_delta(their_A, their_B, alpha), theirs.get_delta_weight("default"))


@pytest.mark.parametrize("training", [True, False])
def test_modes(training: bool) -> None:
    """Ours take over the mode of the layer they replace; peft's begin in training mode, whatever the model does."""
    from peft import LoraConfig, get_peft_model

    lora = load_reference("peft/lora")
    ours, base = Model().train(training), Model().train(training)
    lora.inject_lora(ours, ["q_proj"], 2, 5.0, 0.5)
    assert {module.training for module in ours.modules()} == {training}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_peft_model(
            base, LoraConfig(target_modules=["q_proj"], r=2, lora_alpha=5, lora_dropout=0.5)
        )
    adapted = theirs.base_model.model.get_submodule("layers.0.q_proj")
    assert adapted.training and adapted.base_layer.training is training
