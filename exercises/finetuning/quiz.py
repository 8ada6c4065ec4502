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
# # Quiz: supervised fine-tuning
#
# `finetuning/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/finetuning/overview.md)

# %% [markdown] lang="zh"
# # 小测验：监督微调
#
# `finetuning/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/finetuning/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `what_changes` · one letter
#
# A base model becomes an assistant by supervised fine-tuning. What is different from its pre-training?
#
# * **a**: The loss: an answer as a whole is now marked right or wrong.
# * **b**: The network: it gets a new head, which writes answers.
# * **c**: The attention: questions are hidden from the model, for they have weight 0.
# * **d**: The text, and which of its tokens carry weight in the loss.

# %% [markdown] lang="zh"
# ## 1. `what_changes` · 单选，一个字母
#
# 用监督微调把一个基座模型变成助手。与预训练相比，什么变了？
#
# * **a**: 损失：现在是给整个回答判对错。
# * **b**: 网络：加了一个专门写回答的头。
# * **c**: 注意力：提问的权重为 0，所以模型看不到提问。
# * **d**: 文本，以及哪些词元在损失里有权重。

# %%
what_changes = ...  # one of the letters a, b, c, d

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 2. `learned_tokens` · a number
#
# The contents of a conversation are 7 tokens (system), 12 (user), 5 (answer), 4 (user) and 9 (answer) long. ChatML adds five tokens to each message: `<|im_start|>`, the role, a newline, `<|im_end|>`, a newline. How
# many labels differ from -100?

# %% [markdown] lang="zh"
# ## 2. `learned_tokens` · 填一个数
#
# 一段对话依次是：system 7 个词元，user 12 个，回答 5 个，user 4 个，回答 9 个（只数内容）。ChatML 给每条消息再加五个词元：`<|im_start|>`、角色名、换行、`<|im_end|>`、换行。有多少个标签不是 -100？

# %%
learned_tokens = ...  # a number

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 3. `talks_on` · one letter
#
# A fine-tuned model answers well and then goes on, writing the user's next question itself. The training loss looks fine.
# Batches were padded with the end-of-turn token. What is the likeliest cause?
#
# * **a**: It was trained for too few epochs to learn how long answers are.
# * **b**: Every label with the id of the padding was set to -100.
# * **c**: It samples with too high a temperature.
# * **d**: The padding itself was learned along with the answers.

# %% [markdown] lang="zh"
# ## 3. `talks_on` · 单选，一个字母
#
# 微调后的模型回答得不错，可答完并不停，接着替用户把下一个问题也写了。训练损失看上去正常。批次是用轮次结束符填充的。最可能的原因是什么？
#
# * **a**: 练的 epoch 太少，还没学会回答该有多长。
# * **b**: 凡是编号与填充相同的标签，都被设成了 -100。
# * **c**: 采样温度太高。
# * **d**: 填充本身也被当作回答学了。

# %%
talks_on = ...  # one of the letters a, b, c, d

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 4. `loss_of_the_step` · a number, to within 0.005
#
# One step accumulates two micro-batches. The first has 20 learned tokens with a mean loss of 3.0, the second has 180 with
# a mean loss of 1.0. What is the loss of the step, by equation (1) with all learned tokens alike?

# %% [markdown] lang="zh"
# ## 4. `loss_of_the_step` · 填一个数，误差不超过 0.005
#
# 一步由两个小批次做梯度累积。第一个有 20 个要学的词元，平均损失 3.0；第二个有 180 个，平均损失 1.0。要学的词元一律等权，按式 (1)，这一步的损失是多少？

# %%
loss_of_the_step = ...  # a number, to within 0.005

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 5. `rows_needed` · a number
#
# Six samples arrive in this order: 4, 2, 5, 6, 6 and 6 tokens. Rows have 10 places. How many rows does first-fit
# *decreasing* fill?

# %% [markdown] lang="zh"
# ## 5. `rows_needed` · 填一个数
#
# 六个样本依次到来，长度是 4、2、5、6、6、6。每行 10 个位置。用首次适应**递减**，要用几行？

# %%
rows_needed = ...  # a number

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 6. `visible_pairs` · a number
#
# A row of 10 places holds two packed samples, of 6 and of 4 tokens. How many pairs of a query and a key does the mask of
# a causal model let through?

# %% [markdown] lang="zh"
# ## 6. `visible_pairs` · 填一个数
#
# 一行 10 个位置，打包了两个样本，分别有 6 个和 4 个词元。对因果模型，掩码放行多少对“查询—键”？

# %%
visible_pairs = ...  # a number

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 7. `same_as_alone` · every letter that applies
#
# Two samples are packed into one row, in a model with learned absolute positions. What is needed so that loss and
# gradients are those of two separate rows?
#
# * **a**: An end-of-text token between them.
# * **b**: Positions that start from 0 again in the second sample.
# * **c**: A mask that lets no query see the other sample's keys.
# * **d**: The longer sample first.
# * **e**: The label -100 at the second sample's first token.

