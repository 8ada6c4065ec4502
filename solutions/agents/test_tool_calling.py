"""Hidden tests of agents/tool_calling."""

import json

import pytest

from autograder.testing import assert_close, for_student


def without_empty(schema):
    """A schema whose `required` is left out where it is empty."""
    parameters = dict(schema["parameters"])
    if not parameters.get("required"):
        parameters.pop("required", None)
    return {**schema, "parameters": parameters}


def described(student, signature, docstring='"""Does it."""'):
    """The student's schema of a function `tool` with this signature."""
    return without_empty(student.tool_schema(student.define(f"def tool({signature}):\n    {docstring}\n")))


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        ("list[str]", {"type": "array", "items": {"type": "string"}}),
        ("Literal['C', 'F', '']", {"type": "string", "enum": ["C", "F", ""]}),
        ("list[list[bool]]", {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}}),
        ("list[Literal['a']]", {"type": "array", "items": {"type": "string", "enum": ["a"]}}),
        ("float", {"type": "number"}),
        ("dict", {"type": "object"}),
        ("int | None", {"type": "integer", "nullable": True}),
        ("Optional[list[float]]", {"type": "array", "items": {"type": "number"}, "nullable": True}),
        ("None | Literal['x', 'y']", {"type": "string", "enum": ["x", "y"], "nullable": True}),
        ("list[str | None]", {"type": "array", "items": {"type": "string", "nullable": True}}),
    ],
)
def test_properties_of_annotations(student, annotation, expected):
    """Each annotation has its property, whatever it is nested in, beside those of the other parameters.

    zh: 每种注解得到相应的属性，嵌套时也一样，其他参数的属性照旧。
    """
    parameters = described(student, f"n: int, x: {annotation}")["parameters"]
    assert_close(parameters["properties"], {"n": {"type": "integer"}, "x": expected})
    assert parameters["type"] == "object"


@pytest.mark.points(1)
def test_default_alone_makes_optional(student):
    """Required are the parameters without a default, in order: None, 0 and an empty text are defaults, and Optional is none.

    zh: 没有默认值的参数都是必填的，次序不变：None、0、空字符串也是默认值，而 Optional 本身不是默认值。
    """
    signature = "z: int | None, a: str, m: int = 0, n: Optional[str] = None, k: str = ''"
    parameters = described(student, signature)["parameters"]
    assert_close(parameters["required"], ["z", "a"])
    assert list(parameters["properties"]) == ["z", "a", "m", "n", "k"]
    assert_close(described(student, "*, b: bool, c: bool = False")["parameters"]["required"], ["b"])
    assert_close(
        described(student, ""),
        {"name": "tool", "description": "Does it.", "parameters": {"type": "object", "properties": {}}},
    )


def schema(required, **properties):
    """The parameters of a tool; a text stands for a type."""
    properties = {
        name: {"type": each} if isinstance(each, str) else each for name, each in properties.items()
    }
    return {"type": "object", "properties": properties, "required": list(required)}


NUMBERS = {"type": "array", "items": {"type": "integer"}}
NULLABLE = {"type": "integer", "nullable": True}
UNIT = {"type": "string", "enum": ["C", "F"]}
MAYBE = {"type": "array", "items": {"type": "boolean", "nullable": True}}


