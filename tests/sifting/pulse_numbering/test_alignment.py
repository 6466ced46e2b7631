from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.sifting import AlignmentPattern, NoAlignment, align, alignment_pattern


def records(pulses: int = 400_000, seed: int = 1) -> tuple[qp.PreparedPulses, qp.Detections]:
    return qp.simulation.bb84(pulses=pulses, rng=np.random.default_rng(seed), test_probability=0.3)


def moved(bob: qp.Detections, slots: np.ndarray, flip: int = 0, exchange: int = 0) -> qp.Detections:
    return qp.Detections(
        pulses=int(slots.max()) + 1,
        slots=slots,
        bases=np.asarray(bob.bases) ^ exchange,
        outcomes=np.asarray(bob.bits) ^ flip,
    )


@given(st.integers(0, 60), st.integers(1, 5), st.integers(1, 12))
def test_pattern_and_rest_are_the_whole_record(extra: int, stretches: int, length: int) -> None:
    pulses = stretches * (length + 1) + extra
    rng = np.random.default_rng(pulses)
    bases, bits, labels = rng.integers(0, 2, pulses), rng.integers(0, 2, pulses), rng.integers(0, 3, pulses)
    prepared = qp.PreparedPulses(bases=bases, bits=bits, intensities=labels)
    pattern, rest = alignment_pattern(prepared, stretches=stretches, pulses_each=length)
    disclosed = np.concatenate([np.arange(start, start + length) for start in pattern.starts])
    left = np.setdiff1d(np.arange(pulses), disclosed)
    assert np.array_equal(pattern.bases, bases[disclosed])
    assert np.array_equal(pattern.bits, bits[disclosed])
    assert rest.pulses == pattern.remaining_pulses == left.size
    assert np.array_equal(rest.bits, bits[left])
    assert np.array_equal(rest.bases, bases[left])
    assert rest.intensities is not None
    assert np.array_equal(rest.intensities.planes[0], labels[left] & 1)
    slots, kept = pattern.renumbered(np.arange(-3, pulses + 3))
    assert np.array_equal(np.arange(-3, pulses + 3)[kept], left)
    assert np.array_equal(slots[kept], np.arange(left.size))


def test_what_is_disclosed_depends_on_no_bit() -> None:
    """Two records of one size disclose the same pulses, whatever they hold."""
    patterns = [alignment_pattern(records(seed=seed)[0])[0] for seed in (1, 2)]
    assert patterns[0].starts == patterns[1].starts
    assert patterns[0].length == patterns[1].length


@pytest.mark.parametrize("offset", [0, 1, -150_000, 3_000_000])
def test_offsets_are_found(offset: int) -> None:
    alice, bob = records()
    pattern, rest = alignment_pattern(alice)
    slots = bob.slots + max(0, -offset) + 10
    shift = -max(0, -offset) - 10
    aligned, alignment = align(moved(bob, slots), pattern)
    assert alignment.offset == shift
    assert alignment.false_alarm_probability < 1e-12
    same = np.asarray(rest.bases.take(aligned.slots)) == np.asarray(aligned.bases)
    wrong = np.asarray(rest.bits.take(aligned.slots)) != np.asarray(aligned.bits)
    assert wrong[same].mean() < 0.02
    assert aligned.pulses == rest.pulses


def test_a_receiver_who_starts_late_or_stops_early_is_aligned() -> None:
    alice, bob = records()
    pattern, rest = alignment_pattern(alice, pulses_each=2000)
    some = (bob.slots > 120_000) & (bob.slots < 330_000)
    late = qp.Detections(
        pulses=280_000,
        slots=bob.slots[some] - 120_000,
        bases=np.asarray(bob.bases)[some],
        outcomes=np.asarray(bob.bits)[some],
    )
    aligned, alignment = align(late, pattern)
    assert alignment.offset == 120_000
    assert aligned.pulses == rest.pulses


def test_records_that_have_nothing_in_common_are_not_aligned() -> None:
    """A false alarm has probability 1e-12 each."""
    pattern, _ = alignment_pattern(records()[0])
    for seed in range(2, 6):
        with pytest.raises(NoAlignment, match=r"at no offset within \+-200000 pulses"):
            align(records(seed=seed)[1], pattern, search_pulses=200_000)


def test_a_forged_pattern_gives_no_alignment_or_numbers_that_err() -> None:
    alice, bob = records()
    pattern, rest = alignment_pattern(alice)
    rng = np.random.default_rng(9)
    with pytest.raises(NoAlignment):
        align(bob, replace(pattern, bits=Bits.from_array(rng.integers(0, 2, len(pattern.bits)))), search_pulses=10_000)
    shifted = replace(pattern, starts=tuple(start + 5 for start in pattern.starts))
    aligned, alignment = align(bob, shifted)
    assert alignment.offset == 5
    same = np.asarray(rest.bases.take(aligned.slots)) == np.asarray(aligned.bases)
    wrong = np.asarray(rest.bits.take(aligned.slots)) != np.asarray(aligned.bits)
    assert 0.45 < wrong[same].mean() < 0.55


def test_what_is_exchanged_is_named() -> None:
    alice, bob = records()
    pattern, _ = alignment_pattern(alice)
    with pytest.raises(NoAlignment, match="outcomes are opposite"):
        align(moved(bob, bob.slots, flip=1), pattern, search_pulses=10_000)
    with pytest.raises(NoAlignment, match="bases are exchanged"):
        align(moved(bob, bob.slots, exchange=1), pattern, search_pulses=10_000)


def test_lost_pulses_are_told() -> None:
    alice, bob = records()
    pattern, _ = alignment_pattern(alice, pulses_each=2000)
    slipped = bob.slots + (bob.slots > 200_000)
    with pytest.raises(InputError, match=r"the count of pulses was lost: .* in the stretch from pulse"):
        align(moved(bob, slipped), pattern)


def test_double_clicks_stay_counted() -> None:
    alice, bob = records()
    pattern, _ = alignment_pattern(alice)
    outcomes = np.asarray(bob.bits).copy()
    outcomes[::100] = qp.DOUBLE_CLICK
    aligned, _ = align(qp.Detections(pulses=bob.pulses, slots=bob.slots, bases=bob.bases, outcomes=outcomes), pattern)
    assert aligned.double_clicks == len(outcomes[::100])


def test_patterns_that_cannot_be_are_refused() -> None:
    alice, bob = records(1000)
    pattern, _ = alignment_pattern(alice)
    nothing = Bits.zeros(0)
    for starts, length, size in (((), 1, 0), ((5, 5), 2, 4), ((998,), 3, 3), ((-1,), 1, 1), ((0,), 4, 3)):
        with pytest.raises(InputError):
            AlignmentPattern(pulses=1000, starts=starts, length=length, bases=Bits.zeros(size), bits=Bits.zeros(size))
    for stretches, each in ((0, 1), (2, 500), (2, 0), (1.5, 1)):
        with pytest.raises(InputError):
            alignment_pattern(alice, stretches=stretches, pulses_each=each)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="prepared must be"):
        alignment_pattern(bob)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="detections must be"):
        align(alice, pattern)  # type: ignore[arg-type]
    with pytest.raises(NoAlignment):
        align(qp.Detections(pulses=0, slots=[], bases=nothing, outcomes=nothing), pattern, search_pulses=100)
