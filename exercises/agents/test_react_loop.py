"""Public tests of agents/react_loop: short runs with a model whose replies are written down."""

import pytest

from autograder.testing import assert_close, for_student, own_or_given, scripted_model


@pytest.mark.points(1.5)
def test_nobody_observes_but_the_loop(student):
    """The model makes up what it saw, and finishes with it: all of that is dropped, the first action stays.

    zh: 模型自己编了一条观察，还据此给出答案：这些全部丢掉，只留第一个动作。
    """
    reply = """Thought: When did he print?
Action: search[Bi Sheng]
Observation: In 1450.
Thought: Now I know.
Action: Finish[1450]"""
    text = "Thought: When did he print?\nAction: search[Bi Sheng]"
    assert_close(student.read_step(reply), (text, ("search", "Bi Sheng")))


@pytest.mark.points(0.5)
def test_reply_without_action(student):
    """A reply that only talks has no action.

    zh: 只说话的回复没有动作。
    """
    assert_close(student.read_step("I think it was in 1450.\n"), ("I think it was in 1450.", None))
    assert_close(student.read_step("Action: search[1450]"), ("Action: search[1450]", ("search", "1450")))


@pytest.mark.points(1)
def test_observation_of_a_failure(student):
    """A tool that raises is observed by its class and text; a long answer is cut to the limit, the mark included.

    zh: 工具抛异常，观察到的是类名和文字；回答太长就截到上限，标记也算在内。
    """

    def search(topic):
        if topic == "Bi Sheng":
            return "Around 1040 Bi Sheng printed with clay."
        raise for_student(KeyError("no page on this"))

    tools = {"search": search}
    assert_close(student.observe("search", "Bi Sheng", tools, 39), "Around 1040 Bi Sheng printed with clay.")
    assert_close(student.observe("search", "Bi Sheng", tools, 21), "Around 1040 ... [cut]")
    observation = student.observe("search", "Gutenberg", tools, 80)
    assert "KeyError" in observation
    assert "no page on this" in observation


def read(replies):
    """A reader that knows these replies and their actions."""
    return lambda reply: (reply, replies[reply])


@pytest.mark.points(1.5)
def test_a_run_of_three(student):
    """Two searches and an answer: each prompt holds all that came before, and the answer ends the run.

    zh: 搜索两次，给出答案：每次的提示词包含之前的一切，给出答案后运行结束。
    """
    replies = {
        "Thought: When did he print?\nAction: search[Bi Sheng]": ("search", "Bi Sheng"),
        "Thought: And the paper?\nAction: search[Cai Lun]": ("search", "Cai Lun"),
        "Thought: 1040 - 105.\nAction: Finish[935 years]": ("Finish", "935 years"),
    }
    first, second, _ = replies

    def act(name, argument):
        return {"Bi Sheng": "Around 1040.", "Cai Lun": "In 105."}[argument]

    def check():
        model = scripted_model(list(replies))
        found = student.react("How many years lie between?", model, act, 9)
        assert (found["status"], found["answer"], model.calls) == ("finished", "935 years", 3)
        expected = (
            f"How many years lie between?\n{first}\nObservation: Around 1040.\n{second}\nObservation: In 105."
        )
        assert model.prompts[2].rstrip("\n") == expected
        assert [step["observation"] for step in found["steps"]] == ["Around 1040.", "In 105.", None]

    own_or_given(check, student, read_step=read(replies))


@pytest.mark.points(1)
def test_talk_is_no_answer(student):
    """Two replies without action and a limit of two: two model calls, no answer.

    zh: 两条没有动作的回复，上限两步：恰好调用模型两次，没有答案。
    """

    def check():
        model = scripted_model(["It was 1450.", "1450, I said.", "Action: Finish[1450]"])
        found = student.react("When?", model, lambda name, argument: "seen", 2)
        assert (found["status"], found["answer"], model.calls) == ("limit", None, 2)
        assert "Action: name[argument]" in model.prompts[1]

    own_or_given(check, student, read_step=read({"It was 1450.": None, "1450, I said.": None}))
