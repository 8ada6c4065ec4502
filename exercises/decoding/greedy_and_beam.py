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
# A language model gives probabilities; a decoder turns them into one text. **Greedy decoding** takes the best
# token at every step and never looks back. **Beam search** keeps several beginnings alive and decides later.
#
# * `model(ids)` takes int64 `[B, T]` and returns **logits** `[B, T, V]`: those at position `t` are about the
#   token at position `t + 1`. It remembers nothing: give it the whole prefix.
# * `prompt` is a list of token ids. Results hold **new tokens only**, as a list of ints. An `eos` that you
#   generate ends a text and is its last token; an `eos` in the prompt ends nothing.
# * Ties don't occur.

# %% [markdown] lang="zh"
# 语言模型给出的是概率，解码器把概率变成一段文本。**贪心解码**每一步都取最好的词元，从不回头；**束搜索**同时留着几个开头，晚些再作决定。
#
# * `model(ids)` 接收 int64 的 `[B, T]`，返回 **logits** `[B, T, V]`：位置 `t` 的 logits 预测位置 `t + 1` 的词元。模型什么都不记，每次都要把整个前缀交给它。
# * `prompt` 是词元 id 的列表。结果**只含新生成的词元**，是整数列表。生成出来的 `eos` 结束一段文本，并且是它的最后一个词元；提示词里的 `eos` 不结束任何东西。
# * 不会出现平局。

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
    """The most probable token at every step, until `eos` or `max_new_tokens`.

    Args:
        model: int64 [B, T] -> logits [B, T, V].
        prompt: one token or more.

    Returns: the new tokens.

    Source: Sutskever et al. 2014, https://arxiv.org/abs/1409.3215, section 3.2, with a beam of size 1.
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
# 1. The candidates are all live beams, each extended by every token of the vocabulary, ranked by total.
# 2. Of the **best `num_beams` candidates**, those that end in `eos` are finished: they are set aside with
#    their score. Further down the ranking, an `eos` is dropped.
# 3. The best `num_beams` candidates that **don't** end in `eos` are the next live beams: a finished text takes
#    no live beam's place. (Where there are fewer candidates, all of them live.)
#
# The search is over after the step in which the number of finished texts reaches `num_beams`. In step
# `max_new_tokens` all of the best `num_beams` candidates finish, whatever they end in.
#
# $$\text{score} = \frac{\text{total}}{n^{\,\text{length\_penalty}}}$$
#
# where $n$ counts the text's new tokens, `eos` included. Scores compare finished texts; totals guide the search.

# %% [markdown] lang="zh"
# ## 2. 束搜索
#
# 一段文本的**总分**（total）是其所有新词元的对数概率之和。搜索开始时只有提示词一条。每一步：
#
# 1. 候选是每个活动束接上词表中每个词元的全部结果，按总分排序。
# 2. **最好的 `num_beams` 个候选**里，以 `eos` 结尾的算完成：记下得分，放到一边。排在后面的 `eos` 候选直接丢弃。
# 3. **不**以 `eos` 结尾的候选里，最好的 `num_beams` 个成为下一步的活动束：完成的文本不占活动束的位置。（候选不够时，全部保留。）
#
# 某一步之后，若完成的文本达到 `num_beams` 条，搜索结束。到第 `max_new_tokens` 步，最好的 `num_beams` 个候选无论以什么结尾，全部算完成。
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

    Example: with V = 2, num_beams = 4 and max_new_tokens = 2, the texts [eos], [x, eos] and [x, x] all finish.

    Source: Sutskever et al. 2014, section 3.2; dividing by a power of the length: Wu et al. 2016,
    https://arxiv.org/abs/1609.08144, section 7. The steps are those of transformers
    (`generate` with `early_stopping=True`).
    """
    raise NotImplementedError("beam_search")

# %%
check("decoding/greedy_and_beam")

# %% [markdown]
# ## 3. One step of diverse beam search
#
# The beams of one search often differ in a word or two. Diverse beam search divides them into `G` groups that
# choose in turn, the first group first. Each time that an **earlier group** has chosen a token in this step, that
# token costs `penalty` more for the group that chooses now; two beams that chose it cost twice. A group's own
# choices don't count. The penalty steers the choice only: the totals returned are the model's, without it.
# `eos` is a token like any other here.

# %% [markdown] lang="zh"
# ## 3. 多样束搜索的一步
#
# 同一次搜索得到的几条束，往往只差一两个词。多样束搜索（diverse beam search）把束分成 `G` 组，从第一组开始依次选择。在这一步里，**前面的组**每选中某个词元一次，后面的组再选它就多付一份 `penalty`；有两条束选了它，就付两份。本组自己的选择不算。惩罚只影响怎么选，返回的总分仍是模型的总分，不含惩罚。这里 `eos` 与其他词元没有区别。

# %%
def diverse_step(totals: Tensor, logps: Tensor, penalty: float) -> tuple[Tensor, Tensor, Tensor]:
    """Each group extends its beams by one token.

    Args:
        totals: [G, k] of the beams, k in each of G groups.
        logps: [G, k, V] log-probabilities of the next token.
        penalty: what one earlier choice of the same token costs.

    Returns: (beams, tokens, new_totals), each [G, k]: the index within its group of the beam that goes on, int64;
        its new token, int64; the new total. In each group, the best choice (penalty included) comes first.

    Source: Vijayakumar et al. 2016, https://arxiv.org/abs/1610.02424, algorithm 1, Hamming diversity.
    """
    raise NotImplementedError("diverse_step")

# %%
check("decoding/greedy_and_beam")
