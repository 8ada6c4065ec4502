# %% [markdown]
# Where an answer can be checked, a program can pay for it, and no reward model is needed. You write that
# program: it finds the answer in a model's completion, compares it with the known truth, looks at the format,
# and pays for code that passes its tests.
#
# A model that is trained on a reward finds what the checker pays for by mistake, and does it again. So: what
# isn't clearly right earns nothing, and no completion, however odd, makes a function raise.

# %% [markdown] lang="zh"
# 只要答案能核对，就可以由程序来发奖励，不必训练奖励模型。本题要写的正是这个程序：从模型的输出里找出答案，与已知的正确答案比较，检查格式，并给通过单元测试的代码发奖励。
#
# 用某个奖励训练模型，模型就会找出判题程序误发奖励的地方，然后反复利用。所以：不能确认是对的，一律没有奖励；输出再古怪，函数也不能抛出异常。

# %%
import re
from collections.abc import Callable, Sequence
from fractions import Fraction

# %% [markdown]
# ## 1. Find the answer
#
# An answer counts only outside the thinking: after the last `</think>`, if there is one, and before any
# `<think>` that follows. There,
#
# 1. the answer is the content of the last `\boxed{...}` whose braces are balanced (`\boxed{\frac{1}{2}}` holds
#    braces of its own);
# 2. without such a box it is what follows the last `####`, up to the end of that line;
# 3. without either there is no answer, whatever numbers the text holds.

# %% [markdown] lang="zh"
# ## 1. 找出答案
#
# 只有思考过程之外的答案才算数：如果有 `</think>`，只看最后一个 `</think>` 之后的文本；其后若又出现 `<think>`，就只看到它为止。在这段文本里：
#
# 1. 答案是最后一个花括号配平的 `\boxed{...}` 的内容（`\boxed{\frac{1}{2}}` 里面还有花括号）；
# 2. 没有这样的框，就取最后一个 `####` 之后、到这一行末尾的内容；
# 3. 两者都没有，就是没有答案，不管文中出现过什么数。


# %%
def extract_answer(completion: str) -> str | None:
    r"""The final answer that a completion gives.

    Returns: the answer without spaces around it, or None.

    Example: r"First \boxed{3}, no: \boxed{\frac{1}{2}}." gives r"\frac{1}{2}"; "3 + 4 = 7\n#### 7" gives "7".

    Source: boxes as in MATH (Hendrycks et al. 2021), #### as in GSM8K (Cobbe et al. 2021).
    """
    # BEGIN SOLUTION
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
    return None if answer is None else answer.strip()
    # END SOLUTION


# %% [markdown]
# ## 2. Compare it with the truth
#
# Remove every `$` and `\$`, then the white space at both ends. These are numbers:
#
# * an integer or a decimal, with or without a sign: `12`, `-0.5`, `.5`. Commas may stand between groups of
#   three digits: `1,234,567.5`. A comma anywhere else makes it text;
# * two of those as `a/b`, `\frac{a}{b}` or `\dfrac{a}{b}`; a sign may also stand before `\frac`;
# * any of these with `%` or `\%` behind it: a hundredth.
#
# Two numbers are equal if they are so exactly: `0.33` is not `1/3`. All else is text: `1e3`, `2+2`, `1/0`, the
# mixed number `1 1/2` with its space. Two texts are equal if they are the same; a number never equals a text.

# %% [markdown] lang="zh"
# ## 2. 与正确答案比较
#
# 先去掉所有 `$` 和 `\$`，再去掉两端的空格。以下形式是数：
#
# * 整数或小数，可以带符号：`12`、`-0.5`、`.5`。逗号可以作千位分隔符，每组三位：`1,234,567.5`；逗号出现在别处，就是文本；
# * 由上面两个数组成的 `a/b`、`\frac{a}{b}` 或 `\dfrac{a}{b}`；`\frac` 前面也可以有符号；
# * 以上任何一种，后面跟 `%` 或 `\%`：除以一百。
#
# 两个数精确相等才算相等：`0.33` 不是 `1/3`。其余都是文本：`1e3`、`2+2`、`1/0`，以及中间有空格的带分数 `1 1/2`。两段文本完全相同才算相等；数与文本永远不相等。


# %%
def same_answer(answer: str, truth: str) -> bool:
    r"""Whether two answers mean the same.

    Example: "0.5", "1/2", r"\frac{-1}{-2}" and r"50\%" are all the same; "50" is another.
    """
    # BEGIN SOLUTION
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
    # END SOLUTION


# %% [markdown]
# Both together are the reward for correctness (given):

# %% [markdown] lang="zh"
# 两者合起来，就是正确性奖励（已给出）：


# %%
def answer_reward(completion: str, truth: str) -> float:
    """1.0 if the completion's answer is the truth, else 0.0."""
    answer = extract_answer(completion)
    return 1.0 if answer is not None and same_answer(answer, truth) else 0.0


# %% [markdown]
# ## 3. Format
#
# A completion in the right format begins with `<think>`, closes it by `</think>`, and has an answer (more than
# white space) after that. Each of the two tags occurs once in the whole text.

# %% [markdown] lang="zh"
# ## 3. 格式
#
# 格式正确的输出以 `<think>` 开头，用 `</think>` 结束思考，之后还有答案（不能只有空白）。两个标签在全文中各出现一次。


# %%
def format_reward(completion: str) -> float:
    """1.0 for the right format, else 0.0.

    Source: DeepSeek-AI 2025 (R1), section 2.2, https://arxiv.org/abs/2501.12948.
    """
    # BEGIN SOLUTION
    once = completion.count("<think>") == completion.count("</think>") == 1
    answer = completion.partition("</think>")[2]
    return float(once and completion.startswith("<think>") and answer.strip() != "")
    # END SOLUTION


# %% [markdown]
# ## 4. Unit tests
#
# `run(program, test)` runs a program with one test in a sandbox and returns whether the test passed. It may
# raise an `Exception`: that test has failed. The reward is 1.0 only if every test passes. Without tests
# nothing was shown, and nothing is paid.

# %% [markdown] lang="zh"
# ## 4. 单元测试
#
# `run(program, test)` 在沙箱里用一个测试运行程序，返回这个测试是否通过。它可能抛出 `Exception`，那就算这个测试没通过。所有测试都通过，奖励才是 1.0。一个测试都没有，等于什么也没证明，没有奖励。


# %%
def unit_test_reward(program: str, tests: Sequence[str], run: Callable[[str, str], bool]) -> float:
    """1.0 if the program passes every one of its tests, else 0.0.

    Source: DeepSeek-AI 2025 (R1), section 2.2: code is run against predefined test cases.
    """

    # BEGIN SOLUTION
    def passes(test: str) -> bool:
        try:
            return run(program, test)
        except Exception:  # whatever it is, the test hasn't passed
            return False

    return float(len(tests) > 0 and all(passes(test) for test in tests))
    # END SOLUTION
