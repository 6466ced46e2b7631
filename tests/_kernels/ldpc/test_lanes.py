"""Lane arithmetic, compiled, against its own description in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.ldpc import lanes

BINARY = (
    lanes.add_saturated,
    lanes.add_unsigned_saturated,
    lanes.larger_unsigned,
    lanes.smaller_unsigned,
    lanes.subtract_saturated,
)


@kernel
def _binary(left: Any, right: Any, output: Any) -> None:
    for row in range(left.shape[0]):
        first = lanes.load_lanes(left, row)
        second = lanes.load_lanes(right, row)
        lanes.store_lanes(output[0], row, lanes.add_saturated(first, second))
        lanes.store_lanes(output[1], row, lanes.add_unsigned_saturated(first, second))
        lanes.store_lanes(output[2], row, lanes.larger_unsigned(first, second))
        lanes.store_lanes(output[3], row, lanes.smaller_unsigned(first, second))
        lanes.store_lanes(output[4], row, lanes.subtract_saturated(first, second))


@kernel
def _others(left: Any, right: Any, words: Any, output: Any, masks: Any) -> None:
    for row in range(left.shape[0]):
        first = lanes.load_lanes(left, row)
        second = lanes.load_lanes(right, row)
        lanes.store_lanes(output[0], row, lanes.magnitude(first))
        lanes.store_lanes(output[1], row, lanes.shift_right_unsigned(first, 2))
        lanes.store_lanes(output[2], row, lanes.choose(words[row], first, second))
        lanes.store_lanes(output[3], row, lanes.negate_where(words[row], first))
        lanes.store_lanes(output[4], row, lanes.spread(left, 40 + row))
        lanes.store_lanes(output[6], row, lanes.exclusive_or(first, second))
        lanes.store_lanes(output[5], row, lanes.combine_magnitudes(first, second, lanes.spread(left, 100)))
        masks[0, row] = lanes.negative(first)
        masks[1, row] = lanes.equal(first, second)


@kernel
def _copy_runs(values: Any, starts: Any, output: Any) -> None:
    for place in range(starts.size):
        lanes.store_run(output, starts[place] + 1, lanes.load_run(values, starts[place]))


def _rows(dtype: type, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return signed numbers in rows of the lanes that an array of the type has."""
    signed = np.dtype(f"i{np.dtype(dtype).itemsize}")
    limits = np.iinfo(signed)
    count = (64 if np.dtype(dtype) == signed else 32) // signed.itemsize
    generator = np.random.default_rng(seed)
    left = generator.integers(limits.min, limits.max, (40, count), dtype=signed, endpoint=True)
    right = generator.integers(limits.min, limits.max, (40, count), dtype=signed, endpoint=True)
    right[::3] = left[::3]
    left[0, :4] = (limits.min, limits.max, 0, -1)
    right[1, :4] = (limits.min, limits.max, 0, -1)
    return left, right


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8, np.uint16])
def test_binary_operations_agree_with_their_description(dtype: type) -> None:
    left, right = _rows(dtype, 1)
    output = np.zeros((len(BINARY), *left.shape), dtype=left.dtype)
    _binary(left.view(dtype), right.view(dtype), output.view(dtype))
    for place, function in enumerate(BINARY):
        written = getattr(function, "__wrapped__", function)
        for row in range(left.shape[0]):
            assert np.array_equal(output[place, row], written(left[row], right[row])), (function, row)


def test_magnitudes_combine_nearly_exactly_in_half_words() -> None:
    """At 128 units a nat the combination is that of sum-product to 0.05 nat."""
    combine = getattr(lanes.combine_magnitudes, "__wrapped__", lanes.combine_magnitudes)
    left, right = (grid.ravel().astype(np.int16) for grid in np.meshgrid(*[np.arange(1, 1200, 11)] * 2))
    exact = 2 * np.arctanh(np.tanh(left / 256) * np.tanh(right / 256))
    found = combine(left, right, np.full(left.size, 288, dtype=np.int16)) / 128
    assert np.abs(found - exact).max() < 0.05


def test_bytes_combine_within_a_unit_of_the_exact_combination() -> None:
    """At 5 units a nat, rounding included; and never beyond the lesser of both."""
    combine = getattr(lanes.combine_magnitudes, "__wrapped__", lanes.combine_magnitudes)
    left, right = (grid.ravel().astype(np.int8) for grid in np.meshgrid(*[np.arange(1, 128)] * 2))
    exact = 10 * np.arctanh(np.tanh(left / 10) * np.tanh(right / 10))
    found = combine(left, right, np.full(left.size, 19, dtype=np.int8))
    assert np.abs(found - exact).max() < 1.0
    assert np.all(found <= np.minimum(left, right))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint8, np.uint16])
def test_other_operations_agree_with_their_meaning(dtype: type) -> None:
    left, right = _rows(dtype, 2)
    generator = np.random.default_rng(3)
    flags = generator.integers(0, 2, left.shape).astype(np.bool_)
    padded = np.zeros((left.shape[0], 64), dtype=np.bool_)
    padded[:, : left.shape[1]] = flags
    words = np.packbits(padded, axis=1, bitorder="little").view("<u8").reshape(-1)
    output = np.zeros((7, *left.shape), dtype=left.dtype)
    masks = np.zeros((2, left.shape[0]), dtype=np.uint64)
    _others(left.view(dtype), right.view(dtype), words, output.view(dtype), masks)
    unsigned = np.dtype(f"u{left.itemsize}")
    assert np.array_equal(output[0].view(unsigned), np.abs(left.astype(np.int64)).astype(unsigned))
    assert np.array_equal(output[1].view(unsigned), left.view(unsigned) >> 2)
    assert np.array_equal(output[2], np.where(flags, left, right))
    assert np.array_equal(output[3], np.where(flags, (-left.astype(np.int64)).astype(left.dtype), left))
    assert np.array_equal(output[4], np.repeat(np.arange(40, 80, dtype=left.dtype)[:, None], left.shape[1], axis=1))
    assert np.array_equal(output[6], left ^ right)
    combine = getattr(lanes.combine_magnitudes, "__wrapped__", lanes.combine_magnitudes)
    for row in range(left.shape[0]):
        slack = np.full(left.shape[1], 100, dtype=left.dtype)
        assert np.array_equal(output[5, row], combine(left[row], right[row], slack))
    for place, expected in enumerate((left < 0, left == right)):
        found = np.unpackbits(masks[place].view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
        assert np.array_equal(found[:, : left.shape[1]].astype(np.bool_), expected)
        assert not found[:, left.shape[1] :].any()


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
def test_runs_are_read_and_written_from_any_element_on(dtype: type) -> None:
    count = 64 // np.dtype(dtype).itemsize
    values = np.arange(3 * count + 5, dtype=np.int64).astype(dtype)
    for start in (0, 1, 7, count, 2 * count + 5):
        output = np.zeros(values.size + 1, dtype=dtype)
        _copy_runs(values, np.array([start], dtype=np.uint64), output)
        expected = np.zeros_like(output)
        expected[start + 1 : start + 1 + count] = values[start : start + count]
        assert np.array_equal(output, expected)
