import re
from collections.abc import Callable, Sequence


def extract_answer(completion: str) -> str | None:
    text = completion.rpartition("</think>")[2].partition("<think>")[0]
    box = _last_box(text)
    if box is not None:
        return box.strip()
    _, hashes, rest = text.rpartition("####")
    return rest.partition("\n")[0].strip() if hashes else None


def _last_box(text: str) -> str | None:
    found = None
    stack: list[tuple[int, bool]] = []
    for match in re.finditer(r"\\boxed\{|[{}]", text):
        if match[0] != "}":
            stack.append((match.end(), len(match[0]) > 1))
        elif stack:
            start, is_box = stack.pop()
            if is_box and (found is None or start > found[0]):
                found = (start, match.start())
    return None if found is None else text[found[0] : found[1]]


def same_answer(answer: str, truth: str) -> bool:
    left, right = _clean(answer), _clean(truth)
    a, b = _number(left), _number(right)
    if a is None or b is None:
        return a is None and b is None and left == right
    return a[0] * b[1] == b[0] * a[1]


def _clean(text: str) -> str:
    return text.replace("\\$", "").replace("$", "").strip()


_PLAIN = r"[+-]?(?:(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.[0-9]+)?|\.[0-9]+)"
_NUMBER = re.compile(
    rf"(?:(?P<a>{_PLAIN})(?:/(?P<b>{_PLAIN}))?|(?P<sign>[+-]?)\\d?frac\{{(?P<c>{_PLAIN})\}}\{{(?P<d>{_PLAIN})\}})"
    r"(?P<percent>\\?%)?"
)


def _int(digits: str) -> int:
    if len(digits) <= 4000:
        return int(digits)
    half = len(digits) // 2
    return _int(digits[:-half]) * 10**half + _int(digits[-half:])


def _plain(text: str) -> tuple[int, int]:
    whole, _, decimals = text.lstrip("+-").replace(",", "").partition(".")
    value = _int(whole + decimals)
    return (-value if text[0] == "-" else value), 10 ** len(decimals)


def _number(text: str) -> tuple[int, int] | None:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    top = _plain(match["a"] or match["c"])
    under = match["b"] or match["d"]
    bottom = _plain(under) if under else (1, 1)
    if bottom[0] == 0:
        return None
    numerator, denominator = top[0] * bottom[1], top[1] * bottom[0]
    if match["sign"] == "-":
        numerator = -numerator
    if match["percent"]:
        denominator *= 100
    return numerator, denominator


def answer_reward(completion: str, truth: str) -> float:
    answer = extract_answer(completion)
    return 1.0 if answer is not None and same_answer(answer, truth) else 0.0


def format_reward(completion: str) -> float:
    if not completion.startswith("<think>"):
        return 0.0
    if completion.count("<think>") != 1 or completion.count("</think>") != 1:
        return 0.0
    return 1.0 if completion.partition("</think>")[2].strip() else 0.0


def unit_test_reward(program: str, tests: Sequence[str], run: Callable[[str, str], bool]) -> float:

    if len(tests) == 0:
        return 0.0
    for test in tests:
        try:
            passed = run(program, test)
        except Exception:
            return 0.0
        if not passed:
            return 0.0
    return 1.0
