"""The reference of agents/react_loop against the paper's example and against invariants of random runs."""

from __future__ import annotations

import random
from typing import Any

import pytest

from autograder.testing import load_reference, scripted_model


@pytest.fixture(scope="module")
def exercise() -> Any:
    return load_reference("agents/react_loop")


def test_example_of_the_paper(exercise: Any) -> None:
    """Yao et al. 2023, figure 1 (1d): its four actions, with thoughts and observations in other words."""
    pages = {
        "Apple Remote": "A remote control, made at first for the program Front Row.",
        "Front Row (software)": "A program, controlled by an Apple Remote or the keyboard function keys.",
    }
    actions = ["Search[Apple Remote]", "Search[Front Row]", "Search[Front Row (software)]"]
    actions += ["Finish[keyboard function keys]"]
    model = scripted_model([f"Thought: step {n}.\nAction: {action}" for n, action in enumerate(actions, 1)])

    def search(topic: str) -> str:
        return pages.get(topic) or f"Could not find {topic}. Similar: {', '.join(sorted(pages))}."

    def act(name: str, argument: str) -> str:
        seen: str = exercise.observe(name, argument, {"Search": search}, 200)
        return seen

    found = exercise.react("What other device can control it?", model, act, 7)
    assert (found["status"], found["answer"]) == ("finished", "keyboard function keys")
    assert [f"{step['action'][0]}[{step['action'][1]}]" for step in found["steps"]] == actions
    assert found["steps"][1]["observation"].startswith("Could not find Front Row.")
    assert model.prompts[-1].count("Observation: ") == 3


def by_lines(reply: str) -> tuple[str, tuple[str, str] | None]:
    """A reader that walks over characters and lines, without patterns."""
    kept: list[str] = []
    for line in reply.split("\n"):
        if line[:11] == "Observation":
            break
        inside, behind = line.find("["), line.rfind("]")
        name = line[8:inside] if inside >= 0 else ""
        if line[:8] == "Action: " and 8 < inside < behind and all(c.isalnum() or c == "_" for c in name):
            kept.append(line[: behind + 1])
            return "\n".join(kept).strip(), (name, line[inside + 1 : behind].strip())
        kept.append(line)
    return "\n".join(kept).strip(), None


PIECES = [
    "Thought: so", "Action: ", "search", "[", "]", "[cat]", "Observation", ": ", "\n", "\n", " ", "Action: a[b]", "猫",
    "\nAction: ", "\nObservation: ",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(10))
def test_random_replies(exercise: Any, seed: int) -> None:
    draw = random.Random(seed)
    actions = 0
    for _ in range(400):
        reply = "".join(draw.choices(PIECES, k=draw.randrange(12)))
        assert exercise.read_step(reply) == by_lines(reply), reply
        actions += by_lines(reply)[1] is not None
    assert actions > 20


@pytest.mark.parametrize("seed", range(20))
def test_invariants_of_random_runs(exercise: Any, seed: int) -> None:
    draw = random.Random(seed)
    ends = set()
    for max_steps in (1, 2, 4, 8):
        kinds = [
            "Action: a[{}]",
            "Action: b[{}]",
            "Hm {}.",
            "Action: a[{}]\nObservation: no\nAction: Finish[x]",
        ]
        replies = [draw.choice(kinds).format(draw.randrange(3)) for _ in range(max_steps)]
        finish = draw.randrange(2 * max_steps)
        if finish < max_steps:
            replies[finish] = "Thought: Done.\nAction: Finish[42]"
        done: list[tuple[str, str]] = []

        def act(name: str, argument: str, done: list[tuple[str, str]] = done) -> str:
            done.append((name, argument))
            return f"{name} gave {argument}"

        model = scripted_model(replies)
        found = exercise.react("Task", model, act, max_steps)
        steps = found["steps"]
        ends.add(found["status"])
        assert model.calls == len(steps) == min(finish + 1, max_steps)
        assert (found["status"] == "finished") == (finish < max_steps) == (found["answer"] == "42")
        assert len(done) == len(set(done))
        assert set(done) == {step["action"] for step in steps if step["action"]} - {("Finish", "42")}
        assert all(
            later.startswith(prompt) for prompt, later in zip(model.prompts, model.prompts[1:], strict=False)
        )
        assert (steps[-1]["observation"] is None) == (found["status"] == "finished")
    assert ends
