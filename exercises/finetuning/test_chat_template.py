"""Public tests of finetuning/chat_template: examples small enough to check by eye."""

import pytest
import torch

from autograder.testing import assert_close, check_refusal

START, END = 1, 2


def characters(text):
    """A tokenizer whose tokens are characters, numbered by Unicode: newline 10, "a" 97. Special tokens are no text."""
    return [ord(character) for character in text]


def message(role, content):
    return {"role": role, "content": content}


@pytest.mark.points(1)
def test_text_by_eye(student):
    """One turn, with and without the generation prompt.

    zh: 只有一轮，末尾带或不带生成提示。
    """
    messages = [message("user", "Why?")]
    assert student.render(messages) == "<|im_start|>user\nWhy?<|im_end|>\n"
    assert student.render(messages, True) == "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.points(1)
def test_labels_by_eye(student):
    """The answer and its end-of-turn token have labels; its header, the newline behind it and the question have none.

    zh: 回答和它的轮次结束符有标签；回答的头部、末尾的换行以及提问都没有。
    """
    ids, labels = student.encode_chat(
        [message("user", "Hi"), message("assistant", "Yo")], characters, START, END
    )
    question = [START, *characters("user\n"), *characters("Hi"), END, 10]
    header = [START, *characters("assistant\n")]
    assert_close(ids, [*question, *header, 89, 111, END, 10])
    assert_close(labels, [-100] * len(question + header) + [89, 111, END, -100])


@pytest.mark.points(0.5)
def test_role_of_another_format(student):
    """ShareGPT calls the assistant "gpt": ValueError, rather than an answer that is never learned.

    zh: ShareGPT 格式里助手叫 "gpt"：应抛出 ValueError，而不是悄悄不学这条回答。
    """
    valid = ([message("user", "Hi"), message("assistant", "Yo")], characters, START, END)
    bad = ([message("user", "Hi"), message("gpt", "Yo")], characters, START, END)
    check_refusal(student.encode_chat, valid, bad, ValueError)


@pytest.mark.points(1.5)
def test_padded_with_the_end_of_turn(student):
    """Padding has the id of the end-of-turn token, which keeps its label: a model that never learns it never stops.

    zh: 填充与轮次结束符编号相同，结束符的标签仍要保留：学不到它的模型停不下来。
    """
    examples = [([1, 7, 2, 10], [-100, 7, 2, -100]), ([1, 8, 9, 7, 2, 10], [-100, 8, 9, 7, 2, -100])]
    ids, labels, weights = student.collate(examples, END)
    assert_close(ids, torch.tensor([[1, 7, 2, 10, 2, 2], [1, 8, 9, 7, 2, 10]]))
    assert_close(labels, torch.tensor([[-100, 7, 2, -100, -100, -100], [-100, 8, 9, 7, 2, -100]]))
    # Two turns, of 2 and of 4 tokens.
    quarter, eighth = 1 / 4, 1 / 8
    assert_close(
        weights, torch.tensor([[0, quarter, quarter, 0, 0, 0], [0, eighth, eighth, eighth, eighth, 0]])
    )


@pytest.mark.points(1)
def test_truncation_by_eye(student):
    """Counted in letters: of two exchanges, the last is kept where both don't fit; where not even it does, ValueError.

    zh: 以字母数为长度：两问两答放不下时只留最后一问一答；连它也放不下时抛出 ValueError。
    """

    def letters(messages):
        return sum(len(each["content"]) for each in messages)

    messages = [
        message("user", "aaa"),
        message("assistant", "b"),
        message("user", "cc"),
        message("assistant", "dd"),
    ]
    assert_close(student.truncate(messages, 8, letters), messages)
    assert_close(student.truncate(messages, 7, letters), messages[2:])
    check_refusal(student.truncate, (messages, 4, letters), (messages, 3, letters), ValueError)
