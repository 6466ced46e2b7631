"""Bytes between key managers, and what is read from them before anything is believed.

Everything begins with a length, u32, of what follows it, and a byte that says what it is. All numbers are
little-endian.

    greeting   length u32 | 0 u8 | msgpack
    frame      length u32 | 1 u8 | pool 16 | direction u8 | sequence u32 | seen u32 | n u8 |
               n times (segment u32, offset u32, length u32) | msgpack array of messages | tag 16

A frame says which ranges of its direction it takes, in order: 16 bytes of pad for its tag, then what its messages
consume, in order; what is beyond is spent for nothing. `sequence` counts the frames of this direction in this
connection, from 1: with it a frame that somebody took out is missed. `seen` is how many of the other direction were
taken, durably, in this connection. Nothing of a frame is decoded before its tag was right, and no frame has more than
64 KiB.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from qkdpost.errors import RemoteProtocolError
from qkdpost.network.messages.fields import MAX_FRAME_BYTES, MAX_MESSAGES_PER_FRAME, Offset
from qkdpost.network.messages.framed import Message, wrong_lengths
from qkdpost.network.messages.greetings import OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION, Greeting
from qkdpost.network.peer.tags import TAG_BYTES
from qkdpost.network.pool.direction import MAX_RANGES, Range
from qkdpost.version import no_common_version

__all__ = [
    "MAX_RANGES",
    "Header",
    "Incoming",
    "decode_greeting",
    "decode_messages",
    "encode_greeting",
    "encode_messages",
    "frame",
    "header_of",
]

GREETING, FRAME = 0, 1
_LENGTH = struct.Struct("<I")
_HEAD = struct.Struct("<IB16sBIIB")
_RANGE = struct.Struct("<III")


class _AnyHello(msgspec.Struct, frozen=True, array_like=True, tag=101):
    """What `PeerHello` of every release begins with; the rest is skipped."""

    version: Offset


_encoder = msgspec.msgpack.Encoder()
_greetings = msgspec.msgpack.Decoder(Greeting)
_hellos = msgspec.msgpack.Decoder(_AnyHello)
_messages = msgspec.msgpack.Decoder(list[Message])


class Header(NamedTuple):
    """What a frame says before its messages."""

    pool: bytes
    direction: int
    sequence: int
    seen: int
    ranges: tuple[Range, ...]
    body: int
    """Where the messages begin."""


class Incoming:
    """The bytes that have come, cut into greetings and frames."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def add(self, data: bytes | bytearray | memoryview) -> None:
        """Append what has come."""
        self._data += data

    def next(self) -> bytes | None:
        """Return the next whole greeting or frame with its length, or None.

        Raises:
            RemoteProtocolError: it would be too long, or nothing.
        """
        if len(self._data) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(self._data)[0]
        if not _LENGTH.size < end <= MAX_FRAME_BYTES:
            raise RemoteProtocolError(f"the peer announced {end} bytes; the longest frame has {MAX_FRAME_BYTES}")
        if len(self._data) < end:
            return None
        whole = bytes(self._data[:end])
        del self._data[:end]
        return whole


def encode_greeting(greeting: Greeting) -> bytes:
    """Return a greeting as bytes."""
    body = _encoder.encode(greeting)
    return _LENGTH.pack(len(body) + 1) + bytes([GREETING]) + body


def is_frame(whole: bytes) -> bool:
    """Tell whether these bytes are a frame; if not, they are a greeting or nothing."""
    return whole[_LENGTH.size] == FRAME


def decode_greeting(whole: bytes) -> Greeting:
    """Return a greeting.

    Raises:
        RemoteProtocolError: it is none.
    """
    if whole[_LENGTH.size] != GREETING:
        raise RemoteProtocolError(f"the peer sent something of kind {whole[_LENGTH.size]}, which is none")
    try:
        greeting: Greeting = _greetings.decode(memoryview(whole)[_LENGTH.size + 1 :])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(_no_greeting(whole, str(error))) from None
    return greeting


def _no_greeting(whole: bytes, found: str) -> str:
    """Say what is wrong with a greeting; of a later version, that it is one."""
    try:
        version = _hellos.decode(memoryview(whole)[_LENGTH.size + 1 :]).version
    except (msgspec.MsgspecError, ValueError, RecursionError):
        version = 0
    if version > PROTOCOL_VERSION:
        return no_common_version("", (OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION), (version, version))
    return f"the peer sent no greeting of the protocol: {found}"


def encode_messages(messages: Sequence[Message]) -> bytes:
    """Return the messages of a frame as bytes."""
    return _encoder.encode(messages)


def frame(pool: bytes, direction: int, sequence: int, seen: int, ranges: Sequence[Range], body: bytes) -> bytearray:
    """Return a frame that lacks its tag."""
    length = _HEAD.size + _RANGE.size * len(ranges) + len(body) + TAG_BYTES
    result = bytearray(_HEAD.pack(length - _LENGTH.size, FRAME, pool, direction, sequence, seen, len(ranges)))
    for piece in ranges:
        result += _RANGE.pack(*piece)
    result += body
    return result


def header_of(whole: bytes) -> Header:
    """Return the header of a frame.

    Raises:
        RemoteProtocolError: it is shorter than its header says.
    """
    if len(whole) < _HEAD.size:
        raise RemoteProtocolError(f"the peer sent a frame of {len(whole)} bytes, less than a header")
    _, _, pool, direction, sequence, seen, count = _HEAD.unpack_from(whole)
    body = _HEAD.size + _RANGE.size * count
    if not count or len(whole) < body + TAG_BYTES:
        raise RemoteProtocolError(f"the peer sent a frame of {len(whole)} bytes that names {count} ranges")
    ranges = tuple(Range(*_RANGE.unpack_from(whole, _HEAD.size + _RANGE.size * place)) for place in range(count))
    return Header(pool, direction, sequence, seen, ranges, body)


def decode_messages(whole: bytes, header: Header) -> list[Message]:
    """Return the messages of a frame whose tag was right.

    Raises:
        RemoteProtocolError: they are none, or contradict themselves.
    """
    try:
        messages: list[Any] = _messages.decode(memoryview(whole)[header.body : -TAG_BYTES])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"the peer sent no messages of the protocol: {error}") from None
    if len(messages) > MAX_MESSAGES_PER_FRAME:
        raise RemoteProtocolError(f"the peer sent {len(messages)} messages in a frame")
    for message in messages:
        wrong = wrong_lengths(message)
        if wrong:
            raise RemoteProtocolError(f"the peer sent {type(message).__name__}, but {wrong}")
    return messages
