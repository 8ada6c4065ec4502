"""Hidden tests of finetuning/packing."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.testing import assert_close, check_refusal

IGNORED = -100

# ---------------------------------------------------------------- 1


def bins_by_loops(lengths: list[int], capacity: int, tightest: bool = False) -> list[list[int]]:
    """First fit, or with `tightest` best fit."""
    bins: list[list[int]] = []

    def room(place: int) -> int:
        return capacity - sum(lengths[sample] for sample in bins[place])

    for length in sorted(set(lengths), reverse=True):
        for sample, other in enumerate(lengths):
            if other == length:
                fitting = [place for place in range(len(bins)) if room(place) >= length]
                if not fitting:
                    bins.append([sample])
                elif tightest:
                    bins[min(fitting, key=room)].append(sample)
                else:
                    bins[fitting[0]].append(sample)
    return bins


@pytest.mark.points(1.5)
@pytest.mark.parametrize(
    ("lengths", "capacity"),
    [
        ([4, 8, 2, 7, 5, 1, 3], 10),
        ([2, 2, 2, 4, 4, 1, 7, 1], 10),  # ties, and the first bin that fits is not the tightest
        ([13, 6, 1, 9, 3, 5, 10], 13),
        ([1, 2], 2),
        ([5, 5, 5], 5),
    ],
)
def test_first_bin_with_room(student, lengths, capacity):
    """Samples go from the longest to the shortest, ties in their order, each into the first bin with room for it.

    zh: 样本从最长的放到最短的，长度相同的按原来的次序，每条放进第一个还有空位的箱子。
    """
    expected = bins_by_loops(lengths, capacity)
    if len(lengths) == 8:
        assert expected != bins_by_loops(lengths, capacity, tightest=True)
    assert student.first_fit_decreasing(list(lengths), capacity) == expected


@pytest.mark.points(1)
def test_no_sample_is_lost(student):
    """Of many samples each is in one bin, the bins are few and none is too full; a sample that fits in none is refused.

    zh: 样本再多，每条也恰好在一个箱子里，箱子不多，也没有超量的；放不进任何箱子的样本要拒绝。
    """
    lengths = torch.randint(1, 60, (83,), generator=torch.Generator().manual_seed(3)).tolist()
    bins = student.first_fit_decreasing(list(lengths), 64)
    assert sorted(sample for content in bins for sample in content) == list(range(83))
    assert all(sum(lengths[sample] for sample in content) <= 64 for content in bins)
    assert len(bins) <= 11 / 9 * 1.1 * sum(lengths) / 64 + 1, "about as few bins as the tokens need"
    check_refusal(student.first_fit_decreasing, ([7, 3], 7), ([7, 8, 3], 7), ValueError)


# ---------------------------------------------------------------- 2


def some_samples(lengths: list[int], seed: int, vocab: int = 11) -> list[tuple[list[int], list[int]]]:
    """Ids with zeros among them, and labels of which some don't count; each first label does."""
    generator = torch.Generator().manual_seed(seed)
    samples = []
    for length in lengths:
        ids = torch.randint(vocab, (length,), generator=generator).tolist()
        counts = (torch.rand(length, generator=generator) < 0.7).tolist()
        samples.append(
            (ids, [ids[0], *(i if c else IGNORED for i, c in zip(ids[1:], counts[1:], strict=True))])
        )
    return samples


ROWS = [([3, 1, 5, 2], 14), ([4, 4], 8), ([6], 7), ([1, 1, 1], 3)]


@pytest.mark.points(1.5)
@pytest.mark.parametrize(("lengths", "capacity"), ROWS)
def test_neighbours_are_invisible(student, lengths, capacity):
    """A token attends to itself and the earlier tokens of its own sample; padding attends to itself alone.

    zh: 词元只能看到自己和同一条样本里更早的词元；填充只能看到自己。
    """
    expected = torch.eye(capacity, dtype=torch.bool)
    begin = 0
    for length in lengths:
        for query in range(begin, begin + length):
            for key in range(begin, query):
                expected[query, key] = True
        begin += length
    assert_close(student.pack_row(some_samples(lengths, 1), capacity, 0)["mask"], expected)


@pytest.mark.points(1)
@pytest.mark.parametrize(("lengths", "capacity"), ROWS)
def test_each_sample_counts_from_zero(student, lengths, capacity):
    """Positions restart in each sample; cu_seqlens has each sample's beginning and the last one's end, without padding.

    zh: 每条样本的位置编号从 0 重新数；cu_seqlens 是各样本的起点和最后一条的终点，不含填充。
    """
    row = student.pack_row(some_samples(lengths, 2), capacity, 3)
    positions = [place for length in lengths for place in range(length)]
    assert_close(row["position_ids"], torch.tensor(positions + [0] * (capacity - len(positions))))
    ends = [sum(lengths[:count]) for count in range(len(lengths) + 1)]
    assert_close(row["cu_seqlens"], torch.tensor(ends, dtype=torch.int32))


@pytest.mark.points(1)
@pytest.mark.parametrize(("lengths", "capacity"), ROWS)
def test_first_token_has_no_label(student, unchanged, lengths, capacity):
    """The row has the samples' ids and labels in order, -100 at each sample's first token and in the padding; the samples stay as they were.

    zh: 一行里依次是各样本的编号和标签；每条样本的第一个词元和填充处的标签是 -100；传入的样本保持原样。
    """
    samples = some_samples(lengths, 4)
    pad_id = samples[0][0][-1]  # a real token has it, too
    row = student.pack_row(samples, capacity, pad_id)
    padding = capacity - sum(lengths)
    ids = [token for tokens, _ in samples for token in tokens]
    assert_close(row["ids"], torch.tensor(ids + [pad_id] * padding))
    labels = [label for _, own in samples for label in [IGNORED, *own[1:]]]
    assert_close(row["labels"], torch.tensor(labels + [IGNORED] * padding))
    assert unchanged(student.pack_row, samples, capacity, pad_id), "the samples stay as they were"


