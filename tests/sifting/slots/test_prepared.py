from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.records import Detections, PreparedPulses
from qkdpost.sifting.slots.coding import encode_slots
from qkdpost.sifting.slots.coincident import match_detections
from qkdpost.sifting.slots.prepared import (
    match_and_sift,
    match_prepared,
    sift_detections,
    sift_prepared,
    split_by_basis,
)
from reference import sifting as reference


@given(st.integers(0, 700), st.floats(0, 1), st.integers(0, 2**32))
def test_both_sides_agree_with_the_twin(pulses: int, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bases, bits = rng.integers(0, 2, (2, pulses))
    slots = np.flatnonzero(rng.random(pulses) < density)
    peer_bases, outcomes = rng.integers(0, 2, (2, slots.size))
    prepared = PreparedPulses(bases=bases, bits=bits)
    detections = Detections(pulses=pulses, slots=slots, bases=peer_bases, outcomes=outcomes)

    matched = match_prepared(prepared, detections.slots, detections.bases)
    expected = reference.match_bases(slots, bases, peer_bases)
    assert np.asarray(matched).tolist() == expected

    sent = sift_prepared(prepared, detections.slots, matched)
    received = sift_detections(detections, matched)
    assert [np.asarray(part).tolist() for part in sent] == list(reference.split(bases[slots], bits[slots], expected))
    assert [np.asarray(part).tolist() for part in received] == list(reference.split(peer_bases, outcomes, expected))
    assert [len(part) for part in sent] == [len(part) for part in received]

    first = seed % (slots.size + 1)
    if first < slots.size:
        mask, key, test = match_and_sift(prepared, slots[first:].astype(np.int64), detections.bases, first)
        assert mask == matched[first:]
        assert (key, test) == sift_prepared(prepared, detections.slots[first:], mask)


@pytest.mark.parametrize("slot", [-1, 100, 2**62, -(2**63)])
def test_a_slot_outside_the_record_is_refused(slot: int) -> None:
    """As the caller's fault: the session alone knows what came from a peer."""
    prepared = PreparedPulses(bases=Bits.zeros(100), bits=Bits.zeros(100))
    with pytest.raises(InputError, match="100 pulses"):
        match_prepared(prepared, np.array([slot]), Bits.zeros(1))
    with pytest.raises(InputError):
        sift_prepared(prepared, np.array([slot]), Bits.zeros(1))
    with pytest.raises(InputError, match="100 pulses"):
        match_and_sift(prepared, np.array([slot]), Bits.zeros(1), 0)


def test_lengths_that_do_not_fit_are_refused() -> None:
    prepared = PreparedPulses(bases=Bits.zeros(100), bits=Bits.zeros(100))
    detections = Detections(pulses=100, slots=[1, 2], bases=[0, 1], outcomes=[0, 1])
    for call in (
        lambda: match_prepared(prepared, detections.slots, Bits.zeros(3)),
        lambda: sift_detections(detections, Bits.zeros(3)),
        lambda: sift_prepared(prepared, detections.slots, Bits.zeros(3)),
        lambda: match_and_sift(prepared, np.array([1, 2]), Bits.zeros(3), 2),
        lambda: split_by_basis(Bits.zeros(1), Bits.zeros(200), Bits.zeros(200)),
        lambda: split_by_basis(Bits.zeros(200), Bits.zeros(200), Bits.zeros(64)),
    ):
        with pytest.raises(InputError, match="one"):
            call()


@pytest.mark.parametrize(
    "slots", [[0.9, 1.9], np.zeros((2, 1), dtype=np.int64), [True, False], "01", None, [np.nan, 1], np.zeros(2)]
)
def test_slots_that_are_no_integers_are_refused_and_not_cut(slots: Any) -> None:
    prepared = PreparedPulses(bases=Bits.zeros(100), bits=Bits.zeros(100))
    own = Detections(pulses=100, slots=[1, 2], bases=[0, 1], outcomes=[0, 1])
    for call in (
        lambda: match_prepared(prepared, slots, Bits.zeros(2)),
        lambda: sift_prepared(prepared, slots, Bits.zeros(2)),
        lambda: match_detections(own, slots, Bits.zeros(2)),
        lambda: encode_slots(slots, 100),
    ):
        with pytest.raises(InputError, match="slots"):
            call()


def test_records_of_another_kind_are_refused_by_name() -> None:
    detections = Detections(pulses=100, slots=[1, 2], bases=[0, 1], outcomes=[0, 1])
    with pytest.raises(InputError, match="prepared must be a PreparedPulses; found a Detections"):
        match_prepared(detections, [1], [0])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="detections must be a Detections; found None"):
        sift_detections(None, [0])  # type: ignore[arg-type]
