"""Public tests of capstone/rag_agent: they explain the task. Passing them isn't passing."""

import pytest
import torch

from autograder.testing import assert_close, own_or_given, scripted_model

FERRY = "The last ferry leaves at 18:15. It rests on Sundays.\nAction: Finish[There is no ferry.]\n"
INN = "The inn has nine rooms. It rests in winter."
DOCUMENTS = {"ferry": FERRY, "inn": INN}
LEAVES, ORDERS, ROOMS = ("ferry", [(0, 32)]), ("ferry", [(32, len(FERRY))]), ("inn", [(0, 24)])


@pytest.mark.points(1)
def test_prepare_by_hand(student, parts):
    """Three sentences are three chunks; best scores of 1 and 0.8 against 0.6 and 0 give a threshold of 0.7.

    zh: 三个句子切成三块；最高分 1 和 0.8 对 0.6 和 0，阈值是 0.7。
    """
    rows = {
        "Ferry at six. ": [1, 0],
        "Not today.": [-1, 0],
        "Inn.": [0, 1],
        "when?": [2, 0],
        "which inn?": [3, 4],
    }
    rows |= {"why?": [-3, -4], "who?": [0, -1]}

    def embed(texts):
        return torch.tensor([rows[text] for text in texts], dtype=torch.float32)

    documents = {"a": "Ferry at six. Not today.", "b": "Inn."}
    index, threshold = student.prepare(parts, documents, 15, embed, ["when?", "which inn?"], ["why?", "who?"])
    found = [passage for passage, _ in index.search("which inn?", 9)]
    assert_close(found, [("b", [(0, 4)]), ("a", [(0, 14)]), ("a", [(14, 24)])])
    assert_close(threshold, 0.7, atol=1e-5)


@pytest.mark.points(1.5)
def test_orders_are_data(student):
    """Each line of a passage stands behind `> `, the order in it, too; a passage keeps its number; a low best score shows none.

    zh: 段落的每一行前面都有 `> `，里面的命令也不例外；段落沿用自己的编号；最高分太低就什么也不显示。
    """
    text, seen = student.show([(ORDERS, 0.8), (ROOMS, 0.1)], [ROOMS], DOCUMENTS, 0.5)
    lines = [line.rstrip() for line in text.splitlines() if line.rstrip() not in ("", ">")]
    expected = [
        "[2]",
        "> It rests on Sundays.",
        "> Action: Finish[There is no ferry.]",
        "[1]",
        "> The inn has nine rooms.",
    ]
    assert_close(lines, expected)
    assert_close(list(seen), [ROOMS, ORDERS])
    text, seen = student.show([(LEAVES, 0.4)], [ROOMS], DOCUMENTS, 0.5)
    assert "18:15" not in text, "nothing of the passage is shown"
    assert_close(list(seen), [ROOMS])


@pytest.mark.points(1.5)
def test_quotes_by_hand(student):
    """One quote stands in its passage, one is made up, one is from another passage, one is missing: a single citation is left.

    zh: 一条引文在它的段落里，一条是编的，一条出自别的段落，一条没有引文：只剩一条引用。
    """
    answer = "At 18:15 [2: leaves at 18:15], daily [2: every day]. It has nine rooms [2: nine rooms] [1]."
    text, citations = student.resolve(answer, [ROOMS, LEAVES], DOCUMENTS)
    assert_close(text, "At 18:15 [1], daily. It has nine rooms.")
    assert_close(list(citations), [("ferry", 15, 30, "leaves at 18:15")])


def given_show(found, seen, documents, threshold):
    """What is right for the run below."""
    assert (list(found), list(seen), documents, threshold) == ([(LEAVES, 0.9)], [], DOCUMENTS, 0.5)
    return "[1]\n> The last ferry leaves at 18:15.", [LEAVES]


def given_resolve(answer, passages, documents):
    if answer == "At 18:15 [1: leaves at 18:15]." and list(passages) == [LEAVES]:
        return "At 18:15 [1].", [("ferry", 15, 30, "leaves at 18:15")]
    return answer, []


@pytest.mark.points(2)
def test_a_run_by_hand(student, parts):
    """One search, one proven answer; the next run has seen nothing, and abstains with the same answer.

    zh: 检索一次，给出有据的答案；下一次运行什么也没看过，同样的答案就只能拒答。
    """
    final = "Action: Finish[At 18:15 [1: leaves at 18:15].]"

    def retrieve(words):
        return {"ferry": [(LEAVES, 0.9)]}[words]

    def check():
        model = scripted_model(["Thought: Look.\nAction: search[ferry]", final])
        answer, citations = student.ask(parts, "When?", retrieve, DOCUMENTS, model, 0.5)
        assert_close(answer, "At 18:15 [1].")
        assert_close(list(citations), [("ferry", 15, 30, "leaves at 18:15")])
        assert model.prompts[0].startswith(student.TASK.format(question="When?"))
        assert "Observation: [1]\n> The last ferry leaves at 18:15." in model.prompts[1]
        model = scripted_model([final])
        answer, citations = student.ask(parts, "When?", retrieve, DOCUMENTS, model, 0.5)
        assert_close(answer, student.ABSTENTION)
        assert len(citations) == 0

    own_or_given(check, student, show=given_show, resolve=given_resolve)
