"""Public tests of agents/tool_calling: a ferry, its timetable, and a model that makes mistakes."""

import json

import pytest

from autograder.testing import assert_close, check_refusal, for_student

FERRY = '''
def next_ferry(after: str, days: int = 1):
    """When the next ferry leaves.

    Args:
        after: a time of day, as 12:30
    """
'''
PARAMETERS = {
    "type": "object",
    "properties": {"after": {"type": "string", "description": "a time of day, as 12:30"}, "days": {"type": "integer"}},
    "required": ["after"],
}  # fmt: skip


@pytest.mark.points(1)
def test_schema_of_the_ferry(student):
    """The schema of a function with a default; a parameter without annotation, or of two types, has none: TypeError.

    zh: 带默认值的函数的 schema；参数没有注解，或者有两种类型时无法生成，应抛出 TypeError。
    """
    expected = {"name": "next_ferry", "description": "When the next ferry leaves.", "parameters": PARAMETERS}
    ferry = student.define(FERRY)
    assert_close(student.tool_schema(ferry), expected)
    for bad in ("def f(city): ...", "def f(city: int | str): ..."):
        check_refusal(student.tool_schema, (ferry,), (student.define(bad),), TypeError)


@pytest.mark.points(1)
def test_one_ferry(student):
    """ "2" becomes 2 for an integer, and the function's answer is the content.

    zh: 参数是整数时，"2" 变成 2；函数的回答就是 content。
    """
    received = []

    def next_ferry(**arguments):
        received.append(arguments)
        return "18:15"

    result = student.call_tool(
        "next_ferry", {"after": "12:30", "days": "2"}, {"next_ferry": (PARAMETERS, next_ferry)}
    )
    assert_close(received, [{"after": "12:30", "days": 2}])
    assert_close(result, {"content": "18:15", "is_error": False})


@pytest.mark.points(1.5)
def test_error_is_told(student):
    """A function that fails raises nothing here: the result tells the model the exception's class and text.

    zh: 函数出错时不向外抛异常：结果里写着异常的类名和文字，让模型读到。
    """

    def next_ferry(**arguments):
        if ":" not in arguments["after"]:
            raise for_student(ValueError("noon is no time"))
        return "18:15"

    tools = {"next_ferry": (PARAMETERS, next_ferry)}
    result = student.call_tool("next_ferry", {"after": "noon"}, tools)
    assert result["is_error"] is True
    assert "ValueError" in result["content"]
    assert "noon is no time" in result["content"]
    assert student.call_tool("next_ferry", {"after": "12:30"}, tools)["is_error"] is False


@pytest.mark.points(1.5)
def test_a_broken_call_among_others(student):
    """Three calls, the second without its last brace: three results in order, the second an error, and two calls made.

    zh: 三个调用，第二个少了最后的花括号：按次序得到三个结果，第二个是错误，只执行两次调用。
    """
    reply = """I look twice. <tool_call>{"name": "a", "arguments": {"x": 1}}</tool_call>
<tool_call>{"name": "b", "arguments": {"x": 2}</tool_call> and <tool_call>
{"name": "c"}
</tool_call>"""
    made = []

    def call(name, arguments):
        made.append((name, arguments))
        return {"content": f"made {name}", "is_error": False}

    results = student.run_calls(reply, call)
    assert_close(made, [("a", {"x": 1}), ("c", {})])
    assert [each["is_error"] for each in results] == [False, True, False]
    assert [each["content"] for each in results[::2]] == ["made a", "made c"]


@pytest.mark.points(2)
def test_one_round_of_the_protocol(student):
    """A list, a call and an unknown method: each answer has its request's id.

    zh: 先列出工具，再调用一次，最后是一个没有的方法：每个回答都带着请求的 id。
    """
    schemas = [{"name": "next_ferry", "description": "When it leaves.", "parameters": PARAMETERS}]

    def call(name, arguments):
        return {"content": f"{name} after {arguments['after']}: 18:15", "is_error": False}

    def ask(**request):
        return json.loads(student.answer_request(json.dumps({"jsonrpc": "2.0", **request}), schemas, call))

    listed = [{"name": "next_ferry", "description": "When it leaves.", "inputSchema": PARAMETERS}]
    assert_close(ask(id=7, method="tools/list"), {"jsonrpc": "2.0", "id": 7, "result": {"tools": listed}})
    answer = ask(id="x", method="tools/call", params={"name": "next_ferry", "arguments": {"after": "12:30"}})
    assert answer["id"] == "x"
    assert_close(answer["result"]["content"], [{"type": "text", "text": "next_ferry after 12:30: 18:15"}])
    answer = ask(id=8, method="tools/sing")
    assert (answer["id"], answer["error"]["code"]) == (8, -32601)
