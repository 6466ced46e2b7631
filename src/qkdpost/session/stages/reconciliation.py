"""Reconciliation: the reference proposes a method, then both sides disclose round by round until the strings agree."""

from __future__ import annotations

from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, CorrectionStart, Parities
from qkdpost.dialogue.program import PAUSE, RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.errors import LocalProtocolError, RemoteProtocolError
from qkdpost.reconciliation.correction import Corrected, CorrectionPlan, Side, correct
from qkdpost.reconciliation.method import CorrectionTask, plan_correction, uncertainty_permille
from qkdpost.reconciliation.payload import InvalidPayload, Rounds
from qkdpost.session.blocks.block import Block

__all__ = ["follow", "lead"]

SEED_BYTES = 32
LEAST_QBER_PPM = 100
MOST_QBER_PPM = 499_999


def lead(block: Block) -> Program[None]:
    """Propose method, error rate, and the seed of what is random in it; then disclose."""
    qber_ppm = min(max(block.qber_ppm, LEAST_QBER_PPM), MOST_QBER_PPM)
    seed = block.random_source(SEED_BYTES)
    plan = _plan(block, qber_ppm)
    yield CorrectionStart(block=block.number, method=plan.number, qber_ppm=qber_ppm, seed=seed)
    yield PAUSE
    yield from _correct(block, plan, seed)


def follow(block: Block) -> Program[None]:
    """Take the proposal within its bounds, then correct."""
    start = expect((yield RECEIVE), CorrectionStart)
    if not LEAST_QBER_PPM <= start.qber_ppm <= MOST_QBER_PPM:
        raise RemoteProtocolError(f"the peer proposes an error rate of {start.qber_ppm} parts per million")
    plan = _plan(block, start.qber_ppm)
    if start.method != plan.number:
        raise RemoteProtocolError(
            f"the peer proposes correction by method {start.method}; the link asks for {plan.number}"
        )
    yield from _correct(block, plan, start.seed)


def _plan(block: Block, qber_ppm: int) -> CorrectionPlan:
    """Plan by the link's method; give the block up rather than publish errors where the bound has no room for it."""
    task = CorrectionTask(
        block_bits=len(block.bits),
        qber_ppm=qber_ppm,
        uncertainty_permille=uncertainty_permille(block.errors_seen),
        frame_bits=block.link.blocks.frame_bits,
        in_flight=block.link.blocks.in_flight,
    )
    plan = plan_correction(block.link.correction, task)
    if block.link.needs_one_way and plan.publishes_errors:
        raise AbortBlock(
            AbortReason.NO_KEY_LEFT,
            f"no LDPC code corrects an error rate of {qber_ppm / 1e4:.2f} %, and the bound does not allow two-way "
            "correction",
        )
    return plan


def _correct(block: Block, plan: CorrectionPlan, seed: bytes) -> Program[None]:
    before = block.bits
    side = Side(reference=block.is_reference, seed=seed, random_source=block.random_source)
    outcome = yield from _rounds(block, correct(before, plan, side))
    block.bits = outcome.bits
    for cause, bits in outcome.disclosed.items():
        block.ledger.disclose(cause, bits)
    block.frame_charges = outcome.frame_charges
    block.errors_found = outcome.corrected_bits
    if plan.method == "ldpc":
        block.report.ldpc_frames, block.report.ldpc_failed_frames = outcome.frames, outcome.failed_frames
    if outcome.given_up.weight():
        block.drop(~outcome.given_up, charged=outcome.given_up_charge)
    if not block.is_reference:
        block.key_difference = (before.select(block.kept) ^ block.bits).spread(block.kept)
    block.report.frames = -(-len(block.bits) // block.link.blocks.frame_bits)


def _rounds(block: Block, rounds: Rounds[Corrected]) -> Program[Corrected]:
    """Exchange what the method discloses, both sides speaking at once in every round."""
    answer: Bits | None = None
    number = block.report.reconciliation_rounds
    while True:
        try:
            own = next(rounds) if answer is None else rounds.send(answer)
        except StopIteration as stop:
            block.report.reconciliation_rounds = number
            outcome: Corrected = stop.value
            return outcome
        except InvalidPayload as error:
            raise RemoteProtocolError(f"correction by the peer: {error}") from None
        if not isinstance(own, Bits):
            raise LocalProtocolError("no message carries an encoding of a method of correction")
        yield Parities(block=block.number, round=number, count=len(own), parities=own.to_bytes())
        peer = expect((yield RECEIVE), Parities)
        if peer.round != number:
            raise RemoteProtocolError(f"expected round {number} of correction; the peer sent round {peer.round}")
        answer = peer_bits(peer.parities, peer.count, "disclosed bits")
        number += 1
