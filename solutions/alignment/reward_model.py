# %% [markdown]
# A **reward model** gives a response a number: the better people like it, the larger. It is a language model
# whose output layer was replaced by one with a single output, and it learns from comparisons. You read its
# reward from a padded batch, and write the losses for pairs and for whole rankings.
#
# `B` is the number of sequences or pairs, `T` of tokens, `C` the model's width. Losses are tensors without axes.

# %% [markdown] lang="zh"
# **奖励模型**给一条回答打一个分数：人越喜欢，分数越高。它就是一个语言模型，只是把输出层换成了只有一个输出的线性层，训练数据是人做的比较。本题从填充过的批次里读出奖励，再写成对比较和整组排序的损失。
#
# `B` 是序列数或偏好对数，`T` 是词元数，`C` 是模型宽度。损失是没有轴的标量张量。

# %%
import torch
import torch.nn.functional as F
from torch import Tensor

# %% [markdown]
# ## 1. The reward of a sequence
#
# A causal model has read the whole response only at its last token. The reward is the dot product of `head`
# with the hidden state at **the last position whose mask is 1**.
#
# Rows may be padded on the left, on the right, or on both sides. Many models pad with their end token, so real
# tokens, the last one too, may have the id `pad_id`.

# %% [markdown] lang="zh"
# ## 1. 一条序列的奖励
#
# 因果模型要到最后一个词元才读完整条回答。奖励是 `head` 与**掩码为 1 的最后一个位置**上的隐藏状态的点积。
#
# 每行可能在左边、右边或两边填充。许多模型拿结束符当填充，所以真的词元（包括最后一个）的编号也可能等于 `pad_id`。


# %%
def sequence_rewards(
    hidden: Tensor, head: Tensor, ids: Tensor, attention_mask: Tensor, pad_id: int
) -> Tensor:
    """Reward of each sequence, read at its last real token.

    Args:
        hidden: [B, T, C] the model's last hidden states.
        head: [C] the weights of the output.
        ids: [B, T] int64, prompt and response.
        attention_mask: [B, T] int64, 1 for a real token, 0 for padding.
        pad_id: the id of padding.

    Returns: [B].

    Raises:
        ValueError: a row has no real token.

    Example: mask [1, 1, 0]: the reward is read at position 1; mask [0, 1, 1]: at position 2.

    Source: Stiennon et al. 2020, https://arxiv.org/abs/2009.01325, section 3.4.
    """
    # BEGIN SOLUTION
    if not attention_mask.any(dim=-1).all():
        raise ValueError("a row has no real token to read a reward at")
    batch_size, length = attention_mask.shape
    positions = torch.arange(length, device=attention_mask.device)
    # The largest position that counts, wherever the padding is.
    last = (positions * attention_mask).amax(dim=-1)
    rows = torch.arange(batch_size, device=attention_mask.device)
    last_hidden = hidden[rows, last]  # [B, C]
    return last_hidden @ head
    # END SOLUTION


# %% [markdown]
# ## 2. Loss and accuracy of pairs
#
# Bradley and Terry: the chosen response wins with probability $\sigma(r_w - r_l)$. The loss of a pair is
#
# $$\ell = -\log \sigma(r_w - r_l)$$
#
# averaged over the pairs, without a margin or a centring term. The accuracy is the share of pairs whose chosen
# reward is larger; a tie is wrong. Margins may be as large as ±10,000: the loss and its gradient stay finite
# and right.

# %% [markdown] lang="zh"
# ## 2. 成对比较的损失与准确率
#
# Bradley-Terry 模型：被选中的回答以概率 $\sigma(r_w - r_l)$ 胜出。一对的损失是
#
# $$\ell = -\log \sigma(r_w - r_l)$$
#
# 再对所有偏好对取平均，不加额外的间隔项，也不加居中项。准确率是被选中者奖励更大的偏好对所占的比例，打平算错。间隔可能大到 ±10000，损失和梯度都要有限且正确。


# %%
def pairwise_loss(chosen: Tensor, rejected: Tensor) -> tuple[Tensor, Tensor]:
    """Mean Bradley-Terry loss, and the share of pairs ranked right.

    Args:
        chosen, rejected: [B] rewards of the two responses of each pair.

    Returns: (loss, accuracy), each [] in the dtype of the rewards.

    Example: rewards (1, 2) against (1, 0): margins 0 and 2, loss (0.6931 + 0.1269) / 2, accuracy 0.5.

    Source: Stiennon et al. 2020, section 3.4.
    """
    # BEGIN SOLUTION
    margins = chosen - rejected
    loss = -F.logsigmoid(margins).mean()
    right = margins > 0
    accuracy = right.to(margins.dtype).mean()
    return loss, accuracy
    # END SOLUTION


# %% [markdown]
# ## 3. Loss of rankings
#
# Ranking $K$ answers to one prompt makes $K(K-1)/2$ pairs at once. The answers to a prompt stand together in
# `rewards`, **best first**. The loss of a prompt is the mean over its pairs,
#
# $$\ell_p = -\frac{2}{K_p (K_p - 1)} \sum_{i < j} \log \sigma(r_i - r_j)$$
#
# and the result is the mean over the prompts: each counts once, however many answers it has. Answers to
# different prompts are never compared.

# %% [markdown] lang="zh"
# ## 3. 排序的损失
#
# 给同一个提示词的 $K$ 条回答排个序，一下子就得到 $K(K-1)/2$ 个偏好对。`rewards` 中同一提示词的回答排在一起，**最好的在前**。一个提示词的损失是它所有偏好对的平均：
#
# $$\ell_p = -\frac{2}{K_p (K_p - 1)} \sum_{i < j} \log \sigma(r_i - r_j)$$
#
# 最后对提示词取平均：不管有几条回答，每个提示词只算一次。不同提示词的回答从不互相比较。


# %%
def ranking_loss(rewards: Tensor, counts: list[int]) -> Tensor:
    """Mean loss of the rankings of several prompts.

    Args:
        rewards: [N] rewards of all answers, prompt after prompt, each prompt's best answer first.
        counts: K of each prompt, at least 2; they sum to N.

    Returns: [].

    Example: rewards (2, 0, 5, 5), counts [2, 2]: margins 2 and 0, loss (0.1269 + 0.6931) / 2.

    Source: Ouyang et al. 2022, https://arxiv.org/abs/2203.02155, equation 1.
    """
    # BEGIN SOLUTION
    prompt_losses = []
    for ranked in rewards.split(counts):
        count = len(ranked)
        better, worse = torch.triu_indices(count, count, offset=1)  # all i < j
        margins = ranked[better] - ranked[worse]
        prompt_losses.append(-F.logsigmoid(margins).mean())
    return torch.stack(prompt_losses).mean()
    # END SOLUTION
