# %% [markdown]
# A retriever indexes passages of a few hundred tokens. A *chunker* cuts a text into them. You write those that
# need no model: windows of characters, tokens and sentences, and the recursive splitter.
#
# * **Chunk.** A tuple `(start, end, chunk_text)` with `chunk_text == text[start:end]`, so that an answer can
#   cite its place. Offsets and sizes count **code points**, as `len` does, never bytes. Nothing is stripped.
# * **Order.** Each chunk ends later than the one before: one that lies wholly inside it is left out. An empty
#   text has no chunks.
# * **Size and overlap.** No chunk is over `size`; neighbours share at most `overlap`, and lose nothing between
#   them. `ValueError` if `size < 1`, `overlap < 0` or `overlap >= size`.

# %% [markdown] lang="zh"
# 检索器索引的是几百个词元的段落。**分块器**（chunker）负责把文本切成这样的段落。本题要写的是不依赖模型的几种：按字符、按词元、按句子的滑动窗口，以及递归切分。
#
# * **块。** 三元组 `(start, end, chunk_text)`，且 `chunk_text == text[start:end]`，回答问题时才好注明出处。偏移和长度一律按**码位**计，也就是 `len` 数的单位，而不是字节。不做任何去空白处理。
# * **顺序。** 每一块都比前一块结束得更晚：完全落在前一块里面的块不输出。空文本没有块。
# * **大小与重叠。** 任何块都不超过 `size`；相邻块至多共享 `overlap`，中间不丢任何内容。`size < 1`、`overlap < 0` 或 `overlap >= size` 时抛出 `ValueError`。


# %%
import re
from collections.abc import Callable, Sequence

Span = tuple[int, int]  # [start, end)
Chunk = tuple[int, int, str]  # start, end, text[start:end]

ALWAYS_ENDS = "。！？…"
MAY_END = ".!?"
CLOSERS = "”’」』）》〉】\"')]}"
SEPARATORS = ("\n\n", "\n", "。", "！", "？", "；", ". ", "，", " ")


# %% [markdown]
# ## 1. Character windows
# Windows of `size` characters, each beginning `size - overlap` after the one before. The first window that
# reaches the end of the text is the last.

# %% [markdown] lang="zh"
# ## 1. 字符窗口
# 每个窗口 `size` 个字符，起点比前一个窗口靠后 `size - overlap`。第一个够到文末的窗口就是最后一个。


# %%
def character_chunks(text: str, size: int, overlap: int = 0) -> list[Chunk]:
    """Cut a text into windows of characters.

    Args:
        size: of a chunk, in characters; the last may be shorter.
        overlap: what a chunk shares with the one before.
    Source: Lewis et al. 2020, https://arxiv.org/abs/2005.11401, section 3 (passages of 100 words).
    """
    # BEGIN SOLUTION
    if size < 1 or not 0 <= overlap < size:
        raise ValueError(f"size must be at least 1 and overlap in [0, size), got {size} and {overlap}")
    chunks: list[Chunk] = []
    start = 0
    while start < len(text):
        end = min(start + size, len(text))
        chunks.append((start, end, text[start:end]))
        if end == len(text):
            break
        start += size - overlap
    return chunks
    # END SOLUTION


# %% [markdown]
# ## 2. Token windows
# A model's limit is in tokens. `tokenize`, called **once** on the whole text, gives the span `(start, end)` of
# each token; starts never decrease. There may be **gaps** between spans (dropped spaces), and several tokens
# may have the **same** or an empty span (the bytes of one rare character).
#
# So that nothing is lost, token `k` *owns* the text from its start up to the start of token `k + 1`. The
# first token also owns what lies before it, the last what lies after it. Windows are those of question 1, of
# tokens; a chunk is all that a window's tokens own. Skip a window whose text is empty or ends no later than
# the chunk before. No tokens, no chunks.

# %% [markdown] lang="zh"
# ## 2. 词元窗口
# 模型的上限以词元计，所以要数词元。`tokenize` 对整段文本**只调用一次**，返回每个词元在文本中的区间 `(start, end)`，起点不会后退。区间之间可能有**空隙**（很多分词器会丢掉空格），几个词元的区间也可能**相同**或为空（一个生僻字的几个字节）。
#
# 为了不丢任何内容，规定第 `k` 个词元**拥有**从自己的起点到第 `k + 1` 个词元起点之间的文本；第一个还拥有它前面的全部文本，最后一个还拥有它后面的全部文本。窗口的取法同第 1 题，只是以词元计；窗口内各词元拥有的文本合起来就是一块。若窗口的文本为空，或者并不比前一块结束得更晚，就不输出。没有词元就没有块。


