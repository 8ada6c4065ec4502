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
# # Quiz: attention
#
# `attention/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/attention/overview.md)

# %% [markdown] lang="zh"
# # 小测验：注意力机制
#
# `attention/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/attention/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `score_size` · a number
#
# The components of a query and of a key are independent, with mean 0 and variance 1, and there are $d_k = 64$ of them.
# What is the standard deviation of the dot product, before any scaling?

# %% [markdown] lang="zh"
# ## 1. `score_size` · 填一个数
#
# 查询和键各有 $d_k = 64$ 个分量，彼此独立，均值为 0，方差为 1。不做任何缩放时，点积的标准差是多少？

# %%
score_size = ...  # a number

# %%
check("attention/quiz")

# %% [markdown]
# ## 2. `second_weight` · a number, to within 0.005
#
# For one query, the exponentials of the scores of three keys are 6, 3 and 1. The first key is masked. Which weight does
# the second key get?

# %% [markdown] lang="zh"
# ## 2. `second_weight` · 填一个数，误差不超过 0.005
#
# 对某个查询，三个键的分数取指数后分别是 6、3、1。第一个键被掩码遮住。第二个键的权重是多少？

# %%
second_weight = ...  # a number, to within 0.005

# %%
check("attention/quiz")

# %% [markdown]
# ## 3. `empty_row` · one letter
#
# A query may see nothing, so all its scores are $-\infty$, and an ordinary softmax makes NaN of them. Somebody replaces
# the NaN by 0 after the softmax. Which gradient do these scores get in the backward pass?
#
# * **a**: 0: what was overwritten plays no further part.
# * **b**: 0 in float32, and NaN in float16 only.
# * **c**: One that makes the query read all keys evenly.
# * **d**: NaN.

# %% [markdown] lang="zh"
# ## 3. `empty_row` · 单选，一个字母
#
# 某个查询什么都看不到，分数全是 $-\infty$，普通的 softmax 会给出 NaN。有人在 softmax 之后把 NaN 换成 0。反向传播时，这些分数得到的梯度是什么？
#
# * **a**: 0：被盖掉的值不再起作用。
# * **b**: float32 时是 0，只有 float16 时是 NaN。
# * **c**: 一个让这个查询平均地看所有键的梯度。
# * **d**: NaN。

# %%
empty_row = ...  # one of the letters a, b, c, d

# %%
check("attention/quiz")

# %% [markdown]
# ## 4. `shuffled_inputs` · one letter
#
# Self-attention without masks and without positions gets the same vectors in another order. What about its outputs?
#
# * **a**: They are the same, in that other order.
# * **b**: They change, because every vector has other neighbours now.
# * **c**: Nothing changes: each place gives the output that it gave before.
# * **d**: They change after training only, since the weights have learned the order then.

# %% [markdown] lang="zh"
# ## 4. `shuffled_inputs` · 单选，一个字母
#
# 自注意力不加掩码、不加位置信息。把输入向量换个顺序再送进去，输出会怎样？
#
# * **a**: 输出还是那些，只是跟着换了顺序。
# * **b**: 输出会变，因为每个向量的邻居变了。
# * **c**: 什么都不变：每个位置的输出和原来一模一样。
# * **d**: 训练之后才会变，因为那时权重已经学会了顺序。

# %%
shuffled_inputs = ...  # one of the letters a, b, c, d

# %%
check("attention/quiz")

# %% [markdown]
# ## 5. `against_recurrence` · every letter that applies
#
# Which of these are true of a self-attention layer, compared with a recurrent one?
#
# * **a**: Its work grows in proportion to the length of the text.
# * **b**: Any two positions are one step apart.
# * **c**: It knows the order of its inputs by itself.
# * **d**: In training, all positions of a text can be computed at once.
# * **e**: Which positions are connected depends on the content.

# %% [markdown] lang="zh"
# ## 5. `against_recurrence` · 多选，所有符合的字母
#
# 与循环层相比，关于自注意力层的下列说法哪些正确？
#
# * **a**: 计算量与文本长度成正比。
# * **b**: 任意两个位置一步可达。
# * **c**: 它自己就知道输入的次序。
# * **d**: 训练时，一段文本的所有位置可以同时计算。
# * **e**: 哪些位置相连由内容决定。

# %%
against_recurrence = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("attention/quiz")

# %% [markdown]
# ## 6. `weights_memory` · a number, in MiB, to within 0.1 %
#
# How much memory do the attention weights of one layer take, for one sequence of 4,096 tokens in self-attention with 16
# heads, at two bytes a number? (1 MiB is 1,048,576 bytes.)

# %% [markdown] lang="zh"
# ## 6. `weights_memory` · 填一个数，单位：MiB，误差不超过 0.1 %
#
# 一条 4096 个词元的序列做自注意力，16 个头，每个数占两字节。一层的注意力权重要占多少内存？（1 MiB 是 1048576 字节。）

# %%
weights_memory = ...  # a number, in MiB, to within 0.1 %

# %%
check("attention/quiz")

# %% [markdown]
# ## 7. `more_heads` · one letter
#
# A layer of width $C$ gets 16 heads instead of 8; $C$ stays as it is. What changes, if biases and the softmax's own work
# are left out?
#
# * **a**: The parameters double.
# * **b**: The multiplications double.
# * **c**: Only the memory for the attention weights changes: it doubles.
# * **d**: Nothing changes, not even in memory.

