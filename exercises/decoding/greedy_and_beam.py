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
# # Greedy and beam search
#
# `decoding/greedy_and_beam` · 50 minutes · difficulty 3/5 · [lesson](../../course/decoding/greedy_and_beam.md)

# %% [markdown] lang="zh"
# # Greedy Search 与 Beam Search
#
# `decoding/greedy_and_beam` · 50 分钟 · 难度 3/5 · [讲义](../../course/decoding/greedy_and_beam.zh.md)

# %%
from autograder import check

# %% [markdown]
# A language model gives probabilities; a decoder turns them into a text. **Greedy decoding** takes the best
# token at every step. **Beam search** keeps several beginnings alive and decides later.
#
# * `model(ids)` takes int64 `[B, T]` and returns **logits** `[B, T, V]`: those at position `t` are about the
#   token at position `t + 1`. It remembers nothing: give it the whole prefix.
# * Results hold **new tokens only**, as lists of ints. A new `eos` ends a text and is its last token; an `eos`
#   in the prompt ends nothing. Ties don't occur.

# %% [markdown] lang="zh"
# 语言模型给出的是概率，解码器把概率变成一段文本。**贪心解码**每一步都取最好的词元，从不回头；**束搜索**同时留着几个开头，晚些再作决定。
#
# * `model(ids)` 接收 int64 的 `[B, T]`，返回 **logits** `[B, T, V]`：位置 `t` 的 logits 预测位置 `t + 1` 的词元。模型什么都不记，每次都要把整个前缀交给它。
# * 结果**只含新生成的词元**，是整数列表。新生成的 `eos` 结束一段文本，并且是它的最后一个词元；提示词里的 `eos` 不结束任何东西。不会出现平局。

# %%
from collections.abc import Callable

import torch
from torch import Tensor

# %% [markdown]
# ## 1. Greedy decoding

# %% [markdown] lang="zh"
# ## 1. 贪心解码

# %%
def greedy(model: Callable[[Tensor], Tensor], prompt: list[int], eos: int, max_new_tokens: int) -> list[int]:
    """The best token at every step, until `eos` or `max_new_tokens`.

    Args:
        model: int64 [B, T] -> logits [B, T, V].
        prompt: one token or more.

    Returns: the new tokens.

    Source: Sutskever et al. 2014, https://arxiv.org/abs/1409.3215, section 3.2, beam of size 1.
    """
    raise NotImplementedError("greedy")

# %%
check("decoding/greedy_and_beam")

# %% [markdown]
# ## 2. Beam search
#
# A text's *total* is the sum of the log-probabilities of its new tokens. The search begins with the prompt
# alone. Each step:
#
# 1. The candidates are all live beams, each extended by every token, ranked by total.
# 2. Of the **best `num_beams` candidates**, those that end in `eos` are finished and set aside. Further down
#    the ranking, an `eos` is dropped.
# 3. The best `num_beams` candidates that **don't** end in `eos` (all, if there are fewer) are the next live
#    beams: a finished text takes no live beam's place.
#
# The search is over after the step that brings the finished texts to `num_beams` or more. In step
# `max_new_tokens` the best `num_beams` candidates all finish, whatever they end in.
#
# $$\text{score} = \frac{\text{total}}{n^{\,\text{length\_penalty}}}$$
#
# where $n$ counts the new tokens, `eos` included. Scores compare finished texts; totals guide the search.

# %% [markdown] lang="zh"
# ## 2. 束搜索
#
# 一段文本的**总分**（total）是其所有新词元的对数概率之和。搜索开始时只有提示词一条。每一步：
#
# 1. 候选是每个活动束接上词表中每个词元的全部结果，按总分排序。
# 2. **最好的 `num_beams` 个候选**里，以 `eos` 结尾的算完成：记下得分，放到一边。排在后面的 `eos` 候选直接丢弃。
# 3. **不**以 `eos` 结尾的候选里，最好的 `num_beams` 个成为下一步的活动束：完成的文本不占活动束的位置。（候选不够时，全部保留。）
#
# 某一步之后，若完成的文本达到或超过 `num_beams` 条，搜索结束。到第 `max_new_tokens` 步，最好的 `num_beams` 个候选无论以什么结尾，全部算完成。
#
# $$\text{score} = \frac{\text{total}}{n^{\,\text{length\_penalty}}}$$
#
# 其中 $n$ 是新词元的个数，`eos` 也算。得分（score）用来比较已完成的文本，总分用来引导搜索。

# %%
def beam_search(
    model: Callable[[Tensor], Tensor],
    prompt: list[int],
    eos: int,
    num_beams: int,
    max_new_tokens: int,
    length_penalty: float = 1.0,
) -> list[tuple[list[int], float]]:
    """The finished texts with the best scores.

    Args:
        model, prompt: as in `greedy`.

    Returns: (new tokens, score) of up to `num_beams` finished texts, the best score first.

    Source: Sutskever et al. 2014, section 3.2; length: Wu et al. 2016, https://arxiv.org/abs/1609.08144,
    section 7; the steps: transformers' `generate` with `early_stopping=True`.
    """
    raise NotImplementedError("beam_search")

# %%
check("decoding/greedy_and_beam")

# %% [markdown]
# ## 3. One step of diverse beam search
#
# The beams of one search often differ in a word or two. Diverse beam search forms `G` groups of `k` beams
# that choose in turn: the best `k` of a group's `k * V` candidates, as in question 2. Each choice of a token by an **earlier group** in this step makes that token `penalty` dearer;
# two beams that chose it cost twice. A group's own choices don't count. The totals returned are without the
# penalty. `eos` is a token like any other here.

# %% [markdown] lang="zh"
# ## 3. 多样束搜索的一步
#
# 同一次搜索得到的几条束，往往只差一两个词。多样束搜索（diverse beam search）把束分成 `G` 组，每组 `k` 条，从第一组开始依次选择：从本组的 `k * V` 个候选里取最好的 `k` 个，与第 2 问相同。在这一步里，**前面的组**每选中某个词元一次，后面的组再选它就多付一份 `penalty`；有两条束选了它，就付两份。本组自己的选择不算。返回的总分不含惩罚。这里 `eos` 与其他词元没有区别。

# %%
def diverse_step(totals: Tensor, logps: Tensor, penalty: float) -> tuple[Tensor, Tensor, Tensor]:
    """Each group extends its beams by one token.

    Args:
        totals: [G, k] of the beams, k in each of G groups.
        logps: [G, k, V] log-probabilities of the next token.
        penalty: what one earlier choice of the same token costs.

    Returns: (beams, tokens, new_totals), each [G, k]: index within the group of the beam that goes on, int64;
        its new token, int64; its new total. A group's best choice (penalty included) comes first.

    Source: Vijayakumar et al. 2016, https://arxiv.org/abs/1610.02424, algorithm 1, Hamming diversity.
    """
    raise NotImplementedError("diverse_step")

# %%
check("decoding/greedy_and_beam")
