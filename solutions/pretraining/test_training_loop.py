"""Hidden tests of pretraining/training_loop."""

import math
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autograder.testing import assert_close, load_by_name

V, C = 11, 5
SHAPES = {"0.weight": (V, C), "2.weight": (V, C), "2.bias": (V,)}


def language_model(build, dropout=0.0, scale=0.5):
    """A model on the student's side and its twin here, with the same random weights."""
    twin = nn.Sequential(nn.Embedding(V, C), nn.Dropout(dropout), nn.Linear(C, V)).double()
    parts = [
        build("torch.nn.Embedding", V, C, dtype=torch.float64),
        build("torch.nn.Dropout", dropout),
        build("torch.nn.Linear", C, V, dtype=torch.float64),
    ]
    model = build("torch.nn.Sequential", *parts)
    for module in (model, twin):
        load_by_name(module, SHAPES, scale=scale, dtype=torch.float64)
    return model, twin, parts


def state(model):
    """The weights, which later steps don't reach."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def uneven_batches(seed=0):
    """Three batches of 20, 3 and 2 tokens that count, of which no two have one shape."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for shape, counted in (((4, 7), 20), ((3, 2), 3), ((1, 5), 2)):
        inputs, targets = (torch.randint(V, shape, generator=generator) for _ in range(2))
        keep = torch.randperm(targets.numel(), generator=generator)[:counted]
        masked = torch.full_like(targets, -100).flatten()
        masked[keep] = targets.flatten()[keep]
        batches.append((inputs, masked.view(shape)))
    assert len({targets.shape for _, targets in batches}) == 3
    return batches


def nothing_counts():
    """A batch in which no token counts."""
    return torch.tensor([[3, 8], [1, 0]]), torch.full((2, 2), -100)


def whole_loss(twin, batches):
    """The mean over all tokens that count, as if they had come in one batch."""
    logits = torch.cat([twin(inputs).flatten(0, 1) for inputs, _ in batches])
    return F.cross_entropy(logits, torch.cat([targets.flatten() for _, targets in batches]))


def whole_step(twin, optimizer, batches, learning_rate, max_norm):
    """The same step in one batch, with PyTorch's own clipping."""
    loss = whole_loss(twin, batches)
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(twin.parameters(), max_norm)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
    optimizer.step()
    return loss.item(), norm.item()


def corpus(lengths, eos, seed=0):
    """Documents of these lengths, each with its end, one after another."""
    generator = torch.Generator().manual_seed(seed)
    documents = [
        [*torch.randint(1, 9, (length - 1,), generator=generator).tolist(), eos] for length in lengths
    ]
    return documents, torch.tensor([token for document in documents for token in document])


@pytest.mark.points(1)
@pytest.mark.parametrize(("N", "T", "B"), [(31, 5, 4), (13, 7, 1), (17, 1, 6), (9, 8, 2)])
def test_batches(student, unchanged, N, T, B):
    """Each row holds the T tokens from its start on, and as targets the tokens one later, in the order of the starts.

    zh: 每一行是从起点开始的 T 个词元，目标是往后错一位的词元；各行按起点的次序排列。
    """
    generator = torch.Generator().manual_seed(N)
    tokens = torch.randint(100, 1000, (N,), generator=generator)
    starts = torch.randint(N - T, (B,), generator=generator)
    inputs, targets = student.get_batch(tokens, starts, T)
    rows = [tokens[s : s + T + 1].tolist() for s in starts.tolist()]
    assert_close(inputs, torch.tensor([row[:-1] for row in rows]))
    assert_close(targets, torch.tensor([row[1:] for row in rows]))
    assert unchanged(student.get_batch, tokens, starts, T), "tokens and starts are as they were"


