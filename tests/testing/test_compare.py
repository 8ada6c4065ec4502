"""`assert_close`: a table of what is the same, and of what is not and why."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from autograder.testing import assert_close

T = torch.tensor
NAN, INF = math.nan, math.inf
NANS = T([NAN, 1.0])

SAME: dict[str, tuple[Any, Any]] = {
    "rounding": (T([1.0, 2.0]), T([1.0, 2.0 + 1e-6])),
    "rounding relative to the largest": (T([1000.0, 0.001]), T([1000.0, 0.0])),
    "rounding around zero": (T([1e-6]), T([0.0])),
    "half": (T([1.0], dtype=torch.float16), T([1.005], dtype=torch.float16)),
    "bfloat16": (T([1.0], dtype=torch.bfloat16), T([1.016], dtype=torch.bfloat16)),
    "complex": (T([1 + 1j]), T([1 + 1.00001j])),
    "infinities": (T([INF, -INF, 1.0]), T([INF, -INF, 1.0])),
    "only infinities": (T([INF]), T([INF])),
    "integers": (T([1, 2]), T([1, 2])),
    "booleans": (T([True]), T([True])),
    "empty": (torch.empty(0, 3), torch.empty(0, 3)),
    "scalar": (T(1.5), T(1.5)),
    "graph": (T([1.0], requires_grad=True), T([1.0])),
    "numpy": (np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])),
    "int": (3, 3),
    "float": (0.1 + 0.2, 0.3),
    "float by int": (1, 1.0),
    "infinite float": (INF, INF),
    "complex number": (1 + 2j, 1 + 2.000001j),
    "string": ("词", "词"),
    "none": (None, None),
    "list": ([1, [2.0, "a"]], [1, [2.0, "a"]]),
    "tuple": ((T([1.0]), 2), (T([1.0]), 2)),
    "dict": ({"a": T([1]), 3: None}, {3: None, "a": T([1])}),
    "bytes": (b"ab", b"ab"),
    "size": (torch.Size([2, 3]), torch.Size([2, 3])),
    "torch.Size for a tuple": (torch.Size([2, 3]), (2, 3)),
    "set": ({1, 2}, {2, 1}),
    "tuple for list": ((1, [2]), [1, (2,)]),
    "list for tuple": ([1, 2], (1, 2)),
    "dtype": (torch.float32, torch.float32),
}

DIFFERENT: dict[str, tuple[Any, Any, str]] = {
    "value": (T([1.0, 2.0]), T([1.0, 2.1]), "not close"),
    "small value beside smaller ones": (T([0.0]), T([0.001]), "not close"),
    "zeros": (torch.zeros(3), T([0.01, 0.02, 0.03]), "not close"),
    "dtype": (T([1.0], dtype=torch.float64), T([1.0]), "dtype torch.float64, expected torch.float32"),
    "integer dtype": (T([1], dtype=torch.int32), T([1]), "dtype torch.int32"),
    "boolean for integer": (T([True]), T([1]), "dtype torch.bool"),
    "shape": (torch.ones(2, 3), torch.ones(3, 2), "shape [2, 3], expected [3, 2]"),
    "broadcast": (torch.ones(1, 3), torch.ones(2, 3), "shape [1, 3]"),
    "scalar broadcast": (T(1.0), torch.ones(3), "shape []"),
    "number of axes": (torch.ones(3, 1), torch.ones(3), "shape [3, 1]"),
    "empty shape": (torch.empty(0, 2), torch.empty(0, 3), "shape [0, 2]"),
    "nan": (T([NAN, 1.0]), T([1.0, 1.0]), "contains NaN"),
    "nan against nan": (T([NAN]), T([NAN]), "NaN"),
    "nan against itself": (NANS, NANS, "NaN"),
    "layout": (T([1.0]).to_sparse(), T([1.0]), "is torch.sparse_coo on cpu, expected torch.strided on cpu"),
    "device": (torch.ones(1, device="meta"), torch.ones(1), "is torch.strided on meta"),
    "infinity": (T([INF]), T([1.0]), "not close"),
    "sign of infinity": (T([-INF]), T([INF]), "not close"),
    "value beside infinity": (T([INF, 2.0]), T([INF, 1.0]), "not close"),
    "integers": (T([1_000_000]), T([1_000_001]), "not close"),
    "booleans": (T([True]), T([False]), "not close"),
    "list for tensor": ([1.0], T([1.0]), "should be a tensor, not a list"),
    "float for tensor": (1.0, T(1.0), "should be a tensor, not a float"),
    "tensor for float": (T(1.0), 1.0, "should be a number, not a tensor"),
    "none for tensor": (None, T(1.0), "should be a tensor, not None"),
    "numpy for tensor": (np.ones(2), torch.ones(2), "should be a tensor, not a ndarray"),
    "tensor for numpy": (torch.ones(2), np.ones(2), "should be a numpy array, not a tensor"),
    "numpy dtype": (np.ones(2, dtype=np.float32), np.ones(2), "dtype"),
    "int": (3, 4, "is 3, expected 4"),
    "float for int": (3.0, 3, "is 3.0, expected 3"),
    "bool for int": (True, 1, "should be a number, not a bool"),
    "int for bool": (1, True, "is 1, expected True"),
    "float": (0.3001, 0.3, "expected about 0.3"),
    "nan float": (NAN, 1.0, "is nan"),
    "nan float against nan": (NAN, NAN, "is nan"),
    "infinite float": (INF, 1.0, "is inf"),
    "finite float": (1.0, INF, "is 1.0"),
    "string": ("a", "b", "is 'a', expected 'b'"),
    "bytes for string": (b"a", "a", "is b'a'"),
    "none": (0, None, "is 0, expected None"),
    "nested": ([1, {"a": (2.0, T([1.0]))}], [1, {"a": (2.0, T([2.0]))}], "[1]['a'][1] is not close"),
    "nested number": ([[1], [2]], [[1], [3]], "the result[1][0] is 2, expected 3"),
    "length": ([1, 2], [1, 2, 3], "has 2 elements, expected 3"),
    "set for list": ({1, 2}, [1, 2], "should be a list, not a set"),
    "dict for tuple": ({0: 1}, (1,), "should be a tuple, not a dict"),
    "string for list": ("ab", ["a", "b"], "should be a list, not a str"),
    "list for string": (["a", "b"], "ab", "expected 'ab'"),
    "keys": ({"a": 1}, {"b": 1}, "keys [\"'a'\"], expected [\"'b'\"]"),
    "list for dict": ([1], {0: 1}, "should be a dict, not a list"),
    "set": ({1}, {1, 2}, "expected {1, 2}"),
}


@pytest.mark.parametrize("case", SAME)
def test_same(case: str) -> None:
    assert_close(*SAME[case])


@pytest.mark.parametrize("case", DIFFERENT)
def test_different(case: str) -> None:
    actual, expected, problem = DIFFERENT[case]
    with pytest.raises(AssertionError) as caught:
        assert_close(actual, expected)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("the result")


def test_message_comes_first() -> None:
    with pytest.raises(AssertionError, match=r"^weights sum to one: the result is 2, expected 1"):
        assert_close(2, 1, message="weights sum to one")


def test_tolerances_can_be_set() -> None:
    assert_close(T([1.0]), T([1.05]), rtol=0.1)
    assert_close(T([1.0]), T([1.05]), atol=0.1)
    assert_close(1.0, 1.05, rtol=0.1)
    assert_close([1.0], [1.05], atol=0.1)
    for tight in ({"rtol": 1e-9}, {"rtol": 0.0, "atol": 1e-9}):
        with pytest.raises(AssertionError):
            assert_close(T([1.0, 1.0]), T([1.0, 1.00001]), **tight)
    with pytest.raises(AssertionError):
        assert_close(T([1]), T([2]), rtol=1.0, atol=5.0)  # integers are never about right


@pytest.mark.parametrize(
    ("actual", "expected", "told"),
    [
        (T([[1.0], [2.5]]), T([[1.0], [-1 / 3]]), ": got [[1], [2.5]], expected [[1], [-0.333333]]"),
        (T([1_000_000.0, 1.0]), T([1_000_300.0, 1.0]), ": got [1e+06, 1], expected [1.0003e+06, 1]"),
        (T([1.0], dtype=torch.float64), T([1.0000005], dtype=torch.float64), ": got [1.0], expected [1.0000005]"),
        (T([1, 2]), T([1, 3]), ": got [1, 2], expected [1, 3]"),
        (T([True]), T([False]), ": got [True], expected [False]"),
        (T([1 + 1j]), T([2 + 1j]), ": got [(1+1j)], expected [(2+1j)]"),
        (T([NAN, 1.0]), T([0.0, 1.0]), "contains NaN: got [nan, 1], expected [0, 1]"),
        (torch.zeros(10), torch.ones(10), "expected [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"),
        (np.zeros(2), np.ones(2), ": got [0, 0], expected [1, 1]"),
    ],
)  # fmt: skip
def test_small_tensors_are_shown(actual: Any, expected: Any, told: str) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_close(actual, expected)
    assert str(caught.value).endswith(told)


@pytest.mark.parametrize("shape", [(), (11,)])
def test_large_tensors_are_not_and_single_values_once(shape: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError) as caught:
        assert_close(torch.zeros(shape), torch.ones(shape))
    assert ": got" not in str(caught.value)
