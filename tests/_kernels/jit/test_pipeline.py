from __future__ import annotations

from itertools import pairwise

import numba
import numpy as np
import pytest

from qkdpost._kernels.jit.decorators import kernel, summing_kernel
from qkdpost._kernels.jit.environment import JIT_ENABLED

DTYPES = [np.int8, np.uint8, np.int64, np.uint64, np.float32]


@kernel
def lesser_halves(values: np.ndarray, output: np.ndarray) -> None:
    for index in range(values.size - 1):
        output[index] = values[index] / 2 if values[index] < values[index + 1] else values[index + 1] / 2


@summing_kernel
def total(values: np.ndarray) -> float:
    found = 0.0
    for index in range(values.size):
        found += values[index]
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_remembered_of_an_operator_is_that_of_its_types(dtype: type) -> None:
    values = np.array([-1, 1, 2, -3]).astype(dtype)
    output = np.zeros(3)
    lesser_halves(values, output)
    assert output.tolist() == [float(min(pair)) / 2 for pair in pairwise(values)]


def test_kernels_of_other_options_ask_for_themselves() -> None:
    values = np.arange(10.0)
    assert total(values) == 45.0
    output = np.zeros(9)
    lesser_halves(values, output)
    assert output.tolist() == [index / 2 for index in range(9)]


def entry(values: np.ndarray, index: int) -> int:
    return values[index]


def last(values: np.ndarray) -> int:
    return values[-1]


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_a_computed_index_does_not_count_from_the_end() -> None:
    pipeline = pytest.importorskip("qkdpost._kernels.jit.pipeline", exc_type=ImportError)
    compiled = numba.njit(boundscheck=True, pipeline_class=pipeline.KernelCompiler)
    values = np.array([5, 6, 7, 8])
    assert compiled(entry)(values, 3) == compiled(last)(values) == 8
    called = compiled(entry)

    def last_by_call(values: np.ndarray) -> int:
        return called(values, -1)

    for index in (-1, 4):
        with pytest.raises(IndexError):
            called(values, index)
    with pytest.raises(IndexError):
        compiled(last_by_call)(values)
