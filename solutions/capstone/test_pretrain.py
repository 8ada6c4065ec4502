"""Hidden tests of capstone/pretrain."""

import functools
import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.testing import (
    assert_close,
    check_refusal,
    load_by_name,
    markov_source,
    tell_reached,
    tiny_gpt_config,
)

V, NUM_HELD_OUT = 6, 8_000
SOURCE = markov_source(2, 50)  # entropy rate 0.76, first-order 1.49, unigram 1.78, ln V 1.79 nat
WITHIN = 0.25  # nat above the entropy rate; over fourteen seeds the reference ends 0.09 to 0.17 above


def make_recipe(student, sizes=None, **changes):
    """The student's recipe with the sizes of a tiny GPT, no two of them equal."""
    sizes = tiny_gpt_config() if sizes is None else sizes
    names = {"context_length": "block_size", "num_layers": "num_layers"}
    names |= {"num_heads": "num_heads", "d_model": "d_model"}
    return student.Recipe(**{name: sizes[size] for name, size in names.items()} | changes)


def assert_rates(rates):
    """They rise for four steps and fall from then on: what stands beside the model isn't made up."""
    assert rates[:4] == sorted(rates[:4]) and rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[0] < rates[3] and rates[4] > rates[-1]


def gpt(parts, **sizes):
    """A GPT of the parts' own, with the weights that it is born with."""
    return parts.gpt.GPT(parts.gpt.GPTConfig(**sizes))


def fill(model, scale=0.5):
    """Random weights for a GPT; their values by name. A tied head may have a second name for the same tensor."""
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    lenient = SimpleNamespace(load_state_dict=lambda weights: model.load_state_dict(weights, strict=False))
    return load_by_name(lenient, shapes, scale=scale)


def weights_of(model):
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def loss_of(model, batches):
    """The mean cross-entropy of all predictions, computed here from the model's logits."""
    total, counted = 0.0, 0
    for inputs, targets in batches:
        logits = model(inputs).detach().flatten(0, 1)
        total += F.cross_entropy(logits, targets.flatten(), reduction="sum").item()
        counted += targets.numel()
    return total / counted


def rows_of(tokens, T):
    """Batches in which each token but the first is predicted once."""
    pairs = list(zip(tokens[:-1].split(T), tokens[1:].split(T), strict=True))
    full = [pair for pair in pairs if len(pair[0]) == T]
    rest = [(left[None], right[None]) for left, right in pairs[len(full) :]]
    return [tuple(map(torch.stack, zip(*full, strict=True))), *rest]


@pytest.mark.points(1)
def test_model(student, parts):
    """The model has the sizes of the recipe and reads `context_length` tokens, no more; the rates rise, then fall.

    zh: 模型的尺寸与配方一致，最多读 `context_length` 个词元；学习率先升后降。
    """
    sizes = tiny_gpt_config()
    recipe = make_recipe(student, num_steps=9, warmup_steps=4)
    model, _, rates = student.set_up(parts, sizes["vocab_size"], recipe)
    assert_rates(rates)
    T = sizes["block_size"]
    ids = torch.randint(sizes["vocab_size"], (2, T), generator=torch.Generator().manual_seed(0))
    check_refusal(model, (ids,), (torch.zeros(1, T + 1, dtype=torch.int64),), ValueError)
    twin = gpt(parts, **sizes)
    fill(twin)
    model.load_state_dict(weights_of(twin))
    assert_close(model(ids).detach(), twin(ids).detach())


