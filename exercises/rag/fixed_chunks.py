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
# # Fixed-length and recursive chunkers
#
# `rag/fixed_chunks` · 60 minutes · difficulty 2/5 · [lesson](../../course/rag/fixed_chunks.md)

# %% [markdown] lang="zh"
# # 固定长度分块
#
# `rag/fixed_chunks` · 60 分钟 · 难度 2/5 · [讲义](../../course/rag/fixed_chunks.zh.md)

# %%
from autograder import check

# %% [markdown]
# A retriever doesn't index books, it indexes passages of a few hundred tokens. A *chunker* cuts a text into
# such passages. You write the chunkers that need no model: windows of characters, of tokens and of sentences,
# and the recursive splitter that most RAG systems start from.
#
# Conventions, for every question:
#
# * **Chunk.** A chunk is a tuple `(start, end, chunk_text)` with `chunk_text == text[start:end]`: half-open
#   offsets into the source, so that an answer can cite its place. Offsets and sizes count **code points**,
#   that is, what `len` counts; never bytes. Nothing is stripped.
# * **Order.** Chunks are a list in the order of the text. Each one ends later than the one before: a chunk
#   that lies wholly inside the previous one is not emitted. An empty text has no chunks.
# * **Size and overlap.** No chunk is over `size`. Neighbours share at most `overlap`. Without overlap the
#   chunks cover the text exactly once: joined they are the text. The last chunk may be short. `ValueError` if
#   `size < 1`, `overlap < 0` or `overlap >= size`, whatever the text.
#
# Sources: Lewis et al. 2020 (arXiv 2005.11401), section 3 (passages of 100 words); Kamradt 2023, "5 levels of
# text splitting"; the recursive rule is that of LangChain's `RecursiveCharacterTextSplitter` with
# `keep_separator="end"` and nothing stripped.

# %% [markdown] lang="zh"
# 检索器索引的不是整本书，而是几百个 token 的段落。**分块器**（chunker）负责把文本切成这样的段落。
# 本题要写的是不依赖模型的几种：按字符、按 token、按句子的滑动窗口，以及大多数 RAG 系统起步时用的递归切分。
#
# 全题约定：
#
# * **块。** 一个块是三元组 `(start, end, chunk_text)`，且 `chunk_text == text[start:end]`：
#   左闭右开的原文偏移，回答问题时才好注明出处。偏移和长度一律按**码位**计，也就是 `len` 数的单位，
#   而不是字节。不做任何去空白处理。
# * **顺序。** 结果是按原文顺序排列的列表。每一块都比前一块结束得更晚：完全落在前一块里面的块不输出。
#   空文本没有块。
# * **大小与重叠。** 任何块都不超过 `size`；相邻块至多共享 `overlap`。没有重叠时，各块恰好把原文覆盖一遍，
#   拼起来就是原文。最后一块可以短。只要 `size < 1`、`overlap < 0` 或 `overlap >= size`，不管文本是什么，
#   都抛出 `ValueError`。
#
# 出处：Lewis 等 2020（arXiv 2005.11401）第 3 节（每段 100 词）；Kamradt 2023 “5 levels of text splitting”；
# 递归规则与 LangChain 的 `RecursiveCharacterTextSplitter` 在 `keep_separator="end"`、不去空白时一致。

# %%
import re
from collections.abc import Callable, Sequence

Span = tuple[int, int]  # [start, end)
Chunk = tuple[int, int, str]  # start, end, text[start:end]

ALWAYS_ENDS = "。！？…"
MAY_END = ".!?"
CLOSERS = "”’」』）》〉】\"')]}"
SEPARATORS = ("\n\n", "\n", "。", "！", "？", "；", ". ", "，", " ")

# %% [markdown]
# ## 1. Character windows
# Windows of `size` characters, each beginning `size - overlap` after the one before. The first window that
# reaches the end of the text is the last.

# %% [markdown] lang="zh"
# ## 1. 字符窗口
# 每个窗口 `size` 个字符，起点比前一个窗口靠后 `size - overlap`。第一个够到文末的窗口就是最后一个。

# %%
def character_chunks(text: str, size: int, overlap: int = 0) -> list[Chunk]:
    """Cut a text into windows of characters.

    Args:
        text: any text.
        size: characters in a chunk, >= 1; the last may have fewer.
        overlap: characters that a chunk shares with the one before, 0 <= overlap < size.
    Returns: chunks `(start, end, text[start:end])`.
    Raises: ValueError for a size or an overlap out of range.
    """
    raise NotImplementedError("character_chunks")

