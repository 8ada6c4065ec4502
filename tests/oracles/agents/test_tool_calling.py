"""The reference of agents/tool_calling against transformers, jsonschema, and the examples of two specifications."""

from __future__ import annotations

import itertools
import json
from typing import Any

import jsonschema
import pytest

from autograder.testing import load_reference

SIGNATURES = [
    "city: str",
    "n: int = 3, flag: bool = False",
    "x: float | None, tags: list[str] | None = None",
    "unit: Literal['C', 'F'] = 'C', matrix: list[list[int]] = None",
    "options: dict, a: Optional[int], b: Optional[bool] = True",
    "items: list[int | None], unit: Optional[Literal['a', 'b']] = None",
    "",
]


@pytest.fixture(scope="module")
def exercise() -> Any:
    return load_reference("agents/tool_calling")


@pytest.mark.parametrize("signature", SIGNATURES)
def test_schema_of_transformers(exercise: Any, signature: str) -> None:
    from transformers.utils import get_json_schema

    names = [part.split(":")[0].strip() for part in signature.split(", ") if ":" in part]
    lines = "".join(f"        {name}: The {name}: what it is.\n" for name in names)
    arguments = f"\n    Args:\n{lines}" if names else ""
    source = f'def tool({signature}):\n    """Does it.\n\n    In detail.\n{arguments}    """\n'
    # transformers asks the class of an annotation for its module, which a text run by `exec` has as well.
    function = exercise.define(source)
    expected = get_json_schema(function)["function"]
    found = exercise.tool_schema(function)
    if not found["parameters"]["required"]:
        del found["parameters"]["required"]
    assert found == expected


PROPERTIES: list[dict[str, Any]] = [
    {"type": "integer"},
    {"type": "number"},
    {"type": "string"},
    {"type": "boolean"},
    {"type": "object"},
    {"type": "string", "enum": ["a", "5"]},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
    {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}},
]
VALUES = [
    0, 5, -3, 5.0, 5.5, True, False, None, "", "a", "b", "5", "true", {}, {"a": 1}, [], [1], [1.0], [1, True], ["a"],
    ["a", "c"], [[True]], [[1]], [None],
]  # fmt: skip


@pytest.mark.parametrize("wanted", PROPERTIES, ids=str)
def test_what_jsonschema_accepts(exercise: Any, wanted: dict[str, Any]) -> None:
    """Values that are no text are accepted where jsonschema accepts them; what is handed on is always valid."""
    parameters = {"type": "object", "properties": {"x": wanted}, "required": ["x"]}
    accepted = 0
    for value in VALUES:
        received: list[Any] = []
        tools = {"tool": (parameters, lambda x, received=received: received.append(x))}
        result = exercise.call_tool("tool", {"x": value}, tools)
        valid = jsonschema.Draft202012Validator(wanted).is_valid(value)
        assert result["is_error"] == (not received)
        if received:
            jsonschema.validate(received[0], wanted)
            accepted += 1
        if valid or not isinstance(value, str):
            assert valid == bool(received), value
    assert accepted


@pytest.mark.parametrize("required", [(), ("a",), ("a", "b")])
def test_what_jsonschema_requires(exercise: Any, required: tuple[str, ...]) -> None:
    properties = {"a": {"type": "integer"}, "b": {"type": "string"}}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    strict = {**parameters, "additionalProperties": False}
    values = {"a": 1, "b": "x", "c": None}
    for size in range(4):
        for names in itertools.combinations(values, size):
            arguments = {name: values[name] for name in names}
            result = exercise.call_tool("tool", arguments, {"tool": (parameters, lambda **_: "")})
            assert result["is_error"] != jsonschema.Draft202012Validator(strict).is_valid(arguments)


WEATHER = {
    "name": "get_weather",
    "description": "Get current weather information for a location",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "City name or zip code"}},
        "required": ["location"],
    },
}


def respond(exercise: Any, message: str, is_error: bool = False) -> Any:
    def call(name: str, arguments: Any) -> dict[str, Any]:
        return {"content": f"{name} {arguments}", "is_error": is_error}

    answer = exercise.answer_request(message, [WEATHER], call)
    return answer if answer is None else json.loads(answer)


# JSON-RPC 2.0, section 7: message, and the error's code and the id of the answer, or None where there is none.
EXAMPLES = [
    ('{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    ('{"jsonrpc": "2.0", "method": "foobar"}', None),
    ('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}', (-32601, "1")),
    ('{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]', (-32700, None)),
    ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', (-32600, None)),
    ("[]", (-32600, None)),
]


@pytest.mark.parametrize(("message", "expected"), EXAMPLES)
def test_examples_of_json_rpc(exercise: Any, message: str, expected: tuple[int, Any] | None) -> None:
    answer = respond(exercise, message)
    if expected is None:
        assert answer is None
    else:
        assert (answer["error"]["code"], answer["id"]) == expected
        assert answer.keys() == {"jsonrpc", "id", "error"}


def test_examples_of_mcp(exercise: Any) -> None:
    """MCP 2025-11-25, server tools: the shapes of a list, a call, an unknown tool and a failed one."""
    answer = respond(exercise, '{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}')
    tool = {each: WEATHER[each] for each in ("name", "description")} | {"inputSchema": WEATHER["parameters"]}
    assert answer == {"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool]}}
    params = {"name": "get_weather", "arguments": {"location": "New York"}}
    request = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    for failed in (False, True):
        text = {"type": "text", "text": "get_weather {'location': 'New York'}"}
        expected = {"jsonrpc": "2.0", "id": 2, "result": {"content": [text], "isError": failed}}
        assert respond(exercise, json.dumps(request), failed) == expected
    params["name"] = "invalid_tool_name"
    answer = respond(exercise, json.dumps({**request, "id": 3}))
    assert (answer["id"], answer["error"]["code"]) == (3, -32602)
