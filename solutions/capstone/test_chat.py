"""Hidden tests of capstone/chat."""

import functools
import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autograder.testing import (
    assert_close,
    conversation,
    load_by_name,
    next_token_model,
    own_or_reference,
    tell_reached,
)

V = 7


def code_points(text):
    """A tokenizer without merges; no id is this small as those of the special tokens."""
    return [ord(character) for character in text]


def chatml(messages, start, end):
    """Ids and labels of a conversation, written here."""
    ids, labels = [], []
    for message in messages:
        learned = message["role"] == "assistant"
        header, text = code_points(message["role"] + "\n"), [*code_points(message["content"]), end]
        ids += [start, *header, *text, ord("\n")]
        labels += [-100] * (len(header) + 1) + (text if learned else [-100] * len(text)) + [-100]
    return ids, labels


def padded(rows, filler):
    return torch.tensor([row + [filler] * (max(map(len, rows)) - len(row)) for row in rows])


def several_batches(student, parts, start, end):
    """Batches of the student's and, for each, the rows of ids and labels that it should have."""
    conversations = [
        conversation(2),
        conversation(6, seed=1),
        conversation(2, system=True, seed=2),
        [*conversation(4, seed=3), *conversation(1, seed=4), *conversation(2, seed=5)],
        conversation(4, system=True, seed=6),
    ]
    order = torch.tensor([[2, 0, 2], [3, 1, 0], [4, 4, 2]])
    rows = [[chatml(conversations[i], start, end) for i in step] for step in order.tolist()]
    assert len({max(len(ids) for ids, _ in step) for step in rows}) == 3, "no two batches are as wide"
    tokenizer = student.Tokenizer(code_points, start, end)
    return student.make_batches(parts, conversations, order, tokenizer), rows


@pytest.mark.points(2)
@pytest.mark.parametrize(("start", "end"), [(1, 2), (3, 0)])
def test_rows_of_each_step(student, parts, start, end):
    """A batch holds the conversations of its step in order, as the template encodes and labels them, and no column more.

    zh: 一个批次按顺序装着这一步的各段对话，编号和标签与模板给出的一致，不多一列。
    """
    batches, rows = several_batches(student, parts, start, end)
    assert len(batches) == len(rows), "a batch for each step"
    for batch, step in zip(batches, rows, strict=True):
        assert_close(batch[0], padded([ids for ids, _ in step], end))
        assert_close(batch[1], padded([labels for _, labels in step], -100))


@pytest.mark.points(1)
def test_shares_in_each_step(student, parts):
    """In each batch the learned turns weigh alike, and all together 1.

    zh: 在每个批次里，要学的各轮权重相同，合起来是 1。
    """
    batches, rows = several_batches(student, parts, 1, 2)
    assert len(batches) == len(rows), "a batch for each step"
    for batch, step in zip(batches, rows, strict=True):
        turns = sum(labels.count(2) for _, labels in step)
        shares = []
        for _, labels in step:
            runs = re.findall("1+|0+", "".join("01"[label != -100] for label in labels))
            shares.append([int(run[0]) / (turns * len(run)) for run in runs for _ in run])
        expected = padded(shares, 0.0)
        assert_close(expected.sum(), torch.tensor(1.0))
        assert_close(batch[2], expected)


def scored_batch(B, T, dtype, learned=0.4):
    """Logits, labels and weights; some labels and weights are set, never in column 0."""
    generator = torch.Generator().manual_seed(T)
    counts = torch.rand(B, T, generator=generator) < learned
    counts[:, 0] = False
    labels = torch.randint(V, (B, T), generator=generator).masked_fill(~counts, -100)
    weights = (2 * torch.rand(B, T, generator=generator) + 0.5) * counts
    return 2 * torch.randn(B, T, V, generator=generator, dtype=dtype), labels, weights.to(dtype)


def learned_places(labels):
    """Row, place and label of each."""
    return [(b, t, int(labels[b, t])) for b, t in (labels >= 0).nonzero().tolist()]


