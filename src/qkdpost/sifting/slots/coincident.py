"""Sifting of BBM92 where both sides detect in slots of a common numbering: common slots, then equal bases.

One side reports its slots and bases, the other answers which of them it also has, in the same basis. Both then take
their own bits by `prepared.sift_detections`, each with its own mask; the order of the slots is common to both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qkdpost._kernels.sifting.slots import match_slots
from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import increasing, instance
from qkdpost.errors import InputError
from qkdpost.records import Detections

__all__ = ["SlotMatch", "match_detections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotMatch:
    """Which detections of two sides belong together; public.

    Args:
        peer_matched: one bit for each of the peer's detections: 1 if both detected there in the same basis.
        own_matched: the same for the own detections; as many ones, in the same order.
        rounds: in how many slots both detected, whatever the bases.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> own = qp.Detections(pulses=10, slots=[1, 4, 7], bases=[0, 1, 0], outcomes=[0, 1, 1])
    >>> sifting.match_detections(own, [1, 5, 7], [0, 1, 1]).rounds
    2
    """

    peer_matched: Bits
    own_matched: Bits
    rounds: int


def match_detections(own: Detections, peer_slots: ArrayLike, peer_bases: BitsLike) -> SlotMatch:
    """Find the slots in which both sides detected in the same basis.

    Args:
        own: this side's detections.
        peer_slots: the peer's slots, strictly increasing, as `coding.decode_slots` returns them.
        peer_bases: the peer's bases, one for each slot.

    Raises:
        InputError: the slots do not increase, or there is not one basis for each.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> own = qp.Detections(pulses=10, slots=[1, 4, 7], bases=[0, 1, 0], outcomes=[0, 1, 1])
    >>> match = sifting.match_detections(own, [1, 5, 7], [0, 1, 1])
    >>> match.own_matched.tolist()
    [1, 0, 0]
    """
    instance("own", own, Detections)
    slots = np.ascontiguousarray(increasing("peer_slots", peer_slots, strictly=True, copy=False))
    slots.flags.writeable = False
    bases = Bits.coerce(peer_bases, name="peer_bases")
    if len(bases) != slots.size:
        raise InputError(f"peer_bases must have one basis per slot; found {len(bases)} for {slots.size} slots")
    own_matched = np.zeros((own.slots.size + 63) // 64, dtype=np.uint64)
    peer_matched = np.zeros((slots.size + 63) // 64, dtype=np.uint64)
    rounds = match_slots(own.slots, own.bases.words, slots, bases.words, own_matched, peer_matched)
    return SlotMatch(
        peer_matched=Bits(peer_matched, slots.size),
        own_matched=Bits(own_matched, own.slots.size),
        rounds=rounds,
    )
