"""Sifting of BB84: one side holds what it prepared in every pulse, the other where it detected and what.

The detecting side tells slots and bases, the preparing side answers which bases agree; no bit is told. Rounds of
the key basis and of the test basis are kept apart, in the order of the slots.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting import match_bases, split_prepared, split_words
from qkdpost.bits import Bits
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.records import Detections, PreparedPulses

__all__ = ["match_prepared", "sift_detections", "sift_prepared", "split_by_basis"]


def match_prepared(prepared: PreparedPulses, slots: NDArray[np.integer[Any]], peer_bases: Bits) -> Bits:
    """Tell which of the peer's detections were made in the basis of the pulse.

    Args:
        prepared: what this side sent.
        slots: where the peer detected; integers, shape (n,), as `slot_coding.decode_slots` returns them.
        peer_bases: in which basis; n bits.

    Returns:
        n bits: 1 where the bases agree.

    Raises:
        RemoteProtocolError: a slot lies outside the pulses, or there is not one basis for each slot.
    """
    if len(peer_bases) != slots.size:
        raise RemoteProtocolError(f"{slots.size} detections have {len(peer_bases)} bases; expected one for each")
    matched = np.zeros((slots.size + 63) // 64, dtype=np.uint64)
    positions = _read_only(slots)
    if not match_bases(positions, prepared.bases.words, prepared.pulses, peer_bases.words, matched):
        raise RemoteProtocolError(f"the peer detected in a slot outside the {prepared.pulses} pulses sent")
    return Bits(matched, slots.size)


def sift_prepared(prepared: PreparedPulses, slots: NDArray[np.integer[Any]], matched: Bits) -> tuple[Bits, Bits]:
    """Return the preparing side's sifted bits: those of the key basis and those of the test basis.

    Args:
        prepared: what this side sent.
        slots: the slots that were given to `match_prepared`.
        matched: what `match_prepared` returned.

    Returns:
        Key bits (secret) and test bits, each in the order of the slots.

    Raises:
        InputError: the slots do not fit `matched` or the record.
    """
    if len(matched) != slots.size:
        raise InputError(f"matched must have one bit for each of {slots.size} slots; found {len(matched)}")
    if slots.size and not 0 <= int(slots.min()) <= int(slots.max()) < prepared.pulses:
        raise InputError(f"slots must lie in 0 ... {prepared.pulses - 1}")
    key, test = _room_for(matched)
    positions = _read_only(slots)
    counts = split_prepared(positions, prepared.bases.words, prepared.bits.words, matched.words, key, test)
    return _trim(key, counts[0]), _trim(test, counts[1])


def sift_detections(detections: Detections, matched: Bits) -> tuple[Bits, Bits]:
    """Return a detecting side's sifted bits: those of the key basis and those of the test basis.

    Args:
        detections: what this side saw.
        matched: one bit for each detection, as the peer answered.

    Returns:
        Key bits (secret) and test bits, each in the order of the slots.

    Raises:
        RemoteProtocolError: the answer has another length than the detections.
    """
    return split_by_basis(detections.bases, detections.bits, matched)


def split_by_basis(bases: Bits, bits: Bits, matched: Bits) -> tuple[Bits, Bits]:
    """Return those of `bits` under `matched` in the key basis, and those in the test basis; all of one length.

    Raises:
        RemoteProtocolError: `matched`, which came from the peer, has another length.
    """
    if len(matched) != len(bits):
        raise RemoteProtocolError(f"the peer answered {len(matched)} of {len(bits)} detections")
    key, test = _room_for(matched)
    counts = split_words(bases.words, bits.words, matched.words, key, test)
    return _trim(key, counts[0]), _trim(test, counts[1])


def _room_for(matched: Bits) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    size = matched.weight() // 64 + 1
    return np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint64)


def _trim(words: NDArray[np.uint64], length: int) -> Bits:
    return Bits(words[: (length + 63) // 64], length)


def _read_only(slots: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    view = np.ascontiguousarray(slots, dtype=np.int64).view()
    view.flags.writeable = False
    return view
