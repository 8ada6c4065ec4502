"""Hidden tests of alignment/rlhf."""

import pytest
import torch

from autograder.testing import assert_close, four_models, masked_responses, own_or_reference

FLOATS = [torch.float64, torch.float32]
PROMPT, LENGTHS = 4, [3, 1, 5]
TEMPERATURE = 0.7


def sampled(lengths=(3, 1, 5), seed=0):
    """Ids [3, 9] and mask [3, 5]: prompts of four tokens, responses of these lengths, random ids behind them."""
    batch = masked_responses([PROMPT] * 3, lengths, vocab_size=7, pad_id=6, seed=seed)
    mask = batch.response_mask[:, PROMPT:].bool()
    generator = torch.Generator().manual_seed(seed + 1)
    noise = torch.randint(7, batch.ids.shape, generator=generator)
    ids = torch.where(batch.attention_mask.bool(), batch.ids, noise)
    assert mask.sum(dim=1).tolist() == list(lengths)
    return ids, mask


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def advantages_of_one(rewards, values, gamma, lam):
    """The double sum of Schulman et al. 2016, equation 16, for one response without padding."""
    count = len(rewards)
    deltas = [
        rewards[t] + (gamma * values[t + 1] if t + 1 < count else 0.0) - values[t] for t in range(count)
    ]
    return [
        sum((gamma * lam) ** (later - t) * deltas[later] for later in range(t, count)) for t in range(count)
    ]


def said(models, ids, temperature):
    """Log-probabilities of actor and reference, and values, [B, R] each, position by position."""
    actor, critic, _, reference = (model.eval()(ids).detach() for model in models)
    positions = range(PROMPT, ids.shape[1])
    rows = torch.arange(len(ids))
    log_probs = [
        torch.stack([(each[:, p - 1] / temperature).log_softmax(-1)[rows, ids[:, p]] for p in positions], 1)
        for each in (actor, reference)
    ]
    return *log_probs, torch.stack([critic[:, p - 1, 0] for p in positions], 1)


def collected(models, ids, seed=0):
    """What earlier models could have said: the clip binds on both sides, in both losses."""
    log_probs, _, values = said(models, ids, TEMPERATURE)
    shift = 0.6 * (-1.0) ** torch.arange(log_probs.numel()).view_as(log_probs)
    moved = draw(*values.shape, seed=seed)
    assert (moved > 0.2).any()
    assert (moved < -0.2).any()
    return {
        "log_probs": log_probs + shift,
        "values": values + moved,
        "advantages": draw(*values.shape, seed=seed + 1) + 0.4,
        "returns": values + 2 * draw(*values.shape, seed=seed + 2),
    }


def training(build, dropout=0.0, rate=0.3):
    """Actor, critic and optimiser on the student's side; the same here, without dropout."""
    theirs, ours = four_models(build, dropout=dropout), four_models()
    groups = [{"params": theirs.actor.parameters()}, {"params": theirs.critic.parameters()}]
    optimizer = build("torch.optim.SGD", groups, lr=rate)
    mine = torch.optim.SGD([*ours.actor.parameters(), *ours.critic.parameters()], lr=rate)
    return (theirs.actor, theirs.critic, optimizer), (ours.actor, ours.critic, mine), four_models()


def weights(*models):
    """All of them, as they are now."""
    return [{name: value.clone() for name, value in model.state_dict().items()} for model in models]


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("batch", "length", "width", "prompt", "dtype"),
    [(2, 7, 5, 3, FLOATS[0]), (1, 2, 1, 1, FLOATS[1]), (3, 6, 1, 5, FLOATS[0]), (2, 5, 3, 1, FLOATS[1])],
)
def test_each_token_has_the_state_before_it(student, batch, length, width, prompt, dtype):
    """Each response token, the first and the last included, gets what was said at the position before it.

    zh: 每个回答词元，包括第一个和最后一个，对应的都是它前一个位置的输出。
    """
    outputs = draw(batch, length, width, dtype=dtype)
    expected = torch.stack([outputs[:, p - 1] for p in range(prompt, length)], dim=1)
    assert_close(student.response_outputs(outputs, prompt), expected)


