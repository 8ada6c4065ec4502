import torch
from torch import Tensor


def pad_batch(
    sequences: list[list[int]],
    pad_id: int,
    padding_side: str = "right",
    max_length: int | None = None,
    truncation_side: str = "right",
) -> tuple[Tensor, Tensor, Tensor]:
    if not {padding_side, truncation_side} <= {"left", "right"}:
        raise ValueError(f"a side is 'left' or 'right', not {padding_side!r}, {truncation_side!r}")
    if max_length is not None:
        kept = slice(max_length) if truncation_side == "right" else slice(-max_length, None)
        sequences = [sequence[kept] for sequence in sequences]
    width = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), width), pad_id)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        start = 0 if padding_side == "right" else width - len(sequence)
        place = slice(start, start + len(sequence))
        ids[row, place] = torch.tensor(sequence, dtype=torch.int64)
        mask[row, place] = 1
    mask = (ids != pad_id).long()
    position_ids = (mask.cumsum(dim=-1) - 1) * mask
    return ids, mask, position_ids


def length_buckets(lengths: list[int], batch_size: int) -> list[list[int]]:
    by_length = sorted(range(len(lengths)), key=lambda index: lengths[index])
    return [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
    # END SOLUTION
