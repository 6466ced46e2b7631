"""A method of correction of another origin: settings, a plan and a conversation that is not of bits."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.reconciliation import METHODS, CorrectionMethod, reconcile
from qkdpost.reconciliation.correction import Corrected, Side, charges_of, correct, even_frame_bits, lengths_of_frames
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.method import CorrectionTask
from qkdpost.reconciliation.payload import RECEIVE, InvalidPayload, Rounds
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.session.events import KeyReady
from support.link import Pair, bb84_records, small_link
from support.rounds import begin, tell

FRAME_BITS = 100


class Telling(CorrectionSettings, frozen=True, kw_only=True, tag="telling"):
    """Settings of a method by which the reference says every frame that has an odd number of ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellingPlan:
    """The reference sends its frames of odd weight, as an encoding that this method owns; the corrector takes them."""

    frame_bits: int

    @property
    def method(self) -> str:
        return "telling"

    @property
    def number(self) -> int:
        return 1 << 15

    @property
    def publishes_errors(self) -> bool:
        return False

    def correct(self, bits: Bits, side: Side) -> Rounds[Corrected]:
        padding = -len(bits) % self.frame_bits
        own = np.pad(np.asarray(bits, dtype=np.uint8), (0, padding)).reshape(-1, self.frame_bits)
        told = own.sum(axis=1) % 2 == 1
        if side.reference:
            yield np.packbits(told).tobytes() + np.packbits(own[told]).tobytes()
        else:
            told = self._take((yield RECEIVE), own)
        lengths = lengths_of_frames(len(bits), self.frame_bits)
        charges = charges_of(np.where(told, self.frame_bits, 1), lengths)
        return Corrected(
            bits=Bits.from_array(own.reshape(-1)[: len(bits)]),
            given_up=Bits.zeros(len(bits)),
            given_up_charge=0,
            disclosed={Cause.REFERENCE_PARITIES: int(charges.sum())},
            frame_charges=charges,
            frames=lengths.size,
            failed_frames=0,
            rounds=1,
            corrected_bits=(Bits.from_array(own.reshape(-1)[: len(bits)]) ^ bits).weight(),
        )

    def _take(self, payload: object, own: np.ndarray) -> np.ndarray:
        head = -(-len(own) // 8)
        if not isinstance(payload, bytes) or len(payload) < head:
            raise InvalidPayload(f"expected an encoding of {head} bytes or more")
        told = np.unpackbits(np.frombuffer(payload[:head], dtype=np.uint8), count=len(own)).astype(np.bool_)
        frames = np.unpackbits(np.frombuffer(payload[head:], dtype=np.uint8), count=int(told.sum()) * self.frame_bits)
        own[told] = frames.reshape(-1, self.frame_bits)
        return told


def plan_telling(settings: Telling, task: CorrectionTask) -> TellingPlan:
    assert isinstance(settings, Telling)
    return TellingPlan(frame_bits=even_frame_bits(task.block_bits, task.frame_bits))


def test_a_method_of_another_origin_runs_where_the_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "telling", CorrectionMethod(settings=Telling, plan=plan_telling))
    reference = np.zeros(300, dtype=np.uint8)
    noisy = reference.copy()
    reference[[3, 250]] = 1  # frames 0 and 2 have an odd number of ones, and are told
    noisy[[5, 6, 120]] = 1  # frame 1 has an error, which nobody sees
    done = reconcile(reference, noisy, method="telling", qber=0.02, frame_bits=FRAME_BITS)
    assert (done.frames, done.residual_frames, done.rounds) == (3, 1, 1)
    assert done.leakage_bits == 100 + 1 + 100
    assert np.asarray(done.bits)[:100].tolist() == reference[:100].tolist()


def test_its_corrector_refuses_what_is_not_its_encoding() -> None:
    side = correct(
        Bits.zeros(300), TellingPlan(frame_bits=100), Side(reference=False, seed=bytes(32), random_source=os.urandom)
    )
    assert begin(side) == []
    with pytest.raises(InvalidPayload, match="encoding"):
        tell(side, Bits.zeros(300))


def test_two_sides_of_it_agree_on_what_is_charged() -> None:
    rng = np.random.default_rng(1)
    bits = Bits.from_array(rng.integers(0, 2, 1000, dtype=np.uint8))
    sides = [Side(reference=kept, seed=bytes(32), random_source=os.urandom) for kept in (True, False)]
    plan = TellingPlan(frame_bits=FRAME_BITS)
    ours, theirs = drive(correct(bits, plan, sides[0]), correct(bits, plan, sides[1]))
    assert ours.disclosed == theirs.disclosed
    assert ours.bits == theirs.bits == bits


def test_a_link_may_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of even weight keep their errors, are found by their tags, and dropped."""
    monkeypatch.setitem(METHODS, "telling", CorrectionMethod(settings=Telling, plan=plan_telling))
    link = small_link(correction=Telling(), blocks={"frame_bits": 256})
    assert qp.LinkConfig.from_toml(link.to_toml()) == link
    pair = Pair(link)
    pair.submit(*bb84_records(40_000, qber=0.0005))
    pair.finish()
    pair.run()
    reports = [event.report for role in ("alice", "bob") for event in pair.events[role] if isinstance(event, KeyReady)]
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert reports[0].dropped_frames == reports[1].dropped_frames > 0
    assert reports[0].ledger.to_tuple() == reports[1].ledger.to_tuple()
