"""Payloads: bits in the number that is due, or an error that says what came."""

from __future__ import annotations

import pytest

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.payload import InvalidPayload, Payload, Rounds, expect_bits


def test_bits_that_are_due_are_handed_on() -> None:
    bits = Bits.zeros(5)
    assert expect_bits(bits, 5, "parities") is bits


@pytest.mark.parametrize(
    ("payload", "found"), [(Bits.zeros(4), "received 4"), (Bits.zeros(0), "received 0"), (bytes(5), "5 bytes")]
)
def test_anything_else_is_refused_as_the_peers(payload: Payload, found: str) -> None:
    with pytest.raises(InvalidPayload, match=f"expected 5 parities; .*{found}"):
        expect_bits(payload, 5, "parities")
    assert issubclass(InvalidPayload, InputError)


def test_a_method_may_send_encodings_and_bits_in_turn() -> None:
    def side(*own: Payload) -> Rounds[list[Payload]]:
        heard = []
        for payload in own:
            heard.append((yield payload))
        return heard

    spoken: tuple[list[Payload], list[Payload]] = [b"norms", Bits.zeros(3), b""], [b"", b"rotations", Bits.zeros(0)]
    assert drive(side(*spoken[0]), side(*spoken[1])) == (spoken[1], spoken[0])


def test_sides_that_do_not_end_together_are_told_so() -> None:
    def side(rounds: int) -> Rounds[None]:
        for _ in range(rounds):
            yield Bits.zeros(1)

    with pytest.raises(InputError, match="one side ended"):
        drive(side(2), side(3))