# %% [markdown] lang="zh"
# ## 7. `more_heads` · 单选，一个字母
#
# 某层宽度为 $C$，头数由 8 个改为 16 个，$C$ 不变。不计偏置和 softmax 本身的计算，什么会变？
#
# * **a**: 参数量翻倍。
# * **b**: 乘法次数翻倍。
# * **c**: 只有注意力权重占的内存变了：翻倍。
# * **d**: 什么都不变，内存也一样。

# %%
more_heads = ...  # one of the letters a, b, c, d

# %%
check("attention/quiz")

# %% [markdown]
# ## 8. `first_head` · one letter
#
# Three positions have four channels each: `0 1 2 3`, `4 5 6 7` and `8 9 10 11`. They are cut into two heads. Which
# numbers does the first head see?
#
# * **a**: `0 1 2 3 4 5`
# * **b**: `0 1 4 5 8 9`
# * **c**: `0 2 4 6 8 10`
# * **d**: `0 1 2 3 8 9 10 11`

# %% [markdown] lang="zh"
# ## 8. `first_head` · 单选，一个字母
#
# 三个位置各有四个通道：`0 1 2 3`、`4 5 6 7`、`8 9 10 11`。现在切成两个头，第一个头看到哪些数？
#
# * **a**: `0 1 2 3 4 5`
# * **b**: `0 1 4 5 8 9`
# * **c**: `0 2 4 6 8 10`
# * **d**: `0 1 2 3 8 9 10 11`

# %%
first_head = ...  # one of the letters a, b, c, d

# %%
check("attention/quiz")

# %% [markdown]
# ## 9. `layer_steps` · all letters, in order
#
# Put the steps of a causal multi-head self-attention layer in order.
#
# * **a**: Put the heads' results side by side and multiply by $W^O$.
# * **b**: Set the scores of later keys to $-\infty$.
# * **c**: Project the inputs to queries, keys and values, and cut them into heads.
# * **d**: Make weights of the scores by a softmax, and average the values with them.
# * **e**: Compare every query with every key, and divide by $\sqrt{D}$.

# %% [markdown] lang="zh"
# ## 9. `layer_steps` · 排序，写出全部字母
#
# 请把因果多头自注意力层的各个步骤排好次序。
#
# * **a**: 把各头的结果拼起来，乘以 $W^O$。
# * **b**: 把后面的键的分数置为 $-\infty$。
# * **c**: 把输入投影成查询、键、值，并切成多个头。
# * **d**: 用 softmax 把分数变成权重，对值做加权平均。
# * **e**: 每个查询与每个键求点积，再除以 $\sqrt{D}$。

# %%
layer_steps = ...  # the letters a, b, c, d, e, each once, in order, as one string

# %%
check("attention/quiz")

# %% [markdown]
# ## 10. `translators_queries` · one letter
#
# In a translator with encoder and decoder, the cross-attention connects the text to be translated (encoder) with the
# translation written so far (decoder). What comes from where?
#
# * **a**: Queries from the encoder, keys and values from the decoder.
# * **b**: Queries and keys from the encoder, values from the decoder.
# * **c**: Queries from the decoder, keys and values from the encoder.
# * **d**: All three from the decoder; the encoder's last state is added to them.

# %% [markdown] lang="zh"
# ## 10. `translators_queries` · 单选，一个字母
#
# 在编码器—解码器结构的翻译模型里，交叉注意力连接原文（编码器）和已写出的译文（解码器）。查询、键、值各来自哪一边？
#
# * **a**: 查询来自编码器，键和值来自解码器。
# * **b**: 查询和键来自编码器，值来自解码器。
# * **c**: 查询来自解码器，键和值来自编码器。
# * **d**: 三者都来自解码器，再加上编码器的最后一个状态。

# %%
translators_queries = ...  # one of the letters a, b, c, d

# %%
check("attention/quiz")

# %% [markdown]
# ## 11. `cache_size` · a number, in MiB, to within 0.1 %
#
# A model has 32 layers, with 32 query heads and 8 key-value heads of width 128 in each. It keeps its cache at two bytes a number.
# How large is the cache of one sequence of 8,192 tokens? (1 MiB is 1,048,576 bytes.)

# %% [markdown] lang="zh"
# ## 11. `cache_size` · 填一个数，单位：MiB，误差不超过 0.1 %
#
# 一个模型有 32 层，每层有 32 个查询头、8 个键值头，宽度都是 128。缓存每个数占两字节。一条 8192 个词元的序列，缓存有多大？（1 MiB 是 1048576 字节。）

# %%
cache_size = ...  # a number, in MiB, to within 0.1 %

# %%
check("attention/quiz")

# %% [markdown]
# ## 12. `first_query_of_a_chunk` · one letter
#
# A cache holds 5 tokens. A chunk of 3 new tokens is computed at once. How many keys may the first of the three see?
#
# * **a**: One, as the first row of a causal mask says.
# * **b**: Six.
# * **c**: Eight, since all of them are computed at once.
# * **d**: Five: those in the cache.

# %% [markdown] lang="zh"
# ## 12. `first_query_of_a_chunk` · 单选，一个字母
#
# 缓存里有 5 个词元，现在一次计算 3 个新词元。三个当中的第一个可以看到几个键？
#
# * **a**: 一个，因果掩码的第一行就是这样。
# * **b**: 六个。
# * **c**: 八个，因为三个是一起算的。
# * **d**: 五个：缓存里的那些。

# %%
first_query_of_a_chunk = ...  # one of the letters a, b, c, d

# %%
check("attention/quiz")
