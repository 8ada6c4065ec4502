"""Public tests of models/gpt: they explain the task. Passing them isn't passing."""

import math

import pytest
import torch

from autograder.testing import assert_close, check_refusal, load_by_name, tiny_gpt_config


@pytest.mark.points(1)
def test_count_by_hand(student):
    """GPT-2 small has 124,439,808 parameters; the smallest GPT, of width 1 and one layer, has 32.

    zh: GPT-2 small 有 124,439,808 个参数；最小的 GPT（宽度 1、一层）有 32 个。
    """
    # 3 tokens and 2 positions; 4 of two norms, 6 of q, k, v, 2 of out, 8 of up, 5 of down; 2 of the final norm.
    assert_close(student.num_params(student.GPTConfig(3, 2, 1, 1, 1)), 5 + (4 + 6 + 2 + 8 + 5) + 2)
    assert_close(student.num_params(student.GPTConfig()), 124_439_808)


@pytest.mark.points(1)
def test_block_hides_the_future(student):
    """Changing position 3 changes the block's output there and later, and nothing before.

    zh: 改动第 3 个位置，只影响这一层在该位置及其后的输出，前面的都不变。
    """
    block = student.Block(student.GPTConfig(**tiny_gpt_config()))
    shapes = {"norm_1": (8,), "qkv_proj": (24, 8), "out_proj": (8, 8)}
    shapes |= {"norm_2": (8,), "up_proj": (32, 8), "down_proj": (8, 32)}
    biases = {f"{name}.bias": shape[:1] for name, shape in shapes.items()}
    load_by_name(block, {f"{name}.weight": shape for name, shape in shapes.items()} | biases)
    x = torch.randn(2, 5, 8)
    changed = x.clone()
    changed[:, 3] += torch.arange(8.0)
    before, after = block(x).detach(), block(changed).detach()
    assert_close(after[:, :3], before[:, :3])
    assert (after - before)[:, 3:].abs().amax(-1).min() > 1e-3, "later positions do depend on it"


@pytest.mark.points(1)
def test_new_model(student):
    """A new model gives logits of every position, knows nothing (its loss is about ln V), and refuses long inputs.

    zh: 新建的模型给出每个位置的 logits；它什么都不会，损失约为 ln V；输入太长就拒绝。
    """
    model = student.GPT(student.GPTConfig(**tiny_gpt_config()))
    ids = torch.arange(14).view(2, 7) % 13
    assert model(ids).shape == (2, 7, 13)
    assert_close(model.loss(ids).detach(), torch.tensor(math.log(13)), atol=0.3)
    check_refusal(model, (ids,), (torch.cat([ids, ids[:, :1]], dim=1),), ValueError)


@pytest.mark.points(1)
def test_loss_by_hand(student):
    """A model that gives token 0 half of the probability everywhere: the first token of a row is not predicted.

    zh: 一个处处给词元 0 一半概率的模型：每行的第一个词元不用预测。
    """
    config = student.GPTConfig(**tiny_gpt_config(vocab_size=3))
    model = student.GPT(config)
    # The final norm gives (1, 0, ..., 0) at each position, so that the logits are the table's first column.
    zeros = {name: torch.zeros(shape) for name, shape in [("final_norm.weight", 8), ("final_norm.bias", 8)]}
    zeros["final_norm.bias"][0] = 1.0
    zeros["token_embedding.weight"] = torch.zeros(3, 8)
    zeros["token_embedding.weight"][0, 0] = math.log(2)  # probabilities 1/2, 1/4, 1/4
    model.load_state_dict(zeros, strict=False)
    ids = torch.tensor([[1, 0, 0, 2]])  # the loss is of 0, 0 and 2: log 2, log 2, log 4
    assert_close(model.loss(ids).detach(), torch.tensor(math.log(16) / 3))
    labels = torch.tensor([[-100, -100, 0, 0]])  # of two zeros
    assert_close(model.loss(ids, labels).detach(), torch.tensor(math.log(2)))


@pytest.mark.points(1)
def test_text_longer_than_the_block(student, build):
    """A model that reads four tokens and adds them up, modulo 10, is shown the last four of a longer text.

    zh: 一个最多读四个词元、把它们相加再对 10 取余的模型：文本更长时，给它看最后四个。
    """
    model = build("torch.nn.Module")
    model.config = student.GPTConfig(vocab_size=10, block_size=4)
    model.forward = lambda ids: torch.nn.functional.one_hot(ids.cumsum(1) % 10, 10).float()
    ids = torch.tensor([[1, 2], [7, 1]])
    expected = torch.tensor([[1, 2, 3, 6, 2, 3], [7, 1, 8, 6, 2, 7]])
    assert_close(student.generate(model, ids, 4), expected)
