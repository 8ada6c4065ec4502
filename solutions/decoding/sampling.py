# %% [markdown]
# A language model gives logits for the next token. A **sampler** turns them into one token. You write the one
# that sits behind `model.generate`: a penalty, a temperature, three filters, and a draw.
#
# * `B` is the number of sequences, `V` the vocabulary size. Every row is its own case.
# * A token that is dropped gets the logit $-\infty$, so that its probability is exactly 0. Input logits may hold
#   $-\infty$ as well; at least one logit of a row is finite.
# * A filter that is `None` is off.

# %% [markdown] lang="zh"
# 语言模型给出下一个词元的 logits，**采样器**把它们变成一个词元。本题要写的就是 `model.generate` 背后的那个采样器：一个重复惩罚、一个温度、三个过滤器，再加一次抽取。
#
# * `B` 是序列数，`V` 是词表大小；每一行各算各的。
# * 被去掉的词元，logit 设为 $-\infty$，概率就恰好是 0。输入的 logits 里也可能已经有 $-\infty$，但每一行至少有一个有限值。
# * 过滤器的参数为 `None` 表示不启用。

# %%
import math

import torch
from torch import Tensor

# %% [markdown]
# ## 1. Repetition penalty
#
# A token that already stands in the text, in the prompt or in the answer, becomes less likely. Its logit is
# divided by `penalty` if it is positive and multiplied by it otherwise. How often the token occurs makes no
# difference.

# %% [markdown] lang="zh"
# ## 1. 重复惩罚
#
# 文本里已经出现过的词元（提示词和回答都算），概率要降低：它的 logit 为正就除以 `penalty`，否则乘以 `penalty`。出现一次和出现多次，惩罚相同。


# %%
def apply_repetition_penalty(logits: Tensor, ids: Tensor, penalty: float) -> Tensor:
    """Logits in which every token of the text so far is penalised once.

    Args:
        logits: [B, V], scores of the next token.
        ids: [B, T] int64, prompt and answer so far.
        penalty: above 0; 1 changes nothing.

    Returns: [B, V].

    Example: logits (2, -1, 3), ids (0, 1, 1), penalty 2: (1, -2, 3).

    Source: Keskar et al. 2019 (CTRL), https://arxiv.org/abs/1909.05858, section 4.1; the case of a negative logit
    as in transformers and vLLM.
    """
    # BEGIN SOLUTION
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(1, ids, True)
    penalised = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, penalised, logits)
    # END SOLUTION


# %% [markdown]
# ## 2. Three filters
#
# Each keeps the logits of some tokens as they are and drops all others.
#
# * **top-k** keeps the `top_k` largest logits, and every token that ties with the last of them. A `top_k` beyond
#   `V` keeps all.
# * **top-p** keeps the smallest set of most probable tokens whose probabilities add up to `top_p` or more. The
#   token that crosses `top_p` is in the set, so at least one token always stays. Which of several equally
#   probable tokens comes first is left open.
# * **min-p** keeps the tokens whose probability is at least `min_p` times the largest one.
#
# They are applied **in this order**. Each looks at what the one before has left, whose probabilities
# add up to 1 again.

# %% [markdown] lang="zh"
# ## 2. 三个过滤器
#
# 每个过滤器让一部分词元的 logits 保持原样，其余的全部去掉。
#
# * **top-k** 保留最大的 `top_k` 个 logits，与其中最后一名并列的也全部保留。`top_k` 大于 `V` 时全部保留。
# * **top-p** 从概率最大的词元开始取，取到概率之和达到或超过 `top_p` 为止，保留这个最小的集合。让总和越过 `top_p` 的那个词元也在集合里，所以至少会留下一个。概率相等的词元谁先谁后，不作规定。
# * **min-p** 保留概率不小于“`min_p` 乘以最大概率”的词元。
#
# 三者**按这个顺序**执行，后一个只看前一个留下的词元，它们的概率重新归一化，总和为 1。


