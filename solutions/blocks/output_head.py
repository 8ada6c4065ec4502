# %% [markdown]
# A language model ends in two steps: a linear layer gives every token of the vocabulary a score (a *logit*), and
# the softmax turns the scores into probabilities. Training reads one number off them, the cross-entropy. You write
# both ends of that road, and the version of it that fits into memory.
#
# * A loss is the **mean over all targets that count**, a tensor without axes. A target equal to `ignore_index`
#   doesn't count. If none counts, the loss is 0, and so are its gradients.
# * Logits may be as large as 10,000.
#
# Not allowed: the library's softmax, logsumexp, cross-entropy and negative log-likelihood, in all their forms.

# %% [markdown] lang="zh"
# 语言模型的最后有两步：线性层给词表里的每个词元打一个分（logit），softmax 再把分数变成概率。训练只从中读出一个数：交叉熵。本题从打分写到损失，最后写一个内存放得下的版本。
#
# * 损失是**所有计入的目标的平均**，返回没有轴的张量。等于 `ignore_index` 的目标不计入；一个计入的都没有时，损失为 0，梯度也为 0。
# * logits 可能大到一万。
#
# 不许调用库里的 softmax、logsumexp、交叉熵、负对数似然，哪种形式都不行。

# %%
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

IGNORE_INDEX = -100  # the label of a position that doesn't count


# %% [markdown]
# ## 1. Log-probabilities
#
# $$\log p_v = z_v - \log \sum_{w} e^{z_w}$$
#
# A token that is 200 below the best has a probability that float32 rounds to 0. Its log-probability is still
# $-200$, and its gradient still counts.

# %% [markdown] lang="zh"
# ## 1. 对数概率
#
# $$\log p_v = z_v - \log \sum_{w} e^{z_w}$$
#
# 一个词元的分数比最高分低 200，它的概率在 float32 里就成了 0；但它的对数概率仍然是 $-200$，梯度也照样要有。


# %%
def log_softmax(logits: Tensor) -> Tensor:
    """Logarithm of the softmax along the last axis.

    Args:
        logits: [..., V].

    Returns: [..., V].

    Example: (0, log 3) gives (log 1/4, log 3/4).
    """
    # BEGIN SOLUTION
    shifted = logits - logits.amax(dim=-1, keepdim=True).detach()
    return shifted - shifted.exp().sum(dim=-1, keepdim=True).log()
    # END SOLUTION


# %% [markdown]
# ## 2. Cross-entropy
#
# With label smoothing $\varepsilon$, the target $y$ shares its weight with the whole vocabulary, itself included:
#
# $$\ell = -(1 - \varepsilon) \log p_y - \frac{\varepsilon}{V} \sum_{v} \log p_v$$
#
# Average $\ell$ over the targets that count. The others add nothing, no smoothing either. `ignore_index` may be any
# integer, the id of a token as well (some pad with token 0). Any other target that is no token id is an error: some
# libraries mark padding with $-1$, and a silent lookup would train on it.

# %% [markdown] lang="zh"
# ## 2. 交叉熵
#
# 标签平滑系数为 $\varepsilon$ 时，目标 $y$ 把一份权重分给整个词表，自己也在内：
#
# $$\ell = -(1 - \varepsilon) \log p_y - \frac{\varepsilon}{V} \sum_{v} \log p_v$$
#
# 对计入的目标求 $\ell$ 的平均。不计入的目标什么都不加，平滑项也不加。`ignore_index` 可以是任意整数，也可以就是某个词元的编号（有人用 0 号词元填充）。除此之外，目标不是词元编号就要报错：有的库用 $-1$ 标记填充，悄悄查表就等于拿填充来训练。