BATCHES = [(3, 8, torch.float32, 0.4), (1, 5, torch.float64, 0.7), (2, 2, torch.float32, 1.0)]


@pytest.mark.points(2)
@pytest.mark.parametrize(("B", "T", "dtype", "learned"), BATCHES)
def test_sum_over_labels(student, B, T, dtype, learned):
    """The loss is the sum of weight times cross-entropy, each label under the logits one place before it.

    zh: 损失是“权重乘交叉熵”之和，每个标签用它前一个位置的 logits。
    """
    logits, labels, weights = scored_batch(B, T, dtype, learned)
    places = learned_places(labels)
    assert places and not math.isclose(sum(weights.flatten().tolist()), 1.0, abs_tol=0.1)
    log_probs = logits.log_softmax(-1)
    expected = torch.stack([-weights[b, t] * log_probs[b, t - 1, label] for b, t, label in places]).sum()
    assert_close(student.chat_loss(logits, labels, weights), expected)
    # Where nothing is learned, nothing is lost.
    nothing = torch.full_like(labels, -100), torch.zeros_like(weights)
    assert_close(student.chat_loss(logits, *nothing), torch.zeros((), dtype=dtype))


@pytest.mark.points(1)
@pytest.mark.parametrize(("B", "T", "dtype", "learned"), BATCHES)
def test_pull_of_labels(student, gradients, B, T, dtype, learned):
    """Only the logits one place before a learned label have a gradient: weight times (probabilities - one-hot).

    zh: 只有要学的标签前一个位置的 logits 有梯度：权重乘以（概率 − one-hot）。
    """
    logits, labels, weights = scored_batch(B, T, dtype, learned)
    expected = torch.zeros_like(logits)
    for b, t, label in learned_places(labels):
        one_hot = torch.eye(V, dtype=dtype)[label]
        expected[b, t - 1] = weights[b, t] * (logits[b, t - 1].softmax(-1) - one_hot)
    assert (expected.abs().sum(-1) == 0).any() and (expected != 0).any()
    assert_close(gradients(student.chat_loss, logits, labels, weights).arguments[0], expected)


@pytest.mark.points(2)
@pytest.mark.parametrize("turns", [1, 5], ids=["one turn", "more turns"])
def test_until_the_end_of_the_turn(student, parts, build, turns):
    """The answer is the most probable tokens after the whole prompt, up to the first new end of turn and without it.

    zh: 回答是整个提示词之后概率最大的那些词元，到第一个新的轮次结束符为止，不含它。
    """
    messages = conversation(turns, system=turns > 1)
    for after in (3, 0, 5):
        check_reply(student, parts, build, messages, messages, ends_after=after, limit=8)


@pytest.mark.points(1)
def test_limit_of_new_tokens(student, parts, build):
    """At most `max_new_tokens` tokens are generated, the end among them; without it, the answer hasn't ended by itself.

    zh: 最多生成 `max_new_tokens` 个词元，结束符也算一个；没有写出它，就不算自己结束。
    """
    messages = conversation(3, seed=1)
    for after, limit in ((4, 4), (7, 4), (3, 4), (1, 1), (0, 1)):
        check_reply(student, parts, build, messages, messages, ends_after=after, limit=limit)


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("limit", "spare", "dropped"), [(9, 0, 2), (4, 2, 2), (5, -1, 4)], ids=["exact", "spare", "one too few"]
)
def test_room_for_new_tokens(student, parts, build, limit, spare, dropped):
    """Prompt and new tokens fit into the context: the oldest turns go, whole, and no more of them than must.

    zh: 提示词和新词元一起放得进上下文：最早的几轮整轮丢掉，能不丢的就不丢。
    """
    messages = conversation(7, system=True, seed=2)
    kept = [messages[0], *messages[1 + dropped :]]
    shorter = dropped if spare >= 0 else dropped - 2
    room = len(prompt_of([messages[0], *messages[1 + shorter :]])) + limit + spare
    assert len(prompt_of(messages)) + limit > room
    check_reply(student, parts, build, messages, kept, ends_after=limit - 2, limit=limit, context=room)


