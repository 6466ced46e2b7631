"""Estimation after correction: the corrector knows all outcomes now, and announces their sums; all symbols count.

What is announced hangs on outcomes that make key, so that every number is charged with all its bits. The reference
holds the sums over its outcomes against its own, and announces those over its calibration.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AnnouncedMoments
from qkdpost.dialogue.program import RECEIVE, Program, expect, from_peer
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.sifting.quadratures.diagnosis import diagnose_outcomes
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.facts import NoticeFacts
from qkdpost.stages.continuous.findings import notices_of
from qkdpost.stages.continuous.outcomes import MeasuredKey, ReverseKey
from qkdpost.stages.continuous.settings import settings_of
from qkdpost.stages.continuous.table import method_of
from qkdpost.stages.stage import Stage
from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments

__all__ = ["LATE_ESTIMATION"]

BITS_OF_A_NUMBER = 64
AGREEMENT = 1e-4
"""Sums of squares of outcomes that travelled as rotations and norms differ by far less than this part of themselves."""

_Moments = TypeVar("_Moments", QuadratureMoments, CalibrationMoments)
Calibration = tuple[CalibrationMoments, CalibrationMoments | None]


def reference(block: Block, corrected: ReverseKey) -> Program[MeasuredKey]:
    """Hear the sums over symbols and outcomes, and announce those over calibration."""
    calibration = corrected.calibration
    if calibration is None:
        raise InputError("the reference's records hold a calibration")
    (moments,) = yield from _hear(block, (QuadratureMoments,))
    _hold_against(moments, corrected.moments)
    yield _say(block, *(part for part in calibration if part is not None))
    return (yield from _measured(block, corrected, moments, calibration))


def corrector(block: Block, corrected: ReverseKey) -> Program[MeasuredKey]:
    """Announce the sums over symbols and outcomes, and hear those over calibration."""
    yield _say(block, corrected.moments)
    heard = yield from _hear(block, (CalibrationMoments,), (CalibrationMoments, CalibrationMoments))
    calibration = (heard[0], heard[1] if len(heard) == 2 else None)
    return (yield from _measured(block, corrected, corrected.moments, calibration))


def _say(block: Block, *parts: QuadratureMoments | CalibrationMoments) -> AnnouncedMoments:
    counts = tuple(count for part in parts for count in part.counts)
    sums = tuple(float(number) for part in parts for item in fields(part)[1:] for number in getattr(part, item.name))
    block.ledger.disclose(Cause.STATISTICS, BITS_OF_A_NUMBER * (len(counts) + len(sums)))
    return AnnouncedMoments(block=block.number, counts=counts, sums=sums)


def _hear(block: Block, *offered: tuple[type[Any], ...]) -> Program[list[Any]]:
    """Hear one of the series of moments that are offered, told apart by how many counts they have."""
    heard = expect((yield RECEIVE), AnnouncedMoments)
    kinds = next((kinds for kinds in offered if 2 * len(kinds) == len(heard.counts)), None)
    if kinds is None:
        raise RemoteProtocolError(f"the peer announces {len(heard.counts)} counts, and none of its sums has so many")
    block.ledger.disclose(Cause.STATISTICS, BITS_OF_A_NUMBER * (len(heard.counts) + len(heard.sums)))
    numbers, counts = list(heard.sums), list(heard.counts)
    with from_peer("moments"):
        moments = [_taken(kind, counts, numbers) for kind in kinds]
    if numbers:
        raise RemoteProtocolError(f"the peer announces {len(numbers)} sums too many")
    return moments


def _taken(kind: type[_Moments], counts: list[int], numbers: list[float]) -> _Moments:
    """Return moments of the numbers that come next, and take these away."""
    taken: dict[str, Any] = {"counts": tuple(counts[:2])}
    del counts[:2]
    for item in fields(kind)[1:]:
        length = kind.lengths()[item.name]
        taken[item.name] = tuple(numbers[:length])
        del numbers[:length]
    return kind(**taken)


def _hold_against(announced: QuadratureMoments, own: QuadratureMoments) -> None:
    """Check what the corrector announces of this host's outcomes.

    Raises:
        RemoteProtocolError: it is not what they are.
    """
    if announced.counts != own.counts:
        raise RemoteProtocolError(f"the peer counted {announced.counts} outcomes, this host {own.counts}")
    scale = sum(own.measured_squares[:2])
    for told, known in zip(announced.measured_squares, own.measured_squares, strict=True):
        if abs(told - known) > AGREEMENT * scale:
            raise RemoteProtocolError("the squares of this host's outcomes add up to another sum than the peer's")


def _measured(
    block: Block, corrected: ReverseKey, moments: QuadratureMoments, calibration: Calibration
) -> Program[MeasuredKey]:
    """Judge the outcomes by their sums, and hand the key on with what the bound counts."""
    setting, settings, method = corrected.setting, settings_of(block), method_of(block)
    disclosed = settings.disclosed_symbols
    by_each = disclosed if settings.detection == "heterodyne" else disclosed // 3  # hardly fewer of either
    signal_to_noise = setting.gain**2 * settings.modulation_variance / setting.noise_variance
    # Each host might have given the block up for correlations that are not announced, and has not: a bit of either.
    found = notices_of(diagnose_outcomes(moments, whitened_by=by_each, apart=corrected.correlations))
    block.ledger.disclose(Cause.STATISTICS, 2)
    yield NoticeFacts(notices=found + method.notices(setting.plan, signal_to_noise))
    with from_peer("moments"):
        sums = GaussianTally(
            detection=settings.detection,
            moments=moments,
            whitening=setting.whitening,
            shot_electronic=calibration[0],
            electronic=calibration[1],
            key_reals=setting.frames * setting.plan.frame_reals,
            dimension=method.dimension(block),
        )
        tally = method.tally(setting.plan, sums)
    return MeasuredKey(key=corrected.key, tally=tally)


LATE_ESTIMATION = Stage(
    name="estimation after correction",
    reference=reference,
    corrector=corrector,
    reference_hears=frozenset({AnnouncedMoments}),
    corrector_hears=frozenset({AnnouncedMoments}),
)
