"""Hidden tests of capstone/serve."""

import pytest
import torch
import torch.nn.functional as F

from autograder.testing import assert_close, next_token_model, own_or_given, tell_reached

END = 2


def random_weights(V, P, L, C, seed):
    """Weights by the names of models/gpt. Some rows of a matrix are much larger than others."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"token_embedding.weight": (V, C), "position_embedding.weight": (P, C)}
    for i in range(L):
        for name, out, into in (("qkv", 3 * C, C), ("out", C, C), ("up", 4 * C, C), ("down", C, 4 * C)):
            shapes |= {f"blocks.{i}.{name}_proj.weight": (out, into), f"blocks.{i}.{name}_proj.bias": (out,)}
        for norm in ("norm_1", "norm_2"):
            shapes |= {f"blocks.{i}.{norm}.weight": (C,), f"blocks.{i}.{norm}.bias": (C,)}
    shapes |= {"final_norm.weight": (C,), "final_norm.bias": (C,)}
    made = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 2:
            spread = torch.rand(shape[0], 1, generator=generator) + 0.2
            made[name] = (
                noise * spread * (0.6 if name.endswith("embedding.weight") else 3.0 / shape[1] ** 0.5)
            )
        else:
            made[name] = 0.2 * noise + ("norm" in name and name.endswith("weight"))
    return made


def in_codes(weights):
    """The stored form, written here: codes and a scale for each row of a matrix."""
    stored = {}
    for name, weight in weights.items():
        if weight.dim() == 2:
            scales = weight.abs().amax(1, keepdim=True) / 127
            stored[name] = (torch.round(weight / scales).to(torch.int8), scales)
        else:
            stored[name] = weight
    return stored


def plain_logits(stored, H, ids):
    """Logits after the last of these tokens: everything computed anew, in float64, from the same codes."""
    w = {
        name: kept[0].double() * kept[1].double() if isinstance(kept, tuple) else kept.double()
        for name, kept in stored.items()
    }

    def linear(name, x):
        return F.linear(x, w[name + ".weight"], w[name + ".bias"])

    def norm(name, x):
        return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"])

    x = w["token_embedding.weight"][ids] + w["position_embedding.weight"][: len(ids)]
    for i in range(sum(name.endswith("qkv_proj.weight") for name in w)):
        block = f"blocks.{i}."
        q, k, v = linear(block + "qkv_proj", norm(block + "norm_1", x)).chunk(3, dim=1)
        q, k, v = (each.unflatten(1, (H, -1)).transpose(0, 1) for each in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).flatten(1)
        x = x + linear(block + "out_proj", mixed)
        hidden = F.gelu(linear(block + "up_proj", norm(block + "norm_2", x)), approximate="tanh")
        x = x + linear(block + "down_proj", hidden)
    return norm("final_norm", x)[-1] @ w["token_embedding.weight"].T


@pytest.mark.points(2)
@pytest.mark.parametrize(("V", "P", "L", "C"), [(11, 9, 1, 6), (7, 5, 2, 4)])
def test_codes_by_row(student, parts, V, P, L, C):
    """Every matrix is stored as int8 codes with one float32 scale a row, every vector as it is.

    zh: 每个矩阵都存成 int8 编码，每行一个 float32 缩放系数；每个向量保持原样。
    """
    weights = random_weights(V, P, L, C, seed=C)
    stored, _ = student.compress(parts, weights)
    assert stored.keys() == weights.keys()
    for name, expected in in_codes(weights).items():
        if isinstance(expected, tuple):
            assert not isinstance(stored[name], torch.Tensor), f"{name} is stored as codes and scales"
            codes, scales = stored[name]
            assert_close((codes, scales), expected)
            off = (weights[name] - codes * scales).abs()
            assert (off <= scales / 2 * (1 + 1e-5)).all(), "a weight is off by more than half a step"
        else:
            assert_close(stored[name], expected)


@pytest.mark.points(1)
@pytest.mark.parametrize(("V", "P", "L", "C"), [(19, 40, 2, 48), (5, 3, 1, 2)])
def test_count_of_bytes(student, parts, V, P, L, C):
    """The bytes are those of all codes, all scales and all vectors.

    zh: 字节数包括全部编码、全部缩放系数和全部向量。
    """
    weights = random_weights(V, P, L, C, seed=2)
    expected = sum(w.numel() + 4 * len(w) if w.dim() == 2 else 4 * len(w) for w in weights.values())
    full = sum(4 * w.numel() for w in weights.values())
    assert C < 48 or 0.27 < expected / full < 0.3
    _, counted = student.compress(parts, weights)
    assert_close(counted, expected)


SIZES = [(13, 24, 2, 3, 12), (9, 17, 3, 1, 5), (6, 20, 1, 2, 4)]  # V, P, L, H, C


def engine_and_model(student, parts, V, P, L, H, C, seed=0):
    """The student's engine over codes that were made here; those codes; the sizes of each call of three methods."""
    stored = in_codes(random_weights(V, P, L, C, seed))
    model, sizes = student.Model(H, stored), {"embed": [], "project": [], "finish_layer": []}
    embed, project, finish_layer = model.embed, model.project, model.finish_layer

    def counted_embed(tokens, positions):
        sizes["embed"].append(len(tokens))
        return embed(tokens, positions)

    def counted_project(layer, x):
        sizes["project"].append(len(x))
        return project(layer, x)

    def counted_finish(layer, x, heads):
        sizes["finish_layer"].append(len(x))
        return finish_layer(layer, x, heads)

    model.embed, model.project, model.finish_layer = counted_embed, counted_project, counted_finish
    return student.Engine(parts, model), stored, sizes


