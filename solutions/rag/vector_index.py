# %% [markdown]
# Comparing a query with every vector is exact and slow. An *inverted file* (IVF) looks into a few cells only;
# *product quantisation* (PQ) stores a vector in a few bytes. You write both, and the k-means that they learn from.
#
# * Distances are **squared L2**. Of equals, the one with the lower number (centre, code or id) comes first.
# * A search returns `(distances, ids)`, the nearest first. Fewer than `k` vectors to choose from give a shorter
#   result, down to `[0]`.
# * No gradients are asked for.

# %% [markdown] lang="zh"
# 把查询与每个向量都比一遍，精确，但是慢。**倒排文件**（IVF）只看少数几个单元；**乘积量化**（PQ）用几个字节存一个向量。本题写这两样，以及它们训练时用的 k-means。
#
# * 距离一律是**平方 L2 距离**。距离相等时，编号（中心、编码或 id）小的在前。
# * 搜索返回 `(distances, ids)`，近的在前。可选的向量不足 `k` 个时，结果就短一些，最短为 `[0]`。
# * 不要求梯度。

# %%
from collections.abc import Callable

import torch
from torch import Tensor

# %% [markdown]
# ## 1. k-means
#
# One of Lloyd's rounds: each vector goes to its nearest centre, then each centre moves to the mean of its
# vectors. A centre without vectors stays where it is.

# %% [markdown] lang="zh"
# ## 1. k-means
#
# Lloyd 算法的一轮：每个向量归到最近的中心，然后每个中心移到名下向量的均值。没有向量的中心留在原处。


# %%
def kmeans(vectors: Tensor, centres: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    """Move the centres for a number of rounds.

    Args:
        vectors: float [N, D].
        centres: float [K, D], where they begin.
        rounds: 0 or more.

    Returns: (centres [K, D], cells int64 [N]): for each vector the nearest of the centres **returned**.

    Source: Lloyd 1982, https://doi.org/10.1109/TIT.1982.1056489.
    """

    # BEGIN SOLUTION
    def nearest(centres: Tensor) -> Tensor:
        return (vectors[:, None] - centres).square().sum(dim=-1).argmin(dim=1)

    for _round in range(rounds):
        cells = nearest(centres)
        counts = cells.bincount(minlength=len(centres))[:, None]
        sums = torch.zeros_like(centres).index_add(0, cells, vectors)
        centres = torch.where(counts > 0, sums / counts, centres)
    return centres, nearest(centres)
    # END SOLUTION


# %% [markdown]
# ## 2. Searching an inverted file
#
# Each centre has a *cell*: the ids and vectors that are nearest to it, in no order. `read(cell)`, given the centre's
# number, fetches them from a store. Read the `nprobe` cells whose centres are nearest to the query, each once, and no
# other; an empty cell counts. All vectors read compete.

# %% [markdown] lang="zh"
# ## 2. 搜索倒排文件
#
# 每个中心有一个**单元**（cell），装着离它最近的那些向量和它们的 id，不分先后。`read(cell)` 按中心的编号从存储中取出一个单元。只读中心离查询最近的 `nprobe` 个单元，每个读一次，其余不读；空单元也占名额。读到的全部向量放在一起比。


# %%
def search_cells(
    query: Tensor,
    centres: Tensor,
    read: Callable[[int], tuple[Tensor, Tensor]],
    k: int,
    nprobe: int,
) -> tuple[Tensor, Tensor]:
    """The nearest vectors of the nearest cells.

    Args:
        query: float [D].
        centres: float [K, D].
        read: number of a cell -> (ids int64 [n], vectors float [n, D]); n is 0 for an empty cell.
        k: 1 or more.
        nprobe: 1 to K.

    Returns: (distances [up to k], ids int64 [up to k]).

    Source: Jégou et al. 2011, https://doi.org/10.1109/TPAMI.2010.57, section IV (there the cells hold codes).
    """
    # BEGIN SOLUTION
    probed = (centres - query).square().sum(dim=1).argsort(stable=True)[:nprobe]
    read_ids, read_vectors = zip(*map(read, probed.tolist()), strict=True)
    ids, by_id = torch.cat(read_ids).sort()
    distances = (torch.cat(read_vectors)[by_id] - query).square().sum(dim=1)
    order = distances.argsort(stable=True)[:k]
    return distances[order], ids[order]
    # END SOLUTION


# %% [markdown]
# ## 3. Product quantisation
#
# A vector is cut into `M` runs of `W` neighbouring numbers. Run $m$ has its own codebook of `K` centres; its code is
# the number of the nearest one. Decoding a code puts the chosen centres back in a row.
#
# `search` compares the **exact** query with the **decoded** vectors. But no vector is decoded: all distances of a run
# to its `K` centres fit into a table, and
#
# $$\lVert q - \text{decoded}(c) \rVert^2 = \sum_{m=1}^{M} \text{table}[m, c_m].$$
#
# For `N` = 200,000, `M` = 8 and `W` = 128 a search has 96 MiB.

# %% [markdown] lang="zh"
# ## 3. 乘积量化
#
# 把一个向量切成 `M` 段，每段是相邻的 `W` 个数。第 $m$ 段有自己的码本，含 `K` 个中心；这一段的编码就是最近那个中心的编号。解码就是把选中的中心依次拼回来。
#
# `search` 拿**未编码的**查询与**解码后的**向量比。但并不真的解码：查询的每一段到 `K` 个中心的距离全部放进一张表，于是
#
# $$\lVert q - \text{decoded}(c) \rVert^2 = \sum_{m=1}^{M} \text{table}[m, c_m].$$
#
# `N` = 200,000、`M` = 8、`W` = 128 时，一次搜索可用 96 MiB 内存。


# %%
class ProductQuantizer:
    """Codes of one byte for each run of a vector.

    Args:
        codebooks: float [M, K, W], K up to 256.

    Source: Jégou et al. 2011, sections II-B and III-A.
    """

    def __init__(self, codebooks: Tensor) -> None:
        self.codebooks = codebooks

    def encode(self, vectors: Tensor) -> Tensor:
        """The codes of vectors.

        Args:
            vectors: float [N, D].

        Returns: uint8 [N, M].

        Raises:
            ValueError: if D isn't M * W.
        """
        # BEGIN SOLUTION
        runs, _, width = self.codebooks.shape
        if vectors.shape[1] != runs * width:
            raise ValueError(f"{runs} runs of {width} don't make {vectors.shape[1]}")
        parts = vectors.reshape(-1, runs, 1, width)
        return (parts - self.codebooks).square().sum(dim=-1).argmin(dim=-1).to(torch.uint8)
        # END SOLUTION

    def search(self, query: Tensor, codes: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The codes nearest to a query.

        Args:
            query: float [D].
            codes: uint8 [N, M].
            k: 1 or more.

        Returns: (distances [up to k], ids int64 [up to k]): an id is the number of a row of `codes`.
        """
        # BEGIN SOLUTION
        parts = query.reshape(len(self.codebooks), 1, -1)
        table = (parts - self.codebooks).square().sum(dim=-1)  # [M, K]
        distances = table.gather(1, codes.T.long()).sum(dim=0)
        order = distances.argsort(stable=True)[:k]
        return distances[order], order
        # END SOLUTION
