# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: lang,-all
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Tool calling
#
# `agents/tool_calling` · 75 minutes · difficulty 3/5 · [lesson](../../course/agents/tool_calling.md)

# %% [markdown] lang="zh"
# # 工具调用
#
# `agents/tool_calling` · 75 分钟 · 难度 3/5 · [讲义](../../course/agents/tool_calling.zh.md)

# %%
from autograder import check

# %% [markdown]
# A language model can't look at a clock. It can write, in its reply, that somebody should: the name of a function,
# and arguments as JSON. Your code describes the functions, finds the calls in a reply, checks and runs them, and says
# what came out. A call is text by a stranger: it is never run as code, and whatever is wrong with it goes
# back to the model as text.
#
# The **result** of a call is a dict, `{"content": text, "is_error": bool}`.

# %% [markdown] lang="zh"
# 语言模型看不了钟，但它可以在回复里写下：请替我看一下。写的是函数名，加上 JSON 格式的参数。剩下的事由你的代码来做：把函数描述给模型，从回复里找出调用，检查，执行，再把结果告诉模型。调用是陌生人写的文字，绝不能当成代码来运行（`eval`）；无论哪里出错，都要写成文字交还给模型，它才有机会改正。
#
# 一次调用的**结果**是字典 `{"content": 文字, "is_error": bool}`。

# %%
import inspect
import json
from collections.abc import Callable
from typing import Any, Literal, Optional, get_args, get_origin

JSON_NAMES = {int: "integer", float: "number", str: "string", bool: "boolean", dict: "object"}

Schema = dict[str, Any]
Result = dict[str, Any]

# %% [markdown]
# Given; `define` is for the tests, which bring their tools as text.

# %% [markdown] lang="zh"
# 已经写好。`define` 供测试使用：测试里的工具是以文本形式带来的。

# %%
def define(source: str) -> Callable[..., Any]:
    """The function that a text defines. It may use `Literal` and `Optional`."""
    names: dict[str, Any] = {"Literal": Literal, "Optional": Optional}
    exec(compile(source, "<tool>", "exec", dont_inherit=True), names)
    return names.popitem()[1]


