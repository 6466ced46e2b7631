"""The buffer gives the same frames in whatever pieces their bytes come."""

from __future__ import annotations

import numpy as np
import pytest

from qkdpost.errors import RemoteProtocolError
from qkdpost.session.buffer import ReceiveBuffer, SendBuffer
from qkdpost.session.codec import LENGTH_BYTES


def frames_of(seed: int, count: int) -> list[bytes]:
    rng = np.random.default_rng(seed)
    bodies = [rng.bytes(int(size)) for size in rng.integers(0, 60, count)]
    return [len(body).to_bytes(LENGTH_BYTES, "little") + body for body in bodies]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("most_bytes", [1, 7, 64, 1000])
def test_frames_come_out_as_they_went_in(kind: type, most_bytes: int) -> None:
    frames, rng = frames_of(1, 200), np.random.default_rng(2)
    stream, buffer, found = b"".join(frames), ReceiveBuffer(100), []
    while stream:
        size = int(rng.integers(1, most_bytes + 1))
        buffer.append(kind(stream[:size]))
        stream = stream[size:]
        if rng.random() < 0.7:
            while (frame := buffer.next_frame()) is not None:
                found.append(frame)
    while (frame := buffer.next_frame()) is not None:
        found.append(frame)
    assert found == frames
    assert {type(frame) for frame in found} == {bytes}


def test_what_the_caller_writes_afterwards_is_not_read() -> None:
    frame = frames_of(3, 1)[0] + b"\x05\x00\x00\x00"
    data, buffer = bytearray(frame), ReceiveBuffer(100)
    buffer.append(data)
    data[:] = bytes(len(data))
    assert buffer.next_frame() == frame[:-4]
    assert buffer.next_bytes == 5


def test_the_next_length_is_told_before_its_frame_is_whole() -> None:
    buffer = ReceiveBuffer(100)
    assert buffer.next_bytes == 0
    buffer.append(b"\x09\x00\x00\x00abc")
    assert (buffer.next_frame(), buffer.next_bytes) == (None, 9)
    buffer.append(b"defghi")
    assert buffer.next_frame() == b"\x09\x00\x00\x00abcdefghi"
    assert buffer.next_bytes == 0


def test_too_long_a_frame_is_refused_by_its_announcement() -> None:
    buffer = ReceiveBuffer(100)
    buffer.append(b"\x65\x00\x00\x00")
    with pytest.raises(RemoteProtocolError, match="101 bytes; at most 100"):
        buffer.next_frame()


def test_nothing_is_left_after_clear() -> None:
    buffer = ReceiveBuffer(100)
    buffer.append(b"\x09\x00\x00\x00abc")
    buffer.clear()
    assert (buffer.next_frame(), buffer.next_bytes) == (None, 0)


def test_what_is_to_be_sent_goes_together_and_once() -> None:
    buffer, frames = SendBuffer(), frames_of(3, 3)
    assert (buffer.take(), buffer.size) == (b"", 0)
    for frame in frames:
        buffer.append(frame)
    assert buffer.size == len(b"".join(frames))
    assert (buffer.take(), buffer.take(), buffer.size) == (b"".join(frames), b"", 0)
    buffer.append(frames[0])
    assert buffer.take() is frames[0]


def test_nothing_is_sent_after_clear() -> None:
    buffer = SendBuffer()
    buffer.append(b"\x00\x00\x00\x00")
    buffer.clear()
    assert (buffer.size, buffer.take()) == (0, b"")
