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
# # Quiz: inference and serving
#
# `inference/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/inference/overview.md)

# %% [markdown] lang="zh"
# # 小测验：推理与部署
#
# `inference/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/inference/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `life_of_a_request` · all letters, in order
#
# Put the life of a request in order.
#
# * **a**: Add one token a step, together with other requests.
# * **b**: Wait until there is room.
# * **c**: Free the blocks of the cache.
# * **d**: Turn the conversation into tokens.
# * **e**: Compute keys and values of the whole prompt.

# %% [markdown] lang="zh"
# ## 1. `life_of_a_request` · 排序，写出全部字母
#
# 把一个请求经历的步骤排好次序。
#
# * **a**: 与其他请求一道，每步添一个词元。
# * **b**: 等待，直到有地方。
# * **c**: 释放缓存的块。
# * **d**: 把对话变成词元。
# * **e**: 算出整段提示词的键和值。

# %%
life_of_a_request = ...  # the letters a, b, c, d, e, each once, in order, as one string

# %%
check("inference/quiz")

# %% [markdown]
# ## 2. `why_batches_pay` · one letter
#
# A server writes about 30 times as many tokens a second with 32 short sequences as with one. Why?
#
# * **a**: Each sequence needs fewer operations when it is in a batch.
# * **b**: The weights are read once a step for all of them.
# * **c**: All of them share one KV cache, so that it is read only once.
# * **d**: A GPU gives one core to each sequence, and the others are idle.

# %% [markdown] lang="zh"
# ## 2. `why_batches_pay` · 单选，一个字母
#
# 32 条短序列一起写，每秒词元数差不多是只写一条时的 30 倍。为什么？
#
# * **a**: 放进批次以后，每条序列需要的运算变少。
# * **b**: 每一步里，权重由大家合读一遍。
# * **c**: 它们共用一份 KV 缓存，所以只需读一遍。
# * **d**: 显卡给每条序列分一个核，没有序列的核就闲着。

# %%
why_batches_pay = ...  # one of the letters a, b, c, d

# %%
check("inference/quiz")

# %% [markdown]
# ## 3. `floor_of_a_step` · a number, in ms, to within 0.05
#
# A model's weights take 16 GB; a token's cache takes 125 kB. Eight sequences of 4,000 tokens each are decoded together on a GPU that reads
# 2,000 GB a second. Arithmetic is not the limit, and 1 GB is a billion bytes. How many milliseconds does a step take at least?

# %% [markdown] lang="zh"
# ## 3. `floor_of_a_step` · 填一个数，单位：毫秒，误差不超过 0.05
#
# 模型的权重占 16 GB，每个词元的缓存占 125 kB。八条各有 4000 个词元的序列一起解码，显卡每秒能读 2000 GB。计算不是瓶颈，1 GB 按十亿字节算。一步至少要多少毫秒？

# %%
floor_of_a_step = ...  # a number, in ms, to within 0.05

# %%
check("inference/quiz")

# %% [markdown]
# ## 4. `sequences_that_fit` · a number
#
# 90% of a GPU's 80 GB may be used. Weights take 16 GB, the working area 6 GB. Of each token the keys take 62.5 kB, and the values as much. How
# many sequences of 8,000 tokens fit at the same time? (1 GB is a billion bytes.)

# %% [markdown] lang="zh"
# ## 4. `sequences_that_fit` · 填一个数
#
# 显卡有 80 GB，可用其中的 90%。权重占 16 GB，工作区占 6 GB。每个词元的键占 62.5 kB，值也占这么多。8000 个词元的序列，同时放得下几条？（1 GB 按十亿字节算。）

# %%
sequences_that_fit = ...  # a number

# %%
check("inference/quiz")

# %% [markdown]
# ## 5. `what_flash_saves` · one letter
#
# What does FlashAttention save in the forward pass?
#
# * **a**: Products of queries with keys that would get little weight.
# * **b**: Keys and values of earlier tokens, which it need not store.
# * **c**: Exponentials: its softmax works without them, by a running sum.
# * **d**: Writing the table of scores to the GPU's main memory.

# %% [markdown] lang="zh"
# ## 5. `what_flash_saves` · 单选，一个字母
#
# FlashAttention 在前向计算里省下了什么？
#
# * **a**: 权重很小的那些查询与键的乘积。
# * **b**: 前面词元的键和值，不必再存。
# * **c**: 指数运算：它的 softmax 只用累加和，不需要指数。
# * **d**: 把分数表写进显存的那些访存。

# %%
what_flash_saves = ...  # one of the letters a, b, c, d

# %%
check("inference/quiz")

# %% [markdown]
# ## 6. `steps_of_continuous_batching` · a number
#
# A batch has two slots. Four answers of 2, 9, 3 and 3 tokens wait in this order; whichever slot becomes free takes the next one at once. Reading
# prompts costs nothing here. After how many steps are all of them done?

# %% [markdown] lang="zh"
# ## 6. `steps_of_continuous_batching` · 填一个数
#
# 批次有两个位置。四个回答依次等待，分别有 2、9、3、3 个词元；哪个位置空出来，就马上接下一个。这里读提示词不花时间。走多少步全部写完？

