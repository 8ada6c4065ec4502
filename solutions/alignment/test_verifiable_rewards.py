"""Hidden tests of alignment/verifiable_rewards."""

import pytest


def check_answers(student, cases: dict[str, str | None]) -> None:
    assert len(set(cases.values())) > 1, "no one answer fits all"
    for completion, expected in cases.items():
        assert student.extract_answer(completion) == expected


# ---------------------------------------------------------------- 1


PLACES = {
    "box": {
        r"\boxed{4}, or \boxed{5}, or \boxed{6}? \boxed{4}, or rather \boxed{ 12 }!": "12",
        r"So $x = \boxed{\frac{3}{4}}$ {as was asked}.": r"\frac{3}{4}",
        r"\boxed{\sqrt{\frac{a}{b_{1}}} + {c}} and }": r"\sqrt{\frac{a}{b_{1}}} + {c}",
        r"\boxed{8} and now in full: \boxed{\frac{16}{2}": "8",
        "\\boxed{\n-3\n}": "-3",
    },
    "line": {
        "6 * 7 = 42\n#### 42\nThat was easy, 1 minute.": "42",
        "#### 5 \nNo, wait.\n####6": "6",
        r"\boxed{9} it is." + "\n#### 10": "9",
        "\\boxed{9\n#### 1,000 ": "1,000",
    },
}


@pytest.mark.points(2.5)
@pytest.mark.parametrize("place", PLACES)
def test_place_of_the_answer(student, place):
    """The answer is the content of the last box with balanced braces; without one, the rest of the line after the last ####.

    zh: 答案是最后一个花括号配平的框里的全部内容；没有这样的框，则是最后一个 #### 之后到行尾的内容。
    """
    check_answers(student, PLACES[place])


@pytest.mark.points(1)
def test_answer_out_of_place(student):
    """What stands in no closed box and after no #### is no answer.

    zh: 不在配平的框里、也不在 #### 之后的内容，都不是答案。
    """
    check_answers(
        student,
        {
            "The answer is 17.": None,
            "17": None,
            "": None,
            r"The answer is \boxed{17": None,
            "### 17": None,
            r"\boxed{17}": "17",
        },
    )


@pytest.mark.points(1)
def test_thinking_is_not_the_answer(student):
    """An answer counts only after the last </think>, and not inside a <think> that follows.

    zh: 只有最后一个 </think> 之后的答案才算数；其后又打开的 <think> 里的也不算。
    """
    check_answers(
        student,
        {
            r"<think>Is it \boxed{3}?</think> I don't know.": None,
            "<think>\n#### 3\n</think>\n#### 4": "4",
            r"<think>a</think> \boxed{5} <think>b</think> \boxed{6}": "6",
            r"<think>a</think> \boxed{5} <think>b</think> no": None,
            r"\boxed{7} <think> or \boxed{8}?": "7",
            r"<think>It goes on and on: \boxed{8}": None,
        },
    )


# ---------------------------------------------------------------- 2

EQUAL = {
    "integers and decimals": (
        ("1,234,567.5", "1234567.5"),
        (r"\$12,000", "12000"),
        ("$12,000$", " 12000.0 "),
        (".750", "0.75"),
        ("+5", "5"),
        ("0", "-0.0"),
        ("007", "7"),
        ("x^2 + 1", " $x^2 + 1$"),
        ("东北", "东北"),
    ),
    "fractions": (
        ("-3/4", r"-\frac{3}{4}"),
        ("-0.75", r"\frac{-3}{4}"),
        ("3/-4", r"\dfrac{3}{-4}"),
        ("6/8", r"\dfrac{3}{4}"),
        (r"\frac{3}{4}", "0.75"),
        (r"-\frac{-1}{2}", "0.5"),
        (r"+\frac{1.5}{3}", "1/2"),
        (r"\frac{1,000}{2}", "500"),
        ("0/7", "0"),
    ),
    "percent": (
        (r"75\%", "3/4"),
        ("75%", "0.75"),
        ("-150%", r"\frac{-3}{2}"),
        (r"$50\%$", r"\frac{1}{2}"),
        (r"\frac{1}{2}%", "0.005"),
        ("1/2%", "0.005"),
        ("1,000%", "10"),
    ),
}

