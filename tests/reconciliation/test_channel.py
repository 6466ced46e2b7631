"""Channels: what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import BinarySymmetric, LogLikelihoods


@pytest.mark.parametrize("rate", [0, -1, 500_000, 1.5, True, "1000", None])
def test_an_error_rate_is_a_whole_number_in_range(rate: Any) -> None:
    with pytest.raises(InputError, match="error_rate_ppm"):
        BinarySymmetric(error_rate_ppm=rate)


@pytest.mark.parametrize(
    "masks",
    [{"known": np.zeros(64, dtype=np.bool_)}, {"unknown": 3}, {"known": Bits.zeros(64), "unknown": Bits.zeros(128)}],
)
def test_masks_are_bits_of_one_length(masks: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="known"):
        BinarySymmetric(error_rate_ppm=1000, **masks)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.zeros((2, 64)), "float64"),
        (np.zeros(64, dtype=np.float32), r"\(64,\)"),
        (np.zeros((2, 64), dtype=">f4"), "float32"),
        ([[0.0] * 64], "list"),
        (np.array([[0.0, np.nan]], dtype=np.float32), "NaN"),
    ],
)
def test_log_likelihoods_are_two_dimensional_floats(values: Any, found: str) -> None:
    with pytest.raises(InputError, match=found):
        LogLikelihoods(values=values)


def test_a_channel_says_whether_it_fits() -> None:
    BinarySymmetric(error_rate_ppm=1).require_shape(64)
    with pytest.raises(InputError, match="unknown must have one bit"):
        BinarySymmetric(error_rate_ppm=1, unknown=Bits.zeros(64)).require_shape(128)
    channel = LogLikelihoods(values=np.zeros((2, 64), dtype=np.float32))
    channel.require_shape(2, 64)
    with pytest.raises(InputError, match=r"\(3, 64\)"):
        channel.require_shape(3, 64)


def test_soft_values_are_not_shown() -> None:
    assert "1.25" not in repr(LogLikelihoods(values=np.full((1, 64), 1.25, dtype=np.float32)))
