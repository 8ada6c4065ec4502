"""Hidden tests of capstone/preferences."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from autograder.testing import assert_close, check_any, load_by_name, own_or_reference, tell_reached

V, P, A = 10, 3, 2
BETA, RATE, STEPS = 0.3, 2e-3, 30
EVERY = torch.cartesian_prod(*[torch.arange(V)] * A)
EVERY_PROMPT = torch.cartesian_prod(*[torch.arange(V)] * P)


def sizes_of(weights):
    """The sizes of the GPT that these weights belong to."""
    vocab_size, d_model = weights["token_embedding.weight"].shape
    layers = len({name.split(".")[1] for name in weights if name.startswith("blocks")})
    positions = len(weights["position_embedding.weight"])
    sizes = {"vocab_size": vocab_size, "block_size": positions, "num_layers": layers}
    return sizes | {"num_heads": 2, "d_model": d_model}


def trained(parts, weights):
    """A GPT of the parts' own with these weights. One that names its tensors twice is given each once."""
    model = parts.gpt.GPT(parts.gpt.GPTConfig(**sizes_of(weights)))
    model.load_state_dict(weights, strict=False)
    return model


def logps_of(model, prompts, answers):
    """Log-probabilities [B] of answers, computed here from the model's logits."""
    ids = torch.cat([prompts, answers], dim=1)
    logps = model(ids).detach()[:, :-1].log_softmax(-1)
    taken = logps.gather(2, ids[:, 1:, None]).squeeze(2)
    return taken[:, prompts.shape[1] - 1 :].sum(1)


def each_with_each(prompts, answers):
    """Rows in which each prompt meets each answer."""
    return prompts.repeat_interleave(len(answers), dim=0), answers.repeat(len(prompts), 1)


def table(model, prompts, answers=EVERY):
    """Log-probabilities [prompts, answers] of all answers."""
    rows = each_with_each(prompts, answers)
    return logps_of(model, *rows).view(len(prompts), len(answers))


def entries(weights):
    """How many numbers these weights hold."""
    return sum(weight.numel() for weight in weights.values())


def perturbed(weights, seed=0):
    """Other weights near these."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: weight + 0.1 * torch.randn(weight.shape, generator=generator)
        for name, weight in weights.items()
    }


def lookup(build, vocab, seed, scale=1.0):
    """A table of logits by the last token, in float64, on the student's side; and the same here."""
    twin = nn.Embedding(vocab, vocab, dtype=torch.float64)
    model = build("torch.nn.Embedding", vocab, vocab, dtype=torch.float64)
    shapes = {"weight": (vocab, vocab)}
    model.load_state_dict(load_by_name(twin, shapes, scale=scale, seed=seed, dtype=torch.float64))
    return model, twin


