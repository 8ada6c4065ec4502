"""Train the base model that `capstone/chat` goes on from: `exercises/capstone/chat.weights.npz`.

It has read songs of twelve words: a line over and over, then another one. So it can find what it has just read and say it
again. Of roles, questions and ends of turns it has read nothing: their tokens are new, and each starts near the mean of
the words, as is usual where tokens are added to a trained model.
"""

import torch
from torch import Tensor

from autograder.testing import load_reference, save_weights

NUM_WORDS, NEWLINE = 12, 13  # ids 0 to 11 and 13
NEW = [12, 14, 15, 16, 17, 18]  # the other tokens, which never occur in a song
SIZES = {"vocab_size": 19, "block_size": 40, "num_layers": 2, "num_heads": 2, "d_model": 24}
SEED = 0
NUM_STEPS, BATCH_SIZE, PEAK_RATE = 1000, 24, 1e-2


def song(generator: torch.Generator) -> list[int]:
    """As many tokens as the model reads: one line, until a random place, then another."""
    length = SIZES["block_size"]
    ids: list[int] = []
    for end in (int(torch.randint(8, length - 7, (), generator=generator)), length):
        num_words = int(torch.randint(1, 5, (), generator=generator))
        line = [*torch.randint(NUM_WORDS, (num_words,), generator=generator).tolist(), NEWLINE]
        ids = (ids + line * length)[:end]
    return ids


def make_weights() -> dict[str, Tensor]:
    """The weights of the base model: name -> tensor, rounded to bfloat16, which halves the file."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    gpt, optimization = load_reference("models/gpt"), load_reference("pretraining/optimizer_and_schedule")
    # In float64: another machine rounds otherwise, and in float32 training makes another model of that.
    torch.set_default_dtype(torch.float64)
    model = gpt.GPT(gpt.GPTConfig(**SIZES))
    torch.set_default_dtype(torch.float32)
    optimizer = optimization.AdamW(optimization.decay_groups(model, 0.1), lr=PEAK_RATE)
    schedule = optimization.Schedule(NUM_STEPS // 10, NUM_STEPS, 0.05)
    for step in range(NUM_STEPS):
        loss = model.loss(torch.tensor([song(generator) for _ in range(BATCH_SIZE)]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(schedule.cosine(step))
    torch.set_num_threads(threads)
    weights = {name: weight.bfloat16().float() for name, weight in model.state_dict().items()}
    table = weights["token_embedding.weight"]
    noise = 0.02 * torch.randn(len(NEW), table.shape[1], generator=generator)
    table[NEW] = (table[:NUM_WORDS].mean(dim=0) + noise).bfloat16().float()
    return weights


if __name__ == "__main__":
    save_weights("capstone/chat", make_weights())