# %% [markdown] lang="zh"
# ## 7. `same_as_alone` · 多选，所有符合的字母
#
# 模型用可学习的绝对位置。两个样本打包进一行，要让损失和梯度与分成两行时相同，需要做到哪些？
#
# * **a**: 两者之间放一个文本结束符。
# * **b**: 第二个样本的位置从 0 重新数起。
# * **c**: 掩码不让任何查询看到另一个样本的键。
# * **d**: 长的样本放在前面。
# * **e**: 第二个样本第一个词元的标签是 -100。

# %%
same_as_alone = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 8. `record_to_loss` · all letters, in order
#
# Put the way from raw records to the loss in order.
#
# * **a**: Encode each message through the chat template, with labels.
# * **b**: Pair the logits of each place with the label of the next one, and take the mean.
# * **c**: Map Alpaca, ShareGPT and OpenAssistant records to lists of messages.
# * **d**: Put the samples into rows, by their numbers of tokens.
# * **e**: Compare the messages with each other and with the test sets, and drop copies.

# %% [markdown] lang="zh"
# ## 8. `record_to_loss` · 排序，写出全部字母
#
# 请把从原始记录到损失的各步排好次序。
#
# * **a**: 按对话模板给每条消息编码，并打上标签。
# * **b**: 让每个位置的 logits 与下一个位置的标签配对，再取平均。
# * **c**: 把 Alpaca、ShareGPT、OpenAssistant 的记录统一成消息列表。
# * **d**: 按词元数把样本装进各行。
# * **e**: 让消息互相比较，也与测试集比较，去掉重复的。

# %%
record_to_loss = ...  # the letters a, b, c, d, e, each once, in order, as one string

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 9. `data_for_a_product` · one letter
#
# A firm wants to sell its assistant. It looks for conversations of several turns, written by people, in several languages,
# under a licence that allows it. Which data set fits?
#
# * **a**: Alpaca
# * **b**: ShareGPT
# * **c**: OASST1
# * **d**: Dolly

# %% [markdown] lang="zh"
# ## 9. `data_for_a_product` · 单选，一个字母
#
# 一家公司要出售自己的助手，想找多轮对话：由人写成，有多种语言，许可允许商用。哪个数据集合适？
#
# * **a**: Alpaca
# * **b**: ShareGPT
# * **c**: OASST1
# * **d**: Dolly

# %%
data_for_a_product = ...  # one of the letters a, b, c, d

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 10. `new_facts` · one letter
#
# A team wants its model to know thousands of facts that no text of its pre-training contains. It fine-tunes on questions
# and answers about them until the training loss is close to zero. What does Gekhman et al. (2024) lead one to expect?
#
# * **a**: They are learned slowly, and with them the model gets more inclined to invent.
# * **b**: They are learned as quickly as facts that it knows already.
# * **c**: They can't be learned, since fine-tuning only changes style.
# * **d**: The model learns to say when it doesn't know something.

# %% [markdown] lang="zh"
# ## 10. `new_facts` · 单选，一个字母
#
# 一个团队想让模型记住几千条预训练里从没出现过的事实，于是用相关的问答微调，直到训练损失接近零。按 Gekhman 等（2024）的发现，可以预料到什么？
#
# * **a**: 学得慢，而且学会之后模型更爱胡编。
# * **b**: 和它本来就知道的事实学得一样快。
# * **c**: 学不会，因为微调只改变风格。
# * **d**: 模型学会在不知道的时候承认不知道。

# %%
new_facts = ...  # one of the letters a, b, c, d

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 11. `steps_after_packing` · a number, to within 0.5
#
# 48,000 conversations have 240 tokens on average, and a step takes 50 rows. So far each row held one conversation. Now they
# are packed into rows of 4,096 places, which get 15/16 full. How many steps has an epoch?

# %% [markdown] lang="zh"
# ## 11. `steps_after_packing` · 填一个数，误差不超过 0.5
#
# 48000 段对话，平均 240 个词元，每步取 50 行。原来一行一段对话；现在打包进 4096 个位置的行，装满十六分之十五。一个 epoch 有多少步？

# %%
steps_after_packing = ...  # a number, to within 0.5

# %%
check("finetuning/quiz")

# %% [markdown]
# ## 12. `which_epoch` · one letter
#
# In a fine-tuning run the validation loss rises after the first epoch. People who compare the answers prefer the model of
# the fourth. What follows?
#
# * **a**: People are deceived: the model has become worse at everything.
# * **b**: Nothing strange: the loss measures something else.
# * **c**: The validation set must contain training examples.
# * **d**: The learning rate is too small; with a larger one both would improve.

# %% [markdown] lang="zh"
# ## 12. `which_epoch` · 单选，一个字母
#
# 一次微调中，验证损失在第一个 epoch 之后上升；可是让人来比较回答，大家更喜欢第四个 epoch 的模型。这说明什么？
#
# * **a**: 人被骗了：模型其实处处都变差了。
# * **b**: 并不奇怪：损失衡量的是另一回事。
# * **c**: 验证集里一定混进了训练样本。
# * **d**: 学习率太小；调大之后两者都会改善。

# %%
which_epoch = ...  # one of the letters a, b, c, d

# %%
check("finetuning/quiz")