def read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Of a Google-style docstring: the text before `Args:`, and parameter -> text."""
    description, _, rest = (inspect.getdoc(function) or "").partition("\nArgs:\n")
    parameters = {}
    for line in rest.splitlines():
        if not line.startswith(" "):
            break
        name, _, meaning = line.partition(":")
        parameters[name.strip()] = meaning.strip()
    return description.strip(), parameters

# %% [markdown]
# ## 1. What the model is told
#
# `parameters` is a JSON schema: `{"type": "object", "properties": {...}, "required": [...]}`. Each parameter has
# a property, with the docstring's text on it, if any, as `description`:
#
# | annotation | property |
# |---|---|
# | `int`, `float`, `str`, `bool`, `dict` | `{"type": ...}`, by `JSON_NAMES` |
# | `list[T]` | `{"type": "array", "items": ...}`: that of `T` |
# | `Literal["a", "b"]` (strings) | `{"type": "string", "enum": ["a", "b"]}` |
# | `T \| None`, `Optional[T]` | that of `T`, and `"nullable": True` |
#
# Required are the parameters without a default, in order. (`Optional` says that None may be given, not that
# nothing may.) An empty `required` may be left out.

# %% [markdown] lang="zh"
# ## 1. 告诉模型什么
#
# `parameters` 是一份 JSON schema：`{"type": "object", "properties": {...}, "required": [...]}`。每个参数对应一个属性；文档字符串里有说明的，放进 `description`：
#
# | 注解 | 属性 |
# |---|---|
# | `int`、`float`、`str`、`bool`、`dict` | `{"type": ...}`，名称见 `JSON_NAMES` |
# | `list[T]` | `{"type": "array", "items": ...}`，后者是 `T` 的属性 |
# | `Literal["a", "b"]`（字符串） | `{"type": "string", "enum": ["a", "b"]}` |
# | `T \| None`、`Optional[T]` | `T` 的属性，加上 `"nullable": True` |
#
# 没有默认值的参数是必填的，按原来的次序列出。（`Optional` 是说可以给 None，并不是说可以不给。）`required` 为空时可以省略。

# %%
def tool_schema(function: Callable[..., Any]) -> Schema:
    """What a model is told about a function.

    Returns: {"name": ..., "description": the docstring's text, "parameters": ...}.

    Raises:
        TypeError: a parameter has no annotation, or one that is not in the table.

    Source: transformers' `get_json_schema`.
    """
    raise NotImplementedError("tool_schema")

# %%
check("agents/tool_calling")

# %% [markdown]
# ## 2. One call
#
# Every required argument is there, and none that the schema doesn't know. Each fits its property, items of arrays
# too:
#
# | `type` | fits | is converted |
# |---|---|---|
# | `integer` | `5` | `5.0` and `"5"` to `5` |
# | `number` | `0.5` | `5` to `5.0`, `"0.5"` to `0.5` |
# | `boolean` | `true` | `"true"` to `True`, `"false"` to `False` |
# | `string` | a string, with `enum` one of these | |
# | `array`, `object` | a list, a dict | |
#
# Nothing else is converted: `true` is no integer, nor is `5.5`. `null` fits only what is `nullable`.
#
# The content is what the function returned: a string as it is, anything else as JSON, in which 猫 stays 猫; what
# JSON can't write is an error. Or it says what went wrong: which tools there are, which argument is wrong, or the
# exception's class and text. **`call_tool` raises nothing.**

# %% [markdown] lang="zh"
# ## 2. 一次调用
#
# 必填的参数都在，schema 里没有的一个也不许多。每个值都要符合它的属性，数组的元素也一样：
#
# | `type` | 符合 | 会转换 |
# |---|---|---|
# | `integer` | `5` | `5.0` 和 `"5"` 变成 `5` |
# | `number` | `0.5` | `5` 变成 `5.0`，`"0.5"` 变成 `0.5` |
# | `boolean` | `true` | `"true"` 变成 `True`，`"false"` 变成 `False` |
# | `string` | 字符串；有 `enum` 时须是其中之一 | |
# | `array`、`object` | 列表、字典 | |
#
# 除此之外什么也不转换、不截断：`true` 不是整数，`5.5` 也不是。`null` 只有在 `nullable` 时才符合。
#
# 结果的 content 是函数的返回值：字符串原样写入，其他的写成 JSON，“猫”仍写作“猫”。出错时 content 说明错在哪里：有哪些工具可用、是哪个参数不对，或者异常的类名和文字。返回值写不成 JSON 也算出错。**`call_tool` 自己不抛任何异常。**

# %%
def call_tool(name: str, arguments: Any, tools: dict[str, tuple[Schema, Callable[..., Any]]]) -> Result:
    """Check a call and run it.

    Args:
        name: what the model wrote.
        arguments: parameter -> value, or other JSON.
        tools: name -> (the `parameters` of its schema, the function; it takes arguments by name).

    Returns: the result. Nothing is run if the call is wrong.
    """
    raise NotImplementedError("call_tool")

# %%
check("agents/tool_calling")

# %% [markdown]
# ## 3. The calls in a reply
#
# ```
# Let me look. <tool_call>
# {"name": "next_ferry", "arguments": {"after": "12:30"}}
# </tool_call>
# ```
#
# Any number of calls, perhaps none, with any text around. Between the tags, which don't occur inside, stands a JSON
# object with a `name`, a string, and perhaps `arguments` (left out: `{}`).
#
# **Every `<tool_call>` gets one result**, in order. If what it holds is no such object, or no `</tool_call>` comes before
# the next `<tool_call>` or the end (a reply that was cut off isn't trusted, however whole it looks), there is an error
# in its place, and the others run.

# %% [markdown] lang="zh"
# ## 3. 一条回复里的调用
#
# ```
# 我查一下。<tool_call>
# {"name": "next_ferry", "arguments": {"after": "12:30"}}
# </tool_call>
# ```
#
# 一条回复里可以有任意多个调用，也可以一个都没有，前后可以有任意文字。标签之间是一个 JSON 对象，有字符串 `name`，可能还有 `arguments`（省略就是 `{}`）。对象内部不会出现这两个标签。
#
# **每个 `<tool_call>` 都得到一个结果**，次序与回复相同。JSON 写坏了，或者不是这样的对象；或者在下一个 `<tool_call>` 或结尾之前没有 `</tool_call>`（回复被截断了，JSON 看上去再完整也不能信）：这时结果是一个说明原因的错误，这一处什么也不调用，其余的照常执行。

# %%
def run_calls(reply: str, call: Callable[[str, Any], Result]) -> list[Result]:
    """Run all calls of a model's reply.

    Args:
        call: (name, arguments) -> result, as in question 2: it checks the arguments and raises nothing.

    Source: the format of Hermes 2 Pro and Qwen.
    """
    raise NotImplementedError("run_calls")

# %%
check("agents/tool_calling")

# %% [markdown]
# ## 4. Tools behind a protocol
#
# An MCP server offers its tools to any program. Messages are JSON-RPC 2.0, a line each. A request is an object with
# `"jsonrpc": "2.0"`, a `method` (a string), perhaps `params`, and an `id`, which the answer repeats:
# `{"jsonrpc": "2.0", "id": ..., "result": ...}`, or `"error": {"code": ..., "message": ...}` for `result`.
# **Without `id` it is a notification and gets no answer**; whether you carry it out is open.
#
# | message | answer |
# |---|---|
# | `tools/list` | result `{"tools": [...]}`: the schemas, `parameters` called `inputSchema` |
# | `tools/call`, params `{"name": ..., "arguments": ...}` | result `{"content": [{"type": "text", "text": ...}], "isError": ...}` |
# | no JSON | error -32700, id null |
# | no such object | error -32600, id null or its own |
# | another method | error -32601 |
# | `tools/call` without a known name | error -32602 |
#
# A known tool whose call fails, bad arguments included, gives a **result** with `isError`: programs read a
# protocol's errors, the model reads results.

# %% [markdown] lang="zh"
# ## 4. 隔着协议的工具
#
# MCP 服务器把自己的工具提供给任何程序。消息是 JSON-RPC 2.0，一条一行。请求是一个对象，有 `"jsonrpc": "2.0"`、`method`（字符串），可能有 `params`，还有一个 `id`，回答时原样带回：`{"jsonrpc": "2.0", "id": ..., "result": ...}`，或者把 result 换成 `"error": {"code": ..., "message": ...}`。**没有 `id` 的是通知，不回答**；要不要照办，由你决定。
#
# | 消息 | 回答 |
# |---|---|
# | `tools/list` | result `{"tools": [...]}`：各个 schema，其中 `parameters` 改名为 `inputSchema` |
# | `tools/call`，params 为 `{"name": ..., "arguments": ...}` | result `{"content": [{"type": "text", "text": ...}], "isError": ...}` |
# | 不是 JSON | error -32700，id 为 null |
# | 不是这样的对象 | error -32600，id 为 null，或用它自己的 |
# | 别的 method | error -32601 |
# | `tools/call` 没有给出已知的工具名 | error -32602 |
#
# 工具名已知而调用失败，包括参数不对，返回的是带 `isError` 的 **result**：协议的 error 是给程序看的，result 才会被模型读到。

# %%
def answer_request(message: str, schemas: list[Schema], call: Callable[[str, Any], Result]) -> str | None:
    """Answer one message to an MCP server.

    Args:
        schemas: of all tools, as in question 1.
        call: as in question 3.

    Returns: one line of JSON, or None.

    Source: JSON-RPC 2.0, sections 4 and 5; MCP 2025-11-25, server tools.
    """
    raise NotImplementedError("answer_request")

# %%
check("agents/tool_calling")
