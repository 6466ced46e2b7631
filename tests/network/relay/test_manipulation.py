from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost.errors import InputError
from qkdpost.network.relay.manipulation import (
    CHECK_BYTES,
    MAX_SEGMENT_BYTES,
    combine_shares,
    is_unchanged,
    manipulation_bound,
    masked_check,
    share_bytes,
)
from reference.manipulation import masked, small_product, value

GENERATOR = np.random.default_rng(12)


def element(data: bytes) -> int:
    return int.from_bytes(data, "little")


@pytest.mark.parametrize("length", [1, 15, 16, 17, 31, 32, 33, 48, 64, 100, 512, 1024, 1040, 4096])
def test_equals_the_formula_in_integers(length: int) -> None:
    combined = GENERATOR.bytes(length + CHECK_BYTES)
    segment, x, z = combined[:length], element(combined[length:-16]), element(combined[-16:])
    assert element(masked_check(combined)) == masked(segment, x, z)


def test_known_answers() -> None:
    """One block s: x^3 + s x + z; x = 0 gives z."""
    assert masked_check(b"\5" + bytes(32)) == bytes(16)
    assert masked_check(b"\5" + bytes(16) + b"\7" + bytes(15)) == b"\7" + bytes(15)
    assert element(masked_check(b"\5" + b"\2" + bytes(15) + bytes(16))) == 0b1000 ^ 0b1010


def test_the_length_is_part_of_what_is_agreed() -> None:
    """Zeros behind a segment may leave the check the same: the length is compared over the paths, never guessed."""
    tail = GENERATOR.bytes(CHECK_BYTES)
    assert masked_check(b"abc" + tail) == masked_check(b"abc\0" + tail)
    assert masked_check(bytes(16) + tail) != masked_check(bytes(48) + tail)


@pytest.mark.parametrize("paths", [1, 2, 3])
@pytest.mark.parametrize("length", [5, 16, 40])
def test_every_flipped_bit_of_every_share_is_found(paths: int, length: int) -> None:
    shares = [bytearray(GENERATOR.bytes(share_bytes(length))) for _ in range(paths)]
    check = masked_check(combine_shares(shares))
    assert is_unchanged(combine_shares(shares), check)
    for share in shares:
        for bit in range(8 * len(share)):
            share[bit // 8] ^= 1 << bit % 8
            assert not is_unchanged(combine_shares(shares), check)
            share[bit // 8] ^= 1 << bit % 8


def test_every_flipped_bit_of_the_check_is_found() -> None:
    combined = combine_shares([GENERATOR.bytes(share_bytes(64))])
    check = element(masked_check(combined))
    assert not any(is_unchanged(combined, (check ^ 1 << bit).to_bytes(16, "little")) for bit in range(128))


def values(elements: int, blocks: int) -> NDArray[np.int64]:
    """The value of every string of blocks at every point, shape (elements,) * blocks + (elements,)."""
    shape = (elements,) * (blocks + 1)
    table = np.array([value(list(s), x, elements) for *s, x in itertools.product(range(elements), repeat=blocks + 1)])
    return table.reshape(shape)


def best_change(elements: int, blocks: int) -> int:
    """The largest number of points x for which one change (a, b, c) of one string passes, over all of them."""
    table = values(elements, blocks)
    points = np.arange(elements)
    strings = list(itertools.product(range(elements), repeat=blocks))
    best = 0
    for change in strings:
        changed = table[np.ix_(*(points ^ part for part in change), points)]
        for shift in range(elements):
            if not any(change) and shift == 0:
                continue  # a change of z alone never passes, and none is no change
            difference = (changed[..., points ^ shift] ^ table).reshape(-1, elements)
            best = max(best, *((difference == c).sum(axis=1).max() for c in range(elements)))
    return int(best)


@pytest.mark.parametrize(("elements", "blocks"), [(4, 1), (8, 1), (16, 1), (4, 3)])
def test_all_changes_over_small_fields_meet_the_bound(elements: int, blocks: int) -> None:
    assert best_change(elements, blocks) == blocks + 1


@pytest.mark.slow
def test_all_changes_of_three_blocks_meet_the_bound() -> None:
    assert best_change(8, 3) == 4


@pytest.mark.parametrize("elements", [4, 8, pytest.param(16, marks=pytest.mark.slow)])
def test_an_even_number_of_blocks_would_let_a_change_pass_always(elements: int) -> None:
    assert best_change(elements, 2) == elements


@pytest.mark.parametrize(("elements", "blocks"), [(4, 1), (8, 1), (4, 2)])
def test_the_masked_value_tells_nothing_of_segment_and_point(elements: int, blocks: int) -> None:
    """Whatever w is, all pairs of string and point are equally probable; without z some w would exclude pairs."""
    table = values(elements, blocks).reshape(-1)
    masked_by_each = table[:, np.newaxis] ^ np.arange(elements)
    for check in range(elements):
        assert ((masked_by_each == check).sum(axis=1) == 1).all()
    assert all((table == check).sum() < table.size for check in range(elements))


def test_small_products_are_those_of_a_field() -> None:
    for elements in (4, 8, 16):
        for first in range(1, elements):
            assert {small_product(first, second, elements) for second in range(elements)} == set(range(elements))


def test_the_bound_counts_padded_blocks() -> None:
    assert manipulation_bound(16) == manipulation_bound(1) == 2 / 2**128
    assert manipulation_bound(32) == 4 / 2**128
    assert manipulation_bound(1024) == 66 / 2**128


def test_shares_are_combined_and_left_as_they_were() -> None:
    first, second = bytearray(b"\1\2\3"), b"\4\4\4"
    assert combine_shares([first, second, memoryview(b"\1\0\0")]) == bytearray(b"\4\6\7")
    assert first == b"\1\2\3"


@pytest.mark.parametrize("shares", [[], [b"a", b"ab"]])
def test_refuses_shares_that_do_not_fit(shares: list[bytes]) -> None:
    with pytest.raises(InputError, match="one length"):
        combine_shares(shares)


@pytest.mark.parametrize("length", [0, CHECK_BYTES, MAX_SEGMENT_BYTES + CHECK_BYTES + 1])
def test_refuses_lengths_out_of_bounds(length: int) -> None:
    with pytest.raises(InputError):
        masked_check(bytes(length))


def test_refuses_segments_out_of_bounds() -> None:
    for length in (0, MAX_SEGMENT_BYTES + 1, True, 1.5):
        with pytest.raises(InputError):
            share_bytes(length)  # type: ignore[arg-type]
