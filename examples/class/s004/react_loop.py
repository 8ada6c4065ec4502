import re
from collections.abc import Callable
from typing import Any

MARK = " ... [cut]"  # stands at the end of an observation that was too long

Action = tuple[str, str]  # (name, argument)


def read_step(reply: str) -> tuple[str, Action | None]:
    before = re.split(r"^Observation", reply, flags=re.MULTILINE)[0]
    match = re.search(r"^Action: (\w+)\[(.*)\]", before, flags=re.MULTILINE)
    if match is None:
        return before.strip(), None
    return before[: match.end()].strip(), (match[1], match[2].strip())


def observe(name: str, argument: str, tools: dict[str, Callable[[str], str]], limit: int) -> str:
    try:
        if name in tools:
            observation = tools[name](argument)
        else:
            observation = f"There is no tool {name}. The tools are: {', '.join(tools)}."
    except Exception as error:
        observation = f"{type(error).__name__}: {error}"
    return observation if len(observation) <= limit else observation[: limit - len(MARK)] + MARK


def react(
    task: str, model: Callable[[str], str], act: Callable[[str, str], str], max_steps: int
) -> dict[str, Any]:
    history: list[dict[str, Any]] = []
    transcript = f"{task}\n"
    for _ in range(max_steps):
        said, action = read_step(model(transcript))
        entry = {"text": said, "action": action, "observation": None}
        tried = [other["action"] for other in history[-1:]]
        history.append(entry)
        if action is None:
            entry["observation"] = "That can't be read. Write a thought, then a line Action: name[argument]."
        elif action[0] == "Finish":
            return {"status": "finished", "answer": action[1], "steps": history}
        elif action in tried:
            entry["observation"] = "You have done exactly this before, see above. Try something else."
        else:
            entry["observation"] = act(*action)
        transcript += f"{said}\nObservation: {entry['observation']}\n"
    return {"status": "limit", "answer": None, "steps": history}
