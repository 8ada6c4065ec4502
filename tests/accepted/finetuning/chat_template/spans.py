"""Ids first, labels from the spans of the answers; weights row by row with itertools; truncation by dropping."""

from itertools import groupby

import torch


def header(role):
    return f"<|im_start|>{role}\n"


def render(messages, add_generation_prompt=False):
    parts = []
    for each in messages:
        parts += [header(each["role"]), each["content"], "<|im_end|>\n"]
    if add_generation_prompt:
        parts.append(header("assistant"))
    return "".join(parts)


def encode_chat(messages, encode, im_start, im_end, add_generation_prompt=False):
    ids, spans = [], []
    for each in messages:
        if each["role"] not in {"system", "user", "assistant"}:
            raise ValueError(each["role"])
        ids += [im_start, *encode(each["role"] + "\n")]
        begin = len(ids)
        ids += [*encode(each["content"]), im_end]
        if each["role"] == "assistant":
            spans.append(slice(begin, len(ids)))
        ids += encode("\n")
    if add_generation_prompt:
        ids += [im_start, *encode("assistant\n")]
    labels = [-100] * len(ids)
    for span in spans:
        labels[span] = ids[span]
    return ids, labels


def turn_lengths(labels):
    return [len(list(run)) for learned, run in groupby(label != -100 for label in labels) if learned]


def collate(examples, pad_id):
    width = max(len(ids) for ids, _ in examples)
    count = sum(len(turn_lengths(labels)) for _, labels in examples)
    all_ids, all_labels, all_weights = [], [], []
    for ids, labels in examples:
        room = width - len(ids)
        weights = []
        for learned, run in groupby(label != -100 for label in labels):
            size = len(list(run))
            weights += [1 / (count * size) if learned else 0.0] * size
        all_ids.append(ids + [pad_id] * room)
        all_labels.append(labels + [-100] * room)
        all_weights.append(weights + [0.0] * room)
    return torch.tensor(all_ids), torch.tensor(all_labels), torch.tensor(all_weights)


def truncate(messages, max_length, length):
    kept = list(messages)
    oldest = 1 if kept and kept[0]["role"] == "system" else 0
    while length(kept) > max_length:
        del kept[oldest]
        while len(kept) > oldest and kept[oldest]["role"] != "user":
            del kept[oldest]
        if len(kept) == oldest:
            raise ValueError("nothing fits")
    return kept
