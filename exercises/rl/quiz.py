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
# # Quiz: reinforcement learning
#
# `rl/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/rl/overview.md)

# %% [markdown] lang="zh"
# # 小测验：强化学习基础
#
# `rl/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/rl/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `whose_data` · one letter
#
# What holds for the data of online reinforcement learning, and not for a supervised data set?
#
# * **a**: For each state it says which action would have been right.
# * **b**: It changes when the policy changes.
# * **c**: Its steps are independent of each other.
# * **d**: Its rewards must be differentiable, so that the policy gets a gradient.

# %% [markdown] lang="zh"
# ## 1. `whose_data` · 单选，一个字母
#
# 关于在线强化学习的数据，下列哪一项成立，而监督学习的数据集没有这个特点？
#
# * **a**: 每个状态都附有本该采取的正确动作。
# * **b**: 策略一变，数据也跟着变。
# * **c**: 各步之间互相独立。
# * **d**: 奖励必须可导，策略才有梯度。

# %%
whose_data = ...  # one of the letters a, b, c, d

# %%
check("rl/quiz")

# %% [markdown]
# ## 2. `greedy_share` · a number, to within 0.005
#
# Many agents choose among three answers, which earn a 1 in 90%, 50% and 10% of cases, and else a 0. Each keeps the mean mark of every
# answer, from 0 on, and always says the best so far; ties are broken at random. Which share of them ends up with the best answer?

# %% [markdown] lang="zh"
# ## 2. `greedy_share` · 填一个数，误差不超过 0.005
#
# 许多智能体要在三个回答里选，它们得 1 的机会分别是 90%、50%、10%，否则得 0。每个智能体给各个回答记平均分，从 0 开始，总说目前最好的，并列时随机选。最后停在最好回答上的智能体占多少比例？

# %%
greedy_share = ...  # a number, to within 0.005

# %%
check("rl/quiz")

# %% [markdown]
# ## 3. `other_answers` · a number, to within 0.0005
#
# An agent has five answers and explores with ε = 0.2: with that probability it draws one of the five at random. With which probability does it say another answer than the one that looks best?

# %% [markdown] lang="zh"
# ## 3. `other_answers` · 填一个数，误差不超过 0.0005
#
# 智能体有五个回答可选，以 ε = 0.2 的概率探索，即从五个里随机抽一个。它说出的不是看上去最好的那个，概率是多少？

# %%
other_answers = ...  # a number, to within 0.0005

# %%
check("rl/quiz")

# %% [markdown]
# ## 4. `last_target` · a number
#
# With discount 0.9 a step earns the reward 4 and terminates the game. A value network, asked about the final state, says 10. Which target does Q-learning give this step?

# %% [markdown] lang="zh"
# ## 4. `last_target` · 填一个数
#
# 折扣是 0.9。某一步得到奖励 4，游戏随之终止。拿最后的状态去问价值网络，它说 10。Q-learning 给这一步的目标是多少？

# %%
last_target = ...  # a number

# %%
check("rl/quiz")

# %% [markdown]
# ## 5. `curious_step` · a number
#
# A step earns 1; the discount is 0.5. In the next state two actions have the values 6 and 2, and the agent, being curious, takes the second. By how much does Q-learning's target for the first step exceed SARSA's?

# %% [markdown] lang="zh"
# ## 5. `curious_step` · 填一个数
#
# 某一步得到奖励 1，折扣是 0.5。下一个状态有两个动作，价值分别是 6 和 2；智能体出于好奇，走了第二个。给前面那一步的目标，Q-learning 比 SARSA 高多少？

# %%
curious_step = ...  # a number

# %%
check("rl/quiz")

# %% [markdown]
# ## 6. `family_of_ppo` · one letter
#
# Where does PPO stand in the family tree?
#
# * **a**: Model-based and on-policy: its critic is a model of the environment.
# * **b**: Model-free and off-policy: it goes over its data several times.
# * **c**: Model-free, learning values only: the policy takes the action of highest value.
# * **d**: Model-free and on-policy: it learns a policy from that policy's own samples.

# %% [markdown] lang="zh"
# ## 6. `family_of_ppo` · 单选，一个字母
#
# 在强化学习的分类里，PPO 属于哪一类？
#
# * **a**: 有模型、同策略：Critic 就是环境的模型。
# * **b**: 无模型、异策略：同一批数据它要练好几轮。
# * **c**: 无模型、只学价值：策略就是取价值最大的动作。
# * **d**: 无模型、同策略：学的是策略，用的是这个策略自己采的样本。

# %%
family_of_ppo = ...  # one of the letters a, b, c, d

# %%
check("rl/quiz")

# %% [markdown]
# ## 7. `deadly_triad` · every letter that applies
#
# In which of these do all three parts of the deadly triad come together?
#
# * **a**: Q-learning with a table, from another agent's games.
# * **b**: Q-learning with a neural network, from a fixed record of old games.
# * **c**: REINFORCE with a neural network.
# * **d**: DQN, with its replay buffer and its second network.

