"""Disclosure: some symbols become public, to set correction up; they make no key, and no bound rests on them.

The reference holds its outcomes of the block when it opens it, and the corrector says that it holds its symbols, so
that nobody can act upon what is disclosed any more. From the disclosed symbols the reference makes the whitening of its
outcomes, and chooses the rate of the code. Both are announced before a frame is disclosed, and never changed: another
map for the same outcomes would be another choice that an eavesdropper may have steered.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.messages import (
    AbortReason,
    DisclosedSymbols,
    QuadratureChoices,
    RecordsHeld,
    ReversePlan,
    SymbolRequest,
)
from qkdpost.dialogue.program import RECEIVE, AbortBlock, NeedRecord, Program, expect, from_peer
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.records import CoherentStates, QuadratureOutcomes
from qkdpost.shared_random import SEED_BYTES, sample_positions
from qkdpost.sifting.quadratures.calibration import calibration_parts
from qkdpost.sifting.quadratures.diagnosis import diagnose_parts
from qkdpost.sifting.quadratures.dither import dithered
from qkdpost.sifting.quadratures.whitening import ChannelEstimate, estimate_channel, measured_quadratures
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.facts import DisclosureFacts, KindFacts, NoticeFacts
from qkdpost.stages.continuous.findings import notices_of
from qkdpost.stages.continuous.outcomes import FramesPlan, OpenFrames, Setting
from qkdpost.stages.continuous.parts import hear_choices, hear_symbols, say_choices, say_symbols
from qkdpost.stages.continuous.settings import correction_of, settings_of
from qkdpost.stages.continuous.stream import SymbolStream, rows_at
from qkdpost.stages.continuous.table import method_of
from qkdpost.stages.sifting import NONCE_BYTES, own_records
from qkdpost.stages.stage import Stage
from qkdpost.statistics.gaussian.moments import CalibrationMoments, Whitening

__all__ = ["DISCLOSURE", "calibration_of"]

LABEL = b"disclosed symbols"
LARGEST_DEVIATIONS = 40.0
"""A symbol further out than so many standard deviations is none of a Gaussian modulation."""
BEYOND_UNITS = 1e9
"""Whitened outcomes have variance 1: no gain or noise of theirs is so large, or so small."""


def reference(block: Block, nothing: None) -> Program[OpenFrames]:
    """Ask for symbols, and say how frames will be corrected."""
    yield KindFacts()
    yield from own_records(block)
    expect((yield RECEIVE), RecordsHeld)
    records: list[QuadratureOutcomes] = yield from _records(block)
    parts, total = [record.values for record in records], sum(record.events for record in records)
    seed = block.random_source(SEED_BYTES)
    positions = _positions(block, seed, total)
    yield SymbolRequest(block=block.number, symbols=total, seed=seed)
    choices = None
    if settings_of(block).detection == "homodyne":
        choices = concatenate(record.quadratures for record in records if record.quadratures is not None)
        yield from say_choices(block, choices)
    symbols = yield from hear_symbols(len(positions), _largest(block))
    step = max((record.adc_step for record in records if record.adc_step is not None), default=None)
    estimate = _estimate(
        block, symbols, dithered(rows_at(parts, positions), step, block.random_source), choices, positions
    )
    plan = _plan(block, estimate)
    setting = _setting(block, plan, total - len(positions), estimate.whitening, estimate.gain, estimate.noise_variance)
    yield _announcement(block, setting)
    yield _facts(block, setting, total, estimate.signal_to_noise)
    shot, electronic, notices = calibration_of(records, block.random_source)
    yield NoticeFacts(notices=notices)
    return OpenFrames(
        setting=setting,
        values=SymbolStream.of(parts, positions),
        choices=None if choices is None else SymbolStream.of([choices], positions),
        adc_step=step,
        calibration=(shot, electronic),
    )


def corrector(block: Block, nothing: None) -> Program[OpenFrames]:
    """Disclose the symbols that are asked for, and hear how frames will be corrected."""
    yield KindFacts()
    yield from own_records(block)
    yield RecordsHeld(block=block.number, nonce=block.random_source(NONCE_BYTES))
    request = expect((yield RECEIVE), SymbolRequest)
    # Taken now, and no earlier: the peer has taken its own, so that neither asks for them again if the line breaks.
    records: list[CoherentStates] = yield from _records(block)
    parts, total = [record.symbols for record in records], sum(record.events for record in records)
    if request.symbols != total:
        raise AbortBlock(
            AbortReason.RECORDS_DISAGREE,
            f"the peer holds outcomes of {request.symbols} symbols, this host sent {total}",
        )
    positions = _positions(block, request.seed, total)
    choices = None
    if settings_of(block).detection == "homodyne":
        choices = yield from hear_choices(total)
    yield from say_symbols(block, rows_at(parts, positions))
    heard = expect((yield RECEIVE), ReversePlan)
    with from_peer("plan of correction"):
        plan = method_of(block).read_plan(correction_of(block), heard.plan)
        whitening = Whitening(centre=heard.centre, matrix=heard.matrix)
    if not (heard.gain > 0.0 and heard.noise_variance > 0.0):
        raise RemoteProtocolError("gain and noise variance of the peer's plan must be above 0")
    if max(heard.gain, heard.noise_variance, 1.0 / heard.gain, 1.0 / heard.noise_variance) > BEYOND_UNITS:
        raise RemoteProtocolError(f"gain and noise variance of the peer's plan must be within {BEYOND_UNITS:g} of 1")
    setting = _setting(block, plan, total - len(positions), whitening, heard.gain, heard.noise_variance)
    modulation = settings_of(block).modulation_variance
    yield _facts(block, setting, total, heard.gain**2 * modulation / heard.noise_variance)
    return OpenFrames(
        setting=setting,
        values=SymbolStream.of(parts, positions),
        choices=None if choices is None else SymbolStream.of([choices], positions),
        adc_step=None,
        calibration=None,
    )


def _records(block: Block) -> Program[list[Any]]:
    records = []
    for number in block.record_numbers:
        records.append((yield NeedRecord(number)))
    return records


def _positions(block: Block, seed: bytes, total: int) -> NDArray[np.int64]:
    """Return which symbols are disclosed."""
    wanted = settings_of(block).disclosed_symbols
    if total < 2 * wanted:
        raise AbortBlock(
            AbortReason.TOO_FEW_BITS,
            f"{total} symbols, of which {wanted} would be disclosed to set correction up; at least twice as many are "
            "needed",
        )
    return sample_positions(seed, LABEL, total, wanted)


def _largest(block: Block) -> float:
    return LARGEST_DEVIATIONS * math.sqrt(settings_of(block).modulation_variance)


def _estimate(
    block: Block,
    symbols: NDArray[np.float32],
    outcomes: NDArray[np.float32],
    choices: Bits | None,
    positions: NDArray[np.int64],
) -> ChannelEstimate:
    try:
        if choices is None:
            return estimate_channel(symbols, outcomes)
        of_these = choices.take(positions)
        return estimate_channel(measured_quadratures(symbols, of_these), outcomes, of_these)
    except InputError as error:
        raise AbortBlock(AbortReason.RECORDS_DISAGREE, f"the disclosed symbols show no channel: {error}") from None


def _plan(block: Block, estimate: ChannelEstimate) -> FramesPlan:
    """Return how frames are corrected, or give the block up where no code can."""
    try:
        return method_of(block).plan(correction_of(block), estimate)
    except InputError as error:
        raise AbortBlock(AbortReason.NO_KEY_LEFT, f"by the disclosed symbols, {error}") from None


def _setting(
    block: Block, plan: FramesPlan, symbols: int, whitening: Whitening, gain: float, noise_variance: float
) -> Setting:
    both = settings_of(block).detection == "heterodyne"
    frames = symbols * (2 if both else 1) // plan.frame_reals
    if not frames:
        raise AbortBlock(AbortReason.TOO_FEW_BITS, f"{symbols} symbols fill no frame of {plan.frame_reals} outcomes")
    return Setting(plan=plan, gain=gain, noise_variance=noise_variance, whitening=whitening, frames=frames)


def _announcement(block: Block, setting: Setting) -> ReversePlan:
    return ReversePlan(
        block=block.number,
        plan=setting.plan.to_bytes(),
        gain=setting.gain,
        noise_variance=setting.noise_variance,
        centre=setting.whitening.centre,
        matrix=setting.whitening.matrix,
    )


def _facts(block: Block, setting: Setting, total: int, snr: float) -> DisclosureFacts:
    return DisclosureFacts(
        rounds=total,
        disclosed_symbols=settings_of(block).disclosed_symbols,
        estimated_snr=snr,
        code_rate=setting.plan.rate,
        frame_outcomes=setting.plan.frame_reals,
    )


def calibration_of(
    records: list[QuadratureOutcomes], random_source: Callable[[int], bytes] = secrets.token_bytes
) -> tuple[CalibrationMoments, CalibrationMoments | None, tuple[str, ...]]:
    """Return the moments of all calibration records, and what is to be said of them.

    Args:
        records: of the block.
        random_source: for the dither.

    Returns:
        The moments of shot and electronic noise; those of electronic noise alone, if every record has them; warnings.

    Raises:
        AbortBlock: the noise of the receiver in a part of the records differs from that in all of them by more than can
            be tolerated.
    """
    shot = [calibration_parts(record.electronic_shot, record.adc_step, random_source) for record in records]
    alone = [
        calibration_parts(record.electronic, record.adc_step, random_source)
        for record in records
        if record.electronic is not None
    ]
    whole = _sum_of(shot)
    notices = notices_of(diagnose_parts(shot, whole))
    return whole, _sum_of(alone) if len(alone) == len(records) else None, notices


def _sum_of(records: list[tuple[CalibrationMoments, ...]]) -> CalibrationMoments:
    """Return the sums over all records, each about its own mean: a mean that moves between records is no shot noise.

    One outcome is taken off the count for each mean beyond the first; the degrees of freedom are one less than that.
    """
    moments = [reduce(add, parts) for parts in records]
    return reduce(add, (_about_its_mean(one, int(place > 0)) for place, one in enumerate(moments)))


def _about_its_mean(moments: CalibrationMoments, taken_off: int) -> CalibrationMoments:
    x, p = (total / count for total, count in zip(moments.measured, moments.counts, strict=True))
    squares, (of_x, of_p) = moments.measured_squares, moments.counts
    return CalibrationMoments(
        counts=(of_x - taken_off, of_p - taken_off),
        measured=(0.0, 0.0),
        measured_squares=(
            max(0.0, squares[0] - of_x * x * x),
            max(0.0, squares[1] - of_p * p * p),
            squares[2] - of_x * x * p if squares[2] else 0.0,
        ),
        lagged=tuple(sum_ - (of_p * p * p if place % 2 else of_x * x * x) for place, sum_ in enumerate(moments.lagged)),
    )


DISCLOSURE = Stage(
    name="disclosure",
    reference=reference,
    corrector=corrector,
    reference_hears=frozenset({RecordsHeld, DisclosedSymbols}),
    corrector_hears=frozenset({SymbolRequest, QuadratureChoices, ReversePlan}),
)