START, END = 1, 2


def prompt_of(messages):
    return [*chatml(messages, START, END)[0], START, *code_points("assistant\n")]


def check_reply(student, parts, build, messages, kept, *, ends_after, limit, context=500):
    """The reply to `messages` is what a random model says after the prompt of `kept`; it ends when it should."""
    prompt = prompt_of(kept)

    def bonus(read):
        return 99.0 if read >= len(prompt) + ends_after else -99.0

    scorer = next_token_model(vocab=V, seed=len(prompt), eos=END, eos_bonus=bonus)
    expected = []
    while len(expected) < min(limit, ends_after):
        expected.append(int(scorer.after(prompt + expected).argmax()))
    ended = ends_after < limit
    calls = []

    def forward(ids):
        """Logits of the last place; those of the others, which no reply needs, are zero."""
        calls.append(ids.shape[1])
        logits = torch.zeros(*ids.shape, V)
        logits[0, -1] = scorer.after(ids[0].tolist())
        return logits

    model = build("torch.nn.Module")
    model.config = parts.gpt.GPTConfig(vocab_size=V, block_size=context)
    model.forward = forward
    tokenizer = student.Tokenizer(code_points, START, END)
    ids, by_itself = student.reply(parts, model, messages, tokenizer, context, limit)
    assert_close(list(ids), expected)
    assert bool(by_itself) == ended, "whether the model has ended its turn"
    assert len(calls) == len(expected) + ended, "one call for each new token"


WORDS = ["the", "cat", "sat", "on", "mat", "because", "it", "was", "warm", "stove", "window", "sun"]
TOKENS = [*WORDS, "say", "\n", "system", "user", "assistant", "<|im_start|>", "<|im_end|>"]
IM_START, IM_END, NEWLINE, USER, ASSISTANT, SAY = (
    TOKENS.index(token) for token in (*TOKENS[-2:], "\n", "user", "assistant", "say")
)
SIZES = {"vocab_size": len(TOKENS), "block_size": 40, "num_layers": 2, "num_heads": 2, "d_model": 24}


def asked(question):
    """The tokens up to an answer: say these two words."""
    return [IM_START, USER, NEWLINE, SAY, *question, IM_END, NEWLINE, IM_START, ASSISTANT, NEWLINE]


def talks(rows):
    """A batch of conversations, each a list of questions; every question is answered by its two words."""
    ids, labels = [], []
    for questions in rows:
        parts_of_row = [(asked(question), [*question, IM_END], [NEWLINE]) for question in questions]
        ids.append([token for parts in parts_of_row for part in parts for token in part])
        labels.append(
            [
                token
                for before, answer, after in parts_of_row
                for token in [-100] * len(before) + answer + [-100] * len(after)
            ]
        )
    learned = padded(labels, -100)
    counts = learned != -100
    return padded(ids, IM_END), learned, counts / counts.sum()


NUM_STEPS, ROWS = 60, 16


