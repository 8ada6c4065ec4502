"""Make the model that capstone/preferences begins with: a GPT that continues tunes of ten notes.

Run it from the course's folder. On one machine it writes the same bytes each time.
"""

import torch
from torch import Tensor

from autograder.testing import load_reference, markov_source, save_weights

SIZES = {"vocab_size": 10, "block_size": 5, "num_layers": 1, "num_heads": 2, "d_model": 24}
STEPS, ROWS = 400, 64


def make_weights() -> dict[str, Tensor]:
    """Weights by name, after training on a stream whose next note depends on the last two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        gpt = load_reference("models/gpt")
        optimization = load_reference("pretraining/optimizer_and_schedule")
        model = gpt.GPT(gpt.GPTConfig(**SIZES))
        stream = markov_source(2, 7, vocab_size=SIZES["vocab_size"], concentration=0.5).sample(40_000, seed=1)
        windows = stream.unfold(0, SIZES["block_size"], 1)
        optimizer = optimization.AdamW(optimization.decay_groups(model, 0.1), lr=1e-2)
        schedule = optimization.Schedule(20, STEPS, 0.05)
        for step in range(STEPS):
            optimizer.zero_grad()
            model.loss(windows[torch.randint(len(windows), (ROWS,))]).backward()
            optimizer.step(schedule.cosine(step))
    torch.set_num_threads(threads)
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


if __name__ == "__main__":
    save_weights("capstone/preferences", make_weights())
