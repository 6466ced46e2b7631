from __future__ import annotations

import msgspec
import pytest

from qkdpost.network.messages import framed
from qkdpost.network.messages.fields import LEAST_KEY_BYTES, RefusalReason, VoidReason
from qkdpost.network.messages.framed import (
    AssignAnswer,
    AssignedKeys,
    AssignKeys,
    CarryDone,
    CarrySegment,
    CarryVoid,
    Grant,
    KeysAnswer,
    VoidKeys,
    consumed_bytes,
    consumed_lengths,
    wrong_lengths,
)


def keys(*numbers: int, length: int = 32, ciphertext: bytes | None = None) -> AssignedKeys:
    key_ids = b"".join(bytes([number] * 16) for number in numbers)
    return AssignedKeys(key_ids, length, "SAE-A", ("SAE-B",), ciphertext)


def assign(*requests: AssignedKeys, seconds: int = 3600) -> AssignKeys:
    return AssignKeys(requests, seconds)


def carry(share: int = 0, length: int = 64, ciphertext: bytes | None = None) -> CarrySegment:
    return CarrySegment(bytes(16), "a", "c", (("a", "b", "c"),), share, length, bytes(16), 9, b"", ciphertext)


EXAMPLES = [
    Grant(1, 100, 50),
    assign(keys(1, 3), keys(2, length=16, ciphertext=bytes(16))),
    AssignAnswer((KeysAnswer(bytes(16), RefusalReason.QUOTA),)),
    VoidKeys((bytes(16),), VoidReason.DEADLINE, 99),
    carry(),
    CarryDone(bytes(16), 0, bytes(16)),
    CarryVoid(bytes(16), 0, VoidReason.MANIPULATED),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_every_message_comes_back_as_it_went(message: framed.Message) -> None:
    data = msgspec.msgpack.encode(message)
    assert msgspec.msgpack.decode(data, type=framed.Message) == message
    assert not wrong_lengths(message)


def test_only_keys_and_shares_consume_key() -> None:
    assert [consumed_bytes(message) for message in EXAMPLES] == [0, 80, 0, 0, 64, 0, 0]
    assert consumed_lengths(EXAMPLES[1]) == (64, 16)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (assign(keys(1), keys(1)), "twice"),
        (assign(keys(1, 2, 1)), "twice"),
        (assign(AssignedKeys(bytes(17), 32, "a", ("b",))), "less than an ID"),
        (assign(keys(1, ciphertext=bytes(31))), "32 bytes"),
        (assign(keys(1, 2, ciphertext=bytes(32))), "64 bytes"),
        (carry(share=1), "share 1 of 1"),
        (carry(length=64, ciphertext=bytes(65)), "64 bytes"),
    ],
)
def test_what_contradicts_itself_is_named(message: framed.Message, words: str) -> None:
    assert words in wrong_lengths(message)


def test_an_answer_takes_little_more_of_a_store_than_the_request_costs_its_sender() -> None:
    answer = AssignAnswer((KeysAnswer(bytes(16), RefusalReason.KNOWN_IDENTIFIER),) * 128)
    least = consumed_bytes(assign(*(keys(number, length=LEAST_KEY_BYTES) for number in range(128))))
    assert len(msgspec.msgpack.encode(answer)) < 3 * least


@pytest.mark.parametrize(
    "wrong",
    [
        assign(),
        assign(*(keys(number) for number in range(129))),
        assign(keys(*range(129))),
        assign(keys(1, length=7)),
        assign(keys(1, length=8193)),
        assign(AssignedKeys(bytes(15), 32, "a", ("b",))),
        assign(AssignedKeys(bytes(16), 32, "a" * 65, ("b",))),
        assign(AssignedKeys(bytes(16), 32, "a", ())),
        assign(keys(1), seconds=-1),
        Grant(-1, 0, 0),
        Grant(0, 2**32, 0),
        Grant(0, 2**70, 0),
        CarrySegment(bytes(16), "a", "c", (("a", "b", "c"),) * 9, 0, 64, bytes(16), 9, b""),
        CarrySegment(bytes(16), "a", "c", (("a",) * 35,), 0, 64, bytes(16), 9, b""),
    ],
)
def test_bounds_hold_when_bytes_are_read(wrong: framed.Message) -> None:
    try:
        data = msgspec.msgpack.encode(wrong)
    except OverflowError:
        return
    with pytest.raises(msgspec.MsgspecError):
        msgspec.msgpack.decode(data, type=framed.Message)