def some_tokens(V, n, seed):
    return torch.randint(V, (n,), generator=torch.Generator().manual_seed(100 * seed + n)).tolist()


@pytest.mark.points(2)
@pytest.mark.parametrize("sizes", SIZES)
def test_after_the_prompt(student, parts, sizes):
    """The logits of a prefill are those of the plain model after the whole prompt.

    zh: 预填充给出的 logits，等于普通模型读完整个提示词之后的 logits。
    """
    engine, stored, _ = engine_and_model(student, parts, *sizes)
    for n in (5, 1, 9):
        prompt = some_tokens(sizes[0], n, seed=1)
        expected = plain_logits(stored, sizes[3], prompt)
        assert_close(engine.prefill(f"request {n}", prompt, n + n % 4), expected)


@pytest.mark.points(3)
@pytest.mark.parametrize("sizes", SIZES)
def test_next_to_others(student, parts, sizes):
    """A row's logits are those of the plain model after its own text, whoever runs beside it, comes or goes.

    zh: 一行的 logits 等于普通模型读完它自己那段文本之后的 logits，不管旁边有谁、谁来谁走。
    """
    engine, stored, _ = engine_and_model(student, parts, *sizes)
    V, H = sizes[0], sizes[3]
    texts = {name: some_tokens(V, n, seed=n) for name, n in (("long", 9), ("short", 2), ("late", 1))}

    def join(name):
        # The prompt alone has been tested elsewhere.
        engine.prefill(name, texts[name], len(texts[name]) + 5)

    def step(*names):
        tokens = some_tokens(V, len(names), seed=sum(map(len, texts.values())))
        logits = engine.decode(list(names), tokens)
        for name, token in zip(names, tokens, strict=True):
            texts[name].append(token)
        assert_close(logits, torch.stack([plain_logits(stored, H, texts[name]) for name in names]))

    join("long")
    join("short")
    step("long", "short")
    step("short", "long")
    join("late")
    step("late", "short", "long")
    step("short")  # the others wait
    engine.release("long")
    step("short", "late")
    texts["long"] = some_tokens(V, 3, seed=7)  # another request of this name
    join("long")
    step("late", "long")


