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
# # Quiz: RLHF and preference optimisation
#
# `alignment/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/alignment/overview.md)

# %% [markdown] lang="zh"
# # 小测验：RLHF 与偏好优化
#
# `alignment/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/alignment/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `text_as_episode` · one letter
#
# A response is treated as an episode, with a state for each token. What is unusual about this decision process, compared with most games?
#
# * **a**: The environment answers at random, since a text can go on in many ways.
# * **b**: The reward model gives each token a score of its own as it is written.
# * **c**: Given state and action, the next state is certain.
# * **d**: There are only a few actions, but very many states.

# %% [markdown] lang="zh"
# ## 1. `text_as_episode` · 单选，一个字母
#
# 把一条回答当作一个回合，每个词元对应一个状态。和大多数游戏相比，这个决策过程有什么特别？
#
# * **a**: 环境的回应是随机的，因为文本可以有许多种接法。
# * **b**: 每写一个词元，奖励模型就给它单独打一个分。
# * **c**: 给定状态和动作，下一个状态是确定的。
# * **d**: 动作只有几个，状态却极多。

# %%
text_as_episode = ...  # one of the letters a, b, c, d

# %%
check("alignment/quiz")

# %% [markdown]
# ## 2. `recipe` · all letters, in order
#
# Put the stages of InstructGPT's recipe in order.
#
# * **a**: Fit a reward model.
# * **b**: Let people compare responses to the same prompt.
# * **c**: Improve the policy by PPO.
# * **d**: Fine-tune on demonstrations.

# %% [markdown] lang="zh"
# ## 2. `recipe` · 排序，写出全部字母
#
# 把 InstructGPT 的各个阶段排好次序。
#
# * **a**: 训练奖励模型。
# * **b**: 让人比较同一提示词的几条回答。
# * **c**: 用 PPO 改进策略。
# * **d**: 在示范上微调。

# %%
recipe = ...  # the letters a, b, c, d, each once, in order, as one string

# %%
check("alignment/quiz")

# %% [markdown]
# ## 3. `four_models` · a number, in GB, to within 1 %
#
# PPO with actor, critic, reward model and reference, each of 3 billion parameters. A trained parameter takes 16 bytes, a frozen one 2. How
# many GB (1 GB = 10⁹ bytes) do the four take, without activations?

# %% [markdown] lang="zh"
# ## 3. `four_models` · 填一个数，单位：GB，误差不超过 1 %
#
# PPO 的 Actor、Critic、奖励模型、参考模型各有 30 亿参数。训练的参数每个占 16 字节，冻结的占 2 字节。不算激活值，四个模型共占多少 GB（1 GB = 10⁹ 字节）？

# %%
four_models = ...  # a number, in GB, to within 1 %

# %%
check("alignment/quiz")

# %% [markdown]
# ## 4. `best_policy` · a number, to within 0.005
#
# For a prompt there are two responses. The reference gives them the probabilities 0.75 and 0.25; their rewards are 0 and 1; β = 0.5. Which
# probability does the best policy give to the second one?

# %% [markdown] lang="zh"
# ## 4. `best_policy` · 填一个数，误差不超过 0.005
#
# 某个提示词只有两条可能的回答。参考模型给它们的概率是 0.75 和 0.25，奖励是 0 和 1，β = 0.5。最优策略给第二条的概率是多少？

# %%
best_policy = ...  # a number, to within 0.005

# %%
check("alignment/quiz")

# %% [markdown]
# ## 5. `last_token` · a number, to within 0.005
#
# The last token of a response has log-probability -0.5 under the policy and -2.5 under the reference. β = 0.1, and the reward model gives the
# response the score 1. What does this token earn?

# %% [markdown] lang="zh"
# ## 5. `last_token` · 填一个数，误差不超过 0.005
#
# 一条回答的最后一个词元，在策略下的对数概率是 -0.5，在参考模型下是 -2.5。β = 0.1，奖励模型给这条回答打了 1 分。这个词元得到多少奖励？

# %%
last_token = ...  # a number, to within 0.005

# %%
check("alignment/quiz")

# %% [markdown]
# ## 6. `dpo_margin` · a number, to within 0.005
#
# β = 0.5. The chosen response has log-probability -5 under the policy and -8 under the reference; the rejected one -4 and -3. What is the margin
# of this pair for DPO, β included?

# %% [markdown] lang="zh"
# ## 6. `dpo_margin` · 填一个数，误差不超过 0.005
#
# β = 0.5。被选中的回答在策略下的对数概率是 -5，在参考模型下是 -8；被拒绝的分别是 -4 和 -3。这一对在 DPO 里的间隔（含 β）是多少？

# %%
dpo_margin = ...  # a number, to within 0.005

# %%
check("alignment/quiz")

