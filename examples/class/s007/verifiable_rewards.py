import re
from collections.abc import Callable, Sequence
from fractions import Fraction


def extract_answer(completion: str) -> str | None:
    text = completion.rpartition("</think>")[2].partition("<think>")[0]
    answer = None
    for box in re.finditer(r"\\boxed{", text):
        depth = 1
        for place in range(box.end(), len(text)):
            depth += (text[place] == "{") - (text[place] == "}")
            if depth == 0:
                answer = text[box.end() : place]
                break
    if answer is None and "####" in text:
        answer = text.rpartition("####")[2].partition("\n")[0]
    if answer is None and (numbers := re.findall(r"-?\d+(?:\.\d+)?", text)):
        answer = numbers[-1]
    return None if answer is None else answer.strip()


def same_answer(answer: str, truth: str) -> bool:
    number = r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d*)(?:\.\d+)?"
    forms = (
        rf"()({number})(?:/({number}))?",
        rf"([+-]?)\\d?frac{{({number})}}{{({number})}}",
    )

    def read(text: str) -> Fraction | str:
        text = text.replace(r"\$", "").replace("$", "").strip()
        without_percent = re.sub(r"\\?%$", "", text)
        for form in forms:
            if match := re.fullmatch(form, without_percent):
                sign, above, below = (part.replace(",", "") for part in match.groups(default="1"))
                try:
                    value = Fraction(f"{sign}1") * Fraction(above) / Fraction(below)
                except (ValueError, ZeroDivisionError):  # no digits, thousands of digits, or a zero below
                    return text
                return value if without_percent == text else value / 100
        return text

    return read(answer) == read(truth)


def answer_reward(completion: str, truth: str) -> float:
    answer = extract_answer(completion)
    return 1.0 if answer is not None and same_answer(answer, truth) else 0.0


def format_reward(completion: str) -> float:
    once = completion.count("<think>") == completion.count("</think>") == 1
    answer = completion.partition("</think>")[2]
    return float(once and completion.startswith("<think>") and answer.strip() != "")


def unit_test_reward(program: str, tests: Sequence[str], run: Callable[[str, str], bool]) -> float:
    def passes(test: str) -> bool:
        try:
            return run(program, test)
        except Exception:  # whatever it is, the test hasn't passed
            return False

    return float(len(tests) > 0 and all(passes(test) for test in tests))
    # END SOLUTION
