"""What was received and is not yet a whole frame, bounded by the longest that is allowed; and what is to be sent."""

from __future__ import annotations

from qkdpost.errors import RemoteProtocolError
from qkdpost.session.codec import LENGTH_BYTES

__all__ = ["ReceiveBuffer", "SendBuffer"]


class ReceiveBuffer:
    """Collects bytes and gives whole frames back; never holds more than was really received."""

    def __init__(self, max_payload_bytes: int) -> None:
        self.next_bytes = 0
        """Length of the next frame's payload as announced, or 0 where nothing is."""
        self._max_payload_bytes = max_payload_bytes
        self._data: bytes | bytearray = b""
        self._start = 0

    @property
    def is_empty(self) -> bool:
        """Whether all that was received has been given back."""
        return self._start == len(self._data)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add received bytes."""
        start, self._start = self._start, 0
        if start == len(self._data):  # the usual case: whole frames came, which need not be moved to be found
            self._data = data if type(data) is bytes else bytes(data)
        else:
            if not isinstance(self._data, bytearray):
                self._data = bytearray(self._data)
            del self._data[:start]
            self._data += data
        self.next_bytes = int.from_bytes(self._data[:LENGTH_BYTES], "little")

    def next_frame(self) -> bytes | None:
        """Return the next whole frame, or None until more bytes come.

        Raises:
            RemoteProtocolError: the peer announces a frame that is longer than allowed.
        """
        data, start, length = self._data, self._start, self.next_bytes
        end = start + LENGTH_BYTES + length
        if length > self._max_payload_bytes and len(data) >= start + LENGTH_BYTES:
            raise RemoteProtocolError(
                f"the peer announces a message of {length} bytes; at most {self._max_payload_bytes} allowed"
            )
        if len(data) < end:
            return None
        self._start = end
        self.next_bytes = int.from_bytes(data[end : end + LENGTH_BYTES], "little")
        return data[start:end] if type(data) is bytes else bytes(memoryview(data)[start:end])

    def clear(self) -> None:
        """Forget everything."""
        self._data = b""
        self._start = self.next_bytes = 0


class SendBuffer:
    """Collects whole frames; a frame that goes alone is given back as it is, with no copy made."""

    def __init__(self) -> None:
        self.size = 0
        """How many bytes are to be sent."""
        self._frames: list[bytes] = []

    def append(self, frame: bytes) -> None:
        """Add a frame."""
        self._frames.append(frame)
        self.size += len(frame)

    def take(self) -> bytes:
        """Return all that is to be sent, and forget it."""
        data = b"".join(self._frames)
        self.clear()
        return data

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
        self.size = 0