class Spy:
    """One tool with the parameter `amount` of this property; what it received."""

    def __init__(self, wanted):
        self.received = []

        def spy(**arguments):
            self.received.append(arguments)
            return "done"

        self.tools = {"spy": (schema(["amount"], amount=wanted, other="string"), spy)}


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("wanted", "pairs"),
    [
        ("boolean", [("false", False), ("true", True), (False, False), (True, True)]),
        ("integer", [(5.0, 5), ("-12", -12), (7, 7), (0, 0), ("0", 0)]),
        ("number", [(3, 3.0), ("0.5", 0.5), (0.25, 0.25), ("-2.5", -2.5), (0, 0.0)]),
        ("string", [("5", "5"), ("true", "true"), ("", ""), ("null", "null")]),
        (NUMBERS, [(["1", 2.0, 3], [1, 2, 3]), ([], [])]),
        (NULLABLE, [(None, None), ("3", 3)]),
        (UNIT, [("F", "F")]),
        (MAYBE, [(["false", None, True], [False, None, True])]),
        ("object", [({"a": "1"}, {"a": "1"}), ({}, {})]),
    ],
)
def test_converted_and_kept(student, unchanged, wanted, pairs):
    """The function receives each value in the type of its property, converted where the table says so; the model's own stays.

    zh: 函数收到的每个值都是属性所要求的类型，只按表中所列转换；模型写的参数本身不变。
    """
    for given, expected in pairs:
        spy = Spy(wanted)
        result = student.call_tool("spy", {"amount": given}, spy.tools)
        assert_close(result, {"content": "done", "is_error": False})
        assert_close(spy.received, [{"amount": expected}])
    assert unchanged(student.call_tool, "spy", {"amount": pairs[0][0]}, Spy(wanted).tools), (
        "an argument is changed"
    )


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("wanted", "bad", "good"),
    [
        ("integer", [True, 5.5, "five", "", None, [5], "5.5"], 5),
        ("number", [True, "much", None, {}], 0.5),
        ("boolean", [1, 0, "yes", "", 1.0], False),
        ("string", [5, None, True, ["a"], {"a": "b"}], "a"),
        (NUMBERS, [[1, True], [1, 2.5], "[1, 2]", {"1": 2}, 3, [None]], [1]),
        (NULLABLE, [True, "none", 2.5], None),
        (UNIT, ["K", "", "c", None], "C"),
        ("object", ["{}", [], None], {"a": 1}),
    ],
)
def test_what_does_not_fit(student, wanted, bad, good):
    """A value that doesn't fit gives an error that names the argument, and the function isn't called.

    zh: 值不符合要求时，结果是点明哪个参数的错误，函数不被调用。
    """
    spy = Spy(wanted)
    for value in bad:
        result = student.call_tool("spy", {"amount": value, "other": "o"}, spy.tools)
        assert result["is_error"] is True, value
        assert "amount" in result["content"]
    assert spy.received == []
    assert student.call_tool("spy", {"amount": good}, spy.tools)["is_error"] is False
    assert len(spy.received) == 1


@pytest.mark.points(1)
def test_neither_missing_nor_unknown(student):
    """A required argument that is missing and one that the schema doesn't know are errors that name it; nothing is run.

    zh: 缺了必填的参数，或者多了 schema 里没有的参数，都是点明该参数的错误，什么也不执行。
    """
    received = []

    def tool(**arguments):
        received.append(arguments)
        return ""

    parameters = schema(["city"], city="string", days="integer", note=NULLABLE)
    tools = {"weather": (parameters, tool), "clock": ({"type": "object", "properties": {}}, tool)}
    cases = [
        ({"days": 2}, "city"),
        ({"city": "Oslo", "zip_code": "0150"}, "zip_code"),
        ({}, "city"),
        (["Oslo"], ""),
        ("Oslo", ""),
        (None, ""),
    ]
    for arguments, named in cases:
        result = student.call_tool("weather", arguments, tools)
        assert result["is_error"] is True, arguments
        assert named in result["content"]
    assert student.call_tool("clock", {"zone": "UTC"}, tools)["is_error"] is True
    assert received == []
    assert_close(student.call_tool("weather", {"city": "Oslo"}, tools), {"content": "", "is_error": False})
    assert_close(student.call_tool("clock", {}, tools), {"content": "", "is_error": False})
    assert_close(received, [{"city": "Oslo"}, {}])


@pytest.mark.points(2)
def test_outcome_is_always_text(student):
    """Whatever comes out is told as text: JSON with its characters, an exception's class and words, which tools there are.

    zh: 不管结果如何都写成文字：JSON 里的字符保持原样，异常写出类名和文字，工具名不存在就列出有哪些工具。
    """
    outcomes = iter([{"city": "猫城", "days": [1, None, True]}, 2.5, "a\n猫", None, {1, 2}, "", []])

    def works(**_):
        return next(outcomes)

    def fails(**arguments):
        kinds = {"key": KeyError, "time": TimeoutError, "zero": ZeroDivisionError}
        raise for_student(kinds[arguments["kind"]]("row 7"))

    tools = {"works": (schema([]), works), "fails": (schema([], kind="string"), fails)}
    result = student.call_tool("works", {}, tools)
    assert_close(json.loads(result["content"]), {"city": "猫城", "days": [1, None, True]})
    assert "猫城" in result["content"]
    assert result["is_error"] is False
    for content in ("2.5", "a\n猫", "null"):
        assert_close(student.call_tool("works", {}, tools), {"content": content, "is_error": False})
    assert student.call_tool("works", {}, tools)["is_error"] is True, "a set is no JSON"
    for content in ("", "[]"):
        assert_close(student.call_tool("works", {}, tools), {"content": content, "is_error": False})
    for kind, name in [("key", "KeyError"), ("time", "TimeoutError"), ("zero", "ZeroDivisionError")]:
        result = student.call_tool("fails", {"kind": kind}, tools)
        assert result["is_error"] is True
        assert name in result["content"]
        assert "row 7" in result["content"]
    for name in ("work", "Works", ""):
        result = student.call_tool(name, {}, tools)
        assert result["is_error"] is True
        assert "works" in result["content"]
        assert "fails" in result["content"]


