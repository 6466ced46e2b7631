"""Sifting: the kind's own conversation, and what comes of it."""

from __future__ import annotations

from qkdpost.conversation import AbortBlock, Program
from qkdpost.messages import AbortReason
from qkdpost.protocols import PROTOCOLS
from qkdpost.session.block import Block
from qkdpost.sifting.task import SiftingTask

__all__ = ["LEAST_SIFTED_BITS", "sift"]

LEAST_SIFTED_BITS = 256
"""Below so few bits no form of the bound leaves key; the block ends before it costs a round trip."""


def sift(block: Block) -> Program[None]:
    """Run the sifting conversation of the link's kind."""
    protocol = PROTOCOLS[block.link.kind]
    task = SiftingTask(block=block.number, first_batch=block.first_batch, batches=block.batches, link=block.link)
    sifted = yield from (protocol.alice_sift if block.role == "alice" else protocol.bob_sift)(task)
    report = block.report
    report.rounds = sifted.rounds
    report.double_clicks, report.cross_clicks = sifted.double_clicks, sifted.cross_clicks
    report.sifted_key_bits = len(sifted.key_bits)
    report.sifted_test_bits = len(sifted.test_bits)
    block.sifted = sifted
    if len(sifted.key_bits) < LEAST_SIFTED_BITS:
        raise AbortBlock(
            AbortReason.TOO_FEW_BITS,
            f"{len(sifted.key_bits)} sifted bits of the key basis; at least {LEAST_SIFTED_BITS} are needed",
        )
