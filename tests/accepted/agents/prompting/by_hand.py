"""No regular expressions and no counters: a scanner for numbers, strings cut by hand, loops, lists of pairs."""

DIGITS = "0123456789"


def few_shot(instructions, examples, question, count, budget):
    def prompt(n):
        text = instructions + "\n\n"
        for asked, answer in reversed(examples[:n]):
            text += "Q: " + asked + "\nA: " + answer + "\n\n"
        return text + "Q: " + question + "\nA:"

    best = prompt(0)
    if count(best) > budget:
        raise ValueError(f"{count(best)} are more than {budget}")
    n = 1
    while n <= len(examples) and count(longer := prompt(n)) <= budget:
        best, n = longer, n + 1
    return best


def numbers_of(text):
    """Every number as (negative, whole digits, decimal digits)."""
    found, place = [], 0
    while place < len(text):
        dot_first = text[place] == "." and text[place + 1 : place + 2] in (*DIGITS,)
        if text[place] not in DIGITS and not dot_first:
            place += 1
            continue
        negative = text[:place].endswith("-")
        whole = fraction = ""
        while place < len(text) and text[place] in DIGITS + ",":
            whole += text[place].strip(",")
            place += 1
        if text[place : place + 1] == "." and text[place + 1 : place + 2] in (*DIGITS,):
            place += 1
            while place < len(text) and text[place] in DIGITS:
                fraction += text[place]
                place += 1
        found.append((negative, whole, fraction))
    return found


def written(number):
    negative, whole, fraction = number
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return ("-" if negative else "") + whole + ("." + fraction if fraction else "")


def final_answer(reply, marker="answer is"):
    n = len(marker)
    places = [i for i in range(len(reply)) if reply[i : i + n].lower() == marker.lower()]
    if not places:
        numbers = numbers_of(reply)
        return written(numbers[-1]) if numbers else None
    line = (reply[places[-1] + n :] + "\n").splitlines()[0]
    numbers = numbers_of(line)
    if numbers:
        return written(numbers[0])
    letters = [i for i, sign in enumerate(line) if sign.isalpha()]
    return line[letters[0] : letters[-1] + 1].lower() if letters else None


def self_consistency(replies, marker="answer is"):
    winner, most = None, 0
    answers = [final_answer(reply, marker) for reply in replies]
    for answer in answers:
        if answer is not None and answers.count(answer) > most:
            winner, most = answer, answers.count(answer)
    return winner, most


def tree_of_thoughts(root, propose, score, width, depth):
    beam = [root]
    while depth > 0:
        ranked = []
        seen = set()
        for state in beam:
            for child in propose(state):
                if child in seen:
                    continue
                seen.add(child)
                value = score(child)
                # Behind all that are at least as good.
                place = sum(other >= value for other, _ in ranked)
                ranked.insert(place, (value, child))
                del ranked[width:]
        if not ranked:
            return beam
        beam = [child for _, child in ranked]
        depth -= 1
    return beam
