"""Which method corrects a block: a function of the settings and of integers that both hosts hold alike.

The rule of "auto": Cascade discloses least, and takes several hundred rounds; as long as the blocks in flight can hide
them it is the better choice. It is taken if

    cascade_rounds(error rate) * round_trip_ms / in_flight <= block bits / (1000 processor_mbit_per_s),

that is if waiting, shared by the blocks in flight, lasts no longer than the slower host's work on a block; else LDPC,
if a code corrects the error rate.

Below 1 % frames hold few errors, and LDPC discloses more than Cascade's 1.05 to 1.1 times the limit: with frames of
2^16 bits about 1.23 times at 0.5 %, 1.33 at 0.2 %, 1.47 at 0.1 %, and never less than 1.3 % of the bits, whatever the
error rate; with frames of 2^14 never less than 3.1 %. That much of the key, at most, is what "auto" pays for not
waiting, and what a frame has cost before the fallback corrects it by Cascade; it weighs waiting alone.
"""

from __future__ import annotations

from math import isqrt

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation.ldpc.codes import code_names
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.ldpc.plan import LdpcPlan, plan_ldpc
from qkdpost.reconciliation.settings import Auto, CorrectionSettings

__all__ = ["cascade_rounds", "check_decoder", "ldpc_plan", "method_number"]

MOST_UNCERTAINTY_PERMILLE = 400


def check_decoder(correction: CorrectionSettings) -> None:
    """Check that this host has the decoder that the settings name, where it may be needed.

    Raises:
        ConfigurationError: it has not.
    """
    ldpc = correction.ldpc
    if ldpc is not None and ldpc.decoder not in DECODERS:
        raise ConfigurationError(f"decoder of LDPC must be one of {', '.join(DECODERS)}; found {ldpc.decoder!r}")


def ldpc_plan(
    correction: CorrectionSettings, in_flight: int, block_bits: int, qber_ppm: int, errors_seen: int
) -> LdpcPlan | None:
    """Return how the family of LDPC codes is fitted to a block, or None if Cascade corrects it.

    An estimate that rests on e errors is good to one part in the root of e, and the plan provides for it.

    Args:
        correction: the method, or `Auto`.
        in_flight: how many blocks share the waiting for the line.
        block_bits: bits to correct.
        qber_ppm: the error rate expected, errors in 10^6 bits.
        errors_seen: how many errors that estimate rests on.
    """
    ldpc = correction.ldpc
    if ldpc is None:
        return None
    if isinstance(correction, Auto) and _cascade_keeps_up(correction, in_flight, block_bits, qber_ppm):
        return None
    try:
        return plan_ldpc(
            block_bits,
            error_rate_ppm=qber_ppm,
            frame_bits=ldpc.frame_bits,
            first_failures_permille=ldpc.first_failures_permille,
            blind_rounds=ldpc.blind_rounds,
            uncertainty_permille=min(MOST_UNCERTAINTY_PERMILLE, isqrt(1_000_000 // max(1, errors_seen))),
            decoder=ldpc.decoder,
        )
    except InputError:
        return None


def method_number(plan: LdpcPlan | None) -> int:
    """Return how the method is told to the peer: 0 for Cascade, or one more than the index of the LDPC code."""
    return 0 if plan is None else 1 + code_names().index(plan.code)


def cascade_rounds(qber_ppm: int) -> int:
    """Return about how many rounds Cascade takes for a block of some hundred frames, by measurement.

    Of 2^22 bits in frames of 2^14: 320 at 0.5 %, 780 at 3 %, 1,040 at 8 %, 1,680 at 11 %. Small blocks take fewer.
    """
    return 400 + qber_ppm // 100


def _cascade_keeps_up(auto: Auto, in_flight: int, block_bits: int, qber_ppm: int) -> bool:
    waiting_ms = cascade_rounds(qber_ppm) * auto.round_trip_ms / in_flight
    return waiting_ms <= block_bits / (1000.0 * auto.processor_mbit_per_s)
