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
# # Quiz: building blocks
#
# `blocks/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/blocks/overview.md)

# %% [markdown] lang="zh"
# # 小测验：基本模块
#
# `blocks/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/blocks/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `repeated_token` · one letter
#
# The ids of a sequence are `5 2 5 5`. In the backward pass the three places of token 5 receive the gradients $g_0$, $g_2$
# and $g_3$. Which gradient does row 5 of the embedding table get?
#
# * **a**: $g_3$, the last one to arrive.
# * **b**: The mean of the three, so that frequent tokens don't move faster.
# * **c**: $g_0 + g_2 + g_3$.
# * **d**: None: a lookup by an integer can't be differentiated.

# %% [markdown] lang="zh"
# ## 1. `repeated_token` · 单选，一个字母
#
# 一条序列的编号是 `5 2 5 5`。反向传播时，编号 5 的三处分别收到梯度 $g_0$、$g_2$、$g_3$。嵌入表的第 5 行得到的梯度是什么？
#
# * **a**: $g_3$，最后到达的那个。
# * **b**: 三者的平均，免得常见词元走得太快。
# * **c**: $g_0 + g_2 + g_3$。
# * **d**: 没有梯度：用整数查表不可导。

# %%
repeated_token = ...  # one of the letters a, b, c, d

# %%
check("blocks/quiz")

# %% [markdown]
# ## 2. `first_loss` · a number, to within 0.05
#
# A model with a vocabulary of 50,257 tokens has just been initialised, and gives all tokens about the same probability. What is its loss, in nats?

# %% [markdown] lang="zh"
# ## 2. `first_loss` · 填一个数，误差不超过 0.05
#
# 一个词表有 50257 个词元的模型刚初始化完，给每个词元的概率差不多。它的损失是多少（以自然对数计）？

# %%
first_loss = ...  # a number, to within 0.05

# %%
check("blocks/quiz")

# %% [markdown]
# ## 3. `how_many_means` · a number
#
# LayerNorm is applied to a tensor of 4 sequences, 7 positions and 6 features. How many means does it compute?

# %% [markdown] lang="zh"
# ## 3. `how_many_means` · 填一个数
#
# 对一个 4 条序列、7 个位置、6 个特征的张量做 LayerNorm，它要算出多少个均值？

# %%
how_many_means = ...  # a number

# %%
check("blocks/quiz")

# %% [markdown]
# ## 4. `about_rmsnorm` · every letter that applies
#
# Which of these are true of RMSNorm (leave $\varepsilon$ aside)?
#
# * **a**: Three times the input gives the same result.
# * **b**: Five added to every feature gives the same result.
# * **c**: It learns a weight and a bias.
# * **d**: A sentence's result is the same alone and in a batch.
# * **e**: Before the learned weight, the features of a position have mean zero.

# %% [markdown] lang="zh"
# ## 4. `about_rmsnorm` · 多选，所有符合的字母
#
# 关于 RMSNorm，下列哪些说法正确（不考虑 $\varepsilon$）？
#
# * **a**: 输入变成三倍，结果不变。
# * **b**: 每个特征都加 5，结果不变。
# * **c**: 它学习权重和偏置。
# * **d**: 一句话单独算和放进批次里算，结果一样。
# * **e**: 在乘以学到的权重之前，一个位置的各特征均值为零。

# %%
about_rmsnorm = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("blocks/quiz")

# %% [markdown]
# ## 5. `gated_width` · a number
#
# A model has the width 2048. Its SwiGLU network is to have as many parameters as a plain one of hidden width 4 · 2048,
# and its own hidden width is rounded to a multiple of 256, as in LLaMA. How large is it?

# %% [markdown] lang="zh"
# ## 5. `gated_width` · 填一个数
#
# 模型宽度是 2048。要让 SwiGLU 的参数量和中间宽度为 4 × 2048 的普通 FFN 相当，并像 LLaMA 那样取 256 的倍数，它的中间宽度是多少？

# %%
gated_width = ...  # a number

# %%
check("blocks/quiz")

# %% [markdown]
# ## 6. `silu_of_minus_one` · a number, to within 0.002
#
# What is SiLU (Swish with $\beta = 1$) of $-1$?

# %% [markdown] lang="zh"
# ## 6. `silu_of_minus_one` · 填一个数，误差不超过 0.002
#
# SiLU（$\beta = 1$ 的 Swish）在 $-1$ 处的值是多少？

# %%
silu_of_minus_one = ...  # a number, to within 0.002

# %%
check("blocks/quiz")

# %% [markdown]
# ## 7. `dead_unit` · one letter
#
# One hidden unit of an FFN gets a negative input for every example. What happens to the weights that lead into it, without weight decay?
#
# * **a**: With ReLU the loss sees that the unit is of no use, and pushes its input up.
# * **b**: With ReLU they never change again; with GELU they still learn.
# * **c**: With ReLU they still learn; with GELU they never change again.
# * **d**: They never change again, whichever of the two is used: a negative input means no gradient.

