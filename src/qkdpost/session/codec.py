"""Messages to bytes and back: MessagePack by msgspec behind a four-byte length."""

from __future__ import annotations

import msgspec

from qkdpost.dialogue.messages import Abort, Close, Confirmation, Message, Ready
from qkdpost.errors import RemoteProtocolError

__all__ = ["LENGTH_BYTES", "decode", "encode"]

LENGTH_BYTES = 4

_OUTSIDE_OF_TRANSCRIPTS = (Ready, Close, Abort, Confirmation)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


def encode(message: Message) -> bytes:
    """Return the frame of `message`: length of the payload, 4 bytes little-endian, then the payload."""
    frame = bytearray(LENGTH_BYTES)
    _encoder.encode_into(message, frame, LENGTH_BYTES)
    frame[:LENGTH_BYTES] = (len(frame) - LENGTH_BYTES).to_bytes(LENGTH_BYTES, "little")
    return bytes(frame)


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
    if isinstance(message, _OUTSIDE_OF_TRANSCRIPTS) and encode(message) != frame:
        raise RemoteProtocolError(f"the peer sent {type(message).__name__} in another form than the protocol's")
    return message
