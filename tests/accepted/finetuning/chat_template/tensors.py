"""A list of (id, label) pairs; padding by pad_sequence; weights from differences along the row; the last user turn first."""

import torch
from torch.nn.utils.rnn import pad_sequence

KNOWN = ("user", "system", "assistant")


def render(messages, add_generation_prompt=False):
    text = ""
    for each in messages:
        text += "<|im_start|>" + each["role"] + "\n" + each["content"] + "<|im_end|>" + "\n"
    if add_generation_prompt:
        text += "<|im_start|>assistant\n"
    return text


def encode_chat(messages, encode, im_start, im_end, add_generation_prompt=False):
    if any(each["role"] not in KNOWN for each in messages):
        raise ValueError("unknown role")
    pairs = []
    for each in messages:
        pairs += [(token, -100) for token in (im_start, *encode(each["role"] + "\n"))]
        answer = each["role"] == "assistant"
        pairs += [(token, token if answer else -100) for token in (*encode(each["content"]), im_end)]
        pairs += [(token, -100) for token in encode("\n")]
    if add_generation_prompt:
        pairs += [(token, -100) for token in (im_start, *encode("assistant\n"))]
    return [token for token, _ in pairs], [label for _, label in pairs]


def collate(examples, pad_id):
    ids = pad_sequence([torch.tensor(row) for row, _ in examples], batch_first=True, padding_value=pad_id)
    labels = pad_sequence([torch.tensor(row) for _, row in examples], batch_first=True, padding_value=-100)
    learned = (labels >= 0).int()
    edges = torch.nn.functional.pad(learned, (1, 1)).diff(dim=1)
    starts, ends = (edges == 1).nonzero(), (edges == -1).nonzero()
    weights = torch.zeros(ids.shape)
    for (row, start), (_, end) in zip(starts.tolist(), ends.tolist(), strict=True):
        weights[row, start:end] = 1 / len(starts) / (end - start)
    return ids, labels, weights


def truncate(messages, max_length, length):
    system = messages[:1] if messages[0]["role"] == "system" else []
    best, ending = None, []
    for each in reversed(messages[len(system) :]):
        ending = [each, *ending]
        if each["role"] == "user":
            if length([*system, *ending]) > max_length:
                break
            best = [*system, *ending]
    if best is None:
        raise ValueError("nothing fits")
    return best
