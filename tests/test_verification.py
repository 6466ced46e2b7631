from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from qkdpost.bits import Bits, concatenate
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.verification import KEY_BYTES, frame_tags, hash_tag, tag_bits_for
from reference.polynomials import field_product, message_blocks, polynomial_hash

KEY = np.random.default_rng(4).bytes(KEY_BYTES)


def random_bits(seed: int, length: int) -> Bits:
    return Bits.from_array(np.random.default_rng(seed).integers(0, 2, length, dtype=np.uint8))


def slow_tag(bits: Bits, key: bytes, tag_bits: int) -> int:
    r, s = int.from_bytes(key[:16], "little"), int.from_bytes(key[16:], "little")
    message = int.from_bytes(bits.to_bytes(), "little")
    return field_product(polynomial_hash(message_blocks(message, len(bits)), r), s) & ((1 << tag_bits) - 1)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 127, 128, 129, 1000, 5000])
@pytest.mark.parametrize("tag_bits", [1, 50, 64, 65, 128])
def test_tags_equal_their_definition(length: int, tag_bits: int) -> None:
    bits = random_bits(length, length)
    tag = hash_tag(bits, KEY, tag_bits)
    assert len(tag) == tag_bits
    assert int.from_bytes(tag.to_bytes(), "little") == slow_tag(bits, KEY, tag_bits)


@pytest.mark.parametrize(("length", "frame_bits"), [(1, 1), (10, 1), (1000, 300), (1024, 128), (1000, 777), (5, 100)])
@pytest.mark.parametrize("tag_bits", [7, 64, 100])
def test_frame_tags_are_the_tags_of_the_frames(length: int, frame_bits: int, tag_bits: int) -> None:
    bits = random_bits(length, length)
    frames = [bits[start : start + frame_bits] for start in range(0, length, frame_bits)]
    assert frame_tags(bits, frame_bits, KEY, tag_bits) == concatenate(
        hash_tag(frame, KEY, tag_bits) for frame in frames
    )


def test_no_frames() -> None:
    assert len(frame_tags(Bits.zeros(0), 100, KEY, 50)) == 0


def test_one_wrong_bit_or_another_length_changes_the_tag() -> None:
    bits = random_bits(0, 4000)
    tag = hash_tag(bits, KEY, 64)
    for place in (0, 127, 128, 3999):
        changed = np.asarray(bits).copy()
        changed[place] ^= 1
        assert hash_tag(Bits.from_array(changed), KEY, 64) != tag
    assert hash_tag(concatenate([bits, Bits.zeros(1)]), KEY, 64) != tag


def test_collisions_of_short_tags_are_as_rare_as_promised() -> None:
    first, second = random_bits(1, 300), random_bits(2, 300)
    generator = np.random.default_rng(5)
    trials, tag_bits = 4000, 4
    keys = [generator.bytes(KEY_BYTES) for _ in range(trials)]
    collisions = sum(hash_tag(first, key, tag_bits) == hash_tag(second, key, tag_bits) for key in keys)
    # Binomial with p = 2^-4: 250 expected, 15 the standard deviation.
    assert 170 < collisions < 330


@pytest.mark.parametrize(
    ("epsilon", "longest_bits", "expected"),
    [(0.5, 0, 1), (2.0**-50, 0, 50), (2.0**-50, 1, 51), (1e-15, 10**6, 50), (2.0**-100, 2**27, 101), (0.3, 100, 2)],
)
def test_tag_bits_for(epsilon: float, longest_bits: int, expected: int) -> None:
    assert tag_bits_for(epsilon, longest_bits) == expected
    blocks = Fraction(-(-longest_bits // 128), 2**128)
    assert blocks + Fraction(1, 2**expected) <= Fraction(epsilon)
    assert expected == 1 or blocks + Fraction(2, 2**expected) > Fraction(epsilon)


@pytest.mark.parametrize(
    ("epsilon", "longest_bits"), [(2.0**-129, 0), (2.0**-120, 2**20), (0.0, 1), (1.0, 1), (0.5, -1)]
)
def test_impossible_tags_are_refused(epsilon: float, longest_bits: int) -> None:
    with pytest.raises(ConfigurationError):
        tag_bits_for(epsilon, longest_bits)


def test_wrong_arguments_are_refused() -> None:
    bits = Bits.zeros(10)
    for key, tag_bits in ((KEY[:-1], 50), (KEY + b"\0", 50), (KEY, 0), (KEY, 129)):
        for length in (0, 10):
            with pytest.raises(InputError):
                hash_tag(bits[:length], key, tag_bits)
    with pytest.raises(InputError, match="frame"):
        frame_tags(bits, 0, KEY, 50)
