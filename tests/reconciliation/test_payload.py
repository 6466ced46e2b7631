"""Payloads: bits in the number that is due, or an error that says what came."""

from __future__ import annotations

import pytest

from qkdpost.bits import Bits
from qkdpost.errors import InputError
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.payload import RECEIVE, InvalidPayload, Payload, Rounds, expect_bits


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


@pytest.mark.parametrize("at_once", [True, False])
def test_a_method_may_say_encodings_and_bits_at_once_or_by_turns(at_once: bool) -> None:
    def side(speaks: bool, *own: Payload) -> Rounds[list[Payload]]:
        heard = []
        for payload in own:
            if speaks or at_once:
                yield payload
            heard.append((yield RECEIVE))
            if not speaks and not at_once:
                yield payload
        return heard

    spoken: tuple[list[Payload], list[Payload]] = [b"norms", Bits.zeros(3), b""], [b"", b"rotations", Bits.zeros(0)]
    assert drive(side(True, *spoken[0]), side(False, *spoken[1])) == (spoken[1], spoken[0])


def test_one_side_may_say_all() -> None:
    def tells() -> Rounds[int]:
        yield b"one"
        yield b"two"
        return 2

    def hears() -> Rounds[list[Payload]]:
        return [(yield RECEIVE), (yield RECEIVE)]

    assert drive(tells(), hears()) == (2, [b"one", b"two"])  # type: ignore[arg-type,comparison-overlap]


def test_sides_that_do_not_end_together_are_told_so() -> None:
    def side(rounds: int) -> Rounds[None]:
        for _ in range(rounds):
            yield Bits.zeros(1)
            yield RECEIVE

    for rounds in ((2, 3), (3, 2)):
        with pytest.raises(InputError, match="one side ended"):
            drive(*map(side, rounds))


def test_what_nobody_hears_is_told() -> None:
    def side(payloads: int) -> Rounds[None]:
        yield from [b""] * payloads

    assert drive(side(0), side(0)) == (None, None)
    with pytest.raises(InputError, match="one side ended"):
        drive(side(0), side(1))
