import inspect
import json
from collections.abc import Callable
from typing import Any, Literal, Optional, get_args, get_origin

JSON_NAMES = {int: "integer", float: "number", str: "string", bool: "boolean", dict: "object"}

Schema = dict[str, Any]
Result = dict[str, Any]


def define(source: str) -> Callable[..., Any]:
    space: dict[str, Any] = {"Literal": Literal, "Optional": Optional}
    exec(compile(source, "<tool>", "exec", dont_inherit=True), space)
    return space.popitem()[1]


def read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    description, _, args_part = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    parameters = {}
    for line in args_part.splitlines():
        if not line.startswith(" "):
            break
        name, _, meaning = line.partition(":")
        parameters[name.strip()] = meaning.strip()
    return description.strip(), parameters


def tool_schema(function: Callable[..., Any]) -> Schema:
    def convert(annotation: Any) -> Schema:
        base, args = get_origin(annotation), get_args(annotation)
        if len(args) == 2 and type(None) in args:
            return {**convert(args[args[0] is type(None)]), "nullable": True}
        if base is Literal:
            return {"type": "string", "enum": list(args)}
        if base is list:
            return {"type": "array", "items": convert(*args)}
        if annotation not in JSON_NAMES:
            raise TypeError(f"{function.__name__}: no JSON type for the annotation {annotation}")
        return {"type": JSON_NAMES[annotation]}

    description, docs = read_docstring(function)
    props, needed = {}, []
    for name, parameter in inspect.signature(function).parameters.items():
        props[name] = convert(parameter.annotation)
        if name in docs:
            props[name]["description"] = docs[name]
        if parameter.default is inspect.Parameter.empty:
            needed.append(name)
    parameters = {"type": "object", "properties": props, "required": needed}
    return {"name": function.__name__, "description": description, "parameters": parameters}


def call_tool(name: str, arguments: Any, tools: dict[str, tuple[Schema, Callable[..., Any]]]) -> Result:
    python_types = {**{each: kind for kind, each in JSON_NAMES.items()}, "array": list}

    def coerce(value: Any, schema: Schema) -> Any:
        kind = schema["type"]
        if value is None and schema.get("nullable"):
            return None
        if isinstance(value, str) and kind in ("integer", "number", "boolean"):
            value = json.loads(value)
        if kind == "integer" and isinstance(value, float) and value.is_integer():
            value = int(value)
        if kind == "number" and type(value) is int:
            value = float(value)
        if not isinstance(value, python_types[kind]) or value not in schema.get("enum", [value]):
            raise TypeError(f"{value!r} does not fit {schema}")
        return [coerce(item, schema["items"]) for item in value] if kind == "array" else value

    where = "the call"
    try:
        if name not in tools:
            raise LookupError(f"there is no tool {name}, only {', '.join(tools)}")
        parameters, function = tools[name]
        props = parameters["properties"]
        if not isinstance(arguments, dict):
            raise TypeError("the arguments are no object")
        absent = [each for each in parameters.get("required", []) if each not in arguments]
        extra = [each for each in arguments if each not in props]
        if absent or extra:
            raise TypeError(f"missing arguments: {absent}; arguments that {name} doesn't have: {extra}")
        ready = {}
        for where, value in arguments.items():
            ready[where] = coerce(value, props[where])
        where = name
        value_back = function(**ready)
        content = value_back if isinstance(value_back, str) else json.dumps(value_back, ensure_ascii=False)
    except Exception as error:
        return {"content": f"{where}: {type(error).__name__}: {error}", "is_error": True}
    return {"content": content, "is_error": False}


def run_calls(reply: str, call: Callable[[str, Any], Result]) -> list[Result]:
    results = []
    for chunk in reply.split("<tool_call>")[1:]:
        body, end_tag, _ = chunk.partition("</tool_call>")
        try:
            if not end_tag:
                raise ValueError("it is not closed by </tool_call>")
            asked = json.loads(body)
            if not isinstance(asked, dict) or not isinstance(asked.get("name"), str):
                raise ValueError("it is no object with a name")
        except ValueError as error:
            results.append({"content": f"This call can't be read: {error}", "is_error": True})
        else:
            results.append(call(asked["name"], asked.get("arguments", {})))
    return results


def answer_request(message: str, schemas: list[Schema], call: Callable[[str, Any], Result]) -> str | None:
    def answer(request_id: Any, **result: Any) -> str:
        return json.dumps({"jsonrpc": "2.0", "id": request_id, **result}, ensure_ascii=False)

    def fail(request_id: Any, code: int, problem: str) -> str:
        return answer(request_id, error={"code": code, "message": problem})

    try:
        request = json.loads(message)
    except ValueError as error:
        return fail(None, -32700, f"parse error: {error}")
    versioned = isinstance(request, dict) and request.get("jsonrpc") == "2.0"
    if not versioned or not isinstance(request.get("method"), str):
        return fail(None, -32600, "no request of JSON-RPC 2.0")
    if "id" not in request:
        return None
    request_id, method, params = request["id"], request["method"], request.get("params")
    if method == "tools/list":
        catalogue = [
            {"inputSchema" if key == "parameters" else key: part for key, part in each.items()}
            for each in schemas
        ]
        return answer(request_id, result={"tools": catalogue})
    if method != "tools/call":
        return fail(request_id, -32601, f"there is no method {method}")
    if not isinstance(params, dict) or params.get("name") not in [each["name"] for each in schemas]:
        return fail(request_id, -32602, "params have no name of a known tool")
    result = call(params["name"], params.get("arguments", {}))
    parts = [{"type": "text", "text": result["content"]}]
    return answer(request_id, result={"content": parts, "isError": result["is_error"]})
