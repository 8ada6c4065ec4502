"""The reference against transformers' GPT-2 and torch's AdamW; the whole run against the known answers of every held-out question."""

from __future__ import annotations

from itertools import pairwise, product
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.testing import assert_close, conversation, load_reference, load_weights

PARTS = SimpleNamespace(
    gpt=load_reference("models/gpt"),
    chat_template=load_reference("finetuning/chat_template"),
    optimizer_and_schedule=load_reference("pretraining/optimizer_and_schedule"),
)
START, END = 1, 2


def folded(text: str) -> list[int]:
    """Code points, folded into 40 ids that are none of the special ones."""
    return [3 + ord(character) % 40 for character in text]


class GPT2(nn.Module):
    """transformers' GPT-2 with random weights, in float64: ids -> logits."""

    def __init__(self, seed: int) -> None:
        from transformers import GPT2Config, GPT2LMHeadModel

        super().__init__()
        torch.manual_seed(seed)
        config = GPT2Config(
            vocab_size=43,
            n_positions=400,
            n_embd=12,
            n_layer=2,
            n_head=2,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            initializer_range=0.4,
            bos_token_id=START,
            eos_token_id=END,
        )
        self.model = GPT2LMHeadModel(config).double().eval()

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.model(ids).logits
        return logits


def batches() -> list[tuple[Tensor, Tensor, Tensor]]:
    reference = load_reference("capstone/chat")
    conversations = [
        conversation(turns, system=turns > 3, seed=turns)[: 2 * (turns // 2) + (turns > 3)]
        for turns in range(2, 7)
    ]
    order = torch.tensor([[0, 3], [1, 4], [2, 0]])
    made: list[tuple[Tensor, Tensor, Tensor]] = reference.make_batches(
        PARTS, conversations, order, reference.Tokenizer(folded, START, END)
    )
    return made


def mean_of_turns(model: GPT2, ids: Tensor, labels: Tensor) -> Tensor:
    """The library's own loss for each learned turn by itself, then their mean."""
    losses = []
    for row, marks in enumerate((labels >= 0).int().tolist()):
        edges = [place for place, (left, right) in enumerate(pairwise([0, *marks, 0])) if left != right]
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            alone = torch.full_like(labels, -100)
            alone[row, first:last] = labels[row, first:last]
            losses.append(model.model(ids, labels=alone).loss)
    return torch.stack(losses).mean()


@pytest.mark.parametrize("batch", range(3))
def test_chat_loss(batch: int) -> None:
    model = GPT2(batch)
    ids, labels, weights = batches()[batch]
    loss = load_reference("capstone/chat").chat_loss(model(ids), labels, weights)
    assert_close(loss.detach().float(), mean_of_turns(model, ids, labels).detach())


def test_fine_tune() -> None:
    from transformers import get_cosine_with_min_lr_schedule_with_warmup

    reference, base, twin = load_reference("capstone/chat"), GPT2(3), GPT2(3)
    recipe = reference.Recipe(peak_rate=0.02, warmup_steps=1, min_factor=0.2, weight_decay=0.3)
    groups = PARTS.optimizer_and_schedule.decay_groups(twin, recipe.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=(0.9, 0.95), eps=1e-8)
    schedule = get_cosine_with_min_lr_schedule_with_warmup(optimizer, 1, 3, min_lr_rate=0.2)
    expected = []
    for ids, labels, _ in batches():
        loss = mean_of_turns(twin, ids, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        expected.append(loss.item())
    model, losses = reference.fine_tune(PARTS, base, batches(), recipe)
    assert_close(losses, expected)
    for name, weight in model.named_parameters():
        assert_close(weight.detach(), twin.get_parameter(name).detach())
        assert_close(base.get_parameter(name).detach(), GPT2(3).get_parameter(name).detach())


@pytest.mark.parametrize("seed", range(6))
def test_reply(seed: int) -> None:
    reference, model = load_reference("capstone/chat"), GPT2(seed)
    messages = conversation(1 + 2 * (seed % 3), system=seed > 3, seed=seed)
    prompt, _ = PARTS.chat_template.encode_chat(messages, folded, START, END, True)
    # Half of the models are eager to stop.
    bias = torch.zeros(43, dtype=torch.float64)
    bias[END] = 2.0 * (seed % 2)
    model.model.lm_head.bias = nn.Parameter(bias)
    ids = torch.tensor([prompt])
    found = model.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        eos_token_id=END,
        pad_token_id=END,
        do_sample=False,
        max_new_tokens=20,
    )
    answer = found[0, len(prompt) :].tolist()
    ended = END in answer
    expected = (answer[: answer.index(END)] if ended else answer, ended)
    tokenizer = reference.Tokenizer(folded, START, END)
    assert reference.reply(PARTS, model, messages, tokenizer, 400, 20) == expected


WORDS = ["the", "cat", "sat", "on", "mat", "because", "it", "was", "warm", "stove", "window", "sun"]
TOKENS = [*WORDS, "say", "\n", "system", "user", "assistant", "<|im_start|>", "<|im_end|>"]


def words(text: str) -> list[int]:
    return [TOKENS.index(word) for word in text.replace("\n", " \n ").split(" ") if word]


def exchange(pair: tuple[str, str]) -> list[dict[str, str]]:
    said = " ".join(pair)
    return [{"role": "user", "content": f"say {said}"}, {"role": "assistant", "content": said}]


def test_every_held_out_question() -> None:
    """The four functions together: nearly all of the 44 held-out questions are answered exactly, asked first or second."""
    reference: Any = load_reference("capstone/chat")
    base = PARTS.gpt.GPT(PARTS.gpt.GPTConfig(len(TOKENS), 40, 2, 2, 24))
    base.load_state_dict(load_weights("capstone/chat"))
    generator = torch.Generator().manual_seed(100)
    pairs = list(product(WORDS, repeat=2))
    shuffled = [pairs[i] for i in torch.randperm(144, generator=generator).tolist()]
    trained, held_out = shuffled[:100], shuffled[100:]
    conversations = [exchange(pair) for pair in trained]
    conversations += [exchange(pair) + exchange(trained[(7 * i) % 100]) for i, pair in enumerate(trained)]
    tokenizer = reference.Tokenizer(words, TOKENS.index("<|im_start|>"), TOKENS.index("<|im_end|>"))
    order = torch.randint(len(conversations), (60, 16), generator=generator)
    made = reference.make_batches(PARTS, conversations, order, tokenizer)
    model, _ = reference.fine_tune(PARTS, base, made, reference.Recipe())
    for earlier in ([], exchange(trained[0])):
        right = 0
        for pair in held_out:
            question, answer = exchange(pair)
            said = reference.reply(PARTS, model, [*earlier, question], tokenizer, 40)
            right += said == (words(answer["content"]), True)
        assert right >= 40
