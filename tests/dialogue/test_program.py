"""What programs are made with: who is to blame for what was heard."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, BlockVerdict, ComparedBits
from qkdpost.dialogue.program import AbortBlock, Facts, expect, from_peer, peer_bits
from qkdpost.errors import ConfigurationError, InputError, RemoteProtocolError

COMPARED = ComparedBits(block=0, test=b"", setup=b"")


def test_an_expected_message_is_handed_on_and_another_named() -> None:
    assert expect(COMPARED, ComparedBits) is COMPARED
    with pytest.raises(RemoteProtocolError, match="expected BlockVerdict, the peer sent ComparedBits"):
        expect(COMPARED, BlockVerdict)
    with pytest.raises(RemoteProtocolError, match="NoneType"):
        expect(None, ComparedBits)


def test_what_a_pure_room_refuses_of_the_peers_is_the_peers_fault() -> None:
    with (
        pytest.raises(RemoteProtocolError, match="the slots of the peer: 3 positions") as caught,
        from_peer("the slots"),
    ):
        raise InputError("3 positions")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize("error", [ConfigurationError("mine"), RemoteProtocolError("said"), ValueError("a fault")])
def test_other_errors_pass_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, from_peer("the slots"):
        raise error
    assert caught.value is error


def test_bits_of_the_peer_have_the_length_that_both_know() -> None:
    bits = Bits.from_array([1, 0, 1, 1, 0, 0, 1, 0, 1])
    assert peer_bits(bits.to_bytes(), 9, "test bits") == bits
    for data, length in ((bits.to_bytes(), 8), (bits.to_bytes(), 17), (b"", 1), (b"\xff\xff", 9)):
        with pytest.raises(RemoteProtocolError, match="test bits of the peer"):
            peer_bits(data, length, "test bits")


def test_an_abort_has_a_reason_for_both_and_a_detail_for_one() -> None:
    abort = AbortBlock(AbortReason.NO_KEY_LEFT, "nothing is left")
    assert abort.reason is AbortReason.NO_KEY_LEFT
    assert abort.detail == str(abort) == "nothing is left"


def test_facts_are_told_by_name() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Counted(Facts):
        errors: int
        rounds: tuple[int, ...]

    assert Counted(errors=2, rounds=(1, 3)).by_name() == {"errors": 2, "rounds": (1, 3)}
