# %% [markdown]
# A RAG system can fail twice: the passage isn't found, or the model doesn't keep to it. You measure both, and
# how far the numbers can be trusted. Documents have ids; `grades` maps an id to an int from 0 up. Above 0 is
# *relevant*, and an id that isn't there has grade 0.

# %% [markdown] lang="zh"
# RAG 系统会在两处出错：该找的段落没找到，或者找到了而模型没照着说。本题对两处都打分，再看看这些分数有多可靠。每篇文档有一个 id；`grades` 把 id 映射到从 0 起的整数评级，大于 0 为**相关**，不在其中的 id 评级为 0。

# %%
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

# %% [markdown]
# ## 1. The ranking
#
# Only the first `k` places count. An id that comes again there takes up its place and is worth nothing.
#
# | key | value |
# |---|---|
# | `"precision"` | relevant documents found, divided by `k` even if fewer came back |
# | `"recall"` | the same, divided by all relevant documents |
# | `"reciprocal_rank"` | 1 / the rank of the first relevant document (ranks begin at 1); 0 if none is found |
# | `"average_precision"` | (found in ranks 1 to $i$) / $i$, summed over each rank $i$ where a relevant document is found, divided by all relevant documents |
# | `"ndcg"` | DCG / the DCG of the best ranking of **all** judged documents, cut at `k` |
#
# $$\mathrm{DCG} = \sum_{i=1}^{k} \frac{\text{grade at rank } i}{\log_2(i + 1)}$$
#
# Without any relevant document all five are 0.

# %% [markdown] lang="zh"
# ## 1. 排序
#
# 只看前 `k` 个位置。同一个 id 再次出现时仍占一个位置，但不再算分。
#
# | 键 | 值 |
# |---|---|
# | `"precision"` | 找到的相关文档数除以 `k`；返回的不足 `k` 篇，也除以 `k` |
# | `"recall"` | 找到的相关文档数除以全部相关文档数 |
# | `"reciprocal_rank"` | 第一篇相关文档名次的倒数（名次从 1 起）；没找到则为 0 |
# | `"average_precision"` | 对每个找到相关文档的名次 $i$，求（前 $i$ 名中找到的篇数）/ $i$，相加后除以全部相关文档数 |
# | `"ndcg"` | DCG 除以理想 DCG。理想 DCG 由**所有**评过级的文档的最佳排序取前 `k` 名算出 |
#
# $$\mathrm{DCG} = \sum_{i=1}^{k} \frac{\text{第 } i \text{ 名的评级}}{\log_2(i + 1)}$$
#
# 一篇相关文档也没有时，五个值都是 0。


# %%
def rank_metrics(ranking: list[str], grades: dict[str, int], k: int) -> dict[str, float]:
    """Five measures of one query's ranking.

    Args:
        ranking: ids, the best first.
        k: 1 or more.

    Source: trec_eval (P, recall, recip_rank, map_cut, ndcg_cut); Järvelin & Kekäläinen 2002,
    https://doi.org/10.1145/582415.582418.
    """
    # BEGIN SOLUTION
    relevant = sum(grade > 0 for grade in grades.values())
    if not relevant:
        keys = ("precision", "recall", "reciprocal_rank", "average_precision", "ndcg")
        return dict.fromkeys(keys, 0.0)
    known: set[str] = set()
    found = 0
    reciprocal_rank = precisions = dcg = 0.0
    for rank, document in enumerate(ranking[:k], 1):
        grade = grades.get(document, 0)
        if grade > 0 and document not in known:
            known.add(document)
            found += 1
            reciprocal_rank = reciprocal_rank or 1 / rank
            precisions += found / rank
            dcg += grade / math.log2(rank + 1)
    best = sorted(grades.values(), reverse=True)[:k]
    ideal = sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, 1))
    return {
        "precision": found / k,
        "recall": found / relevant,
        "reciprocal_rank": reciprocal_rank,
        "average_precision": precisions / relevant,
        "ndcg": dcg / ideal,
    }
    # END SOLUTION


# %% [markdown]
# ## 2. The answer, with a judge
#
# | key | value |
# |---|---|
# | `"context_precision"` | (useful contexts in ranks 1 to $i$) / $i$, its **mean over the ranks** $i$ of the useful contexts |
# | `"context_recall"` | share of the *reference's* statements that the contexts support |
# | `"faithfulness"` | share of the *answer's* statements that the contexts support |
# | `"answer_relevance"` | mean cosine similarity of the question with the questions that the answer would answer |
#
# A statement is judged **once**, against all contexts together. Contexts and statements that repeat count each
# time. A mean or share of nothing is 0, and so is the cosine with a zero vector.