@functools.cache
def lessons(seed):
    """Batches that ask 100 of the 144 questions, alone or one after the other; the 44 others."""
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(144, generator=generator).tolist()
    questions = [(number // 12, number % 12) for number in shuffled]
    trained, held_out = questions[:100], questions[100:]
    firsts = torch.randperm(100, generator=generator).tolist()
    pairs = [[trained[first], second] for first, second in zip(firsts, trained, strict=True)]
    conversations = [[question] for question in trained] + pairs
    order = torch.randint(len(conversations), (NUM_STEPS, ROWS), generator=generator).tolist()
    return [talks([conversations[i] for i in rows]) for rows in order], trained, held_out


def base_model(parts, weights):
    """A GPT of the parts' own with the weights that ship. A tied head may have a second name for the same tensor."""
    model = parts.gpt.GPT(parts.gpt.GPTConfig(**SIZES))
    assert weights.keys() == {name for name, _ in model.named_parameters()}
    model.load_state_dict(weights, strict=False)
    return model


def values_of(model):
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


@pytest.mark.points(1)
@own_or_reference("chat_loss")
def test_goes_on_from_the_base(student, reference, parts, weights):
    """Without batches the weights are those of the base model; one update moves them by the rate, hardly more.

    zh: 没有批次时，得到的就是基座模型的权重；更新一次，移动的幅度约等于学习率。
    """
    base, rate = base_model(parts, weights), 1e-3
    recipe = student.Recipe(peak_rate=rate, warmup_steps=0)
    same, losses = student.fine_tune(parts, base, [], recipe)
    assert list(losses) == []
    for name, weight in values_of(same).items():
        assert_close(weight, weights[name])
    batch = lessons(0)[0][0]
    expected = turn_loss(base(batch[0]).detach(), *batch[1:]).item()
    model, losses = student.fine_tune(parts, base, [batch], recipe)
    assert_close(list(losses), [expected])
    moved = values_of(model)
    steps = {name: (moved[name] - weight).abs().max().item() for name, weight in weights.items()}
    assert all(step < 1.01 * rate for step in steps.values()), "farther than one update can go"
    assert min(steps.values()) > 0.5 * rate, "a parameter isn't trained"


def turn_loss(logits, labels, weights):
    """Computed here."""
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
    return (losses * weights[:, 1:]).sum()


def small_run(student, build, steps):
    """A small model on the student's side, its twin here, and batches of uneven weights, in float64."""
    shapes = {"0.weight": (V, 3), "1.weight": (V, 3), "1.bias": (V,)}
    twin = nn.Sequential(nn.Embedding(V, 3), nn.Linear(3, V)).double()
    base = build(
        "torch.nn.Sequential",
        build("torch.nn.Embedding", V, 3, dtype=torch.float64),
        build("torch.nn.Linear", 3, V, dtype=torch.float64),
    )
    start = load_by_name(twin, shapes, dtype=torch.float64)
    base.load_state_dict(start)
    batches = []
    for step in range(steps):
        _, labels, weights = scored_batch(2, 5 + step, torch.float64)
        ids = torch.randint(V, labels.shape, generator=torch.Generator().manual_seed(step))
        assert learned_places(labels)
        batches.append((ids, labels, weights))
    return base, twin, start, batches


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("steps", "peak", "warmup", "least", "decay"),
    [(3, 0.3, 0, 1.0, 0.0), (5, 0.2, 2, 0.1, 0.0), (4, 0.3, 1, 0.5, 0.7)],
    ids=["constant", "schedule", "decay"],
)
@own_or_reference("chat_loss")
def test_one_update_a_batch(student, reference, parts, build, steps, peak, warmup, least, decay):
    """Each batch makes one update of AdamW, at the cosine schedule's factor of its step; the losses are those before it.

    zh: 每个批次做一次 AdamW 更新，系数取余弦调度在这一步的值；记录的是更新之前的损失。
    """
    base, twin, _, batches = small_run(student, build, steps)
    moments = {weight: (torch.zeros_like(weight), torch.zeros_like(weight)) for weight in twin.parameters()}
    expected = []
    for step, (ids, labels, weights) in enumerate(batches):
        wave = (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))) / 2
        rate = peak * (step / warmup if step < warmup else least + (1 - least) * wave)
        loss = turn_loss(twin(ids), labels, weights)
        gradients = torch.autograd.grad(loss, list(moments))
        for (weight, (mean, square)), gradient in zip(moments.items(), gradients, strict=True):
            mean.mul_(0.9).add_(0.1 * gradient)
            square.mul_(0.95).add_(0.05 * gradient**2)
            root = (square / (1 - 0.95 ** (step + 1))).sqrt() + 1e-8
            weight.data -= rate * decay * weight.data * (weight.dim() == 2)
            weight.data -= rate * mean / (1 - 0.9 ** (step + 1)) / root
        expected.append(loss.item())
    recipe = student.Recipe(peak_rate=peak, warmup_steps=warmup, min_factor=least, weight_decay=decay)
    model, losses = student.fine_tune(parts, base, batches, recipe)
    assert_close(list(losses), expected)
    for name, weight in twin.named_parameters():
        # Where a gradient is tiny, Adam's quotient makes much of how a sum was rounded.
        assert_close(values_of(model)[name], weight.detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.points(1)
@own_or_reference("chat_loss")
def test_copy_of_the_base(student, reference, parts, build):
    """The base model is as it was after a run that learned something, and a second run goes as the first.

    zh: 训练确有所学，之后基座模型保持原样；再训练一次，结果与第一次相同。
    """
    base, twin, start, batches = small_run(student, build, 4)
    recipe = student.Recipe(peak_rate=0.1, warmup_steps=0)
    runs = []
    for _ in range(2):
        model, losses = student.fine_tune(parts, base, batches, recipe)
        runs.append((list(losses), values_of(model)))
        assert_close(losses[0], turn_loss(twin(batches[0][0]), *batches[0][1:]).item())
        assert_close(values_of(base), start)
        assert all((runs[-1][1][name] - weight).abs().max() > 0.05 for name, weight in start.items())
    assert_close(runs[1], runs[0])


def interview(model, questions, before):
    """Shares of answers that are exact, and that end by themselves; each question comes after one of `before`."""
    prompts = []
    for question, first in zip(questions, before, strict=True):
        earlier = [*asked(first), *first, IM_END, NEWLINE] if first else []
        prompts.append(earlier + asked(question))
    ids = torch.tensor(prompts)
    for _ in range(8):
        ids = torch.cat([ids, model(ids).detach()[:, -1].argmax(-1, keepdim=True)], dim=1)
        if (ids[:, len(prompts[0]) :] == IM_END).any(1).all():
            break
    answers = [row[len(prompts[0]) :] for row in ids.tolist()]
    exact = [answer[:3] == [*question, IM_END] for answer, question in zip(answers, questions, strict=True)]
    return sum(exact) / len(exact), sum(IM_END in answer for answer in answers) / len(answers)


@pytest.mark.points(3)
@own_or_reference("chat_loss")
def test_answers_and_stops(student, reference, parts, weights):
    """After 60 steps, 90 % of the held-out questions are answered exactly, asked first or second; 95 % of answers end.

    zh: 60 步之后，留出的提问不论先问还是后问，90% 以上回答得一字不差，95% 以上的回答会自己结束。
    """
    batches, trained, held_out = lessons(0)
    base = base_model(parts, weights)
    # A mistake that shows in a few steps ends the test here.
    before = turn_loss(base(batches[0][0]).detach(), *batches[0][1:]).item()
    _, losses = student.fine_tune(parts, base, batches[:5], student.Recipe(warmup_steps=0))
    assert before > 3.0, "the base model can't do it yet"
    assert_close(losses[0], before)
    assert losses[-1] < before - 0.7, "five steps have taught it nothing"
    model, losses = student.fine_tune(parts, base, batches, student.Recipe())
    first, second = interview(model, held_out, [None] * 44), interview(model, held_out, trained[:44])
    tell_reached(
        f"exact answers to held-out questions {first[0]:.0%} (asked second {second[0]:.0%}), "
        f"ended by itself {min(first[1], second[1]):.0%}",
        f"留出提问回答正确 {first[0]:.0%}（作为第二问 {second[0]:.0%}），自己结束 {min(first[1], second[1]):.0%}",
    )
    assert len(losses) == NUM_STEPS, "one update for each batch"
    assert min(first[0], second[0]) >= 0.9
    assert min(first[1], second[1]) >= 0.95
