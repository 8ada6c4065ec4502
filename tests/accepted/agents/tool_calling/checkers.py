"""One checker for each type, regular expressions, and every freedom that the statement leaves."""

import inspect
import json
import re
import typing
from collections.abc import Callable
from typing import Any, Literal, Optional

Schema = dict[str, Any]
Result = dict[str, Any]


def define(source: str) -> Callable[..., Any]:
    names: dict[str, Any] = {"Literal": Literal, "Optional": Optional}
    exec(compile(source, "<tool>", "exec", dont_inherit=True), names)
    return names.popitem()[1]


TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object"}


def _property(annotation: Any) -> Schema:
    inner = typing.get_args(annotation)
    if type(None) in inner:
        (only,) = (each for each in inner if each is not type(None))
        found = _property(only)
        found["nullable"] = True
        return found
    if typing.get_origin(annotation) is Literal:
        return {"enum": [*inner], "type": "string"}
    if typing.get_origin(annotation) is list:
        return {"items": _property(*inner), "type": "array"}
    try:
        return {"type": TYPES[annotation.__name__]}
    except (KeyError, AttributeError):
        raise TypeError(f"{annotation}?") from None


def tool_schema(function: Callable[..., Any]) -> Schema:
    text = inspect.getdoc(function) or ""
    head, _, tail = text.partition("\nArgs:\n")
    signature = inspect.signature(function)
    properties: Schema = {}
    for name, parameter in signature.parameters.items():
        if parameter.annotation is inspect.Parameter.empty:
            raise TypeError(f"{name} has no annotation")
        properties[name] = _property(parameter.annotation)
        if told := re.search(rf"^ +{name}:(.*)$", tail, re.MULTILINE):
            properties[name]["description"] = told[1].strip()
    parameters: Schema = {"properties": properties, "type": "object"}
    required = [
        name for name, each in signature.parameters.items() if each.default is inspect.Parameter.empty
    ]
    if required:
        parameters["required"] = required
    return {"parameters": parameters, "name": function.__name__, "description": head.strip()}


class Bad(Exception):
    """A value that doesn't fit."""


def _integer(value: Any, schema: Schema) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise Bad
    return int(value)


def _number(value: Any, schema: Schema) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Bad
    try:
        return float(value)
    except ValueError:
        raise Bad from None


def _boolean(value: Any, schema: Schema) -> bool:
    for word, meaning in (("true", True), ("false", False)):
        if value is meaning or (isinstance(value, str) and value == word):
            return meaning
    raise Bad


def _string(value: Any, schema: Schema) -> str:
    if not isinstance(value, str) or ("enum" in schema and value not in schema["enum"]):
        raise Bad
    return value


def _array(value: Any, schema: Schema) -> list[Any]:
    if not isinstance(value, list):
        raise Bad
    return [_check(item, schema["items"]) for item in value]


def _object(value: Any, schema: Schema) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Bad
    return value


CHECKERS: dict[str, Callable[[Any, Schema], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "string": _string,
    "array": _array,
    "object": _object,
}


def _check(value: Any, schema: Schema) -> Any:
    if value is None:
        if schema.get("nullable"):
            return None
        raise Bad
    return CHECKERS[schema["type"]](value, schema)


def _failed(text: str) -> Result:
    return {"content": text, "is_error": True}


def call_tool(name: str, arguments: Any, tools: dict[str, tuple[Schema, Callable[..., Any]]]) -> Result:
    if name not in tools:
        return _failed(f"Unknown tool. You have: {sorted(tools)}")
    parameters, function = tools[name]
    if not isinstance(arguments, dict):
        return _failed("Give the arguments as an object.")
    for needed in parameters.get("required", ()):
        if needed not in arguments:
            return _failed(f"Argument {needed} is missing.")
    checked = {}
    for key, value in arguments.items():
        if key not in parameters["properties"]:
            return _failed(f"There is no argument {key}.")
        try:
            checked[key] = _check(value, parameters["properties"][key])
        except Bad:
            return _failed(f"Argument {key} has a wrong value.")
    try:
        answer = function(**checked)
        return {
            "is_error": False,
            "content": answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False),
        }
    except Exception as error:
        return _failed(repr(error))


def run_calls(reply: str, call: Callable[[str, Any], Result]) -> list[Result]:
    results: list[Result] = []
    for found in re.finditer(r"<tool_call>(?:((?:(?!<tool_call>).)*?)</tool_call>)?", reply, re.DOTALL):
        if found[1] is None:
            results.append(_failed("</tool_call> is missing: was the reply cut off?"))
            continue
        try:
            wanted = json.loads(found[1])
            name = wanted["name"]
            arguments = wanted.get("arguments", {})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            results.append(_failed(f"no call: {error!r}"))
            continue
        if isinstance(name, str):
            results.append(call(name, arguments))
        else:
            results.append(_failed("the name is no string"))
    return results


def answer_request(message: str, schemas: list[Schema], call: Callable[[str, Any], Result]) -> str | None:
    reply: dict[str, Any] = {"id": None, "jsonrpc": "2.0"}
    try:
        request = json.loads(message)
    except json.JSONDecodeError:
        return json.dumps(reply | {"error": {"code": -32700, "message": "Parse error"}})
    if isinstance(request, dict):
        reply["id"] = request.get("id")
    if (
        not isinstance(request, dict)
        or request.get("jsonrpc") != "2.0"
        or not isinstance(request.get("method"), str)
    ):
        return json.dumps(reply | {"error": {"code": -32600, "message": "Invalid Request"}})
    params = request.get("params")
    known = {schema["name"]: schema for schema in schemas}
    match request["method"]:
        case "tools/list":
            tools = [
                {"name": each, "inputSchema": known[each]["parameters"], "description": known[each]["description"]}
                for each in known
            ]  # fmt: skip
            reply["result"] = {"tools": tools}
        case "tools/call" if isinstance(params, dict) and params.get("name") in list(known):
            result = call(params["name"], params.get("arguments", {}))
            reply["result"] = {"content": [{"type": "text", "text": result["content"]}]}
            if result["is_error"]:
                reply["result"]["isError"] = True
        case "tools/call":
            reply["error"] = {"code": -32602, "message": "Unknown tool", "data": {}}
        case _:
            reply["error"] = {"code": -32601, "message": "Method not found"}
    return json.dumps(reply) if "id" in request else None
