"""What was received and is not yet a whole frame; bounded by the longest frame that is allowed."""

from __future__ import annotations

from qkdpost.errors import RemoteProtocolError
from qkdpost.session.codec import LENGTH_BYTES

__all__ = ["ReceiveBuffer"]


class ReceiveBuffer:
    """Collects bytes and gives whole frames back; never holds more than was really received."""

    def __init__(self, max_payload_bytes: int) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._data = bytearray()
        self._start = 0

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add received bytes."""
        if self._start:
            del self._data[: self._start]
            self._start = 0
        self._data += data

    @property
    def next_bytes(self) -> int:
        """Length of the next frame's payload as announced, or 0 where nothing is."""
        return int.from_bytes(self._data[self._start : self._start + LENGTH_BYTES], "little")

    def next_frame(self) -> bytes | None:
        """Return the next whole frame, or None until more bytes come.

        Raises:
            RemoteProtocolError: the peer announces a frame that is longer than allowed.
        """
        body = self._start + LENGTH_BYTES
        if len(self._data) < body:
            return None
        length = int.from_bytes(self._data[self._start : body], "little")
        if length > self._max_payload_bytes:
            raise RemoteProtocolError(
                f"the peer announces a message of {length} bytes; at most {self._max_payload_bytes} allowed"
            )
        if len(self._data) < body + length:
            return None
        frame = bytes(memoryview(self._data)[self._start : body + length])
        self._start = body + length
        return frame

    def clear(self) -> None:
        """Forget everything."""
        self._data = bytearray()
        self._start = 0
