"""Both sides of a correction in one process: for notebooks, benchmarks and tests."""

from __future__ import annotations

import math
import os
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar, get_args

import numpy as np

from qkdpost.bits import Bits, BitsLike
from qkdpost.checks import RegisteredName, choice, described, real_number, whole_number
from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.cascade.correction import CascadePlan, joined
from qkdpost.reconciliation.correction import Corrected, CorrectionPlan, Side, correct, even_frame_bits
from qkdpost.reconciliation.method import METHODS, CorrectionTask, check_decoder
from qkdpost.reconciliation.payload import RECEIVE, Payload, Rounds
from qkdpost.reconciliation.settings import Auto, Cascade, CascadeSet, Ldpc, LdpcDecoderName
from qkdpost.shared_random import SEED_BYTES
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.threads import each, sharing, threads_at_work

__all__ = ["BitMethod", "Fallback", "Reconciled", "drive", "reconcile"]

Outcome = TypeVar("Outcome")

_CASCADE_FRAME_BITS = 1 << 16
"""Of a frame by default, as in `qkdpost.Blocks`."""
BitMethod = Literal["cascade", "ldpc", "auto"]
"""The methods of the package that correct bits."""
Fallback = Literal["cascade", "drop"]
_UNCERTAINTY_PERMILLE = 30
"""Of the error rate that a caller names: LDPC provides for its being wrong by so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The outcome of `reconcile`.

    Attributes:
        bits: the noisy bits after correction; secret. Equal to the reference's unless `residual_frames` is not 0.
        leakage_bits: bits that a bound must charge for the correction, before any verification: those disclosed of the
            reference's string, of no frame more than it has bits, and with LDPC, which frames were found; and all bits
            of frames that were given up, by the fallback "drop" or as one in 32.
        efficiency: leakage over n h(Q), Q the rate at which the two strings differed; infinite if nowhere.
        rounds: messages one after another, each of which takes half of a round trip between two hosts; the last of
            Cascade, which asks nothing, is not counted.
        corrected_bits: bits that were flipped.
        residual_frames: frames that still differ. Two hosts see of these only which frames LDPC gave up; they verify by
            a hash.
        frames: frames in all.
        failed_frames: frames that LDPC did not correct, before the fallback; 0 with Cascade, which detects no failure.

    >>> import qkdpost as qp
    >>> reference, noisy = [0, 1] * 500, [0, 1] * 490 + [1, 1] + [0, 1] * 9
    >>> done = qp.reconcile(reference, noisy, qber=0.01)
    >>> done.bits == qp.Bits.coerce(reference), done.frames
    (True, 1)
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
    method: BitMethod | RegisteredName = "cascade",
    qber: float,
    frame_bits: int | None = None,
    parameters: CascadeSet = "balanced",
    decoder: LdpcDecoderName = "fast",
    first_failures_permille: int = 300,
    blind_rounds: int = 4,
    fallback: Fallback = "cascade",
    seed: bytes | None = None,
    executor: Executor | None = None,
) -> Reconciled:
    """Correct `noisy_bits` to `reference_bits` as two hosts would, both run here.

    >>> reference, noisy = [0, 1] * 500, [0, 1] * 490 + [1, 1] + [0, 1] * 9
    >>> done = reconcile(reference, noisy, qber=0.01)
    >>> done.corrected_bits, done.residual_frames
    (1, 0)

    Args:
        reference_bits: the string that is kept (`Bits`, or a vector of 0 and 1); secret.
        noisy_bits: the string to correct, of the same length; secret.
        method: one of `METHODS` that corrects bits.
        qber: the error rate as estimated beforehand, 0 to 0.5; taken to the nearest part per million. Rather too
            high than too low: LDPC makes up for an estimate that is far too low by more rounds and by Cascade, at a
            price that is charged.
        frame_bits: the most bits of a frame; a block is cut evenly. By default that of a link, 2^16. LDPC has frames
            of 2^14, 2^16, 2^18 and 2^20 bits, and takes shorter ones for a string that does not fill these.
        parameters: the named set of block sizes of Cascade.
        decoder: of LDPC, a key of `qkdpost.reconciliation.ldpc.decoders.DECODERS`.
        first_failures_permille: of LDPC, as `Ldpc.first_failures_permille`.
        blind_rounds: of LDPC, as `Ldpc.blind_rounds`.
        fallback: of LDPC, "cascade" corrects frames that failed, but for one in 32 after blind rounds, as
            `Ldpc.fallback`; "drop" gives them up.
        seed: 32 bytes from which both sides derive what they share; None takes them from the operating system.
        executor: in whose threads frames are corrected too, such as `concurrent.futures.ThreadPoolExecutor`; the
            outcome is the same.

    Returns:
        The corrected bits, what correcting them disclosed, and what it took: a `Reconciled`.

    Raises:
        InputError: an argument is not what it must be, and the message names it: lengths differ, `qber` is not between
            0 and 0.5, a name is none of those that there are, a frame length is not offered; or no LDPC code corrects
            the error rate.
        ConfigurationError: no executor of threads.
    """
    reference = Bits.coerce(reference_bits, name="reference_bits")
    noisy = Bits.coerce(noisy_bits, name="noisy_bits")
    if len(reference) != len(noisy):
        raise InputError(
            f"reference_bits and noisy_bits must be of one length; found {len(reference)} and {len(noisy)}"
        )
    plans = {name: row.plan for name, row in METHODS.items() if row.plan is not None}
    name = choice("method", method, plans)
    if frame_bits is not None:
        frame_bits = whole_number("frame_bits", frame_bits, least=1, most=1 << 20)
    settings = _settings(
        name,
        frame_bits=frame_bits,
        parameters=parameters,
        decoder=decoder,
        first_failures_permille=first_failures_permille,
        blind_rounds=blind_rounds,
        fallback=choice("fallback", fallback, get_args(Fallback)),
    )
    task = CorrectionTask(
        block_bits=len(reference),
        qber_ppm=round(real_number("qber", qber, least=0.0, most=0.5) * 1_000_000),
        uncertainty_permille=_UNCERTAINTY_PERMILLE,
        frame_bits=_CASCADE_FRAME_BITS if frame_bits is None or name == "ldpc" else frame_bits,
    )
    plan = plans[name](settings, task)
    chosen = os.urandom(SEED_BYTES) if seed is None else _seed(seed)
    with sharing(executor):
        ours, theirs = _both_sides(reference, noisy, plan, chosen)
    leakage_bits = _charged(ours)
    return Reconciled(
        bits=theirs.bits,
        leakage_bits=leakage_bits,
        efficiency=_efficiency(leakage_bits, (reference ^ noisy).weight(), len(reference)),
        rounds=ours.rounds,
        corrected_bits=theirs.corrected_bits,
        residual_frames=_residual_frames(
            reference ^ theirs.bits, ours, even_frame_bits(len(reference), task.frame_bits)
        ),
        frames=ours.frames,
        failed_frames=ours.failed_frames,
    )


def _settings(
    method: str, *, frame_bits: int | None, parameters: CascadeSet, fallback: Fallback, **of_ldpc: Any
) -> Any:
    """Return the settings that the arguments of `reconcile` make, those of other methods checked too."""
    if method == "ldpc" and frame_bits is not None:
        of_ldpc["frame_bits"] = frame_bits
    try:
        cascade = Cascade(parameters=parameters)
        ldpc = Ldpc(fallback=cascade if fallback == "cascade" else None, **of_ldpc)
        check_decoder(ldpc)
    except ConfigurationError as error:
        raise InputError(str(error)) from None
    offered = {"cascade": cascade, "ldpc": ldpc, "auto": Auto(cascade=cascade, ldpc=ldpc)}
    return offered[method] if method in offered else METHODS[method].settings()


def _seed(seed: object) -> bytes:
    if not isinstance(seed, bytes | bytearray) or len(seed) != SEED_BYTES:
        raise InputError(f"seed must be {SEED_BYTES} bytes; found {described(seed)}")
    return bytes(seed)


def drive(reference: Rounds[Outcome], corrector: Rounds[Outcome]) -> tuple[Outcome, Outcome]:
    """Hand each side what the other says until both return; give what they return.

    Raises:
        InputError: one waits for what the other does not say, so they were not two sides of one exchange.
    """
    sides = _Side(reference), _Side(corrector)
    moved = True
    while moved:
        moved = sides[0].go_on(sides[1]) | sides[1].go_on(sides[0])
    if not all(side.outcome for side in sides) or any(side.heard for side in sides):
        raise InputError("one side ended while the other still asked; give both the same settings, plan and seed")
    return sides[0].outcome[0], sides[1].outcome[0]


class _Side(Generic[Outcome]):
    """One side of an exchange in this process."""

    def __init__(self, rounds: Rounds[Outcome]) -> None:
        self._rounds = rounds
        self._request: object = None
        self.heard: deque[Payload] = deque()
        """What the other said and this one has not asked for yet."""
        self.outcome: list[Outcome] = []
        """What it returned, once it has."""

    def go_on(self, other: _Side[Outcome]) -> bool:
        """Let it say and hear as long as it can; tell whether it could at all."""
        moved = False
        try:
            while not self.outcome and (self._request is not RECEIVE or self.heard):
                self._request = self._rounds.send(self.heard.popleft() if self._request is RECEIVE else None)
                moved = True
                if self._request is not RECEIVE:
                    other.heard.append(self._request)
        except StopIteration as stop:
            self.outcome.append(stop.value)
            moved = True
        return moved


def _both_sides(reference: Bits, noisy: Bits, plan: CorrectionPlan, seed: bytes) -> tuple[Corrected, Corrected]:
    """Run both sides of what a session runs; parts of a block that have nothing to do with each other in threads."""
    sides = [Side(reference=kept, seed=seed, random_source=os.urandom) for kept in (True, False)]

    def converse(part: slice) -> tuple[Corrected, Corrected]:
        return drive(correct(reference[part], plan, sides[0]), correct(noisy[part], plan, sides[1]))

    parts = plan.parts(len(reference), threads_at_work()) if isinstance(plan, CascadePlan) else []
    if len(parts) < 2:
        return converse(slice(None))
    ours, theirs = zip(*each(converse, parts), strict=True)
    return joined(ours), joined(theirs)


def _charged(outcome: Corrected) -> int:
    ledger = Ledger()
    for cause, bits in outcome.disclosed.items():
        ledger.disclose(cause, bits)
    ledger.disclose(Cause.DROPPED_FRAMES, outcome.given_up.weight() - outcome.given_up_charge)
    return ledger.charged_bits


def _efficiency(leakage_bits: int, errors: int, length: int) -> float:
    if errors in (0, length):
        return math.inf
    rate = errors / length
    return leakage_bits / (length * binary_entropy(min(rate, 1 - rate)))


def _residual_frames(difference: Bits, outcome: Corrected, frame_bits: int) -> int:
    """Count the frames that hold a difference: they follow each other where each is charged, else bits are dealt."""
    places = np.flatnonzero(np.asarray(difference)) if difference.weight() else np.zeros(0, dtype=np.int64)
    frames = places % outcome.frames if outcome.frame_charges is None else places // frame_bits
    return int(np.unique(frames).size)
