"""One pattern for a whole reply, and a loop that calls itself with what is left of the steps."""

import re
from collections.abc import Callable
from typing import Any

MARK = " ... [cut]"

STEP = re.compile(
    r"""(?P<text> (?: (?!Observation|Action:\ \w+\[.*\]) .* \n )*
                  (?: Action:\ (?P<name>\w+) \[ (?P<argument>.*) \] | (?!Observation) .* )? )""",
    re.VERBOSE,
)


def read_step(reply: str) -> tuple[str, tuple[str, str] | None]:
    found = STEP.match(reply)
    assert found is not None
    text = found["text"].strip()
    return text, None if found["name"] is None else (found["name"], found["argument"].strip())


def observe(name: str, argument: str, tools: dict[str, Callable[[str], str]], limit: int) -> str:
    def missing(_: str) -> str:
        raise LookupError("use " + " or ".join(tools))

    try:
        text = tools.get(name, missing)(argument)
    except Exception as error:
        text = type(error).__name__ + " " + str(error)
    if len(text) > limit:
        text = text[:limit][: -len(MARK)] + MARK
    return text


def react(
    task: str, model: Callable[[str], str], act: Callable[[str, str], str], max_steps: int
) -> dict[str, Any]:
    def go_on(prompt: str, left: int, done: frozenset[Any]) -> tuple[str | None, list[dict[str, Any]]]:
        if left == 0:
            return None, []
        text, action = read_step(model(prompt))
        match action:
            case None:
                seen = "Please write Action: name[argument] in a line of its own."
            case ("Finish", answer):
                return answer, [{"text": text, "action": action, "observation": None}]
            case _ if action in done:
                seen = "This was done already."
            case (name, argument):
                seen = act(name, argument)
        answer, later = go_on(f"{prompt}{text}\nObservation: {seen}\n", left - 1, done | {action})
        return answer, [{"text": text, "action": action, "observation": seen}, *later]

    answer, steps = go_on(task + "\n", max_steps, frozenset())
    return {"status": "limit" if answer is None else "finished", "answer": answer, "steps": steps}
