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
# # Quiz: model compression
#
# `compression/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/compression/overview.md)

# %% [markdown] lang="zh"
# # 小测验：模型压缩
#
# `compression/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/compression/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `bits_a_weight` · a number, to within 0.001
#
# Weights are stored as 4-bit codes, in groups of 64; each group has a scale and a zero point of 16 bits each. How many bits does a weight take?

# %% [markdown] lang="zh"
# ## 1. `bits_a_weight` · 填一个数，误差不超过 0.001
#
# 权重存成 4 比特的编码，64 个一组；每组有一个缩放系数和一个零点，各 16 位。一个权重占多少比特？

# %%
bits_a_weight = ...  # a number, to within 0.001

# %%
check("compression/quiz")

# %% [markdown]
# ## 2. `zeros_in_a_plain_matrix` · one letter
#
# Half of the weights, scattered anywhere, are set to zero. The matrices are stored and multiplied as before. What changes?
#
# * **a**: The model takes half the memory and runs twice as fast.
# * **b**: It takes the same memory, but the zeros are skipped, so it is faster.
# * **c**: Its answers may change; size and speed don't.
# * **d**: Nothing at all: the small half of the weights has no influence on any answer.

# %% [markdown] lang="zh"
# ## 2. `zeros_in_a_plain_matrix` · 单选，一个字母
#
# 把散在各处的一半权重置零，矩阵照旧存储、照旧相乘。什么变了？
#
# * **a**: 模型只占一半内存，快一倍。
# * **b**: 内存不变，但零会被跳过，所以更快。
# * **c**: 回答可能会变，大小和速度不变。
# * **d**: 什么也没变：较小的那一半权重对任何回答都没有影响。

# %%
zeros_in_a_plain_matrix = ...  # one of the letters a, b, c, d

# %%
check("compression/quiz")

# %% [markdown]
# ## 3. `two_of_four` · a number, to within 0.001
#
# 2:4 pruning keeps two of every four weights, in 16 bits, and notes the place of each of them in 2 bits. How many bits is that for a weight of the original matrix?

# %% [markdown] lang="zh"
# ## 3. `two_of_four` · 填一个数，误差不超过 0.001
#
# 2:4 剪枝每四个权重留两个，用 16 位存，再用 2 比特记下每个的位置。按原来的矩阵算，每个权重合多少比特？

# %%
two_of_four = ...  # a number, to within 0.001

# %%
check("compression/quiz")

# %% [markdown]
# ## 4. `largest_useful_rank` · a number
#
# A matrix of 4,096 × 1,024 is replaced by two factors of rank r. What is the largest r with which fewer numbers are stored?

# %% [markdown] lang="zh"
# ## 4. `largest_useful_rank` · 填一个数
#
# 把 4096 × 1024 的矩阵换成两个秩为 r 的因子。要使存的数变少，r 最大是多少？

# %%
largest_useful_rank = ...  # a number

# %%
check("compression/quiz")

# %% [markdown]
# ## 5. `where_four_bits_help` · one letter
#
# Only the weights of a model are quantised to 4 bits. What becomes clearly faster?
#
# * **a**: Writing a text for a single user
# * **b**: Reading a prompt of 10,000 tokens
# * **c**: Writing for 500 users in one batch, four times as fast
# * **d**: Nothing: decoding the codes costs more than reading fewer bytes saves

# %% [markdown] lang="zh"
# ## 5. `where_four_bits_help` · 单选，一个字母
#
# 只把模型的权重量化到 4 比特。什么会明显变快？
#
# * **a**: 给单独一个用户写文本
# * **b**: 读一段一万个词元的提示词
# * **c**: 一个批次里为 500 个用户写，快四倍
# * **d**: 都不会：解码编码花的时间，比少读字节省下的还多

# %%
where_four_bits_help = ...  # one of the letters a, b, c, d

# %%
check("compression/quiz")

# %% [markdown]
# ## 6. `laptop_token` · a number, in ms, to within 0.1
#
# A model has 8 billion weights of 4.5 bits each, scales included. A laptop reads 100 GB a second. How many milliseconds does a token take at least,
# when one text is written? (1 GB is a billion bytes.)

# %% [markdown] lang="zh"
# ## 6. `laptop_token` · 填一个数，单位：毫秒，误差不超过 0.1
#
# 模型有 80 亿个权重，连缩放系数在内每个占 4.5 比特。笔记本每秒读 100 GB。只写一篇文本时，一个词元至少要多少毫秒？（1 GB 按十亿字节算。）

# %%
laptop_token = ...  # a number, in ms, to within 0.1

# %%
check("compression/quiz")

# %% [markdown]
# ## 7. `why_soft_targets` · one letter
#
# A teacher gives the next word: cat 0.6, dog 0.39, stove 0.0001. Why is a student trained on these numbers and not on cat alone?
#
# * **a**: Because the teacher's best word is usually wrong.
# * **b**: So that the gradient flows into the teacher too, and it learns to explain.
# * **c**: A distribution can be stored in fewer bits than a word.
# * **d**: They tell which wrong answers are nearly right.