@pytest.mark.points(2)
@pytest.mark.parametrize(
    ("gamma", "lam", "dtype"),
    [(0.9, 0.7, FLOATS[0]), (1.0, 0.95, FLOATS[1]), (0.8, 0.0, FLOATS[0]), (0.95, 1.0, FLOATS[0])],
)
def test_advantages_are_the_double_sum(student, gamma, lam, dtype):
    """Without padding, an advantage is the sum of this and all later one-step errors, each discounted by gamma and lambda.

    zh: 没有填充时，优势是当前及之后所有一步误差之和，按 gamma 和 lambda 打折扣。
    """
    rewards, values = draw(3, 5, seed=1), draw(3, 5, seed=2)
    expected = [
        advantages_of_one(*rows, gamma, lam) for rows in zip(rewards.tolist(), values.tolist(), strict=True)
    ]
    found = student.response_advantages(
        rewards.to(dtype), values.to(dtype), torch.ones(3, 5, dtype=torch.bool), gamma, lam
    )
    assert_close(found, torch.tensor(expected, dtype=dtype))


@pytest.mark.points(2.5)
@pytest.mark.parametrize("lengths", [(3, 1, 5), (2, 4, 1)])
def test_responses_end_with_their_last_real_token(student, lengths):
    """A padded response has the advantages that it has alone, and 0 behind its last real token.

    zh: 有填充的回答，优势与它单独计算时相同，最后一个真实词元之后都是 0。
    """
    mask = torch.arange(5) < torch.tensor(lengths)[:, None]
    rewards, values = draw(3, 5, seed=3), draw(3, 5, seed=4)
    rewards, values = (torch.where(mask, real, 20 + 9 * real) for real in (rewards, values))
    found = student.response_advantages(rewards, values, mask, 0.9, 0.8)
    assert_close(found[~mask], torch.zeros(int((~mask).sum()), dtype=torch.float64))
    for row, count in enumerate(lengths):
        assert_close(found[row, count - 1], (rewards - values)[row, count - 1])
        one = slice(row, row + 1), slice(count)
        assert_close(found[one], student.response_advantages(rewards[one], values[one], mask[one], 0.9, 0.8))


@pytest.mark.points(2)
@own_or_reference("response_outputs", "response_advantages")
@pytest.mark.parametrize("temperature", [TEMPERATURE, 1.6])
def test_what_actor_and_critic_said(student, reference, build, temperature):
    """What is collected are log-probabilities at the temperature of sampling, and values, of the state before each token.

    zh: 收集到的是采样温度下的对数概率和价值，都属于每个词元之前的状态。
    """
    ids, mask = sampled()
    found = student.collect(*four_models(build), ids, mask, PROMPT, temperature, beta=0.3, gamma=0.9, lam=0.8)
    log_probs, _, values = said(four_models(), ids, temperature)
    assert_close(found["log_probs"][mask], log_probs[mask])
    assert_close(found["values"][mask], values[mask])


@pytest.mark.points(3)
@own_or_reference("response_outputs", "response_advantages")
@pytest.mark.parametrize(("beta", "gamma", "lam"), [(0.3, 0.9, 0.8), (0.0, 1.0, 1.0)])
def test_returns_of_score_and_penalty(student, reference, build, beta, gamma, lam):
    """Returns are unwhitened advantages plus values. They hold the score of the whole response, and the distance from the reference at the same temperature.

    zh: 回报是未白化的优势加上价值，其中包含整条回答的得分，以及相同温度下与参考模型的距离。
    """
    ids, mask = sampled(seed=2)
    found = student.collect(*four_models(build), ids, mask, PROMPT, TEMPERATURE, beta, gamma, lam)
    _, to_reference, _ = said(four_models(), ids, TEMPERATURE)
    scores = four_models().reward_model(ids).detach()[..., 0]
    assert (scores[0] != scores[0, -1])[:-1].all()
    for row, count in enumerate(LENGTHS):
        # From the log-probabilities and values that were returned: those have a test of their own.
        values, log_probs = found["values"][row, :count], found["log_probs"][row, :count]
        rewards = (-beta * (log_probs - to_reference[row, :count])).tolist()
        rewards[-1] += scores[row, PROMPT + count - 1].item()
        alone = advantages_of_one(rewards, values.tolist(), gamma, lam)
        assert_close(found["returns"][row, :count], values + torch.tensor(alone, dtype=torch.float64))


@pytest.mark.points(1.5)
@own_or_reference("response_outputs", "response_advantages")
def test_advantages_are_whitened_together(student, reference, build):
    """Over all real tokens of the batch, and no others, the advantages have mean 0 and variance 1; their order is kept.

    zh: 在整个批次的所有真实词元上（也只在这些词元上），优势的均值为 0、方差为 1，大小次序不变。
    """
    ids, mask = sampled(seed=4)
    found = student.collect(*four_models(build), ids, mask, PROMPT, TEMPERATURE, 0.3, 0.9, 0.8)
    raw = (found["returns"] - found["values"])[mask]
    assert raw.std() > 0.1
    assert_close(found["advantages"][mask], (raw - raw.mean()) / raw.std(), rtol=1e-5)


