from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.dialogue.messages import Abort, AbortReason, Confirmation, CorrectionRound, Message, Ready
from qkdpost.errors import RemoteProtocolError
from qkdpost.session.buffer import ReceiveBuffer
from qkdpost.session.codec import decode, encode
from vectors.messages import SAMPLES, all_types


def test_the_samples_are_of_every_type_of_message() -> None:
    assert {type(message) for message in SAMPLES} == set(all_types())


@pytest.mark.parametrize("message", SAMPLES, ids=lambda m: type(m).__name__)
def test_round_trip(message: object) -> None:
    assert decode(encode(message)) == message  # type: ignore[arg-type]


@given(st.binary(max_size=64))
@settings(max_examples=500)
def test_any_bytes_give_a_message_or_the_named_error(payload: bytes) -> None:
    frame = len(payload).to_bytes(4, "little") + payload
    with contextlib.suppress(RemoteProtocolError):
        decode(frame)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda m: type(m).__name__)
def test_every_truncation_is_refused(message: object) -> None:
    frame = encode(message)  # type: ignore[arg-type]
    for length in range(4, len(frame)):
        with pytest.raises(RemoteProtocolError):
            decode(frame[:length])


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.data())
def test_any_chunking_gives_the_same_frames(sizes: list[int], data: st.DataObject) -> None:
    sent = [encode(CorrectionRound(block=0, round=i, bits=8 * size, data=bytes(size))) for i, size in enumerate(sizes)]
    stream = b"".join(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    buffer = ReceiveBuffer(1000)
    received = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        buffer.append(stream[start:stop])
        while (frame := buffer.next_frame()) is not None:
            received.append(frame)
    assert received == sent


def test_an_announced_giant_is_refused_at_once() -> None:
    buffer = ReceiveBuffer(1000)
    buffer.append((1001).to_bytes(4, "little"))
    with pytest.raises(RemoteProtocolError, match="1001 bytes"):
        buffer.next_frame()


@pytest.mark.parametrize(
    "message",
    [
        Abort(block=3, reason=AbortReason.NO_KEY_LEFT),
        Confirmation(block=1, step=2, tag=bytes(16)),
        Ready(nonce=bytes(16)),
    ],
    ids=lambda m: type(m).__name__,
)
def test_what_no_tag_covers_has_one_form_alone(message: Message) -> None:
    """Numbers may be written longer than they need, as 01 and cd 00 01."""
    frame = encode(message)
    number = frame[5]  # the tag of the type, behind the head of the array
    longer = frame[4:5] + b"\xcd" + number.to_bytes(2, "big") + frame[6:]
    other = len(longer).to_bytes(4, "little") + longer
    with pytest.raises(RemoteProtocolError, match="in another form"):
        decode(other)
    assert decode(frame) == message