@pytest.mark.points(1)
@pytest.mark.parametrize("T", [4, 1])
def test_last_start(student, T):
    """The last start, N - T - 1, is used; one beyond it, and one below 0, is a ValueError.

    zh: 最后一个起点 N - T - 1 可以用；再往后一个，或小于 0，都要抛出 ValueError。
    """
    tokens = torch.tensor([3, 8, 1, 6, 9, 2, 7])
    last = len(tokens) - T - 1
    inputs, targets = student.get_batch(tokens, torch.tensor([0, last]), T)
    assert_close(inputs[1], tokens[last:-1])
    assert_close(targets[1], tokens[last + 1 :])
    for bad in ([0, last + 1], [-1, last], [-len(tokens)], [len(tokens) + 5]):
        with pytest.raises(ValueError):
            student.get_batch(tokens, torch.tensor(bad), T)


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("lengths", "T", "eos"),
    [((9, 4, 2, 7, 5), 3, 9), ((3, 6), 7, 0), ((5, 2, 4), 1, 9), ((6, 11, 1, 6), 5, 12)],
)
def test_blocks(student, unchanged, lengths, T, eos):
    """Each row lies in one document, and every token but a document's first is a target exactly once, in order.

    zh: 每一行都在一篇文档之内；除每篇的第一个外，每个词元恰好当一次目标，次序不变。
    """
    documents, tokens = corpus(lengths, eos)
    rows = []
    for document in documents:
        pairs = list(pairwise(document))
        for row in (pairs[place : place + T] for place in range(0, len(pairs), T)):
            rows.append(row + [(eos, -100)] * (T - len(row)))
    inputs, targets = student.document_blocks(tokens, eos, T)
    expected = torch.tensor(rows)
    assert_close(inputs, expected[..., 0])
    assert_close(targets, expected[..., 1])
    assert unchanged(student.document_blocks, tokens, eos, T), "the tokens are as they were"


@pytest.mark.points(1)
def test_document_ends(student):
    """Every document's end is a target that counts, and a last document without an end keeps all its tokens.

    zh: 每篇文档的结尾都是计入的目标；最后一篇即使没有结尾，词元也一个不少。
    """
    documents, tokens = corpus((4, 1, 3, 6), 20)
    _, targets = student.document_blocks(tokens, 20, 4)
    counted = targets[targets != -100].tolist()
    assert counted == [token for document in documents for token in document[1:]]
    assert counted.count(20) == 3
    for cut in (1, 2, 3, 5):  # 5: of the last document its first token is left
        _, targets = student.document_blocks(tokens[:-cut], 20, 4)
        assert (targets != -100).any(dim=-1).all(), "a row without a prediction"
        assert targets[targets != -100].tolist() == counted[:-cut]


@pytest.mark.points(1.5)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1,)])
def test_tokens_weigh_alike(student, build, order):
    """Every token that counts weighs the same in loss and gradient, however many its micro-batch holds.

    zh: 每个计入的词元在损失和梯度里权重相同，与它所在的微批次有多少词元无关。
    """
    model, twin, _ = language_model(build)
    batches = [uneven_batches()[i] for i in order]
    optimizer = build("torch.optim.SGD", model.parameters(), lr=0.5)
    expected = whole_step(twin, torch.optim.SGD(twin.parameters(), lr=0.5), batches, 0.5, math.inf)
    if len(order) > 1:
        means = [whole_loss(twin, [batch]).item() for batch in batches]
        assert abs(sum(means) / len(means) - expected[0]) > 0.01
        batches.insert(1, nothing_counts())
    loss, _ = student.train_step(model, optimizer, batches, 0.5, math.inf)
    assert_close(loss, expected[0])
    assert_close(state(model), twin.state_dict())


@pytest.mark.points(1.5)
@pytest.mark.parametrize(
    ("scale", "max_norm", "frozen"),
    [(0.5, 0.1, False), (0.5, 50.0, False), (1.5, 0.7, False), (0.5, 1e-5, False), (0.5, 0.1, True)],
)
def test_clips_once(student, build, scale, max_norm, frozen):
    """The accumulated gradient of all parameters together is clipped once; the norm returned is that before clipping.

    zh: 累积完之后，把全部参数的梯度合在一起裁剪一次；返回的是裁剪前的范数。
    """
    model, twin, parts = language_model(build, scale=scale)
    if frozen:  # no gradient, so no part in the norm
        parts[0].requires_grad_(False)
        twin[0].requires_grad_(False)
    batches = uneven_batches(3)
    optimizer = build("torch.optim.SGD", model.parameters(), lr=1.0)
    expected = whole_step(twin, torch.optim.SGD(twin.parameters(), lr=1.0), batches, 1.0, max_norm)
    before = state(model)
    _, norm = student.train_step(model, optimizer, batches, 1.0, max_norm)
    moved, wanted = (
        {name: after[name] - before[name] for name in SHAPES} for after in (state(model), twin.state_dict())
    )
    assert_close(norm, expected[1])
    assert_close(moved, wanted, rtol=1e-6, atol=1e-12)


