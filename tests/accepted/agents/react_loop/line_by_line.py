"""Lines instead of patterns, a prompt that is joined anew for each call, and early continues."""

from collections.abc import Callable
from typing import Any

MARK = " ... [cut]"


def action_of(line: str) -> tuple[int, str, str] | None:
    """Where the action ends in its line, its name and its argument."""
    head = "Action: "
    end = line.rfind("]")
    start = line.find("[")
    name = line[len(head) : start]
    if not line.startswith(head) or start < 0 or end < start:
        return None
    if not name or not name.replace("_", "a").isalnum():
        return None
    return end + 1, name, line[start + 1 : end].strip()


def read_step(reply: str) -> tuple[str, tuple[str, str] | None]:
    kept: list[str] = []
    action = None
    for line in reply.split("\n"):
        if line.startswith("Observation"):
            break
        found = action_of(line)
        if found:
            kept.append(line[: found[0]])
            action = found[1:]
            break
        kept.append(line)
    return "\n".join(kept).strip(), action


def shortened(text: str, limit: int) -> str:
    room = limit - len(MARK)
    return text if len(text) <= limit else f"{text[:room]}{MARK}"


def observe(name: str, argument: str, tools: dict[str, Callable[[str], str]], limit: int) -> str:
    tool = tools.get(name)
    if tool is None:
        return shortened(f"unknown tool, use one of {sorted(tools)}", limit)
    try:
        return shortened(tool(argument), limit)
    except Exception as error:
        return shortened(repr(error), limit)


def react(
    task: str, model: Callable[[str], str], act: Callable[[str, str], str], max_steps: int
) -> dict[str, Any]:
    result: dict[str, Any] = {"answer": None, "steps": [], "status": "limit"}
    known: set[tuple[str, str]] = set()

    def prompt() -> str:
        parts = [task]
        for step in result["steps"]:
            parts += [step["text"], "Observation: " + step["observation"]]
        return "\n".join(parts) + "\n"

    while len(result["steps"]) < max_steps:
        text, action = read_step(model(prompt()))
        step: dict[str, Any] = {"text": text, "action": action, "observation": None}
        if not action:
            step["observation"] = "No action found. It looks like this: Action: name[argument]"
        elif action[0] == "Finish":
            result |= {"status": "finished", "answer": action[1]}
        elif action in known:
            step["observation"] = f"{action[0]} was given this argument before."
        else:
            known.add(action)
            step["observation"] = act(action[0], action[1])
        result["steps"].append(step)
        if result["status"] == "finished":
            break
    return result
