"""Without regular expressions: a stack of braces, and numbers read digit by digit into pairs of integers."""

DIGITS = "0123456789"


def extract_answer(completion):
    text = completion
    if "</think>" in text:
        text = text[text.rindex("</think>") + len("</think>") :]
    if "<think>" in text:
        text = text[: text.index("<think>")]
    closed, opened = {}, []  # where a box begins -> what it holds; where braces that are open now began
    for place, character in enumerate(text):
        if character == "{":
            opened.append(place)
        elif character == "}" and opened:
            begin = opened.pop()
            if text[:begin].endswith("\\boxed"):
                closed[begin] = text[begin + 1 : place]
    if closed:
        return closed[max(closed)].strip()
    for line in reversed(text.split("\n")):
        if "####" in line:
            return line.split("####")[-1].strip()
    return None


def read_integer(text):
    """An int, or None for what is no unsigned integer."""
    groups = text.split(",")
    if len(groups) > 1 and not (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])):
        return None
    digits = "".join(groups)
    if not digits or len(digits) > 4000 or any(digit not in DIGITS for digit in digits):
        return None
    return int(digits)


def read_decimal(text):
    """(numerator, denominator), or None."""
    sign = 1
    if text[:1] in ("+", "-"):
        sign, text = (-1 if text[0] == "-" else 1), text[1:]
    if "." not in text:
        whole = read_integer(text)
        return None if whole is None else (sign * whole, 1)
    whole, decimals = text.split(".", 1)
    above = read_integer(whole) if whole else 0
    behind = None if "," in decimals else read_integer(decimals)
    if above is None or behind is None:
        return None
    scale = 10 ** len(decimals)
    return sign * (above * scale + behind), scale


def read(text):
    """A number as a pair, or None."""
    scale = 1
    if text.endswith("%"):
        text, scale = text[:-1].removesuffix("\\"), 100
    sign, parts = 1, [text, "1"]
    for command in ("\\frac{", "\\dfrac{"):
        before, found, rest = text.partition(command)
        if found and before in ("", "+", "-") and rest.endswith("}") and rest.count("}{") == 1:
            sign, parts = (-1 if before == "-" else 1), rest[:-1].split("}{")
    if text.count("/") == 1:
        parts = text.split("/")
    above, below = map(read_decimal, parts)
    if above is None or below is None or below[0] == 0:
        return None
    return sign * above[0] * below[1], above[1] * below[0] * scale


def same_answer(answer, truth):
    texts = [text.replace("\\$", "").replace("$", "").strip() for text in (answer, truth)]
    left, right = map(read, texts)
    if left is None or right is None:
        return left is right and texts[0] == texts[1]
    return left[0] * right[1] == right[0] * left[1]


def format_reward(completion):
    pieces = completion.split("<think>")
    if len(pieces) != 2 or pieces[0]:
        return 0.0
    rest = pieces[1].split("</think>")
    return 1.0 if len(rest) == 2 and rest[1].strip() else 0.0


def unit_test_reward(program, tests, run):
    if not tests:
        return 0.0
    for test in tests:
        try:
            if not run(program, test):
                return 0.0
        except Exception:
            return 0.0
    return 1.0
