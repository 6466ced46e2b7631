"""Sifting of BB84: one side holds what it prepared in every pulse, the other where it detected and what.

The detecting side reports slots and bases, the preparing side answers which bases agree; no bit is announced. Rounds of
the key basis and of the test basis are kept apart, in the order of the slots.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qkdpost._kernels.bits.packing import count_ones
from qkdpost._kernels.sifting.slots import match_and_split, match_bases, split_prepared, split_words
from qkdpost.bits import Bits, BitsLike, adopt_words
from qkdpost.checks import instance, integer_vector
from qkdpost.errors import InputError
from qkdpost.records import Detections, PreparedPulses

__all__ = ["match_and_sift", "match_prepared", "sift_detections", "sift_prepared", "split_by_basis"]

_MASK_HINT = "If this is a mask with an entry for each slot, give np.flatnonzero(mask)"


def match_prepared(prepared: PreparedPulses, slots: ArrayLike, peer_bases: BitsLike) -> Bits:
    """Return which of the peer's detections were made in the basis of the pulse.

    Args:
        prepared: what this side sent.
        slots: where the peer detected; integers, shape (n,), as `coding.decode_slots` returns them.
        peer_bases: in which basis; n bits.

    Returns:
        n bits: 1 where the bases agree.

    Raises:
        InputError: a slot lies outside the pulses, or there is not one basis for each slot.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> alice = qp.PreparedPulses(bases=[0, 1, 0, 1], bits=[1, 0, 0, 1])
    >>> sifting.match_prepared(alice, [0, 1, 3], [0, 0, 1]).tolist()
    [1, 0, 1]
    """
    record = instance("prepared", prepared, PreparedPulses)
    positions, bases = _slots(slots), Bits.coerce(peer_bases, name="peer_bases")
    if len(bases) != positions.size:
        raise InputError(f"peer_bases must have one basis per slot; found {len(bases)} for {positions.size} slots")
    matched = np.zeros((positions.size + 63) // 64, dtype=np.uint64)
    if not match_bases(positions, record.bases.words, record.pulses, bases.words, matched):
        raise _outside(record, positions)
    return adopt_words(matched, positions.size)


def sift_prepared(prepared: PreparedPulses, slots: ArrayLike, matched: BitsLike) -> tuple[Bits, Bits]:
    """Return the preparing side's sifted bits: those of the key basis and those of the test basis.

    Args:
        prepared: what this side sent.
        slots: the slots that were given to `match_prepared`.
        matched: what `match_prepared` returned.

    Returns:
        Key bits (secret) and test bits, each in the order of the slots.

    Raises:
        InputError: the slots do not fit `matched` or the record.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> alice = qp.PreparedPulses(bases=[0, 1, 0, 1], bits=[1, 0, 0, 1])
    >>> key, test = sifting.sift_prepared(alice, [0, 1, 3], [1, 0, 1])
    >>> key.tolist(), test.tolist()
    ([1], [1])
    """
    record = instance("prepared", prepared, PreparedPulses)
    positions, mask = _slots(slots), Bits.coerce(matched, name="matched")
    if len(mask) != positions.size:
        raise InputError(f"matched must have one bit per slot; found {len(mask)} for {positions.size} slots")

    key, test = _room_for(mask.words)
    counts = split_prepared(positions, record.bases.words, record.bits.words, record.pulses, mask.words, key, test)
    if counts[0] < 0:
        raise _outside(record, positions)
    return _trim(key, counts[0]), _trim(test, counts[1])


def match_and_sift(
    record: PreparedPulses, slots: NDArray[np.int64], peer_bases: Bits, first: int
) -> tuple[Bits, Bits, Bits]:
    """Do the work of `match_prepared` and of `sift_prepared` in one pass over some detections of a record.

    Args:
        record: what this side sent.
        slots: where the peer detected, shape (n,), n > 0; writable, as they were decoded.
        peer_bases: in which basis, of all detections of the record.
        first: how many of these come before the slots.

    Returns:
        n bits, 1 where the bases agree; key bits (secret); test bits.

    Raises:
        InputError: a slot lies outside the pulses, or there is not one basis for each slot.
    """
    size = (slots.size + 63) // 64
    if not 0 <= first <= len(peer_bases) - slots.size:
        raise InputError(f"peer_bases must have one basis per slot; found {len(peer_bases)}")
    matched = np.empty(size, dtype=np.uint64)
    key, test = np.zeros(size + 2, dtype=np.uint64), np.zeros(size + 2, dtype=np.uint64)
    key_bits, test_bits = match_and_split(
        slots, record.bases.words, record.bits.words, record.pulses, peer_bases.words, first, matched, key, test
    )
    if key_bits < 0:
        raise _outside(record, slots)
    return adopt_words(matched, slots.size), _trim(key, key_bits), _trim(test, test_bits)


def sift_detections(detections: Detections, matched: BitsLike) -> tuple[Bits, Bits]:
    """Return a detecting side's sifted bits: those of the key basis and those of the test basis.

    Args:
        detections: what this side saw.
        matched: one bit for each detection, as the peer answered.

    Returns:
        Key bits (secret) and test bits, each in the order of the slots.

    Raises:
        InputError: the answer has another length than the detections.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> bob = qp.Detections(pulses=4, slots=[0, 1, 3], bases=[0, 0, 1], outcomes=[1, 1, 0])
    >>> key, test = sifting.sift_detections(bob, [1, 0, 1])
    >>> key.tolist(), test.tolist()
    ([1], [0])
    """
    instance("detections", detections, Detections)
    return split_by_basis(detections.bases, detections.bits, matched)


def split_by_basis(bases: BitsLike, bits: BitsLike, matched: BitsLike) -> tuple[Bits, Bits]:
    """Return those of `bits` under `matched` in the key basis, and those in the test basis; all of one length.

    Raises:
        InputError: they are not of one length.
    """
    own, outcomes, mask = (
        Bits.coerce(vector, name=name) for name, vector in (("bases", bases), ("bits", bits), ("matched", matched))
    )
    if not len(own) == len(outcomes) == len(mask):
        raise InputError(
            "bases, bits and matched must have one entry per detection; "
            f"found {len(own)}, {len(outcomes)} and {len(mask)}"
        )
    key, test = _room_for(mask.words)
    counts = split_words(own.words, outcomes.words, mask.words, key, test)
    return _trim(key, counts[0]), _trim(test, counts[1])


def _room_for(matched: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    size = (count_ones(matched) + 63) // 64 + 2
    return np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint64)


def _outside(record: PreparedPulses, slots: NDArray[np.int64]) -> InputError:
    return InputError(
        f"slots must lie in the {record.pulses} pulses sent, 0 ... {record.pulses - 1}; "
        f"found {slots.min()} ... {slots.max()}"
    )


def _trim(words: NDArray[np.uint64], length: int) -> Bits:
    return adopt_words(words[: (length + 63) // 64], length)


def _slots(slots: ArrayLike) -> NDArray[np.int64]:
    view = np.ascontiguousarray(integer_vector("slots", slots, flag_hint=_MASK_HINT, copy=False)).view()
    view.flags.writeable = False
    return view
