"""What decoding/sampling defines, as it is given to capstones."""

import math

import torch
from torch import Tensor


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
    seen = torch.zeros_like(logits, dtype=torch.bool).scatter(1, ids, True)
    penalised = torch.where(logits > 0, logits / penalty, logits * penalty)
    return torch.where(seen, penalised, logits)


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
    if temperature < 0:
        raise ValueError(f"temperature must not be negative, got {temperature}")
    logits = apply_repetition_penalty(logits, ids, repetition_penalty)
    if temperature == 0:
        largest = logits.argmax(dim=-1, keepdim=True)  # the first of equals
        return torch.zeros_like(logits).scatter(1, largest, 1.0)
    return filter_logits(logits / temperature, top_k, top_p, min_p).softmax(dim=-1)


def sample(probabilities: Tensor, draws: Tensor) -> Tensor:
    """One token for each row, by inverse CDF.

    Args:
        probabilities: [B, V].
        draws: [B], uniform in [0, 1), of the same dtype.

    Returns: [B] int64, token ids.

    Example: probabilities (0, 0.25, 0.5, 0.25): draws 0, 0.25, 0.8 give the tokens 1, 2, 3.
    """
    cumulative = probabilities.cumsum(dim=-1)
    # Divided by its end, the line reaches exactly 1, which no draw does.
    cumulative = cumulative / cumulative[:, -1:]
    return (cumulative <= draws[:, None]).sum(dim=-1)