# %% [markdown] lang="zh"
# ## 7. `why_soft_targets` · 单选，一个字母
#
# 老师给出的下一个词：猫 0.6，狗 0.39，炉子 0.0001。为什么让学生学这些数，而不是只学“猫”？
#
# * **a**: 因为老师认为最好的那个词往往是错的。
# * **b**: 这样梯度也流进老师，老师就学会怎样教。
# * **c**: 分布比一个词占的比特少。
# * **d**: 它们说出了哪些错误答案差不多是对的。

# %%
why_soft_targets = ...  # one of the letters a, b, c, d

# %%
check("compression/quiz")

# %% [markdown]
# ## 8. `temperature_factor` · a number
#
# Teacher and student are both softened with T = 4. By which number is the loss multiplied, so that its gradient keeps about the size that it has with T = 1?

# %% [markdown] lang="zh"
# ## 8. `temperature_factor` · 填一个数
#
# 老师和学生都用 T = 4 变得平缓。损失要乘以几，梯度才大致保持 T = 1 时的大小？

# %%
temperature_factor = ...  # a number

# %%
check("compression/quiz")

# %% [markdown]
# ## 9. `without_training` · every letter that applies
#
# Which of these need no training run, that is, no steps by backpropagated gradients?
#
# * **a**: Rounding each weight to the nearest of 16 marks.
# * **b**: Distilling a model of 8 billion weights into one of a billion.
# * **c**: Quantisation-aware training (QAT).
# * **d**: Removing half of the layers and getting nearly the old quality back.
# * **e**: Pruning by Wanda's score, with sample texts.

# %% [markdown] lang="zh"
# ## 9. `without_training` · 多选，所有符合的字母
#
# 下列哪些做法不需要训练，也就是不用反向传播的梯度去走步？
#
# * **a**: 把每个权重舍入到 16 道刻度中最近的一道。
# * **b**: 把 80 亿权重的模型蒸馏成 10 亿的。
# * **c**: 量化感知训练（QAT）。
# * **d**: 去掉一半的层，再把质量恢复到差不多原来的水平。
# * **e**: 用样本文本，按 Wanda 的分数剪枝。

# %%
without_training = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("compression/quiz")

# %% [markdown]
# ## 10. `order_of_diets` · all letters, in order
#
# A family of small models is made from a large one. Put the steps in the usual order.
#
# * **a**: Cut out heads, channels or layers.
# * **b**: Round the weights to 4 bits.
# * **c**: Train the large model.
# * **d**: Distil, with the large model as the teacher.
# * **e**: Measure it on the tasks that it is for.

# %% [markdown] lang="zh"
# ## 10. `order_of_diets` · 排序，写出全部字母
#
# 要从一个大模型做出一族小模型。把步骤按常见的次序排好。
#
# * **a**: 剪掉一些头、通道或层。
# * **b**: 把权重舍入到 4 比特。
# * **c**: 训练大模型。
# * **d**: 以大模型为老师做蒸馏。
# * **e**: 在它要做的任务上测量。

# %%
order_of_diets = ...  # the letters a, b, c, d, e, each once, in order, as one string

# %%
check("compression/quiz")

# %% [markdown]
# ## 11. `same_accuracy` · one letter
#
# Compressed and original model both answer 70% of a test correctly. What follows?
#
# * **a**: They are right and wrong in the same questions.
# * **b**: Single answers may still have changed in both directions.
# * **c**: The compression was lossless: their probabilities are equal.
# * **d**: In other languages and on long texts they are equally good, too.

# %% [markdown] lang="zh"
# ## 11. `same_accuracy` · 单选，一个字母
#
# 压缩后的模型与原模型在同一份测验上都答对 70%。由此可知什么？
#
# * **a**: 它们对的是同样的题，错的也是同样的题。
# * **b**: 单个答案仍可能变了，两个方向都有。
# * **c**: 压缩是无损的：两者给出的概率相等。
# * **d**: 换别的语言、换长文本，它们也一样好。

# %%
same_accuracy = ...  # one of the letters a, b, c, d

# %%
check("compression/quiz")

# %% [markdown]
# ## 12. `when_low_rank_wins` · one letter
#
# Which matrix loses least when it is written as two thin factors?
#
# * **a**: One in which most entries are zero, at random places.
# * **b**: One whose entries all lie between -0.1 and 0.1, so that none sticks out.
# * **c**: One with few large singular values.
# * **d**: A large one, since much in it must be superfluous.

# %% [markdown] lang="zh"
# ## 12. `when_low_rank_wins` · 单选，一个字母
#
# 哪种矩阵写成两个瘦长因子时损失最小？
#
# * **a**: 大部分元素是零、散在各处的。
# * **b**: 元素都在 -0.1 和 0.1 之间，没有特别突出的。
# * **c**: 只有少数几个大奇异值的。
# * **d**: 个头大的，因为里面多余的东西一定多。

# %%
when_low_rank_wins = ...  # one of the letters a, b, c, d

# %%
check("compression/quiz")
