"""Both sides of a correction in one process: for notebooks, benchmarks and tests."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import choice, described, real_number, whole_number
from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.errors import InputError
from qkdpost.reconciliation.cascade.parameters import PARAMETER_SETS
from qkdpost.reconciliation.correction import Side, correct
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.ldpc.plan import LdpcPlan, plan_ldpc
from qkdpost.reconciliation.payload import Payload, Rounds
from qkdpost.shared_random import SEED_BYTES
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["METHODS", "Correction", "Options", "Reconciled", "drive", "reconcile"]

Outcome = TypeVar("Outcome")

_FRAME_BITS = {"cascade": 1 << 14, "ldpc": 1 << 16}
"""Of a frame by default, as in `qkdpost.LinkConfig`."""
_FALLBACKS = ("cascade", "drop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `reconcile` was told about single methods; fields as its arguments."""

    parameters: str
    decoder: str
    first_failures_permille: int
    blind_rounds: int
    fallback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a method of `METHODS` hands back.

    Attributes:
        bits: the corrector's; secret.
        leakage_bits: as `Reconciled` has it.
        rounds: messages in each direction.
        corrected_bits: errors found.
        frames: frames in all.
        frame_bits: of each frame; the last may be shorter.
        failed_frames: of these, how many the method itself did not correct, and knows it.
        dealt: whether bit i lies in frame i mod `frames`; else frames follow each other.
    """

    bits: Bits = field(repr=False)
    leakage_bits: int
    rounds: int
    corrected_bits: int
    frames: int
    frame_bits: int
    failed_frames: int = 0
    dealt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The outcome of `reconcile`.

    Attributes:
        bits: the noisy bits after correction; secret. Equal to the reference's unless `residual_frames` is not 0.
        leakage_bits: bits that a bound must charge for the correction, before any verification: those disclosed of the
            reference's string, of no frame more than it has bits, and with LDPC, which frames were found; and all bits
            of frames that were given up (fallback "drop").
        efficiency: leakage over n h(Q), Q the rate at which the two strings differed; infinite if nowhere.
        rounds: messages in each direction.
        corrected_bits: bits that were flipped.
        residual_frames: frames that still differ. Two hosts see of these only which frames LDPC gave up; they verify by
            a hash.
        frames: frames in all.
        failed_frames: frames that LDPC did not correct, before the fallback; 0 with Cascade, which cannot tell.
    """

    bits: Bits = field(repr=False)
    leakage_bits: int
    efficiency: float
    rounds: int
    corrected_bits: int
    residual_frames: int
    frames: int
    failed_frames: int

    @property
    def found_frames(self) -> int:
        """Frames of which the method itself found a word."""
        return self.frames - self.failed_frames


def reconcile(
    reference_bits: BitsLike,
    noisy_bits: BitsLike,
    *,
    method: str = "cascade",
    qber: float,
    frame_bits: int | None = None,
    parameters: str = "near-optimal",
    decoder: str = "fast",
    first_failures_permille: int = 300,
    blind_rounds: int = 3,
    fallback: str = "cascade",
    seed: bytes | None = None,
) -> Reconciled:
    """Correct `noisy_bits` to `reference_bits` as two hosts would, both run here.

    >>> reference, noisy = [0, 1] * 500, [0, 1] * 490 + [1, 1] + [0, 1] * 9
    >>> done = reconcile(reference, noisy, qber=0.01)
    >>> done.corrected_bits, done.residual_frames
    (1, 0)

    Args:
        reference_bits: the string that is kept (`Bits`, or a vector of 0 and 1); secret.
        noisy_bits: the string to correct, of the same length; secret.
        method: one of `METHODS`.
        qber: the error rate as estimated beforehand, 0 to 0.5; taken to the nearest part per million. Rather too
            high than too low: LDPC makes up for an estimate that is far too low by more rounds and by Cascade, at a
            price that is charged.
        frame_bits: length of a frame in bits; the last frame may be shorter. By default that of a link: 2^14 for
            Cascade, 2^16 for LDPC, which has frames of 2^14, 2^16, 2^18 and 2^20 bits and takes shorter ones for a
            string that does not fill these.
        parameters: the named set of block sizes of Cascade.
        decoder: of LDPC, a key of `qkdpost.reconciliation.ldpc.decoders.DECODERS`.
        first_failures_permille: of LDPC, as `Ldpc.first_failures_permille`.
        blind_rounds: of LDPC, as `Ldpc.blind_rounds`.
        fallback: of LDPC, "cascade" corrects frames that failed, "drop" gives them up.
        seed: 32 bytes from which both sides derive what they share; None takes them from the operating system.

    Raises:
        InputError: an argument is not what it must be, and the message names it: lengths differ, `qber` is not between
            0 and 0.5, a name is none of those that there are, a frame length is not offered; or no LDPC code corrects
            the error rate.
    """
    reference = Bits.coerce(reference_bits, name="reference_bits")
    noisy = Bits.coerce(noisy_bits, name="noisy_bits")
    if len(reference) != len(noisy):
        raise InputError(
            f"reference_bits and noisy_bits must be of one length; found {len(reference)} and {len(noisy)}"
        )
    method = choice("method", method, METHODS)
    correction = METHODS[method](
        reference,
        noisy,
        qber_ppm=round(real_number("qber", qber, least=0.0, most=0.5) * 1_000_000),
        frame_bits=whole_number(
            "frame_bits", _FRAME_BITS.get(method, 1 << 14) if frame_bits is None else frame_bits, least=1, most=1 << 20
        ),
        options=Options(
            parameters=choice("parameters", parameters, PARAMETER_SETS),
            decoder=choice("decoder", decoder, DECODERS),
            first_failures_permille=whole_number("first_failures_permille", first_failures_permille, most=1000),
            blind_rounds=whole_number("blind_rounds", blind_rounds, most=16),
            fallback=choice("fallback", fallback, _FALLBACKS),
        ),
        seed=os.urandom(SEED_BYTES) if seed is None else _seed(seed),
    )
    return Reconciled(
        bits=correction.bits,
        leakage_bits=correction.leakage_bits,
        efficiency=_efficiency(correction.leakage_bits, (reference ^ noisy).weight(), len(reference)),
        rounds=correction.rounds,
        corrected_bits=correction.corrected_bits,
        residual_frames=_residual_frames(reference ^ correction.bits, correction),
        frames=correction.frames,
        failed_frames=correction.failed_frames,
    )


