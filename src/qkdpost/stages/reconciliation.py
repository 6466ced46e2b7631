"""Reconciliation: the corrector proposes a method, then both sides disclose round by round until the strings agree.

The corrector holds both sides' compared bits first: what it proposes, and what it is the first to disclose, follows its
own at once.
"""

from __future__ import annotations

from typing import Any, TypeVar

from qkdpost.dialogue.messages import AbortReason, CorrectionRound, CorrectionStart
from qkdpost.dialogue.program import PAUSE, RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.errors import RemoteProtocolError
from qkdpost.reconciliation.correction import CorrectionPlan, Side, correct
from qkdpost.reconciliation.method import CorrectionTask, plan_correction, uncertainty_permille
from qkdpost.reconciliation.payload import InvalidPayload, Rounds
from qkdpost.stages.block import Block
from qkdpost.stages.facts import ReconciliationFacts
from qkdpost.stages.outcomes import ComparedKey, CorrectedKey, give_up
from qkdpost.stages.stage import Stage

__all__ = ["RECONCILIATION", "exchange_rounds"]

SEED_BYTES = 32
MIN_QBER_PPM = 100
MAX_QBER_PPM = 499_999

Outcome = TypeVar("Outcome")


def corrector(block: Block, compared: ComparedKey) -> Program[CorrectedKey]:
    """Propose method, error rate, and the seed of what is random in it, for it knows the rate first; then correct."""
    qber_ppm = _assumed_ppm(compared)
    seed = block.random_source(SEED_BYTES)
    plan = _plan(block, compared, qber_ppm)
    yield CorrectionStart(block=block.number, method=plan.number, qber_ppm=qber_ppm, seed=seed)
    yield PAUSE
    return (yield from _correct(block, compared, plan, seed))


def reference(block: Block, compared: ComparedKey) -> Program[CorrectedKey]:
    """Take the proposal, if it is what this side's counts come to, then disclose."""
    start = expect((yield RECEIVE), CorrectionStart)
    qber_ppm = _assumed_ppm(compared)
    if start.qber_ppm != qber_ppm:
        raise RemoteProtocolError(
            f"the peer proposes correction at an error rate of {start.qber_ppm} parts per million; the compared bits "
            f"come to {qber_ppm}"
        )
    plan = _plan(block, compared, qber_ppm)
    if start.method != plan.number:
        raise RemoteProtocolError(
            f"the peer proposes correction by method {start.method}; the link asks for {plan.number}"
        )
    return (yield from _correct(block, compared, plan, start.seed))


def exchange_rounds(block: Block, rounds: Rounds[Outcome]) -> Program[Outcome]:
    """Say what a method of correction discloses, and hear what its other side does, until it ends; return its outcome.

    Raises:
        RemoteProtocolError: the peer sends what its side of the method could not.
    """
    said = heard = 0
    answer: Any = None  # with which a generator begins, and goes on after what it said
    while True:
        try:
            own = rounds.send(answer)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            return outcome
        except InvalidPayload as error:
            raise RemoteProtocolError(f"correction by the peer: {error}") from None
        if own is not RECEIVE:
            bits, data = (None, own) if isinstance(own, bytes) else (len(own), own.to_bytes())
            yield CorrectionRound(block=block.number, round=said, bits=bits, data=data)
            said, answer = said + 1, None
            continue
        peer = expect((yield RECEIVE), CorrectionRound)
        if peer.round != heard:
            raise RemoteProtocolError(f"expected round {heard} of correction; the peer sent round {peer.round}")
        heard += 1
        answer = peer.data if peer.bits is None else peer_bits(peer.data, peer.bits, "disclosed bits")


def _assumed_ppm(compared: ComparedKey) -> int:
    """Return the error rate that correction is set up for, the same on both hosts."""
    return min(max(compared.qber_ppm, MIN_QBER_PPM), MAX_QBER_PPM)


def _plan(block: Block, compared: ComparedKey, qber_ppm: int) -> CorrectionPlan:
    """Plan by the link's method; give the block up rather than publish errors where the bound has no room for it."""
    task = CorrectionTask(
        block_bits=len(compared.key),
        qber_ppm=qber_ppm,
        uncertainty_permille=uncertainty_permille(compared.errors_seen),
        frame_bits=block.blocks.frame_bits,
        in_flight=block.blocks.in_flight,
    )
    plan = plan_correction(block.correction, task)
    if block.needs_one_way and plan.publishes_errors:
        raise AbortBlock(
            AbortReason.NO_KEY_LEFT,
            f"no LDPC code corrects an error rate of {qber_ppm / 1e4:.2f} %, and the bound does not allow two-way "
            "correction",
        )
    return plan


def _correct(block: Block, compared: ComparedKey, plan: CorrectionPlan, seed: bytes) -> Program[CorrectedKey]:
    before = compared.key
    side = Side(reference=block.is_reference, seed=seed, random_source=block.random_source)
    outcome = yield from exchange_rounds(block, correct(before, plan, side))
    for cause, bits in outcome.disclosed.items():
        block.ledger.disclose(cause, bits)
    key, kept = outcome.bits, ~outcome.given_up
    if outcome.given_up.weight():
        key = give_up(block.ledger, key, kept, charged=outcome.given_up_charge)
    of_ldpc = plan.method == "ldpc"
    yield ReconciliationFacts(
        ldpc_frames=outcome.frames if of_ldpc else 0,
        ldpc_failed_frames=outcome.failed_frames if of_ldpc else 0,
        reconciliation_rounds=outcome.rounds,
        frames=-(-len(key) // block.blocks.frame_bits),
    )
    return CorrectedKey(
        key=key,
        rounds=compared.rounds,
        kept=kept,
        frame_charges=outcome.frame_charges,
        difference=None if block.is_reference else (before.select(kept) ^ key).spread(kept),
        errors_found=outcome.corrected_bits,
    )


RECONCILIATION = Stage(
    name="reconciliation",
    reference=reference,
    corrector=corrector,
    reference_hears=frozenset({CorrectionStart, CorrectionRound}),
    corrector_hears=frozenset({CorrectionRound}),
)
"""Correction by the method of the link. The peer's payload may come early, where both speak at once."""
