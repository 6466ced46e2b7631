"""Sifting: the conversation of the kind of QKD, begun when nobody can still act on what is disclosed.

Either host first judges its own records of all rounds of the block: with a dead detector, or bits that repeat, an
error rate says nothing (`qkdpost.health`). The peer hears the reason and no count.

The reporting side opens a block when its records of the rounds are in. Where the answering side measures too, its own
must be in before a basis is disclosed: a source that knew it could measure the other half in the same basis, send on
the outcome, and know the whole key without having caused an error. So the answering side says first that it holds its
records (`RecordsHeld`). The number that it draws at that moment is part of what the tags cover; nobody can have said it
earlier in its place.

Where it prepares, nothing is lost if the reporter's bases are known before a pulse has left. A prepared bit is drawn
without regard to anything that happened before, so that an outcome which is older than its pulse agrees with it in half
of all cases, in either basis. Think of the bit as the outcome of a measurement on a qubit that stays with the side that
prepares: for such a round the reporter's part was measured already when the pair is made, and whatever is done to the
other half afterwards changes neither. The test rounds among them show errors of 1/2, as many as there are in the key.
The same goes for intensities: what was detected before they were chosen was detected equally for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, RecordsHeld
from qkdpost.dialogue.program import RECEIVE, AbortBlock, AllHeld, Program, expect
from qkdpost.health import RecordHealth, add_up, judge, show
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.sifting.task import SiftingTask
from qkdpost.stages.block import Block, Duty
from qkdpost.stages.facts import CoverageFacts, OwnRecordFacts, SiftingFacts
from qkdpost.stages.stage import Hears, Stage, StageProgram

__all__ = ["MIN_SIFTED_BITS", "Sift", "own_records", "sifting"]

MIN_SIFTED_BITS = 256
"""Below so few bits no form of the bound leaves key; the block ends before it costs a round trip."""
NONCE_BYTES = 32

Sift: TypeAlias = Callable[[SiftingTask[Any]], Program[SiftedKey]]
"""One side of the sifting conversation of a kind of QKD."""


def sifting(
    *,
    reporting: Sift,
    answering: Sift,
    reporting_hears: Hears,
    answering_hears: Hears,
    reporter: Duty = Duty.CORRECTOR,
    answerer_measures: bool = False,
) -> Stage:
    """Return the stage of sifting for a kind of QKD.

    Args:
        reporting: the conversation of the side that reports its detections: the host that opens blocks.
        answering: that of the side that answers which of them both keep.
        reporting_hears: the messages that `reporting` waits for.
        answering_hears: those that `answering` waits for.
        reporter: the duty of the reporting side.
        answerer_measures: whether the answering side, too, measures what somebody else sent: it says that its records
            are in before anything is reported.
    """

    def report(block: Block, nothing: None) -> Program[SiftedKey]:
        healths = yield from own_records(block)
        if answerer_measures:
            expect((yield RECEIVE), RecordsHeld)
        return (yield from _sift(block, healths, reporting))

    def answer(block: Block, nothing: None) -> Program[SiftedKey]:
        healths = yield from own_records(block)
        if answerer_measures:
            yield RecordsHeld(block=block.number, nonce=block.random_source(NONCE_BYTES))
        return (yield from _sift(block, healths, answering))

    programs: dict[Duty, StageProgram] = {reporter: report, reporter.other: answer}
    hears = {
        reporter: reporting_hears | ({RecordsHeld} if answerer_measures else frozenset()),
        reporter.other: answering_hears,
    }
    return Stage(
        name="sifting",
        reference=programs[Duty.REFERENCE],
        corrector=programs[Duty.CORRECTOR],
        reference_hears=hears[Duty.REFERENCE],
        corrector_hears=hears[Duty.CORRECTOR],
    )


def own_records(block: Block) -> Program[tuple[RecordHealth, ...]]:
    """Wait until all records are in; give the block up if they show that this host's devices are not in order."""
    healths: tuple[RecordHealth, ...] = yield AllHeld(block.record_numbers)
    covered = add_up(healths)
    yield CoverageFacts(pulses=covered.pulses, seconds=covered.seconds)
    findings = judge(
        healths,
        block.record_limits,
        test_probability=block.test_probability,
        intensity_probabilities=block.settings.probabilities,
    )
    if findings:
        if healths[0].quadratures is None:  # which have no bits to count
            yield _show(block, healths, None)
        raise AbortBlock(findings[0].reason, "; ".join(finding.text for finding in findings))
    return healths


def _sift(block: Block, healths: tuple[RecordHealth, ...], sift: Sift) -> Program[SiftedKey]:
    task = SiftingTask(
        block=block.number, record_numbers=block.record_numbers, settings=block.settings, blocks=block.blocks
    )
    sifted = yield from sift(task)
    yield SiftingFacts(
        rounds=sifted.rounds,
        double_clicks=sifted.double_clicks,
        cross_clicks=sifted.cross_clicks,
        sifted_key_bits=len(sifted.key_bits),
        sifted_test_bits=len(sifted.test_bits),
        matched_by_tenth=sifted.matched_by_tenth,
        notices=sifted.notices,
    )
    from_test_basis = Bits.zeros(0) if block.settings.disclosed_share is None else sifted.test_bits
    yield _show(block, healths, (sifted.key_bits, from_test_basis))
    if len(sifted.key_bits) < MIN_SIFTED_BITS:
        raise AbortBlock(
            AbortReason.TOO_FEW_BITS,
            f"{len(sifted.key_bits)} sifted bits of the key basis; at least {MIN_SIFTED_BITS} are needed",
        )
    return sifted


def _show(block: Block, healths: tuple[RecordHealth, ...], secret: tuple[Bits, Bits] | None) -> OwnRecordFacts:
    shown = show(add_up(healths), block.record_limits, secret=secret, intensities=len(block.settings.intensities))
    return OwnRecordFacts(own_record=shown)
