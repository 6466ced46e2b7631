"""Reconciliation: the corrector's errors are found by parities, both sides speaking at once in every round."""

from __future__ import annotations

from qkdpost.bits import Bits
from qkdpost.conversation import RECEIVE, Program, expect, peer_bits
from qkdpost.errors import RemoteProtocolError
from qkdpost.leakage import Cause
from qkdpost.messages import CorrectionStart, Parities
from qkdpost.reconciliation.cascade import cascade
from qkdpost.reconciliation.cascade_parameters import parameters_for
from qkdpost.session.block import Block

__all__ = ["follow", "lead"]

SEED_BYTES = 32
LEAST_QBER_PPM = 100
MOST_QBER_PPM = 500_000


def lead(block: Block) -> Program[None]:
    """Propose the error rate and the seed of the permutations, then disclose parities."""
    qber_ppm = min(max(block.qber_ppm, LEAST_QBER_PPM), MOST_QBER_PPM)
    seed = block.random_source(SEED_BYTES)
    yield CorrectionStart(block=block.number, qber_ppm=qber_ppm, seed=seed)
    yield from _exchange_parities(block, qber_ppm, seed)


def follow(block: Block) -> Program[None]:
    """Take the proposal within its bounds, then correct."""
    start = expect((yield RECEIVE), CorrectionStart)
    if not LEAST_QBER_PPM <= start.qber_ppm <= MOST_QBER_PPM:
        raise RemoteProtocolError(f"the peer proposes an error rate of {start.qber_ppm} parts per million")
    yield from _exchange_parities(block, start.qber_ppm, start.seed)


def _exchange_parities(block: Block, qber_ppm: int, seed: bytes) -> Program[None]:
    parameters = parameters_for(block.link.cascade_parameters, qber_ppm, block.link.frame_bits)
    rounds = cascade(
        block.bits,
        frame_bits=block.link.frame_bits,
        parameters=parameters,
        seed=seed,
        reference=block.is_reference,
    )
    answer: Bits | None = None
    number = 0
    while True:
        try:
            own = next(rounds) if answer is None else rounds.send(answer)
        except StopIteration as stop:
            outcome = stop.value
            break
        block.ledger.disclose(Cause.REFERENCE_PARITIES, len(own))
        block.ledger.disclose(Cause.CORRECTOR_PARITIES, len(own))
        yield Parities(block=block.number, round=number, parities=own.to_bytes())
        peer = expect((yield RECEIVE), Parities)
        if peer.round != number:
            raise RemoteProtocolError(f"expected the parities of round {number}; the peer sent round {peer.round}")
        answer = peer_bits(peer.parities, len(own), "parities")
        number += 1
    block.bits = outcome.bits
    block.report.reconciliation_rounds = outcome.rounds
    block.report.key_errors = outcome.corrected_bits
    block.report.frames = -(-len(outcome.bits) // block.link.frame_bits)