# %%
def token_chunks(
    text: str, tokenize: Callable[[str], Sequence[Span]], size: int, overlap: int = 0
) -> list[Chunk]:
    """Cut a text into windows of tokens.

    Args:
        tokenize: text -> the span of each token.
        size, overlap: of a window, in tokens.
    """
    # BEGIN SOLUTION
    if size < 1 or not 0 <= overlap < size:
        raise ValueError(f"size must be at least 1 and overlap in [0, size), got {size} and {overlap}")
    borders = [start for start, _ in tokenize(text)]
    if not borders:
        return []
    borders[0] = 0
    borders.append(len(text))  # token k owns the text from borders[k] to borders[k + 1]
    number = len(borders) - 1
    chunks: list[Chunk] = []
    for first in range(0, number, size - overlap):
        start, end = borders[first], borders[min(first + size, number)]
        if end > (chunks[-1][1] if chunks else 0):
            chunks.append((start, end, text[start:end]))
        if first + size >= number:
            break
    return chunks
    # END SOLUTION


# %% [markdown]
# ## 3. Sentences
# A sentence ends after a **tail**: a character of `ALWAYS_ENDS` or `MAY_END`, with all characters of these two
# and of `CLOSERS` that follow it without a break. So `？！`, `……` and `。”` are one tail each.
#
# * A tail that holds a character of `ALWAYS_ENDS` ends the sentence wherever it stands.
# * Any other ends it only before whitespace (`str.isspace`) or at the end of the text: `3.14` stays whole.
#
# Whitespace after the tail belongs to the sentence it ends. What is left at the end is a sentence, too.

# %% [markdown] lang="zh"
# ## 3. 句子
# 句子在一个**句尾**之后结束。句尾是一个属于 `ALWAYS_ENDS` 或 `MAY_END` 的字符，连同紧跟在后面、连续不断的所有属于 `ALWAYS_ENDS`、`MAY_END`、`CLOSERS` 的字符。所以 `？！`、`……`、`。”` 各是一个句尾。
#
# * 句尾里只要有 `ALWAYS_ENDS` 中的字符，无论在哪里都结束句子。
# * 否则，只有后面是空白（`str.isspace`）或者文本结束，才算句子结束：`3.14` 不会被切开。
#
# 句尾之后的空白归前面这一句。最后一个句尾之后若还有剩余，也自成一句。


# %%
def sentence_spans(text: str) -> list[Span]:
    """The sentences of a text, Chinese and English mixed.

    Returns: spans without gaps, from 0 to `len(text)`; none for an empty text.
    """
    # BEGIN SOLUTION
    ends = re.escape(ALWAYS_ENDS + MAY_END)
    tail = re.compile(f"[{ends}][{ends}{re.escape(CLOSERS)}]*")
    spans: list[Span] = []
    start = 0
    for match in tail.finditer(text):
        end = match.end()
        certain = any(character in ALWAYS_ENDS for character in match.group())
        if certain or end == len(text) or text[end].isspace():
            while end < len(text) and text[end].isspace():
                end += 1
            spans.append((start, end))
            start = end
    if start < len(text):
        spans.append((start, len(text)))
    return spans
    # END SOLUTION


# %% [markdown]
# ## 4. Pack pieces into chunks
# Fill chunks with whole pieces of a text, say sentences, that follow one another without gaps:
#
# * Take pieces while they fit in `size`. When the next one doesn't, emit the chunk. Then drop pieces from its
#   **front** until the rest is at most `overlap` long **and** leaves room for the next piece; the new chunk
#   begins with that rest.
# * A piece longer than `size` is cut by `character_chunks(…, size, overlap)`, with offsets into `text`. The
#   chunk being filled is emitted before it, and a new one begins empty after it.

