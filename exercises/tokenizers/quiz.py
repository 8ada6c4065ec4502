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
# # Quiz: tokenizers
#
# `tokenizers/quiz` · 25 minutes · difficulty 2/5 · [overview](../../course/tokenizers/overview.md)

# %% [markdown] lang="zh"
# # 小测验：分词器
#
# `tokenizers/quiz` · 25 分钟 · 难度 2/5 · [单元概览](../../course/tokenizers/overview.zh.md)

# %%
from autograder import check

# %% [markdown]
# Put each answer in place of `...`. `check()` looks at the form of an answer only; whether it is right is told when the quiz is graded. Only right answers earn points.

# %% [markdown] lang="zh"
# 请把答案写在 `...` 的位置上。`check()` 只检查答案的写法，对不对要到评分时才知道。答对才得分。

# %% [markdown]
# ## 1. `unknown_text` · one letter
#
# A byte-level BPE tokeniser was trained on English text only. What does it make of the Chinese text `你好`?
#
# * **a**: One `[UNK]` for each character.
# * **b**: Nothing: characters that training never saw are left out.
# * **c**: Several tokens of single bytes, from which decoding restores the text.
# * **d**: One token for each character, as for any character of Unicode.

# %% [markdown] lang="zh"
# ## 1. `unknown_text` · 单选，一个字母
#
# 一个字节级 BPE 分词器只用英文语料训练过。让它编码 `你好`，会得到什么？
#
# * **a**: 每个字变成一个 `[UNK]`。
# * **b**: 什么也没有：训练时没见过的字符会被丢掉。
# * **c**: 若干个单字节词元，解码时能原样还原。
# * **d**: 每个字一个词元，Unicode 里的字符都是如此。

# %%
unknown_text = ...  # one of the letters a, b, c, d

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 2. `merge_order` · one letter
#
# A BPE tokeniser has learned two merges: first `b c`, then `a b`. How does it cut the word `abc`?
#
# * **a**: `ab`, `c`
# * **b**: `a`, `bc`
# * **c**: `abc`
# * **d**: `a`, `b`, `c`, because the word `abc` was not in the training text

# %% [markdown] lang="zh"
# ## 2. `merge_order` · 单选，一个字母
#
# 一个 BPE 分词器先后学到两次合并：先是 `b c`，后是 `a b`。它会怎样切 `abc` 这个词？
#
# * **a**: `ab`、`c`
# * **b**: `a`、`bc`
# * **c**: `abc`
# * **d**: `a`、`b`、`c`，因为训练语料里没有 `abc` 这个词

# %%
merge_order = ...  # one of the letters a, b, c, d

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 3. `symbols_left` · a number
#
# A corpus holds the word *band* 4 times, *hand* 3 times, *sand* 2 times and *ban* 5 times. It is cut into letters, and
# BPE makes its first merge, of the most frequent pair. Of how many symbols does the corpus consist then, all words
# counted as often as they occur?

# %% [markdown] lang="zh"
# ## 3. `symbols_left` · 填一个数
#
# 语料里 *band* 出现 4 次，*hand* 3 次，*sand* 2 次，*ban* 5 次。先全部拆成字母，再由 BPE 做第一次合并，合并出现最多的那一对。此时语料一共有多少个符号（每个词按出现次数计）？

# %%
symbols_left = ...  # a number

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 4. `vocabulary_size` · a number
#
# A byte-level BPE tokeniser learned 32,000 merges and has 3 special tokens. How many ids does it have?

# %% [markdown] lang="zh"
# ## 4. `vocabulary_size` · 填一个数
#
# 一个字节级 BPE 分词器学到 32000 次合并，另有 3 个特殊词元。它一共有多少个编号？

# %%
vocabulary_size = ...  # a number

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 5. `families` · every letter that applies
#
# Which of these statements about BPE, WordPiece and Unigram are true?
#
# * **a**: Unigram begins with more pieces than it needs and takes some away.
# * **b**: WordPiece cuts new text by replaying its merges in the order in which it learned them.
# * **c**: BPE's training merges the pair that occurs most often.
# * **d**: Unigram cuts new text by taking the longest piece that matches.
# * **e**: WordPiece needs its vocabulary, but no list of merges, to cut new text.

# %% [markdown] lang="zh"
# ## 5. `families` · 多选，所有符合的字母
#
# 关于 BPE、WordPiece 和 Unigram，下列说法哪些是对的？
#
# * **a**: Unigram 从过多的片段出发，再逐步删减。
# * **b**: WordPiece 按学习次序重放合并来切分新文本。
# * **c**: BPE 训练时合并出现次数最多的相邻对。
# * **d**: Unigram 切分新文本时取最长匹配。
# * **e**: WordPiece 切分新文本只需要词表，不需要合并的次序。

# %%
families = ...  # every letter that applies, out of a, b, c, d, e, as one string

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 6. `training_steps` · all letters, in order
#
# A team makes a tokeniser and a model of its own, and wants to notice a bad tokeniser while it can still be changed. Put the steps in order.
#
# * **a**: Learn the merges.
# * **b**: Take a sample of text, mixed as the model's training data will be.
# * **c**: Train the model with its embedding table.
# * **d**: Fix the vocabulary size and how text is cut into words, and cut the sample.
# * **e**: Measure tokens per character in each language.

# %% [markdown] lang="zh"
# ## 6. `training_steps` · 排序，写出全部字母
#
# 一个团队要自己训练分词器和模型，并希望分词器若不好，能在还来得及改的时候发现。请把下列步骤排好次序。
#
# * **a**: 学习合并。
# * **b**: 按模型训练数据的配比抽一份文本样本。
# * **c**: 训练模型（连同嵌入表）。
# * **d**: 定好词表大小和预分词规则，把样本切成词。
# * **e**: 按语言测量每个字平均几个词元。

