"""Public tests of capstone/serve: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close


@pytest.mark.points(1)
def test_compress_by_hand(student, parts):
    """A matrix of two rows becomes six codes and two scales; a vector stays.

    zh: 两行的矩阵变成六个编码、两个缩放系数；向量不变。
    """
    weights = {
        "up_proj.weight": torch.tensor([[127.0, -3.0, 0.0], [-2.54, 1.0, 0.5]]),
        "up_proj.bias": torch.ones(2),
    }
    stored, num_bytes = student.compress(parts, weights)
    codes, scales = stored["up_proj.weight"]
    assert_close(codes, torch.tensor([[127, -3, 0], [-127, 50, 25]], dtype=torch.int8))
    assert_close(scales, torch.tensor([[1.0], [0.02]]))
    assert_close(stored["up_proj.bias"], torch.ones(2))
    assert_close(num_bytes, 6 + 2 * 4 + 2 * 4)


def mean_model(build):
    """A stand-in for a model of one layer: a token is the number token + 10 * position, attention takes the mean.

    Its logits are that mean and its double.
    """
    model = build("torch.nn.Module")
    model.num_layers, model.num_heads, model.head_dim = 1, 1, 1

    def project(layer, x):
        values = x[:, :, None]
        return torch.zeros_like(values), torch.zeros_like(values), values

    model.embed = lambda tokens, positions: (tokens + 10 * positions).double()[:, None]
    model.project = project
    model.finish_layer = lambda layer, x, heads: heads.flatten(1)
    model.logits = lambda x: torch.cat([x, 2 * x], dim=1)
    return model


@pytest.mark.points(2)
def test_engine_by_hand(student, parts, build):
    """Two requests of different lengths: each token has its own position, and sees its own request alone.

    zh: 两个长短不同的请求：每个词元有自己的位置，只看得到自己的请求。
    """
    engine = student.Engine(parts, mean_model(build))

    def logits(*values):
        mean = torch.tensor(values).double().mean()
        return torch.stack([mean, 2 * mean])

    assert_close(engine.prefill("cat", [3, 5], 4), logits(3, 15))
    assert_close(engine.prefill("mat", [1, 1, 1], 4), logits(1, 11, 21))
    both = engine.decode(["mat", "cat"], [2, 4])
    assert_close(both, torch.stack([logits(1, 11, 21, 32), logits(3, 15, 24)]))
    engine.release("mat")
    assert_close(engine.decode(["cat"], [7]), logits(3, 15, 24, 37)[None])
    assert list(engine.caches.keys()) == ["cat"]


def counting_engine(build, calls):
    """An engine whose next token is certain: the last one and one more. It writes down what it's asked."""
    engine = build("torch.nn.Module")

    def after(token):
        row = torch.full((9,), -99.0, dtype=torch.float64)
        row[token + 1] = 99.0
        return row

    def prefill(name, prompt, capacity):
        calls.append(f"{name} joins with {capacity} slots")
        return after(prompt[-1])

    def decode(names, tokens):
        calls.append(f"{' and '.join(sorted(names))}: a token more")
        return torch.stack([after(token) for token in tokens])

    engine.prefill, engine.decode = prefill, decode
    engine.release = lambda name: calls.append(f"{name} leaves")
    return engine


@pytest.mark.points(2)
def test_serving_by_hand(student, parts, build):
    """Eight slots are room for two of three requests; the third joins when one has left, and the other goes on.

    zh: 八个槽位放得下三个请求里的两个；有一个离开，第三个就加入，另一个继续。
    """
    calls = []
    draws = torch.full((4,), 0.5, dtype=torch.float64)
    requests = [
        student.Request("a", [0], draws),  # writes 1 2 3 4: its limit
        student.Request("b", [3, 4], draws[:3]),  # writes 5 6: 6 ends an answer
        student.Request("c", [6, 1], draws[:2]),  # writes 2 3: the 6 of its prompt ends nothing
    ]
    done = student.serve(parts, counting_engine(build, calls), requests, 8, 6)
    assert [(list(tokens), int(step)) for tokens, step in done] == [
        ([1, 2, 3, 4], 3),
        ([5, 6], 1),
        ([2, 3], 3),
    ]
    steps = [
        {"a joins with 4 slots", "b joins with 4 slots"},
        {"a and b: a token more", "b leaves"},
        {"c joins with 3 slots", "a: a token more"},
        {"a and c: a token more", "a leaves", "c leaves"},
    ]
    for step in steps:
        now, calls = calls[: len(step)], calls[len(step) :]
        assert set(now) == step, "what happens in a step"
    assert not calls, "nothing happens behind the last step"


@pytest.mark.points(2)
def test_draws_by_hand(student, parts, build):
    """Three fair coins: the k-th token of a request is drawn with its own k-th draw, whenever it came.

    zh: 三枚均匀的硬币：一个请求的第 k 个词元用它自己的第 k 个随机数抽取，不管它什么时候来。
    """
    engine = build("torch.nn.Module")
    engine.prefill = lambda name, prompt, capacity: torch.zeros(2, dtype=torch.float64)
    engine.decode = lambda names, tokens: torch.zeros(len(names), 2, dtype=torch.float64)
    engine.release = lambda name: None
    # A draw below 1/2 gives token 0. Token 2, the end, doesn't exist here.
    asked = {"a": ([0.9, 0.1, 0.7, 0.2], 0), "b": ([0.3, 0.4, 0.8], 1), "c": ([0.1, 0.6, 0.6], 2)}
    requests = [
        student.Request(name, [1], torch.tensor(draws, dtype=torch.float64), arrival)
        for name, (draws, arrival) in asked.items()
    ]
    done = student.serve(parts, engine, requests, 100, 2)
    assert [list(tokens) for tokens, _ in done] == [[1, 0, 1, 0], [0, 0, 1], [0, 1, 1]]