# %%
def filter_logits(
    logits: Tensor, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None
) -> Tensor:
    """Logits after top-k, top-p and min-p: the dropped tokens are -inf.

    Args:
        logits: [B, V].
        top_k: tokens to keep, at least 1.
        top_p: probability mass to keep, in (0, 1].
        min_p: share of the largest probability, in [0, 1].

    Returns: [B, V].

    Raises:
        ValueError: top_k, top_p or min_p is outside its range.

    Example: probabilities (0.1, 0.4, 0.2, 0.3), top_p 0.6: tokens 1 and 3 stay.

    Source: Fan et al. 2018, https://arxiv.org/abs/1805.04833; Holtzman et al. 2020,
    https://arxiv.org/abs/1904.09751, eq. 2; Nguyen et al. 2024, https://arxiv.org/abs/2407.01082, section 3.
    """
    # BEGIN SOLUTION
    if top_k is not None:
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, not {top_k}")
        kth_largest = logits.topk(min(top_k, logits.shape[-1])).values[:, -1:]
        logits = logits.masked_fill(logits < kth_largest, -math.inf)
    if top_p is not None:
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], not {top_p}")
        descending, order = logits.sort(dim=-1, descending=True)
        probabilities = descending.softmax(dim=-1)
        mass_before = probabilities.cumsum(dim=-1) - probabilities
        # From sorted order back to id order.
        dropped = torch.zeros_like(logits, dtype=torch.bool).scatter(1, order, mass_before >= top_p)
        logits = logits.masked_fill(dropped, -math.inf)
    if min_p is not None:
        if not 0 <= min_p <= 1:
            raise ValueError(f"min_p must be in [0, 1], not {min_p}")
        probabilities = logits.softmax(dim=-1)
        threshold = min_p * probabilities.amax(dim=-1, keepdim=True)
        logits = logits.masked_fill(probabilities < threshold, -math.inf)
    return logits
    # END SOLUTION


# %% [markdown]
# ## 3. The chain
#
# Put them together, in the order of transformers: repetition penalty, temperature (logits divided by it), the
# filters of question 2, softmax.
#
# Temperature 0 stands for greedy decoding: after the penalty, the token with the largest logit gets probability
# 1, the lowest id if several tie.

# %% [markdown] lang="zh"
# ## 3. 组成一条链
#
# 把它们接起来，顺序与 transformers 相同：重复惩罚、温度（logits 除以它）、第 2 问的过滤器、softmax。
#
# 温度为 0 表示贪心解码：施加惩罚之后，logit 最大的词元概率为 1；有并列时取编号最小的。


# %%
def next_token_probabilities(
    logits: Tensor,
    ids: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    repetition_penalty: float = 1.0,
) -> Tensor:
    """Probabilities from which the next token is drawn.

    Args:
        logits: [B, V], scores of the next token.
        ids: [B, T] int64, prompt and answer so far.
        temperature: 0 or above.
        top_k, top_p, min_p: as in `filter_logits`.
        repetition_penalty: above 0.

    Returns: [B, V]. Each row adds up to 1.

    Raises:
        ValueError: temperature is negative.

    Example: probabilities (0.4, 0.3, 0.2, 0.1), temperature 0.5: in proportion to their squares, 16 : 9 : 4 : 1.

    Source: Holtzman et al. 2020, eq. 4 (temperature); order as in transformers' `generate`.
    """
    # BEGIN SOLUTION
    if temperature < 0:
        raise ValueError(f"temperature must not be negative, got {temperature}")
    logits = apply_repetition_penalty(logits, ids, repetition_penalty)
    if temperature == 0:
        largest = logits.argmax(dim=-1, keepdim=True)  # the first of equals
        return torch.zeros_like(logits).scatter(1, largest, 1.0)
    return filter_logits(logits / temperature, top_k, top_p, min_p).softmax(dim=-1)
    # END SOLUTION


# %% [markdown]
# ## 4. The draw
#
# Lay the probabilities end to end on a line, **in the order of the ids**. A uniform draw is a point on it; the
# token whose piece holds the point is the sample: the first id whose cumulative probability **exceeds** the
# draw. A piece holds its left end and not its right one.
#
# Rounding may leave the sum of a row a little below 1. A draw that reaches this sum takes the last token whose
# probability isn't 0. A token of probability 0 is never taken.

# %% [markdown] lang="zh"
# ## 4. 抽取
#
# 把各词元的概率**按编号顺序**首尾相接，排成一条线段。均匀抽取的随机数是线段上的一个点，它落在谁的那一段，就抽到谁：也就是累积概率**超过**这个数的第一个编号。每一段含左端，不含右端。
#
# 由于舍入，一行的总和可能略小于 1。随机数达到这个总和时，取最后一个概率不为 0 的词元。概率为 0 的词元永远不会被抽到。


# %%
def sample(probabilities: Tensor, draws: Tensor) -> Tensor:
    """One token for each row, by inverse CDF.

    Args:
        probabilities: [B, V].
        draws: [B], uniform in [0, 1), of the same dtype.

    Returns: [B] int64, token ids.

    Example: probabilities (0, 0.25, 0.5, 0.25): draws 0, 0.25, 0.8 give the tokens 1, 2, 3.
    """
    # BEGIN SOLUTION
    cumulative = probabilities.cumsum(dim=-1)
    # Divided by its end, the line reaches exactly 1, which no draw does.
    cumulative = cumulative / cumulative[:, -1:]
    return (cumulative <= draws[:, None]).sum(dim=-1)
    # END SOLUTION
