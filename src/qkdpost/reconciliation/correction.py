"""The whole correction of a block on one side: by Cascade, or by LDPC with its blind rounds and what follows on them.

Sessions and `qkdpost.reconcile` both run this: yield what to send, be sent the peer's, round by round.

No frame is charged more than its length. Let X_f be the reference's n_f bits of frame f, P_f the punctured bits that it
drew for the frame, and W the error pattern, public where correction is two-way. All that it says of the frame is a
function of X_f, P_f, W and public seeds, and P_f is independent of everything else. So telling X_f and P_f outright
tells all of it, and lowers the min-entropy of the key by n_f at most:

    H_min(X | E, W, C) >= H_min(X | E, W, C of the other frames, X_f, P_f) >= H_min(X | E, W, C of the others) - n_f.

Of each frame the lesser of its bits and of the bits disclosed is charged; which one is known from W and the lengths of
messages, and to both hosts alike. Where Cascade corrects what LDPC did not, the same holds for those frames together. A
frame that is given up is charged all its bits, and nothing beside them for what was said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.dialogue.ledger import Cause
from qkdpost.reconciliation.cascade.conversation import CascadeOutcome, run_cascade
from qkdpost.reconciliation.cascade.parameters import parameters_for
from qkdpost.reconciliation.ldpc.conversation import RandomSource, block_mask, ldpc_corrector, ldpc_reference
from qkdpost.reconciliation.ldpc.plan import LdpcPlan
from qkdpost.reconciliation.payload import Rounds

__all__ = ["Corrected", "Side", "correct"]

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a correction, and what both sides agree on.

    Args:
        reference: whether this side's bits are the ones that are kept.
        seed: 32 bytes, the same on both hosts, drawn after the quantum phase; may be public.
        qber_ppm: the error rate expected, errors in 10^6 bits.
        frame_bits: of a frame of Cascade.
        parameters: the named set of block sizes of Cascade.
        decoder: of LDPC; of no use to the reference.
        fallback: "cascade" or "drop": what becomes of frames that LDPC did not correct.
        random_source: of the punctured bits of LDPC: fresh, secret, uniform; of no use to the corrector.
    """

    reference: bool
    seed: bytes
    qber_ppm: int
    frame_bits: int
    parameters: str
    decoder: str
    fallback: str
    random_source: RandomSource = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What one side ends with.

    Attributes:
        bits: the block after correction, or the reference's as it was; secret. Frames given up are as they were.
        given_up: a mask of the bits in frames that are given up; both hosts have the same.
        given_up_charge: bits of `disclosed` that are charged for those, so that what is left of their length is to be
            charged.
        disclosed: bits disclosed by cause, each frame's held to its length.
        frame_charges: of Cascade alone, what each of its frames is charged, shape (frames,); else None.
        frames: frames of Cascade, or of LDPC where that ran.
        failed_frames: of these, how many LDPC did not correct; 0 of Cascade, which cannot tell.
        rounds: messages in each direction.
        corrected_bits: errors found; the reference knows those that Cascade found.
    """

    bits: Bits = field(repr=False)
    given_up: Bits
    given_up_charge: int
    disclosed: Mapping[Cause, int]
    frame_charges: Counts | None
    frames: int
    failed_frames: int
    rounds: int
    corrected_bits: int


def correct(bits: Bits, plan: LdpcPlan | None, side: Side) -> Rounds[Corrected]:
    """Run one side over a block; arguments as for `run_cascade` and `ldpc_reference`.

    Args:
        bits: the own bits of the block; secret.
        plan: of LDPC, the same on both hosts; None for Cascade.
        side: who this is, and what both agree on.

    Raises:
        InputError: an argument lies outside its range.
        InvalidPayload: the peer's payload is not what its side could send in this round.
    """
    if plan is not None:
        return (yield from _by_ldpc(bits, plan, side))
    outcome = yield from _by_cascade(bits, side)
    charges = _held(outcome.frame_parities, _lengths(len(bits), side.frame_bits))
    return Corrected(
        bits=outcome.bits,
        given_up=Bits.zeros(len(bits)),
        given_up_charge=0,
        disclosed={Cause.REFERENCE_PARITIES: int(charges.sum()), Cause.CORRECTOR_PARITIES: outcome.parities},
        frame_charges=charges,
        frames=charges.size,
        failed_frames=0,
        rounds=outcome.rounds,
        corrected_bits=outcome.corrected_bits,
    )


def _by_cascade(bits: Bits, side: Side) -> Rounds[CascadeOutcome]:
    return run_cascade(
        bits,
        frame_bits=side.frame_bits,
        parameters=parameters_for(side.parameters, side.qber_ppm, side.frame_bits),
        seed=side.seed,
        reference=side.reference,
    )


def _by_ldpc(bits: Bits, plan: LdpcPlan, side: Side) -> Rounds[Corrected]:
    if side.reference:
        rounds = ldpc_reference(bits, plan=plan, seed=side.seed, random_source=side.random_source)
    else:
        rounds = ldpc_corrector(bits, plan=plan, seed=side.seed, decoder=side.decoder)
    found = yield from rounds
    failed = np.asarray(found.failed_frames, dtype=np.bool_)
    lengths = plan.frame_lengths()
    first = _held(np.full(plan.frames, plan.syndrome_bits - plan.punctured_bits), lengths)
    charges = _held(plan.syndrome_bits - plan.punctured_bits + found.frame_revealed, lengths)
    disclosed = {
        Cause.REFERENCE_PARITIES: int(first.sum()),
        Cause.REVEALED_BITS: int((charges - first).sum()),
        # Which frames failed hangs on the reference's punctured bits too: charged whether or not W is published.
        Cause.FRAME_VERDICTS: found.verdict_bits,
        Cause.CORRECTOR_PARITIES: found.request_bits,
    }
    corrected, exchanges, count = found.bits, found.rounds, found.corrected_bits
    given_up, of_failed = block_mask(plan, found.failed_frames), int(charges[failed].sum())
    if side.fallback == "cascade" and failed.any():
        rest = yield from _by_cascade(corrected.select(given_up), side)
        corrected = corrected.replace(given_up, rest.bits)
        exchanges, count = exchanges + rest.rounds, count + rest.corrected_bits
        parities = int(_held(rest.frame_parities, _lengths(len(rest.bits), side.frame_bits)).sum())
        disclosed[Cause.REFERENCE_PARITIES] += min(parities, len(rest.bits) - of_failed)
        disclosed[Cause.CORRECTOR_PARITIES] += rest.parities
        given_up, of_failed = Bits.zeros(len(bits)), 0
    return Corrected(
        bits=corrected,
        given_up=given_up,
        given_up_charge=of_failed,
        disclosed=disclosed,
        frame_charges=None,
        frames=plan.frames,
        failed_frames=int(failed.sum()),
        rounds=exchanges,
        corrected_bits=count,
    )


def _held(disclosed: Counts, lengths: Counts) -> Counts:
    """Return what each frame is charged: what it disclosed, at most all its bits."""
    charges: Counts = np.minimum(disclosed, lengths)
    return charges


def _lengths(length: int, frame_bits: int) -> Counts:
    """Return the bits of each frame of a block that is cut into frames one after another."""
    starts = np.arange(0, length, frame_bits, dtype=np.int64)
    return np.minimum(frame_bits, length - starts)
