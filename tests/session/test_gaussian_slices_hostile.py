"""Slices of continuous outcomes: what a peer or a line may do to messages, and what errors then hold."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.dialogue.messages import (
    AnnouncedMoments,
    CorrectionRound,
    FrameFlags,
    FrameRotations,
    FrameSlices,
    FrameTags,
    Message,
    ReversePlan,
)
from qkdpost.errors import AuthenticationError, RemoteProtocolError
from qkdpost.session.codec import decode, encode
from qkdpost.stages import release
from qkdpost.stages.outcomes import AgreedLength
from support.continuous_sessions import Alter, replaced, with_field
from support.leaks import leaks
from support.link import Pair
from support.short_link import FRAME, link, records, talk


def clean_run() -> tuple[Pair, Bits]:
    """Let two sessions talk whom nobody disturbs; return with them the string that the key was made of."""
    corrected: list[Bits] = []
    real = release._amplify

    def remember(agreed: AgreedLength) -> Bits:
        corrected.append(agreed.key[:])
        return real(agreed)

    release._amplify = remember
    try:
        pair = talk(link())
    finally:
        release._amplify = real
    assert corrected[0] == corrected[1]
    return pair, corrected[0]


CLEAN, CORRECTED = clean_run()
SECRETS = (*(CORRECTED.to_bytes()[start : start + 512] for start in (0, FRAME // 4)), CLEAN.keys("bob")[0][:512])
"""Of the first frame the lowest bits and the highest, and of the key."""


def at(place: int, value: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + value + data[place + len(value) :]


def with_plan(change: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    return lambda message: with_field(plan=change(message.plan))(message)


def with_data(change: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    return lambda message: with_field(data=change(message.data))(message)


WIDTH, DEVIATION, LENGTHS, TURNS = 5, 13, 21, 2 * FRAME
NONSENSE: dict[str, tuple[type[Message], Callable[[Any], Any], str]] = {
    "plan: none": (ReversePlan, with_plan(lambda data: b""), "plan of slices"),
    "plan: cut": (ReversePlan, with_plan(lambda data: data[:-1]), "plan of slices"),
    "plan: longer": (ReversePlan, with_plan(lambda data: data + b"\0"), "plan of slices"),
    "plan: one of rotations": (ReversePlan, with_field(plan=b"\xa0\0\0\0"), "plan of slices"),
    "plan: other frames": (ReversePlan, with_plan(at(0, (2**16).to_bytes(4, "little"))), "frames of this link"),
    "plan: frames of no code": (ReversePlan, with_plan(at(0, b"\1\0\0\0")), "frame_reals"),
    "plan: no levels": (ReversePlan, with_plan(at(4, b"\0")), "levels"),
    "plan: too many levels": (ReversePlan, with_plan(at(4, b"\xff")), "levels"),
    "plan: no width": (ReversePlan, with_plan(at(WIDTH, bytes(8))), "width"),
    "plan: width beyond bounds": (ReversePlan, with_plan(at(WIDTH, b"\xff" * 8)), "width"),
    "plan: no noise": (ReversePlan, with_plan(at(DEVIATION, bytes(8))), "deviation"),
    "plan: noise wider than cells": (ReversePlan, with_plan(at(DEVIATION, (2**40).to_bytes(8, "little"))), "width"),
    "plan: cheap frames": (ReversePlan, with_plan(at(LENGTHS, b"\1\0" * 8)), "Kraft"),
    "plan: frames for nothing": (ReversePlan, with_plan(at(LENGTHS, b"\0\0")), "lengths"),
    "plan: no gain": (ReversePlan, with_field(gain=0.0), "above 0"),
    "plan: a gain of no outcomes": (ReversePlan, with_field(gain=1e30), "within"),
    "plan: no inverse": (ReversePlan, with_field(matrix=(1.0, 1.0, 1.0, 1.0)), "inverse"),
    "slices: another frame": (FrameSlices, with_field(frame=1), "frame 0"),
    "slices: none": (FrameSlices, with_field(data=b""), "too few"),
    "slices: cut": (FrameSlices, with_data(lambda data: data[:-8]), "slices of the peer"),
    "slices: longer": (FrameSlices, with_data(lambda data: data + b"\0"), "slices of the peer"),
    "slices: more turns than there are": (FrameSlices, with_data(at(TURNS, b"\xff\xff")), "turns"),
    "slices: rotations": (
        FrameSlices,
        lambda message: FrameRotations(block=message.block, frame=0, part=0, data=message.data),
        "expected FrameSlices",
    ),
    "flags: too many": (FrameFlags, lambda m: with_field(flags=m.flags + b"\0")(m), "verdicts"),
    "flags: another step": (FrameFlags, with_field(step=7), "step"),
    "flags: another batch": (FrameFlags, with_field(first_frame=1), "batch"),
    "moments: not these outcomes": (
        AnnouncedMoments,
        lambda m: with_field(sums=tuple(1.01 * number for number in m.sums))(m),
        "another sum",
    ),
}
OF_ALICE = {
    "verdicts: too few": (with_field(bits=6, data=b"\0"), "expected 8 verdicts"),
    "verdicts: too many": (with_field(bits=9, data=b"\0\0"), "expected 8 verdicts"),
    "verdicts: bytes": (with_field(bits=None), "expected 8 verdicts"),
    "verdicts: more of what did not fail": (with_field(data=b"\x10"), "only of frames that failed"),
    "verdicts: another round": (with_field(round=1), "round"),
    "verdicts: bits past the end": (with_field(bits=7, data=b"\xff"), "bits"),
}


def dead(alter: Alter, message: str) -> RemoteProtocolError:
    pair = Pair(link())
    pair.submit(*records())  # type: ignore[arg-type]
    pair.finish()
    with pytest.raises(RemoteProtocolError, match=message) as caught:
        pair.run(alter)
    pair.collect()
    assert pair.keys("alice") == pair.keys("bob") == {}
    return caught.value


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_of_the_peer_ends_the_connection_and_releases_nothing(name: str) -> None:
    kind, change, message = NONSENSE[name]
    dead(replaced(kind, change), message)


def in_rounds_of(role: str, change: Callable[[Any], Any]) -> Alter:
    """Change the first round that a role speaks in."""
    done: list[int] = []

    def alter(source: str, number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if source != role or done or not isinstance(message, CorrectionRound):
            return [frame]
        done.append(number)
        return [encode(change(message))]

    return alter


@pytest.mark.parametrize("name", OF_ALICE)
def test_verdicts_that_cannot_be_end_the_connection(name: str) -> None:
    error = dead(in_rounds_of("alice", OF_ALICE[name][0]), OF_ALICE[name][1])
    if name in ("verdicts: too few", "verdicts: more of what did not fail"):
        assert [found for secret in SECRETS for found in leaks(error, secret, hidden=False)] == []


@pytest.mark.parametrize(("bits", "data"), [(1, b"\1"), (None, b"\1"), (0, b"")])
@pytest.mark.parametrize("before", [FrameSlices, FrameTags])
def test_the_reference_says_nothing_while_nobody_asks(bits: int | None, data: bytes, before: type[Message]) -> None:
    """Neither in the place of what is due, nor ahead of it."""

    def alter(source: str, number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if not isinstance(message, before):
            return [frame]
        return [encode(CorrectionRound(block=message.block, round=0, bits=bits, data=data)), frame]  # type: ignore[attr-defined]

    dead(alter, f"expected {before.__name__}, the peer sent CorrectionRound")


FIRSTS = {
    (role, type(decode(frame)).__name__): number
    for role in ("bob", "alice")
    for number, frame in reversed(list(enumerate(CLEAN.sent[role])))
}
PLACES = [
    (role, number)
    for (role, name), number in FIRSTS.items()
    if name not in ("Hello", "Ready", "Close", "Confirmation", "BlockOpen")
]


def hold(alter: Alter) -> Pair:
    """Let both talk over a line that alters, until one of them finds out; then the line is cut."""
    pair = Pair(link())
    pair.submit(*records())  # type: ignore[arg-type]
    pair.finish()
    with contextlib.suppress(RemoteProtocolError, AuthenticationError):
        pair.run(alter)
    for session in pair.sessions.values():
        session.connection_lost()
    pair.collect()
    return pair


@pytest.mark.parametrize("action", ["flip", "cut", "twice", "never"])
@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place[0]}{place[1]}")
def test_a_message_altered_on_the_line_leaves_no_key(place: tuple[str, int], action: str) -> None:
    rng = np.random.default_rng(place[1])

    def alter(source: str, number: int, frame: bytes) -> list[bytes]:
        if (source, number) != place:
            return [frame]
        if action == "flip":
            altered = bytearray(frame)
            altered[int(rng.integers(4, len(frame)))] ^= 1 << int(rng.integers(8))
            return [bytes(altered)]
        if action == "cut":
            return [frame[: len(frame) // 2]]
        return [frame, frame] if action == "twice" else []

    pair = hold(alter)
    assert pair.keys("alice") == pair.keys("bob") == {}


@pytest.mark.parametrize("size", [1 << 10, 33_333])
def test_chunks_of_the_line_do_not_matter(size: int) -> None:
    def chunks(source: str, number: int, frame: bytes) -> list[bytes]:
        return [frame[start : start + size] for start in range(0, len(frame), size)]

    pair = talk(link(), chunks)
    assert pair.keys("alice") == pair.keys("bob") == CLEAN.keys("alice") != {}


def test_a_batch_of_another_block_is_not_taken() -> None:
    """Slices of frames are said anew in every block: those of a batch before are not the next ones."""
    kept: list[bytes] = []

    def alter(source: str, number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if isinstance(message, FrameSlices):
            if message.frame == 0:
                kept.append(message.data)
            elif message.frame == 4:
                return [encode(msgspec.structs.replace(message, data=kept[0]))]
        return [frame]

    pair = hold(alter)
    assert pair.keys("alice") == pair.keys("bob") == {}
