"""Hidden tests of decoding/speculative."""

from itertools import product

import pytest
import torch

from autograder.testing import assert_close, next_token_model, own_or_reference

FAIL = 0.999  # the acceptance draw of a token whose target probability is well below the draft's


def rows(count, vocab, seed, spread=1.5):
    """Distributions [count, V], none of them uniform."""
    generator = torch.Generator().manual_seed(seed)
    return (spread * torch.randn(count, vocab, generator=generator, dtype=torch.float64)).softmax(-1)


def inverse_cdf(weights, draw):
    """The token at this draw, from weights of any sum."""
    reached, total = 0.0, float(sum(weights))
    for token, weight in enumerate(weights):
        reached += float(weight) / total
        if weight > 0 and draw < reached:
            return token
    raise ValueError("a draw at the very end is no fixture")


def over_drafted(draft, target):
    """[γ] tokens that the draft likes best in comparison."""
    return (target[: len(draft)] / draft).argmin(-1).tolist()


def recorded(seed, asked):
    """A model that gives probabilities after each token and keeps the lists that it was asked about."""
    logits = next_token_model(vocab=5, seed=seed, scale=0.8)

    def model(ids):
        asked.append(list(ids))
        return logits(torch.tensor([ids]))[0].double().softmax(-1)

    return model


@pytest.mark.points(1)
def test_ratio_decides(student):
    """A drafted token is accepted with the probability target / draft, at most 1, whichever token is the likeliest.

    zh: 草稿词元被接受的概率是 target / draft，最多为 1，与哪个词元最可能无关。
    """
    seen = []
    for seed in range(40):
        # Every other time both have the same favourite, of which the draft is surer, and it is drafted. The last token
        # never is, and the target has a tenth of it: whatever else is drawn at 0.98, it is that.
        draft = torch.cat([rows(1, 5, seed, 2.0), torch.zeros(1, 1)], dim=1)
        target = torch.cat(
            [0.9 * rows(2, 5, seed if seed % 2 else 100 + seed, 1.0), torch.full((2, 1), 0.1)], dim=1
        )
        token = int(draft.argmax()) if seed % 2 else seed // 2 % 5
        draw = (seed * 0.37 + 0.2) % 1
        margin = float(target[0, token] - draw * draft[0, token])
        if abs(margin) < 1e-3:
            continue
        found = student.verify([token], draft, target, [draw], 0.98)
        assert found[0] == (token if margin > 0 else 5)
        seen.append((margin > 0, int(target[0].argmax()) == token))
    assert all(seen.count(kind) > 2 for kind in [(True, True), (True, False), (False, True), (False, False)])


@pytest.mark.points(1)
@pytest.mark.parametrize("gamma", [2, 5])
def test_later_drafts_are_dropped(student, gamma):
    """The first rejection ends the round: one token replaces it, and later drafted tokens are gone even if they would pass.

    zh: 第一次拒绝就结束这一轮：只补一个词元，后面的草稿词元就算能通过也一律丢弃。
    """
    for place in range(gamma):
        draft, target = rows(gamma, 7, place), rows(gamma + 1, 7, 50 + place)
        drafted = over_drafted(draft, target)
        draws = [0.0] * gamma
        draws[place] = FAIL
        assert FAIL * draft[place, drafted[place]] > target[place, drafted[place]]
        found = student.verify(drafted, draft, target, draws, 0.4)
        assert_close(list(found[:place]), drafted[:place])
        assert len(found) == place + 1
        assert found[place] != drafted[place], "the rejected token itself has no share in the residual"


@pytest.mark.points(1.5)
@pytest.mark.parametrize("gamma", [1, 3])
def test_replacement(student, gamma):
    """A rejected token is replaced by one from the residual, max(0, target - draft), whose probabilities add up to 1.

    zh: 被拒绝的词元换成从残差分布 max(0, target - draft) 抽的一个，残差的概率之和为 1。
    """
    several = set()
    for seed in range(5):
        draft, target = rows(gamma, 8, seed), rows(gamma + 1, 8, 70 + seed)
        drafted, draws = over_drafted(draft, target), [0.0] * (gamma - 1) + [FAIL]
        rest = (target[gamma - 1] - draft[-1]).clamp(min=0).tolist()
        assert sum(share > 0 for share in rest) > 1 and sum(rest) < 0.9
        for step in range(12):
            last_draw = (step + 0.5) / 12
            expected = inverse_cdf(rest, last_draw)
            several.add(expected == inverse_cdf(target[gamma - 1], last_draw))
            assert_close(student.verify(drafted, draft, target, draws, last_draw)[-1], expected)
    assert several == {True, False}


@pytest.mark.points(1)
@pytest.mark.parametrize("gamma", [1, 4])
def test_bonus(student, unchanged, gamma):
    """If all drafted tokens are accepted, one more follows, from the target's last row.

    zh: 草稿词元全部被接受时，后面再接一个词元，从目标的最后一行抽取。
    """
    draft, target = rows(gamma, 6, gamma), rows(gamma + 1, 6, 30 + gamma)
    drafted, draws = over_drafted(draft, target), [0.0] * gamma
    following = set()
    for step in range(12):
        last_draw = (step + 0.5) / 12
        expected = inverse_cdf(target[-1], last_draw)
        following.add(expected)
        found = student.verify(list(drafted), draft, target, draws, last_draw)
        assert_close(list(found), [*drafted, expected])
    assert len(following) > 2
    assert unchanged(student.verify, list(drafted), draft, target, draws, 0.5)


