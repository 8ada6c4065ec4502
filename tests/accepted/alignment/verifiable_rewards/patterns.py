"""With patterns for everything: boxes from the last to the first, and decimals by the decimal module."""

import re
from decimal import Decimal, InvalidOperation
from fractions import Fraction

PLAIN = r"[-+]?(?:\d+|\d{1,3}(?:,\d\d\d)+)?(?:\.\d+)?"
QUOTIENT = re.compile(
    rf"(?P<sign>[-+]?)\\d?frac\{{(?P<a>{PLAIN})\}}\{{(?P<b>{PLAIN})\}}|(?P<c>{PLAIN})/(?P<d>{PLAIN})|(?P<e>{PLAIN})"
)
NO_TAG = r"(?:(?!</?think>).)*"
COMPLETION = re.compile(rf"<think>{NO_TAG}</think>{NO_TAG}(?!</?think>)\S{NO_TAG}", re.DOTALL)


def _until_closed(text):
    depth = 0
    for brace in re.finditer(r"[{}]", text):
        if brace.group() == "}":
            if depth == 0:
                return text[: brace.start()]
            depth -= 1
        else:
            depth += 1
    return None


def extract_answer(completion):
    outside = re.split("<think>", re.sub(r".*</think>", "", completion, flags=re.DOTALL))[0]
    for box in reversed(list(re.finditer(r"\\boxed\{", outside))):
        content = _until_closed(outside[box.end() :])
        if content is not None:
            return content.strip()
    lines = re.findall(r".*####(.*)", outside)
    return lines[-1].strip() if lines else None


def _value(text):
    text = re.sub(r"\\?\$", "", text).strip()
    match = re.fullmatch(rf"({QUOTIENT.pattern})(\\?%)?", text)
    if match is None:
        return text
    part = match.groupdict()
    try:
        numbers = [
            Fraction(Decimal((digits or "x").replace(",", "")))
            for digits in (part["a"] or part["c"] or part["e"], part["b"] or part["d"] or "1")
        ]
        if part["b"] == "" or part["d"] == "":
            return text
        value = numbers[0] / numbers[1]
    except (InvalidOperation, ZeroDivisionError):
        return text
    return value * (-1 if part["sign"] == "-" else 1) / (100 if text.endswith("%") else 1)


def same_answer(answer, truth):
    return _value(answer) == _value(truth)


def format_reward(completion):
    return 1.0 if COMPLETION.fullmatch(completion) else 0.0


def unit_test_reward(program, tests, run):
    failed = 0
    for test in tests:
        try:
            failed += not run(program, test)
        except Exception:
            failed += 1
    return float(failed == 0 and bool(tests))
