from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.records import Detections
from qkdpost.sifting.slots.coincident import match_detections
from qkdpost.sifting.slots.prepared import sift_detections
from reference import sifting as reference


def _draw(rng: np.random.Generator, pulses: int, density: float) -> Detections:
    slots = np.flatnonzero(rng.random(pulses) < density)
    bases, outcomes = rng.integers(0, 2, (2, slots.size))
    return Detections(pulses=pulses, slots=slots, bases=bases, outcomes=outcomes)


@given(st.integers(0, 500), st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32))
def test_masks_agree_with_the_twin(pulses: int, density: float, peer_density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, peer = _draw(rng, pulses, density), _draw(rng, pulses, peer_density)
    match = match_detections(own, peer.slots, peer.bases)
    own_mask, peer_mask, rounds = reference.common_slots(
        own.slots.tolist(), np.asarray(own.bases).tolist(), peer.slots.tolist(), np.asarray(peer.bases).tolist()
    )
    assert np.asarray(match.own_matched).tolist() == own_mask
    assert np.asarray(match.peer_matched).tolist() == peer_mask
    assert match.rounds == rounds

    kept = own.slots[np.asarray(match.own_matched) == 1]
    assert np.array_equal(kept, peer.slots[np.asarray(match.peer_matched) == 1])
    own_parts = sift_detections(own, match.own_matched)
    peer_parts = sift_detections(peer, match.peer_matched)
    assert [len(part) for part in own_parts] == [len(part) for part in peer_parts]


def test_one_basis_for_each_slot_is_asked() -> None:
    own = Detections(pulses=10, slots=[1, 2], bases=[0, 1], outcomes=[0, 1])
    with pytest.raises(InputError, match="one basis per slot"):
        match_detections(own, np.array([1, 2]), Bits.zeros(1))


def test_slots_that_do_not_increase_are_refused() -> None:
    own = Detections(pulses=10, slots=[1, 2], bases=[0, 1], outcomes=[0, 1])
    for slots in ([2, 1], [1, 1], [0, 2**63 - 1, -(2**63)]):
        with pytest.raises(InputError, match="peer_slots must be strictly increasing"):
            match_detections(own, slots, Bits.zeros(len(slots)))
