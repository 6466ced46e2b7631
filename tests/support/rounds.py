"""Sides of a correction, driven by hand: what one says before it hears, and what passes between two."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.reconciliation import CascadeOutcome, run_cascade
from qkdpost.reconciliation.cascade import conversation
from qkdpost.reconciliation.cascade.frames import Block
from qkdpost.reconciliation.cascade.parameters import CascadeParameters
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.payload import RECEIVE, Payload, Rounds

Outcome = TypeVar("Outcome")

SEED = bytes(range(32))


def run_both_sides(
    reference: Bits, noisy: Bits, frame_bits: int, parameters: CascadeParameters, seed: bytes = SEED
) -> tuple[CascadeOutcome, CascadeOutcome]:
    """Run Cascade of two strings; return what the reference ends with, and what the corrector."""
    sides = [
        run_cascade(bits, frame_bits=frame_bits, parameters=parameters, seed=seed, reference=which == 0)
        for which, bits in enumerate((reference, noisy))
    ]
    return drive(*sides)


def strings(rng: np.random.Generator, errors: NDArray[np.bool_]) -> tuple[Bits, Bits]:
    """Return a random string, and it with errors."""
    reference = Bits.from_array(rng.integers(0, 2, errors.size, dtype=np.uint8))
    return reference, reference ^ Bits.from_array(errors)


def check_agreement(kept: CascadeOutcome, corrected: CascadeOutcome, reference: Bits) -> None:
    """Check that both sides know the same of what they said and found."""
    assert kept.bits == reference
    assert kept.parities == corrected.parities == kept.frame_parities.sum()
    assert kept.rounds == corrected.rounds
    assert kept.corrected_bits == corrected.corrected_bits == kept.frame_errors.sum()
    assert np.array_equal(kept.frame_parities, corrected.frame_parities)
    assert np.array_equal(kept.frame_errors, corrected.frame_errors)


def begin(side: Rounds[Outcome]) -> list[Payload]:
    """Let a side begin; return what it says before it wants to hear something."""
    return _until_it_hears(side, None)


def tell(side: Rounds[Outcome], payload: Payload) -> list[Payload]:
    """Hand a payload to a side that waits for one; return what it says before it wants to hear more."""
    return _until_it_hears(side, payload)


def _until_it_hears(side: Rounds[Outcome], answer: Payload | None) -> list[Payload]:
    said: list[Payload] = []
    while (request := side.send(answer)) is not RECEIVE:
        said.append(request)
        answer = None
    return said


def overheard(side: Rounds[Outcome], listener: Callable[[Payload], object]) -> Rounds[Outcome]:
    """Return a side that says the same, and of which a listener hears all."""
    answer: Payload | None = None
    while True:
        try:
            request = side.send(answer)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome
        if request is not RECEIVE:
            listener(request)
        answer = yield request


class LyingBlock(Block):
    """A block whose side turns some of its parities around, and believes what it says."""

    rng = np.random.default_rng(0)
    share = 0.5
    goes_alone = False

    def ask(self, own: Bits, answer: Bits) -> Bits:
        honest = super().ask(own, answer)
        return honest ^ Bits.from_array(self.rng.random(len(honest)) < self.share)


def lying_cascade(
    bits: Bits,
    *,
    frame_bits: int,
    parameters: CascadeParameters,
    reference: bool,
    seed: int,
    share: float,
) -> Rounds[CascadeOutcome]:
    """Run a side of Cascade that turns a share of its parities around."""
    block = type("Block", (LyingBlock,), {"rng": np.random.default_rng(seed), "share": share})
    side = run_cascade(bits, frame_bits=frame_bits, parameters=parameters, seed=SEED, reference=reference)
    with patch.object(conversation, "Block", block):  # made when the side begins
        request = side.send(None)
    while True:
        answer = yield request
        try:
            request = side.send(answer)
        except StopIteration as stop:
            outcome: CascadeOutcome = stop.value
            return outcome