# %%
def cross_entropy(
    logits: Tensor, targets: Tensor, ignore_index: int = IGNORE_INDEX, label_smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy of the targets that count.

    Args:
        logits: [..., V].
        targets: [...] int64, ids of tokens, or ignore_index.
        ignore_index: the target that doesn't count.
        label_smoothing: epsilon, from 0 to 1.

    Returns: [].

    Raises:
        ValueError: a target is neither ignore_index nor one of 0 to V - 1.

    Example: uniform logits over V = 4 give log 4, whatever the targets and the smoothing.

    Source: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7.
    """
    # BEGIN SOLUTION
    counts = targets != ignore_index
    if (counts & ((targets < 0) | (targets >= logits.shape[-1]))).any():
        raise ValueError(f"a target is neither {ignore_index} nor a token id below {logits.shape[-1]}")
    logps = log_softmax(logits)
    # What doesn't count may be no index: look up token 0 there, and drop what was found.
    found = logps.gather(-1, targets.masked_fill(~counts, 0).unsqueeze(-1)).squeeze(-1)
    losses = -(1 - label_smoothing) * found - label_smoothing * logps.mean(dim=-1)
    return losses.masked_fill(~counts, 0.0).sum() / counts.sum().clamp(min=1)
    # END SOLUTION


# %% [markdown]
# ## 3. One matrix at both ends
#
# The embedding turns an id into a row of $E$ `[V, C]`. The head scores a hidden state $h$ against the same rows:
#
# $$z = E h$$
#
# There is one tensor, no copy, so that it gets both gradients. In between stands `body`, any module from
# `[B, T, C]` to `[B, T, C]`.
#
# **Parameters.** The tests load weights by name: `embedding.weight` `[V, C]`, those of `self.body`, no others. Draw
# the new matrix from a normal distribution with mean 0 and standard deviation 0.02.
#
# **Loss.** `labels[b, t]` is the token **at** position `t`, often the very `ids`; the logits of position `t` are
# about the token at `t + 1`. You do the shift, once: the last logits and the first label are never used.

# %% [markdown] lang="zh"
# ## 3. 一个矩阵，两头都用
#
# 嵌入层把编号变成 $E$ `[V, C]` 的一行；输出头拿隐藏状态 $h$ 与同样这些行做点积，得到分数：
#
# $$z = E h$$
#
# 这是同一个张量，不是副本，所以两头的梯度都会到它那里。中间是 `body`，任何一个从 `[B, T, C]` 到 `[B, T, C]` 的模块。
#
# **参数。** 测试按名字加载权重：`embedding.weight` `[V, C]`，加上 `self.body` 的参数，此外没有别的。新矩阵取自均值 0、标准差 0.02 的正态分布。
#
# **损失。** `labels[b, t]` 是位置 `t` **上**的词元，常常就是 `ids` 本身；位置 `t` 的 logits 说的是 `t + 1` 处的词元。移位由你来做，只移一次：最后一个位置的 logits 和第一个标签都用不到。


# %%
class TiedLanguageModel(nn.Module):
    """Embedding, body, and a head that shares the embedding's matrix.

    Args:
        vocab_size: V.
        d_model: C.
        body: module from [B, T, C] to [B, T, C].

    Source: Press and Wolf 2017, https://arxiv.org/abs/1608.05859.
    """

    def __init__(self, vocab_size: int, d_model: int, body: nn.Module) -> None:
        """Make the parameter named in the statement."""
        super().__init__()
        # BEGIN SOLUTION
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.body = body
        # END SOLUTION

    def forward(self, ids: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Logits of the next tokens and, with labels, their mean cross-entropy.

        Args:
            ids: [B, T] int64.
            labels: [B, T] int64, -100 where a token doesn't count.

        Returns: (logits [B, T, V], loss [] or None).
        """
        # BEGIN SOLUTION
        logits = self.body(self.embedding(ids)) @ self.embedding.weight.T
        if labels is None:
            return logits, None
        return logits, cross_entropy(logits[:, :-1], labels[:, 1:])
        # END SOLUTION


# %% [markdown]
# ## 4. The loss without all the logits
#
# The logits of a batch, `[N, V]`, are often the largest tensor of a training step. Compute the loss of
# question 2, without smoothing, from the hidden states, `chunk_size` positions at a time. `N` need not be a
# multiple of it, and chunks may have very different numbers of targets that count.
#
# The backward pass must not need them all either. A loop alone saves nothing: the graph keeps what each round
# computed. Either let a round forget its logits and compute them again (`torch.utils.checkpoint`), or write their
# gradient yourself (`torch.autograd.Function`). One test allows 24 MiB for loss and gradients, where the logits of
# all positions would take 29 MiB.

# %% [markdown] lang="zh"
# ## 4. 不生成全部 logits 的损失
#
# 一个批次的 logits `[N, V]` 往往是训练一步里最大的张量。从隐藏状态出发，每次只取 `chunk_size` 个位置，算出第 2 问的损失（不带平滑）。`N` 不必是它的倍数，各块里计入的目标数可以相差很大。
#
# 反向传播也不能用到全部 logits。只写一个循环省不了内存：计算图会留住每一轮算出的东西。要么让每一轮忘掉自己的 logits，反向时重新算（`torch.utils.checkpoint`）；要么自己写出它的梯度（`torch.autograd.Function`）。有一个测试给损失和梯度 24 MiB 内存，而所有位置的 logits 要占 29 MiB。


# %%
def chunked_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, chunk_size: int, ignore_index: int = IGNORE_INDEX
) -> Tensor:
    """Mean cross-entropy of the logits `hidden @ weight.T`, which never exist all at once.

    Args:
        hidden: [N, C].
        weight: [V, C].
        targets: [N] int64, not shifted: the target of hidden[n] is targets[n].
        chunk_size: how many positions have logits at the same time, 1 or more.
        ignore_index: the target that doesn't count.

    Returns: [].
    """
    # BEGIN SOLUTION
    counts = targets != ignore_index

    def chunk_loss(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(hidden @ weight.T, targets, ignore_index)

    total = hidden.new_zeros(())
    for start in range(0, len(targets), chunk_size):
        chunk = slice(start, start + chunk_size)
        mean = checkpoint(chunk_loss, hidden[chunk], weight, targets[chunk], use_reentrant=False)
        total = total + mean * counts[chunk].sum()
    return total / counts.sum().clamp(min=1)
    # END SOLUTION