def random_pairs(vocab, number, prompt, answer, seed):
    """Pairs that differ, in each of which the answers differ."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda length: torch.randint(vocab, (number, length), generator=generator)  # noqa: E731
    prompts, chosen, rejected = draw(prompt), draw(answer), draw(answer)
    rejected[:, 0] = (chosen[:, 0] + 1 + rejected[:, 0] % (vocab - 1)) % vocab
    assert (chosen != rejected).any(1).all()
    return prompts, chosen, rejected


@pytest.mark.points(1)
def test_two_copies(student, parts, weights):
    """Policy and reference begin alike, what changes one doesn't change the other, and the policy's entries are counted.

    zh: 策略和参考开始时相同，改动一个不会影响另一个；数出的是策略的参数个数。
    """
    config = parts.gpt.GPTConfig(**sizes_of(weights))
    policy, reference, _, count = student.set_up(parts, config, weights, 1e-3)
    assert count == entries(weights)
    twin, other = trained(parts, weights), trained(parts, perturbed(weights))
    ids = torch.randint(V, (4, P + A), generator=torch.Generator().manual_seed(0))
    start, moved = twin(ids).detach(), other(ids).detach()
    assert (start - moved).abs().max() > 0.1
    assert_close(reference(ids).detach(), start)
    assert_close(policy(ids).detach(), start)
    policy.load_state_dict(perturbed(weights), strict=False)
    assert_close(policy(ids).detach(), moved)
    assert_close(reference(ids).detach(), start)


@pytest.mark.points(1)
def test_who_learns(student, parts, weights, gradients):
    """No parameter of the reference requires a gradient; all of the policy's are counted and move, first by the given rate.

    zh: 参考模型的参数都不需要梯度；策略模型的参数全都数到、全都更新，第一步的大小就是给定的学习率。
    """
    config = parts.gpt.GPTConfig(**sizes_of(weights))
    rate = 3e-3
    policy, reference, optimizer, count = student.set_up(parts, config, weights, rate)
    assert count == entries(weights)
    before = {name: weight.detach().clone() for name, weight in policy.named_parameters()}
    assert not any(parameter.requires_grad for parameter in reference.parameters())
    ids = torch.randint(V, (4, P + A), generator=torch.Generator().manual_seed(1))
    upstream = torch.randn(4, P + A, V, generator=torch.Generator().manual_seed(2))
    found = gradients(policy, ids, upstream=upstream).parameters
    optimizer.step()
    # The first step of Adam is the rate, against the sign of the gradient.
    for name, weight in policy.named_parameters():
        clear = found[name].abs() > 1e-4
        assert clear.any()
        step = (weight.detach() - before[name])[clear]
        assert_close(step, -rate * found[name][clear].sign(), rtol=0.03, atol=1e-6)


@pytest.mark.points(1)
def test_no_pull_to_zero(student, parts, weights, gradients):
    """The optimiser moves what is counted where the gradient isn't zero, and nothing where it is.

    zh: 梯度不为零时，优化器更新数到的那些参数；梯度为零时什么都不动。
    """
    config = parts.gpt.GPTConfig(**sizes_of(weights))
    policy, _, optimizer, count = student.set_up(parts, config, weights, 0.5)
    assert count == entries(weights)
    ids = torch.randint(V, (4, P + A), generator=torch.Generator().manual_seed(3))
    start = policy(ids).detach()
    gradients(policy, ids, upstream=torch.zeros(4, P + A, V))
    optimizer.step()
    assert_close(policy(ids).detach(), start)
    gradients(policy, ids)
    optimizer.step()
    assert (policy(ids).detach() - start).abs().max() > 0.1


@pytest.mark.points(1)
@pytest.mark.parametrize(("prompt", "answer"), [(3, 2), (1, 2), (2, 1)])
def test_all_answers_add_up(student, parts, weights, prompt, answer):
    """The probabilities of all answers to a prompt add up to one, and each is the product over its tokens.

    zh: 同一提示词的全部回答，概率之和为一；每个回答的概率是各词元概率的乘积。
    """
    model = trained(parts, weights)
    prompts = torch.tensor([[7, 1, 4], [0, 9, 2]])[:, :prompt]
    answers = torch.cartesian_prod(*[torch.arange(V)] * answer).view(-1, answer)
    rows = each_with_each(prompts, answers)
    logps = student.answer_logps(parts, model, *rows).detach()
    assert_close(logps.view(2, -1).exp().sum(1), torch.ones(2), rtol=1e-4)
    assert_close(logps, logps_of(model, *rows))


@pytest.mark.points(1)
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_chain_rule(student, parts, weights, unchanged, cut):
    """A long answer's log-probability is that of its beginning plus that of its end after it; arguments stay as they are.

    zh: 一个长回答的对数概率，等于开头的对数概率加上接在它后面的结尾的对数概率；参数保持原样。
    """
    model = trained(parts, weights)
    ids = torch.randint(V, (5, P + A), generator=torch.Generator().manual_seed(cut))
    prompts, answers = ids[:, :1], ids[:, 1:]
    longer = ids[:, : 1 + cut]
    whole = student.answer_logps(parts, model, prompts, answers).detach()
    first = student.answer_logps(parts, model, prompts, answers[:, :cut]).detach()
    second = student.answer_logps(parts, model, longer, answers[:, cut:]).detach()
    assert whole.max() < -1 and second.max() < -0.01
    assert_close(first + second, whole)
    assert unchanged(student.answer_logps, parts, model, prompts, answers)


def scored(model, prompts, answers, upstream):
    """Log-probabilities, computed here; with an upstream, the model's gradients as well."""
    ids = torch.cat([prompts, answers], dim=1)
    taken = model(ids)[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None]).squeeze(2)
    logps = taken[:, prompts.shape[1] - 1 :].sum(1)
    if upstream is not None:
        logps.backward(upstream)
    return logps.detach()


