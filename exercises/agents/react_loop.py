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
# # The agent loop: ReAct
#
# `agents/react_loop` · 60 minutes · difficulty 2/5 · [lesson](../../course/agents/react_loop.md)

# %% [markdown] lang="zh"
# # 智能体原理：ReAct 循环
#
# `agents/react_loop` · 60 分钟 · 难度 2/5 · [讲义](../../course/agents/react_loop.zh.md)

# %%
from autograder import check

# %% [markdown]
# An **agent** is a loop around a language model. The model writes what it thinks and what it wants done; the loop
# does it and writes down what it saw; the model reads that and goes on. ReAct is the format of this diary:
#
# ```
# Thought: I need the year of Bi Sheng's printing.
# Action: search[Bi Sheng]
# Observation: Around 1040 Bi Sheng printed with single characters of baked clay.
# ```
#
# Thought and action are the model's. **Observations are the loop's alone.**

# %% [markdown] lang="zh"
# **智能体**就是语言模型外面的一个循环。模型写下自己在想什么、要做什么；循环替它去做，再把看到的写下来；模型读了，接着往下写。ReAct 规定了这本日记的格式：
#
# ```
# Thought: 要先知道毕昇印书是哪一年。
# Action: search[毕昇]
# Observation: 1040 年前后，毕昇用一个个烧硬的泥字印书。
# ```
#
# 想法（Thought）和动作（Action）由模型来写。**观察（Observation）只能由循环来写。**

# %%
import re
from collections.abc import Callable
from typing import Any

MARK = " ... [cut]"  # stands at the end of an observation that was too long

Action = tuple[str, str]  # (name, argument)

# %% [markdown]
# ## 1. What a reply says
#
# A model that isn't stopped writes on: after its action, it makes up an observation, and acts on that.
#
# 1. **Cut.** Everything from the first line on that begins with `Observation` is dropped.
# 2. **Find the action**: the first line that begins with `Action: name[argument]`. The name consists of letters, digits
#    and `_`. The argument goes up to the **last** `]` of the line; spaces at its ends don't belong to it.
# 3. **Keep** what stands up to that `]`, and nothing behind it; if there is no action, all that step 1 has left. White
#    space at its ends goes.

# %% [markdown] lang="zh"
# ## 1. 一条回复说了什么
#
# 没有人拦住它，模型就会一直写下去：写完动作，自己编一条观察，再照着编的往下做。
#
# 1. **截断。** 从第一个以 `Observation` 开头的行起，后面全部丢掉。
# 2. **找动作**：第一个以 `Action: name[argument]` 开头的行。name 由字母、数字和 `_` 组成；argument 一直到这一行的**最后一个** `]` 为止，首尾空白不算在内。
# 3. **保留**到这个 `]` 为止的文字，后面的都不要；没有动作时，保留第 1 步剩下的全部。首尾空白去掉。

# %%
def read_step(reply: str) -> tuple[str, Action | None]:
    """Read a model's reply.

    Returns: (the text that is kept, the action or None).
    """
    raise NotImplementedError("read_step")

# %%
check("agents/react_loop")

# %% [markdown]
# ## 2. What the agent sees
#
# The observation is the tool's answer. If there is no such tool, it names those that there are; if the tool raises,
# it tells the exception's class and text. So the run goes on, and the model can try something else.
#
# An observation of more than `limit` characters, an error's too, becomes one of exactly `limit`: as much of its
# beginning as fits, and `MARK`.

# %% [markdown] lang="zh"
# ## 2. 智能体看到了什么
#
# 观察就是工具的回答。没有这个工具时，观察里列出有哪些工具；工具抛异常时，写出异常的类名和文字。这样运行不会中断，模型可以换个办法。
#
# 观察超过 `limit` 个字符时（错误信息也一样），变成恰好 `limit` 个字符：开头能放多少放多少，最后是 `MARK`。

# %%
def observe(name: str, argument: str, tools: dict[str, Callable[[str], str]], limit: int) -> str:
    """Do what an action says, and tell what happened. It raises nothing.

    Args:
        tools: name -> function from the argument to the answer.
        limit: of the observation, in characters; at least the length of MARK.
    """
    raise NotImplementedError("observe")

# %%
check("agents/react_loop")

# %% [markdown]
# ## 3. The loop
#
# A **step** is one call of the model, and there are at most `max_steps`, whatever the model replies. The prompt is `task`,
# then for each step so far its text and its observation, behind `Observation: `; a newline ends each of them. The step's
# observation depends on its action:
#
# | action | observation |
# |---|---|
# | `Finish[answer]` | None: the run is over, and nothing is done |
# | none | a sentence of yours with `Action: name[argument]` in it, so that the model can repair its reply |
# | the same name and argument as in an earlier step | a sentence of yours that says so; nothing is done again |
# | any other | what `act(name, argument)` gives |
#
# An unreadable reply is never the answer. The last step is like all others.

# %% [markdown] lang="zh"
# ## 3. 循环
#
# **一步**就是调用模型一次。无论模型回复什么，最多 `max_steps` 步。提示词是 `task`，接着是此前每一步的文字，以及写在 `Observation: ` 后面的观察；每一项都以换行结束。一步的观察由动作决定：
#
# | 动作 | 观察 |
# |---|---|
# | `Finish[answer]` | None：运行结束，什么也不做 |
# | 没有动作 | 你写的一句话，里面有 `Action: name[argument]`，好让模型改正 |
# | name 和 argument 与先前某一步相同 | 你写的一句话，说明已经做过；不再做一遍 |
# | 其他 | `act(name, argument)` 的返回值 |
#
# 读不懂的回复绝不当作答案。最后一步与其他各步没有区别。

# %%
def react(
    task: str, model: Callable[[str], str], act: Callable[[str, str], str], max_steps: int
) -> dict[str, Any]:
    """Let a model think, act and observe until it finishes.

    Args:
        task: instructions, examples, the question.
        model: prompt -> reply.
        act: (name, argument) -> observation, as `observe` with its tools. It raises nothing.
        max_steps: at least 1.

    Returns: {"status": "finished" or "limit", "answer": text or None, "steps": [...]}, with one
        {"text": ..., "action": ..., "observation": ...} for each step, the last one included.

    Source: Yao et al. 2023, https://arxiv.org/abs/2210.03629, section 3.
    """
    raise NotImplementedError("react")

# %%
check("agents/react_loop")