# %%
check("rag/fixed_chunks")

# %% [markdown]
# ## 2. Token windows
# A model's limit is in tokens, so count tokens. `tokenize` is the model's tokeniser: called **once**, on the
# whole text, it gives the span `(start, end)` of each token in the text. The spans' starts never decrease,
# but there may be **gaps** between spans (many tokenisers drop spaces), and several tokens may have the
# **same** span (the bytes of one rare character, none of which is a character by itself) or an empty one.
#
# So that nothing is lost, token `k` *owns* the text from its start up to the start of token `k + 1`; the
# first one also owns what lies before it, the last one what lies after it. A window of `size` tokens,
# beginning `size - overlap` tokens after the one before, becomes the chunk of all the text that its tokens
# own; the first window with the last token is the last. A window whose text does not end later than the chunk
# before (or is empty) is not emitted. No tokens, no chunks.

# %% [markdown] lang="zh"
# ## 2. token 窗口
# 模型的上限以 token 计，所以要数 token。`tokenize` 是模型的分词器：对整段文本**只调用一次**，
# 返回每个 token 在文本中的区间 `(start, end)`。区间的起点不会后退，
# 但区间之间可能有**空隙**（很多分词器会丢掉空格），几个 token 的区间也可能**相同**（一个生僻字的几个字节，
# 单独哪一个都不成字），也可能是空的。
#
# 为了不丢任何内容，规定第 `k` 个 token **拥有**从自己的起点到第 `k + 1` 个 token 起点之间的文本；
# 第一个还拥有它前面的全部文本，最后一个还拥有它后面的全部文本。一个窗口含 `size` 个 token，
# 起点比前一个窗口靠后 `size - overlap` 个 token；窗口内各 token 拥有的文本合起来就是一块；
# 第一个含有末尾 token 的窗口是最后一个。若窗口的文本并不比前一块结束得更晚（或为空），就不输出。
# 没有 token 就没有块。

# %%
def token_chunks(
    text: str, tokenize: Callable[[str], Sequence[Span]], size: int, overlap: int = 0
) -> list[Chunk]:
    """Cut a text into windows of tokens.

    Args:
        text: any text.
        tokenize: text -> the span of each token, with starts that never decrease.
        size: tokens in a window, >= 1.
        overlap: tokens that a window shares with the one before, 0 <= overlap < size.
    Returns: chunks `(start, end, text[start:end])`, offsets in characters.
    Raises: ValueError for a size or an overlap out of range.
    """
    raise NotImplementedError("token_chunks")

# %%
check("rag/fixed_chunks")

# %% [markdown]
# ## 3. Sentences
# Cut a text into sentences that cover it exactly once. A sentence ends after a **tail**: a character of
# `ALWAYS_ENDS` or `MAY_END`, together with all characters of `ALWAYS_ENDS`, `MAY_END` and `CLOSERS` that
# follow it without a break. So `？！`, `……` and `。”` are one tail each.
#
# * A tail that holds a character of `ALWAYS_ENDS` ends the sentence wherever it stands.
# * A tail of the others alone ends it only before whitespace (`str.isspace`) or at the end of the text:
#   `3.14` and `a.b` stay whole. (`e.g. this` is cut; a rule can't know abbreviations.)
#
# Whitespace after the tail belongs to the sentence it ends. What is left after the last end is a sentence,
# too.

# %% [markdown] lang="zh"
# ## 3. 句子
# 把文本切成句子，恰好覆盖一遍。句子在一个**句尾**之后结束。句尾是：
# 一个属于 `ALWAYS_ENDS` 或 `MAY_END` 的字符，连同紧跟在后面、
# 连续不断的所有属于 `ALWAYS_ENDS`、`MAY_END`、`CLOSERS` 的字符。所以 `？！`、`……`、`。”` 各是一个句尾。
#
# * 句尾里只要有 `ALWAYS_ENDS` 中的字符，无论在哪里都结束句子。
# * 否则，只有后面是空白（`str.isspace`）或者文本结束，才算句子结束：`3.14`、`a.b` 不会被切开。
#   （`e.g. this` 会被切开，光靠规则认不出缩写。）
#
# 句尾之后的空白归前面这一句。最后一个句尾之后若还有剩余，也自成一句。

# %%
def sentence_spans(text: str) -> list[Span]:
    """The sentences of a text.

    Args:
        text: any text, Chinese and English mixed.
    Returns: spans `(start, end)` without gaps: the first starts at 0, each other where the one before ends,
        and the last ends at `len(text)`. An empty list for an empty text.
    """
    raise NotImplementedError("sentence_spans")

