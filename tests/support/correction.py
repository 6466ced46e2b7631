"""Correction that leaves errors: plans that meet more than they provide for, and a Cascade that spoils frames."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.reconciliation import method
from qkdpost.reconciliation.cascade import correction
from qkdpost.reconciliation.cascade.conversation import CascadeOutcome, run_cascade
from qkdpost.reconciliation.ldpc.plan import LdpcPlan
from support.link import Pair, bb84_records, small_link

__all__ = ["pair_with", "plan_for_part_of_the_errors", "spoiling"]


def plan_for_part_of_the_errors(monkeypatch: pytest.MonkeyPatch, one_in: int = 2, **changes: Any) -> None:
    """Let LDPC be planned for one in so many of the errors, so that most frames fail; `changes` as of `plan_ldpc`."""
    real = method.plan_ldpc

    def for_part(block_bits: int, *, error_rate_ppm: int, **options: Any) -> LdpcPlan:
        return real(block_bits, error_rate_ppm=error_rate_ppm // one_in, **options | changes)

    monkeypatch.setattr(method, "plan_ldpc", for_part)


def spoiling(frames: list[int], parities: list[int]) -> object:
    """Return a Cascade that leaves one bit wrong in some frames of the corrector, and tells the parities of these."""

    def spoilt(bits: Bits, **settings: Any) -> Generator[Bits, Bits, CascadeOutcome]:
        outcome = yield from run_cascade(bits, **settings)
        if not settings["reference"]:
            wrong = np.array([frame * settings["frame_bits"] + 5 for frame in frames], dtype=np.int64)
            parities.extend(outcome.frame_parities[frames].tolist())
            object.__setattr__(outcome, "bits", outcome.bits ^ Bits.from_positions(wrong, len(outcome.bits)))
        return outcome

    return spoilt


def pair_with(monkeypatch: pytest.MonkeyPatch, wrong: list[int], **parts: object) -> Pair:
    """Return two hosts with the records of a block of five frames, of which some will stay wrong by Cascade."""
    monkeypatch.setattr(correction, "run_cascade", spoiling(wrong, []))
    pair = Pair(small_link(blocks={"frame_bits": 1024}, **parts))
    pair.submit(*bb84_records(20_000))
    for session in pair.sessions.values():
        session.flush()
    return pair