DIFFERENT = (
    (r"50\%", "50"),
    ("1,2", "12"),
    ("12,34", "1234"),
    ("1234,567", "1234567"),
    (",123", "123"),
    ("1,234", "1.234"),
    ("0.33", "1/3"),
    ("0.3333333333333333", "1/3"),
    ("100000000000000000001", "100000000000000000000"),
    ("-1/2", "1/2"),
    (r"-\frac{1}{2}", r"\frac{1}{2}"),
    (r"\frac{1}{2}", "2"),
    ("1 1/2", "11/2"),
    ("1 000", "1000"),
    ("1e3", "1000"),
    ("5 or 6", "5"),
    ("5,6", "6"),
    ("x", "X"),
    ("", "0"),
    ("a", "0"),
)


@pytest.mark.points(1.5)
@pytest.mark.parametrize("forms", EQUAL)
def test_one_number_many_forms(student, forms):
    """Integers, decimals, fractions and percentages are equal where their exact values are; texts, where they are the same.

    zh: 整数、小数、分数和百分数，精确值相同就算相等；文本则要完全相同。
    """
    for pair in EQUAL[forms]:
        assert student.same_answer(*pair) and student.same_answer(*reversed(pair))
        assert not student.same_answer(pair[0], "19/7")


@pytest.mark.points(1.5)
def test_nearly_the_same(student):
    """What differs in its exact value, or is not written as a number, is not equal.

    zh: 精确值不同，或者写法不是数，就不相等。
    """
    for pair in DIFFERENT:
        assert not student.same_answer(*pair) and not student.same_answer(*reversed(pair))
        assert student.same_answer(pair[0], f" {pair[0]}$")


@pytest.mark.points(1.5)
def test_nothing_raises_or_runs(student):
    """An answer that can't be read as a number is not equal to one: it raises nothing, and it is never run as code.

    zh: 读不成数的答案不等于任何数：不抛出异常，也绝不当作代码执行。
    """
    unreadable = [
        r"\frac{4}{0}",
        "4/0",
        "0/0",
        "2+2",
        "2**2",
        "4 if 1 else 0",
        "max(4, 0)",
        r"\frac{4}{1",
        r"\frac{4}{}",
        r"\frac{2+2}{1}",
        "{", "}", "\\", "%", "$", "/", "-", ".", "4/", "--4", "4%%%", "4\n4",
        "nan", "inf", "1e999999999", "9" * 10000,
        "(" * 1000,
    ]  # fmt: skip
    for answer in unreadable:
        assert not student.same_answer(answer, "4")
    assert student.same_answer("8/2", "4")


# ---------------------------------------------------------------- 3 and 4


@pytest.mark.points(1.5)
def test_format_of_the_whole_text(student):
    """The whole text is one pair of tags from its beginning on, and an answer after it.

    zh: 全文从开头起是一对标签，其后是答案。
    """
    right = ["<think>6 * 7</think>42", "<think>\na < b\n\nso\n</think>\n\nIt is\n42\n"]
    wrong = [
        "<think>a</think><think>b</think>42",
        "<think>a</think>42</think>",
        "<think><think>a</think>42",
        "<think>a</think>42 <think>",
        "<think>a</think>",
        "<think>a</think> \n\t",
        "Well: <think>a</think>42",
        "\n<think>a</think>42",
        "<think>a 42",
        "a</think>42",
        "</think>a<think>42",
        "<think>a<think>42",
        "<Think>a</Think>42",
        "42",
        "",
    ]
    for completion in right:
        assert student.format_reward(completion) == 1.0
    for completion in wrong:
        assert student.format_reward(completion) == 0.0


@pytest.mark.points(1.5)
def test_every_unit_test_counts(student):
    """All tests passed earns 1.0; one failed, one that raises, or no test at all earns 0.0.

    zh: 全部通过得 1.0；有一个没通过、有一个抛出异常，或者一个测试都没有，得 0.0。
    """

    def run(program: str, test: str) -> bool:
        if test == "loop":
            raise TimeoutError("the program did not end")
        if test == "crash":
            raise ZeroDivisionError
        return test in program

    tests = ["add", "sub", "mul"]
    assert student.unit_test_reward("add sub mul", tests, run) == 1.0
    assert student.unit_test_reward("add sub mul", ["mul"], run) == 1.0
    for failed in range(3):
        program = " ".join(test for place, test in enumerate(tests) if place != failed)
        assert student.unit_test_reward(program, tests, run) == 0.0
    assert student.unit_test_reward("add sub mul", [], run) == 0.0
    for raising in ("loop", "crash"):
        assert student.unit_test_reward("add sub mul", [raising, *tests], run) == 0.0
        assert student.unit_test_reward("add sub mul", [*tests, raising], run) == 0.0
