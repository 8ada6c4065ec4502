"""Answers that ignore the question: made from the reference by mapping what it returns.

None of them may earn a hidden point. The text below `# --- appended` is added to a reference solution and becomes part
of a submission; everything it does happens on the student's side.
"""

from __future__ import annotations

from collections.abc import Sequence

KINDS = ("zeros", "constant", "identity", "noise", "raising")

APPENDED = """

# --- appended
def _cheapen(kind, names):
    import functools
    import inspect
    import random
    import string

    import numpy
    import torch

    def leaf(value, first):
        if isinstance(value, torch.Tensor):
            if kind == "identity":
                same = isinstance(first, torch.Tensor) and first.shape == value.shape
                return first.to(value.dtype) if same else torch.zeros_like(value)
            if kind == "noise" and value.dtype == torch.bool:
                return torch.rand(value.shape) < 0.5
            if kind == "noise":
                return torch.randn(value.shape).mul(3).to(value.dtype)
            return torch.ones_like(value) if kind == "constant" else torch.zeros_like(value)
        if isinstance(value, numpy.ndarray):
            return leaf(torch.from_numpy(value), None).numpy()
        if kind == "identity" and type(first) is type(value) and value is not None:
            return first
        if isinstance(value, bool):
            return {"noise": random.random() < 0.5, "constant": True}.get(kind, False)
        if isinstance(value, int):
            return {"noise": random.randrange(-9, 300), "constant": 1}.get(kind, 0)
        if isinstance(value, float):
            return {"noise": random.gauss(0, 3), "constant": 1.0}.get(kind, 0.0)
        if isinstance(value, str):
            drawn = "".join(random.choice(string.ascii_letters) for _ in value)
            return {"noise": drawn, "constant": "a" * len(value)}.get(kind, "")
        if isinstance(value, bytes):
            return {"noise": random.randbytes(len(value)), "constant": b"a" * len(value)}.get(kind, b"")
        return value

    def mapped(value, first):
        if kind == "identity" and type(value) in (list, dict) and type(first) is type(value):
            return first
        if type(value) in (list, tuple):
            return type(value)(mapped(item, first) for item in value)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(mapped(item, first) for item in value))
        if isinstance(value, dict):
            return {key: mapped(item, first) for key, item in value.items()}
        return leaf(value, first)

    def cheap(function, is_method):
        @functools.wraps(function)
        def answer(*args, **kwargs):
            if kind == "raising":
                raise ValueError
            value = function(*args, **kwargs)
            given = [*args[is_method:], *kwargs.values()]
            if inspect.isgenerator(value):
                return (mapped(item, given[0] if given else None) for item in value)
            return mapped(value, given[0] if given else None)

        return answer

    for name in names:
        target = globals()[name]
        if not isinstance(target, type):
            globals()[name] = cheap(target, False)
            continue
        for attribute, method in list(vars(target).items()):
            if inspect.isfunction(method) and attribute != "__init__":
                setattr(target, attribute, cheap(method, True))


"""


def cheap_answer(solution: str, kind: str, questions: Sequence[str]) -> str:
    """The source of a submission whose every answer to these questions is replaced by a cheap one of this kind."""
    return f"{solution}{APPENDED}_cheapen({kind!r}, {list(questions)!r})\n"