# %% [markdown] lang="zh"
# ## 4. 把片段装进块
# 给定一段文本里首尾相接、没有空隙的片段（比如句子），用完整的片段把块装满：
#
# * 只要装得下（不超过 `size`）就继续装。下一个片段装不下时，输出当前块；然后从它的**前面**逐个去掉片段，直到剩余部分不超过 `overlap`，**并且**放得下下一个片段；新的块就从这个剩余部分开始。
# * 比 `size` 还长的片段，用 `character_chunks(…, size, overlap)` 切开，偏移仍以 `text` 为准。它从不与别的片段混装：先把正在装的块输出，它之后的新块从空开始。


# %%
def pack_spans(text: str, spans: Sequence[Span], size: int, overlap: int = 0) -> list[Chunk]:
    """Fill chunks with whole pieces of a text.

    Args:
        spans: the pieces, each beginning where the one before ends; the first may begin anywhere.
        size, overlap: of a chunk, at most, in characters.
    Source: the merging rule of LangChain's text splitters.
    """
    # BEGIN SOLUTION
    if size < 1 or not 0 <= overlap < size:
        raise ValueError(f"size must be at least 1 and overlap in [0, size), got {size} and {overlap}")
    chunks: list[Chunk] = []
    filling: list[Span] = []

    def emit() -> None:
        if filling:
            start, end = filling[0][0], filling[-1][1]
            chunks.append((start, end, text[start:end]))

    for start, end in spans:
        if end - start > size:
            emit()
            filling.clear()
            for first, last, part in character_chunks(text[start:end], size, overlap):
                chunks.append((start + first, start + last, part))
            continue
        if filling and end - filling[0][0] > size:
            emit()
            while filling and (start - filling[0][0] > overlap or end - filling[0][0] > size):
                filling.pop(0)
        filling.append((start, end))
    emit()
    return chunks
    # END SOLUTION


def sentence_chunks(text: str, size: int, overlap: int = 0) -> list[Chunk]:
    """Windows of whole sentences: questions 3 and 4 put together."""
    return pack_spans(text, sentence_spans(text), size, overlap)


# %% [markdown]
# ## 5. Recursive separators
# A text falls apart at paragraphs first, else at lines, else at sentences, else at words:
#
# * The first of `separators` that occurs in the text is used: cut after **each** occurrence, found from left
#   to right without overlapping. It stays at the end of its piece.
# * Neighbouring pieces of at most `size` are packed as in question 4, each such run by itself.
# * A piece longer than `size` ends the run. It is cut in the same way by the separators **after** the one
#   used, and nothing overlaps across its two borders.
# * Where no separator is left, or none occurs, the text is cut by `character_chunks`.

# %% [markdown] lang="zh"
# ## 5. 递归切分
# 一段文本先按段落断开，不行就按行，再不行按句子，最后按词：
#
# * 使用 `separators` 里第一个在文本中出现的分隔符：从左到右找、互不重叠，在**每一处**之后切开，分隔符留在前一片段的末尾。
# * 长度不超过 `size` 的相邻片段，按第 4 题的规则装块；每一串相邻片段各装各的。
# * 超过 `size` 的片段使这一串到此为止。它再用所选分隔符**之后**的那些分隔符照同样的办法切，得到的块放在它原来的位置，前后两个边界处没有重叠。
# * 分隔符用完了，或者一个也没出现，就用 `character_chunks` 切。


# %%
def recursive_chunks(
    text: str, size: int, overlap: int = 0, separators: Sequence[str] = SEPARATORS
) -> list[Chunk]:
    """Cut a text at the coarsest separators that make its pieces fit.

    Args:
        size, overlap: as in `pack_spans`.
        separators: the coarsest first.
    Source: LangChain's RecursiveCharacterTextSplitter with keep_separator="end", nothing stripped.
    """
    # BEGIN SOLUTION
    used = next((place for place, separator in enumerate(separators) if separator in text), None)
    if used is None:
        return character_chunks(text, size, overlap)
    spans: list[Span] = []
    start = 0
    while start < len(text):
        found = text.find(separators[used], start)
        end = len(text) if found < 0 else found + len(separators[used])
        spans.append((start, end))
        start = end
    chunks: list[Chunk] = []
    run: list[Span] = []
    for start, end in spans:
        if end - start <= size:
            run.append((start, end))
            continue
        chunks += pack_spans(text, run, size, overlap)
        run = []
        for first, last, part in recursive_chunks(text[start:end], size, overlap, separators[used + 1 :]):
            chunks.append((start + first, start + last, part))
    return chunks + pack_spans(text, run, size, overlap)
    # END SOLUTION
