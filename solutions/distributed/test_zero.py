"""Hidden tests of distributed/zero."""

import copy
import gc
from itertools import pairwise

import pytest
import torch

from autograder.testing import assert_close, check_any, per_rank

HYPER = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 0.3, "weight_decay": 0.3}
MOMENTS = ("exp_avg", "exp_avg_sq")


# ------------------------------------------------------------------------------------------------ the data


def rows(flat, world_size):
    """A flat tensor, padded with zeros: one row for each rank."""
    size = -(-flat.numel() // world_size)
    return torch.cat([flat, flat.new_zeros(size * world_size - flat.numel())]).view(world_size, size)


def random_state(size, steps, dtype=torch.float32):
    """What AdamW remembers of so many steps; None before the first."""
    if steps == 0:
        return None
    averages = torch.randn(size, dtype=dtype) / 2, torch.rand(size, dtype=dtype) + 0.1
    return {"step": steps} | dict(zip(MOMENTS, averages, strict=True))


def shard_state(state, world_size, rank):
    """One rank's part of the state of the whole."""
    if state is None:
        return None
    return {"step": state["step"]} | {key: rows(state[key], world_size)[rank].clone() for key in MOMENTS}


def random_gradients(size, world_size, dtype=torch.float32):
    """One gradient for each rank; a rank's own is far from the mean, and the mean from the sum."""
    common, apart = torch.randn(size, dtype=dtype), torch.randint(2, (size,)) * 2 - 1
    noise = torch.randn(world_size, size, dtype=dtype) / 10
    gradients = [common + rank**2 * apart + noise[rank] for rank in range(world_size)]
    mean = torch.stack(gradients).mean(0)
    assert world_size == 1 or all((gradient - mean).abs().max() > 0.2 for gradient in gradients)
    return gradients, mean


class TanhNet:
    """Layers y = tanh(x W^T), and half the squared distance to `target`, averaged over the batch."""

    __remote__ = ("forward", "loss_gradient", "backward")

    def __init__(self, widths, target, log=None):
        self.shapes = [(out, width) for width, out in pairwise(widths)]
        self.target = target
        self.log = [] if log is None else log

    @property
    def sizes(self):
        return [out * width for out, width in self.shapes]

    def forward(self, i, weights, x):
        assert weights.shape == (self.sizes[i],), "the weights of a layer come flat and without padding"
        self.log.append(("forward", i))
        return torch.tanh(x @ weights.view(self.shapes[i]).mT)

    def loss_gradient(self, output):
        self.log.append(("loss", len(self.shapes)))
        return (output - self.target) / len(output)

    def backward(self, i, weights, x, grad_output):
        self.log.append(("backward", i))
        weight = weights.view(self.shapes[i])
        grad = grad_output * (1 - torch.tanh(x @ weight.mT) ** 2)
        return grad @ weight, (grad.mT @ x).reshape(-1)

    def gradients(self, layers, x):
        """What autograd says, for the test's own use."""
        leaves = [layer.clone().requires_grad_() for layer in layers]
        for leaf, shape in zip(leaves, self.shapes, strict=True):
            x = torch.tanh(x @ leaf.view(shape).mT)
        loss = ((x - self.target) ** 2).sum() / 2 / len(x)
        return torch.autograd.grad(loss, leaves)


class StandIn:
    """One rank's `comm`, whose peers have the same data and do what this rank does; every call is noted.

    full: for each layer the padded flat tensor that an all-gather of its shards gives, known by the length of the shard.
    before: the same before the step. Then a rank may as well send how its shard has changed: so do its peers.
    """

    __remote__ = ("all_reduce", "reduce_scatter", "all_gather", "broadcast", "barrier")
    __shared__ = ("rank", "world_size")

    def __init__(self, rank, world_size, full, log, before=None):
        self.rank, self.world_size, self.log = rank, world_size, log
        self.lengths = [flat.numel() // world_size for flat in full]
        assert len(set(self.lengths)) == len(full), "the shards must be told apart by their lengths"
        self.full, self.before = full, before

    def _note(self, op, tensor, length):
        self.log.append((op, self.lengths.index(length) if length in self.lengths else tensor.numel()))

    def all_reduce(self, tensor):
        self._note("all_reduce", tensor, 0)
        return tensor * self.world_size

    def reduce_scatter(self, tensor):
        self._note("reduce_scatter", tensor, tensor.numel() / self.world_size)
        return tensor.view(self.world_size, -1)[self.rank] * self.world_size

    def all_gather(self, tensor):
        self._note("all_gather", tensor, tensor.numel())
        i = self.lengths.index(tensor.numel())
        gathered = self.full[i].clone().view(self.world_size, -1)
        if self.before is not None and not torch.allclose(tensor, gathered[self.rank], atol=1e-4):
            change = gathered - self.before[i].view(self.world_size, -1)
            ratio = (tensor * change[self.rank]).sum() / change[self.rank].square().sum()
            if torch.allclose(tensor, ratio * change[self.rank], atol=1e-4):
                gathered = ratio * change
        gathered[self.rank] = tensor
        return gathered.flatten()

    def broadcast(self, tensor, src):
        self._note("broadcast", tensor, 0)
        return tensor

    def barrier(self):
        self.log.append(("barrier", 0))


class Script(list):
    """A log of calls that raises at the first one that isn't the next of `wanted`; `free` ones may come at any time.

    `with script:` around the student's call turns that into a failure of the test, which is told in its own sentence.
    """

    def __init__(self, wanted, free=()):
        super().__init__()
        self.wanted, self.free, self.refused = wanted, free, ""

    def append(self, entry):
        done = len([op for op, _ in self if op not in self.free])
        if entry[0] not in self.free and self.wanted[done : done + 1] != [entry]:
            self.refused = self.refused or f"call {done + 1} is {entry}, not {self.wanted[done : done + 1]}"
            raise RuntimeError(self.refused)
        super().append(entry)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        assert not self.refused, self.refused


# ------------------------------------------------------------------------------------------------ question 1

# Shapes with n = 11, 7, 1, 24: prime, a scalar first, fewer numbers than ranks, nothing to pad on 3 ranks.
SHAPES = [[(2, 3), (5,)], [(), (3, 2)], [(1,)], [(2, 3, 2), (3, 4)]]


def tensors_of(shapes, dtype=torch.float32):
    """Random tensors of these shapes; matrices are transposed views, as weights often are."""
    tensors = [torch.randn(shape, dtype=dtype) for shape in shapes]
    return [t.mT.contiguous().mT if t.dim() == 2 else t for t in tensors]


@pytest.mark.points(1)
def test_flatten(student, unchanged):
    """All numbers in order, then as few zeros as make equal shards, in the same dtype; the tensors stay as they were.

    zh: 所有的数按顺序排好，末尾补上能够等分的最少个数的 0，dtype 不变；传入的张量保持原样。
    """
    for shapes in SHAPES:
        tensors = tensors_of(shapes, torch.float16)
        joined = torch.cat([tensor.flatten() for tensor in tensors])
        for world_size in (3, 7):
            flat = student.FlatPartition(shapes, world_size).flatten(tensors)
            assert_close(flat, rows(joined, world_size).flatten())
            assert (flat[len(joined) :] == 0).all()
    assert unchanged(student.FlatPartition(SHAPES[0], 3).flatten, tensors_of(SHAPES[0])), (
        "flatten changes the tensors"
    )


@pytest.mark.points(1)
def test_shards(student, unchanged):
    """A shard is a run of neighbours, in the same dtype; the shards of all ranks, joined in order, are the flat tensor.

    zh: 分片是一段相邻的数，dtype 不变；所有 rank 的分片按顺序接起来就是整个扁平张量。
    """
    world_size = 7
    for shapes in SHAPES:
        size = sum(torch.Size(shape).numel() for shape in shapes)
        flat = rows(torch.randn(size, dtype=torch.float64), world_size).flatten()
        partition = student.FlatPartition(shapes, world_size)
        shards = [partition.shard(flat, rank) for rank in range(world_size)]
        assert {shard.shape for shard in shards} == {(len(flat) // world_size,)}
        assert_close(torch.cat(shards), flat)
    assert unchanged(partition.shard, flat, 2), "shard changes the flat tensor"


@pytest.mark.points(1)
def test_unflatten(student, unchanged):
    """Flattening, padding included, is undone: the same tensors come back, with their shapes and their dtype.

    zh: 能还原展平：去掉补齐的部分，张量、形状和 dtype 都与原来一样。
    """
    for shapes in SHAPES:
        tensors = tensors_of(shapes, torch.float64)
        joined = torch.cat([tensor.flatten() for tensor in tensors])
        for world_size in (3, 7):
            partition, flat = student.FlatPartition(shapes, world_size), rows(joined, world_size).flatten()
            assert_close(partition.unflatten(flat), tensors)
    assert unchanged(partition.unflatten, flat), "unflatten changes the flat tensor"


# ------------------------------------------------------------------------------------------------ questions 2 to 4


def own_hyper(world_size):
    """`hyper` for each rank, and for each a dict of its own."""
    return per_rank([dict(HYPER) for _ in range(world_size)])


def layers_of(sizes, steps, dtype=torch.float32):
    layers = [torch.randn(size, dtype=dtype) for size in sizes]
    return layers, [random_state(size, steps, dtype) for size in sizes]


def shard_states(states, world_size):
    """For each rank its part of each state."""
    return [[shard_state(state, world_size, rank) for state in states] for rank in range(world_size)]


class Backward:
    """`backward` of question 3; `log` notes the calls."""

    def __init__(self, gradients, log=None):
        self.gradients, self.log = gradients, [] if log is None else log

    def __call__(self, i):
        self.log.append(("backward", i))
        return self.gradients[i].clone()


def stepped(answers, reference, world_size, layer, gradient, states):
    """One step by ranks that share a layer as `answers.FlatPartition` says: the new layer, and each rank's state."""
    partition = answers.FlatPartition([layer.shape], world_size)
    flat = partition.flatten([layer])
    summed = rows(partition.flatten([gradient]), world_size)  # a reduce-scatter cuts by itself
    new = [
        reference.adamw(partition.shard(flat, rank), summed[rank], states[rank], **HYPER)
        for rank in range(world_size)
    ]
    return partition.unflatten(torch.cat([shard for shard, _ in new]))[0], [state for _, state in new]


def run_layers(ranks, stage, layers, backwards, states):
    """Stage 1, each layer for itself, or stage 2: for each rank its new layers and states."""
    world_size = len(states)
    copies = [[layer.clone() for layer in layers] for _ in range(world_size)]
    if stage == "stage2_step":
        arguments = per_rank(copies), per_rank(backwards), per_rank(states), own_hyper(world_size)
        run = ranks(world_size, stage, *arguments)
        return run.results, run.traffic
    results, traffic = [([], []) for _ in range(world_size)], []
    for i in range(len(layers)):
        run = ranks(
            world_size,
            stage,
            per_rank([each[i] for each in copies]),
            per_rank([each.gradients[i].clone() for each in backwards]),
            per_rank([each[i] for each in states]),
            own_hyper(world_size),
        )
        traffic += run.traffic
        for (new_layers, new_states), (new_layer, new_state) in zip(results, run.results, strict=True):
            new_layers.append(new_layer)
            new_states.append(new_state)
    return results, traffic


def check_layers(student, ranks, reference, stage, layers, gradients, states):
    """Stage 1 or 2 does what AdamW does with the mean gradient; `gradients`: for each layer one of each rank.

    A student's own partition may cut in another way; that is the matter of question 1.
    """
    world_size, dtype = len(gradients[0]), layers[0].dtype
    backwards = [Backward([each[rank] for each in gradients]) for rank in range(world_size)]
    own = shard_states(states, world_size)
    results, traffic = run_layers(ranks, stage, layers, backwards, own)
    assert {each.dtype for each in traffic} <= {dtype}

    def check(answers):
        for i, layer in enumerate(layers):
            mean = torch.stack(gradients[i]).mean(0)
            shards = [each[i] for each in own]
            new_layer, new_states = stepped(answers, reference, world_size, layer, mean, shards)
            for rank, (found, found_states) in enumerate(results):
                assert len(found) == len(found_states) == len(layers)
                assert_close(found_states[i], new_states[rank])
                assert_close(found[i], new_layer)

    check_any(check, lambda: reference, lambda: student)


def check_stage3(ranks, reference, widths, steps, dtype):
    world_size, batch = 2, 3
    x = torch.randn(world_size * batch, widths[0], dtype=dtype)
    target = torch.randn(world_size * batch, widths[-1], dtype=dtype)
    whole = TanhNet(widths, target)
    layers, states = layers_of(whole.sizes, steps, dtype)
    every = range(world_size)
    run = ranks(
        world_size,
        "stage3_step",
        per_rank([[rows(layer, world_size)[rank].clone() for layer in layers] for rank in every]),
        per_rank([whole.sizes for _ in every]),
        per_rank(shard_states(states, world_size)),
        per_rank([TanhNet(widths, part) for part in target.split(batch)]),
        per_rank([part.clone() for part in x.split(batch)]),
        own_hyper(world_size),
    )
    gradients = whole.gradients(layers, x)
    assert all(gradient.abs().max() > 1e-3 for gradient in gradients)
    expected = [
        reference.adamw(layer, gradient, state, **HYPER)
        for layer, gradient, state in zip(layers, gradients, states, strict=True)
    ]
    for rank, (shards, own) in enumerate(run.results):
        assert_close(own, [shard_state(state, world_size, rank) for _, state in expected])
        assert_close(shards, [rows(layer, world_size)[rank] for layer, _ in expected])
    assert {each.dtype for each in run.traffic} <= {dtype}


STAGES = ["stage1_step", "stage2_step", "stage3_step"]


@pytest.mark.points(3.75)
@pytest.mark.parametrize("stage", STAGES)
def test_equals_adamw(student, ranks, reference, stage):
    """Every rank does what AdamW does with the mean gradient, in its dtype, and keeps the state of its shard only.

    zh: 每个 rank 的结果都与用平均梯度走一步 AdamW 相同，dtype 不变，并且只持有自己分片的状态。
    """
    dtype = torch.float64
    if stage == "stage3_step":
        check_stage3(ranks, reference, (3, 4, 1, 2), 4, dtype)
        return
    world_size, sizes = 2, [8] if stage == "stage1_step" else [2, 8, 6]
    layers, states = layers_of(sizes, 5, dtype)
    gradients = [random_gradients(size, world_size, dtype)[0] for size in sizes]
    check_layers(student, ranks, reference, stage, layers, gradients, states)


class Pass:
    """A model whose layers hand on their input, and whose weights get no gradient."""

    __remote__ = ("forward", "loss_gradient", "backward")

    def __init__(self, layers):
        self.layers = layers

    def forward(self, i, weights, x):
        assert_close(weights, self.layers[i], message="the weights of a layer come flat and without padding")
        return x

    def loss_gradient(self, output):
        return torch.ones_like(output)

    def backward(self, i, weights, x, grad_output):
        assert_close(weights, self.layers[i], message="the weights of a layer come flat and without padding")
        return grad_output, torch.zeros_like(self.layers[i])


@pytest.mark.points(0.75)
@pytest.mark.parametrize("stage", STAGES)
def test_uneven_sizes(student, ranks, reference, stage):
    """Layers whose size N doesn't divide, or that are smaller than N, lose and gain nothing.

    zh: 层的大小除不尽 N，或者比 N 还小，也不会丢掉或多出任何数。
    """
    # Without a gradient: whether it is summed or averaged is the matter of another test.
    world_size, sizes = 2, [9] if stage == "stage1_step" else [1, 9]
    layers, states = layers_of(sizes, 3)
    if stage != "stage3_step":
        gradients = [[torch.zeros(size) for _ in range(world_size)] for size in sizes]
        check_layers(student, ranks, reference, stage, layers, gradients, states)
        return
    shards = [[rows(layer, world_size)[rank].clone() for layer in layers] for rank in range(world_size)]
    own = shard_states(states, world_size)
    arguments = per_rank(shards), sizes, per_rank(own), Pass(layers), torch.ones(3), own_hyper(world_size)
    run = ranks(world_size, stage, *arguments)
    for rank, (new_shards, new_states) in enumerate(run.results):
        expected = [
            reference.adamw(shard, torch.zeros_like(shard), state, **HYPER)
            for shard, state in zip(shards[rank], own[rank], strict=True)
        ]
        assert_close(new_shards, [shard for shard, _ in expected])
        assert_close(new_states, [state for _, state in expected])


def check_moved(new, old, most=0.6):
    """A step changes this rank's parameters, and by no more than a step can. By how much is the matter of other tests."""
    assert [each.shape for each in new] == [each.shape for each in old]
    new, old = torch.cat(list(new)), torch.cat(list(old))
    assert min(old.abs().max(), (old - 1).abs().max()) > most, (
        "numbers that ignore the old ones are further off"
    )
    assert 0 < (new - old).abs().max() <= most


def check_own_shards(student, reference, comm, new_layers, layers):
    """The same for whole layers, of which this rank has stepped one shard, cut in its own way."""

    def shards(answers):
        partitions = [answers.FlatPartition([layer.shape], comm.world_size) for layer in layers]
        return [
            each.shard(each.flatten([layer]), comm.rank)
            for each, layer in zip(partitions, layers, strict=True)
        ]

    assert [each.shape for each in new_layers] == [each.shape for each in layers]
    found = [rows(layer, comm.world_size)[comm.rank] for layer in new_layers]
    check_any(lambda old: check_moved(found, old), lambda: shards(reference), lambda: shards(student))


@pytest.mark.points(1)
def test_stage1_communication(student, reference):
    """Stage 1 sends as much as data parallelism: one reduce-scatter and one all-gather, and nothing else.

    zh: 阶段 1 的通信量与数据并行相同：一次 reduce-scatter，一次 all-gather，没有别的通信。
    """
    for rank, world_size, steps in [(3, 5, 0), (0, 1, 2)]:
        size = 8 * world_size
        params, grads, state = torch.randn(size), torch.randn(size), random_state(size, steps)
        expected, _ = reference.adamw(params, grads, state, **HYPER)
        calls = [("reduce_scatter", 0), ("all_gather", 0)]
        log = Script(calls, free=("reduce_scatter", "all_gather") if world_size == 1 else ())
        comm = StandIn(rank, world_size, [expected], log, [params])
        own = shard_state(state, world_size, rank)
        with log:
            new_params, _ = student.stage1_step(comm, params.clone(), grads, own, dict(HYPER))
        check_own_shards(student, reference, comm, [new_params], [params])
        assert world_size == 1 or log == calls


@pytest.mark.points(1)
def test_stage2_reduces_at_once(student, reference):
    """A layer's gradient is reduced before the next one exists; each layer is reduced and gathered once.

    zh: 一层的梯度要在下一层的梯度产生之前归约；每层恰好归约一次、收集一次。
    """
    world_size, rank, sizes = 4, 2, [8, 16, 4, 24]
    layers, states = layers_of(sizes, 6)
    gradients = [torch.randn(size) for size in sizes]
    stepped_layers = [
        reference.adamw(layer, gradient, state, **HYPER)[0]
        for layer, gradient, state in zip(layers, gradients, states, strict=True)
    ]
    calls = [(op, i) for i in (3, 2, 1, 0) for op in ("backward", "reduce_scatter")]
    log = Script(calls, free=("all_gather",))
    comm = StandIn(rank, world_size, stepped_layers, log, layers)
    own = shard_states(states, world_size)[rank]
    given = [layer.clone() for layer in layers]
    with log:
        new_layers, _ = student.stage2_step(comm, given, Backward(gradients, log), own, dict(HYPER))
    check_own_shards(student, reference, comm, new_layers, layers)
    assert [(op, i) for op, i in log if op != "all_gather"] == calls
    assert sorted(i for op, i in log if op == "all_gather") == [0, 1, 2, 3]


@pytest.mark.points(1)
def test_stage3_gathers_on_use(student):
    """Each layer is gathered just before it runs, forwards and backwards; its gradient is reduced at once.

    zh: 每一层都在运行之前才收集，前向一次，反向再一次；它的梯度立刻归约。
    """
    world_size, rank, widths = 4, 1, (3, 8, 2, 2)
    x, target = torch.randn(5, 3), torch.randn(5, 2)
    calls = [(op, i) for i in (0, 1, 2) for op in ("all_gather", "forward")]
    calls += [("loss", 3)]
    calls += [(op, i) for i in (2, 1, 0) for op in ("all_gather", "backward", "reduce_scatter")]
    log = Script(calls)
    model = TanhNet(widths, target, log)
    layers, states = layers_of(model.sizes, 0)
    comm = StandIn(rank, world_size, layers, log)
    own = shard_states(states, world_size)[rank]
    shards = [rows(layer, world_size)[rank] for layer in layers]
    given = [shard.clone() for shard in shards]
    with log:
        new_shards, _ = student.stage3_step(comm, given, model.sizes, own, model, x, dict(HYPER))
    check_moved(new_shards, shards)
    assert log == calls


LAYER_BYTES = 3 << 18


def big_tensors():
    """How many tensors of a layer's size were made in this process since gc.freeze(), views counted once.

    The student's are among them when the student's code runs here. There the memory cap alone says too little:
    what the allocator kept from earlier tests is used again before the cap is felt. Isolated, the cap does it.
    """
    alive = [each.untyped_storage() for each in gc.get_objects() if type(each) is torch.Tensor]
    return len({each.data_ptr() for each in alive if each.nbytes() >= LAYER_BYTES})


class WideNet:
    """Layers with many weights, each i / 8 in layer i, and little work: a layer adds their mean to its input."""

    __remote__ = ("forward", "loss_gradient", "backward")

    def __init__(self, sizes):
        self.sizes, self.most, self.ran = sizes, 0, []

    def _run(self, way, i, weights):
        assert weights.numel() == self.sizes[i] and weights[0] == weights[-1] == i / 8, (
            "another layer's weights"
        )
        self.most = max(self.most, big_tensors())
        self.ran.append((way, i))

    def forward(self, i, weights, x):
        self._run("forward", i, weights)
        return x + weights.mean()

    def loss_gradient(self, output):
        return torch.ones_like(output)

    def backward(self, i, weights, x, grad_output):
        self._run("backward", i, weights)
        return grad_output, torch.full((self.sizes[i],), float(x.sum()))


class ConstantLayers(StandIn):
    """Every weight of layer i is i / 8."""

    def all_gather(self, tensor):
        i = self.lengths.index(tensor.numel())
        return torch.full((self.lengths[i] * self.world_size,), i / 8)


@pytest.mark.points(1)
@pytest.mark.limits(memory_mb=15)
def test_stage3_frees_after_use(student):
    """The weights of a layer are let go once it has run: a model that doesn't fit as a whole still trains.

    zh: 一层用完就放掉它的权重：整个装不下的模型照样能训练。
    """
    world_size, rank, layers = 256, 3, 10  # 7.5 MiB of weights; a shard has 3 KiB
    sizes = [LAYER_BYTES // 4 + world_size * i for i in range(layers)]
    model = WideNet(sizes)
    shards = [torch.full((size // world_size,), i / 8) for i, size in enumerate(sizes)]
    comm = ConstantLayers(rank, world_size, [torch.empty(1).expand(size) for size in sizes], [])
    x = torch.full((3,), 0.5)
    gc.freeze()
    try:
        copies = [shard.clone() for shard in shards]
        new_shards, _ = student.stage3_step(comm, copies, sizes, [None] * layers, model, x, dict(HYPER))
    finally:
        gc.unfreeze()
    assert model.most <= 8, f"{model.most} tensors of a layer's size are alive at once"
    every = [("forward", i) for i in range(layers)] + [("backward", i) for i in reversed(range(layers))]
    assert model.ran == every
    check_moved(new_shards, shards, most=0.1)


@pytest.mark.points(0.5)
@pytest.mark.parametrize("stage", STAGES)
def test_arguments_stay(student, reference, unchanged, stage):
    """A step returns what is new and leaves what it was given as it was: tensors, lists, states and hyper.

    zh: 一步只返回新的值，传入的张量、列表、状态和 hyper 都保持原样。
    """
    world_size, rank, widths = 2, 1, (3, 8, 4)
    x, target = torch.randn(5, 3), torch.randn(5, 4)
    model = TanhNet(widths, target)
    layers, states = layers_of(model.sizes, 3)
    gradients = model.gradients(layers, x)
    new_layers = [
        reference.adamw(layer, gradient, state, **HYPER)[0]
        for layer, gradient, state in zip(layers, gradients, states, strict=True)
    ]
    own = shard_states(states, world_size)[rank]
    shards = [rows(layer, world_size)[rank] for layer in layers]

    def arguments():
        """Those of one call: another one's changes don't show in them."""
        gathered, before = (layers, None) if stage == "stage3_step" else (new_layers, layers)
        comm = StandIn(rank, world_size, gathered, [], before)
        given = {
            "stage1_step": [layers[0], gradients[0], own[0]],
            "stage2_step": [layers, Backward(gradients), own],
            "stage3_step": [shards, model.sizes, own, model, x],
        }
        return comm, *copy.deepcopy(given[stage]), dict(HYPER)

    step = getattr(student, stage)
    comm, *rest = arguments()
    new, _ = step(comm, *rest)
    if stage == "stage3_step":
        check_moved(new, shards)
    elif stage == "stage2_step":
        check_own_shards(student, reference, comm, new, layers)
    else:
        check_own_shards(student, reference, comm, [new], layers[:1])
    assert unchanged(step, *arguments()), f"{stage} changes an argument"


# ------------------------------------------------------------------------------------------------ question 5


@pytest.mark.points(1)
def test_costs_memory(student):
    """16 bytes a parameter: stage 1 divides 12 of them by N, stage 2 also 2 more, stage 3 all, exactly.

    zh: 每个参数 16 字节：阶段 1 把其中 12 字节除以 N，阶段 2 再加 2 字节，阶段 3 全部除以 N；商不取整。
    """
    for num_params, world_size, optimizer_bytes in [(7_500_000_000, 64, 12), (1_300_001, 7, 8), (90, 1, 4)]:
        for stage in range(4):
            found = student.costs(num_params, world_size, stage, optimizer_bytes)
            parts = [2.0, 2.0, float(optimizer_bytes)]
            for place in range(3 - stage, 3):
                # Divided in this order: the optimiser's state, the gradients, the parameters.
                parts[place] /= world_size
            assert_close(found["parameters"], parts[0] * num_params)
            assert_close(found["gradients"], parts[1] * num_params)
            assert_close(found["optimizer"], parts[2] * num_params)
    assert_close(student.costs(1000, 10, 2)["optimizer"], 1200.0)
    found = student.costs(5, 4, 3, 3)  # nothing is divisible here, and nothing is large
    for part, expected in [("parameters", 2.5), ("gradients", 2.5), ("optimizer", 3.75)]:
        assert_close(found[part], expected)


@pytest.mark.points(1)
def test_costs_communication(student, reference, ranks):
    """The bytes sent are those a float16 step really sends: two passes over the model, in stage 3 three.

    zh: 发送的字节数就是用 float16 走一步真正发出的量：模型大小的两倍，阶段 3 是三倍。
    """

    def stage0(comm, grads):
        return comm.all_reduce(grads)

    half = torch.float16
    for world_size, size in [(3, 12), (4, 8)]:
        params, grads = torch.randn(size, dtype=half), torch.randn(size, dtype=half)
        shards = [[each] for each in params.view(world_size, -1)]
        zeros = torch.zeros(1, size, dtype=half)
        runs = [
            ranks(world_size, stage0, grads),
            ranks(world_size, reference.stage1_step, params, grads, None, HYPER),
            ranks(world_size, reference.stage2_step, [params], [grads].__getitem__, [None], HYPER),
            ranks(
                world_size,
                reference.stage3_step,
                per_rank(shards),
                [size],
                [None],
                TanhNet((size, 1), zeros[:, :1]),
                zeros,
                HYPER,
            ),
        ]
        assert len({run.bytes_sent for run in runs}) == 2
        for stage in (3, 2, 1, 0):  # stage 0 last: whoever errs only there shows it by the others
            assert_close(student.costs(size, world_size, stage)["sent"], runs[stage].bytes_sent)
    assert_close(student.costs(10, 1, 3)["sent"], 0.0)
    assert_close(student.costs(5, 4, 3)["sent"], 22.5)
