"""Codes of positions, times and messages: what is decoded is encoded to the same bytes again."""

from __future__ import annotations

from fuzzing.choices import Choices
from fuzzing.limits import Finding
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.session.codec import decode, encode
from qkdpost.sifting import decode_slots, decode_times, encode_slots, encode_times

__all__ = ["fuzz_code"]

MAX_GROWTH = 64


def fuzz_code(data: bytes) -> None:
    """Raise if a code is read in two ways, or costs more memory than it is long."""
    choices = Choices(data)
    [_slots, _times, _message][choices.below(3)](choices)


def _slots(choices: Choices) -> None:
    pulses = choices.pick([1, 64, 300, 2**20, 2**40, 2**61, choices.whole() % 2**64])
    count = choices.below(200) if choices.below(8) else choices.whole() % 2**64
    code = choices.rest()
    try:
        slots = decode_slots(code, count, pulses)
    except InputError:
        return
    if slots.nbytes > MAX_GROWTH * max(len(code), 8):
        raise Finding(f"{slots.nbytes} bytes of a code of {len(code)}")
    if encode_slots(slots, pulses) != code:
        raise Finding("a second code of the same positions")


def _times(choices: Choices) -> None:
    origin = choices.pick([0, -5, 2**61, -(2**61), choices.whole()])
    span = choices.pick([1, 64, 300, 2**20, 2**40, 2**61, choices.whole() % 2**64])
    count = choices.below(200) if choices.below(8) else choices.whole() % 2**64
    code = choices.rest()
    try:
        ticks = decode_times(code, count, origin=origin, span=span)
    except InputError:
        return
    if encode_times(ticks, origin=origin, span=span) != code:
        raise Finding("a second code of the same times")


def _message(choices: Choices) -> None:
    body = choices.rest()
    try:
        message = decode(len(body).to_bytes(4, "little") + body)
    except RemoteProtocolError:
        return
    again = encode(message)
    if encode(decode(again)) != again:
        raise Finding("a message changes by being sent")
