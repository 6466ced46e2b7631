from __future__ import annotations

import random

import pytest

from qkdpost.network.pool.vouching import RESERVED_BYTES, segment_checks
from support.key_manager_pair import Pair


def multiply(first: int, second: int) -> int:
    product = 0
    for bit in range(128):
        if second >> bit & 1:
            product ^= first << bit
    for bit in range(254, 127, -1):
        if product >> bit & 1:
            product ^= (1 << bit) | (0x87 << (bit - 128))
    return product


def slow_check(end: int, identifier: bytes, content: bytes) -> bytes:
    body, reserved = content[:-64], content[-64:]
    text = b"qkdpost segment" + bytes([end]) + identifier + len(body).to_bytes(8, "little") + body
    key = int.from_bytes(reserved[16 * end : 16 * end + 16], "little")
    blocks = [text[place : place + 16].ljust(16, b"\0") for place in range(0, len(text), 16)]
    state = 0
    for block in [*blocks, (8 * len(text)).to_bytes(16, "little")]:
        state = multiply(state ^ int.from_bytes(block, "little"), key)
    return (state ^ int.from_bytes(reserved[32 + 16 * end : 48 + 16 * end], "little")).to_bytes(16, "little")


@pytest.mark.parametrize("length", [64 + 128, 64 + 129, 64 + 777])
def test_a_check_is_the_polynomial_that_its_docstring_says(length: int) -> None:
    draw = random.Random(length)
    identifier, content = draw.randbytes(16), draw.randbytes(length)
    assert segment_checks(identifier, content) == tuple(slow_check(end, identifier, content) for end in (0, 1))


def test_every_bit_of_a_segment_and_its_name_counts() -> None:
    draw = random.Random(5)
    identifier, content = draw.randbytes(16), bytearray(draw.randbytes(200))
    right = segment_checks(identifier, content)
    for place in range(len(content) - RESERVED_BYTES):
        content[place] ^= 1 << place % 8
        wrong = segment_checks(identifier, content)
        assert wrong[0] != right[0] and wrong[1] != right[1]
        content[place] ^= 1 << place % 8
    assert segment_checks(bytes(16), content)[0] != right[0]
    assert segment_checks(identifier, content[:100] + content[100:]) == right


def offers(pair: Pair, name: str) -> set[bytes]:
    """All checks that an end ever said of a segment, in lists or offers."""
    from qkdpost.network.messages.greetings import SegmentList, SegmentOffer
    from qkdpost.network.peer.codec import Incoming, decode_greeting, is_frame

    found = set()
    for sender, data in pair.sent:
        incoming = Incoming()
        incoming.add(data)
        while sender == name and (whole := incoming.next()):
            if not is_frame(whole):
                said = decode_greeting(whole)
                entries = (said.segment,) if isinstance(said, SegmentOffer) else ()
                entries = said.segments if isinstance(said, SegmentList) else entries
                found |= {entry.check for entry in entries} - {b""}
    return found


def test_connections_that_break_before_a_segment_is_ready_see_one_check_alone() -> None:
    """A second text under the same pad would disclose the hash key: whatever breaks, the bytes are the same."""
    pair = Pair()
    pair.add(1)
    for rounds in range(1, 9):
        for end in pair.ends:
            end.turn(end.session.connection_lost)
            end.turn(end.session.connection_made)
        for _ in range(rounds // 2):
            for end, other in (pair.ends, pair.ends[::-1]):
                data = end.session.data_to_send()
                pair.sent.append((end.name, data))
                if data:
                    other.turn(lambda other=other, data=data: other.session.receive_data(data))
        if rounds == 4:
            pair.a.crash()
    pair.connect()
    assert len(offers(pair, "a")) == len(offers(pair, "b")) == 1
    assert offers(pair, "a") != offers(pair, "b")
    assert pair.a.pool.order[1].in_use


def test_copies_that_differ_never_become_ready() -> None:
    pair = Pair()
    content = bytearray(pair.draw.randbytes(4096))
    pair.a.add(bytes(16), content)
    content[1000] ^= 1
    pair.b.add(bytes(16), content)
    for _ in range(4):
        pair.connect()
    assert not pair.a.pool.order.by_number
    assert [notice.kind for notice in pair.a.pool.notices].count("segment-refused") == 3
    assert pair.a.pool.verifications == 3
    assert not pair.a.pool.order.by_identifier, "after three wrong checks it is given up"
