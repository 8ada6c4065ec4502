"""Hidden tests of agents/react_loop."""

import pytest

from autograder.testing import assert_close, for_student, own_or_reference, scripted_model


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("Action: lookup[a[0] and b[1]] now", ("lookup", "a[0] and b[1]")),
        ("Action: Search[Front Row (software)]", ("Search", "Front Row (software)")),
        ("Action: 查询[ 猫\t]", ("查询", "猫")),
        ("Action: tool_2[]", ("tool_2", "")),
        ("Action: Finish[Action: run[x]]", ("Finish", "Action: run[x]")),
        ("Action: run[]]", ("run", "]")),
    ],
)
def test_argument_to_the_last_bracket(student, line, action):
    """The argument goes up to the line's last bracket, without spaces at its ends, and what follows there is dropped.

    zh: 参数一直到这一行的最后一个右括号，首尾空白不算，再往后的丢掉。
    """
    for front in ("Thought: I see ] and [.\n", "", "Thought: one\n\ntwo\n"):
        reply = f" \n{front}{line}\n"
        kept = reply[: reply.rindex("]") + 1].strip()
        assert_close(student.read_step(reply), (kept, action))


@pytest.mark.points(1)
def test_first_of_two_actions(student):
    """The first action counts, and neither thoughts nor actions behind it are kept.

    zh: 以第一个动作为准，它后面的想法和动作都不保留。
    """
    kept = "Thought: First the cat.\nAction: search[cat]"
    for behind in (
        "\nAction: search[dog]",
        "\nThought: And then?\nAction: Finish[dog]\n",
        " or search",
        "\n]",
    ):
        assert_close(student.read_step(kept + behind), (kept, ("search", "cat")))
    assert_close(student.read_step("Action: none\n" + kept), ("Action: none\n" + kept, ("search", "cat")))


@pytest.mark.points(1)
def test_made_up_observations(student):
    """Nothing from the first line on that begins with Observation is kept or acted on; the word elsewhere cuts nothing.

    zh: 从第一个以 Observation 开头的行起，一概不保留、不执行；这个词出现在别处时不截断。
    """
    made_up = "Observation: It is warm.\nThought: Good.\nAction: Finish[warm]"
    for label in ("Observation: ", "Observation 1: ", "Observation"):
        behind = label + made_up.removeprefix("Observation: ")
        assert_close(student.read_step(f"Thought: Why?\n\n{behind}"), ("Thought: Why?", None))
        assert_close(student.read_step(behind), ("", None))
        assert_close(
            student.read_step(f"Action: ask[cat]\n{behind}\n{behind}"), ("Action: ask[cat]", ("ask", "cat"))
        )
    reply = "Thought: My Observation is old.\nAction: ask[Observation: deck]"
    assert_close(student.read_step(f"{reply}\n{made_up}"), (reply, ("ask", "Observation: deck")))


@pytest.mark.points(1)
@pytest.mark.parametrize(
    "line",
    ["Action: search", "Action: search[cat", "Action: [cat]", "Action: search[cat\n]", "Finish[cat]", "I do Action: a[b]"],
)  # fmt: skip
def test_no_readable_action(student, line):
    """What doesn't have the form of an action is none, and all of the reply is kept.

    zh: 不合动作格式的就不是动作，整条回复都保留。
    """
    for behind in ("", "\nObservation: cat]", "\n and so on.\n"):
        expected = f"Thought: So.\n{line}{behind}".split("\nObservation")[0].strip()
        assert_close(student.read_step(f"\nThought: So.\n{line}{behind}"), (expected, None))
        assert_close(student.read_step("Action: a[b]" + behind), ("Action: a[b]", ("a", "b")))


LONG = "".join(chr(0x4E00 + place) for place in range(90))


@pytest.mark.points(1)
def test_what_tools_say(student):
    """The named tool gets the argument as it is, once, and its answer is the observation.

    zh: 被点名的工具收到原样的参数，只调用一次，它的回答就是观察。
    """
    asked = []

    def search(topic):
        asked.append(("search", topic))
        return f"about {topic}\n"

    def echo(text):
        asked.append(("echo", text))
        return text

    tools = {"search": search, "echo": echo}
    calls = [("echo", "猫"), ("search", "a[0]"), ("echo", ""), ("search", "1, 2")]
    expected = ["猫", "about a[0]\n", "", "about 1, 2\n"]
    assert_close([student.observe(*call, tools, 500) for call in calls], expected)
    assert_close(asked, calls)


@pytest.mark.points(1)
def test_failures_are_seen(student):
    """An exception is observed by class and text, an unknown tool by the names of those that there are; nothing is raised.

    zh: 异常以类名和文字出现在观察里；没有这个工具时，观察里列出已有的工具；什么也不抛出。
    """

    def fail(kind):
        errors = {"key": KeyError, "time": TimeoutError, "type": TypeError, "": ZeroDivisionError}
        raise for_student(errors[kind](f"row {len(kind)}"))

    tools = {"fail": fail, "lookup": lambda text: text}
    for kind, name in [("key", "KeyError"), ("time", "TimeoutError"), ("", "ZeroDivisionError")]:
        observation = student.observe("fail", kind, tools, 500)
        assert name in observation
        assert f"row {len(kind)}" in observation
    for name in ("search", "Fail", "look"):
        observation = student.observe(name, "x", tools, 500)
        assert "fail" in observation
        assert "lookup" in observation