@pytest.mark.points(1)
def test_rate(student, build):
    """The rate is this step's own: set before the step, and in every group.

    zh: 学习率是这一步自己的：在更新之前设好，而且每个参数组都设。
    """
    model, twin, parts = language_model(build)
    optimizer = build(
        "torch.optim.SGD",
        [
            {"params": parts[0].parameters(), "lr": 0.7},
            {"params": parts[2].parameters(), "lr": 0.3, "weight_decay": 0.1},
        ],
    )
    groups = [
        {"params": twin[0].parameters(), "lr": 0.7},
        {"params": twin[2].parameters(), "lr": 0.3, "weight_decay": 0.1},
    ]
    plain = torch.optim.SGD(groups)
    for learning_rate in (0.05, 0.2):
        batches = uneven_batches(5)[:1]
        expected = whole_step(twin, plain, batches, learning_rate, math.inf)
        assert_close(student.train_step(model, optimizer, batches, learning_rate, math.inf), expected)
        assert_close(state(model), twin.state_dict())


@pytest.mark.points(1.5)
def test_steps_in_a_row(student, build):
    """Steps in a row are those of a plain loop: gradients don't pile up, the mode stays, and two runs agree bit for bit.

    zh: 连续多步与朴素的循环一致：前一步的梯度不会混进后一步，也不改模型的模式，两次训练逐位相同。
    """
    runs = []
    for _ in range(2):
        model, twin, _ = language_model(build, dropout=0.5)
        model.eval()  # and so it stays
        twin.eval()
        optimizer = build("torch.optim.AdamW", model.parameters(), lr=1.0, weight_decay=0.1, foreach=False)
        plain = torch.optim.AdamW(twin.parameters(), lr=1.0, weight_decay=0.1, foreach=False)
        losses = []
        for step, learning_rate in enumerate((0.1, 0.03, 0.07)):
            batches = uneven_batches(step)
            expected = whole_step(twin, plain, batches, learning_rate, 0.8)
            found = student.train_step(model, optimizer, batches, learning_rate, 0.8)
            assert_close(found, expected)
            losses.append(found)
        assert_close(state(model), twin.state_dict())
        runs.append((losses, state(model)))
    assert runs[0][0] == runs[1][0]
    model.train()
    student.train_step(model, optimizer, uneven_batches(3), 0.1, 0.8)
    assert model.training is True, "the model was in training mode, and stays so"
    assert all(torch.equal(runs[0][1][name], runs[1][1][name]) for name in SHAPES)


@pytest.mark.points(1)
def test_one_graph_at_a_time(student, build):
    """Each micro-batch goes backward before the next goes forward, so that one graph is in memory at a time.

    zh: 每个微批次反向传播之后，下一个才前向，内存里同时只有一张计算图。
    """
    model, twin, parts = language_model(build)
    optimizer = build("torch.optim.SGD", model.parameters(), lr=0.5)
    events = []
    parts[2].register_forward_hook(lambda module, inputs, output: events.append("forward"))
    parts[2].register_full_backward_hook(lambda module, grad_input, grad_output: events.append("backward"))
    batches = uneven_batches(1)
    found = student.train_step(model, optimizer, batches, 0.5, math.inf)
    assert events == ["forward", "backward"] * len(batches)
    assert_close(found, whole_step(twin, torch.optim.SGD(twin.parameters(), lr=0.5), batches, 0.5, math.inf))
    assert_close(state(model), twin.state_dict())


@pytest.mark.points(1.5)
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1,)])
def test_evaluation_weighs_tokens(student, build, order):
    """The loss is the mean over all tokens that count, also where the last batch is short.

    zh: 损失是所有计入词元的平均，最后一批不满时也是如此。
    """
    model, twin, _ = language_model(build, scale=1.0)
    batches = [uneven_batches(7)[i] for i in order]
    expected = whole_loss(twin, batches).item()
    assert_close(student.evaluate(model, batches), expected)
    assert_close(student.evaluate(model, [*batches, nothing_counts()]), expected)


@pytest.mark.points(2)
@pytest.mark.parametrize("training", [True, False])
def test_evaluation_mode(student, build, training):
    """While it is evaluated the model is in evaluation mode and builds no graph; afterwards it is as it was before.

    zh: 评估期间模型处于评估模式，不建计算图；之后模型的一切都恢复原样。
    """
    model, twin, parts = language_model(build, dropout=0.5, scale=1.5)
    model.train(training)
    parts[2].requires_grad_(False)
    batches, before, graphs = uneven_batches(9), state(model), []
    parts[2].register_forward_hook(lambda module, inputs, output: graphs.append(output.requires_grad))
    assert_close(student.evaluate(model, batches), whole_loss(twin.eval(), batches).item())
    assert [module.training for module in (model, *parts)] == [training] * 4
    assert graphs == [False] * len(batches), "no graph is built"
    assert_close(state(model), before)
    assert [parameter.requires_grad for parameter in model.parameters()] == [True, False, False]
    model(batches[0][0])
    assert graphs[-1] is True, "graphs are built again afterwards"
