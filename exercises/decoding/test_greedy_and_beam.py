"""Public tests of decoding/greedy_and_beam: examples small enough to do by hand. Token 3 is eos."""

import math

import pytest
import torch

from autograder.testing import assert_close, next_token_model


def model_of(**probabilities):
    """A model from the probabilities after some prefixes: `after_0_2=[...]` after the tokens 0, 2."""
    # Logits are log-probabilities only up to a constant: here it is 2.
    table = {
        tuple(int(token) for token in name.split("_")[1:]): [math.log(p) + 2 for p in row]
        for name, row in probabilities.items()
    }
    return next_token_model(table=table)


@pytest.mark.points(1)
def test_greedy_by_hand(student):
    """After the prompt, 1 is best (0.5); after that, 2 (0.4); then eos (0.7), which belongs to the text.

    zh: 提示词之后最好的是 1（0.5），再往后是 2（0.4），然后是 eos（0.7）；eos 也属于这段文本。
    """
    model = model_of(
        after_0=[0.1, 0.5, 0.3, 0.1], after_0_1=[0.3, 0.1, 0.4, 0.2], after_0_1_2=[0.1, 0.1, 0.1, 0.7]
    )
    assert_close(student.greedy(model, [0], 3, 7), [1, 2, 3])
    assert_close(student.greedy(model, [0], 3, 2), [1, 2])


@pytest.mark.points(1)
def test_beams_look_further_than_greedy(student):
    """Greedy takes 1 and then 0: 0.5 x 0.4 = 0.2. Two beams find 2 and then eos: 0.4 x 0.9 = 0.36.

    zh: 贪心解码先取 1 再取 0：0.5 x 0.4 = 0.2。两个束能找到先 2 再 eos：0.4 x 0.9 = 0.36。
    """
    model = model_of(
        after_0=[0.05, 0.5, 0.4, 0.05], after_0_1=[0.4, 0.3, 0.2, 0.1], after_0_2=[0.04, 0.03, 0.03, 0.9]
    )
    found = student.beam_search(model, [0], 3, 2, 2)
    assert_close(found, [([2, 3], math.log(0.36) / 2), ([1, 0], math.log(0.2) / 2)])


@pytest.mark.points(1)
def test_finished_text_takes_no_place(student):
    """[3] finishes first (0.5), yet two beams live on, [1] and [2]; then [2, 3] (0.18) is the second to finish.

    zh: [3] 最先完成（0.5），但仍有 [1] 和 [2] 两个活动束；随后 [2, 3]（0.18）第二个完成，搜索结束。
    """
    model = model_of(
        after_0=[0.05, 0.25, 0.2, 0.5],
        after_0_1=[0.4, 0.3, 0.2, 0.1],
        after_0_2=[0.04, 0.03, 0.03, 0.9],
        after_0_1_0=[0.85, 0.1, 0.03, 0.02],
        after_0_1_1=[0.27, 0.26, 0.24, 0.23],
    )
    found = student.beam_search(model, [0], 3, 2, 3, length_penalty=2.0)
    assert_close(found, [([2, 3], math.log(0.18) / 4), ([3], math.log(0.5))])


@pytest.mark.points(1)
def test_diverse_step_by_hand(student):
    """Both beams of group 1 choose token 0, so it costs 2 x 0.75 more in group 2, which begins with token 1.

    zh: 第 1 组的两条束都选了词元 0，所以第 2 组再选它要多付 2 x 0.75，于是先选词元 1。
    """
    totals = torch.tensor([[0.0, -1.0], [0.0, -1.0]])
    logps = torch.tensor([[-1.0, -2.0, -3.5], [-0.5, -3.0, -3.0]]).repeat(2, 1, 1)
    beams, tokens, new_totals = student.diverse_step(totals, logps, 0.75)
    assert_close(beams, torch.tensor([[0, 1], [0, 0]]))
    assert_close(tokens, torch.tensor([[0, 0], [1, 0]]))
    assert_close(new_totals, torch.tensor([[-1.0, -1.5], [-2.0, -1.0]]))
