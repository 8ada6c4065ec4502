"""Hidden tests of decoding/greedy_and_beam."""

from itertools import pairwise, product

import pytest
import torch

from autograder.testing import PROMISES, assert_close, check_promise, next_token_model

NEVER = -60.0  # the bonus of an eos that doesn't come


def texts(found):
    """What a beam search found, in plain lists: [(tokens, score)]."""
    return [(list(tokens), float(score)) for tokens, score in found]


def check_search(student, reference, model, prompt, eos, num_beams, steps, *penalty):
    """The reference finds the same texts with the same scores, and these are no ties."""
    expected = reference.beam_search(model, prompt, eos, num_beams, steps, *penalty)
    scores = [score for _, score in expected]
    assert all(first - second > 1e-4 for first, second in pairwise(scores))
    actual = student.beam_search(model, prompt, eos, num_beams, steps, *penalty)
    assert_close(texts(actual), expected, rtol=1e-4, atol=1e-5)
    return expected


def follow(model, prompt, eos, steps):
    """The best token at every step, without the reference."""
    tokens = []
    for _ in range(steps):
        tokens.append(int(model.after(prompt + tokens).argmax()))
        if tokens[-1] == eos:
            break
    return tokens


@pytest.mark.points(1)
@pytest.mark.parametrize("prompt", [[1, 3, 0], [3, 4], [2, 0, 4, 1]])
def test_greedy(student, unchanged, prompt):
    """The best token after the whole prefix is taken, up to the first new eos and that included; one in the prompt ends nothing.

    zh: 每一步取整个前缀之后最好的词元，到新生成的第一个 eos 为止（含它）；提示词里的 eos 不结束任何东西。
    """
    lengths = set()
    for seed in range(6):
        model = next_token_model(vocab=7, seed=seed, eos=3, eos_bonus=0.8)
        expected = follow(model, prompt, 3, 6)
        lengths.add(len(expected))
        assert_close(student.greedy(model, prompt, 3, 6), expected)
        assert_close(student.greedy(model, prompt, 3, 1), expected[:1])
    assert len(lengths) > 2
    assert unchanged(student.greedy, model, list(prompt), 3, 6), "the prompt is as it was"


@pytest.mark.points(1)
@pytest.mark.parametrize(("vocab", "num_beams", "steps"), [(7, 3, 5), (11, 5, 4), (5, 2, 7)])
def test_totals(student, reference, vocab, num_beams, steps):
    """A total is the sum of log-probabilities, and the beams with the best totals live on.

    zh: 总分是对数概率之和；总分最好的束留下来。
    """
    # No eos, and no length penalty: what is returned are the totals of the last step.
    prompt = [1, 4, 0]
    model = next_token_model(vocab=vocab, seed=1, scale=2.5, eos=2, eos_bonus=NEVER)
    expected = check_search(student, reference, model, prompt, 2, num_beams, steps, 0.0)
    assert expected[0][0] != follow(model, prompt, 2, steps), "greedy is no rival here"


@pytest.mark.points(1)
@pytest.mark.parametrize("seed", [42, 31, 37, 0])
def test_finished_texts(student, reference, seed):
    """Only a new eos among the best num_beams candidates finishes a text, which then takes no live beam's place.

    zh: 只有排进前 num_beams 名的候选、而且是新生成的 eos，才算完成；完成的文本不占活动束的位置。
    """
    # Of these seeds the answer differs where a finished text keeps its place, and where any eos finishes one.
    model = next_token_model(vocab=6, seed=seed, eos=2)
    found = check_search(student, reference, model, [0, 2, 4], 2, 4, 6, 0.0)
    assert len({len(tokens) for tokens, _ in found}) > 1, "all texts have one length"
    check_search(student, reference, model, [1], 2, 3, 5, 0.0)


@pytest.mark.points(1)
@pytest.mark.parametrize("penalty", [2.0, 0.6, -1.0])
def test_length_penalty(student, reference, penalty):
    """The total is divided by n to the length penalty, of new tokens, when a text has finished and never before.

    zh: 总分除以 n 的 length_penalty 次方，n 只数新词元；文本完成时才除，搜索途中不除。
    """
    for seed in range(4):
        model = next_token_model(vocab=6, seed=seed, eos=4, eos_bonus=0.3)
        found = check_search(student, reference, model, [1, 0, 5, 2, 2], 4, 4, 6, penalty)
        assert len({len(tokens) for tokens, _ in found}) > 1, "all texts have one length"