def _seed(seed: object) -> bytes:
    if not isinstance(seed, bytes | bytearray) or len(seed) != SEED_BYTES:
        raise InputError(f"seed must be {SEED_BYTES} bytes; found {described(seed)}")
    return bytes(seed)


def drive(reference: Rounds[Outcome], corrector: Rounds[Outcome]) -> tuple[Outcome, Outcome]:
    """Exchange the payloads of two sides until both return; give what they return.

    Raises:
        InputError: one returned while the other still asked, so they were not two sides of one exchange.
    """
    answers: tuple[Payload | None, Payload | None] = (None, None)
    while True:
        first, second = _step(reference, answers[1]), _step(corrector, answers[0])
        if isinstance(first, StopIteration) and isinstance(second, StopIteration):
            return first.value, second.value
        if isinstance(first, StopIteration) or isinstance(second, StopIteration):
            raise InputError("one side ended while the other still asked; give both the same settings, plan and seed")
        answers = first, second


def _step(side: Rounds[Outcome], answer: Payload | None) -> Payload | StopIteration:
    try:
        return next(side) if answer is None else side.send(answer)
    except StopIteration as stop:
        return stop


def _cascade(
    reference: Bits, noisy: Bits, *, qber_ppm: int, frame_bits: int, options: Options, seed: bytes
) -> Correction:
    return _correction(reference, noisy, None, qber_ppm, frame_bits, options, seed)


def _ldpc(reference: Bits, noisy: Bits, *, qber_ppm: int, frame_bits: int, options: Options, seed: bytes) -> Correction:
    plan = plan_ldpc(
        len(reference),
        error_rate_ppm=min(max(1, qber_ppm), 499_999),
        frame_bits=frame_bits,
        first_failures_permille=options.first_failures_permille,
        blind_rounds=options.blind_rounds,
        decoder=options.decoder,
    )
    return _correction(reference, noisy, plan, qber_ppm, _FRAME_BITS["cascade"], options, seed)


def _correction(
    reference: Bits,
    noisy: Bits,
    plan: LdpcPlan | None,
    qber_ppm: int,
    frame_bits: int,
    options: Options,
    seed: bytes,
) -> Correction:
    """Run both sides of what a session runs."""
    sides = [
        Side(
            reference=kept,
            seed=seed,
            qber_ppm=qber_ppm,
            frame_bits=frame_bits,
            parameters=options.parameters,
            decoder=options.decoder,
            fallback=options.fallback,
            random_source=os.urandom,
        )
        for kept in (True, False)
    ]
    ours, theirs = drive(correct(reference, plan, sides[0]), correct(noisy, plan, sides[1]))
    ledger = Ledger()
    for cause, bits in ours.disclosed.items():
        ledger.disclose(cause, bits)
    ledger.disclose(Cause.DROPPED_FRAMES, ours.given_up.weight() - ours.given_up_charge)
    return Correction(
        bits=theirs.bits,
        leakage_bits=ledger.charged_bits,
        rounds=ours.rounds,
        corrected_bits=theirs.corrected_bits,
        frames=ours.frames,
        frame_bits=frame_bits,
        failed_frames=ours.failed_frames,
        dealt=plan is not None,
    )


def _efficiency(leakage_bits: int, errors: int, length: int) -> float:
    if errors in (0, length):
        return math.inf
    rate = errors / length
    return leakage_bits / (length * binary_entropy(min(rate, 1 - rate)))


def _residual_frames(difference: Bits, correction: Correction) -> int:
    """Count the frames that hold a difference."""
    places = np.flatnonzero(np.asarray(difference)) if difference.weight() else np.zeros(0, dtype=np.int64)
    if correction.dealt:
        return int(np.unique(places % correction.frames).size)
    return int(np.unique(places // correction.frame_bits).size)


METHODS: dict[str, Callable[..., Correction]] = {"cascade": _cascade, "ldpc": _ldpc}
"""How to correct: name -> function (reference, noisy, *, qber_ppm, frame_bits, options, seed) -> `Correction`."""
