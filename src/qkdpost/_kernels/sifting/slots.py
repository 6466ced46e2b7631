"""One pass over detections: comparing bases, splitting sifted bits.

Bit vectors are packed as in `packing`. Slots are strictly increasing `int64`; those of a peer are compared with the
length of the own record here, before they index anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.bits.counting import ones
from qkdpost._kernels.bits.extraction import extract
from qkdpost._kernels.jit.decorators import kernel

__all__ = ["match_and_split", "match_bases", "match_slots", "split_prepared", "split_words", "warm"]

Words = NDArray[np.uint64]
Slots = NDArray[np.int64]


@kernel
def match_bases(slots: Slots, bases: Words, pulses: int, peer_bases: Words, matched: Words) -> bool:
    """Mark the detections whose basis is that of the pulse in their slot.

    Args:
        slots: where the peer detected.
        bases: the basis of every pulse, `pulses` bits.
        pulses: how many pulses were sent.
        peer_bases: the basis of every detection.
        matched: written whole, one bit for each detection.

    Returns:
        False if a slot lies outside the pulses; `matched` is then meaningless.
    """
    one = np.uint64(1)
    low = np.uint64(63)
    six = np.uint64(6)
    limit = np.uint64(pulses)
    inside = True
    for word in range(matched.size):
        first = word * 64
        count = min(64, slots.size - first)
        gathered = np.uint64(0)
        for place in range(count):
            slot = np.uint64(slots[first + place])
            if slot >= limit:
                inside = False
                break
            gathered |= ((bases[slot >> six] >> (slot & low)) & one) << np.uint64(place)
        if not inside:
            break
        valid = ~np.uint64(0) >> np.uint64(64 - count)
        matched[word] = ~(gathered ^ peer_bases[word]) & valid
    return inside


@kernel
def split_prepared(
    slots: Slots, bases: Words, bits: Words, pulses: int, matched: Words, key: Words, test: Words
) -> tuple[int, int]:
    """Write the prepared bits of the matched slots to `key` or `test` by their basis; return how many to each.

    `key` and `test` are zeroed and have two words more than the matched bits fill. Returns -1 twice if a slot lies
    outside the pulses; what was written is then meaningless.
    """
    one = np.uint64(1)
    low = np.uint64(63)
    six = np.uint64(6)
    limit = np.uint64(pulses)
    key_count = np.uint64(0)
    test_count = np.uint64(0)
    for word in range(matched.size):
        first = word * 64
        own_bases = np.uint64(0)
        own_bits = np.uint64(0)
        for place in range(min(64, slots.size - first)):
            slot = np.uint64(slots[first + place])
            if slot >= limit:
                return -1, -1
            own_bases |= ((bases[slot >> six] >> (slot & low)) & one) << np.uint64(place)
            own_bits |= ((bits[slot >> six] >> (slot & low)) & one) << np.uint64(place)
        key_count = _append(key, key_count, own_bits, matched[word] & ~own_bases)
        test_count = _append(test, test_count, own_bits, matched[word] & own_bases)
    return int(np.int64(key_count)), int(np.int64(test_count))


@kernel
def match_and_split(
    slots: Slots,
    bases: Words,
    bits: Words,
    pulses: int,
    peer_bases: Words,
    first: int,
    matched: Words,
    key: Words,
    test: Words,
) -> tuple[int, int]:
    """Do the work of `match_bases` and of `split_prepared` in one pass; return how many bits went to each.

    Args:
        slots: where the peer detected.
        bases: the basis of every pulse, `pulses` bits.
        bits: the bit of every pulse.
        pulses: how many pulses were sent.
        peer_bases: the basis of every detection of the record, at least those of the slots.
        first: how many of its detections lie before the slots.
        matched: written whole, one bit for each of the slots.
        key: zeroed, two words more than there are in `matched`.
        test: likewise.

    Returns:
        How many bits `key` and `test` have, or -1 twice if a slot lies outside the pulses; what was written is then
        meaningless.
    """
    one = np.uint64(1)
    low = np.uint64(63)
    six = np.uint64(6)
    limit = np.uint64(pulses)
    down = np.uint64(first) & low
    source = np.uint64(first) >> six
    key_count = np.uint64(0)
    test_count = np.uint64(0)
    for word in range(matched.size):
        start = word * 64
        count = min(64, slots.size - start)
        own_bases = np.uint64(0)
        own_bits = np.uint64(0)
        for place in range(count):
            slot = np.uint64(slots[start + place])
            if slot >= limit:
                return -1, -1
            own_bases |= ((bases[slot >> six] >> (slot & low)) & one) << np.uint64(place)
            own_bits |= ((bits[slot >> six] >> (slot & low)) & one) << np.uint64(place)
        announced = peer_bases[source] >> down
        source += one
        if source < np.uint64(peer_bases.size):
            announced |= (peer_bases[source] << one) << (low - down)
        both = ~(own_bases ^ announced) & (~np.uint64(0) >> np.uint64(64 - count))
        matched[word] = both
        key_count = _append(key, key_count, own_bits, both & ~own_bases)
        test_count = _append(test, test_count, own_bits, both & own_bases)
    return int(np.int64(key_count)), int(np.int64(test_count))


@kernel
def split_words(bases: Words, bits: Words, matched: Words, key: Words, test: Words) -> tuple[int, int]:
    """Write the matched ones of `bits` to `key` or `test` by their basis; return how many to each.

    `key` and `test` are zeroed and have two words more than the matched bits fill.
    """
    key_count = np.uint64(0)
    test_count = np.uint64(0)
    for word in range(matched.size):
        key_count = _append(key, key_count, bits[word], matched[word] & ~bases[word])
        test_count = _append(test, test_count, bits[word], matched[word] & bases[word])
    return int(np.int64(key_count)), int(np.int64(test_count))


@kernel
def _append(output: Words, count: np.uint64, bits: np.uint64, mask: np.uint64) -> np.uint64:
    """Write the bits under `mask` to zeroed `output` from bit `count` on; return the count after them."""
    taken = extract(bits, mask)
    word = count >> np.uint64(6)
    place = count & np.uint64(63)
    output[word] |= taken << place
    output[word + np.uint64(1)] |= (taken >> np.uint64(1)) >> (np.uint64(63) - place)
    return count + np.uint64(ones(mask))


@kernel
def match_slots(
    slots: Slots,
    bases: Words,
    peer_slots: Slots,
    peer_bases: Words,
    matched: Words,
    peer_matched: Words,
) -> int:
    """Mark the detections of two sides that share a slot and a basis.

    Args:
        slots: where this side detected, strictly increasing.
        bases: its bases.
        peer_slots: where the peer detected, strictly increasing.
        peer_bases: its bases.
        matched: zeroed, one bit for each own detection.
        peer_matched: zeroed, one bit for each detection of the peer.

    Returns:
        How many slots both sides detected in, in equal bases or not.
    """
    one = np.uint64(1)
    low = np.uint64(63)
    six = np.uint64(6)
    own = np.uint64(0)
    other = np.uint64(0)
    own_size = np.uint64(slots.size)
    other_size = np.uint64(peer_slots.size)
    common = 0
    while own < own_size and other < other_size:
        own_slot = slots[own]
        other_slot = peer_slots[other]
        if own_slot == other_slot:
            own_basis = (bases[own >> six] >> (own & low)) & one
            other_basis = (peer_bases[other >> six] >> (other & low)) & one
            equal = own_basis ^ other_basis ^ one
            matched[own >> six] |= equal << (own & low)
            peer_matched[other >> six] |= equal << (other & low)
            common += 1
        own += np.uint64(own_slot <= other_slot)
        other += np.uint64(other_slot <= own_slot)
    return common


def warm() -> None:
    """Compile every kernel of this file."""
    words = np.array([3], dtype=np.uint64)
    words.flags.writeable = False
    slots = np.array([0, 1], dtype=np.int64)
    slots.flags.writeable = False
    output = np.zeros(4, dtype=np.uint64)
    match_bases(slots, words, 2, words, np.zeros(1, dtype=np.uint64))
    split_prepared(slots, words, words, 2, words, output, output.copy())
    match_and_split(np.array([0, 1]), words, words, 2, words, 0, words.copy(), output, output.copy())
    split_words(words, words, words, output, output.copy())
    match_slots(slots, words, slots, words, output, output.copy())