# %% [markdown]
# ## 7. `rising_reward` · one letter
#
# During PPO the reward model's score rises week after week. People who read samples find them better at first, and then worse and worse. What is going on?
#
# * **a**: The critic lags behind; with exact values both would rise.
# * **b**: The policy has found responses that the reward model overrates.
# * **c**: The KL penalty is too strong and keeps the policy from getting better.
# * **d**: The judges have got used to the model; with new ones the verdict would rise, too.

# %% [markdown] lang="zh"
# ## 7. `rising_reward` · 单选，一个字母
#
# 做 PPO 时，奖励模型的打分一周比一周高。读样本的人起初觉得变好了，后来却越来越差。这是怎么回事？
#
# * **a**: Critic 跟不上；价值若是精确的，两者都会上升。
# * **b**: 策略找到了奖励模型打分过高的那些回答。
# * **c**: KL 惩罚太强，拖住了策略，不让它变好。
# * **d**: 评判的人看腻了；换一批人，评价也会上升。

# %%
rising_reward = ...  # one of the letters a, b, c, d

# %%
check("alignment/quiz")

# %% [markdown]
# ## 8. `writes_samples` · every letter that applies
#
# Which of these need the model to write new responses while it is trained?
#
# * **a**: PPO
# * **b**: DPO
# * **c**: GRPO with an answer checker
# * **d**: Fitting a reward model to comparisons
# * **e**: ReMax

# %% [markdown] lang="zh"
# ## 8. `writes_samples` · 多选，所有符合的字母
#
# 下列哪些在训练过程中需要模型写出新的回答？
#
# * **a**: PPO
# * **b**: DPO
# * **c**: 用答案检查程序的 GRPO
# * **d**: 用比较数据训练奖励模型
# * **e**: ReMax

# %%
writes_samples = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("alignment/quiz")

# %% [markdown]
# ## 9. `one_in_four` · a number, to within 0.01
#
# A checker gives the four responses to a prompt the rewards 1, 0, 0, 0. What is GRPO's advantage of the first, with the population's standard deviation (divided by 4)?

# %% [markdown] lang="zh"
# ## 9. `one_in_four` · 填一个数，误差不超过 0.01
#
# 检查程序给同一提示词的四条回答打分 1、0、0、0。用总体标准差（除以 4），GRPO 给第一条的优势是多少？

# %%
one_in_four = ...  # a number, to within 0.01

# %%
check("alignment/quiz")

# %% [markdown]
# ## 10. `all_eight_right` · one letter
#
# All eight responses of a group are right and earn 1. What does GRPO learn from the group, apart from a KL term?
#
# * **a**: To make all eight more likely, since each of them earned the full reward.
# * **b**: To prefer the shortest of the eight.
# * **c**: More than from a mixed group, since there are eight good examples in it.
# * **d**: Nothing: every advantage is 0.

# %% [markdown] lang="zh"
# ## 10. `all_eight_right` · 单选，一个字母
#
# 一组八条回答全都做对了，各得 1。撇开 KL 项，GRPO 从这一组里学到什么？
#
# * **a**: 让八条都更可能，因为每条都得了满分。
# * **b**: 偏向八条里最短的那条。
# * **c**: 比有对有错的组学得更多，因为有八个好样本。
# * **d**: 什么也学不到：优势全是 0。

# %%
all_eight_right = ...  # one of the letters a, b, c, d

# %%
check("alignment/quiz")

# %% [markdown]
# ## 11. `three_tries` · a number, to within 0.003
#
# A base model solves each problem of a test with probability 0.3, independently at each try. After training it solves 60% of the problems always and the
# rest never, so its pass@3 is 0.6. What is the base model's pass@3?

# %% [markdown] lang="zh"
# ## 11. `three_tries` · 填一个数，误差不超过 0.003
#
# 某个基座模型对测试里的每道题，每次尝试做对的概率都是 0.3，各次独立。训练之后，它有 60% 的题必对，其余必错，所以 pass@3 是 0.6。基座模型的 pass@3 是多少？

# %%
three_tries = ...  # a number, to within 0.003

# %%
check("alignment/quiz")

# %% [markdown]
# ## 12. `long_winners` · one letter
#
# In a set of preference pairs the chosen response is on average twice as long as the rejected one. What should be done before DPO is trained on it?
#
# * **a**: Select pairs so that the longer response wins about as often as it loses.
# * **b**: Nothing: the reference's log-probability takes the length out.
# * **c**: Cut the chosen responses off at the length of the rejected ones.
# * **d**: Lower β, so that the pairs count less.

# %% [markdown] lang="zh"
# ## 12. `long_winners` · 单选，一个字母
#
# 一份偏好数据里，被选中的回答平均比被拒绝的长一倍。用它训练 DPO 之前，应当怎么做？
#
# * **a**: 挑选偏好对，让较长的回答胜负各占一半左右。
# * **b**: 不用管：减去参考模型的对数概率，长度就抵消了。
# * **c**: 把被选中的回答截到和被拒绝的一样长。
# * **d**: 调小 β，让偏好对的作用小一些。

# %%
long_winners = ...  # one of the letters a, b, c, d

# %%
check("alignment/quiz")
