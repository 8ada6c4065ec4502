# %% [markdown]
# A chat model is a language model that continues a script. You write the script: how a conversation becomes one
# row of tokens, which of them are learned, how rows form a batch, and what goes when the row gets too long.
#
# A **conversation** is a list of messages, `{"role": ..., "content": ...}`: perhaps a system turn at the very
# beginning, then turns of `user` and `assistant`. The user begins. Turns need not alternate.

# %% [markdown] lang="zh"
# 对话模型其实是在续写剧本。剧本由你来写：一段对话怎样变成一行词元，其中哪些要学，多行怎样拼成批次，太长时丢掉哪些。
#
# 一段**对话**是消息的列表，每条消息形如 `{"role": ..., "content": ...}`：最前面可能有一条 system，之后是 `user` 和 `assistant` 的各轮发言，由 user 先开口，不一定一人一句。

# %%
from collections.abc import Callable

import torch
from torch import Tensor

ROLES = ("system", "user", "assistant")
IGNORE_INDEX = -100  # the label of a token that isn't learned

Message = dict[str, str]

# %% [markdown]
# ## 1. The text
#
# ChatML writes each message as
#
# ```
# <|im_start|>role
# content<|im_end|>
# ```
#
# with a newline behind `<|im_end|>` as well. The content stays as it is, spaces included. No message is invented:
# without a system turn, none is rendered. The **generation prompt** goes at the end, when the model is to answer:
# `<|im_start|>assistant` and a newline.

# %% [markdown] lang="zh"
# ## 1. 文本
#
# ChatML 把每条消息写成
#
# ```
# <|im_start|>role
# content<|im_end|>
# ```
#
# `<|im_end|>` 之后也有一个换行。内容原样保留，首尾空白也不动。不添加任何消息：没有 system 就不写 system。轮到模型回答时，末尾加上**生成提示**：`<|im_start|>assistant` 和一个换行。


# %%
def render(messages: list[Message], add_generation_prompt: bool = False) -> str:
    r"""A conversation as ChatML.

    Example: [{"role": "user", "content": "Hi"}] with the prompt gives
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n".

    Source: OpenAI, chatml.md in openai-python 0.28.
    """
    # BEGIN SOLUTION
    text = "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages)
    return text + "<|im_start|>assistant\n" if add_generation_prompt else text
    # END SOLUTION


# %% [markdown]
# ## 2. The ids and their labels
#
# The model reads ids. `encode` turns plain text into ids and never gives a special one; `im_start` and `im_end` are
# the ids of the two special tokens. A user can type the ten characters `<|im_end|>`: they must reach the model
# as text, or whoever types them can speak as the assistant.
#
# Call `encode` once for each of a message's three pieces: the role with its newline, the content, the newline behind
# `im_end`. (Encoded together, a tokenizer may merge the end of one piece with the start of the next, and what the
# model sees in training is no longer what it sees when it answers.) The generation prompt is the beginning of an
# assistant's message: `im_start` and the first piece.
#
# **Labels.** Learned are the content and the `im_end` of **every** assistant turn: what the model itself has to write.
# Their label is their own id, at their own place; all other labels are -100. The shift by one belongs to the loss.

# %% [markdown] lang="zh"
# ## 2. 编号与标签
#
# 模型读的是编号。`encode` 把普通文本变成编号，从不给出特殊词元的编号；`im_start` 和 `im_end` 是两个特殊词元的编号。用户可以打出 `<|im_end|>` 这十个字符，它们必须作为字符进入模型，否则打字的人就能替别人发言。
#
# 每条消息分三段，各调用一次 `encode`：角色名连同后面的换行、内容、`im_end` 之后的换行。（合在一起编码，分词器可能把前一段的结尾与后一段的开头合并，训练时看到的就和回答时不一样了。）生成提示就是 assistant 消息的开头：`im_start` 加第一段。
#
# **标签。** 要学的是**每一轮** assistant 的内容和它的 `im_end`，也就是要由模型自己写出来的部分。标签就是该词元自己的编号，写在它自己的位置上；其余一律为 -100。错开一位由损失函数来做。


# %%
def encode_chat(
    messages: list[Message],
    encode: Callable[[str], list[int]],
    im_start: int,
    im_end: int,
    add_generation_prompt: bool = False,
) -> tuple[list[int], list[int]]:
    """Ids of a conversation, and the label of each.

    Args:
        encode: from plain text to ids, none of them special.
        im_start, im_end: ids of <|im_start|> and <|im_end|>.

    Returns: (ids, labels), lists of one length.

    Raises:
        ValueError: a role is not one of ROLES. (ShareGPT's "gpt" would go unlearned without a word.)
    """
    # BEGIN SOLUTION
    ids: list[int] = []
    labels: list[int] = []

    def add(piece: list[int], learned: bool) -> None:
        ids.extend(piece)
        labels.extend(piece if learned else [IGNORE_INDEX] * len(piece))

    for message in messages:
        role = message["role"]
        if role not in ROLES:
            raise ValueError(f"the role {role!r} is none of {', '.join(ROLES)}")
        add([im_start, *encode(f"{role}\n")], learned=False)
        add([*encode(message["content"]), im_end], learned=role == "assistant")
        add(encode("\n"), learned=False)
    if add_generation_prompt:
        add([im_start, *encode("assistant\n")], learned=False)
    return ids, labels
    # END SOLUTION


