"""Slow, obvious twins of the sifting kernels."""

from __future__ import annotations

from collections.abc import Sequence


def match_bases(slots: Sequence[int], bases: Sequence[int], peer_bases: Sequence[int]) -> list[int]:
    return [int(bases[slot] == basis) for slot, basis in zip(slots, peer_bases, strict=True)]


def split(bases: Sequence[int], bits: Sequence[int], matched: Sequence[int]) -> tuple[list[int], list[int]]:
    kept = [(basis, bit) for basis, bit, keep in zip(bases, bits, matched, strict=True) if keep]
    return [bit for basis, bit in kept if basis == 0], [bit for basis, bit in kept if basis == 1]


def common_slots(
    slots: Sequence[int], bases: Sequence[int], peer_slots: Sequence[int], peer_bases: Sequence[int]
) -> tuple[list[int], list[int], int]:
    own = dict(zip(slots, bases, strict=True))
    peer = dict(zip(peer_slots, peer_bases, strict=True))
    own_mask = [int(slot in peer and peer[slot] == own[slot]) for slot in slots]
    peer_mask = [int(slot in own and peer[slot] == own[slot]) for slot in peer_slots]
    return own_mask, peer_mask, len(own.keys() & peer.keys())


def rice_code(slots: Sequence[int], parameter: int) -> bytes:
    bits: list[int] = []
    expected = 0
    for slot in slots:
        gap = slot - expected
        bits += [0] * (gap >> parameter) + [1] + [gap >> place & 1 for place in range(parameter)]
        expected = slot + 1
    bits += [0] * (-len(bits) % 8)
    return bytes(sum(bit << place for place, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))


def rice_decode(
    bits: Sequence[int], parameter: int, first: int, limit: int, count: int
) -> tuple[list[int], int] | None:
    """Return so many slots and how many bits they took, or None if `bits` end early or a slot reaches `limit`."""
    slots: list[int] = []
    position, expected = 0, first
    for _ in range(count):
        quotient = 0
        while position < len(bits) and not bits[position]:
            position, quotient = position + 1, quotient + 1
        low = bits[position + 1 : position + 1 + parameter]
        position += 1 + parameter
        slot = expected + (quotient << parameter) + sum(bit << place for place, bit in enumerate(low))
        if position > len(bits) or slot >= limit:
            return None
        slots.append(slot)
        expected = slot + 1
    return slots, position