# %%
training_steps = ...  # the letters a, b, c, d, e, each once, in order, as one string

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 7. `broken_marks` · one letter
#
# A tool shows the tokens of a Chinese sentence one by one, and for some of them it shows `�`. The same model answers in
# fluent Chinese. What do these marks mean?
#
# * **a**: They are unknown tokens: the vocabulary lacks these characters.
# * **b**: The model's training data had no Chinese.
# * **c**: The tokeniser replaces rare characters by `�` to keep its vocabulary small.
# * **d**: These tokens hold a part of a character's bytes, which is no valid text alone.

# %% [markdown] lang="zh"
# ## 7. `broken_marks` · 单选，一个字母
#
# 有个工具把一句中文的词元逐个显示出来，其中几个显示成 `�`，可这个模型的中文回答很流畅。这些 `�` 是怎么回事？
#
# * **a**: 它们是未知词元：词表里没有这几个字。
# * **b**: 模型的训练数据里没有中文。
# * **c**: 分词器为了压缩词表，把生僻字替换成 `�`。
# * **d**: 这些词元只含某个字的一部分字节，单独看不是合法文本。

# %%
broken_marks = ...  # one of the letters a, b, c, d

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 8. `chinese_price` · a number, to within 1 %
#
# With a certain tokeniser, Chinese takes 1.8 tokens a character and English 0.25. A sentence has 20 characters in
# Chinese; its English translation has 60. How many times as many tokens does the Chinese sentence take?

# %% [markdown] lang="zh"
# ## 8. `chinese_price` · 填一个数，误差不超过 1 %
#
# 某个分词器处理中文平均每字 1.8 个词元，处理英文平均每字符 0.25 个词元。一句话用中文写是 20 个字，译成英文是 60 个字符。中文这句的词元数是英文那句的多少倍？

# %%
chinese_price = ...  # a number, to within 1 %

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 9. `typed_special` · one letter
#
# A user types the text `<|endoftext|>` into a chat. What should the tokeniser make of it, unless its caller says otherwise?
#
# * **a**: Ordinary tokens, as of any other characters.
# * **b**: The control id that ends a document.
# * **c**: Nothing: it is removed from the text.
# * **d**: `[UNK]`, because it is no word.

# %% [markdown] lang="zh"
# ## 9. `typed_special` · 单选，一个字母
#
# 用户在对话框里打了 `<|endoftext|>` 这几个字符。调用者没有另作说明时，分词器应当怎样处理？
#
# * **a**: 普通词元，和其他字符一样处理。
# * **b**: 表示文档结束的控制编号。
# * **c**: 什么也不留：从文本里删掉。
# * **d**: `[UNK]`，因为它不是一个词。

# %%
typed_special = ...  # one of the letters a, b, c, d

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 10. `larger_vocabulary` · one letter
#
# Two byte-level tokenisers are trained on the same text, with 32,000 and with 128,000 ids. What is true of the larger one?
#
# * **a**: Its sequences are longer, because there are more pieces to choose from.
# * **b**: Its sequences are shorter and its embedding table is larger.
# * **c**: Its sequences are shorter, and so the embedding table is smaller as well.
# * **d**: It can write texts that are unknown to the smaller one.

# %% [markdown] lang="zh"
# ## 10. `larger_vocabulary` · 单选，一个字母
#
# 用同一份语料训练两个字节级分词器，词表分别为 3.2 万和 12.8 万。关于大的那个，下列哪项正确？
#
# * **a**: 序列更长，因为可选的片段更多。
# * **b**: 序列更短，嵌入表更大。
# * **c**: 序列更短，嵌入表也随之变小。
# * **d**: 小的那个表示不了的文本，它能表示。

# %%
larger_vocabulary = ...  # one of the letters a, b, c, d

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 11. `padding_side` · one letter
#
# Prompts of different lengths are padded on the right, with a correct mask, and given to a language model. The next token of
# each row is taken from the last column. What goes wrong?
#
# * **a**: Nothing: the mask takes care of the padding.
# * **b**: The longest prompt is spoilt: it attends to the padding of the other rows.
# * **c**: In shorter rows the prediction is read off a place of padding.
# * **d**: The rows' tokens get the wrong embeddings, because their places have moved.

# %% [markdown] lang="zh"
# ## 11. `padding_side` · 单选，一个字母
#
# 几个长短不一的提示词在右侧填充，掩码也正确，一起送进语言模型；每一行的下一个词元都从最后一列取。会出什么问题？
#
# * **a**: 没有问题：掩码会处理填充。
# * **b**: 最长的提示词被带坏了：它会看到其他行的填充。
# * **c**: 较短的行，预测是从填充的位置读出来的。
# * **d**: 词元的位置移动了，查到的嵌入就不对。

# %%
padding_side = ...  # one of the letters a, b, c, d

# %%
check("tokenizers/quiz")

# %% [markdown]
# ## 12. `bucketed_places` · a number
#
# Six texts have 4, 12, 5, 11, 3 and 10 tokens. They are sorted by length, cut into batches of three, and each batch is padded to
# its own longest text. How many places do the two batches have in all, padding included?

# %% [markdown] lang="zh"
# ## 12. `bucketed_places` · 填一个数
#
# 六段文本分别有 4、12、5、11、3、10 个词元。先按长度排序，再切成每批三段，每个批次只填充到自己最长的那段。两个批次连填充在内一共有多少个位置？

# %%
bucketed_places = ...  # a number

# %%
check("tokenizers/quiz")
