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
# # Dense retrieval, fusion and re-ranking
#
# `rag/dense_retrieval` · 45 minutes · difficulty 3/5 · [lesson](../../course/rag/dense_retrieval.md)

# %% [markdown] lang="zh"
# # 稠密检索、融合与重排
#
# `rag/dense_retrieval` · 45 分钟 · 难度 3/5 · [讲义](../../course/rag/dense_retrieval.zh.md)

# %%
from autograder import check

# %% [markdown]
# **Dense retrieval** compares vectors of texts, so it finds what is said in other words. You write the search itself,
# and what stands around it: a choice without near copies, the fusion of several result lists, and a finer score
# for re-ranking. All vectors are given.

# %% [markdown] lang="zh"
# **稠密检索**比较文本的向量，所以换了说法也找得到。本题要写检索本身，以及它前后的几步：去掉大同小异的结果、融合几份结果列表、给重排用的更细的打分。向量都是给定的。

# %%
import torch
import torch.nn.functional as F
from torch import Tensor

# %% [markdown]
# ## 1. Exact top-k by cosine
#
# Both sides are scaled to length 1, whatever their length was. A zero vector is similar to nothing: 0.
# The best score comes first; equal scores stand by rising index (`torch.topk` promises no order among them). If
# there are fewer than `k` documents, all are returned; there may be none.

# %% [markdown] lang="zh"
# ## 1. 按余弦精确检索 top-k
#
# 两边的向量都先缩放到长度 1，不管原来多长。零向量与什么都不相似：得 0。分数高的在前，同分的按下标从小到大（`torch.topk` 不保证同分时的次序）。文档不足 `k` 篇就全部返回，也可能一篇都没有。

# %%
def cosine_top_k(queries: Tensor, documents: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k most similar documents of each query.

    Args:
        queries: [Q, D], float.
        documents: [N, D], float, of the same dtype.
        k: at least 1.

    Returns: (scores, indices), each [Q, min(k, N)]; scores in the dtype of the vectors, indices int64.

    Source: Karpukhin et al. 2020, https://arxiv.org/abs/2004.04906, section 3 (there with dot products).
    """
    raise NotImplementedError("cosine_top_k")

# %%
check("rag/dense_retrieval")

# %% [markdown]
# ## 2. Maximal marginal relevance
#
# Documents are picked one by one. The first is the most relevant, whatever $\lambda$ is. After that it's the one with the highest
#
# $$\lambda \cdot \text{relevance}(d) - (1 - \lambda) \cdot \max_{c \,\in\, \text{picked}} \text{similarity}(d, c)$$
#
# Equal values: the lower index. Nothing is picked twice.

# %% [markdown] lang="zh"
# ## 2. 最大边缘相关（MMR）
#
# 文档一篇一篇地挑。第一篇取最相关的，与 $\lambda$ 无关；以后每次取下式最大的：
#
# $$\lambda \cdot \text{relevance}(d) - (1 - \lambda) \cdot \max_{c \,\in\, \text{已选}} \text{similarity}(d, c)$$
#
# 值相同取下标小的；同一篇不会选两次。

# %%
def mmr(relevance: Tensor, similarity: Tensor, k: int, lam: float) -> list[int]:
    """Pick relevant documents that differ from one another.

    Args:
        relevance: [N] of the documents to the query.
        similarity: [N, N] of the documents to each other, symmetric.
        k: at least 1.
        lam: 0 to 1; 1 is relevance only.

    Returns: min(k, N) indices, in the order in which they were picked.

    Source: Carbonell and Goldstein 1998.
    """
    raise NotImplementedError("mmr")

# %%
check("rag/dense_retrieval")

# %% [markdown]
# ## 3. Reciprocal rank fusion
#
# Each list gives a document $1 / (\text{constant} + \text{rank})$, ranks counted from 1; a list that lacks it gives nothing.

# %% [markdown] lang="zh"
# ## 3. 倒数排名融合（RRF）
#
# 每份列表给一篇文档 $1 / (\text{constant} + \text{rank})$ 分，名次从 1 数起；列表里没有的文档得不到分。

# %%
def fuse_rankings(rankings: list[list[str]], constant: int = 60) -> list[tuple[str, float]]:
    """One ranking from several.

    Args:
        rankings: ids of documents, the best first; a list names a document once at most, and may be empty.

    Returns: (id, score), the highest score first, equal scores by rising id.

    Source: Cormack et al. 2009.
    """
    raise NotImplementedError("fuse_rankings")

# %%
check("rag/dense_retrieval")

# %% [markdown]
# ## 4. Late interaction
#
# Here a text keeps one vector for each token. Each query token looks for the document token with the largest dot
# product, and the score is the **sum** of these maxima. Padding (False in a mask) takes part on neither side. A
# document that is all padding scores $-\infty$. The vectors are used as they are.

# %% [markdown] lang="zh"
# ## 4. 延迟交互
#
# 这里一段文本的每个词元各保留一个向量。查询的每个词元去找点积最大的文档词元，得分是这些最大值的**和**。两边的填充（掩码为 False）都不参与。整篇都是填充的文档得 $-\infty$。向量按原样使用。

# %%
def maxsim(query: Tensor, documents: Tensor, query_mask: Tensor, document_mask: Tensor) -> Tensor:
    """The score of each document.

    Args:
        query: [T, D], one vector for each token, float.
        documents: [N, S, D], of the same dtype.
        query_mask: [T], bool; at least one is True.
        document_mask: [N, S], bool.

    Returns: [N], in the dtype of the vectors.

    Source: Khattab and Zaharia 2020, https://arxiv.org/abs/2004.12832, equation 3.
    """
    raise NotImplementedError("maxsim")

# %%
check("rag/dense_retrieval")
