"""Slow, obvious twin of `qkdpost.shared_random`, and of the orders of codes.

SHAKE256 after FIPS 202 and ChaCha20 after RFC 8439 by hand, then plain lists.
"""

from __future__ import annotations

from collections.abc import Iterator

MASK = (1 << 64) - 1


def rotate(word: int, by: int) -> int:
    return ((word << by) | (word >> (64 - by))) & MASK if by else word


def keccak(lanes: list[list[int]]) -> list[list[int]]:
    """Keccak-f[1600]; lanes[x][y]. Round constants by the LFSR of FIPS 202, section 3.2.5."""
    register = 1
    for _ in range(24):
        parity = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        for x in range(5):
            change = parity[(x - 1) % 5] ^ rotate(parity[(x + 1) % 5], 1)
            lanes[x] = [lane ^ change for lane in lanes[x]]
        x, y, held = 1, 0, lanes[1][0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            held, lanes[x][y] = lanes[x][y], rotate(held, (step + 1) * (step + 2) // 2 % 64)
        for y in range(5):
            row = [lanes[x][y] for x in range(5)]
            for x in range(5):
                lanes[x][y] = row[x] ^ (~row[(x + 1) % 5] & MASK & row[(x + 2) % 5])
        for power in range(7):
            if register & 1:
                lanes[0][0] ^= 1 << ((1 << power) - 1)
            register = (register << 1) ^ (0x171 if register >> 7 else 0)
    return lanes


def shake256(message: bytes, count: int) -> bytes:
    rate = 136
    padded = bytearray(message + b"\x1f")
    padded += bytes(-len(padded) % rate)
    padded[-1] ^= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), rate):
        for index in range(rate // 8):
            word = int.from_bytes(padded[start + 8 * index : start + 8 * index + 8], "little")
            lanes[index % 5][index // 5] ^= word
        lanes = keccak(lanes)
    output = b""
    while len(output) < count:
        output += b"".join(lanes[index % 5][index // 5].to_bytes(8, "little") for index in range(rate // 8))
        lanes = keccak(lanes)
    return output[:count]


def quarter_round(state: list[int], a: int, b: int, c: int, d: int) -> None:
    """RFC 8439, 2.1."""
    for first, second, third, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[first] = (state[first] + state[second]) % 2**32
        mixed = state[third] ^ state[first]
        state[third] = (mixed << by | mixed >> (32 - by)) % 2**32


def chacha20_block(key: bytes, counter: int, nonce: bytes) -> bytes:
    """RFC 8439, 2.3."""
    data = b"expand 32-byte k" + key + counter.to_bytes(4, "little") + nonce
    first = [int.from_bytes(data[start : start + 4], "little") for start in range(0, 64, 4)]
    state = list(first)
    for _ in range(10):
        for column in range(4):
            quarter_round(state, column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            quarter_round(state, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return b"".join(((new + old) % 2**32).to_bytes(4, "little") for new, old in zip(state, first, strict=True))


def hashed(seed: bytes, label: bytes, version: bytes, count: int) -> bytes:
    return shake256(b"qkdpost shared random " + version + len(label).to_bytes(8, "little") + label + seed, count)


def expand(seed: bytes, label: bytes, count: int) -> bytes:
    key = hashed(seed, label, b"2", 32)
    return b"".join(chacha20_block(key, block, bytes(12)) for block in range(-(-count // 64)))[:count]


def draws(seed: bytes, label: bytes) -> Iterator[int]:
    """The 32-bit words of a label's stream."""
    key = hashed(seed, label, b"2", 32)
    for block in range(2**32):
        data = chacha20_block(key, block, bytes(12))
        for start in range(0, 64, 4):
            yield int.from_bytes(data[start : start + 4], "little")


def code_draws(seed: bytes, label: bytes, words: int) -> Iterator[int]:
    """The first words of the first chunk of the stream that codes are ordered by."""
    data = hashed(seed, label + bytes(8), b"1", 4 * words)
    for start in range(0, 4 * words, 4):
        yield int.from_bytes(data[start : start + 4], "little")


def draw_below(bound: int, words: Iterator[int]) -> int:
    while True:
        product = next(words) * bound
        if product % 2**32 >= 2**32 % bound:
            return product // 2**32


def shuffled(n: int, words: Iterator[int]) -> list[int]:
    order = list(range(n))
    for index in range(n - 1, 0, -1):
        other = draw_below(index + 1, words)
        order[index], order[other] = order[other], order[index]
    return order


def permutation(seed: bytes, label: bytes, n: int) -> list[int]:
    return shuffled(n, draws(seed, label))


def code_order(seed: bytes, label: bytes, n: int) -> list[int]:
    return shuffled(n, code_draws(seed, label, 2 * n + 16))


def sample_positions(seed: bytes, label: bytes, n: int, k: int) -> list[int]:
    words = draws(seed, label)
    seen: set[int] = set()
    while len(seen) < min(k, n - k):
        seen.add(draw_below(n, words))
    return sorted(seen if k <= n - k else set(range(n)) - seen)
