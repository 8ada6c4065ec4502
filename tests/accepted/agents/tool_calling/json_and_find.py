"""Calls are found by position; a value in text is read as JSON; early returns through one exception."""

import inspect
import json
from collections.abc import Callable
from types import NoneType
from typing import Any, Literal, Optional, get_args, get_type_hints

PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean", dict: "object"}


def define(source: str) -> Callable[..., Any]:
    names: dict[str, Any] = {"Literal": Literal, "Optional": Optional}
    exec(compile(source, "<tool>", "exec", dont_inherit=True), names)
    return names.popitem()[1]


def tool_schema(function: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(function)
    lines = (inspect.getdoc(function) or "").splitlines()
    cut = lines.index("Args:") if "Args:" in lines else len(lines)
    meanings = dict(
        (part.strip() for part in line.split(":", 1)) for line in lines[cut + 1 :] if line.startswith("    ")
    )

    def describe(hint: Any) -> dict[str, Any]:
        if hint in PLAIN:
            return {"type": PLAIN[hint]}
        inside = get_args(hint)
        if NoneType in inside:
            return describe(inside[inside.index(NoneType) - 1]) | {"nullable": True}
        if hint == Literal[inside]:
            return {"type": "string", "enum": list(inside)}
        if hint == list[inside]:
            return {"type": "array", "items": describe(inside[0])}
        raise TypeError(hint)

    parameters: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for name, each in inspect.signature(function).parameters.items():
        if name not in hints:
            raise TypeError(name)
        parameters["properties"][name] = describe(hints[name])
        if name in meanings:
            parameters["properties"][name] |= {"description": meanings[name]}
        if each.default is each.empty:
            parameters["required"] += [name]
    return {
        "name": function.__name__,
        "description": "\n".join(lines[:cut]).strip(),
        "parameters": parameters,
    }


def fitted(value: Any, wanted: dict[str, Any]) -> Any:
    match wanted["type"], value:
        case _, None:
            assert wanted.get("nullable", False)
        case "integer" | "number" | "boolean", str():
            value = json.loads(value)
            assert value is not None
            assert not isinstance(value, str)
            return fitted(value, wanted)
        case "boolean", bool():
            pass
        case "integer" | "number", bool():
            raise AssertionError
        case "integer", int() | float():
            assert int(value) == value
            value = int(value)
        case "number", int() | float():
            value = float(value)
        case "string", str():
            assert value in wanted.get("enum", (value,))
        case "array", list():
            value = [fitted(each, wanted["items"]) for each in value]
        case "object", dict():
            pass
        case _:
            raise AssertionError
    return value


def call_tool(
    name: str, arguments: Any, tools: dict[str, tuple[dict[str, Any], Callable[..., Any]]]
) -> dict[str, Any]:
    problem = "the tools are " + " ".join(tools)
    try:
        parameters, function = tools[name]
        problem = f"the arguments must be {json.dumps(parameters)}"
        values = dict(arguments)
        for each in parameters.get("required", []):
            values[each]
        for each in list(values):
            problem = f"the argument {each} does not fit"
            values[each] = fitted(values[each], parameters["properties"][each])
        problem = "the tool failed"
        answer = function(**values)
        text = answer if type(answer) is str else json.dumps(answer, ensure_ascii=False, indent=None)
    except Exception as error:
        return {"content": f"{problem} ({type(error).__name__}: {error})", "is_error": True}
    return {"content": text, "is_error": False}


def run_calls(reply: str, call: Callable[[str, Any], dict[str, Any]]) -> list[dict[str, Any]]:
    opening, closing = "<tool_call>", "</tool_call>"
    results = []
    start = reply.find(opening)
    while start >= 0:
        following = reply.find(opening, start + 1)
        inside = reply[start + len(opening) : following if following >= 0 else None]
        start = following
        end = inside.find(closing)
        try:
            wanted = json.loads(inside[:end]) if end >= 0 else "not closed"
        except json.JSONDecodeError:
            wanted = "not JSON"
        if isinstance(wanted, dict) and isinstance(wanted.get("name"), str):
            results.append(call(wanted["name"], wanted.get("arguments", {})))
        else:
            results.append({"content": f"This call is {wanted!r}", "is_error": True})
    return results


class Refused(Exception):
    pass


def answer_request(
    message: str, schemas: list[dict[str, Any]], call: Callable[[str, Any], dict[str, Any]]
) -> str | None:
    head: dict[str, Any] = {"jsonrpc": "2.0", "id": None}
    silent = False
    try:
        try:
            request = json.loads(message)
        except ValueError:
            raise Refused(-32700) from None
        try:
            assert request["jsonrpc"] == "2.0"
            assert isinstance(request["method"], str)
        except (TypeError, KeyError, AssertionError):
            raise Refused(-32600) from None
        silent = "id" not in request
        if silent:
            return None
        head["id"] = request["id"]
        if request["method"] == "tools/list":
            body: dict[str, Any] = {"tools": []}
            for each in schemas:
                tool = dict(each)
                tool["inputSchema"] = tool.pop("parameters")
                body["tools"].append(tool)
        elif request["method"] == "tools/call":
            params = request.get("params") or {}
            if not isinstance(params, dict) or not any(
                params.get("name") == each["name"] for each in schemas
            ):
                raise Refused(-32602)
            result = call(params["name"], params.get("arguments", {}))
            body = {"isError": result["is_error"], "content": [{"type": "text", "text": result["content"]}]}
        else:
            raise Refused(-32601)
    except Refused as refused:
        return json.dumps({**head, "error": {"code": refused.args[0], "message": "refused"}})
    return json.dumps({**head, "result": body})
