"""What stages say for the report of a block; all of it public."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.dialogue.program import Facts
from qkdpost.health import OwnRecord
from qkdpost.security.result import SecretLength

__all__ = [
    "BoundFacts",
    "CoverageFacts",
    "ErrorFacts",
    "EstimationFacts",
    "OwnRecordFacts",
    "ReconciliationFacts",
    "ReleaseFacts",
    "SiftingFacts",
    "VerificationFacts",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageFacts(Facts):
    """What the records of the block cover, whatever becomes of it: pulses; and seconds, where they are known."""

    pulses: int
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecordFacts(Facts):
    """What this host counted in its own records."""

    own_record: OwnRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class SiftingFacts(Facts):
    """What sifting left."""

    rounds: int
    double_clicks: int
    cross_clicks: int
    sifted_key_bits: int
    sifted_test_bits: int
    matched_by_tenth: tuple[tuple[int, int], ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimationFacts(Facts):
    """What was compared, and what is left."""

    surplus_bits: int
    test_bits: int
    test_errors: int
    setup_bits: int
    setup_errors: int
    key_bits: int
    could_sample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundFacts(Facts):
    """The bound on what is known so far; said again, it takes the place of what was said before."""

    secret: SecretLength


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationFacts(Facts):
    """What correction took."""

    ldpc_frames: int
    ldpc_failed_frames: int
    reconciliation_rounds: int
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationFacts(Facts):
    """What the short tags found."""

    dropped_frames: int
    corrected_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFacts(Facts):
    """Errors of the key, where correction made them public or this side found them."""

    key_errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFacts(Facts):
    """The key that was released."""

    authentication_bits: int
    key_length_bits: int
    epsilon_total: float
    accumulated_epsilon: float