def tagged(*bodies):
    """A reply with text around its calls."""
    return "Let me see.\n" + "\nand ".join(f"<tool_call>\n{body}\n</tool_call>" for body in bodies) + " So."


def run(student, reply):
    """The results for a reply, and the calls that were made; every third call fails."""
    made = []

    def call(name, arguments):
        made.append((name, arguments))
        return {"content": f"{name} {len(made)}", "is_error": len(made) % 3 == 0}

    return student.run_calls(reply, call), made


@pytest.mark.points(2)
def test_every_call_is_made_once(student):
    """Each call is made once, in the order of the reply, equal ones too, with its arguments as the model wrote them; a reply without calls gives no results.

    zh: 每个调用恰好执行一次，次序与回复相同，相同的调用也各执行一次，参数就是模型写的样子；没有调用的回复没有结果。
    """
    arguments = [{"q": "猫 }{ <tool> \"'\n"}, {"n": [1, {"m": None}], "f": 1.5}, {}, {}, "7", {"q": "end"}]
    names = ["find", "add", "now", "now", "", "find"]
    bodies = [
        json.dumps({"name": name, "arguments": given}) for name, given in zip(names, arguments, strict=True)
    ]
    bodies[2] = bodies[3] = '{"name": "now"}'
    results, made = run(student, tagged(*bodies) + " done</tool_call>")
    assert_close(made, list(zip(names, arguments, strict=True)))
    expected = [
        {"content": f"{name} {number}", "is_error": number % 3 == 0} for number, name in enumerate(names, 1)
    ]
    assert_close(results, expected)
    assert_close(run(student, 'No tool is needed: {"name": "find"} </tool_call>'), ([], []))


@pytest.mark.points(2)
@pytest.mark.parametrize(
    "broken",
    [
        "<tool_call>{'name': 'b', 'arguments': {}}</tool_call>",
        '<tool_call>{"name": "b", "arguments": {"x": 1 + 1}}</tool_call>',
        '<tool_call>{"name": "b", "arguments": {}}',
        '<tool_call>{"name": "b", "arguments": {"x": ',
        "<tool_call>5</tool_call>",
        '<tool_call>["b"]</tool_call>',
        '<tool_call>{"arguments": {"x": 1}}</tool_call>',
        '<tool_call>{"name": 3, "arguments": {}}</tool_call>',
        "<tool_call>null</tool_call>",
        "<tool_call></tool_call>",
        '<tool_call>{"name": "b"} {"name": "c"}</tool_call>',
    ],
)
def test_broken_ones_cost_only_themselves(student, broken):
    """A call that is no JSON, no object with a name, or not closed is an error in its own place, and those around it run.

    zh: 不是 JSON、不是带 name 的对象、或者没有闭合的调用，在自己的位置上得到一个错误，前后的调用照常执行。
    """
    first, last = (tagged(json.dumps({"name": name, "arguments": {"k": 1}})) for name in "az")
    for reply, errors, names in [
        (first + broken + last, [False, True, False], "az"),
        (first + broken, [False, True], "a"),
        (broken + broken + last, [True, True, False], "z"),
    ]:
        results, made = run(student, reply)
        assert_close(made, [(name, {"k": 1}) for name in names])
        assert [each["is_error"] for each in results] == errors
        assert all(each["content"] for each in results)


SCHEMAS = [
    {"name": "wave", "description": "Wave.", "parameters": schema(["to"], to="string")},
    {"name": "猫", "description": "", "parameters": {"type": "object", "properties": {}}},
]


