import torch
from torch import Tensor


def pad_batch(
    sequences: list[list[int]],
    pad_id: int,
    padding_side: str = "right",
    max_length: int | None = None,
    truncation_side: str = "right",
) -> tuple[Tensor, Tensor, Tensor]:
    for side in (padding_side, truncation_side):
        if side not in ("left", "right"):
            raise ValueError(f"a side must be 'left' or 'right', not {side!r}")
    rows = []
    for seq in sequences:
        seq = list(seq)
        if max_length is not None and len(seq) > max_length:
            seq = seq[:max_length] if truncation_side == "right" else seq[-max_length:]
        rows.append(seq)
    B, T = len(rows), max(len(r) for r in rows)
    ids = torch.full((B, T), pad_id, dtype=torch.int64)
    mask = torch.zeros((B, T), dtype=torch.int64)
    position_ids = torch.zeros((B, T), dtype=torch.int64)
    for b, row in enumerate(rows):
        n = len(row)
        start = 0 if padding_side == "right" else T - n
        ids[b, start : start + n] = torch.tensor(row, dtype=torch.int64)
        mask[b, start : start + n] = 1
        position_ids[b, start : start + n] = torch.arange(n)
    return ids, mask, position_ids


def length_buckets(lengths: list[int], batch_size: int) -> list[list[int]]:
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
