"""MessagePack written out from its specification, as far as the wire uses it: the shortest form of every value.

https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence


def pack(value: object) -> bytes:
    """Return the bytes of None, a bool, an integer, a float, text, bytes, or a sequence or mapping of these."""
    match value:
        case None | bool():
            packed = {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
        case int():
            packed = _integer(int(value))
        case float():
            packed = b"\xcb" + struct.pack(">d", value)
        case str():
            data = value.encode()
            packed = _head(len(data), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + data
        case bytes():
            packed = _head(len(value), None, (0xC4, 0xC5, 0xC6)) + value
        case Mapping():
            pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
            packed = _head(len(value), (0x80, 16), (None, 0xDE, 0xDF)) + pairs
        case Sequence():
            packed = _head(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(map(pack, value))
        case _:
            raise TypeError(f"MessagePack has no form for a {type(value).__name__}")
    return packed


def frame(payload: bytes) -> bytes:
    """Return the payload behind its length, four bytes, the lowest first."""
    return struct.pack("<I", len(payload)) + payload


def _integer(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes([value])
    if -32 <= value < 0:
        return struct.pack(">b", value)
    forms = (
        [(0xCC, ">B", 8), (0xCD, ">H", 16), (0xCE, ">I", 32), (0xCF, ">Q", 64)]
        if value > 0
        else [(0xD0, ">b", 7), (0xD1, ">h", 15), (0xD2, ">i", 31), (0xD3, ">q", 63)]
    )
    head, form = next((head, form) for head, form, bits in forms if -(2**bits) <= value < 2**bits)
    return bytes([head]) + struct.pack(form, value)


def _head(length: int, short: tuple[int, int] | None, longer: tuple[int | None, int, int]) -> bytes:
    """Return the head of something that long: its short form, or one with a length of 8, 16 or 32 bits."""
    if short is not None and length < short[1]:
        return bytes([short[0] | length])
    for head, form, limit in zip(longer, (">B", ">H", ">I"), (2**8, 2**16, 2**32), strict=True):
        if head is not None and length < limit:
            return bytes([head]) + struct.pack(form, length)
    raise ValueError(f"a length of {length}")
