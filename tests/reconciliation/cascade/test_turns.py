"""Cascade by turns: the same as at once, in half of the messages, and nothing else is heard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.reconciliation import CascadeOutcome, parameters_for, run_cascade
from qkdpost.reconciliation.cascade import conversation
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.payload import InvalidPayload, Rounds
from support.rounds import SEED, begin, check_agreement, overheard, run_both_sides, strings, tell


@pytest.mark.parametrize("turns_below", [1, 1 << 12])
@pytest.mark.parametrize("reference", [True, False])
@pytest.mark.parametrize("change", [-1, 1, 64])
def test_peer_sends_another_length(
    reference: bool, change: int, turns_below: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the first message that is heard, and in a later one."""
    monkeypatch.setattr(conversation, "TURNS_BELOW", turns_below)
    parameters = parameters_for("near-optimal", 30_000, 1024)
    rng = np.random.default_rng(6)
    kept, noisy = strings(rng, rng.random(5000) < 0.03)
    for good in (0, 1, 2):
        pair = [
            run_cascade(bits, frame_bits=1024, parameters=parameters, seed=SEED, reference=kept is bits)
            for bits in ((kept, noisy) if reference else (noisy, kept))
        ]
        said = [begin(side) for side in pair]
        for _ in range(good):
            heard = said[1][0] if said[1] else None
            answer = tell(pair[1], said[0][0]) if said[0] else []
            said = [tell(pair[0], heard) if heard is not None else [], answer]
        if not said[1]:
            said[1] = tell(pair[1], said[0][0])
        with pytest.raises(InvalidPayload, match="parities"):
            tell(pair[0], Bits.zeros(len(said[1][0]) + change))


@pytest.mark.parametrize("bits_in_work", [1 << 24, 2048])
def test_what_fills_a_word_between_two_rounds_must_be_zero(bits_in_work: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing but as many parities as are asked follows; whether or not frames wait."""
    monkeypatch.setattr("qkdpost.reconciliation.cascade.frames._BITS_IN_WORK", bits_in_work)
    rng = np.random.default_rng(7)
    kept, noisy = strings(rng, rng.random(5000) < 0.03)
    parameters = parameters_for("near-optimal", 30_000, 1024)

    def opened() -> tuple[Rounds[CascadeOutcome], int, Bits]:
        """Return a corrector that waits, how many parities it asked, and what it should hear."""
        side, peer = (
            run_cascade(bits, frame_bits=1024, parameters=parameters, seed=SEED, reference=bits is kept)
            for bits in (noisy, kept)
        )
        [question] = begin(side)
        assert begin(peer) == []
        [heard] = tell(peer, question)
        assert isinstance(heard, Bits)
        return side, len(question), heard

    side, asked, heard = opened()
    assert asked % 64
    assert len(heard) > 64 * -(-asked // 64)
    [said] = tell(side, heard)
    assert len(said) > len(heard) - 64 * -(-asked // 64)
    for changed in (
        heard ^ Bits.from_positions([asked], len(heard)),
        heard ^ Bits.from_positions([64 * (asked // 64) + 63], len(heard)),
        heard[: 64 * -(-asked // 64)],
        heard[: asked - 1],
        heard[:-1],
        heard + Bits.zeros(1),
        heard + Bits.zeros(64),
    ):
        side, _, _ = opened()
        with pytest.raises(InvalidPayload, match="parities"):
            tell(side, changed)


@pytest.mark.parametrize("turns_below", [1, 16, 100, 1 << 12])
@pytest.mark.parametrize("length", [1, 64, 700, 5000])
def test_by_turns_the_same_is_said_as_at_once(length: int, turns_below: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(length)
    reference, noisy = strings(rng, rng.random(length) < 0.05)
    parameters = parameters_for("balanced", 50_000, 256)
    monkeypatch.setattr(conversation, "TURNS_BELOW", 1)
    at_once = run_both_sides(reference, noisy, 256, parameters)
    monkeypatch.setattr(conversation, "TURNS_BELOW", turns_below)
    found = run_both_sides(reference, noisy, 256, parameters)
    check_agreement(*found, reference)
    for one, other in zip(found, at_once, strict=True):
        assert one.bits == other.bits
        assert (one.parities, one.rounds, one.corrected_bits) == (other.parities, other.rounds, other.corrected_bits)


def test_by_turns_a_round_takes_one_message() -> None:
    rng = np.random.default_rng(8)
    reference, noisy = strings(rng, rng.random(5000) < 0.03)
    parameters = parameters_for("balanced", 30_000, 1024)
    messages: list[Any] = []
    sides = [
        overheard(
            run_cascade(bits, frame_bits=1024, parameters=parameters, seed=SEED, reference=bits is reference),
            messages.append,
        )
        for bits in (reference, noisy)
    ]
    kept, _ = drive(*sides)
    assert len(messages) == kept.rounds + 1
    # The zeros between two rounds are no parities.
    assert 2 * kept.parities <= sum(map(len, messages)) < 2 * kept.parities + 64 * len(messages)


@pytest.mark.parametrize("at_once", [0, 1, 6, 7])
def test_who_begins_the_turns_follows_from_the_number_of_the_round(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(9)
    kept, noisy = strings(rng, rng.random(20_000) < 0.03)
    parameters = parameters_for("near-optimal", 30_000, 1024)

    def said(turns_below: int) -> list[tuple[bool, int]]:
        """Return whether the reference said a message, and its length, for all of them."""
        monkeypatch.setattr(conversation, "TURNS_BELOW", turns_below)
        messages: list[tuple[bool, int]] = []
        sides = [
            overheard(
                run_cascade(bits, frame_bits=1024, parameters=parameters, seed=SEED, reference=bits is kept),
                lambda payload, of_reference=bits is kept: messages.append((of_reference, len(payload))),
            )
            for bits in (kept, noisy)
        ]
        drive(*sides)
        return messages

    asked = [length for of_reference, length in said(1) if of_reference]
    assert all(length > asked[at_once] for length in asked[:at_once])  # so that one limit parts them
    speakers = [of_reference for of_reference, _ in said(asked[at_once] + 1)]
    assert sum(speakers[: 2 * at_once]) == at_once
    turns = speakers[2 * at_once :]
    assert turns == [(place + at_once) % 2 == 1 for place in range(len(turns))]


@pytest.mark.parametrize("waits", ["the corrector, who asked", "the reference, who asked"])
def test_a_side_that_begins_when_it_is_not_its_turn_is_refused(waits: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says as many parities as are awaited, and right ones; but who answers asks, too, while anything is left."""
    rng = np.random.default_rng(6)
    kept, noisy = strings(rng, rng.random(5000) < 0.03)
    parameters = parameters_for("near-optimal", 30_000, 1024)

    def side(bits: Bits, *, reference: bool) -> Rounds[CascadeOutcome]:
        return run_cascade(bits, frame_bits=1024, parameters=parameters, seed=SEED, reference=reference)

    if waits == "the corrector, who asked":  # in round 0, as does the peer
        own, peer = side(noisy, reference=False), side(kept, reference=False)
        [asked], [heard] = begin(own), begin(peer)
    else:  # in round 1
        [first] = begin(side(noisy, reference=False))
        monkeypatch.setattr(conversation, "TURNS_BELOW", len(first))
        own, peer = side(kept, reference=True), side(noisy, reference=True)
        [said], [answer] = begin(own), begin(peer)
        [asked], [heard] = tell(own, answer), tell(peer, said)
    assert len(asked) == len(heard)
    with pytest.raises(InvalidPayload, match=r"expected [0-9]+ parities; received 0"):
        tell(own, heard)
