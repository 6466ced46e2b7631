from __future__ import annotations

from itertools import pairwise

import llvmlite
import numba
import numpy as np
import pytest
from numba.core.compiler import Flags

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


def doubled_and_more(values: np.ndarray, output: np.ndarray) -> None:
    output[:] = values * 2 + 1


def remainder_of_square(values: np.ndarray, below: int) -> int:
    return -(values[0] ** 2) % below


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_operators_of_arrays_and_numbers_give_what_numba_has_them_give() -> None:
    pipeline = pytest.importorskip("qkdpost._kernels.jit.pipeline", exc_type=ImportError)
    compiled = numba.njit(pipeline_class=pipeline.KernelCompiler)
    output = np.zeros(3, dtype=np.int64)
    compiled(doubled_and_more)(np.arange(3), output)
    assert output.tolist() == [1, 3, 5]
    for dtype in (np.int64, np.float64):
        values = np.array([3], dtype=dtype)
        assert compiled(remainder_of_square)(values, 7) == numba.njit(remainder_of_square)(values, 7) == 5


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_only_what_takes_arguments_of_python_apart_is_not_optimised() -> None:
    pipeline = pytest.importorskip("qkdpost._kernels.jit.pipeline", exc_type=ImportError)
    compiled = numba.njit(no_cfunc_wrapper=True, pipeline_class=pipeline.KernelCompiler)(entry)
    assert compiled(np.arange(3), 2) == 2
    library = compiled.overloads[compiled.signatures[0]].library
    kept = {found.name for found in library.get_defined_functions() if b"optnone" in b"".join(found.attributes)}
    major, minor = map(int, llvmlite.__version__.split(".")[:2])
    assert len(kept) == ((major, minor) >= (0, 48))
    assert all(name.startswith("_ZN7cpython") for name in kept)


@pytest.mark.skipif(not JIT_ENABLED, reason="nothing is compiled")
def test_options_are_equal_where_numba_has_them_equal() -> None:
    options = pytest.importorskip("qkdpost._kernels.jit.pipeline", exc_type=ImportError)
    plain, fast, told = Flags(), Flags(), Flags()
    fast.fastmath = True
    told.nrt = False  # the default, but set
    for one in (plain, fast, told):
        for other in (plain, fast, told):
            assert (options.KernelFlags(one) == other) == (one == other)
            assert (options.KernelFlags(one) == options.KernelFlags(other)) == (one == other)
        assert hash(options.KernelFlags(one)) == hash(one)
        assert options.KernelFlags(one).values() == one.values()


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
