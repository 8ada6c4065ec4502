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
# # Quiz: agents
#
# `agents/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/agents/overview.md)

# %% [markdown] lang="zh"
# # 小测验：智能体
#
# `agents/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/agents/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `which_is_an_agent` · one letter
#
# Which of these systems is an agent in today's sense?
#
# * **a**: A script that has a model draft, criticise and rewrite a text, always in these three calls.
# * **b**: A loop in which a model may call one search tool until it chooses to answer.
# * **c**: A model that sorts each mail into one of ten folders, whereupon code moves it.
# * **d**: A pipeline that retrieves five passages for each question and has a model answer from them.

# %% [markdown] lang="zh"
# ## 1. `which_is_an_agent` · 单选，一个字母
#
# 按今天的说法，下列哪个系统是智能体？
#
# * **a**: 一个脚本，让模型起草、批评、改写一篇文章，总是这三次调用。
# * **b**: 一个循环：模型只有一个搜索工具，想搜就搜，直到它决定作答。
# * **c**: 模型把每封邮件归入十个文件夹之一，再由代码移过去。
# * **d**: 一条流水线：每个问题检索五段文字，让模型据此作答。

# %%
which_is_an_agent = ...  # one of the letters a, b, c, d

# %%
check("agents/quiz")

# %% [markdown]
# ## 2. `kind_of_decision` · one letter
#
# A program routes every customer's message to a department by a model's label for this message alone. Which kind of agent is it, by Russell and Norvig?
#
# * **a**: Model-based, since a language model decides.
# * **b**: Goal-based, since it wants to find the right department.
# * **c**: A learning one, since its model has been trained.
# * **d**: A simple reflex agent.

# %% [markdown] lang="zh"
# ## 2. `kind_of_decision` · 单选，一个字母
#
# 有个程序用模型给每条顾客消息单独打标签，再按标签转给相应部门。按 Russell 和 Norvig 的分类，它属于哪一种？
#
# * **a**: 基于模型的，因为做决定的是语言模型。
# * **b**: 基于目标的，因为它想找到正确的部门。
# * **c**: 学习型的，因为模型是训练出来的。
# * **d**: 简单反射型。

# %%
kind_of_decision = ...  # one of the letters a, b, c, d

# %%
check("agents/quiz")

# %% [markdown]
# ## 3. `name_next_week` · one letter
#
# A user tells a chat agent her name; next week, in a new conversation, it greets her by it. How can that be?
#
# * **a**: The conversation changed the model's weights a little.
# * **b**: The KV cache of the old conversation still held it.
# * **c**: Code stored it and put it into the new prompt.
# * **d**: The context window is long enough for a week's conversations.

# %% [markdown] lang="zh"
# ## 3. `name_next_week` · 单选，一个字母
#
# 用户把名字告诉了一个聊天智能体；下个星期开了新对话，它还叫得出她的名字。这是怎么做到的？
#
# * **a**: 那次对话让模型的权重变了一点。
# * **b**: 上次对话的 KV 缓存里还留着它。
# * **c**: 有代码把它存了下来，又放进了新的提示词。
# * **d**: 上下文窗口够长，装得下一个星期的对话。

# %%
name_next_week = ...  # one of the letters a, b, c, d

# %%
check("agents/quiz")

# %% [markdown]
# ## 4. `always_right` · a number, to within 0.0005
#
# An agent solves one half of a shop's tasks always and the other half in 50% of tries. What is its pass^2?

# %% [markdown] lang="zh"
# ## 4. `always_right` · 填一个数，误差不超过 0.0005
#
# 某个智能体对一半的任务每次都能做成，对另一半每次有 50% 的机会做成。它的 pass^2 是多少？

# %%
always_right = ...  # a number, to within 0.0005

# %%
check("agents/quiz")

# %% [markdown]
# ## 5. `long_run` · a number, to within 0.004
#
# An agent's steps are right in 98% of cases, independently, and it can't repair a wrong one. In which share of its runs of 50 steps is every step right?

# %% [markdown] lang="zh"
# ## 5. `long_run` · 填一个数，误差不超过 0.004
#
# 某个智能体每一步有 98% 的机会做对，各步独立，错了也不会补救。一次运行有 50 步，全部做对的占多少？

# %%
long_run = ...  # a number, to within 0.004

# %%
check("agents/quiz")

# %% [markdown]
# ## 6. `graph_steps` · a number
#
# In a ReAct graph each call of the model is one step, and each round of tools is one. A run calls twelve tools, one after the other, and then answers. How many graph steps must its limit allow?

# %% [markdown] lang="zh"
# ## 6. `graph_steps` · 填一个数
#
# 在一张 ReAct 图里，调用一次模型算一步，执行一轮工具也算一步。一次运行先后调用十二次工具，最后作答。图的步数上限至少要设成多少？

# %%
graph_steps = ...  # a number

# %%
check("agents/quiz")

# %% [markdown]
# ## 7. `ideas_in_time` · all letters, in order
#
# Put these ideas in the order in which they came up.
#
# * **a**: Robots react in layers, and make no plan at all.
# * **b**: Thoughts and actions alternate in one text.
# * **c**: A program searches for actions that lead from here to the goal.
# * **d**: A network learns from reward how to play Atari games.

