"""Density evolution of raptor-like ensembles against messages that are drawn and followed one by one."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.reconciliation.raptor_design.degree_search import KINDS, search_rows
from qkdpost.reconciliation.raptor_design.density_evolution import (
    RaptorEnsemble,
    converges,
    error_rates,
    snr_of_efficiency,
    threshold_efficiency,
)

ENSEMBLE = RaptorEnsemble(extension={(2, 0): 1.0, (3, 0): 4.0, (4, 0): 1.5, (2, 1): 1.0, (3, 1): 0.5}, increments={})


def followed(ensemble: RaptorEnsemble, snr: float, iterations: int, count: int = 30_000) -> list[float]:
    """The error rate of information bits by `count` messages of each kind of edge, drawn at random each time."""
    generator = np.random.default_rng(1)

    def channel() -> np.ndarray:
        return 2 * snr + np.sqrt(4 * snr) * generator.standard_normal(count)

    def drawn(pool: np.ndarray) -> np.ndarray:
        return pool[generator.integers(count, size=count)]

    def check(*messages: np.ndarray) -> np.ndarray:
        return 2 * np.arctanh(
            np.clip(np.prod([np.tanh(message / 2) for message in messages], axis=0), -1 + 1e-12, 1 - 1e-12)
        )

    def summed(pool: dict[tuple[int, int], np.ndarray], numbers: dict[tuple[int, int], float], less: int) -> np.ndarray:
        """The sum of as many messages of an extension as a column has edges, each of a row of a random kind."""
        edges = sum(numbers.values())
        kinds = list(numbers)
        total = np.zeros(count)
        degrees = np.floor(edges + generator.random(count)).astype(int) - less
        for turn in range(degrees.max(initial=0)):
            kind = generator.choice(len(kinds), size=count, p=[numbers[kind] / edges for kind in kinds])
            message = np.choose(kind, [drawn(pool[kind]) for kind in kinds])
            total += np.where(turn < degrees, message, 0)
        return total

    to_info = to_parity = np.zeros(count)
    info_lt, parity_lt = channel(), channel()
    info_numbers = {kind: number * kind[0] for kind, number in ensemble.extension.items()}
    parity_numbers = {kind: number * kind[1] for kind, number in ensemble.extension.items() if kind[1]}
    errors = []
    for _ in range(iterations):
        to_info_lt = {
            (a, b): check(channel(), *[drawn(info_lt) for _ in range(a - 1)], *[drawn(parity_lt) for _ in range(b)])
            for a, b in info_numbers
        }
        to_parity_lt = {
            (a, b): check(channel(), *[drawn(info_lt) for _ in range(a)], *[drawn(parity_lt) for _ in range(b - 1)])
            for a, b in parity_numbers
        }
        outside = channel() + summed(to_info_lt, info_numbers, 0)
        info = outside + drawn(to_info) + drawn(to_info)
        parity = channel() + summed(to_parity_lt, parity_numbers, 0) + drawn(to_parity)
        info_lt = channel() + summed(to_info_lt, info_numbers, 1) + sum(drawn(to_info) for _ in range(3))
        parity_lt = channel() + summed(to_parity_lt, parity_numbers, 1) + drawn(to_parity) + drawn(to_parity)
        to_info, to_parity = (
            check(drawn(info), drawn(info), drawn(parity), drawn(parity)),
            check(drawn(info), drawn(info), drawn(info), drawn(parity)),
        )
        everything = outside + drawn(to_info) + drawn(to_info) + drawn(to_info)
        errors.append(float(np.mean(everything < 0)))
    return errors


def test_densities_agree_with_messages_followed_one_by_one() -> None:
    """With 30,000 messages an error rate of 0.3 scatters by 0.003: 0.02 is passed by chance less than once in 10^9."""
    snr = snr_of_efficiency(ENSEMBLE.rate, 0.90)
    expected = list(islice(error_rates(ENSEMBLE, snr), 8))
    assert followed(ENSEMBLE, snr, 8) == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
def test_a_threshold_parts_what_converges_from_what_does_not() -> None:
    threshold = threshold_efficiency(ENSEMBLE, digits=4e-3, iterations=200)
    assert 0.86 < threshold < 1
    assert converges(ENSEMBLE, snr_of_efficiency(ENSEMBLE.rate, threshold), 200)[0]
    assert not converges(ENSEMBLE, snr_of_efficiency(ENSEMBLE.rate, threshold + 4e-3), 200)[0]


@pytest.mark.slow
def test_known_rows_help_and_are_paid_for() -> None:
    more = RaptorEnsemble(extension=ENSEMBLE.extension, increments={3: 0.1})
    assert more.rate == pytest.approx(0.9 * ENSEMBLE.rate)
    snr = snr_of_efficiency(ENSEMBLE.rate, 1.0)
    assert not converges(ENSEMBLE, snr)[0]
    assert converges(more, snr)[0]


@pytest.mark.slow
def test_a_search_keeps_the_number_of_rows_and_finds_no_worse() -> None:
    start = dict(ENSEMBLE.extension)
    rows, efficiency = search_rows({}, start, moves=(), iterations=200)
    assert set(rows) == set(KINDS)
    assert sum(rows.values()) == pytest.approx(8.0)
    assert efficiency == pytest.approx(threshold_efficiency(ENSEMBLE, digits=1e-3, iterations=200))


def test_a_channel_without_signal_is_refused() -> None:
    with pytest.raises(InputError):
        converges(ENSEMBLE, 0.0)
    with pytest.raises(InputError):
        next(error_rates(ENSEMBLE, -1.0))
