"""Public tests of blocks/output_head: examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, own_or_given


@pytest.mark.points(1)
def test_log_softmax_by_hand(student):
    """Probabilities 1/4 and 3/4; and a token 200 below the best, whose log-probability is -200, not -inf.

    zh: 概率为 1/4 和 3/4；比最高分低 200 的词元，对数概率是 -200，而不是 -inf。
    """
    logps = student.log_softmax(torch.tensor([[0.0, math.log(3)], [500.0, 300.0]]))
    assert_close(logps[0], torch.tensor([1 / 4, 3 / 4]).log())
    assert_close(logps[1], torch.tensor([0.0, -200.0]))


LOGPS = torch.tensor([[1 / 2, 1 / 4, 1 / 4], [1 / 8, 3 / 4, 1 / 8], [1 / 4, 1 / 4, 1 / 2]]).log()


@pytest.mark.points(1)
def test_cross_entropy_by_hand(student):
    """Two targets count, with probability 1/2 and 1/4: the mean of log 2 and log 4. Then with smoothing 0.3.

    zh: 计入的目标有两个，概率为 1/2 和 1/4：取 log 2 与 log 4 的平均。再加上 0.3 的平滑。
    """
    targets = torch.tensor([0, -100, 1])

    def check():
        loss = student.cross_entropy(LOGPS, targets)
        assert loss.shape == (), f"the mean has no axes; got shape {list(loss.shape)}"
        assert_close(loss, torch.tensor((math.log(2) + math.log(4)) / 2))
        # 0.7 of the target, and 0.1 of each of the three tokens: log 2 + log 4 + log 4 both times.
        loss = student.cross_entropy(LOGPS, targets, label_smoothing=0.3)
        assert_close(loss, torch.tensor(0.7 * math.log(8) / 2 + 0.1 * math.log(32)))

    own_or_given(check, student, log_softmax=lambda logits: logits)  # they are normalised already


@pytest.mark.points(0.5)
def test_unknown_target(student):
    """Targets of -1, or of 3 in a vocabulary of 3, are a ValueError; where -1 is to be ignored, it is, and -100 is not.

    zh: 目标为 -1，或者词表大小为 3 而目标是 3：抛出 ValueError；说明要忽略 -1 时就忽略它，此时 -100 也要报错。
    """

    def check():
        ignored = student.cross_entropy(LOGPS, torch.tensor([0, -1, 2]), ignore_index=-1)
        assert_close(ignored, torch.tensor(math.log(2)))
        for unknown, ignore_index in [(-1, -100), (3, -100), (-101, -100), (-100, -1)]:
            with pytest.raises(ValueError):
                student.cross_entropy(LOGPS, torch.tensor([0, unknown, 2]), ignore_index)

    own_or_given(check, student, log_softmax=lambda logits: logits)


@pytest.mark.points(1)
def test_shift_by_hand(student, build):
    """Ids 0 1 1 and the rows 0 and log 3: token 1 is scored by the logits of position 0, and so is the next by those of 1.

    zh: 编号 0 1 1，矩阵的两行是 0 和 log 3：位置 0 的 logits 给词元 1 打分，位置 1 的给下一个词元 1 打分。
    """
    scores = torch.tensor([[0.0, 0.0], [0.0, math.log(3) ** 2]])

    def check():
        model = student.TiedLanguageModel(2, 1, build("torch.nn.Identity"))
        assert_close([name for name, _ in model.named_parameters()], ["embedding.weight"])
        model.load_state_dict({"embedding.weight": torch.tensor([[0.0], [math.log(3)]])}, strict=False)
        ids = torch.tensor([[0, 1, 1]])
        logits, loss = model(ids, ids)
        assert_close(logits, scores[ids])
        expected = (math.log(2) + math.log(1 + math.exp(-(math.log(3) ** 2)))) / 2
        assert_close(loss, torch.tensor(expected))

    def given(logits, targets, *options, **more):
        """Right for two classes, of which no target is ignored."""
        other = logits.gather(-1, 1 - targets[..., None]) - logits.gather(-1, targets[..., None])
        return torch.nn.functional.softplus(other).mean()

    own_or_given(check, student, cross_entropy=given)


@pytest.mark.points(1.5)
def test_uneven_chunks_by_hand(student):
    """Probabilities 1/2, 1/2, 1/2 in one chunk and 1/8 in the other: the mean of four targets, not of two chunks.

    zh: 一块里的概率是 1/2、1/2、1/2，另一块里是 1/8：要的是四个目标的平均，不是两块的平均。
    """
    # Each hidden state picks a column of the weight: logits (0, 0) or (0, -log 7).
    hidden = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    weight = torch.tensor([[0.0, 0.0], [0.0, -math.log(7)]])
    targets = torch.tensor([0, 1, 0, -100, 1])

    def check():
        loss = student.chunked_cross_entropy(hidden, weight, targets, 3)
        assert_close(loss, torch.tensor((3 * math.log(2) + math.log(8)) / 4))

    def given(logits, targets, *options, **more):
        """Right for these two classes."""
        counts = targets >= 0
        logits, targets = logits[counts], targets[counts]
        other = logits.gather(-1, 1 - targets[..., None]) - logits.gather(-1, targets[..., None])
        return torch.nn.functional.softplus(other).sum() / max(len(targets), 1)

    own_or_given(check, student, cross_entropy=given)