# %% [markdown] lang="zh"
# ## 2. 回答（由评判模型打分）
#
# | 键 | 值 |
# |---|---|
# | `"context_precision"` | 对每个有用的上下文，设其名次为 $i$，求（前 $i$ 名中有用的个数）/ $i$，再**对这些名次取平均** |
# | `"context_recall"` | **参考答案**的陈述中，有上下文支持的比例 |
# | `"faithfulness"` | **回答**的陈述中，有上下文支持的比例 |
# | `"answer_relevance"` | 由回答反推出若干问题，它们与原问题的余弦相似度的平均值 |
#
# 每条陈述只评判**一次**，评判时对照全部上下文。重复的上下文、重复的陈述，出现几次算几次。没有可平均、可统计的对象时，值为 0；与零向量的余弦也为 0。


# %%
def answer_metrics(
    question: str,
    contexts: list[str],
    answer: str,
    reference: str,
    split: Callable[[str], list[str]],
    supports: Callable[[str, list[str]], bool],
    useful: Callable[[str, str], bool],
    ask: Callable[[str], list[str]],
    embed: Callable[[list[str]], Tensor],
) -> dict[str, float]:
    """Four measures of one answer.

    Args:
        contexts: as retrieved, the best first.
        reference: the right answer.
        split: text -> its statements.
        supports: (statement, contexts) -> whether it follows from these.
        useful: (question, context) -> whether this one helps.
        ask: answer -> questions that it would answer.
        embed: N texts -> float [N, D], not normalised.

    Source: Es et al. 2023, https://arxiv.org/abs/2309.15217, section 3 (faithfulness, answer relevance);
    ragas (context precision and recall).
    """

    # BEGIN SOLUTION
    def supported(text: str) -> float:
        statements = split(text)
        return sum(bool(supports(statement, contexts)) for statement in statements) / max(1, len(statements))

    ranks = [rank for rank, context in enumerate(contexts, 1) if useful(question, context)]
    asked = ask(answer)
    vectors = functional.normalize(embed([question, *asked]), dim=-1)
    return {
        "context_precision": sum(n / rank for n, rank in enumerate(ranks, 1)) / max(1, len(ranks)),
        "context_recall": supported(reference),
        "faithfulness": supported(answer),
        "answer_relevance": float((vectors[1:] @ vectors[0]).sum()) / max(1, len(asked)),
    }
    # END SOLUTION


# %% [markdown]
# ## 3. How sure is it?
#
# A system's value is the mean of a metric over the queries of `judgements`. A query without a ranking counts,
# with the ranking `[]`; rankings of other queries don't.
#
# The bootstrap draws `Q` of these `Q` **queries** with repetition, takes the mean, and does so `R` times. The
# interval leaves `(1 - level) / 2` of the `R` means below it and as many above, interpolated linearly as by
# `torch.quantile`.

# %% [markdown] lang="zh"
# ## 3. 有多可靠
#
# 一个系统的得分，是某个指标在 `judgements` 的全部查询上的平均值。没有排序结果的查询也要算，其排序为 `[]`；`rankings` 里多出来的查询不算。
#
# 自助法（bootstrap）从这 `Q` 个**查询**中有放回地抽 `Q` 个，求平均，这样做 `R` 次。区间的下方和上方各留出这 `R` 个平均值的 `(1 - level) / 2`，线性插值，与 `torch.quantile` 相同。


# %%
def bootstrap_interval(
    rankings: dict[str, list[str]],
    judgements: dict[str, dict[str, int]],
    metric: Callable[[list[str], dict[str, int]], float],
    draws: Tensor,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """The mean of a metric and its percentile interval.

    Args:
        rankings: query -> ids.
        judgements: query -> grades.
        metric: (ranking, grades) -> value.
        draws: int64 [R, Q], numbers of queries in the order of `judgements`.

    Returns: (mean over the queries, lower end, upper end).

    Raises:
        ValueError: unless 0 < level < 1.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    # BEGIN SOLUTION
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    measured = [metric(rankings.get(query, []), grades) for query, grades in judgements.items()]
    values = torch.tensor(measured, dtype=torch.float64)
    means = values[draws].mean(dim=1)
    tail = (1 - level) / 2
    return float(values.mean()), float(means.quantile(tail)), float(means.quantile(1 - tail))
    # END SOLUTION
