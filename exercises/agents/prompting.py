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
# # Prompting techniques
#
# `agents/prompting` · 45 minutes · difficulty 2/5 · [lesson](../../course/agents/prompting.md)

# %% [markdown] lang="zh"
# # Prompt 工程与提示技术
#
# `agents/prompting` · 45 分钟 · 难度 2/5 · [讲义](../../course/agents/prompting.zh.md)

# %%
from autograder import check

# %% [markdown]
# The weights are fixed; what can still be changed is the text before the answer, and what is done with answers. Four
# techniques.

# %% [markdown] lang="zh"
# 权重已经固定，还能改的只有答案前面的文本，以及拿到答案之后怎么处理。这里有四种技术。

# %%
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

# %% [markdown]
# ## 1. Few-shot
#
# A prompt is instructions, examples, question, with an empty line between two of them and nothing at its end. An
# example and the question look like this:
#
# ```
# Q: What is 2 + 3?
# A: 2 and 3 more are 5. The answer is 5.
#
# Q: What is 4 + 4?
# A:
# ```
#
# `examples` are ranked, the best first. Show as many **from the top of the ranking** as fit, without a gap, in
# **reverse order**: the best stands next to the question. `count(prompt)`, say of tokens, must be at most `budget` for
# the whole prompt. It never falls when an example is added, but the counts of parts need not add up.

# %% [markdown] lang="zh"
# ## 1. 少样本提示
#
# 提示词由若干段组成：说明、示例、问题。相邻两段之间空一行，末尾什么也不加。示例和问题写成这样：
#
# ```
# Q: 2 + 3 是多少？
# A: 2 再加 3 是 5。答案是 5。
#
# Q: 4 + 4 是多少？
# A:
# ```
#
# `examples` 已经排好名次，最好的在前。**从第一名起**依次取，中间不跳过，能放几个放几个；写进提示词时**倒过来**，最好的紧挨着问题。`count(prompt)`（例如词元数）量的是整段提示词，不能超过 `budget`。多加一个示例，它不会变小；但各部分的数加起来，不一定等于整体的数。

# %%
def few_shot(
    instructions: str,
    examples: list[tuple[str, str]],
    question: str,
    count: Callable[[str], int],
    budget: int,
) -> str:
    """The prompt with as many examples as fit.

    Args:
        examples: (question, answer), the best first.

    Raises:
        ValueError: instructions and question don't fit, even alone.

    Source: Brown et al. 2020, https://arxiv.org/abs/2005.14165, section 2.
    """
    raise NotImplementedError("few_shot")

# %%
check("agents/prompting")

# %% [markdown]
# ## 2. The answer at the end of a chain of thought
#
# Look behind the **last** `marker` (capitals or not), up to the end of its line:
#
# * If there is a number, the first one is the answer.
# * Else it is the text from the first to the last letter, in small letters: "(B)." is `b`.
# * If there is no letter either: None.
#
# Without a marker, the answer is the **last number** of the reply, or None.
#
# A number has digits, maybe a minus in front, commas between thousands, a decimal part (".5", too). It is returned in
# one form: "$1,200", "1200.0" and "1,200." are all `1200`; ".50" is `0.5`. No digit gets lost.

# %% [markdown] lang="zh"
# ## 2. 思维链末尾的答案
#
# 看**最后一个** `marker`（不分大小写）后面的内容，到这一行结束为止：
#
# * 有数字，第一个数就是答案。
# * 没有数字，答案是从第一个文字到最后一个文字的那段文本，字母改成小写：“(B).” 就是 `b`。
# * 连文字也没有：None。
#
# 整个回答里没有 marker 时，答案是**最后一个数**；一个数也没有就是 None。
#
# 一个数由数字组成，前面可以有负号，千位之间可以有逗号，可以带小数部分（".5" 也算）。返回时统一写法："$1,200"、"1200.0"、"1,200." 都是 `1200`，".50" 是 `0.5`。位数再多，也不能丢掉一位。

# %%
def final_answer(reply: str, marker: str = "answer is") -> str | None:
    """The answer in its one form, or None.

    Source: Wei et al. 2022, https://arxiv.org/abs/2201.11903, for the marker; Wang et al. 2023,
    https://arxiv.org/abs/2203.11171, section 2, for the first number behind it.
    """
    raise NotImplementedError("final_answer")

# %%
check("agents/prompting")

# %% [markdown]
# ## 3. Self-consistency
#
# Sample several replies to one prompt and let their answers vote. A reply without an answer doesn't vote. Among equals,
# the answer seen first wins.

# %% [markdown] lang="zh"
# ## 3. 自洽性
#
# 同一个提示词采样多个回答，让它们的答案投票。没有答案的回答不投票。票数相同，先出现的答案胜出。

# %%
def self_consistency(replies: list[str], marker: str = "answer is") -> tuple[str | None, int]:
    """(the answer with most votes, its votes), or (None, 0) if nobody votes.

    Source: Wang et al. 2023, section 2, unweighted.
    """
    raise NotImplementedError("self_consistency")

# %%
check("agents/prompting")

# %% [markdown]
# ## 4. Tree of thoughts
#
# A state is the question with some thoughts. Begin with `[root]`. In each of `depth` rounds:
#
# 1. The **children** are all proposals of all states. The same child proposed twice is one, at its first place.
# 2. The best `width` **of all children together** are the next states, the best first, ties in order of proposal.
#
# A state that proposes nothing drops out. If there are no children at all, the search ends with the states it has.
#
# Calls are expensive: propose from each state once, score each child once and the root never. States of different
# rounds always differ.

# %% [markdown] lang="zh"
# ## 4. 思维树
#
# 一个状态就是问题加上若干步思考。从 `[root]` 开始，做 `depth` 轮，每一轮：
#
# 1. 所有状态提出的全部候选，就是这一轮的**子状态**。同一个子状态被提出两次只算一个，排在第一次出现的位置。
# 2. **所有子状态放在一起**，最好的 `width` 个成为下一批状态，最好的在前；分数相同，先提出的在前。
#
# 什么也提不出的状态就此出局。要是一个子状态都没有，搜索到此结束，结果就是手里的状态。
#
# 调用模型很贵：每个状态只展开一次，每个子状态只打一次分，根从不打分。不同轮的状态总是不同的。

# %%
def tree_of_thoughts(
    root: str,
    propose: Callable[[str], list[str]],
    score: Callable[[str], float],
    width: int,
    depth: int,
) -> list[str]:
    """The states after the last round, the best first.

    Args:
        propose: state -> states with one more thought, maybe none.
        score: state -> how promising it is, higher is better.

    Source: Yao et al. 2023, https://arxiv.org/abs/2305.10601, algorithm 1.
    """
    raise NotImplementedError("tree_of_thoughts")

# %%
check("agents/prompting")
