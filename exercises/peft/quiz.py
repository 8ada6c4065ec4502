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
# # Quiz: parameter-efficient fine-tuning
#
# `peft/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/peft/overview.md)

# %% [markdown] lang="zh"
# # 小测验：参数高效微调
#
# `peft/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/peft/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `lora_parameters` · a number
#
# A linear layer has 1,024 inputs and 4,096 outputs and no bias. How many parameters does a LoRA adapter of rank 8 train?

# %% [markdown] lang="zh"
# ## 1. `lora_parameters` · 填一个数
#
# 一个线性层有 1024 个输入、4096 个输出，没有偏置。秩为 8 的 LoRA 适配器训练多少个参数？

# %%
lora_parameters = ...  # a number

# %%
check("peft/quiz")

# %% [markdown]
# ## 2. `both_at_zero` · one letter
#
# Somebody initialises both matrices of a LoRA adapter with zeros, to be quite sure to begin as the old model. What happens in training?
#
# * **a**: The same as with one of them random, since the product is zero either way.
# * **b**: It learns, but more slowly: the first steps are small.
# * **c**: Its rank grows to 1 only, for all its columns stay alike.
# * **d**: Nothing: neither matrix ever moves.

# %% [markdown] lang="zh"
# ## 2. `both_at_zero` · 单选，一个字母
#
# 有人把 LoRA 的两个矩阵都初始化为零，好确保起点就是原模型。训练时会怎样？
#
# * **a**: 和其中一个随机时一样，反正乘积都是零。
# * **b**: 能学，只是慢一些：头几步很小。
# * **c**: 秩只能长到 1，因为各列始终相同。
# * **d**: 什么也没有：两个矩阵都一动不动。

# %%
both_at_zero = ...  # one of the letters a, b, c, d

# %%
check("peft/quiz")

# %% [markdown]
# ## 3. `output_with_scale` · a number
#
# In a layer with $W_0$ the 2 by 2 identity, $A = (2, -1)$, $B = (1, 3)^\top$ and rank 1, alpha is 4. For $x = (3, 1)$,
# what is the second entry of the output?

# %% [markdown] lang="zh"
# ## 3. `output_with_scale` · 填一个数
#
# 某层的 $W_0$ 是 2×2 单位矩阵，$A = (2, -1)$，$B = (1, 3)^\top$，秩为 1，alpha 为 4。$x = (3, 1)$ 时，输出的第二个分量是多少？

# %%
output_with_scale = ...  # a number

# %%
check("peft/quiz")

# %% [markdown]
# ## 4. `still_out_of_memory` · one letter
#
# A team turns from full fine-tuning to LoRA. With short texts memory falls to about an eighth. With texts of 32,000 tokens the run
# still doesn't fit. What is filling the memory?
#
# * **a**: The activations that are kept for the backward pass.
# * **b**: The gradients of the frozen weights.
# * **c**: Adam's moments of the base.
# * **d**: The adapters, whose bottlenecks widen with the text.

# %% [markdown] lang="zh"
# ## 4. `still_out_of_memory` · 单选，一个字母
#
# 一个团队从全量微调改用 LoRA。短文本时显存降到约八分之一；可文本一到 32000 个词元，还是放不下。占满显存的是什么？
#
# * **a**: 为反向传播保留的激活值。
# * **b**: 冻结权重的梯度。
# * **c**: 底座的 Adam 动量。
# * **d**: 适配器：文本越长，瓶颈越宽。

# %%
still_out_of_memory = ...  # one of the letters a, b, c, d

# %%
check("peft/quiz")

# %% [markdown]
# ## 5. `four_bit_base` · a number, in GB, to within 0.005
#
# A model of 12 billion weights is stored in 4 bits, with one 16-bit scale for each block of 32 weights, and no double
# quantisation. How many gigabytes is that? (1 GB is 10⁹ bytes.)

# %% [markdown] lang="zh"
# ## 5. `four_bit_base` · 填一个数，单位：GB，误差不超过 0.005
#
# 一个 120 亿权重的模型存成 4 比特，每 32 个权重配一个 16 位的缩放系数，不做双重量化。合多少 GB？（1 GB 是 10⁹ 字节。）

# %%
four_bit_base = ...  # a number, in GB, to within 0.005

# %%
check("peft/quiz")

# %% [markdown]
# ## 6. `about_qlora` · every letter that applies
#
# Which of these are true of training with QLoRA?
#
# * **a**: Gradients pass through the decoded weights to the adapters of earlier layers.
# * **b**: The 4-bit codes are updated in every step and rounded again.
# * **c**: It is faster than LoRA, since 4-bit numbers are multiplied.
# * **d**: The adapter's matrices are not quantised.
# * **e**: The sixteen levels are evenly spaced.

# %% [markdown] lang="zh"
# ## 6. `about_qlora` · 多选，所有符合的字母
#
# 关于用 QLoRA 训练，下列说法哪些正确？
#
# * **a**: 梯度穿过解码后的权重，到达前面各层的适配器。
# * **b**: 4 比特编码每一步都更新，再重新舍入。
# * **c**: 它比 LoRA 快，因为做的是 4 比特乘法。
# * **d**: 适配器的两个矩阵不量化。
# * **e**: 十六个取值是等间距的。

# %%
about_qlora = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("peft/quiz")

