from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import AuthenticationError, InputError
from qkdpost.keys.authentication import HASH_KEY_BYTES, TAG_BYTES, PolynomialHasher, Transcript
from reference.polynomials import field_product, polynomial_hash

GENERATOR = np.random.default_rng(6)
KEY = GENERATOR.bytes(HASH_KEY_BYTES)
PAD = GENERATOR.bytes(TAG_BYTES)


def slow_hash(data: bytes, key: bytes) -> int:
    padded = data + bytes(-len(data) % 16)
    blocks = [int.from_bytes(padded[start : start + 16], "little") for start in range(0, len(padded), 16)]
    return polynomial_hash([*blocks, 8 * len(data)], int.from_bytes(key, "little"))


def hashed(*pieces: bytes) -> bytes:
    hasher = PolynomialHasher(KEY[:16])
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_digest_equals_horner(data: bytes) -> None:
    assert int.from_bytes(hashed(data), "little") == slow_hash(data, KEY[:16])


def test_known_answers() -> None:
    """One block b at r: b r^2 + 128 r; no block: 0."""
    r = int.from_bytes(KEY[:16], "little")
    expected = field_product(field_product(5, r) ^ 128, r)
    assert int.from_bytes(hashed((5).to_bytes(16, "little")), "little") == expected
    assert hashed() == bytes(16)
    assert hashed(b"\0") != hashed(b"\0\0") != hashed()


@pytest.mark.parametrize("size", [1, 50, 4096, 32767, 32768, 32769, 32801, 100_000])
def test_pieces_equal_the_whole(size: int) -> None:
    data = np.random.default_rng(size).bytes(200_000)
    pieces = [data[start : start + size] for start in range(0, len(data), size)] if size > 1 else [data[:5], data[5:]]
    assert hashed(*pieces) == hashed(data)
    assert hashed(bytearray(data)) == hashed(memoryview(data)) == hashed(data)
    if size == 32769:
        assert int.from_bytes(hashed(data), "little") == slow_hash(data, KEY[:16])


def test_short_and_long_pieces_by_turns_equal_the_whole() -> None:
    rng = np.random.default_rng(9)
    sizes = rng.choice([0, 1, 30, 63, 64, 200, 32_740, 32_768, 70_001], 60)
    pieces = [rng.bytes(int(size)) for size in sizes]
    assert hashed(*pieces) == hashed(b"".join(pieces))


def test_digest_does_not_disturb_the_state() -> None:
    hasher = PolynomialHasher(KEY[:16])
    hasher.update(b"abc")
    assert hasher.digest() == hasher.digest()
    hasher.update(b"def")
    assert hasher.digest() == hashed(b"abcdef")


def conversation() -> tuple[Transcript, Transcript]:
    alice, bob = Transcript(KEY, reference=True), Transcript(KEY, reference=False)
    for message in (b"first", b"second" * 100):
        alice.sent(message)
        bob.received(message)
    bob.sent(b"answer")
    alice.received(b"answer")
    return alice, bob


def test_both_hosts_make_the_same_tag() -> None:
    alice, bob = conversation()
    tag = alice.tag(PAD)
    assert len(tag) == TAG_BYTES
    bob.verify(tag, PAD)
    said = b"first" + b"second" * 100
    expected = slow_hash(said, KEY[:16]) ^ slow_hash(b"answer", KEY[16:]) ^ int.from_bytes(PAD, "little")
    assert int.from_bytes(tag, "little") == expected


def test_order_within_a_direction_counts_and_between_directions_does_not() -> None:
    alice, _ = conversation()
    other = Transcript(KEY, reference=True)
    other.received(b"answer")
    other.sent(b"first" + b"second" * 100)
    other.verify(alice.tag(PAD), PAD)


@pytest.mark.parametrize("bit", [0, 7, 64, 127])
def test_a_wrong_tag_is_refused(bit: int) -> None:
    alice, bob = conversation()
    tag = (int.from_bytes(alice.tag(PAD), "little") ^ 1 << bit).to_bytes(16, "little")
    with pytest.raises(AuthenticationError):
        bob.verify(tag, PAD)


def test_whatever_else_differs_is_refused() -> None:
    alice, bob = conversation()
    tag = alice.tag(PAD)
    for wrong in (b"", tag[:-1], tag + b"\0"):
        with pytest.raises(AuthenticationError):
            bob.verify(wrong, PAD)
    with pytest.raises(AuthenticationError):
        bob.verify(tag, bytes(16))
    bob.received(b"\0")
    with pytest.raises(AuthenticationError):
        bob.verify(tag, PAD)


def test_what_was_said_by_one_cannot_stand_for_the_other() -> None:
    first, second = Transcript(KEY, reference=True), Transcript(KEY, reference=True)
    first.sent(b"x")
    second.received(b"x")
    assert first.tag(PAD) != second.tag(PAD)


def test_forgery_bound_counts_blocks_and_the_length() -> None:
    alice, _ = conversation()
    assert alice.forgery_bound == (-(-605 // 16) + 1) / 2.0**128


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError):
        PolynomialHasher(KEY)
    with pytest.raises(InputError):
        Transcript(KEY[:16], reference=True)
    with pytest.raises(InputError, match="reference must be True or False"):
        Transcript(KEY, reference="eve")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        Transcript(KEY, reference=False).tag(PAD[:-1])


def test_representations_show_no_key() -> None:
    alice, _ = conversation()
    assert repr(alice) == "Transcript(sent=PolynomialHasher(bytes=605), received=PolynomialHasher(bytes=6))"
