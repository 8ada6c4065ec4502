"""Public tests of distributed/zero: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close, per_rank


def hyper():
    """A dict for each of two ranks.

    AdamW's first step moves every parameter by lr against the sign of its gradient, however large that is.
    """
    return per_rank([{"lr": 0.5, "weight_decay": 0.0} for _ in range(2)])


def no_states():
    """A list for each of two ranks, with an entry for each of two layers: no step was taken yet."""
    return per_rank([[None, None] for _ in range(2)])


@pytest.mark.points(1)
def test_partition_by_hand(student):
    """Five numbers on two ranks: shards of three, one zero at the end; and back again.

    zh: 5 个数分给 2 个 rank：每个分片 3 个数，末尾补一个 0；并且能还原。
    """
    tensors = [torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([5.0])]
    partition = student.FlatPartition([(2, 2), (1,)], 2)
    flat = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 0.0])
    assert_close(partition.flatten(tensors), flat, message="flatten")
    assert_close(partition.shard(flat, 0), torch.tensor([1.0, 2.0, 3.0]), message="shard of rank 0")
    assert_close(partition.shard(flat, 1), torch.tensor([4.0, 5.0, 0.0]), message="shard of rank 1")
    assert_close(partition.unflatten(flat), tensors, message="unflatten")


@pytest.mark.points(1)
def test_stage1_by_hand(ranks):
    """Two ranks, four parameters: both get all new parameters, each keeps the state of its two. The mean counts, not the sum.

    zh: 两个 rank，四个参数：两边都得到全部新参数，各自只保留自己两个参数的状态。梯度取平均，不是求和。
    """
    params = [torch.tensor([1.0, 2.0, 3.0, 4.0]) for _ in range(2)]
    # The mean: 1, -1, 0.5, -2.
    grads = [torch.tensor([4.0, -1.0, 0.5, -4.0]), torch.tensor([-2.0, -1.0, 0.5, 0.0])]
    run = ranks(2, "stage1_step", per_rank(params), per_rank(grads), None, hyper())
    for rank, averages in enumerate([[0.1, -0.1], [0.05, -0.2]]):
        new_params, state = run.results[rank]
        assert_close(new_params, torch.tensor([0.5, 2.5, 2.5, 4.5]), message=f"parameters on rank {rank}")
        assert_close(state["exp_avg"], torch.tensor(averages), message=f"exp_avg on rank {rank}")


@pytest.mark.points(1)
def test_stage2_by_hand(ranks):
    """Two layers of two and four parameters on two ranks: each layer is cut up for itself.

    zh: 两层，分别有 2 个和 4 个参数，分给两个 rank：每一层各自切分。
    """
    layers = [[torch.tensor([1.0, 1.0]), torch.tensor([2.0, 3.0, 4.0, 5.0])] for _ in range(2)]
    grads = [
        [torch.tensor([3.0, 0.0]), torch.tensor([-1.0, 2.0, 0.0, 4.0])],
        [torch.tensor([-1.0, 2.0]), torch.tensor([-1.0, 0.0, 2.0, 0.0])],
    ]
    backward = [grads[0].__getitem__, grads[1].__getitem__]
    run = ranks(2, "stage2_step", per_rank(layers), per_rank(backward), no_states(), hyper())
    for rank, averages in enumerate([([0.1], [-0.1, 0.1]), ([0.1], [0.1, 0.2])]):
        new_layers, states = run.results[rank]
        expected = [torch.tensor([0.5, 0.5]), torch.tensor([2.5, 2.5, 3.5, 4.5])]
        assert_close(new_layers, expected, message=f"layers on rank {rank}")
        found = [state["exp_avg"] for state in states]
        assert_close(found, [torch.tensor(each) for each in averages], message=f"exp_avg on rank {rank}")


class Scale:
    """Layer i multiplies its input by its weights; the loss is the sum of the output."""

    __remote__ = ("forward", "loss_gradient", "backward")  # a rank may be another process: these cross to it

    def forward(self, i, weights, x):
        return weights * x

    def loss_gradient(self, output):
        return torch.ones_like(output)

    def backward(self, i, weights, x, grad_output):
        return grad_output * weights, grad_output * x


@pytest.mark.points(1)
def test_stage3_by_hand(ranks):
    """Two layers of four weights on two ranks: shards of two go in, shards of two come out.

    zh: 两层，每层 4 个权重，分给两个 rank：传入长度为 2 的分片，返回长度为 2 的分片。
    """
    shards = [
        [torch.tensor([2.0, -1.0]), torch.tensor([4.0, 5.0])],  # rank 0: the first two weights of each layer
        [torch.tensor([3.0, 1.0]), torch.tensor([-6.0, 2.0])],  # rank 1: the other two
    ]
    x = [torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([3.0, 1.0, -2.0, 0.0])]
    run = ranks(2, "stage3_step", per_rank(shards), [4, 4], no_states(), Scale(), per_rank(x), hyper())
    # The mean input is 2, 1, -0.5, 0.5. Times (4, 5, -6, 2) it is the gradient of layer 0, times (2, -1, 3, 1) of layer 1.
    expected = [
        ([[1.5, -1.5], [3.5, 5.5]], [[0.8, 0.5], [0.4, -0.1]]),
        ([[2.5, 0.5], [-5.5, 1.5]], [[0.3, 0.1], [-0.15, 0.05]]),
    ]
    for rank, (weights, averages) in enumerate(expected):
        new_shards, states = run.results[rank]
        assert_close(new_shards, list(map(torch.tensor, weights)), message=f"shards of rank {rank}")
        found = [state["exp_avg"] for state in states]
        assert_close(found, list(map(torch.tensor, averages)), message=f"exp_avg on rank {rank}")


@pytest.mark.points(1)
def test_costs_of_the_paper(student):
    """Figure 1 of the paper: 7.5 billion parameters on 64 GPUs take 120, 31.4, 16.6 and 1.9 GB each.

    zh: 论文图 1：75 亿参数、64 张卡，每张卡分别需要 120、31.4、16.6 和 1.9 GB。
    """
    for stage, expected in enumerate([120.0, 31.4, 16.6, 1.9]):
        found = student.costs(7_500_000_000, 64, stage)
        total = (found["parameters"] + found["gradients"] + found["optimizer"]) / 1e9
        assert abs(total - expected) < 0.05, f"stage {stage} takes {total:.2f} GB, not {expected}"


@pytest.mark.points(1)
def test_costs_of_no_stage(student):
    """Four parameters on two ranks send 8 bytes in stage 2; stages other than 0 to 3 are a ValueError.

    zh: 4 个参数、2 个 rank，阶段 2 每个 rank 发送 8 字节；阶段不是 0 到 3 时抛出 ValueError。
    """
    found = student.costs(4, 2, 2)
    assert_close(found, {"parameters": 8.0, "gradients": 4.0, "optimizer": 24.0, "sent": 8.0})
    for stage in (4, -1):
        with pytest.raises(ValueError):
            student.costs(4, 2, stage)