# %% [markdown] lang="zh"
# ## 7. `dead_unit` · 单选，一个字母
#
# FFN 的某个中间单元，对所有样本的输入都是负数。不计权重衰减，通向它的权重会怎样？
#
# * **a**: 用 ReLU 时，损失会发现这个单元没用，把它的输入往上推。
# * **b**: 用 ReLU 就再也不变；用 GELU 还能学。
# * **c**: 用 ReLU 还能学；用 GELU 就再也不变。
# * **d**: 两种都再也不变：输入为负就没有梯度。

# %%
dead_unit = ...  # one of the letters a, b, c, d

# %%
check("blocks/quiz")

# %% [markdown]
# ## 8. `which_placement` · one letter
#
# A layer computes $x + \mathrm{norm}(f(\mathrm{norm}(x)))$. Which placement of the norm is this?
#
# * **a**: Post-norm
# * **b**: Pre-norm
# * **c**: DeepNorm
# * **d**: Sandwich

# %% [markdown] lang="zh"
# ## 8. `which_placement` · 单选，一个字母
#
# 某一层算的是 $x + \mathrm{norm}(f(\mathrm{norm}(x)))$。这是哪种归一化放法？
#
# * **a**: Post-Norm
# * **b**: Pre-Norm
# * **c**: DeepNorm
# * **d**: Sandwich-Norm

# %%
which_placement = ...  # one of the letters a, b, c, d

# %%
check("blocks/quiz")

# %% [markdown]
# ## 9. `growth_of_pre_norm` · a number, to within 0.01
#
# A pre-norm model has 12 layers of attention and FFN. The input and what each branch adds have variance 1 and are
# independent. What is the standard deviation of the residual stream after the last layer, before the final norm?

# %% [markdown] lang="zh"
# ## 9. `growth_of_pre_norm` · 填一个数，误差不超过 0.01
#
# 一个 Pre-Norm 模型有 12 层，每层有注意力和 FFN。输入和每个分支加上去的量方差都是 1，彼此独立。最后一层之后、最终归一化之前，残差流的标准差是多少？

# %%
growth_of_pre_norm = ...  # a number, to within 0.01

# %%
check("blocks/quiz")

# %% [markdown]
# ## 10. `steps_of_a_sublayer` · all letters, in order
#
# Put the steps of one pre-norm sublayer with dropout in order, and after them what follows at the end of the model.
#
# * **a**: Add the sublayer's unchanged input.
# * **b**: Apply attention or the FFN.
# * **c**: After the last layer: one more norm, then the output head.
# * **d**: Normalise a copy of the input.
# * **e**: Set random entries to zero and scale up the others.

# %% [markdown] lang="zh"
# ## 10. `steps_of_a_sublayer` · 排序，写出全部字母
#
# 请把一个带 dropout 的 Pre-Norm 子层的步骤，以及模型末尾的步骤，排好次序。
#
# * **a**: 加上这个子层原封不动的输入。
# * **b**: 过注意力或 FFN。
# * **c**: 最后一层之后：再做一次归一化，然后过输出头。
# * **d**: 对输入的一份副本做归一化。
# * **e**: 随机把一些数置零，其余按比例放大。

# %%
steps_of_a_sublayer = ...  # the letters a, b, c, d, e, each once, in order, as one string

# %%
check("blocks/quiz")

# %% [markdown]
# ## 11. `one_table_for_both` · every letter that applies
#
# A model uses one matrix $V \times C$ as its embedding and as its output head. What follows?
#
# * **a**: The multiplications of the output head are saved.
# * **b**: The model has $V C$ parameters fewer than with two matrices.
# * **c**: In one backward pass, rows of tokens that are not in the batch get a gradient too.
# * **d**: The head must be copied into the embedding after every step.
# * **e**: Its gradient is the sum of two: from the lookup and from the logits.

# %% [markdown] lang="zh"
# ## 11. `one_table_for_both` · 多选，所有符合的字母
#
# 一个模型把同一个 $V \times C$ 矩阵既当嵌入表又当输出头。由此可知什么？
#
# * **a**: 省下了输出头的乘法。
# * **b**: 比用两个矩阵少 $V C$ 个参数。
# * **c**: 一次反向传播中，批次里没出现的词元，它们的行也会得到梯度。
# * **d**: 每一步之后，都要把输出头复制到嵌入表里。
# * **e**: 它的梯度是两份之和：一份来自查表，一份来自 logits。

# %%
one_table_for_both = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("blocks/quiz")

# %% [markdown]
# ## 12. `loss_of_two_parts` · a number, to within 0.001
#
# The loss of a batch is computed in two parts of 40 places each. In the first, 30 targets count and their mean loss is
# 2.0; in the second, 10 targets count and their mean loss is 4.0. What is the loss of the batch?

# %% [markdown] lang="zh"
# ## 12. `loss_of_two_parts` · 填一个数，误差不超过 0.001
#
# 一个批次的损失分两段来算，每段 40 个位置。第一段有 30 个目标计入，平均损失 2.0；第二段有 10 个目标计入，平均损失 4.0。整个批次的损失是多少？

# %%
loss_of_two_parts = ...  # a number, to within 0.001

# %%
check("blocks/quiz")