@pytest.mark.points(1)
@pytest.mark.parametrize("limit", [10, 11, 37, 89, 90, 91])
def test_length_with_the_mark(student, limit):
    """No observation has more than the limit's characters, those of errors included; a longer one keeps its beginning, and the mark counts.

    zh: 观察的字符数不超过上限，错误信息也一样；太长的保留开头，标记计入长度。
    """

    def fail(_):
        raise for_student(ValueError(LONG))

    tools = {"tell": lambda text: text, "fail": fail}
    cut = LONG[: limit - 10] + " ... [cut]"
    assert_close(student.observe("tell", LONG, tools, limit), LONG if limit >= 90 else cut)
    assert_close(student.observe("tell", LONG[:limit], tools, limit), LONG[:limit])
    observation = student.observe("fail", "", tools, limit)
    assert len(observation) == limit
    assert observation.endswith(" ... [cut]")


def reply(name, argument):
    return f"Thought: {name} it.\nAction: {name}[{argument}]"


class World:
    """What the student's loop did: `done` are its actions, each observation is another one."""

    def __init__(self, student, replies, max_steps):
        self.done = []
        self.model = scripted_model(replies)

        def act(name, argument):
            self.done.append((name, argument))
            return f"seen {len(self.done)}"

        self.found = student.react("Task.\nQuestion?", self.model, act, max_steps)
        self.steps = self.found["steps"]
        self.seen = [step["observation"] for step in self.steps]


@pytest.mark.points(2)
@pytest.mark.parametrize("max_steps", [1, 2, 3, 5])
@own_or_reference("read_step")
def test_one_call_for_each_step(student, reference, max_steps):
    """The model is called at most max_steps times, repairs and repetitions included; a run that didn't finish by then has no answer.

    zh: 模型最多调用 max_steps 次，改正和重复都算在内；到那时还没有结束的运行没有答案。
    """
    for unreadable in (set(), {0}, {1, 2}, set(range(9))):
        replies = ["Hm." if n in unreadable else reply("look", n % 3) for n in range(9)]
        world = World(student, replies, max_steps)
        assert (world.model.calls, len(world.steps)) == (max_steps, max_steps)
        assert (world.found["status"], world.found["answer"]) == ("limit", None)
        fresh = {n % 3 for n in range(max_steps) if n not in unreadable}
        assert_close(sorted(world.done), [("look", str(n)) for n in sorted(fresh)])
        assert world.seen[-1]
        replies[max_steps - 1] = reply("Finish", "it")
        world = World(student, replies, max_steps)
        assert (world.model.calls, world.found["status"], world.found["answer"]) == (
            max_steps,
            "finished",
            "it",
        )


@pytest.mark.points(2)
@own_or_reference("read_step")
def test_everything_is_in_the_prompt(student, reference):
    """Each prompt is the task and all steps so far, their texts and observations in order; a second run starts with the task alone.

    zh: 每次的提示词是任务加上此前的所有步骤，文字和观察按次序排列；第二次运行只从任务开始。
    """
    replies = [
        reply("search", "cat"),
        "Hm.\n",
        reply("ask", "cat"),
        reply("search", "cat"),
        reply("Finish", "it"),
    ]
    replies[2] += "\nObservation: made up\nThought: So be it."
    for _ in range(2):
        world = World(student, replies, 9)
        prompt = "Task.\nQuestion?"
        for step, written, asked in zip(world.steps, replies, world.model.prompts, strict=True):
            assert asked.rstrip("\n") == prompt
            text, action = reference.read_step(written)
            assert_close((step["text"], step["action"]), (text, action))
            prompt += f"\n{text}\nObservation: {step['observation']}"
        assert "made up" not in prompt
        assert_close(world.done, [("search", "cat"), ("ask", "cat")])
        assert world.seen[-1] is None


@pytest.mark.points(2)
@own_or_reference("read_step")
def test_nothing_is_done_twice(student, reference):
    """An action of any earlier step isn't done again, and its observation tells so; another argument or another tool is another action.

    zh: 先前任何一步做过的动作不再做，观察里说明这一点；参数不同或工具不同，就是不同的动作。
    """
    actions = [
        ("a", "x"),
        ("b", "x"),
        ("a", "y"),
        ("a", "x"),
        ("a", "x"),
        ("b", "x"),
        ("a", "X"),
        ("a", "y x"),
    ]
    replies = [reply(*action) for action in actions]
    replies[4] = "Thought: Again, but why?\nAction: a[ x ] please"
    world = World(student, replies, len(actions))
    fresh = [0, 1, 2, 6, 7]
    assert_close(world.done, [actions[n] for n in fresh])
    assert [world.seen[n] for n in fresh] == [f"seen {n}" for n in range(1, 6)]
    for n in (3, 4, 5):
        assert isinstance(world.seen[n], str)
        assert world.seen[n].strip()
        assert "seen" not in world.seen[n]


@pytest.mark.points(1)
@own_or_reference("read_step")
def test_repair_and_finish(student, reference):
    """An unreadable reply is told the form and is no action; only Finish ends a run, and it is no tool.

    zh: 读不懂的回复会得到格式提示，不算动作；只有 Finish 结束运行，而它不是工具。
    """
    replies = [
        "Finish[41]",
        "The answer is 41.",
        "Action: Finish",
        "",
        reply("finish", "41"),
        reply("Answer", "41"),
    ]
    world = World(student, [*replies, reply("Finish", "f[42]"), reply("Finish", "43")], 20)
    assert (world.found["status"], world.found["answer"], world.model.calls) == ("finished", "f[42]", 7)
    for step in world.steps[:4]:
        assert step["action"] is None
        assert "Action: name[argument]" in step["observation"]
    assert_close(world.done, [("finish", "41"), ("Answer", "41")])
    world = World(student, [reply("Finish", " "), reply("Finish", "43")], 20)
    assert (world.found["status"], world.found["answer"], world.model.calls) == ("finished", "", 1)