# %% [markdown] lang="zh"
# ## 7. `ideas_in_time` · 排序，写出全部字母
#
# 把下面这些想法按出现的先后排好。
#
# * **a**: 机器人一层层地直接反应，根本不做计划。
# * **b**: 思考和行动在同一段文本里交替。
# * **c**: 程序搜索从现状走到目标的一串动作。
# * **d**: 网络从奖励中学会玩 Atari 游戏。

# %%
ideas_in_time = ...  # the letters a, b, c, d, each once, in order, as one string

# %%
check("agents/quiz")

# %% [markdown]
# ## 8. `when_several_agents` · one letter
#
# For which task do several agents promise most?
#
# * **a**: Summarise twenty long reports and compare the summaries.
# * **b**: Rename a variable in one file, with a planner, a coder, a tester and a reviewer.
# * **c**: Prove a theorem whose every step uses all the steps before, one agent a step.
# * **d**: Answer a question that the model always gets wrong, by letting five copies of it debate.

# %% [markdown] lang="zh"
# ## 8. `when_several_agents` · 单选，一个字母
#
# 下列哪个任务，用多个智能体最划算？
#
# * **a**: 给二十份长报告各写摘要，再比较这些摘要。
# * **b**: 在一个文件里给变量改名，由规划、编码、测试、审查四个智能体来做。
# * **c**: 证明一个定理，每一步都要用到前面所有步骤，一个智能体做一步。
# * **d**: 有个问题这个模型总是答错，让它的五个副本来辩论。

# %%
when_several_agents = ...  # one of the letters a, b, c, d

# %%
check("agents/quiz")

# %% [markdown]
# ## 9. `can_leak` · every letter that applies
#
# The mailbox is private. Which of these agents can a stranger's mail cause to leak it?
#
# * **a**: It reads all mail and shows a summary to the owner as plain text.
# * **b**: It reads all mail and may load any web address.
# * **c**: It reads all mail and may answer it; its prompt forbids to pass on secrets.
# * **d**: It may send mail, and reads only mail that the owner has written.

# %% [markdown] lang="zh"
# ## 9. `can_leak` · 多选，所有符合的字母
#
# 邮箱内容是私密的。下列哪些智能体，会因为陌生人的一封邮件而泄密？
#
# * **a**: 读全部邮件，只把摘要以纯文本显示给主人。
# * **b**: 读全部邮件，还可以打开任意网址。
# * **c**: 读全部邮件，也可以回信；提示词里写明不得外传秘密。
# * **d**: 可以发信，但只读主人自己写的邮件。

# %%
can_leak = ...  # every letter that applies, out of a, b, c, d, as one string

# %%
check("agents/quiz")

# %% [markdown]
# ## 10. `more_votes` · one letter
#
# For a question, a model's samples give the right answer in 40% of cases and one certain wrong answer in 50%. What does a vote over more and more samples do?
#
# * **a**: It is right more and more often, up to nearly always.
# * **b**: It stays right in about 40% of cases, as each sample is.
# * **c**: It gives no answer, since none reaches more than half.
# * **d**: It is wrong more and more surely.

# %% [markdown] lang="zh"
# ## 10. `more_votes` · 单选，一个字母
#
# 对某个问题，模型采样有 40% 得到正确答案，有 50% 得到同一个错误答案。投票的样本越来越多，会怎样？
#
# * **a**: 越来越准，最后几乎总是对的。
# * **b**: 始终有 40% 左右是对的，和单个样本一样。
# * **c**: 给不出答案，因为谁也没有过半。
# * **d**: 错得越来越肯定。

# %%
more_votes = ...  # one of the letters a, b, c, d

# %%
check("agents/quiz")

# %% [markdown]
# ## 11. `tree_calls` · a number
#
# A tree of thoughts runs three rounds; three states are kept in each, and every state proposes four. One call proposes from one state, one call scores one state, and nothing is proposed twice. How many calls are made?

# %% [markdown] lang="zh"
# ## 11. `tree_calls` · 填一个数
#
# 思维树做三轮，每轮留三个状态，每个状态提出四个候选。一次调用展开一个状态或给一个状态打分，候选没有重复。一共要调用多少次？

# %%
tree_calls = ...  # a number

# %%
check("agents/quiz")

# %% [markdown]
# ## 12. `what_decides` · one letter
#
# What does τ-bench look at to decide whether a talk with a customer was a success?
#
# * **a**: The words, compared with a model conversation.
# * **b**: The calls, which must be those of a reference, in its order.
# * **c**: The database at the end.
# * **d**: The contentment of the simulated customer, as a mark.

# %% [markdown] lang="zh"
# ## 12. `what_decides` · 单选，一个字母
#
# 与顾客的一次对话算不算成功，τ-bench 凭什么判定？
#
# * **a**: 对话的用词，与示范对话比较。
# * **b**: 工具调用，必须与参考的调用次序完全相同。
# * **c**: 对话结束时的数据库。
# * **d**: 模拟顾客打出的满意度分数。

# %%
what_decides = ...  # one of the letters a, b, c, d

# %%
check("agents/quiz")
