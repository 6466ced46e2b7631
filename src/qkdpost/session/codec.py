"""Messages to bytes and back: MessagePack by msgspec behind a four-byte length."""

from __future__ import annotations

import msgspec

from qkdpost.dialogue.message_fields import Count
from qkdpost.dialogue.messages import Abort, Alive, Close, Confirmation, Message, Ready
from qkdpost.errors import RemoteProtocolError

__all__ = ["LENGTH_BYTES", "decode", "encode", "greeting_version"]

LENGTH_BYTES = 4

_OUTSIDE_OF_TRANSCRIPTS = frozenset({Ready, Alive, Close, Abort, Confirmation})


class _AnyGreeting(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """What the greeting of every release begins with, past ones and those to come; the rest is skipped."""

    version: Count


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)
_greeting_decoder = msgspec.msgpack.Decoder(_AnyGreeting)


def encode(message: Message) -> bytes:
    """Return the frame of `message`: length of the payload, 4 bytes little-endian, then the payload."""
    payload = _encoder.encode(message)
    return len(payload).to_bytes(LENGTH_BYTES, "little") + payload


def decode(frame: bytes) -> Message:
    """Return the message in a whole frame.

    A message that no transcript covers has one form alone, the one that `encode` gives it. Of all others the bytes are
    under the tags, so that a second form of the same message is a forgery like any other.

    Raises:
        RemoteProtocolError: no such message, or one of its fields is out of bounds.
    """
    try:
        message: Message = _decoder.decode(memoryview(frame)[LENGTH_BYTES:])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RemoteProtocolError(f"the peer sent no message of the protocol: {error}") from None
    if type(message) in _OUTSIDE_OF_TRANSCRIPTS and encode(message) != frame:
        raise RemoteProtocolError(f"the peer sent {type(message).__name__} in another form than the protocol's")
    return message


def greeting_version(frame: bytes) -> int | None:
    """Return the protocol version that a frame tells if it begins like a greeting, whatever follows; else None."""
    try:
        return _greeting_decoder.decode(memoryview(frame)[LENGTH_BYTES:]).version
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