# %% [markdown] lang="zh"
# ## 7. `deadly_triad` · 多选，所有符合的字母
#
# 下列哪些情形凑齐了“致命三要素”？
#
# * **a**: 用表格做 Q-learning，数据来自别的智能体的对局。
# * **b**: 用神经网络做 Q-learning，数据是一份固定的旧对局。
# * **c**: 用神经网络的 REINFORCE。
# * **d**: 带回放缓冲区和第二份网络的 DQN。

# %%
deadly_triad = ...  # every letter that applies, out of a, b, c, d, as one string

# %%
check("rl/quiz")

# %% [markdown]
# ## 8. `round_of_ppo` · all letters, in order
#
# Put the steps of one round of PPO in order. (Those of a minibatch are repeated for each.)
#
# * **a**: Step on the clipped loss.
# * **b**: Play with the present policy and store each log-probability.
# * **c**: Shuffle the samples and cut them into minibatches.
# * **d**: Measure the minibatch's KL divergence, and end if it is too large.
# * **e**: Compute the advantages, from the last step backwards.

# %% [markdown] lang="zh"
# ## 8. `round_of_ppo` · 排序，写出全部字母
#
# 把 PPO 一轮的步骤排好次序（小批次里的步骤对每个小批次重复）。
#
# * **a**: 按裁剪后的损失走一步。
# * **b**: 用此刻的策略去玩，存下每个对数概率。
# * **c**: 把样本打乱，切成小批次。
# * **d**: 量一量小批次上的 KL 散度，太大就结束。
# * **e**: 从最后一步往前算优势。

# %%
round_of_ppo = ...  # the letters a, b, c, d, e, each once, in order, as one string

# %%
check("rl/quiz")

# %% [markdown]
# ## 9. `raised_returns` · one letter
#
# Somebody adds 100 to the return of every episode, good or bad, and uses REINFORCE without a baseline. What happens?
#
# * **a**: The gradient is the same on average, and each estimate of it far noisier.
# * **b**: Nothing: only the differences between returns enter each estimate.
# * **c**: All actions become more probable, so the policy becomes uniform.
# * **d**: The gradient becomes about 100 times as large, on average.

# %% [markdown] lang="zh"
# ## 9. `raised_returns` · 单选，一个字母
#
# 有人给每个回合的回报都加上 100，不论好坏，然后用不带基线的 REINFORCE。会怎样？
#
# * **a**: 梯度的平均不变，但每次估计的噪声大得多。
# * **b**: 什么也不变：每次估计只用到回报之间的差。
# * **c**: 所有动作的概率都升高，策略变得均匀。
# * **d**: 梯度平均变成约 100 倍。

# %%
raised_returns = ...  # one of the letters a, b, c, d

# %%
check("rl/quiz")

# %% [markdown]
# ## 10. `cut_answers` · one letter
#
# The reward, a positive one, comes at the end of an answer. Answers that reach a length limit are cut off before, and earn nothing. The code treats this as the end of the game. What does the critic learn?
#
# * **a**: Nothing wrong: in both cases no further step follows.
# * **b**: That long answers are worth more than they are.
# * **c**: That states near the limit are worth little.
# * **d**: Nothing: only the actor's loss knows about ends.

# %% [markdown] lang="zh"
# ## 10. `cut_answers` · 单选，一个字母
#
# 奖励是正的，在回答结束时才发。回答到了长度上限就被截断，还没拿到奖励，代码却把这当成游戏终止。Critic 会学到什么？
#
# * **a**: 没什么不对：反正两种情形后面都没有下一步了。
# * **b**: 把长回答的价值估得偏高。
# * **c**: 靠近上限的状态不值什么。
# * **d**: 不受影响：只有 Actor 的损失才管结尾。

# %%
cut_answers = ...  # one of the letters a, b, c, d

# %%
check("rl/quiz")

# %% [markdown]
# ## 11. `clipped_term` · a number, to within 0.005
#
# A bad action has the advantage -2; it has become 1.5 times as probable as when it was sampled. The clip range is 0.2. What does it contribute to PPO's objective (which is maximised)?

# %% [markdown] lang="zh"
# ## 11. `clipped_term` · 填一个数，误差不超过 0.005
#
# 一个坏动作的优势是 -2，它的概率已是采样时的 1.5 倍。裁剪范围是 0.2。它对 PPO 的目标（要最大化的那个）贡献多少？

# %%
clipped_term = ...  # a number, to within 0.005

# %%
check("rl/quiz")

# %% [markdown]
# ## 12. `mixed_errors` · a number, to within 0.001
#
# From some step to the end of the episode the critic's one-step errors are 0.2, 0.4 and 0.8. With γ = 1 and λ = 0.5, what is the GAE advantage of the first of these steps?

# %% [markdown] lang="zh"
# ## 12. `mixed_errors` · 填一个数，误差不超过 0.001
#
# 从某一步到回合结束，Critic 的单步误差依次是 0.2、0.4、0.8。取 γ = 1、λ = 0.5，其中第一步的 GAE 优势是多少？

# %%
mixed_errors = ...  # a number, to within 0.001

# %%
check("rl/quiz")
