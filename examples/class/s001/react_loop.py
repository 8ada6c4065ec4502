import re
from collections.abc import Callable
from typing import Any

MARK = " ... [cut]"  # stands at the end of an observation that was too long

Action = tuple[str, str]  # (name, argument)


def read_step(reply: str) -> tuple[str, Action | None]:
    cut = re.search(r"^Observation", reply, re.MULTILINE)
    if cut:
        reply = reply[: cut.start()]
    found = re.search(r"^Action: (\w+)\[(.*)\]", reply, re.MULTILINE)
    if found is None:
        return reply.strip(), None
    return reply[: found.end()].strip(), (found[1], found[2].strip())


def observe(name: str, argument: str, tools: dict[str, Callable[[str], str]], limit: int) -> str:
    if name in tools:
        try:
            text = str(tools[name](argument))
        except (Exception, SystemExit) as problem:
            try:
                text = f"{type(problem).__name__}: {problem}"
            except Exception:
                text = type(problem).__name__
    else:
        text = f"There is no tool {name}. Tools: {', '.join(tools) or 'none'}"
    if len(text) > limit:
        text = text[: limit - len(MARK)] + MARK
    return text


def react(
    task: str, model: Callable[[str], str], act: Callable[[str, str], str], max_steps: int
) -> dict[str, Any]:
    prompt = task + "\n"
    steps: list[dict[str, Any]] = []
    earlier: set[Action] = set()
    for _ in range(max_steps):
        text, action = read_step(model(prompt))
        step: dict[str, Any] = {"text": text, "action": action, "observation": None}
        steps.append(step)
        if action is None:
            observation = "I found no action. Write one on a line of its own, as Action: name[argument]"
        elif action[0] == "Finish":
            return {"status": "finished", "answer": action[1], "steps": steps}
        elif action in earlier:
            observation = "You have done this already; see the observation above, and try something else."
        else:
            earlier.add(action)
            observation = act(*action)
        step["observation"] = observation
        prompt += f"{text}\nObservation: {observation}\n"
    return {"status": "limit", "answer": None, "steps": steps}