# %%
steps_of_continuous_batching = ...  # a number

# %%
check("inference/quiz")

# %% [markdown]
# ## 7. `text_stays_the_same` · every letter that applies
#
# Which of these leave the model's probabilities as they are, apart from rounding?
#
# * **a**: Reading a long prompt in chunks.
# * **b**: Storing the cache in 8 bits.
# * **c**: Storing the cache in blocks, anywhere in memory.
# * **d**: Dropping the tokens that got the least attention so far.
# * **e**: Letting a small model guess, under the usual rule of acceptance.

# %% [markdown] lang="zh"
# ## 7. `text_stays_the_same` · 多选，所有符合的字母
#
# 下列哪些技术不改变模型给出的概率（舍入误差除外）？
#
# * **a**: 把长提示词分段读。
# * **b**: 缓存用 8 位来存。
# * **c**: 把缓存存成块，散放在显存各处。
# * **d**: 丢掉迄今得到注意力最少的那些词元。
# * **e**: 让小模型先猜，按通常的规则决定接受与否。

# %%
text_stays_the_same = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("inference/quiz")

# %% [markdown]
# ## 8. `admitted_by_tgi` · a number
#
# TGI runs with `--max-batch-total-tokens 12000`. Everybody sends a prompt of 1,000 tokens, no two of them alike, with `max_new_tokens` at 2000;
# the answers really end after 200 tokens. How many requests are admitted at the same time?

# %% [markdown] lang="zh"
# ## 8. `admitted_by_tgi` · 填一个数
#
# TGI 以 `--max-batch-total-tokens 12000` 运行。每个人都送来 1000 个词元的提示词，互不相同，`max_new_tokens` 都是 2000，而回答其实写到 200 个词元就结束。同时接纳几个请求？

# %%
admitted_by_tgi = ...  # a number

# %%
check("inference/quiz")

# %% [markdown]
# ## 9. `no_block_left` · one letter
#
# Many answers grow in vLLM at once, and one of them needs a block when none is free. What happens?
#
# * **a**: One request gives up all its blocks and is computed again later.
# * **b**: The oldest tokens of the longest sequence are forgotten.
# * **c**: Nothing: blocks for the longest possible answer were put aside when it was admitted.
# * **d**: The server ends with an out-of-memory error, as PyTorch would.

# %% [markdown] lang="zh"
# ## 9. `no_block_left` · 单选，一个字母
#
# vLLM 里许多回答同时在写，其中一个需要新块，却一块也不剩了。会怎样？
#
# * **a**: 某个请求交出全部的块，以后再重算。
# * **b**: 最长的那条序列忘掉最早的词元。
# * **c**: 不会发生：接纳的时候，已经为最长的回答留足了块。
# * **d**: 服务器像 PyTorch 那样，报显存不足而退出。

# %%
no_block_left = ...  # one of the letters a, b, c, d

# %%
check("inference/quiz")

# %% [markdown]
# ## 10. `stuttering_answers` · one letter
#
# Running answers in vLLM pause whenever somebody sends a very long prompt. Which parameter do you make smaller first?
#
# * **a**: `--gpu-memory-utilization`
# * **b**: `--max-num-seqs`
# * **c**: `--max-num-batched-tokens`
# * **d**: `--max-model-len`

# %% [markdown] lang="zh"
# ## 10. `stuttering_answers` · 单选，一个字母
#
# 在 vLLM 里，只要有人送来很长的提示词，别人正在写的回答就会停顿。你首先把哪个参数调小？
#
# * **a**: `--gpu-memory-utilization`
# * **b**: `--max-num-seqs`
# * **c**: `--max-num-batched-tokens`
# * **d**: `--max-model-len`

# %%
stuttering_answers = ...  # one of the letters a, b, c, d

# %%
check("inference/quiz")

# %% [markdown]
# ## 11. `time_a_token` · a number, in ms, to within 0.1
#
# A user sends a request. The first token arrives after 0.8 s, the last of 101 tokens after 4.8 s. What is the TPOT, in milliseconds?

# %% [markdown] lang="zh"
# ## 11. `time_a_token` · 填一个数，单位：毫秒，误差不超过 0.1
#
# 用户发出请求，0.8 秒后收到第一个词元，4.8 秒后收到第 101 个，也就是最后一个。TPOT 是多少毫秒？

# %%
time_a_token = ...  # a number, in ms, to within 0.1

# %%
check("inference/quiz")

# %% [markdown]
# ## 12. `price_of_a_million` · a number, to within 0.005
#
# A GPU costs 3.60 dollars an hour and writes 2,000 tokens a second for all users together. What do a million tokens cost, in dollars?

# %% [markdown] lang="zh"
# ## 12. `price_of_a_million` · 填一个数，误差不超过 0.005
#
# 一张显卡每小时 3.60 美元，为所有用户合计每秒写 2000 个词元。一百万个词元要多少美元？

# %%
price_of_a_million = ...  # a number, to within 0.005

# %%
check("inference/quiz")