class Server:
    """The student's server; `called` are the calls that it made. `wave` fails for nobody."""

    def __init__(self, student):
        self.called, self.student = [], student

    def send(self, message):
        """The answer as JSON, or None."""

        def call(name, arguments):
            self.called.append((name, arguments))
            return {"content": f"{name}!\n{arguments}", "is_error": arguments != {"to": "all"}}

        answer = self.student.answer_request(message, SCHEMAS, call)
        if answer is None:
            return None
        assert "\n" not in answer, "more than a line"
        answer = json.loads(answer)
        assert answer["jsonrpc"] == "2.0"
        assert answer.keys() in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
        return answer

    def ask(self, method, **rest):
        return self.send(json.dumps({"jsonrpc": "2.0", "method": method, **rest}))


@pytest.mark.points(1)
def test_every_request_keeps_its_id(student):
    """An answer has the id of its request, 0, an empty text and any other; a message without an id gets no answer.

    zh: 回答带着请求的 id，0、空字符串和别的都一样；没有 id 的消息得不到回答。
    """
    server = Server(student)
    params = {"name": "wave", "arguments": {"to": "all"}}
    for identity in (0, "", "0", 12, "猫"):
        for method in ("tools/list", "tools/call", "tools/stop"):
            answer = server.ask(method, params=params, id=identity)
            assert_close(answer["id"], identity)
            assert ("error" in answer) == (method == "tools/stop")
    for method in ("notifications/initialized", "tools/list", "tools/stop"):
        assert server.ask(method) is None
    assert server.ask("tools/call", params={"name": "fly"}) is None


@pytest.mark.points(1)
def test_results_for_the_model(student, unchanged):
    """A call of a known tool has a result, which says by isError whether it failed; all tools are listed in order.

    zh: 调用已知的工具总有 result，失败与否由 isError 说明；列表按次序列出全部工具。
    """
    server = Server(student)
    listed = [
        {"name": each["name"], "description": each["description"], "inputSchema": each["parameters"]}
        for each in SCHEMAS
    ]
    assert_close(server.ask("tools/list", id=1, params={})["result"]["tools"], listed)
    request = json.dumps({"jsonrpc": "2.0", "method": "tools/list", "id": 1})
    assert unchanged(student.answer_request, request, SCHEMAS, lambda name, arguments: None)
    for name, arguments in [("wave", {"to": "all"}), ("wave", {"whom": 1}), ("wave", {}), ("猫", {})]:
        given = {} if (name, arguments) == ("猫", {}) else {"arguments": arguments}
        result = server.ask("tools/call", id=2, params={"name": name, **given})["result"]
        assert_close(result["content"], [{"type": "text", "text": f"{name}!\n{arguments}"}])
        assert result.get("isError", False) is (arguments != {"to": "all"})
        assert_close(server.called.pop(), (name, arguments))
    assert server.called == []


@pytest.mark.points(1)
def test_codes_for_the_program(student):
    """What is no JSON, no request, no known method or no known tool is answered by its own code, and nothing is called.

    zh: 不是 JSON、不是请求、没有这个方法、没有这个工具，各有各的错误码，什么也不调用。
    """
    server = Server(student)
    for message in ('{"jsonrpc": "2.0", "method": "tools/list", "id": 1', "", "hello", "{'id': 1}"):
        answer = server.send(message)
        assert answer["error"]["code"] == -32700
        assert answer["id"] is None
    whole = {"jsonrpc": "2.0", "method": "tools/list", "id": 5}
    bad = [{**whole, "method": 1}, {**whole, "jsonrpc": "1.0"}, {"jsonrpc": "2.0", "id": 5}]
    bad += [{"method": "tools/list", "id": 5}, {"jsonrpc": "2.0", "method": 1, "params": "bar"}]
    bad += [[], [whole], 5, None, "tools/list", {"foo": "boo"}]
    for message in bad:
        answer = server.send(json.dumps(message))
        assert answer["error"]["code"] == -32600
        assert answer["id"] in (None, 5)
    for method in ("tools/calls", "", "list"):
        assert server.ask(method, id=3)["error"]["code"] == -32601
    for params in ({"name": "fly", "arguments": {}}, {"arguments": {}}, ["wave"], {"name": None}, None):
        error = server.ask("tools/call", id=4, params=params)["error"]
        assert error["code"] == -32602
        assert isinstance(error["message"], str)
    assert server.ask("tools/call", id=4)["error"]["code"] == -32602
    assert server.called == []
    assert server.ask("tools/list", id=4)["result"]["tools"]