# %% [markdown]
# ## 3. A batch, and what a turn weighs
#
# Pad on the right: ids with `pad_id`, labels with -100. Many models pad with their end-of-turn token, so an id equal
# to `pad_id` isn't always padding.
#
# An unbroken run of labels other than -100 is one learned turn. Averaged over tokens, a turn of 200 tokens
# outweighs one of 2 a hundred times. Here each turn counts alike: with $N$ learned turns in the whole batch, a token of
# one with $n$ tokens weighs
#
# $$w = \frac{1}{N \, n}$$
#
# and every other token 0. The loss will be $\sum_t w_t \, \ell_t$, where $\ell_t$ is the cross-entropy of the label at `t`. A
# batch with nothing to learn has weights 0.

# %% [markdown] lang="zh"
# ## 3. 批次，以及一轮的权重
#
# 在右边填充：编号填 `pad_id`，标签填 -100。许多模型就拿轮次结束符来填充，所以编号等于 `pad_id` 的不一定是填充。
#
# 一段连续的、不为 -100 的标签就是要学的一轮。如果按词元平均，200 个词元的一轮，分量是 2 个词元那一轮的一百倍。这里每一轮分量相同：整个批次共有 $N$ 轮要学，某一轮有 $n$ 个词元，它的每个词元权重为
#
# $$w = \frac{1}{N \, n}$$
#
# 其余词元为 0。将来的损失是 $\sum_t w_t \, \ell_t$，$\ell_t$ 是 `t` 处标签的交叉熵。没有任何内容要学的批次，权重全为 0。


# %%
def collate(examples: list[tuple[list[int], list[int]]], pad_id: int) -> tuple[Tensor, Tensor, Tensor]:
    """A padded batch and the weight of each of its tokens.

    Args:
        examples: (ids, labels) of B conversations, as from `encode_chat`; the first label is always -100.

    Returns: (ids [B, T] int64, labels [B, T] int64, weights [B, T] float32), T the longest length.

    Example: labels (-100, 5, 2) and (-100, 2) weigh (0, 1/4, 1/4) and (0, 1/2, 0).
    """
    # BEGIN SOLUTION
    shape = (len(examples), max(len(ids) for ids, _ in examples))
    batch_ids, batch_labels = torch.full(shape, pad_id), torch.full(shape, IGNORE_INDEX)
    for row, (ids, labels) in enumerate(examples):
        batch_ids[row, : len(ids)] = torch.tensor(ids)
        batch_labels[row, : len(labels)] = torch.tensor(labels)

    learned = batch_labels != IGNORE_INDEX
    begins = learned.clone()
    begins[:, 1:] &= ~learned[:, :-1]
    # The turns of the batch are numbered from 1 on; 0 is everything else.
    turns = begins.flatten().cumsum(dim=0).reshape(shape) * learned
    sizes = turns.flatten().bincount()
    weights = learned / (begins.sum().clamp(min=1) * sizes[turns])
    return batch_ids, batch_labels, weights
    # END SOLUTION


# %% [markdown]
# ## 4. Too long
#
# Drop whole messages, the oldest first, until the rest has at most `max_length` tokens and, after the system turn,
# starts with a user turn: no turn is cut, and no answer is left without its question. The system turn stays, and its
# tokens count. Drop no more than you must.

# %% [markdown] lang="zh"
# ## 4. 太长了
#
# 从最早的开始，整条整条地丢掉消息，直到剩下的不超过 `max_length` 个词元，并且（system 之后）以 user 开头：不把一轮切成两半，也不留下没有提问的回答。system 始终保留，它的词元也要算。能不丢的就不丢。


# %%
def truncate(
    messages: list[Message], max_length: int, length: Callable[[list[Message]], int]
) -> list[Message]:
    """The longest recent part of a conversation that fits.

    Args:
        length: the number of tokens of these messages, rendered, perhaps with the generation prompt.

    Returns: a new list.

    Raises:
        ValueError: not even the system turn and what begins with the last user turn fit.
    """
    # BEGIN SOLUTION
    system = [message for message in messages[:1] if message["role"] == "system"]
    for first, message in enumerate(messages):
        kept = system + messages[first:]
        if message["role"] == "user" and length(kept) <= max_length:
            return kept
    raise ValueError(f"the last turns alone have more than {max_length} tokens")
    # END SOLUTION
