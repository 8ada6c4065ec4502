import inspect
import json
import math
import re
import types
from collections.abc import Callable
from typing import Any, Literal, Optional, Union, get_args, get_origin

JSON_NAMES = {int: "integer", float: "number", str: "string", bool: "boolean", dict: "object"}

Schema = dict[str, Any]
Result = dict[str, Any]


def define(source: str) -> Callable[..., Any]:
    names: dict[str, Any] = {"Literal": Literal, "Optional": Optional}
    exec(compile(source, "<tool>", "exec", dont_inherit=True), names)
    return names.popitem()[1]


def read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    description, _, rest = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    parameters = {}
    for line in rest.splitlines():
        if not line.startswith(" "):
            break
        name, _, meaning = line.partition(":")
        parameters[name.strip()] = meaning.strip()
    return description.strip(), parameters


def tool_schema(function: Callable[..., Any]) -> Schema:
    description, meanings = read_docstring(function)
    properties: Schema = {}
    required = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"{name}: cannot be given by name")
        if parameter.annotation is parameter.empty:
            raise TypeError(f"{name}: no annotation")
        properties[name] = _property(parameter.annotation)
        if meanings.get(name):
            properties[name]["description"] = meanings[name]
        if parameter.default is parameter.empty:
            required.append(name)
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": function.__name__, "description": description, "parameters": parameters}


def _property(annotation: Any) -> Schema:
    if isinstance(annotation, type) and annotation in JSON_NAMES:
        return {"type": JSON_NAMES[annotation]}
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is list and len(args) == 1:
        return {"type": "array", "items": _property(args[0])}
    if origin is Literal and all(isinstance(each, str) for each in args):
        return {"type": "string", "enum": list(args)}
    if origin in (types.UnionType, Union) and type(None) in args and len(args) == 2:
        (other,) = (each for each in args if each is not type(None))
        return {**_property(other), "nullable": True}
    raise TypeError(f"no schema for {annotation!r}")


def call_tool(name: str, arguments: Any, tools: dict[str, tuple[Schema, Callable[..., Any]]]) -> Result:
    try:
        if name not in tools:
            return _error(f"There is no tool {name!r}. Tools: {', '.join(tools) or 'none'}")
        schema, function = tools[name]
        checked = _check_arguments(arguments, schema)
    except Exception as problem:
        return _error(f"Wrong call of {name!r}: {_tell(problem)}")
    try:
        value = function(**checked)
        content = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (Exception, SystemExit) as problem:
        return _error(_tell(problem))
    return {"content": content, "is_error": False}


def _error(text: str) -> Result:
    return {"content": text, "is_error": True}


def _tell(problem: BaseException) -> str:
    try:
        text = str(problem)
    except Exception:
        text = "(no text)"
    return f"{type(problem).__name__}: {text}"


def _check_arguments(arguments: Any, schema: Schema) -> dict[str, Any]:
    if not isinstance(arguments, dict):
        raise ValueError("the arguments must be an object")
    properties = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in arguments:
            raise ValueError(f"argument {key!r} is missing")
    for key in arguments:
        if key not in properties:
            raise ValueError(f"unknown argument {key!r}; known: {', '.join(properties) or 'none'}")
    fitted = {}
    for key, value in arguments.items():
        try:
            fitted[key] = _fit(value, properties[key], key)
        except Exception as problem:  # an integer of 5000 digits, too
            raise ValueError(f"argument {key!r} does not fit: {problem}") from problem
    return fitted


def _fit(value: Any, prop: Schema, where: str) -> Any:
    if value is None:
        if prop.get("nullable"):
            return None
        raise ValueError(f"argument {where!r} must not be null")
    kind = prop.get("type")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    text = isinstance(value, str)
    if kind == "integer":
        if number and (isinstance(value, int) or value.is_integer()):
            return int(value)
        if text and re.fullmatch(r"[+-]?[0-9]+", value):
            return int(value)
    elif kind == "number":
        if number or (text and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value)):
            try:
                result = float(value)
            except OverflowError:
                result = math.inf
            if math.isfinite(result):
                return result
    elif kind == "boolean":
        if isinstance(value, bool):
            return value
        if text and value in ("true", "false"):
            return value == "true"
    elif kind == "string":
        if text and value in prop.get("enum", [value]):
            return value
    elif kind == "array":
        if isinstance(value, list):
            items = prop.get("items")
            return [_fit(v, items, f"{where}[{i}]") if items else v for i, v in enumerate(value)]
    elif kind == "object" and isinstance(value, dict):
        return value
    wanted = f"{kind}, one of {prop['enum']}" if "enum" in prop else kind
    raise ValueError(f"argument {where!r} must be {wanted}, not {value!r}")


def run_calls(reply: str, call: Callable[[str, Any], Result]) -> list[Result]:
    results = []
    for piece in reply.split("<tool_call>")[1:]:
        body, closed, _ = piece.partition("</tool_call>")
        if not closed:
            results.append(_error("The call was cut off: there is no </tool_call>."))
            continue
        try:
            request = _read_json(body)
        except (ValueError, RecursionError) as problem:
            results.append(_error(f"The call is not JSON: {problem}"))
            continue
        if not isinstance(request, dict) or not isinstance(request.get("name"), str):
            results.append(_error('A call is an object {"name": a string, "arguments": {...}}.'))
            continue
        results.append(call(request["name"], request.get("arguments", {})))
    return results


def _read_json(text: str) -> Any:

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def answer_request(message: str, schemas: list[Schema], call: Callable[[str, Any], Result]) -> str | None:
    def answer(id: Any, **rest: Any) -> str:
        return json.dumps({"jsonrpc": "2.0", "id": id, **rest})

    def fail(id: Any, code: int, text: str) -> str:
        return answer(id, error={"code": code, "message": text})

    try:
        request = _read_json(message)
    except (ValueError, RecursionError):
        return fail(None, -32700, "Parse error")
    if not isinstance(request, dict):
        return fail(None, -32600, "Invalid request: no object")
    id = request.get("id")
    if isinstance(id, bool | list | dict) or (isinstance(id, float) and not math.isfinite(id)):
        return fail(None, -32600, "Invalid request: id")
    if request.get("jsonrpc") != "2.0" or not isinstance(request.get("method"), str):
        return fail(id, -32600, "Invalid request")
    if "id" not in request:
        return None
    if request["method"] == "tools/list":
        tools = [
            {("inputSchema" if key == "parameters" else key): value for key, value in schema.items()}
            for schema in schemas
        ]
        return answer(id, result={"tools": tools})
    if request["method"] != "tools/call":
        return fail(id, -32601, "Method not found: " + request["method"])
    params = request.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    if name not in [schema["name"] for schema in schemas]:
        return fail(id, -32602, f"Unknown tool: {name!r}")
    result = call(name, params.get("arguments", {}))
    content = [{"type": "text", "text": result["content"]}]
    return answer(id, result={"content": content, "isError": result["is_error"]})
