"""What both hosts must compute alike: hashes, tags, samples, codes of slots; all from the slow twins, not the library.

Strings of bits are written as in `Bits.to_bytes`, the lowest bit of each byte first, in hexadecimal digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from reference import polynomials, shared_random, sifting


def octets(name: str, count: int) -> bytes:
    """Return `count` bytes that belong to `name`."""
    return hashlib.shake_256(name.encode()).digest(count)


def bits_of(name: str, count: int) -> list[int]:
    """Return `count` bits that belong to `name`."""
    data = octets(name, (count + 7) // 8)
    return [data[place // 8] >> place % 8 & 1 for place in range(count)]


def packed(bits: Sequence[int]) -> str:
    """Return bits as hexadecimal digits."""
    value = sum(int(bit) << place for place, bit in enumerate(bits))
    return value.to_bytes((len(bits) + 7) // 8, "little").hex()


def toeplitz() -> list[dict[str, object]]:
    """Return hashes by the definition, y[i] = XOR over j of seed[i - j + n - 1] x[j]; plain and beside the identity."""
    return [
        hashed
        for n, output_bits in ((1, 1), (8, 3), (64, 64), (65, 1), (100, 37), (129, 128), (300, 150))
        for hashed in (_toeplitz(n, output_bits), _modified(n, output_bits))
    ]


def _toeplitz(n: int, output_bits: int) -> dict[str, object]:
    bits, seed = bits_of(f"toeplitz bits {n}", n), bits_of(f"toeplitz seed {n}", n + output_bits - 1)
    output = polynomials.toeplitz_hash(np.array(bits, np.uint8), np.array(seed, np.uint8), output_bits)
    return _hash("toeplitz_hash", bits, seed, [int(bit) for bit in output])


def _modified(n: int, output_bits: int) -> dict[str, object]:
    head, seed_bits = n - output_bits, n - 1 if output_bits < n else 0
    bits, seed = bits_of(f"modified bits {n}", n), bits_of(f"modified seed {n}", seed_bits)
    output = bits[head:]
    for i in range(output_bits):
        for j in range(head):
            output[i] ^= seed[i - j + head - 1] & bits[j]
    return _hash("modified_toeplitz_hash", bits, seed, output)


def _hash(function: str, bits: list[int], seed: list[int], output: list[int]) -> dict[str, object]:
    return {
        "function": function,
        "input_bits": len(bits),
        "output_bits": len(output),
        "bits": packed(bits),
        "seed": packed(seed),
        "output": packed(output),
    }


def field_products() -> list[dict[str, object]]:
    """Return products in GF(2^128), elements as 16 bytes, the lowest first."""
    pairs = [(octets(f"factor {i}", 16), octets(f"other factor {i}", 16)) for i in range(3)]
    pairs += [(bytes(15) + b"\x80", b"\x02" + bytes(15)), (b"\x01" + bytes(15), octets("factor 0", 16))]
    return [
        {"first": a.hex(), "second": b.hex(), "product": _octets(polynomials.field_product(_integer(a), _integer(b)))}
        for a, b in pairs
    ]


def polynomial_hashes() -> list[dict[str, object]]:
    """Return hashes of one direction of a conversation, by its key r."""
    cases = [(octets(f"r {length}", 16), octets(f"said {length}", length)) for length in (0, 1, 16, 17, 100)]
    return [{"key": r.hex(), "data": data.hex(), "hash": _octets(_said(data, r))} for r, data in cases]


def transcript_tags() -> list[dict[str, object]]:
    """Return tags of conversations: the hash of what the reference said, of what the corrector said, and the pad."""
    tags = []
    for reference, corrector in ((b"", b""), (octets("one", 40), octets("other", 7)), (b"first, second", b"answer")):
        key, pad = octets("hash key", 32), octets("pad", 16)
        tag = _said(reference, key[:16]) ^ _said(corrector, key[16:]) ^ _integer(pad)
        named = {"hash_key": key, "reference": reference, "corrector": corrector, "pad": pad}
        tags.append({name: value.hex() for name, value in named.items()} | {"tag": _octets(tag)})
    return tags


def _said(data: bytes, key: bytes) -> int:
    padded = data + bytes(-len(data) % 16)
    blocks = [_integer(padded[start : start + 16]) for start in range(0, len(padded), 16)]
    return polynomials.polynomial_hash([*blocks, 8 * len(data)], _integer(key))


def frame_tags() -> list[dict[str, object]]:
    """Return tags of all frames of a string, one after another; the tag of a block is that of one frame."""
    cases = ((1, 64, 8), (300, 300, 50), (300, 128, 24), (1000, 256, 128), (513, 64, 1))
    return [_frame_tags(*case) for case in cases]


def _frame_tags(length: int, frame_bits: int, tag_bits: int) -> dict[str, object]:
    key, bits = octets(f"frame key {length}", 32), bits_of(f"frame bits {length}", length)
    r, s = _integer(key[:16]), _integer(key[16:])
    tags: list[int] = []
    for start in range(0, length, frame_bits):
        frame = bits[start : start + frame_bits]
        value = sum(bit << place for place, bit in enumerate(frame))
        whole = polynomials.field_product(
            polynomials.polynomial_hash(polynomials.message_blocks(value, len(frame)), r), s
        )
        tags += [whole >> place & 1 for place in range(tag_bits)]
    return {
        "key": key.hex(),
        "input_bits": length,
        "frame_bits": frame_bits,
        "tag_bits": tag_bits,
        "bits": packed(bits),
        "tags": packed(tags),
    }


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _octets(value: int) -> str:
    return value.to_bytes(16, "little").hex()


COUNTED = bytes(range(32))
SEEDS = (bytes(32), COUNTED, octets("seed", 32))


def expansions() -> list[dict[str, object]]:
    """Return bytes that follow from a seed and a label; 64 bytes are one block of ChaCha20."""
    cases = ((bytes(32), b"", 16), (COUNTED, b"label", 200), (b"\xff" * 32, b"\0", 1), (COUNTED, b"label", 0))
    return [
        {"seed": s.hex(), "label": t.hex(), "count": n, "output": shared_random.expand(s, t, n).hex()}
        for s, t, n in (*cases, (SEEDS[2], b"sample", 1030))
    ]


ORDERED = [(COUNTED, b"p", n) for n in (0, 1, 2, 7, 64, 100)] + [(bytes(32), b"", 50), (SEEDS[2], b"pass 1", 65)]


def permutations() -> list[dict[str, object]]:
    """Return permutations of n."""
    return [
        {"seed": s.hex(), "label": t.hex(), "n": n, "output": shared_random.permutation(s, t, n)} for s, t, n in ORDERED
    ]


def code_orders() -> list[dict[str, object]]:
    """Return orders of n that codes would have: no version of the protocol may have others."""
    return [
        {"seed": s.hex(), "label": t.hex(), "n": n, "output": shared_random.code_order(s, t, n)} for s, t, n in ORDERED
    ]


def samples() -> list[dict[str, object]]:
    """Return samples of k among n: none, few, half, most and all; also by the labels that estimation uses."""
    counts = ((0, 0), (1, 0), (1, 1), (10, 3), (10, 7), (100, 50), (1000, 20), (64, 64))
    cases = [(COUNTED, b"s", n, k) for n, k in counts]
    labels = (b"sample", b"surplus of the key basis", b"surplus of the test basis")
    cases += [(SEEDS[2], label, 300, k) for label, k in zip(labels, (31, 149, 268), strict=True)]
    return [
        {"seed": s.hex(), "label": t.hex(), "n": n, "k": k, "output": shared_random.sample_positions(s, t, n, k)}
        for s, t, n, k in cases
    ]


def slot_codes() -> list[dict[str, object]]:
    """Return positions below `pulses` and their Rice code, with its parameter from the golden-ratio rule."""
    cases: list[tuple[list[int], int]] = [([], 10), ([0], 1), ([9], 10), (list(range(20)), 20)]
    cases += [(_positions(count, pulses), pulses) for count, pulses in ((30, 60), (25, 1000), (12, 10**9), (5, 2**61))]
    return [_slot_code(slots, pulses) for slots, pulses in cases]


def _positions(count: int, pulses: int) -> list[int]:
    data = octets(f"slots below {pulses}", 16 * count)
    return sorted({int.from_bytes(data[8 * i : 8 * i + 8], "little") % pulses for i in range(2 * count)})[:count]


def _slot_code(slots: list[int], pulses: int) -> dict[str, object]:
    parameter = _rice_parameter(len(slots), pulses)
    return {
        "slots": slots,
        "pulses": pulses,
        "parameter": parameter,
        "code": sifting.rice_code(slots, parameter).hex(),
    }


def _rice_parameter(count: int, pulses: int) -> int:
    """Return the largest k with 2^k <= 77/80 (pulses / count - 1/2), or 0, tried one by one."""
    parameter = 0
    while count and 2 ** (parameter + 1) * 160 * count <= 77 * (2 * pulses - count):
        parameter += 1
    return parameter


def build_hashing() -> dict[str, object]:
    """Return all that is computed in GF(2)."""
    return {
        "field": "GF(2)[x] / (x^128 + x^7 + x^2 + x + 1), bit i the coefficient of x^i",
        "toeplitz": toeplitz(),
        "field_product": field_products(),
        "polynomial_hash": polynomial_hashes(),
        "transcript_tag": transcript_tags(),
        "frame_tags": frame_tags(),
    }


def build_shared_random() -> dict[str, object]:
    """Return all that follows from a seed."""
    return {
        "source": "tests/reference/shared_random.py: SHAKE256 written out after FIPS 202, ChaCha20 after RFC 8439, "
        "draws and shuffles as plain Python",
        "expand": expansions(),
        "permutation": permutations(),
        "code_order": code_orders(),
        "sample_positions": samples(),
    }


def build_slots() -> dict[str, object]:
    """Return codes of positions."""
    return {"slot_codes": slot_codes()}
