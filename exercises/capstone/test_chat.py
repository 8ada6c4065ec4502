"""Public tests of capstone/chat: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_given

TOKENS = ["<|im_start|>", "<|im_end|>", "\n", "user", "assistant", "say", "cat", "mat"]
IM_START, IM_END, NEWLINE, USER, ASSISTANT, SAY, CAT, MAT = range(8)


def encode(text):
    """Plain text -> ids: words and newlines are tokens."""
    return [TOKENS.index(word) for word in text.replace("\n", " \n ").split(" ") if word]


def turns(*contents):
    """A conversation: the user begins."""
    roles = ["user", "assistant"] * len(contents)
    return [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]


@pytest.mark.points(2)
def test_batches_by_hand(student, parts):
    """Two conversations are one batch: the answer and its end are learned, though padding is the same token.

    zh: 两段对话组成一个批次：回答和它的结束符都要学，尽管填充用的是同一个词元。
    """
    conversations = [turns("say cat", "cat"), turns("say mat cat", "mat cat")]
    tokenizer = student.Tokenizer(encode, IM_START, IM_END)
    batches = student.make_batches(parts, conversations, torch.tensor([[1, 0]]), tokenizer)
    assert len(batches) == 1, "one step, one batch"
    ids, labels, weights = batches[0]
    header = [IM_START, ASSISTANT, NEWLINE]
    long = [IM_START, USER, NEWLINE, SAY, MAT, CAT, IM_END, NEWLINE, *header, MAT, CAT, IM_END, NEWLINE]
    short = [IM_START, USER, NEWLINE, SAY, CAT, IM_END, NEWLINE, *header, CAT, IM_END, NEWLINE]
    assert_close(ids, torch.tensor([long, [*short, IM_END, IM_END]]))
    learned = [[-100] * 11 + [MAT, CAT, IM_END, -100], [-100] * 10 + [CAT, IM_END, -100, -100, -100]]
    assert_close(labels, torch.tensor(learned))
    shares = [[0.0] * 11 + [1 / 6, 1 / 6, 1 / 6, 0.0], [0.0] * 10 + [1 / 4, 1 / 4, 0.0, 0.0, 0.0]]
    assert_close(weights, torch.tensor(shares))


@pytest.mark.points(1)
def test_loss_by_hand(student):
    """Two labels: one gets 1/4 of the probability from the logits before it, the other 3/4.

    zh: 两个标签：前一个位置的 logits 给一个 1/4 的概率，给另一个 3/4。
    """
    logits = torch.tensor([[[1.0, 3.0], [1.0, 3.0], [5.0, 1.0]]]).log()
    labels, weights = torch.tensor([[-100, 0, 1]]), torch.tensor([[0.0, 0.25, 0.5]])
    expected = 0.25 * math.log(4) + 0.5 * math.log(4 / 3)
    assert_close(student.chat_loss(logits, labels, weights), torch.tensor(expected))


@pytest.mark.points(2)
def test_fine_tuning_by_hand(student, parts, build):
    """The first step of AdamW moves what has a gradient by the rate; the base model stays as it is.

    zh: AdamW 的第一步把有梯度的参数移动一个学习率；基座模型保持原样。
    """
    base = build("torch.nn.Embedding", 2, 2)
    base.load_state_dict({"weight": torch.zeros(2, 2)})
    # After token 0 comes token 1; token 0 of the first place is only read.
    batch = torch.tensor([[0, 1]]), torch.tensor([[-100, 1]]), torch.tensor([[0.0, 1.0]])
    recipe = student.Recipe(peak_rate=0.5, warmup_steps=0, min_factor=1.0)

    def check():
        model, losses = student.fine_tune(parts, base, [batch], recipe)
        assert_close(list(losses), [math.log(2)])
        assert_close(model.state_dict()["weight"], torch.tensor([[-0.5, 0.5], [0.0, 0.0]]))
        assert_close(base.state_dict()["weight"], torch.zeros(2, 2))

    own_or_given(check, student, chat_loss=lambda logits, labels, weights: -logits[0, 0].log_softmax(0)[1])


@pytest.mark.points(2)
def test_reply_by_hand(student, parts, build):
    """A model whose next token depends on the last one alone answers the second question, and ends its turn.

    zh: 一个只看最后一个词元的模型，回答第二个提问，并结束这一轮。
    """
    follows = {NEWLINE: MAT, MAT: CAT, CAT: IM_END}
    table = torch.zeros(8, 8)
    for token, following in follows.items():
        table[token, following] = 1.0
    model = build("torch.nn.Embedding", 8, 8)
    model.load_state_dict({"weight": table})
    model.config = parts.gpt.GPTConfig(vocab_size=8, block_size=40)
    tokenizer = student.Tokenizer(encode, IM_START, IM_END)
    messages = turns("say cat", "cat", "say mat cat")
    ids, ended = student.reply(parts, model, messages, tokenizer, 40)
    assert_close(list(ids), [MAT, CAT])
    assert bool(ended), "the model wrote im_end"
    # Two new tokens are too few for it to end its turn.
    ids, ended = student.reply(parts, model, messages, tokenizer, 40, 2)
    assert_close(list(ids), [MAT, CAT])
    assert not bool(ended), "the model was stopped"
