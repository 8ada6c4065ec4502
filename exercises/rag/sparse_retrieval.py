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
# # BM25 and an inverted index
#
# `rag/sparse_retrieval` · 45 minutes · difficulty 3/5 · [lesson](../../course/rag/sparse_retrieval.md)

# %% [markdown] lang="zh"
# # 稀疏检索 BM25
#
# `rag/sparse_retrieval` · 45 分钟 · 难度 3/5 · [讲义](../../course/rag/sparse_retrieval.zh.md)

# %%
from autograder import check

# %% [markdown]
# **Sparse retrieval** finds texts by the terms that they share with a query. An *inverted index* lists for each
# term the documents that hold it. **BM25** scores them: rare terms say more, repetitions less and less.

# %% [markdown] lang="zh"
# **稀疏检索**按文本与查询共有的词项（term）来找文本。**倒排索引**为每个词项列出含有它的文档，**BM25** 给这些文档打分：词项越罕见越能说明问题；重复出现，一次比一次加得少。

# %%
import heapq
import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

# %% [markdown]
# ## 1. From text to terms
#
# Lower-case the text and cut it into runs, in order:
#
# * A run of Chinese characters (U+4E00 to U+9FFF) gives its overlapping **pairs**; a character alone stays as it is.
# * A run of other letters and digits (`str.isalnum`), of any script, is one term.
#
# Everything else separates, `_` too. "用BM25检索文档" gives 用, bm25, 检索, 索文, 文档.

# %% [markdown] lang="zh"
# ## 1. 从文本到词项
#
# 把文本转成小写，按顺序切成一段一段：
#
# * 连续的汉字（U+4E00 到 U+9FFF）给出所有相邻的**两字组合**，前后重叠；单独一个汉字就是它自己。
# * 其他连续的字母和数字（`str.isalnum`），不管是哪种文字，整段是一个词项。
#
# 其余字符都是分隔，`_` 也是。“用BM25检索文档”得到：用、bm25、检索、索文、文档。

# %%
def analyze(text: str) -> list[str]:
    """The terms of a text, in order, repeated ones included.

    Source: Lucene's CJKBigramFilter.
    """
    raise NotImplementedError("analyze")

# %%
check("rag/sparse_retrieval")

# %% [markdown]
# ## 2. The inverted index

# %% [markdown] lang="zh"
# ## 2. 倒排索引

# %%
Postings = dict[str, dict[str, int]]


def build_index(documents: dict[str, list[str]]) -> tuple[Postings, dict[str, int]]:
    """Where each term stands, and how long each document is.

    Args:
        documents: id -> terms of the document.

    Returns: (postings, lengths). postings: term -> {id: how often it stands in that document}, without zeros.
        lengths: id -> number of terms; an empty document is one of length 0.
    """
    raise NotImplementedError("build_index")

# %%
check("rag/sparse_retrieval")

# %% [markdown]
# ## 3. BM25
#
# $$\text{score}(q, d) = \sum_{t \in q} \ln\!\left(1 + \frac{N - n_t + 0.5}{n_t + 0.5}\right) \cdot
# \frac{f}{f + k_1\,(1 - b + b \cdot |d| \,/\, \text{mean})}$$
#
# $N$ documents, empty ones included, have mean length *mean*; $n_t$ of them hold term $t$, and $d$, of length $|d|$, holds it $f$
# times. A term that stands twice in the query counts twice; one that the index lacks adds nothing. This is
# Lucene's form, without a factor $k_1 + 1$.

# %% [markdown] lang="zh"
# ## 3. BM25
#
# $$\text{score}(q, d) = \sum_{t \in q} \ln\!\left(1 + \frac{N - n_t + 0.5}{n_t + 0.5}\right) \cdot
# \frac{f}{f + k_1\,(1 - b + b \cdot |d| \,/\, \text{mean})}$$
#
# 一共 $N$ 篇文档（空文档也算），平均长度是 *mean*；其中 $n_t$ 篇含有词项 $t$；文档 $d$ 长 $|d|$，$t$ 在里面出现 $f$ 次。查询里出现两次的词项算两次，索引里没有的词项不加分。这是 Lucene 的写法，分子上没有 $k_1 + 1$。

# %%
def bm25(
    postings: Postings, lengths: dict[str, int], query: list[str], k1: float = 1.2, b: float = 0.75
) -> dict[str, float]:
    """The scores of documents that hold a term of the query.

    Args:
        postings, lengths: as in question 2; both may be empty.
        query: terms.
        k1: above 0, how slowly repetitions saturate.
        b: 0 to 1, how much length counts.

    Returns: id -> score.

    Source: Robertson and Zaragoza 2009, section 3; the form: Kamphuis et al. 2020, "Lucene (accurate)".
    """
    raise NotImplementedError("bm25")

# %%
check("rag/sparse_retrieval")

# %% [markdown]
# ## 4. The best k without reading everything
#
# Here a posting already holds its **weight**: what one occurrence of the term in the query adds to the document,
# always above 0 and below `bounds[term]`.
#
# Take the query's distinct terms by falling *bound*: `bounds[term]` times its count in the query. Before each,
# add up the bounds of all terms not yet taken. Once `k` documents are known and this sum is below the `k`-th best
# score so far, no unknown document can get into the result: from then on read no list, only look up the known
# documents. Tests count: a list costs all its postings, a look-up one. Spend no more than this rule.

# %% [markdown] lang="zh"
# ## 4. 不必全读，也能找出最好的 k 篇
#
# 本问的列表里直接存着**权重**：查询里出现一次该词项，给这篇文档加多少分。权重总大于 0，总小于 `bounds[term]`。
#
# 一个词项的**上界**等于 `bounds[term]` 乘以它在查询里出现的次数。把查询里不同的词项按上界从大到小依次处理；每处理一个之前，先把还没处理的词项（包括它）的上界加起来。一旦已知文档不少于 `k` 篇，而且这个和小于目前第 `k` 名的得分，没见过的文档就不可能进入结果了：从此不再读任何列表，只为已知的文档逐篇查权重。测试会计数：读一个列表，花费是它的全部条目数；查一次，花费是 1。总花费不能超过这条规则。

# %%
def top_k(
    query: list[str],
    k: int,
    bounds: dict[str, float],
    read: Callable[[str], dict[str, float]],
    look_up: Callable[[str, str], float],
) -> list[tuple[str, float]]:
    """The k documents with the highest sums of weights.

    Args:
        query: terms; one that stands twice counts twice.
        k: at least 1.
        bounds: of each term of the index; what is missing here is in no document.
        read: term -> {id: weight}, its whole list.
        look_up: (term, id) -> weight, 0.0 if the document doesn't hold it.

    Returns: (id, score), the best first, equal scores by rising id. Fewer than k if fewer documents hold a term.

    Source: Buckley and Lewit 1985; the bounds: Turtle and Flood 1995 (max-score).
    """
    raise NotImplementedError("top_k")

# %%
check("rag/sparse_retrieval")
