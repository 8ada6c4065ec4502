"""Public tests of alignment/rlhf_rewards: examples small enough to check by hand."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_refusal


@pytest.mark.points(1)
def test_token_rewards_by_hand(student):
    """Two prompts, then responses of two tokens and one; the score is earned at a response's last token, before the padding.

    zh: 两个提示词之后各是两个词元和一个词元的回答；评分落在回答的最后一个词元上，在填充之前。
    """
    mask = torch.tensor([[0, 1, 1, 0], [0, 1, 0, 0]])
    ref_logps = torch.tensor([[-1.0, -2.0, -3.0, 0.0], [-4.0, -1.0, 0.0, 0.0]])
    logps = ref_logps + torch.tensor([[0.0, 1.0, -2.0, 0.0], [0.0, 3.0, 0.0, 0.0]])
    actual = student.token_rewards(torch.tensor([5.0, -1.0]), logps, ref_logps, mask, 0.1)
    assert_close(actual, torch.tensor([[0.0, -0.1, 5.2, 0.0], [0.0, -1.3, 0.0, 0.0]]))


@pytest.mark.points(1)
def test_kl_estimates_by_hand(student):
    """Pi 1/2 and ref 1/4: the ratio is 1/2. Pi 1/4 and ref 1/2: it is 2.

    zh: pi 为 1/2、ref 为 1/4 时比值是 1/2；pi 为 1/4、ref 为 1/2 时比值是 2。
    """
    k1, k2, k3 = student.kl_estimates(torch.tensor([0.5, 0.25]).log(), torch.tensor([0.25, 0.5]).log())
    log2 = math.log(2)
    assert_close(k1, torch.tensor([log2, -log2]))
    assert_close(k2, torch.tensor([log2**2 / 2, log2**2 / 2]))
    assert_close(k3, torch.tensor([0.5 - 1 + log2, 2 - 1 - log2]))


@pytest.mark.points(1)
def test_whitening_by_hand(student):
    """Of 1, 3 and 5 the mean is 3 and the variance 4; with fewer than two values there is none: ValueError.

    zh: 1、3、5 的均值是 3，方差是 4；不足两个值就没有方差：抛出 ValueError。
    """
    values, mask = torch.tensor([[1.0, 9.0, 3.0], [9.0, 5.0, 9.0]]), torch.tensor([[1, 0, 1], [0, 1, 0]])
    assert_close(student.masked_whiten(values, mask), torch.tensor([[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    one = torch.tensor([[0, 0, 0], [0, 1, 0]])
    check_refusal(student.masked_whiten, (values, mask), (values, one), ValueError)


@pytest.mark.points(0.5)
def test_controller_by_hand(student):
    """A KL 10 % above its target raises beta by 0.1 times 100 of 1,000 sequences: 1 %.

    zh: KL 比目标高 10%，1000 条的 horizon 过了 100 条，beta 就增加 0.1 乘 0.1，即 1%。
    """
    assert math.isclose(student.next_beta(0.2, 6.6, 6.0, 100, 1000), 0.202, rel_tol=1e-6)
