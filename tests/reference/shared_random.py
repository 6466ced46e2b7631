"""Slow, obvious twin of `qkdpost.shared_random`: SHAKE256 after FIPS 202 by hand, then plain lists."""

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


def expand(seed: bytes, label: bytes, count: int) -> bytes:
    return shake256(b"qkdpost shared random 1" + len(label).to_bytes(8, "little") + label + seed, count)


def draws(seed: bytes, label: bytes, bytes_needed: int) -> Iterator[int]:
    """The 32-bit words of the first chunk of a label's stream, of which `bytes_needed` suffice."""
    data = expand(seed, label + bytes(8), bytes_needed)
    for start in range(0, bytes_needed, 4):
        yield int.from_bytes(data[start : start + 4], "little")


def draw_below(bound: int, words: Iterator[int]) -> int:
    while True:
        product = next(words) * bound
        if product % 2**32 >= 2**32 % bound:
            return product // 2**32


def permutation(seed: bytes, label: bytes, n: int) -> list[int]:
    words = draws(seed, label, 8 * n + 64)
    order = list(range(n))
    for index in range(n - 1, 0, -1):
        other = draw_below(index + 1, words)
        order[index], order[other] = order[other], order[index]
    return order


def sample_positions(seed: bytes, label: bytes, n: int, k: int) -> list[int]:
    words = draws(seed, label, 32 * n + 64)
    seen: set[int] = set()
    while len(seen) < min(k, n - k):
        seen.add(draw_below(n, words))
    return sorted(seen if k <= n - k else set(range(n)) - seen)
