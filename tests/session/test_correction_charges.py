"""What a block is charged for its correction, and what its report counts as frames."""

from __future__ import annotations

import pytest

import qkdpost as qp
from qkdpost.dialogue.ledger import Cause
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.events import KeyReady
from support.correction import plan_for_part_of_the_errors
from support.link import Pair, bb84_records, small_link


def _reports(pair: Pair) -> list[BlockReport]:
    found = []
    for role in ("alice", "bob"):
        ends = [event.report for event in pair.events[role] if isinstance(event, KeyReady)]
        found.append((ends + [event.report for event in pair.aborts(role)])[0])
    return found


def _finished(link: qp.LinkConfig, qber: float = 0.02) -> Pair:
    pair = Pair(link)
    pair.submit(*bb84_records(120_000, qber=qber, test_fraction=0.2))
    pair.finish()
    pair.run()
    return pair


@pytest.mark.parametrize("frame_bits", [1024, 1 << 14])
def test_the_report_of_ldpc_counts_its_own_frames(frame_bits: int) -> None:
    """Whatever the length of frames of Cascade, by which short tags verify."""
    pair = _finished(small_link(correction=qp.Ldpc(frame_bits=1 << 14), blocks={"frame_bits": frame_bits}))
    for report in _reports(pair):
        assert report.key_length_bits > 0
        assert report.frames == -(-report.key_bits // frame_bits)
        assert 1 <= report.ldpc_frames <= -(-report.key_bits // 10_000)
        assert report.ldpc_failed_frames == 0
        assert f"{report.ldpc_frames:,} / 0" in str(report)
        assert report.to_dict()["ldpc_frames"] == report.ldpc_frames


@pytest.mark.parametrize("fallback", ["cascade", "drop"])
def test_frames_that_fail_are_charged_their_bits_at_most(monkeypatch: pytest.MonkeyPatch, fallback: str) -> None:
    """Every frame of LDPC fails, for the plan is made for half the errors; together they are charged their length."""
    plan_for_part_of_the_errors(monkeypatch, frame_bits=1 << 14, first_failures_permille=500, uncertainty_permille=0)
    link = small_link(
        correction=qp.Ldpc(blind_rounds=0, fallback=None if fallback == "drop" else qp.Cascade(), frame_bits=1 << 14),
        security={"epsilon": 1e-6},
    )
    reports = _reports(_finished(link, qber=0.09))
    assert reports[0].ledger.to_tuple() == reports[1].ledger.to_tuple()
    for report in reports:
        assert report.ldpc_failed_frames == report.ldpc_frames > 1
        disclosed = [report.ledger.bits(cause) for cause in (Cause.REFERENCE_PARITIES, Cause.REVEALED_BITS)]
        charged = sum(disclosed) + report.ledger.bits(Cause.DROPPED_FRAMES)
        assert charged <= report.key_bits
        if fallback == "drop":
            assert charged == report.key_bits