# %% [markdown]
# ## 7. `merge_after_qlora` · one letter
#
# A QLoRA run is done. How should the adapter be merged, if it has to be merged?
#
# * **a**: Into the original weights, which are more exact than the decoded ones.
# * **b**: Into the decoded weights, and the result stays in 16 bits.
# * **c**: Into the decoded weights, and the result is stored in NF4 again, to keep it small.
# * **d**: By quantising A and B as well and adding codes to codes.

# %% [markdown] lang="zh"
# ## 7. `merge_after_qlora` · 单选，一个字母
#
# QLoRA 训练完了。如果一定要合并适配器，应当怎样做？
#
# * **a**: 并入原来的权重，它比解码后的更准确。
# * **b**: 并入解码后的权重，结果保留 16 位。
# * **c**: 并入解码后的权重，再存回 NF4，以保持小巧。
# * **d**: 把 A 和 B 也量化，再把编码相加。

# %%
merge_after_qlora = ...  # one of the letters a, b, c, d

# %%
check("peft/quiz")

# %% [markdown]
# ## 8. `can_be_merged` · every letter that applies
#
# Which of these can be merged into the weights, so that inference takes exactly the old time?
#
# * **a**: X-LoRA
# * **b**: DoRA
# * **c**: LoRA-FA
# * **d**: VeRA
# * **e**: Houlsby's adapters

# %% [markdown] lang="zh"
# ## 8. `can_be_merged` · 多选，所有符合的字母
#
# 下列方法中，哪些能合并进权重，使推理和原来一样快？
#
# * **a**: X-LoRA
# * **b**: DoRA
# * **c**: LoRA-FA
# * **d**: VeRA
# * **e**: Houlsby 的 Adapter

# %%
can_be_merged = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("peft/quiz")

# %% [markdown]
# ## 9. `two_hundred_customers` · one letter
#
# A service has 200 customers, each with a LoRA adapter on the same 7-billion base. Requests of all of them arrive mixed. What
# serves them best on one GPU?
#
# * **a**: A merged model for each customer, since merged adapters cost nothing.
# * **b**: All adapters added up and merged into one model.
# * **c**: One base in memory, and beside it each request's own adapter, unmerged.
# * **d**: Merge the adapter of the request at hand, answer, take it out again.

# %% [markdown] lang="zh"
# ## 9. `two_hundred_customers` · 单选，一个字母
#
# 某服务有 200 个客户，各有一个 LoRA 适配器，底座是同一个 70 亿参数的模型。请求混在一起到来。只有一块 GPU，怎样服务最好？
#
# * **a**: 给每个客户合并一个模型，因为合并后没有开销。
# * **b**: 把所有适配器加起来，合并成一个模型。
# * **c**: 底座只放一份，每个请求在旁边用自己的适配器，不合并。
# * **d**: 轮到谁的请求，就合并谁的适配器，答完再拆下来。

# %%
two_hundred_customers = ...  # one of the letters a, b, c, d

# %%
check("peft/quiz")

# %% [markdown]
# ## 10. `prefix_parameters` · a number
#
# Prefix-tuning puts 30 trained keys and 30 trained values before those of each layer. The model has 24 layers of width 1,024.
# How many parameters are kept after training (the network that made them is thrown away)?

# %% [markdown] lang="zh"
# ## 10. `prefix_parameters` · 填一个数
#
# Prefix-Tuning 在每一层的键和值之前，各放 30 个训练出来的键和值。模型有 24 层，宽 1024。训练之后要保存多少个参数（生成它们的网络已经扔掉）？

# %%
prefix_parameters = ...  # a number

# %%
check("peft/quiz")

# %% [markdown]
# ## 11. `smallest_first` · all letters, in order
#
# Order these by the number of parameters they train in a model of 32 layers of width 4,096, smallest first. (Query and value
# projections are 4,096 by 4,096.)
#
# * **a**: Houlsby's adapters with a bottleneck of 64, two in each layer.
# * **b**: VeRA of rank 256 on query and value.
# * **c**: LoRA of rank 8 on query and value.
# * **d**: Prompt tuning with 20 vectors.

# %% [markdown] lang="zh"
# ## 11. `smallest_first` · 排序，写出全部字母
#
# 模型有 32 层，宽 4096，查询和值的投影都是 4096×4096。请按训练的参数量从少到多排列。
#
# * **a**: Houlsby 的 Adapter，瓶颈 64，每层两个。
# * **b**: VeRA，秩 256，加在查询和值上。
# * **c**: LoRA，秩 8，加在查询和值上。
# * **d**: Prompt Tuning，20 个向量。

# %%
smallest_first = ...  # the letters a, b, c, d, each once, in order, as one string

# %%
check("peft/quiz")

# %% [markdown]
# ## 12. `start_is_not_the_old_model` · one letter
#
# Before the first training step, which of these already answers differently from the frozen model?
#
# * **a**: LoRA with a random A
# * **b**: VeRA with random A and B
# * **c**: LLaMA-Adapter with random prompts
# * **d**: Prompt tuning

# %% [markdown] lang="zh"
# ## 12. `start_is_not_the_old_model` · 单选，一个字母
#
# 第一步训练还没开始，下面哪一种的回答就已经和冻结的模型不同了？
#
# * **a**: LoRA，A 随机
# * **b**: VeRA，A 和 B 都随机
# * **c**: LLaMA-Adapter，提示随机
# * **d**: Prompt Tuning

# %%
start_is_not_the_old_model = ...  # one of the letters a, b, c, d

# %%
check("peft/quiz")
