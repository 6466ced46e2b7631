"""What these stages say for the report of a block; all of it public."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.dialogue.program import Facts

__all__ = ["CorrectionFacts", "DisclosureFacts", "KindFacts", "NoticeFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFacts(Facts):
    """That outcomes are numbers: of bits, clicks and error rates there is nothing to say. Said before all else."""

    continuous: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DisclosureFacts(Facts):
    """What the disclosed symbols showed."""

    rounds: int
    disclosed_symbols: int
    estimated_snr: float
    code_rate: float
    frame_outcomes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionFacts(Facts):
    """What became of the frames."""

    frames: int
    frames_given_up: int
    dropped_frames: int
    increments: int
    reconciliation_rounds: int
    corrected_bits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeFacts(Facts):
    """What is unusual, in words, and no reason to give the block up."""

    notices: tuple[str, ...]