def follow(score, policy, reference, optimizer, pairs, batches, beta):
    """The same run: the loss before each update, and the weights at its end."""
    losses = []
    for rows in batches:
        prompts, chosen, rejected = (side[rows] for side in pairs)
        sides = [
            score(model, prompts, side, None) for model in (policy, reference) for side in (chosen, rejected)
        ]
        gap = sides[0] - sides[1] - sides[2] + sides[3]
        losses.append(F.softplus(-beta * gap).mean().item())
        upstream = -beta * torch.sigmoid(-beta * gap) / len(gap)
        optimizer.zero_grad()
        score(policy, prompts, chosen, upstream)
        score(policy, prompts, rejected, -upstream)
        optimizer.step()
    return losses, policy.state_dict()["weight"]


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("prompt", "answer", "beta", "rate"), [(2, 3, 0.7, 1.0), (1, 2, 0.1, 8.0), (1, 1, 2.0, 0.5)]
)
def test_each_step(student, parts, build, gradients, prompt, answer, beta, rate):
    """Each step goes down the gradient of the DPO loss of its own pairs once, and tells the loss before it.

    zh: 每一步只沿本步偏好对的 DPO 损失的梯度下降一次，并记下更新之前的损失。
    """
    vocab, steps = 5, 4
    pairs = random_pairs(vocab, 11, prompt, answer, seed=prompt)
    batches = torch.randint(11, (steps, 3), generator=torch.Generator().manual_seed(answer))
    assert len(batches.unique(dim=0)) == steps

    def fresh():
        policy, twin = lookup(build, vocab, seed=1)
        reference, reference_twin = lookup(build, vocab, seed=2)
        theirs = policy, reference, build("torch.optim.SGD", policy.parameters(), lr=rate)
        return theirs, (twin, reference_twin, torch.optim.SGD(twin.parameters(), lr=rate))

    def own_score(model, prompts, answers, upstream):
        if upstream is None:
            return student.answer_logps(parts, model, prompts, answers).detach()
        return gradients(student.answer_logps, parts, model, prompts, answers, upstream=upstream)

    theirs, ours = fresh()
    losses = student.train(parts, *theirs, pairs, batches, beta)
    found = losses, theirs[0].state_dict()["weight"]
    right = follow(scored, *ours, pairs, batches, beta)
    assert abs(right[0][0] - math.log(2)) > 0.01 and len({round(loss, 3) for loss in right[0]}) == steps
    # A mistake of an earlier question isn't counted again: the same run with one's own log-probabilities is right, too.
    check_any(
        lambda expected: assert_close(found, expected),
        lambda: right,
        lambda: follow(own_score, *fresh()[0], pairs, batches, beta),
    )


@pytest.mark.points(1)
def test_reference_stays(student, parts, weights, unchanged):
    """A run that begins at its reference begins with loss ln 2 and then lowers it, and leaves reference and pairs as they were.

    zh: 从参考模型出发的训练，第一个损失是 ln 2，随后下降；参考模型和偏好对保持原样。
    """
    policy, reference = trained(parts, weights), trained(parts, weights)
    groups = [{"params": policy.parameters(), "weight_decay": 0.0}]
    optimizer = parts.optimizer_and_schedule.AdamW(groups, lr=5e-3)
    pairs = random_pairs(V, 4, P, A, seed=4)
    before = {name: weight.clone() for name, weight in reference.state_dict().items()}
    batches = torch.arange(4).repeat(6, 1)
    losses = student.train(parts, policy, reference, optimizer, pairs, batches, 0.5)
    assert math.isclose(losses[0], math.log(2), rel_tol=1e-4)
    assert losses[-1] < losses[0] - 0.05
    for name, weight in reference.state_dict().items():
        assert weight.equal(before[name]), "the reference has changed"
    assert unchanged(student.train, parts, policy, reference, optimizer, pairs, batches[:1], 0.5)


def listener(start, seed):
    """Pairs for training, and pairs of held-out prompts. She ranks the notes; an ending is worth the sum of its ranks."""
    generator = torch.Generator().manual_seed(seed)
    worth = torch.randperm(V, generator=generator)[EVERY].sum(1)
    prompts = EVERY_PROMPT[torch.randperm(V**P, generator=generator)[:20]]

    def draw(prompts, each):
        drawn = torch.multinomial(table(start, prompts).exp(), 2 * each, True, generator=generator)
        one, other = drawn.view(-1, 2).T
        better = torch.where(worth[one] > worth[other], one, other)
        worse = one + other - better
        counted = worth[better] > worth[worse]  # no pairs of equals
        rows = prompts.repeat_interleave(each, dim=0)[counted]
        return rows, EVERY[better[counted]], EVERY[worse[counted]]

    return draw(prompts[:12], 32), draw(prompts[12:], 50)


def reached(policy, start, pairs):
    """Margin, accuracy, chosen shift and KL, computed here."""
    prompts, *sides = pairs
    chosen, rejected = (logps_of(policy, prompts, side) - logps_of(start, prompts, side) for side in sides)
    different = prompts.unique(dim=0)
    now, then = table(policy, different), table(start, different)
    kl = (now.exp() * (now - then)).sum(1).mean()
    figures = (chosen - rejected).mean(), (chosen > rejected).double().mean(), chosen.mean(), kl
    return [figure.item() for figure in figures]


