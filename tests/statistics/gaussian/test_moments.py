"""Sums that a bound reads: what cannot be is refused, and sums of two records add up."""

from __future__ import annotations

from typing import Any

import pytest

from qkdpost.errors import InputError
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments, Whitening


def moments(**changed: Any) -> QuadratureMoments:
    sums: dict[str, Any] = {
        "counts": (10, 10),
        "sent": (0.5, -0.5),
        "measured": (0.25, 0.0),
        "sent_squares": (40.0, 41.0, -1.0),
        "measured_squares": (10.0, 11.0, 0.5),
        "products": (12.0, 13.0, 0.25, -0.25),
        "fourth_powers": (30.0, 33.0),
        "lagged": (0.1,) * 8,
    }
    return QuadratureMoments(**{**sums, **changed})


def test_sums_of_two_records_add_up() -> None:
    total = moments() + moments()
    assert total.counts == (20, 20)
    assert total.sent_squares == (80.0, 82.0, -2.0)
    assert len(total.lagged) == 8


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("counts", (10, -1)),
        ("counts", (10.5, 10)),
        ("sent", (0.5,)),
        ("measured", (float("nan"), 0.0)),
        ("measured", (float("inf"), 0.0)),
        ("sent_squares", (-1.0, 41.0, 0.0)),
        ("measured_squares", (1e61, 11.0, 0.5)),
        ("products", (21.0, 13.0, 0.25, -0.25)),
        ("products", (12.0, 13.0, 0.25, 22.0)),
        ("measured_squares", (10.0, 11.0, 12.0)),
        ("lagged", (0.1,) * 7),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        moments(**{name: value})


def test_calibration_is_checked_alike() -> None:
    sums: dict[str, Any] = {
        "counts": (10, 10),
        "measured": (0.0, 0.1),
        "measured_squares": (10.0, 11.0, 0.1),
        "lagged": (0.0,) * 4,
    }
    assert (CalibrationMoments(**sums) + CalibrationMoments(**sums)).measured_squares == (20.0, 22.0, 0.2)
    with pytest.raises(InputError, match="measured_squares"):
        CalibrationMoments(**{**sums, "measured_squares": (10.0, 11.0, 10.6)})


@pytest.mark.parametrize("matrix", [(1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 1e-7)])
def test_whitening_without_an_inverse_is_refused(matrix: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="inverse"):
        Whitening(centre=(0.0, 0.0), matrix=matrix)  # type: ignore[arg-type]
