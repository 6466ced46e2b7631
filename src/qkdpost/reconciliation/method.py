"""Which method corrects a block, and how: a function of the settings and of integers that both hosts have.

`METHODS` is a plain dict, to which methods of another origin may be added: settings, and a function that makes of them
and of a block's numbers a `CorrectionPlan`. Sessions, `qkdpost.reconcile` and tests run the plan by
`qkdpost.reconciliation.correction.correct`.

The rule of `Auto`: Cascade discloses least, and takes some hundred rounds; as long as the blocks in flight can hide
them it is the better choice. It is taken if

    cascade_rounds(parameters, error rate) * round_trip_ms / 2 / in_flight <= block bits / (1000 processor_mbit_per_s),

that is if waiting, shared by the blocks in flight, lasts no longer than the slower host's work on a block; a round
takes half of a round trip, since nobody waits for an answer before going on. It is taken with the settings' own block
sizes if that holds for them, else with the set "few-rounds" if it holds for that, or, up to an error rate of 8.4 %, if
waiting lasts no longer than twice the work: LDPC takes the slower host three times the work of Cascade, and discloses
more up to there, less beyond. Else LDPC is taken, if a code corrects the error rate.

Below 1 % frames hold few errors, and LDPC discloses more than Cascade's 1.05 to 1.1 times the limit: with frames of
2^16 bits about 1.19 times at 0.5 %, 1.30 at 0.2 %, 1.48 at 0.1 %, and never less than 1.3 % of the bits, whatever the
error rate; with frames of 2^14 never less than 3.1 %. That much of the key, at most, is what `Auto` pays for not
waiting, and what a frame has cost before the fallback corrects it by Cascade; it weighs waiting alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Any

from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation.cascade.correction import CascadePlan
from qkdpost.reconciliation.cascade.parameters import parameters_for
from qkdpost.reconciliation.channel import MAX_ERROR_RATE_PPM
from qkdpost.reconciliation.correction import CorrectionPlan, even_frame_bits
from qkdpost.reconciliation.ldpc.correction import LdpcCorrection
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.ldpc.plan import NoSuitableCode, plan_ldpc
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS
from qkdpost.reconciliation.settings import (
    Auto,
    Cascade,
    CascadeSet,
    CorrectionSettings,
    Ldpc,
    Multidimensional,
    Slices,
)

__all__ = [
    "METHODS",
    "CorrectionMethod",
    "CorrectionTask",
    "cascade_rounds",
    "check_decoder",
    "plan_correction",
    "uncertainty_permille",
]

_MAX_UNCERTAINTY_PERMILLE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionTask:
    """What both hosts know about a block that is to be corrected.

    Args:
        block_bits: bits to correct.
        qber_ppm: the error rate expected, errors in 10^6 bits.
        uncertainty_permille: its relative standard error, in thousandths.
        frame_bits: the most bits of a frame of Cascade, which is one of verification too.
        in_flight: how many blocks share the waiting for the line.
    """

    block_bits: int
    qber_ppm: int
    uncertainty_permille: int
    frame_bits: int
    in_flight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionMethod:
    """A method of correction.

    Args:
        settings: the class of its settings, whose tag is the method's name in `METHODS`.
        plan: makes of settings and a task the plan that both hosts follow; raises `NoSuitableCode` where the method
            cannot correct the block. None: it corrects no strings of bits, but what a kind of QKD has in their place,
            by stages of that kind's own.
    """

    settings: type[CorrectionSettings]
    plan: Callable[[Any, CorrectionTask], CorrectionPlan] | None


def plan_correction(settings: CorrectionSettings, task: CorrectionTask) -> CorrectionPlan:
    """Return how a block is corrected: by the method of the settings, or by Cascade where no LDPC code will do.

    Raises:
        ConfigurationError: no method of `METHODS` that corrects bits has settings of this class.
        InputError: a number of the task lies outside its range.
    """
    plan = _method_of(settings).plan
    if plan is None:
        raise ConfigurationError(f"{type(settings).__name__} corrects no strings of bits; choose another method")
    try:
        return plan(settings, task)
    except NoSuitableCode:
        return _plan_cascade(settings.cascade, task)


def uncertainty_permille(errors_seen: int) -> int:
    """Return the relative standard error, in thousandths, of an error rate estimated from `errors_seen` errors.

    An estimate that rests on e errors is good to one part in the root of e.
    """
    return min(_MAX_UNCERTAINTY_PERMILLE, isqrt(1_000_000 // max(1, errors_seen)))


def check_decoder(settings: CorrectionSettings) -> None:
    """Check that this host has the decoder that the settings name, where it may be needed.

    Raises:
        ConfigurationError: it has not.
    """
    ldpc = settings.ldpc
    if ldpc is not None and ldpc.decoder not in DECODERS:
        raise ConfigurationError(f"decoder of LDPC must be one of {', '.join(DECODERS)}; found {ldpc.decoder!r}")
    if isinstance(settings, Multidimensional) and settings.decoder not in RAPTOR_DECODERS:
        raise ConfigurationError(
            f"decoder of raptor-like codes must be one of {', '.join(RAPTOR_DECODERS)}; found {settings.decoder!r}"
        )
    if isinstance(settings, Slices) and settings.decoder not in DECODERS:
        raise ConfigurationError(f"decoder of slices must be one of {', '.join(DECODERS)}; found {settings.decoder!r}")


def cascade_rounds(parameters: CascadeSet, qber_ppm: int) -> int:
    """Return about how many rounds Cascade takes for a block of 64 frames of 2^16 bits, by measurement.

    They hold within a factor of two from 0.2 to 11 %. Smaller blocks and shorter frames take fewer.
    """
    at_no_errors, ppm_a_round = _ROUNDS[parameters]
    return at_no_errors + qber_ppm // ppm_a_round


_ROUNDS: dict[CascadeSet, tuple[int, int]] = {
    "original": (100, 10_000),
    "yan": (350, 10_000),
    "optimised": (200, 2_000),
    "power-of-two": (900, 1_000),
    "near-optimal": (500, 45),
    "balanced": (100, 420),
    "few-rounds": (35, 6_000),
}


_FEW_ROUNDS_UP_TO_PPM = 84_000
"""Beyond that LDPC with frames of 2^16 and the fast decoder discloses less."""


def _method_of(settings: CorrectionSettings) -> CorrectionMethod:
    for method in METHODS.values():
        if type(settings) is method.settings:
            return method
    raise ConfigurationError(f"correction must be of one of the methods {', '.join(METHODS)}; found {settings!r}")


def _plan_cascade(settings: Cascade, task: CorrectionTask) -> CascadePlan:
    frame_bits = even_frame_bits(task.block_bits, task.frame_bits)
    return CascadePlan(
        parameters=parameters_for(
            settings.parameters, task.qber_ppm, frame_bits, uncertainty_permille=task.uncertainty_permille
        )
    )


def _plan_ldpc(settings: Ldpc, task: CorrectionTask) -> LdpcCorrection:
    plan = plan_ldpc(
        task.block_bits,
        error_rate_ppm=min(max(1, task.qber_ppm), MAX_ERROR_RATE_PPM),
        frame_bits=settings.frame_bits,
        first_failures_permille=settings.first_failures_permille,
        blind_rounds=settings.blind_rounds,
        uncertainty_permille=task.uncertainty_permille,
        decoder=settings.decoder,
    )
    fallback = None if settings.fallback is None else _plan_cascade(settings.fallback, task)
    return LdpcCorrection(plan=plan, decoder=settings.decoder, fallback=fallback)


def _plan_by_rule(settings: Auto, task: CorrectionTask) -> CorrectionPlan:
    if _keeps_up(settings.cascade, settings, task):
        return _plan_cascade(settings.cascade, task)
    few = Cascade(parameters="few-rounds")
    if _keeps_up(few, settings, task, times=2 if task.qber_ppm < _FEW_ROUNDS_UP_TO_PPM else 1):
        return _plan_cascade(few, task)
    return _plan_ldpc(settings.ldpc, task)


def _keeps_up(cascade: Cascade, settings: Auto, task: CorrectionTask, *, times: int = 1) -> bool:
    """Return whether waiting lasts no longer than so many times the work."""
    waiting_ms = cascade_rounds(cascade.parameters, task.qber_ppm) * settings.round_trip_ms / 2 / task.in_flight
    return waiting_ms <= times * task.block_bits / (1000.0 * settings.processor_mbit_per_s)


METHODS: dict[str, CorrectionMethod] = {
    "cascade": CorrectionMethod(settings=Cascade, plan=_plan_cascade),
    "ldpc": CorrectionMethod(settings=Ldpc, plan=_plan_ldpc),
    "auto": CorrectionMethod(settings=Auto, plan=_plan_by_rule),
    "multidimensional": CorrectionMethod(settings=Multidimensional, plan=None),
    "slices": CorrectionMethod(settings=Slices, plan=None),
}
"""The methods by name; a plain dict, to which others may be added."""
