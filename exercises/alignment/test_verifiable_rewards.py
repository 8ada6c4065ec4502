"""Public tests of alignment/verifiable_rewards."""

import pytest


@pytest.mark.points(2)
def test_answers_by_hand(student):
    """The answer stands in the last box or, without a box, after ####; a number elsewhere is no answer, even if it is right.

    zh: 答案在最后一个框里；没有框，就在 #### 之后。写在别处的数不是答案，即使碰巧是对的。
    """
    assert student.extract_answer(r"At first \boxed{3}. No: \boxed{\frac{1}{2}}.") == r"\frac{1}{2}"
    assert student.extract_answer("3 + 4 = 7\n#### 7\n") == "7"
    assert student.extract_answer("3 + 4 is 7.") is None


@pytest.mark.points(1.5)
def test_equal_by_hand(student):
    """0.5, 1/2, a LaTeX fraction and 50 % are one number; 50 is another, and 1/0 is none.

    zh: 0.5、1/2、LaTeX 分数和 50% 是同一个数；50 是另一个数；1/0 不是数。
    """
    for answer in ("0.5", "1/2", r"$\frac{1}{2}$", r"50\%"):
        assert student.same_answer(answer, "1/2"), f"{answer} is one half"
    assert student.same_answer("1,000", "1000")
    for answer in ("50", "2", "1/0", "one half"):
        assert not student.same_answer(answer, "1/2"), f"{answer} is not one half"


@pytest.mark.points(0.75)
def test_format_by_hand(student):
    """Thinking between its tags and an answer after it earn 1.0; the answer alone earns 0.0.

    zh: 思考写在标签之间、后面有答案，得 1.0；只有答案，得 0.0。
    """
    assert student.format_reward("<think>3 + 4 is 7.</think>\n#### 7") == 1.0
    assert student.format_reward("#### 7") == 0.0


@pytest.mark.points(0.75)
def test_unit_tests_by_hand(student):
    """A program that passes both of its tests earns 1.0, one that fails the second 0.0.

    zh: 两个测试都通过的程序得 1.0；第二个没通过的得 0.0。
    """

    def run(program: str, test: str) -> bool:
        return test in program

    assert student.unit_test_reward("adds and subtracts", ["adds", "subtracts"], run) == 1.0
    assert student.unit_test_reward("adds", ["adds", "subtracts"], run) == 0.0