@pytest.mark.points(2)
@pytest.mark.parametrize("gamma", [1, 2])
def test_distribution_is_the_targets(student, gamma):
    """Over all drafted tokens and all draws, the tokens have exactly the target's distribution, alone and together.

    zh: 遍历所有草稿词元和所有随机数，得到的词元无论单独看还是合起来看，都恰好服从目标的分布。
    """
    # The favourite passes in half of the cases, all others always, and residuals are made of quarters: a few draws stand
    # for all of them.
    drafts, targets = torch.tensor([[8, 2, 1, 1], [4, 3, 2, 3]], dtype=torch.float64) / 12
    bonus = torch.tensor([1, 0, 2, 1], dtype=torch.float64) / 4

    def after(tokens, row):
        return row.roll(sum(tokens) + len(tokens))

    def target_after(tokens):
        return after(tokens, bonus if len(tokens) == gamma else targets)

    joint = torch.zeros(4, 4, dtype=torch.float64)
    grid = product(
        product(range(4), repeat=gamma), product((0.25, 0.75), repeat=gamma), (0.125, 0.375, 0.625, 0.875)
    )
    for drafted, draws, last_draw in grid:
        before = [drafted[:place] for place in range(gamma + 1)]
        draft = torch.stack([after(tokens, drafts) for tokens in before[:-1]])
        target = torch.stack([target_after(tokens) for tokens in before])
        found = student.verify(list(drafted), draft, target, list(draws), last_draw)
        share = draft.gather(1, torch.tensor(drafted)[:, None]).prod() / 2**gamma / 4
        if len(found) > 1:
            joint[found[0], found[1]] += share
        else:  # the next round continues here
            joint[found[0]] += share * target_after(found)
    expected = torch.stack([target_after([])[x] * target_after([x]) for x in range(4)])
    assert_close(joint.sum(1), target_after([]))
    assert_close(joint, expected)


@pytest.mark.points(1)
@pytest.mark.parametrize("case", ["target", "one_hot", "equal"])
def test_zero_probabilities(student, case):
    """What the target never says never passes, a draft may be sure of one token, and of equal distributions nothing is rejected.

    zh: 目标概率为 0 的词元绝不通过；草稿可以百分之百确定某个词元；两个分布相等时一个也不会被拒绝。
    """
    if case == "target":
        draft = torch.tensor([[0.5, 0.25, 0.25]])
        target = torch.tensor([[0.0, 0.75, 0.25], [0.0, 0.0, 1.0]])
        assert_close(list(student.verify([0], draft, target, [0.0], 0.9)), [1])
        assert_close(list(student.verify([1], draft, target, [0.99], 0.9)), [1, 2])
    elif case == "one_hot":
        draft = torch.tensor([[0.0, 1.0, 0.0, 0.0]])
        target = torch.tensor([[0.25, 0.5, 0.0, 0.25], [0.0, 1.0, 0.0, 0.0]])
        assert_close(list(student.verify([1], draft, target, [0.49], 0.3)), [1, 1])
        assert_close(list(student.verify([1], draft, target, [0.51], 0.3)), [0])
        assert_close(list(student.verify([1], draft, target, [0.51], 0.7)), [3])
    else:
        same = torch.tensor([[0.25, 0.0, 0.75], [0.0, 1.0, 0.0]])
        target = torch.cat([same, torch.tensor([[0.5, 0.5, 0.0]])])
        assert_close(list(student.verify([0, 1], same, target, [0.9999, 0.9999], 0.6)), [0, 1, 1])


@pytest.mark.points(1.5)
@pytest.mark.parametrize("gamma", [1, 2, 4])
@own_or_reference("verify")
def test_round_of_models(student, reference, unchanged, gamma):
    """Drafted tokens follow one another, each from its draw, and one pass of the target judges them all.

    zh: 草稿词元一个接一个，各用自己的随机数抽取；目标模型跑一遍，把它们全部审完。
    """
    lengths = set()
    for seed in range(10):
        asked = {"target": [], "draft": []}
        models = [recorded(seed, asked["target"]), recorded(100 + seed, asked["draft"])]
        draws = torch.rand(2, gamma, dtype=torch.float64).tolist()
        arguments = [[1, 3, 0, 2][: 1 + seed % 4], *draws, (seed + 0.5) / 10]
        expected = reference.speculative_round(*models, *arguments)
        for calls in asked.values():
            calls.clear()
        assert_close(list(student.speculative_round(*models, *arguments)), expected)
        assert len(asked["target"]) == 1, "the target is asked once"
        assert len(asked["draft"]) == gamma, "the draft model is asked once for each token"
        lengths.add(len(expected))
        assert unchanged(student.speculative_round, *models, *arguments)
    assert len(lengths) > 1


@pytest.mark.points(1)
@pytest.mark.parametrize("gamma", [1, 3, 8])
def test_mean_of_a_round(student, gamma):
    """The mean counts accepted tokens up to the first rejection, and the one that always follows.

    zh: 平均数数的是第一次拒绝之前接受的词元，再加上总会有的最后一个。
    """
    cases = [
        (rows(1, vocab, seed)[0], rows(1, vocab, 9 + seed)[0]) for vocab, seed in [(5, 0), (2, 1), (31, 2)]
    ]
    apart = torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.tensor([0.0, 0.0, 0.25, 0.75])
    same = torch.tensor([0.5, 0.125, 0.375])
    for target, draft in [*cases, apart, (same, same)]:
        alpha = sum(min(p, q) for p, q in zip(target.tolist(), draft.tolist(), strict=True))
        ends = sum((place + 1) * alpha**place * (1 - alpha) for place in range(gamma))
        assert_close(student.expected_tokens(target, draft, gamma), ends + (gamma + 1) * alpha**gamma)
