"""Public tests of agents/prompting: examples small enough to do by hand."""

import pytest

from autograder.testing import assert_close


def words(text):
    """What a prompt costs here: its words."""
    return len(text.split())


@pytest.mark.points(1)
def test_prompt_by_hand(student):
    """Sixteen words have room for the best two examples, the best one next to the question; three are too few for the question alone.

    zh: 十六个词放得下最好的两个示例，最好的紧挨着问题；三个词连问题都放不下。
    """
    examples = [("1 + 1?", "2"), ("2 + 1?", "3"), ("big?", "no")]
    prompt = student.few_shot("Add.", examples, "3?", words, 16)
    assert_close(prompt, "Add.\n\nQ: 2 + 1?\nA: 3\n\nQ: 1 + 1?\nA: 2\n\nQ: 3?\nA:")
    with pytest.raises(ValueError):
        student.few_shot("Add.", examples, "3?", words, 3)


@pytest.mark.points(1)
def test_answer_by_hand(student):
    """The last "answer is" counts; without one, the last number; "$1,200." and "1200" are the same.

    zh: 以最后一个 “answer is” 为准；没有就取最后一个数；“$1,200.” 与 “1200” 相同。
    """
    assert_close(student.final_answer("The answer is 5. No: the answer is 6, not 7."), "6")
    assert_close(student.final_answer("The answer is $1,200."), "1200")
    assert_close(student.final_answer("5 and 1 are 6"), "6")
    assert_close(student.final_answer("The answer is (B)."), "b")
    assert_close(student.final_answer("I don't know."), None)


@pytest.mark.points(1)
def test_vote_by_hand(student):
    """Two votes for 8, one for 5, and two replies that don't vote.

    zh: 8 得两票，5 得一票，另外两个回答不投票。
    """
    replies = ["The answer is 5.", "Hm.", "The answer is 8.", "So the answer is 8.0", "No idea."]
    assert_close(tuple(student.self_consistency(replies)), ("8", 2))
    assert_close(tuple(student.self_consistency(["Hm."])), (None, 0))


@pytest.mark.points(1)
def test_tree_by_hand(student):
    """Of the four grandchildren the best two live on, although both come from the state a.

    zh: 四个孙状态里留下最好的两个，尽管它们都出自状态 a。
    """
    children = {"": ["a", "b", "c"], "a": ["aa", "ab"], "b": ["ba", "bb"]}
    scores = {"a": 3, "b": 2, "c": 1, "aa": 8, "ab": 9, "ba": 7, "bb": 6}
    found = student.tree_of_thoughts("", children.__getitem__, scores.__getitem__, 2, 2)
    assert_close(list(found), ["ab", "aa"])
