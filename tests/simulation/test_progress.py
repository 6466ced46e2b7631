"""Every simulation tells how far it has got, draws the same numbers when it does, and takes numbers as people write."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost import simulation

SIMULATIONS: dict[str, Callable[..., Any]] = {
    "bb84": lambda **more: simulation.bb84(pulses=2e4, rng=1, **more),
    "decoy_bb84": lambda **more: simulation.decoy_bb84(pulses=2e4, rng=1, **more),
    "single_photon_bb84": lambda **more: simulation.single_photon_bb84(pulses=2e4, rng=1, **more),
    "bbm92": lambda **more: simulation.bbm92(slots=2e5, rng=1, **more),
    "bbm92_time_tags": lambda **more: simulation.bbm92_time_tags(duration_s=0.01, pair_rate_hz=1e6, rng=1, **more),
    "pulsed_time_tags": lambda **more: simulation.pulsed_time_tags(pulses=2e4, rng=1, **more).prepared,
    "gaussian_cv": lambda **more: simulation.gaussian_cv(symbols=2e3, rng=1, **more),
}


def records_of(drawn: Any) -> tuple[Any, ...]:
    return drawn if isinstance(drawn, tuple) else (drawn,)


@pytest.mark.parametrize("name", SIMULATIONS)
def test_progress_reaches_its_end_and_changes_nothing(name: str) -> None:
    told: list[tuple[str, int, int | None]] = []
    with_progress = SIMULATIONS[name](progress=lambda *said: told.append(said))
    done = [(step, total) for _, step, total in told]
    assert done == sorted(done) and done[-1][0] == done[-1][1] > 0
    plain = SIMULATIONS[name]()
    for left, right in zip(records_of(with_progress), records_of(plain), strict=True):
        for field in dataclasses.fields(left):
            if field.name != "bits":  # those of double clicks come from the operating system
                assert np.array_equal(np.asarray(getattr(left, field.name)), np.asarray(getattr(right, field.name)))


@pytest.mark.parametrize("name", SIMULATIONS)
def test_progress_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(qp.InputError, match="progress must be"):
        SIMULATIONS[name](progress="yes")


def test_a_run_of_records_tells_of_all_and_refuses_at_the_call() -> None:
    told: list[tuple[int, int | None]] = []
    run = simulation.gaussian_cv_records(
        3, symbols=1000, rng=1, progress=lambda _, done, all_: told.append((done, all_))
    )
    assert len(list(run)) == 3
    assert told == [(1000, 3000), (2000, 3000), (3000, 3000)]
    with pytest.raises(qp.InputError, match="progress must be"):
        simulation.gaussian_cv_records(3, symbols=1000, rng=1, progress=3)  # type: ignore[arg-type]


@pytest.mark.parametrize("pulses", [0.5, 1e30, "1e6", True, None])
def test_pulses_that_are_no_whole_number_are_refused(pulses: Any) -> None:
    with pytest.raises(qp.InputError, match="pulses must be a whole number in 0"):
        simulation.bb84(pulses=pulses, rng=1)