@pytest.mark.points(1)
def test_optimizer(student, parts):
    """Parameters of two or more axes decay, the others don't, all are trained; the rates rise, then fall.

    zh: 有两个或更多轴的参数衰减，其余不衰减，所有参数都在训练；学习率先升后降。
    """
    sizes = tiny_gpt_config()
    V, T = sizes["vocab_size"], sizes["block_size"]
    recipe = make_recipe(student, weight_decay=0.3, num_steps=9, warmup_steps=4)
    model, optimizer, rates = student.set_up(parts, V, recipe)
    assert_rates(rates)
    before = fill(model)
    ids = torch.randint(V, (3, T + 1), generator=torch.Generator().manual_seed(1))
    batch = ids[:, :-1], ids[:, 1:]
    # Clipped to next to nothing, the gradients move nothing: the decay alone is seen.
    parts.training_loop.train_step(model, optimizer, [batch], 0.5, 1e-30)
    decayed = weights_of(model)
    for name, weight in before.items():
        assert_close(decayed[name], weight * (1 - 0.5 * 0.3 * (weight.dim() >= 2)))
    parts.training_loop.train_step(model, optimizer, [batch], 0.5, 1.0)
    moved = weights_of(model)
    for name, weight in before.items():
        factor = 1 - 0.5 * 0.3 * (weight.dim() >= 2)
        assert (moved[name] - decayed[name] * factor).abs().max() > 1e-3, "a parameter isn't trained"


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("peak", "warmup", "total", "least"), [(0.03, 3, 10, 0.2), (0.5, 0, 7, 0.0), (2.0, 1, 3, 0.5)]
)
def test_rates(student, parts, peak, warmup, total, least):
    """The rate of a step is the peak rate times the cosine schedule's factor of that step, counted from 0.

    zh: 某一步的学习率等于峰值学习率乘以余弦调度在该步的系数，步数从 0 数起。
    """
    recipe = make_recipe(
        student, peak_rate=peak, warmup_steps=warmup, num_steps=total, min_factor=least, weight_decay=0.0
    )
    _, _, rates = student.set_up(parts, V, recipe)
    expected = []
    for step in range(total):
        wave = (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2
        expected.append(peak * (step / warmup if step < warmup else least + (1 - least) * wave))
    assert_close(rates, expected)


@pytest.mark.points(1)
@pytest.mark.parametrize(("N", "n"), [(37, 10), (11, 9), (23, 2)])
def test_training_tokens(student, N, n):
    """Every token before the held-out ones is for training, and no other.

    zh: 留出部分之前的词元全部用于训练，别的一个也没有。
    """
    stream = torch.randint(100, 1000, (N,), generator=torch.Generator().manual_seed(N))
    train, _ = student.split(stream, n, 4)
    assert_close(train, stream[: N - n])


@pytest.mark.points(1)
@pytest.mark.parametrize(("N", "n", "T"), [(40, 22, 5), (30, 13, 4), (20, 5, 8), (25, 11, 1), (9, 2, 3)])
def test_every_prediction_once(student, unchanged, N, n, T):
    """Each held-out token but the first is predicted once, in order, in rows of T; the last may be shorter, not empty.

    zh: 除第一个外，每个留出的词元按顺序恰好被预测一次，每行 T 次；最后一行可以短，但不能是空的。
    """
    stream = torch.randint(100, 1000, (N,), generator=torch.Generator().manual_seed(N))
    _, batches = student.split(stream, n, T)
    for inputs, targets in batches:
        assert inputs.shape == targets.shape and inputs.dim() == 2, "a batch is two tensors [B, T]"
        assert inputs.numel() > 0, "no batch is empty"
    rows = [row for batch in batches for row in zip(*batch, strict=True)]
    held_out = stream[N - n :]
    assert_close(torch.cat([inputs for inputs, _ in rows]), held_out[:-1])
    assert_close(torch.cat([targets for _, targets in rows]), held_out[1:])
    lengths = [len(inputs) for inputs, _ in rows]
    assert lengths == [len(piece) for piece in held_out[:-1].split(T)], "rows of T predictions"
    assert unchanged(student.split, stream, n, T), "the stream is as it was"


def small_run(student, build, steps, rates, max_norm, eval_every=2):
    """Everything for a run of a table of logits with plain gradient descent, and the same model here."""
    generator = torch.Generator().manual_seed(steps)
    T, train = 4, torch.randint(V, (31,), generator=generator)
    starts = torch.randint(len(train) - T, (steps, 3), generator=generator)
    assert len(starts.unique(dim=0)) == steps
    twin = nn.Embedding(V, V).double()
    model = build("torch.nn.Embedding", V, V, dtype=torch.float64)
    model.load_state_dict(load_by_name(twin, {"weight": (V, V)}, dtype=torch.float64))
    optimizer = build("torch.optim.SGD", model.parameters(), lr=1.0)
    held_out = rows_of(torch.randint(V, (15,), generator=generator), T)
    assert [len(inputs) for inputs, _ in held_out] == [3, 1]
    recipe = student.Recipe(
        context_length=T, num_steps=steps, peak_rate=0.9, max_norm=max_norm, eval_every=eval_every
    )
    return (model, optimizer, rates, train, held_out, starts, recipe), twin


def follow(twin, rates, train, starts, max_norm, T=4):
    """The same run here: before each update the loss and the gradient's norm; the model is changed."""
    optimizer = torch.optim.SGD(twin.parameters(), lr=1.0)
    for rate, row in zip(rates, starts, strict=True):
        windows = torch.stack([train[s : s + T + 1] for s in row.tolist()])
        loss = F.cross_entropy(twin(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(twin.parameters(), max_norm)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        yield loss.item(), norm.item()


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("rates", "max_norm"), [([2.0] * 5, 1e3), ([0.0, 1.0, 3.0, 2.0, 0.5, 0.1], 1e3), ([8.0] * 4, 0.05)]
)
def test_steps(student, parts, build, rates, max_norm):
    """Step i trains on the rows at `starts[i]`, at `rates[i]`, clipped to `max_norm`, and tells the loss before it.

    zh: 第 i 步用 `starts[i]` 处的各行、学习率 `rates[i]` 训练，梯度裁剪到 `max_norm`，并记下更新之前的损失。
    """
    run, twin = small_run(student, build, len(rates), rates, max_norm)
    losses, _ = student.pretrain(parts, *run)
    expected, norms = zip(*follow(twin, rates, run[3], run[5], max_norm), strict=True)
    assert all((norm > max_norm) == (max_norm < 1) for norm in norms)
    assert_close(losses, list(expected))
    assert_close(run[0].state_dict()["weight"], twin.weight.detach())


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("steps", "eval_every", "at"), [(7, 3, {0, 3, 6, 7}), (4, 2, {0, 2, 4}), (3, 5, {0, 3})]
)
def test_record(student, parts, build, steps, eval_every, at):
    """The record holds the mean loss of all held-out predictions after 0, every `eval_every` and all updates.

    zh: 记录里是所有留出预测的平均损失：更新 0 次时、每 `eval_every` 次更新之后、全部更新之后。
    """
    rates = [1.5] * steps
    run, twin = small_run(student, build, steps, rates, 1e3, eval_every)
    _, record = student.pretrain(parts, *run)
    expected = {0: loss_of(twin, run[4])}
    for done, _ in enumerate(follow(twin, rates, run[3], run[5], 1e3), start=1):
        if done in at:
            expected[done] = loss_of(twin, run[4])
    assert_close(record, expected)


@pytest.mark.points(1)
def test_alike(student, parts, build):
    """A run learns, and measuring leaves no trace: not in the weights, and the model stays in training mode.

    zh: 训练确有所学，而测量不留痕迹：权重不因测量而变，模型也始终处于训练模式。
    """
    ends = []
    for measured in (torch.tensor([5, 0, 3, 1, 4]), torch.tensor([2, 2, 0, 2, 1])):
        run, _ = small_run(student, build, 6, [1.5] * 6, 1e3)
        model, *others, _, starts, recipe = run
        losses, _ = student.pretrain(parts, model, *others, rows_of(measured, 4), starts, recipe)
        assert bool(model.training), "the model stays in training mode"
        ends.append((losses, model.state_dict()["weight"]))
    assert min(ends[0][0]) < ends[0][0][0] - 0.1
    assert_close(ends[1], ends[0])


def tell_a_sample(parts, model, prompt, T):
    """Show a text that the trained model writes, by the parts' own sampler."""
    ids = prompt[None]
    for draw in torch.rand(24, 1, generator=torch.Generator().manual_seed(0)):
        probabilities = parts.sampling.next_token_probabilities(model(ids[:, -T:]).detach()[:, -1], ids)
        token = parts.sampling.sample(probabilities, draw)
        assert isinstance(token, Tensor) and token.shape == (1,), "the sampler gives one token for each row"
        ids = torch.cat([ids, token[:, None]], dim=1)
    text = "".join("abcdef"[int(token) % V] for token in ids[0])
    tell_reached(f"it writes {text}", f"它写出 {text}")


@functools.cache
def long_stream():
    """The tokens of the long run."""
    return SOURCE.sample(40_000 + NUM_HELD_OUT, seed=1)


@pytest.mark.points(3)
def test_reaches_the_entropy_rate(student, parts):
    """From about ln V, 150 steps bring the held-out loss within 0.25 nat of the entropy rate, and the record says so.

    zh: 留出损失从约 ln V 出发，150 步之后与熵率相差不到 0.25 nat，记录也如实这样写。
    """
    T, steps, first = 16, 150, 4
    stream = long_stream()
    train, held_out = stream[:-NUM_HELD_OUT], rows_of(stream[-NUM_HELD_OUT:], T)
    starts = torch.randint(len(train) - T, (steps, 24), generator=torch.Generator().manual_seed(2))
    model = gpt(parts, vocab_size=V, block_size=T, num_layers=1, num_heads=2, d_model=32)
    groups = [{"params": model.parameters(), "weight_decay": 0.1}]
    optimizer = parts.optimizer_and_schedule.AdamW(groups, lr=2.5e-2, betas=(0.8, 0.95))
    schedule = parts.optimizer_and_schedule.Schedule(15, steps, 0.1)
    rates = [2.5e-2 * schedule.cosine(step) for step in range(steps)]

    def go_on(begin, end, held_out):
        """Some of the steps: the record, and the loss that the model has then."""
        recipe = student.Recipe(num_steps=end - begin, eval_every=steps)
        arguments = rates[begin:end], train, held_out, starts[begin:end], recipe
        _, record = student.pretrain(parts, model, optimizer, *arguments)
        reached = loss_of(model, held_out)
        assert_close(record[end - begin], reached, rtol=1e-3)
        return record, reached

    # A mistake that shows at the beginning, and on a few rows, ends the test there.
    record, _ = go_on(0, first, [tuple(side[:30] for side in held_out[0]), held_out[1]])
    _, reached = go_on(first, steps, held_out)
    rate, first_order = SOURCE.entropy_rate, SOURCE.entropy(1)
    tell_reached(
        f"held-out loss {reached:.2f} nat (entropy rate {rate:.2f}, first-order {first_order:.2f})",
        f"留出损失 {reached:.2f} nat（熵率 {rate:.2f}，一阶条件熵 {first_order:.2f}）",
    )
    tell_a_sample(parts, model, stream[-8:], T)
    assert_close(record[0], math.log(V), rtol=0.0, atol=0.1)
    assert rate < reached < rate + WITHIN < first_order - 0.4


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("length", "new", "temperature"),
    [(2, 3, 1.0), (3, 2, 0.5), (8, 4, 1.0)],
    ids=["draws", "temperature", "window"],
)
def test_continuation(student, parts, length, new, temperature):
    """New token j is drawn with `draws[:, j]` from the model's probabilities after at most `context_length` tokens.

    zh: 第 j 个新词元用 `draws[:, j]` 从模型的概率里抽取，模型最多读最后 `context_length` 个词元。
    """
    T = 5
    model = gpt(parts, vocab_size=V, block_size=T, num_layers=2, num_heads=2, d_model=8)
    fill(model, scale=0.3)
    generator = torch.Generator().manual_seed(length)
    prompt = torch.randint(V, (3, length), generator=generator)
    draws = torch.rand(3, new, generator=generator)
    ids = prompt
    for draw in draws.T:
        logits = model(ids[:, -T:]).detach()[:, -1].double()
        probabilities = (logits / temperature).softmax(-1)
        cumulative = probabilities.cumsum(-1)
        # No token is certain, and no draw so near to a border that rounding decides.
        assert probabilities.max() < 0.95 and (cumulative - draw[:, None]).abs().min() > 1e-3
        ids = torch.cat([ids, (cumulative <= draw[:, None]).sum(-1, keepdim=True)], dim=1)
    assert_close(student.write(parts, model, prompt, draws, T, temperature), ids)


@pytest.mark.points(1)
@pytest.mark.parametrize("training", [True, False])
def test_mode(student, parts, build, unchanged, training):
    """Dropout is off while the model writes; afterwards the model and the arguments are as they were.

    zh: 写的时候 dropout 关闭；写完之后，模型和参数都与原来一样。
    """
    table = build("torch.nn.Embedding", V, V)
    rows = load_by_name(table, {"weight": (V, V)}, scale=2.0)["weight"].double().softmax(-1)
    model = build("torch.nn.Sequential", table, build("torch.nn.Dropout", 0.7)).train(training)
    prompt = torch.tensor([[4], [1], [5], [0]])
    draws = torch.rand(4, 9, generator=torch.Generator().manual_seed(5))
    ids = prompt
    for draw in draws.T:
        cumulative = rows[ids[:, -1]].cumsum(-1)
        assert (cumulative - draw[:, None]).abs().min() > 1e-4
        ids = torch.cat([ids, (cumulative <= draw[:, None]).sum(-1, keepdim=True)], dim=1)
    assert_close(student.write(parts, model, prompt, draws, 3), ids)
    assert bool(model.training) == training, "the mode is what it was"
    assert unchanged(student.write, parts, model, prompt, draws, 3), "prompt and draws are as they were"