# %%
check("rag/fixed_chunks")

# %% [markdown]
# ## 4. Pack pieces into chunks
# Given pieces of a text that lie one after the other without gaps (sentences, say), fill chunks with whole
# pieces:
#
# * Take pieces while they fit in `size`. When the next one does not fit, emit the chunk. Then drop pieces
#   from the **front** of what was emitted until the rest is at most `overlap` long **and** leaves room for
#   the next piece; the new chunk begins with that rest.
# * A piece longer than `size` is cut by `character_chunks(…, size, overlap)`, with offsets into `text`. It
#   is never mixed with others: the chunk being filled is emitted before it, and a new one begins empty after
#   it, without overlap.

# %% [markdown] lang="zh"
# ## 4. 把片段装进块
# 给定一段文本里首尾相接、没有空隙的片段（比如句子），用完整的片段把块装满：
#
# * 只要装得下（不超过 `size`）就继续装。下一个片段装不下时，输出当前块；
#   然后从刚输出的这一块**前面**逐个去掉片段，直到剩余部分不超过 `overlap`，**并且**放得下下一个片段；
#   新的块就从这个剩余部分开始。
# * 比 `size` 还长的片段，用 `character_chunks(…, size, overlap)` 切开，偏移仍以 `text` 为准。
#   它从不与别的片段混装：先把正在装的块输出，它之后的新块从空开始，没有重叠。

# %%
def pack_spans(text: str, spans: Sequence[Span], size: int, overlap: int = 0) -> list[Chunk]:
    """Fill chunks with whole pieces of a text.

    Args:
        text: the source of the offsets.
        spans: the pieces, not empty, each beginning where the one before ends; the first may begin anywhere.
        size: characters in a chunk at most, >= 1.
        overlap: characters that a chunk shares with the one before at most, 0 <= overlap < size.
    Returns: chunks `(start, end, text[start:end])`; none without spans.
    Raises: ValueError for a size or an overlap out of range.
    Source: the merging rule of LangChain's text splitters.
    """
    raise NotImplementedError("pack_spans")


def sentence_chunks(text: str, size: int, overlap: int = 0) -> list[Chunk]:
    """Windows of whole sentences: questions 3 and 4 put together."""
    return pack_spans(text, sentence_spans(text), size, overlap)

# %%
check("rag/fixed_chunks")

# %% [markdown]
# ## 5. Recursive separators
# A text falls apart at paragraphs first, else at lines, else at sentences, else at words. `separators` are
# tried in this order:
#
# * The first one that occurs in the text is used: cut after **each** occurrence, found from left to right
#   without overlapping (`"\n\n\n"` holds one `"\n\n"`). The separator stays at the end of its piece.
# * Pieces of at most `size`, as long as they are neighbours, are packed as in question 4, each such run by
#   itself.
# * A piece longer than `size` ends the run. It is cut in the same way by the separators **after** the one
#   used, and its chunks take its place. There is no overlap across its two borders.
# * Where no separator is left, or none occurs, the text is cut by `character_chunks`.

# %% [markdown] lang="zh"
# ## 5. 递归切分
# 一段文本先按段落断开，不行就按行，再不行按句子，最后按词。`separators` 就按这样的次序尝试：
#
# * 使用在文本中出现的第一个分隔符：从左到右找、互不重叠（`"\n\n\n"` 里只有一个 `"\n\n"`），
#   在**每一处**之后切开，分隔符留在前一片段的末尾。
# * 长度不超过 `size` 的相邻片段，按第 4 题的规则装块；每一串相邻片段各装各的。
# * 超过 `size` 的片段使这一串到此为止。它再用所选分隔符**之后**的那些分隔符照同样的办法切，
#   得到的块放在它原来的位置。它的前后两个边界处没有重叠。
# * 分隔符用完了，或者一个也没出现，就用 `character_chunks` 切。

# %%
def recursive_chunks(
    text: str, size: int, overlap: int = 0, separators: Sequence[str] = SEPARATORS
) -> list[Chunk]:
    """Cut a text at the coarsest separators that make its pieces fit.

    Args:
        text: any text.
        size: characters in a chunk at most, >= 1.
        overlap: characters that a chunk shares with the one before at most, 0 <= overlap < size.
        separators: strings that are not empty, the coarsest first.
    Returns: chunks `(start, end, text[start:end])`.
    Raises: ValueError for a size or an overlap out of range.
    Source: LangChain's RecursiveCharacterTextSplitter.
    """
    raise NotImplementedError("recursive_chunks")

# %%
check("rag/fixed_chunks")
