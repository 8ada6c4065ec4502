"""Public tests of blocks/residual_placement: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close


def by_hand(student, build, placement, norms, alpha=1.0):
    """The stream (1, 7) behind one branch that exchanges its two numbers and multiplies by 5: f(1, 7) = (35, 5).

    The norm divides by the root mean square: (1, 7) becomes (0.2, 1.4), (8, 8) becomes (1, 1).
    """
    branch = build("torch.nn.Linear", 2, 2, False)
    branch.load_state_dict({"weight": torch.tensor([[0.0, 5.0], [5.0, 0.0]])})
    made = {"norm": ("torch.nn.RMSNorm", 2, 0.0, False), "nothing": ("torch.nn.Identity",)}
    x = torch.tensor([[[1.0, 7.0]]])
    return student.residual_stack(x, [branch], [build(*made[name]) for name in norms], placement, alpha)


@pytest.mark.points(2)
def test_pre_norm_by_hand(student, build):
    """Pre-norm: the branch reads the normalised stream, and its result is added to the stream as it was.

    zh: Pre-Norm：分支读的是归一化之后的残差流，结果加到原来的残差流上。
    """
    # (1, 7) + f(0.2, 1.4) = (1, 7) + (7, 1). The last norm does nothing here; below it does.
    assert_close(by_hand(student, build, "pre", ["norm", "nothing"]), torch.tensor([[[8.0, 8.0]]]))
    assert_close(by_hand(student, build, "pre", ["norm", "norm"]), torch.tensor([[[1.0, 1.0]]]))


@pytest.mark.points(2)
def test_other_placements_by_hand(student, build):
    """Post-norm, DeepNorm with alpha = 5, and sandwich, with one branch.

    zh: 只有一个分支时的 Post-Norm、DeepNorm（alpha = 5）和 Sandwich-Norm。
    """
    # norm((1, 7) + (35, 5)) = norm(36, 12); norm(5 (1, 7) + (35, 5)) = norm(40, 40)
    assert_close(by_hand(student, build, "post", ["norm"]), torch.tensor([[[1.34164079, 0.44721360]]]))
    assert_close(by_hand(student, build, "deepnorm", ["norm"], 5.0), torch.tensor([[[1.0, 1.0]]]))
    # (1, 7) + norm(f(0.2, 1.4)) = (1, 7) + norm(7, 1)
    sandwich = by_hand(student, build, "sandwich", ["norm", "norm", "nothing"])
    assert_close(sandwich, torch.tensor([[[2.4, 7.2]]]))


@pytest.mark.points(1)
def test_refusals(student, build):
    """An unknown placement is a ValueError, and so is a norm too many or too few.

    zh: 未知的放法要抛出 ValueError，归一化多一个或少一个也一样。
    """
    for placement, norms in (("post", 1), ("pre", 2), ("sandwich", 3), ("deepnorm", 1)):
        assert by_hand(student, build, placement, ["norm"] * norms).shape == (1, 1, 2)
        for wrong in (norms - 1, norms + 1):
            with pytest.raises(ValueError):
                by_hand(student, build, placement, ["norm"] * wrong)
    with pytest.raises(ValueError):
        by_hand(student, build, "before", ["norm"])


@pytest.mark.points(1)
def test_formulas_by_hand(student):
    """Eight layers have alpha = 2; two have gain 1/2 for the values; 15 pre-norm branches quadruple the stream.

    zh: 8 层时 alpha = 2；2 层时值投影的增益是 1/2；15 个 Pre-Norm 分支使残差流变成 4 倍大。
    """
    assert_close(student.deepnorm_constants(8)[0], 2.0)
    gains = student.deepnorm_constants(2)[1]
    assert set(gains) == {"q_proj", "k_proj", "v_proj", "out_proj", "up_proj", "down_proj"}
    assert_close(gains["v_proj"], 0.5)
    assert_close(student.residual_std("pre", 15), 4.0)