@pytest.mark.points(3)
@pytest.mark.parametrize("seed", [3, 17])
def test_learns_a_taste(student, parts, weights, seed):
    """A run raises margin and accuracy on held-out prompts to the stated level, and keeps chosen answers and KL in bounds.

    zh: 一次训练把留出提示词上的间隔和准确率提高到规定水平，同时被选中的回答和 KL 都不越界。
    """
    start, reference, policy = (trained(parts, weights) for _ in range(3))
    pairs, held_out = listener(start, seed)
    generator = torch.Generator().manual_seed(seed)
    batches = torch.randint(len(pairs[0]), (STEPS, 48), generator=generator)
    groups = [{"params": policy.parameters(), "weight_decay": 0.0}]
    optimizer = parts.optimizer_and_schedule.AdamW(groups, lr=RATE)
    # A mistake that shows at the beginning ends the test there.
    losses = student.train(parts, policy, reference, optimizer, pairs, batches[:5], BETA)
    assert math.isclose(losses[0], math.log(2), rel_tol=1e-3)
    assert losses[-1] < losses[0] - 0.01
    student.train(parts, policy, reference, optimizer, pairs, batches[5:], BETA)
    margin, accuracy, shift, kl = reached(policy, start, held_out)
    tell_reached(
        f"margin {margin:.2f}, accuracy {accuracy:.2f}, chosen shift {shift:+.2f}, KL {kl:.2f} nat on held-out prompts",
        f"留出提示词上：间隔 {margin:.2f}，准确率 {accuracy:.2f}，被选中回答的对数比 {shift:+.2f}，KL {kl:.2f} nat",
    )
    assert margin >= 1.2 and accuracy >= 0.7
    assert shift >= -1.3 and kl <= 2.5


@own_or_reference("answer_logps")
@pytest.mark.points(1)
@pytest.mark.parametrize(("vocab", "number", "prompt", "answer"), [(4, 9, 1, 2), (3, 1, 2, 1), (5, 30, 2, 2)])
def test_gains(student, reference, parts, build, vocab, number, prompt, answer):
    """Margin, accuracy and chosen shift compare log-ratios pair by pair; all four figures are 0 before training.

    zh: 间隔、准确率和 chosen_shift 逐对比较对数比；训练之前，四个数都是 0。
    """
    policy, twin = lookup(build, vocab, seed=3)
    frozen, frozen_twin = lookup(build, vocab, seed=4)
    prompts, chosen, rejected = pairs = random_pairs(vocab, number, prompt, answer, seed=number)
    answers = torch.cartesian_prod(*[torch.arange(vocab)] * answer).view(-1, answer)
    alone = logps_of(twin, prompts, chosen) > logps_of(twin, prompts, rejected)
    moved, other = (
        logps_of(twin, prompts, side) - logps_of(frozen_twin, prompts, side) for side in (chosen, rejected)
    )
    assert number == 1 or (alone != (moved > other)).any()
    found = student.report(parts, policy, frozen, pairs, answers)
    assert set(found) == {"margin", "accuracy", "chosen_shift", "kl"}
    assert_close(found["margin"], (moved - other).mean().item())
    assert_close(found["accuracy"], (moved > other).double().mean().item())
    assert_close(found["chosen_shift"], moved.mean().item())
    same = student.report(parts, frozen, frozen, pairs, answers)
    assert_close(same, dict.fromkeys(found, 0.0), atol=1e-6)


@own_or_reference("answer_logps")
@pytest.mark.points(2)
@pytest.mark.parametrize(("vocab", "answer", "counts"), [(3, 2, [5, 1]), (4, 1, [1, 7, 2]), (5, 2, [3])])
def test_exact_divergence(student, reference, parts, build, vocab, answer, counts):
    """The KL of the policy to the reference sums over all answers, and each prompt counts once, whatever its pairs.

    zh: 策略到参考的 KL 对全部回答求和；每个提示词只算一次，与它有几对无关。
    """
    policy, twin = lookup(build, vocab, seed=9)
    frozen, frozen_twin = lookup(build, vocab, seed=10)
    different = torch.tensor([[2, 1], [1, 2], [0, 0]])[: len(counts)]
    _, chosen, rejected = random_pairs(vocab, sum(counts), 2, answer, seed=7)
    prompts = different.repeat_interleave(torch.tensor(counts), dim=0)
    order = torch.randperm(len(prompts), generator=torch.Generator().manual_seed(0))
    answers = torch.cartesian_prod(*[torch.arange(vocab)] * answer).view(-1, answer)
    now, then = table(twin, different, answers), table(frozen_twin, different, answers)
    each = (now.exp() * (now - then)).sum(1)
    back = (then.exp() * (then - now)).sum(1)
    by_pairs = (each * torch.tensor(counts)).sum() / sum(counts)
    assert (each.mean() - back.mean()).abs() > 0.02
    assert len(counts) == 1 or (each.mean() - by_pairs).abs() > 0.02
    found = student.report(parts, policy, frozen, (prompts[order], chosen, rejected), answers)
    assert_close(found["kl"], each.mean().item())
