"""A frame that stays wrong is dropped, charged whole, and never becomes key."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest

from qkdpost.bits import Bits
from qkdpost.leakage import Cause
from qkdpost.messages import AbortReason
from qkdpost.reconciliation.cascade import CascadeOutcome, cascade
from qkdpost.session.events import KeyReady
from qkdpost.session.stages import reconciliation
from support.link import Pair, bb84_records, small_link

FRAME_BITS = 1024


def spoiling(frames: list[int]) -> object:
    """Return a Cascade that leaves one bit wrong in some frames of the corrector."""

    def spoilt(bits: Bits, **settings: object) -> Generator[Bits, Bits, CascadeOutcome]:
        outcome = yield from cascade(bits, **settings)  # type: ignore[arg-type]
        if not settings["reference"]:
            wrong = np.array([frame * FRAME_BITS + 5 for frame in frames], dtype=np.int64)
            object.__setattr__(outcome, "bits", outcome.bits ^ Bits.from_positions(wrong, len(outcome.bits)))
        return outcome

    return spoilt


def run_spoilt(monkeypatch: pytest.MonkeyPatch, frames: list[int]) -> Pair:
    monkeypatch.setattr(reconciliation, "cascade", spoiling(frames))
    pair = Pair(small_link(frame_bits=FRAME_BITS))
    pair.submit(*bb84_records(20000))
    pair.finish()
    pair.run()
    return pair


@pytest.mark.parametrize("frames", [[0], [1, 2], [0, 3]])
def test_wrong_frames_are_dropped_and_charged(monkeypatch: pytest.MonkeyPatch, frames: list[int]) -> None:
    pair = run_spoilt(monkeypatch, frames)
    assert pair.keys("alice") == pair.keys("bob") != {}
    for role in ("alice", "bob"):
        report = next(event.report for event in pair.events[role] if isinstance(event, KeyReady))
        assert report.dropped_frames == len(frames)
        assert report.ledger.bits(Cause.DROPPED_FRAMES) == len(frames) * FRAME_BITS
        assert report.corrected_bits == report.key_bits - len(frames) * FRAME_BITS


def test_no_frame_left_is_a_failed_block(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = run_spoilt(monkeypatch, list(range(5)))
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.VERIFICATION_FAILED]
        assert pair.keys(role) == {}


def test_the_block_tag_catches_what_frame_tags_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    from qkdpost.session.stages import verification

    monkeypatch.setattr(verification, "_equal_frames", lambda differences, tag_bits: ~Bits.zeros(5))
    pair = run_spoilt(monkeypatch, [1])
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.VERIFICATION_FAILED]
        assert pair.keys(role) == {}