@pytest.mark.points(1.5)
@own_or_reference("response_outputs", "response_advantages")
def test_collecting_has_no_dropout(student, reference, build):
    """Models that arrive in training mode, with dropout, are asked without it.

    zh: 传进来的模型处于训练模式、带有 dropout，询问时要关掉它。
    """
    ids, mask = sampled(seed=6)
    settings = (ids, mask, PROMPT, TEMPERATURE, 0.3, 0.9, 0.8)
    noisy = student.collect(*four_models(build, dropout=0.5), *settings)
    plain = student.collect(*four_models(build), *settings)
    for name in ("values", "log_probs", "returns"):
        assert plain[name][mask].std() > 0.1
        assert_close(noisy[name][mask], plain[name][mask])


@pytest.mark.points(1.5)
@own_or_reference("response_outputs", "response_advantages")
def test_collecting_leaves_no_graph(student, reference, build):
    """All four models are asked without a graph, and none of their weights changes.

    zh: 询问四个模型时都不建计算图，它们的权重一个也不变。
    """
    ids, mask = sampled()
    models, graphs = four_models(build), []
    before = weights(*models)
    for model in models:
        model.register_forward_hook(lambda module, inputs, output: graphs.append(output.requires_grad))
    found = student.collect(*models, ids, mask, PROMPT, TEMPERATURE, 0.3, 0.9, 0.8)
    assert_close(found["values"][mask], said(four_models(), ids, TEMPERATURE)[2][mask])
    assert len(graphs) >= 4
    assert not any(graphs), "no graph is built"
    for old, new in zip(before, weights(*models), strict=True):
        assert all(torch.equal(old[name], new[name]) for name in old)


@pytest.mark.points(2.5)
@own_or_reference("response_outputs")
def test_epochs_compare_with_what_was_collected(student, reference, build):
    """Each epoch takes one step, compares with what was collected, at the same temperature, and reports its loss.

    zh: 每一轮走一步，都与收集到的数据、在相同的温度下比较，并报告这一轮的损失。
    """
    ids, mask = sampled((5, 5, 5))
    theirs, ours, start = training(build)
    settings = (ids, mask, PROMPT, TEMPERATURE, collected(start, ids), 0.2, 0.6, 3)
    expected = reference.ppo_step(*ours, *settings)
    assert_close(student.ppo_step(*theirs, *settings), expected)
    assert_close(weights(*theirs[:2]), weights(*ours[:2]))


@pytest.mark.points(2)
@own_or_reference("response_outputs")
def test_losses_are_means_over_real_tokens(student, reference, build):
    """Every real token of the batch counts the same in both losses, and padding doesn't count at all.

    zh: 在两个损失里，批次中每个真实词元的分量都相同，填充则完全不计。
    """
    ids, mask = sampled((5, 1, 2), seed=5)
    theirs, ours, start = training(build)
    log_probs, _, values = said(start, ids, 1.0)
    experience = collected(start, ids, seed=5) | {"log_probs": log_probs, "values": values}
    for name, garbage in (("advantages", 30.0), ("returns", -50.0)):
        experience[name] = torch.where(mask, experience[name], garbage)
    settings = (ids, mask, PROMPT, 1.0, experience, 0.2, 0.6, 1)
    expected = reference.ppo_step(*ours, *settings)
    assert_close(student.ppo_step(*theirs, *settings), expected)
    assert_close(weights(*theirs[:2]), weights(*ours[:2]))


@pytest.mark.points(2)
@own_or_reference("response_outputs")
def test_first_epoch_is_at_ratio_one(student, reference, build):
    """With what the same models have just said, every ratio of the first epoch is 1, though they contain dropout.

    zh: 数据刚由同样的模型给出时，即使模型里有 dropout，第一轮的概率比也全是 1。
    """
    ids, mask = sampled((5, 5, 5), seed=8)
    theirs, ours, start = training(build, dropout=0.5)
    log_probs, _, values = said(start, ids, TEMPERATURE)
    experience = collected(start, ids) | {"log_probs": log_probs, "values": values}
    errors = (values - experience["returns"])[mask]
    first = -experience["advantages"][mask].mean() + 0.6 * errors.square().mean() / 2
    settings = (ids, mask, PROMPT, TEMPERATURE, experience, 0.2, 0.6, 1)
    found = student.ppo_step(*theirs, *settings)
    assert_close(found[0], first.item())
    assert_close(found, reference.ppo_step(*ours, *settings))
    assert_close(weights(*theirs[:2]), weights(*ours[:2]))
