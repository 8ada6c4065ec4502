"""The distribution that the explorable `sampler` draws from: what the course's own model says after its own sentence.

Run in the repository, `python tests/platforms/next_token.py` prints the explorable's file `next_token.js`.
"""

from __future__ import annotations

import json
from typing import Any

import torch

from autograder.testing import load_reference, running_examples

PROMPTS = {"en": "The cat sat on the", "zh": "猫坐在"}
HEAD = """\
/* What the course's small GPT says after "The cat sat on the" and "猫坐在". Written by tests/platforms/next_token.py, which
   trains it. */
"""
STEPS, BATCH, LENGTH = 450, 16, 24


def next_token(lang: str) -> dict[str, Any]:
    """Train the reference GPT on the twenty documents, not to the end, and ask it for the next token.

    A token is a word in English, a character in Chinese: bytes would be hard to read.

    Returns: "tokens", in the order of their ids; "logits", one for each.
    """
    split: Any = load_reference("tokenizers/byte_pair_encoding").split_words if lang == "en" else list
    gpt: Any = load_reference("models/gpt")
    examples = running_examples()
    text = "\n\n".join(getattr(document.text, lang) for document in examples.documents)
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(split(text)))}
    ids = torch.tensor([vocabulary[token] for token in split(text)])
    sizes = examples.model.trained
    draws = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = gpt.GPTConfig(len(vocabulary), LENGTH, sizes.num_layers, sizes.num_heads, sizes.d_model)
        model = gpt.GPT(config).double()  # another machine's rounding then stays below what is written down
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(STEPS):
        starts = torch.randint(len(ids) - LENGTH, (BATCH,), generator=draws).tolist()
        optimizer.zero_grad()
        model.loss(torch.stack([ids[start : start + LENGTH] for start in starts])).backward()
        optimizer.step()
    with torch.no_grad():
        logits = model(torch.tensor([[vocabulary[token] for token in split(PROMPTS[lang])]]))[0, -1]
    return {"tokens": list(vocabulary), "logits": [round(logit, 2) for logit in logits.tolist()]}


def module() -> str:
    """The JavaScript module that holds it, in both languages."""
    lines = [
        f"  {lang}: {json.dumps(next_token(lang), ensure_ascii=False, separators=(',', ':'))},"
        for lang in PROMPTS
    ]
    return "\n".join([HEAD, "export const NEXT_TOKEN = {", *lines, "};"])


if __name__ == "__main__":
    print(module())
