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
# # Quiz: Blocks
#
# `blocks/quiz` · 30 minutes · difficulty 2/5 · [overview](../../course/blocks/overview.md)

# %% [markdown] lang="zh"
# # 小测验：Blocks
#
# `blocks/quiz` · 30 分钟 · 难度 2/5 · [单元概览](../../course/blocks/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `one_letter` · one letter
#
# Which one holds?
#
# * **a**: A statement that a mistake makes plausible.
# * **b**: A statement that holds.
# * **c**: A statement of another mistake.

# %% [markdown] lang="zh"
# ## 1. `one_letter` · 单选，一个字母
#
# 哪一个成立？
#
# * **a**: 某个误解会让人相信的说法。
# * **b**: 成立的说法。
# * **c**: 另一个误解的说法。

# %%
one_letter = ...  # one of the letters a, b, c

# %%
check("blocks/quiz")

# %% [markdown]
# ## 2. `some_letters` · every letter that applies
#
# Which of them hold?
#
# * **a**: One that holds.
# * **b**: One that a mistake makes plausible.
# * **c**: Another that holds.

# %% [markdown] lang="zh"
# ## 2. `some_letters` · 多选，所有符合的字母
#
# 哪些成立？
#
# * **a**: 成立的一个。
# * **b**: 某个误解会让人相信的一个。
# * **c**: 成立的另一个。

# %%
some_letters = ...  # every letter that applies, out of a, b, c, as one string

# %%
check("blocks/quiz")

# %% [markdown]
# ## 3. `all_letters` · all letters, in order
#
# In which order?
#
# * **a**: The last step.
# * **b**: The first step.
# * **c**: The step between.

# %% [markdown] lang="zh"
# ## 3. `all_letters` · 排序，写出全部字母
#
# 次序如何？
#
# * **a**: 最后一步。
# * **b**: 第一步。
# * **c**: 中间一步。

# %%
all_letters = ...  # the letters a, b, c, each once, in order, as one string

# %%
check("blocks/quiz")

# %% [markdown]
# ## 4. `a_number` · a number
#
# How many?

# %% [markdown] lang="zh"
# ## 4. `a_number` · 填一个数
#
# 有多少？

# %%
a_number = ...  # a number

# %%
check("blocks/quiz")