@pytest.mark.points(1)
@pytest.mark.parametrize("sizes", SIZES)
def test_each_token_runs_once(student, parts, sizes):
    """A prefill runs its prompt through the model once, a decode one token of each request, all in one call.

    zh: 预填充让提示词通过模型一次；解码让每个请求的一个词元通过模型，所有请求一次调用。
    """
    engine, stored, counted = engine_and_model(student, parts, *sizes)
    layers = sizes[2]
    engine.prefill("a", some_tokens(sizes[0], 5, seed=2), 8)
    engine.prefill("b", some_tokens(sizes[0], 2, seed=2), 4)
    engine.decode(["b", "a"], [1, 3])
    engine.decode(["a"], [4])
    assert_close(engine.prefill("c", [2], 1), plain_logits(stored, sizes[3], [2]))
    runs = [5, 2, 2, 1, 1]
    assert counted["embed"] == runs, "tokens in each call of embed"
    for method in ("project", "finish_layer"):
        expected = [n for n in runs for _ in range(layers)]
        assert counted[method] == expected, f"tokens in each call of {method}"


@pytest.mark.points(1)
def test_room_taken_and_given_back(student, parts):
    """Each request has a cache a layer, with room for its capacity and no more, until it is released.

    zh: 每个请求每层有一个缓存，容量恰好是它的 `capacity`，释放之后就没有了。
    """
    V, P, L, H, C = SIZES[0]
    engine, stored, _ = engine_and_model(student, parts, V, P, L, H, C)

    def check(**expected):
        assert set(engine.caches.keys()) == set(expected)
        for name, (length, capacity) in expected.items():
            caches = list(engine.caches[name])
            assert len(caches) == L, "a cache for each layer"
            for cache in caches:
                assert int(cache.length) == length
                assert tuple(cache.keys.shape) == tuple(cache.values.shape) == (1, H, capacity, C // H)

    engine.prefill("a", some_tokens(V, 5, seed=3), 7)
    engine.prefill("b", some_tokens(V, 2, seed=3), 2)
    check(a=(5, 7), b=(2, 2))
    engine.release("b")
    check(a=(5, 7))
    assert_close(engine.prefill("c", [3], 4), plain_logits(stored, H, [3]))
    engine.decode(["c", "a"], [0, 1])
    check(a=(6, 7), c=(2, 4))
    engine.release("a")
    engine.release("c")
    check()


# Name, tokens of the prompt, limit of the answer, the token that ends it (None: the limit does), arrival.
PLANS = {
    "room for some": (
        [
            ("e", 2, 5, None, 2),
            ("a", 3, 4, 2, 0),
            ("b", 1, 6, None, 0),
            ("c", 6, 4, 1, 1),
            ("d", 1, 1, None, 1),
            ("f", 2, 2, 1, 2),
        ],
        16,
        [7, 1, 5, 2, 2, 3],
    ),
    "one by one": (
        [("d", 3, 3, None, 0), ("b", 2, 4, 2, 0), ("c", 4, 2, None, 1), ("a", 1, 1, None, 6)],
        6,
        [2, 4, 6, 6],
    ),
    "a head that doesn't fit": (
        [("a", 2, 6, None, 0), ("b", 7, 3, None, 1), ("c", 1, 2, None, 1), ("d", 2, 3, 2, 9)],
        10,
        [5, 8, 10, 10],
    ),
    "a pause": ([("b", 2, 3, 1, 7), ("a", 2, 3, 3, 1)], 20, [7, 3]),
}


class Hall:
    """An engine that keeps each request's text; `logits_of` says what comes after a text. All calls are written down."""

    def __init__(self, build, logits_of):
        self.texts, self.events, self.slots, self.peak = {}, [], {}, 0
        self.logits_of = logits_of
        self.engine = build("torch.nn.Module")
        self.engine.prefill, self.engine.decode, self.engine.release = self.prefill, self.decode, self.release

    def note(self, *event):
        self.events.append(event)
        assert len(self.events) < 300, "the server doesn't come to an end"

    def prefill(self, name, prompt, capacity):
        self.note("prefill", name, list(prompt))
        self.texts[name] = list(prompt)
        self.slots[name] = int(capacity)
        self.peak = max(self.peak, sum(self.slots.values()))
        return self.logits_of(name, self.texts[name])

    def decode(self, names, tokens):
        self.note("decode", sorted(names))
        rows = []
        for name, token in zip(names, tokens, strict=True):
            assert name in self.slots, "a request is decoded before it has joined, or after it was released"
            self.texts[name].append(int(token))
            rows.append(self.logits_of(name, self.texts[name]))
        return torch.stack(rows)

    def release(self, name):
        self.note("release", name)
        assert name in self.slots, "a request is released that isn't in the engine"
        del self.slots[name]


def planned(student, build, plan, seed=0, settings=None):
    """Requests and a hall for a plan; the model ends each answer where the plan says, whatever is drawn before."""
    V = 9
    scorer = next_token_model(vocab=V, seed=seed, scale=1.0)
    generator = torch.Generator().manual_seed(seed + len(plan))
    requests, ends, prompts, draws = [], {}, {}, {}
    for number, (name, length, limit, ends_at, arrival) in enumerate(plan):
        prompts[name] = [*some_tokens(V, length - 1, seed=number), END if number % 2 else number % V]
        draws[name] = torch.rand(limit, generator=generator, dtype=torch.float64)
        ends[name] = ends_at
        own = (settings or [{}])[number % len(settings or [{}])]
        requests.append(student.Request(name, prompts[name], draws[name], arrival, own))

    def logits_of(name, text):
        row = scorer.after(text).double()
        certain = ends[name] is not None and len(text) - len(prompts[name]) + 1 >= ends[name]
        row[END] = 99.0 if certain else -99.0
        return row

    return requests, Hall(build, logits_of), prompts, draws


def check_ends(done, rows):
    """The model's end is certain, or impossible: whatever else is drawn."""
    assert [list(tokens)[-1] == END for tokens, _ in done] == [ends is not None for *_, ends, _ in rows]


@pytest.mark.points(2)
@pytest.mark.parametrize("plan", PLANS)
def test_last_steps(student, parts, build, plan):
    """Requests join in the order of their arrival as soon as their slots fit, and leave with their last token.

    zh: 请求按到达的先后，槽位一放得下就加入；得到最后一个词元的那一步就离开。
    """
    rows, max_slots, steps = PLANS[plan]
    requests, hall, prompts, _ = planned(student, build, rows)
    done = student.serve(parts, hall.engine, requests, max_slots, END)
    assert [list(request.prompt) for request in requests] == list(prompts.values()), (
        "prompts stay as they were"
    )
    assert [len(tokens) for tokens, _ in done] == [ends or limit for _, _, limit, ends, _ in rows]
    assert [int(step) for _, step in done] == steps, "the step of each last token"


@pytest.mark.points(2)
@pytest.mark.parametrize("plan", PLANS)
def test_slots_of_the_running(student, parts, build, plan):
    """A request takes slots for its prompt and its full answer without the last token; `max_slots` is never exceeded.

    zh: 一个请求占用的槽位，是提示词加上写满的回答去掉最后一个词元；任何时候都不超过 `max_slots`。
    """
    rows, max_slots, _ = PLANS[plan]
    requests, hall, _, _ = planned(student, build, rows)
    taken, prefill = {}, hall.engine.prefill

    def noted(name, prompt, capacity):
        taken[name] = int(capacity)
        return prefill(name, prompt, capacity)

    hall.engine.prefill = noted
    check_ends(student.serve(parts, hall.engine, requests, max_slots, END), rows)
    assert taken == {name: length + limit - 1 for name, length, limit, _, _ in rows}
    assert hall.peak <= max_slots
    assert not hall.slots, "all are released in the end"


@pytest.mark.points(2)
@pytest.mark.parametrize("plan", PLANS)
def test_calls_of_the_engine(student, parts, build, plan):
    """Each prompt is read once, each request released once; a step has one decode for all that joined before it.

    zh: 每个提示词只读一次，每个请求只释放一次；每一步只有一次解码，把此前加入的请求全部包括在内。
    """
    rows, max_slots, steps = PLANS[plan]
    requests, hall, prompts, _ = planned(student, build, rows)
    check_ends(student.serve(parts, hall.engine, requests, max_slots, END), rows)

    def of(kind):
        return [event[1:] for event in hall.events if event[0] == kind]

    assert sorted(of("prefill")) == sorted(prompts.items()), "one prefill of each prompt"
    assert sorted(of("release")) == sorted((name,) for name in prompts), "one release of each request"
    spans = {
        name: range(step - (ends or limit) + 1, step + 1)
        for (name, _, limit, ends, _), step in zip(rows, steps, strict=True)
    }
    expected = []
    for step in range(max(steps) + 1):
        together = sorted(name for name, span in spans.items() if step in span[1:])
        if together:
            expected.append((together,))
    assert of("decode") == expected, "who is decoded together"


SETTINGS = [
    {"temperature": 0.6, "repetition_penalty": 3.0},
    {},
    {"temperature": 1.5, "top_k": 4},
    {"repetition_penalty": 0.4},
]


def drawn(logits, prompt, answer, draw, temperature=1.0, top_k=None, repetition_penalty=1.0):
    """The next token, written here; no draw is so near to a border that rounding decides."""
    logits = logits.clone()
    for token in {*prompt, *answer}:
        logits[token] *= repetition_penalty if logits[token] <= 0 else 1 / repetition_penalty
    logits = logits / temperature
    if top_k is not None:
        logits[logits < logits.topk(top_k).values[-1]] = -torch.inf
    cumulative = logits.softmax(0).cumsum(0)
    assert (cumulative[:-1] - draw).abs().min() > 1e-9, "the fixture has a draw on a border"
    return int((cumulative[:-1] <= draw).sum())


@pytest.mark.points(2)
@pytest.mark.parametrize("plan", PLANS)
def test_own_draws_and_settings(student, parts, build, plan):
    """Each token is drawn with its request's own draw, settings and text.

    zh: 每个词元都用所属请求自己的随机数、设置和文本抽取。
    """
    rows, max_slots, _ = PLANS[plan]
    for seed in range(3):
        requests, hall, prompts, draws = planned(student, build, rows, seed, SETTINGS)
        expected = []
        for number, (name, _, limit, ends, _) in enumerate(rows):
            answer = []
            while len(answer) < (ends or limit):
                prompt, own = prompts[name], SETTINGS[number % len(SETTINGS)]
                logits = hall.logits_of(name, prompt + answer)
                answer.append(drawn(logits, prompt, answer, draws[name][len(answer)], **own))
            expected.append(answer)
        done = student.serve(parts, hall.engine, requests, max_slots, END)
        assert_close([list(tokens) for tokens, _ in done], expected)


@pytest.mark.points(2)
@pytest.mark.parametrize("seed", range(3))
def test_as_if_alone(student, parts, build, seed):
    """In two orders of arrival, each answer is what the plain loop gives: one request, no cache, the same int8 weights.

    zh: 换一种到达次序，每个回答仍与普通循环给出的相同：一次一个请求，没有缓存，用同样的 int8 权重。
    """
    V, P, L, H, C = 19, 24, 2, 3, 24
    stored = in_codes(random_weights(V, P, L, C, seed))
    generator = torch.Generator().manual_seed(seed)
    asked, expected = [], []
    for number, (length, limit) in enumerate([(7, 6), (2, 9), (11, 3), (4, 8), (1, 12), (5, 1)]):
        prompt, own = some_tokens(V, length, seed), SETTINGS[number % len(SETTINGS)]
        draws, answer = torch.rand(limit, generator=generator, dtype=torch.float64), []
        while len(answer) < limit and END not in answer:
            logits = plain_logits(stored, H, prompt + answer)
            answer.append(drawn(logits, prompt, answer, draws[len(answer)], **own))
        asked.append((f"request {number}", prompt, draws, own))
        expected.append(answer)

    def engine_of_the_tests():
        return Hall(build, lambda name, text: plain_logits(stored, H, text)).engine

    def own_engine():
        return student.Engine(parts, student.Model(H, stored))

    makers = iter([own_engine, engine_of_the_tests])

    def check():
        make = next(makers)
        for arrivals in ([0, 0, 1, 1, 2, 3], [4, 2, 0, 5, 0, 1]):
            requests = [
                student.Request(name, prompt, draws, arrival, own)
                for (name, prompt, draws, own), arrival in zip(asked, arrivals, strict=True)
            ]
            done = student.serve(parts, make(), requests, 31, END)
            assert_close([list(tokens) for tokens, _ in done], expected)

    own_or_given(check, student)
    tokens = sum(map(len, expected))
    tell_reached(f"{tokens} tokens as if alone", f"{tokens} 个词元与单独运行时相同")