@pytest.mark.points(1)
@pytest.mark.parametrize("num_beams", [4, 2, 1])
def test_stop(student, reference, num_beams):
    """The search is over once num_beams texts have finished; in the last step the best candidates all finish and compete.

    zh: 完成的文本达到 num_beams 条搜索才结束；到最后一步，最好的候选全部算完成，并与先前完成的文本比较得分。
    """
    for seed in range(6):
        model = next_token_model(vocab=6, seed=seed, eos=0, eos_bonus=1.0)
        found = check_search(student, reference, model, [3, 1], 0, num_beams, 7, 1.0)
        if num_beams == 1:
            assert found[0][0] == follow(model, [3, 1], 0, 7)
    for seed in (1, 22, 23):  # with more than one beam, the last step drives out a text that finished before
        model = next_token_model(vocab=6, seed=seed, eos=0, eos_bonus=0.3 if num_beams == 2 else 1.0)
        check_search(student, reference, model, [3, 1], 0, num_beams, 3, 1.0)


@pytest.mark.points(1)
@pytest.mark.parametrize(("scale", "num_beams"), [(1.5, 19), (300.0, 15)])
def test_beam_that_holds_everything(student, scale, num_beams):
    """Where the beam holds every text, all come back, the best first, with scores that are finite and right.

    zh: 束大到装得下所有文本时，它们全部返回，最好的在前，得分有限而且正确。
    """
    # Three tokens, up to three steps: 1 + 2 + 4 * 3 = 15 texts. With large logits most have probability 0 in float32.
    eos, model = 1, next_token_model(vocab=3, seed=8, scale=scale)
    every = [(*front, eos) for n in range(2) for front in product((0, 2), repeat=n)]
    every += [(*front, last) for front in product((0, 2), repeat=2) for last in range(3)]
    scored = []
    for tokens in every:
        prefixes = [(2, 0, *tokens[:n]) for n in range(len(tokens))]
        logps = [
            model.after(prefix).double().log_softmax(-1)[token]
            for prefix, token in zip(prefixes, tokens, strict=True)
        ]
        scored.append((list(tokens), float(sum(logps)) / len(tokens)))
    scored.sort(key=lambda text: -text[1])
    assert len(scored) == 15
    assert all(first[1] - second[1] > 1e-3 for first, second in pairwise(scored))
    found = texts(student.beam_search(model, [2, 0], eos, num_beams, 3))
    assert_close(found, scored, rtol=1e-4, atol=1e-4)


def groups_of_beams(groups, width, vocab, dtype=torch.float32):
    """Totals [G, k] and log-probabilities [G, k, V]; groups that agree without a penalty."""
    generator = torch.Generator().manual_seed(groups + vocab)
    totals = -torch.rand(width, generator=generator) + 0.1 * torch.rand(groups, width, generator=generator)
    logits = 1.5 * torch.randn(width, vocab, generator=generator)
    logits = logits + 0.2 * torch.randn(groups, width, vocab, generator=generator)
    return totals.to(dtype), logits.log_softmax(-1).to(dtype)


@pytest.mark.points(1)
@pytest.mark.parametrize(
    ("groups", "width", "vocab", "penalty"), [(4, 3, 5, 0.7), (3, 1, 7, 1.5), (5, 2, 4, 0.9), (1, 4, 6, 2.0)]
)
def test_diverse_choices(student, reference, groups, width, vocab, penalty):
    """A group chooses with the penalty for every choice of every earlier group, and for none of its own.

    zh: 每组选择时，前面每一组的每一次选择都计惩罚，本组自己的选择不计。
    """
    arguments = groups_of_beams(groups, width, vocab)
    beams, tokens, _ = reference.diverse_step(*arguments, penalty)
    assert groups == 1 or not torch.equal(tokens, reference.diverse_step(*arguments, 0.0)[1])
    actual = student.diverse_step(*arguments, penalty)
    assert_close(actual[0], beams)
    assert_close(actual[1], tokens)


@pytest.mark.points(1)
@pytest.mark.parametrize("promise", PROMISES)
def test_diverse_totals(student, unchanged, promise):
    """A new total is the beam's total plus the model's log-probability, without the penalty, in their dtype.

    zh: 新的总分等于该束的总分加上模型的对数概率，不含惩罚，dtype 不变。
    """
    totals, logps = groups_of_beams(3, 2, 5)
    beams, tokens, new_totals = student.diverse_step(totals, logps, 0.9)
    # Right for the student's own choices, if these are choices: no candidate twice, not one token for all.
    for row in (beams * 5 + tokens).tolist():
        assert len(set(row)) == 2, "a candidate was chosen twice"
    assert tokens.unique().numel() > 1
    chosen = logps[torch.arange(3)[:, None], beams, tokens]
    assert_close(new_totals, totals.gather(1, beams) + chosen)
    check_promise(
        promise, student.diverse_step, lambda dtype: (*groups_of_beams(3, 2, 5, dtype), 0.9), unchanged
    )