class Tiny(nn.Module):
    """Two layers of attention over token and position embeddings."""

    def __init__(self, vocab: int, width: int) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.tokens, self.places = nn.Embedding(vocab, width), nn.Embedding(32, width)
        self.layers = nn.ModuleList([nn.Linear(width, 3 * width) for _ in range(2)])
        self.double()

    def forward(self, ids: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(positions)
        for layer in self.layers:
            q, k, v = layer(x).chunk(3, dim=-1)
            scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask, float("-inf"))
            x = x + scores.softmax(dim=-1) @ v
        return x @ self.tokens.weight.mT


@pytest.mark.points(1.5)
def test_packed_as_good_as_alone(student):
    """A model predicts in a packed row what it predicts for each sample alone, with the same loss; too many tokens: refused.

    zh: 模型在打包的一行里给出的预测和损失，与逐条处理时相同；词元太多则拒绝。
    """
    model = Tiny(11, 6)
    samples = some_samples([4, 7, 3], 6)
    row = student.pack_row(samples, 17, 0)
    packed = model(row["ids"], row["position_ids"], row["mask"])
    alone, targets = [], []
    for ids, labels in samples:
        n = len(ids)
        causal = torch.ones(n, n, dtype=torch.bool).tril()
        alone.append(model(torch.tensor(ids), torch.arange(n), causal))
        targets.append(torch.tensor(labels[1:]))
    assert_close(packed[:14], torch.cat(alone))
    assert packed.isfinite().all()
    expected = F.cross_entropy(torch.cat([logits[:-1] for logits in alone]), torch.cat(targets))
    assert_close(F.cross_entropy(packed[:-1], row["labels"][1:]), expected)
    check_refusal(student.pack_row, (samples, 14, 0), (samples, 13, 0), ValueError)


# ---------------------------------------------------------------- 3


def packed_rows(dtype: torch.dtype) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Three rows of uneven samples and padding; one sample has no label that counts."""
    generator = torch.Generator().manual_seed(8)
    lengths = [[5, 2, 4], [3, 6], [8]]
    labels = torch.full((3, 12), IGNORED)
    for row, inside in enumerate(lengths):
        begin = 0
        for length in inside:
            labels[row, begin + 1 : begin + length] = torch.randint(7, (length - 1,), generator=generator)
            begin += length
    labels[0, 2:4] = IGNORED
    labels[1, :3] = IGNORED
    labels[2, 1] = IGNORED
    logits = (3 * torch.randn(3, 12, 7, generator=generator, dtype=torch.float64)).to(dtype)
    boundaries = [torch.tensor([0, *inside]).cumsum(0).to(torch.int32) for inside in lengths]
    return logits, labels, boundaries


def unpacked_losses(logits: Tensor, labels: Tensor, boundaries: list[Tensor]) -> list[Tensor]:
    """The token losses of each sample, each cut out of its row and shifted by itself."""
    losses = []
    for row, places in enumerate(boundaries):
        for begin, end in pairwise(places.tolist()):
            own, targets = logits[row, begin:end], labels[row, begin:end]
            kept = targets[1:] != IGNORED
            losses.append(F.cross_entropy(own[:-1][kept], targets[1:][kept], reduction="none"))
    return losses


@pytest.mark.points(3.5)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("weighting", ["token", "sample"])
def test_weights_as_if_unpacked(student, gradients, weighting, dtype):
    """Loss and gradient are those of the samples alone: the mean of all their tokens, or of their own means.

    zh: 损失和梯度与逐条样本计算时一样：对全部词元取平均，或对各样本自己的平均再取平均。
    """
    logits, labels, boundaries = packed_rows(dtype)

    def expected(of: Tensor) -> Tensor:
        losses = unpacked_losses(of, labels, boundaries)
        assert len({len(loss) for loss in losses}) > 2 and any(len(loss) == 0 for loss in losses)
        if weighting == "token":
            return torch.cat(losses).mean()
        return torch.stack([loss.mean() for loss in losses if len(loss)]).mean()

    wanted = gradients(expected, logits.clone())
    found = gradients(student.packed_loss, logits.clone(), labels, boundaries, weighting)
    assert_close(found.output, wanted.output)
    assert found.arguments[0] is not None, "no gradient reaches the logits"
    assert_close(found.arguments[0], wanted.arguments[0])


@pytest.mark.points(0.5)
def test_few_labels_or_none(student):
    """One label that counts is the whole loss, none at all give 0, and an unknown weighting is refused.

    zh: 只有一个计入的标签时，损失就是它的损失；一个都没有时为 0；不认识的平均方式要拒绝。
    """
    logits, labels, boundaries = packed_rows(torch.float64)
    none = torch.full_like(labels, IGNORED)
    one = none.clone()
    one[1, 4] = 3
    for weighting in ("token", "sample"):
        loss = student.packed_loss(logits, one, boundaries, weighting)
        assert_close(loss, F.cross_entropy(logits[1, 3], one[1, 4]))
        loss = student.packed_loss(logits, none, boundaries, weighting)
        assert_close(loss, torch.zeros((), dtype=torch.float64))
    valid, bad = (logits, labels, boundaries, "token"), (logits, labels, boundaries, "row")
    check_refusal(student.packed_loss, valid, bad, ValueError)
