"""Hidden tests of agents/prompting."""

import random
from collections import Counter

import pytest

from autograder.testing import assert_close, check_refusal, own_or_reference

EXAMPLES = [
    ("How many legs have three cats?", "Each has four; 3 x 4 = 12. The answer is 12."),
    ("猫坐在哪里？", "原文说：“猫坐在垫子上。”\n所以答案是垫子。"),
    (
        "When does the last ferry leave?",
        "At 12:00 one leaves and at 18:15 another; no later one is listed. " * 3,
    ),
    ("Is it warm?", "yes"),
    ("2 + 2?", "4"),
]
QUESTION = "Why did the cat sit there?"


def words_and_blocks(text):
    """Words, and 5 for each empty line: parts count less than the whole."""
    return len(text.split()) + 5 * text.count("\n\n")


def quarters(text):
    """About a token for four bytes: parts count more than the whole."""
    return -(-len(text.encode()) // 4)


@pytest.mark.points(1)
@pytest.mark.parametrize("shown", [3, 5, 1, 0])
def test_best_example_next_to_the_question(student, unchanged, shown):
    """Instructions, the examples with the best last, then the question with nothing behind "A:", an empty line between two blocks.

    zh: 依次是说明、示例（最好的在最后）、问题，“A:” 后面什么也没有，相邻两段之间空一行。
    """
    expected = "Answer briefly."
    for asked, answer in EXAMPLES[:shown][::-1]:
        expected += "\n\nQ: " + asked + "\nA: " + answer
    expected += "\n\nQ: " + QUESTION + "\nA:"
    arguments = ("Answer briefly.", EXAMPLES[:shown], QUESTION, len, 10_000)
    assert_close(student.few_shot(*arguments), expected)
    assert unchanged(student.few_shot, *arguments), "the list of examples is as it was"


@pytest.mark.points(1)
@pytest.mark.parametrize("count", [len, words_and_blocks, quarters])
def test_budget_of_the_whole_prompt(student, count):
    """As many of the best examples as the budget allows are shown, counted on the whole prompt; a question that doesn't fit is refused.

    zh: 从最好的示例起，在预算之内能放几个放几个，按整段提示词计数；连问题都放不下时报错。
    """
    # The student's own prompts with all of the first n examples: their layout isn't asked for here.
    own = [
        student.few_shot("Answer.", EXAMPLES[:n], QUESTION, count, 10_000) for n in range(len(EXAMPLES) + 1)
    ]
    for n, prompt in enumerate(own):
        assert QUESTION in prompt
        assert [asked in prompt for asked, _ in EXAMPLES] == [k < n for k in range(len(EXAMPLES))]
    sizes = [count(prompt) for prompt in own]
    assert sizes[4] - sizes[3] < sizes[3] - sizes[2], "a later example is smaller"
    for size in sizes:
        for budget in (size, size + 1, size - 1):
            if budget >= sizes[0]:
                fits = max(k for k in range(len(sizes)) if sizes[k] <= budget)
                assert_close(student.few_shot("Answer.", EXAMPLES, QUESTION, count, budget), own[fits])
    for examples in (EXAMPLES, []):
        arguments = ("Answer.", examples, QUESTION, count)
        check_refusal(student.few_shot, (*arguments, sizes[0]), (*arguments, sizes[0] - 1), ValueError)


MARKED = {
    "At first I thought the answer is 7.\nBut 3 x 4 = 12, so the answer is 12.": "12",
    "The answer is 18 (that is 3 x 6, not 20).": "18",
    "The answer is 4.\nI am 90% sure.": "4",
    "The answer is 5.\n\nQ: What is 6 + 3?\nA:": "5",
    "6 + 1 = 7. THE ANSWER IS: **7** (and not 8).": "7",
    "There are 3 cats with 4 legs each, which makes 12 legs": "12",
    "The cat is on the mat. It is 25 degrees there.": "25",
}


@pytest.mark.points(1)
def test_number_behind_the_last_marker(student):
    """The answer is the first number behind the last marker, on its line; without a marker, the last number.

    zh: 答案是最后一个 marker 后面、同一行里的第一个数；没有 marker 就取最后一个数。
    """
    for reply, expected in MARKED.items():
        assert_close(student.final_answer(reply), expected)


SAME = {
    "plain": {
        "1200": ["1,200", "$1200", "1200.0", "1,200.00", "1200.", "1,200,", "€1,200.", "1,200 euros"],
        "0.5": [".5", "0.5", "0.50", ".500", "$.5."],
        "1040.4": ["1040.40", "$1,040.4.", "1,040.400"],
        "100": ["100", "100.", "100.0"],
    },
    "odd": {
        "-3": ["-3", "-3.0", "-3.", "$-3.00", "-3,"],
        "0": ["0", "0.0", "0.", ".0"],
        "-0.25": ["-.25", "-0.250"],
        "0.00000012": [".0000001200", "0.00000012"],
        "12345678901234567890123456789012": ["12,345,678,901,234,567,890,123,456,789,012.0"],
    },
}


@pytest.mark.points(1)
@pytest.mark.parametrize("kind", SAME)
def test_one_form_for_equal_numbers(student, kind):
    """One number written in several ways is one answer, with all of its digits.

    zh: 同一个数不管怎么写，都是同一个答案，而且一位也不少。
    """
    for expected, written in SAME[kind].items():
        for number in written:
            assert_close(student.final_answer(f"So the answer is {number}"), expected)
            assert_close(student.final_answer(f"From 7 to {number}"), expected)


WORDS = [
    ("So the answer is (B).", "answer is", "b"),
    ("The answer is: Yes, it was Warm!", "answer is", "yes, it was warm"),
    ("The answer is **no**.\nThere are 3 reasons.", "answer is", "no"),
    ("It has 4 legs. The answer is no. \n", "answer is", "no"),
    ("答案是狗？不对，答案是：垫子。", "答案是", "垫子"),
    ("两年利息四十元四角，答案是 1,040.40 元。", "答案是", "1040.4"),
    ("Answer (final): 8 cats, 9 dogs", "answer (final)", "8"),
]
NOTHING = [
    "3 x 4 = 12. The answer is .",
    "The answer is 12. No, the answer is",
    "The answer is\n12",
    "I can't say.",
    "",
]


@pytest.mark.points(1)
@pytest.mark.parametrize("kind", ["words", "nothing"])
def test_words_and_missing_answers(student, kind):
    """Without a number behind the marker, its line's words are the answer, in small letters; where there is nothing, None.

    zh: marker 后面没有数字时，这一行的文字就是答案（小写）；什么都没有就是 None。
    """
    # A valid answer first: to say None always earns nothing.
    assert_close(student.final_answer("The answer is maybe 6."), "6")
    if kind == "words":
        for reply, marker, expected in WORDS:
            assert_close(student.final_answer(reply, marker), expected)
    else:
        for reply in NOTHING:
            assert_close(student.final_answer(reply), None)


BALLOTS = [
    (["It is 3.", "Who knows?", "No idea.", "Hm.", "The answer is 3."], ("3", 2)),
    (["answer is 5", "answer is 8", "answer is 8", "answer is 5"], ("5", 2)),
    (["answer is 9", "answer is 5", "answer is 8", "answer is 8", "answer is 5"], ("5", 2)),
    (["answer is 1", "answer is 2", "answer is 3", "answer is 4", "answer is 3"], ("3", 2)),
    (["answer is 1,200", "answer is 12", "answer is 12", "it costs $1200", "1200.0 it is"], ("1200", 3)),
    (["answer is No", "the Answer is yes.", "answer is (no)"], ("no", 2)),
    (["answer is 0", "I can't say.", "Nor can I."], ("0", 1)),
    (["I can't say.", "The answer is"], (None, 0)),
    ([], (None, 0)),
]


@pytest.mark.points(1)
@own_or_reference("final_answer")
def test_answers_vote(student, reference):
    """The answer given most often wins, of equals the one seen first; a reply without an answer doesn't vote.

    zh: 出现最多的答案胜出，票数相同取先出现的；没有答案的回答不投票。
    """
    # A valid vote first, with another marker: to say (None, 0) always earns nothing.
    chinese = ["答案是 7。", "答案是 6。", "答案是 6，不是 7。"]
    assert_close(tuple(student.self_consistency(chinese, "答案是")), ("6", 2))
    for replies, expected in BALLOTS:
        assert_close(tuple(student.self_consistency(replies)), expected)


class Tree:
    """Random proposals and scores, which write down what was asked for."""

    def __init__(self, seed, branches, depth, scores=10**6, twins=0):
        draw = random.Random(seed)
        self.children, self.scores = {}, {"?": -1.0}
        self.proposed, self.scored = [], []
        layer = ["?"]
        for level in range(depth):
            following = []
            for state in layer:
                number = 3 if state == "?" else draw.choice(branches)
                born = [f"{state}{letter}" for letter in "abcdef"[:number]]
                # In the game of 24 different steps lead to the same numbers: some children have two parents.
                born += [draw.choice(following or born) for _ in range(twins) if born]
                self.children[state] = born
                following += born
            layer = list(dict.fromkeys(following))
            for state in layer:
                self.scores[state] = draw.randrange(scores) / 7 - level
        self.last = layer

    def propose(self, state):
        self.proposed.append(state)
        return list(self.children.get(state, []))

    def score(self, state):
        self.scored.append(state)
        return self.scores[state]

    def search(self, student, width, depth):
        return list(student.tree_of_thoughts("?", self.propose, self.score, width, depth))


@pytest.mark.points(1)
@pytest.mark.parametrize("width", [2, 3, 1, 100])
def test_beam_over_all_children(student, reference, width):
    """The best of all children together live on, the best first, of equals those proposed first; dead ends drop out.

    zh: 所有子状态放在一起取最好的，最好的在前，同分时先提出的在前；走不下去的状态出局。
    """
    ends = set()
    for seed in range(12):
        tied = seed >= 6
        tree = Tree(seed, (0, 2, 3, 4), 4, scores=4 if tied else 10**6)
        for depth in (4, 2, 1, 0):
            expected = reference.tree_of_thoughts("?", tree.propose, tree.score, width, depth)
            assert_close(tree.search(student, width, depth), expected)
            ends.add(len(expected[0]) - 1 == depth)
    assert ends == {True, False} or width == 100, "some searches end early"
    # A beam as wide as the tree finds the best of all paths.
    tree = Tree(3, (2, 3), 4)
    best = max(tree.last, key=tree.scores.__getitem__)
    assert tree.search(student, 200, 4)[0] == best


@pytest.mark.points(1)
@pytest.mark.parametrize("width", [3, 5, 1])
def test_calls_and_twins(student, width):
    """Each state is proposed from once and each child scored once, the root never; a child of two parents is one.

    zh: 每个状态只展开一次，每个子状态只打一次分，根从不打分；两个状态提出的同一个子状态只算一个。
    """
    for seed in range(12):
        tree = Tree(seed, (2, 3) if seed < 6 else (0,), 3, twins=2)  # of the latter, all end early
        # The search can be followed from what was asked for: a round's states are those that were proposed from.
        found = tree.search(student, width, 3)
        proposed, scored = Counter(tree.proposed), Counter(tree.scored)
        assert len(tree.proposed) > 1, "the model was never asked to go on"
        assert set(proposed.values()) == {1}, "a state was proposed from twice"
        born = {child for state in proposed for child in tree.children[state]}
        assert scored == Counter(born), "each child once, and the root never"
        last = {child for child in born if len(child) == max(map(len, born))}
        assert len(set(found)) == len(found) == min(width, len(last))
        assert set(found) <= last
