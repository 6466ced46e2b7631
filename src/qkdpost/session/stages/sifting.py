"""Sifting: the conversation of the kind of QKD, begun when nothing that is told can still be acted on.

Either host first judges its own records of all rounds of the block: with a dead detector, or bits that repeat, an
error rate says nothing (`qkdpost.health`). The peer hears the reason and no count.

Bob opens a block when his records of its rounds are in. Where Alice measures too, hers must be in before he tells a
basis: a source that knew it could measure her half in the same basis, send her the outcome, and know the whole key
without having caused an error. So she says first that she holds her records (`RecordsHeld`). The number that she draws
at that moment is part of what the tags cover; nobody can have said it for her before.

Where Alice prepares, nothing is lost if Bob's bases are known before a pulse has left. Her bit is drawn without regard
to anything that happened before, so that an outcome of Bob's which is older than her pulse agrees with it in half of
all cases, in either basis. Think of her bit as the outcome of a measurement on a qubit that stays with her: for such a
round Bob's part was measured already when her pair is made, and whatever is done to the other half afterwards changes
neither. The test rounds among them show errors of 1/2, as many as there are in the key. The same goes for her
intensities: what was detected before they were chosen was detected equally for all of them.
"""

from __future__ import annotations

from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, RecordsHeld
from qkdpost.dialogue.program import RECEIVE, AbortBlock, AllHeld, Program, expect
from qkdpost.health import RecordHealth, add_up, judge, show
from qkdpost.protocols.table import PROTOCOLS
from qkdpost.session.blocks.block import Block
from qkdpost.sifting.task import SiftingTask

__all__ = ["LEAST_SIFTED_BITS", "sift"]

LEAST_SIFTED_BITS = 256
"""Below so few bits no form of the bound leaves key; the block ends before it costs a round trip."""
NONCE_BYTES = 32


def sift(block: Block) -> Program[None]:
    """Wait until both hosts may speak, then run the sifting conversation of the link's kind."""
    settings = block.link.protocol
    protocol = PROTOCOLS[settings.kind]
    task = SiftingTask(
        block=block.number,
        first_batch=block.first_batch,
        batches=block.batches,
        settings=settings,
        blocks=block.link.blocks,
    )
    healths = yield AllHeld(task.numbers)
    _judge(block, healths)
    if protocol.both_detect:
        yield from (_say_records_are_held(block) if block.role == "alice" else _hear_records_are_held())
    sifted = yield from (protocol.alice_sift if block.role == "alice" else protocol.bob_sift)(task)
    report = block.report
    report.rounds = sifted.rounds
    report.double_clicks, report.cross_clicks = sifted.double_clicks, sifted.cross_clicks
    report.matched_by_tenth, report.notices = sifted.matched_by_tenth, sifted.notices
    report.sifted_key_bits = len(sifted.key_bits)
    report.sifted_test_bits = len(sifted.test_bits)
    block.sifted = sifted
    from_test_basis = Bits.zeros(0) if settings.disclosed_share is None else sifted.test_bits
    _show(block, add_up(healths), (sifted.key_bits, from_test_basis))
    if len(sifted.key_bits) < LEAST_SIFTED_BITS:
        raise AbortBlock(
            AbortReason.TOO_FEW_BITS,
            f"{len(sifted.key_bits)} sifted bits of the key basis; at least {LEAST_SIFTED_BITS} are needed",
        )


def _judge(block: Block, healths: tuple[RecordHealth, ...]) -> None:
    """Give the block up if this host's own records show that its devices are not in order."""
    link = block.link
    findings = judge(
        healths,
        link.record_limits,
        test_probability=link.protocol.stated_test_probability("bob" if block.role == "bob" else "alice"),
        intensity_probabilities=link.protocol.probabilities,
    )
    if findings:
        _show(block, add_up(healths), None)
        raise AbortBlock(findings[0].reason, "; ".join(finding.text for finding in findings))


def _show(block: Block, whole: RecordHealth, secret: tuple[Bits, Bits] | None) -> None:
    link = block.link
    block.report.own_record = show(whole, link.record_limits, secret=secret, intensities=len(link.protocol.intensities))


def _say_records_are_held(block: Block) -> Program[None]:
    yield RecordsHeld(block=block.number, nonce=block.random_source(NONCE_BYTES))


def _hear_records_are_held() -> Program[None]:
    expect((yield RECEIVE), RecordsHeld)
