"""Both sides of a correction in one process: for notebooks, benchmarks and tests."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from qkdpost.bits import Bits, BitsLike
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.cascade import cascade
from qkdpost.reconciliation.cascade_parameters import parameters_for
from qkdpost.reconciliation.entropy import binary_entropy
from qkdpost.reconciliation.ldpc import ldpc_corrector, ldpc_reference
from qkdpost.reconciliation.rate_adaptation import plan_ldpc
from qkdpost.shared_random import SEED_BYTES

__all__ = ["METHODS", "Correction", "Options", "Reconciled", "drive", "reconcile"]

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `reconcile` was told about single methods; fields as its arguments."""

    parameters: str
    decoder: str
    first_failures_permille: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a method of `METHODS` hands back: the corrector's bits (secret), leakage, rounds, errors found."""

    bits: Bits = field(repr=False)
    leakage_bits: int
    rounds: int
    corrected_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The outcome of `reconcile`.

    Attributes:
        bits: the noisy bits after correction; secret. Equal to the reference's unless `residual_frames` is not 0.
        leakage_bits: bits that a bound must charge for the correction, before any verification: those disclosed of the
            reference's string and, with LDPC, which frames were found.
        efficiency: leakage over n h(Q), Q the rate at which the two strings differed; infinite if nowhere.
        rounds: messages in each direction.
        corrected_bits: bits that were flipped.
        residual_frames: frames that still differ. Two hosts cannot see this; they verify by a hash.
        frames: frames in all.
    """

    bits: Bits = field(repr=False)
    leakage_bits: int
    efficiency: float
    rounds: int
    corrected_bits: int
    residual_frames: int
    frames: int


def reconcile(
    reference_bits: BitsLike,
    noisy_bits: BitsLike,
    *,
    method: str = "cascade",
    qber: float,
    frame_bits: int = 16384,
    parameters: str = "near-optimal",
    decoder: str = "fast",
    first_failures_permille: int = 300,
    seed: bytes | None = None,
) -> Reconciled:
    """Correct `noisy_bits` to `reference_bits` as two hosts would, both run here.

    Args:
        reference_bits: the string that is kept (`Bits`, or a vector of 0 and 1); secret.
        noisy_bits: the string to correct, of the same length; secret.
        method: one of `METHODS`.
        qber: the error rate as estimated beforehand, 0 to 0.5; taken to the nearest part per million. Rather too
            high than too low.
        frame_bits: length of a frame in bits; the last frame may be shorter.
        parameters: the named set of block sizes of Cascade.
        decoder: of LDPC, a key of `qkdpost.reconciliation.ldpc_decoders.DECODERS`.
        first_failures_permille: of LDPC, as `LinkConfig.ldpc_first_failures_permille`.
        seed: 32 bytes from which both sides derive what they share; None takes them from the operating system.

    Raises:
        InputError: lengths differ, the error rate is not between 0 and 0.5, the seed is of another length; for LDPC,
            the decoder is unknown or the failures in a thousand are not among those offered.
        ConfigurationError: unknown method or parameters, or a frame length that the method does not allow.
    """
    reference, noisy = Bits.coerce(reference_bits), Bits.coerce(noisy_bits)
    if len(reference) != len(noisy):
        raise InputError(f"both strings must be of one length, found {len(reference)} and {len(noisy)}")
    if not isinstance(qber, int | float | np.integer | np.floating) or not 0 <= qber <= 0.5:
        raise InputError(f"the error rate lies between 0 and 0.5, found {qber}")
    if method not in METHODS:
        raise ConfigurationError(f"unknown method {method!r}; known are {', '.join(METHODS)}")
    correction = METHODS[method](
        reference,
        noisy,
        qber_ppm=round(qber * 1_000_000),
        frame_bits=frame_bits,
        options=Options(parameters=parameters, decoder=decoder, first_failures_permille=first_failures_permille),
        seed=os.urandom(SEED_BYTES) if seed is None else seed,
    )
    return Reconciled(
        bits=correction.bits,
        leakage_bits=correction.leakage_bits,
        efficiency=_efficiency(correction.leakage_bits, (reference ^ noisy).weight(), len(reference)),
        rounds=correction.rounds,
        corrected_bits=correction.corrected_bits,
        residual_frames=_residual_frames(reference ^ correction.bits, frame_bits),
        frames=-(-len(reference) // frame_bits),
    )


def drive(
    reference: Generator[Bits, Bits, Outcome], corrector: Generator[Bits, Bits, Outcome]
) -> tuple[Outcome, Outcome]:
    """Exchange the messages of two generators until both return; give what they return.

    Raises:
        InputError: one returned while the other still asked, so they were not two sides of one exchange.
    """
    answers: list[Bits | None] = [None, None]
    while True:
        first, second = _step(reference, answers[1]), _step(corrector, answers[0])
        if isinstance(first, Bits) and isinstance(second, Bits):
            answers = [first, second]
        elif not isinstance(first, Bits) and not isinstance(second, Bits):
            return first.value, second.value
        else:
            raise InputError("one side ended while the other still asked: their settings differ")


def _step(side: Generator[Bits, Bits, Outcome], answer: Bits | None) -> Bits | StopIteration:
    try:
        return next(side) if answer is None else side.send(answer)
    except StopIteration as stop:
        return stop


def _cascade(
    reference: Bits, noisy: Bits, *, qber_ppm: int, frame_bits: int, options: Options, seed: bytes
) -> Correction:
    chosen = parameters_for(options.parameters, qber_ppm, frame_bits)
    sides = [
        cascade(bits, frame_bits=frame_bits, parameters=chosen, seed=seed, reference=bits is reference)
        for bits in (reference, noisy)
    ]
    kept, corrected = drive(*sides)
    return Correction(
        bits=corrected.bits,
        leakage_bits=kept.parities,
        rounds=kept.rounds,
        corrected_bits=corrected.corrected_bits,
    )


def _ldpc(reference: Bits, noisy: Bits, *, qber_ppm: int, frame_bits: int, options: Options, seed: bytes) -> Correction:
    plan = plan_ldpc(
        len(reference),
        error_rate_ppm=max(1, qber_ppm),
        frame_bits=frame_bits,
        first_failures_permille=options.first_failures_permille,
        decoder=options.decoder,
    )
    kept, corrected = drive(
        ldpc_reference(reference, plan=plan, seed=seed, random_source=os.urandom),
        ldpc_corrector(noisy, plan=plan, seed=seed, decoder=options.decoder),
    )
    return Correction(
        bits=corrected.bits,
        leakage_bits=kept.leakage_bits + kept.verdict_bits,
        rounds=kept.rounds,
        corrected_bits=corrected.corrected_bits,
    )


def _efficiency(leakage_bits: int, errors: int, length: int) -> float:
    if errors in (0, length):
        return math.inf
    return leakage_bits / (length * binary_entropy(errors / length))


def _residual_frames(difference: Bits, frame_bits: int) -> int:
    """Count the frames that hold a difference, by the positions of the few that are left."""
    nonzero = np.flatnonzero(difference.words)
    frames: set[int] = set()
    for index in nonzero.tolist():
        word = int(difference.words[index])
        frames.update((64 * index + bit) // frame_bits for bit in range(64) if word >> bit & 1)
    return len(frames)


METHODS: dict[str, Callable[..., Correction]] = {"cascade": _cascade, "ldpc": _ldpc}
"""How to correct: name -> function (reference, noisy, *, qber_ppm, frame_bits, options, seed) -> `Correction`."""
