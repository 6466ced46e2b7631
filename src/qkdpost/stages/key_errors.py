"""Errors of the key, counted by label where two-way correction has published their pattern.

Of bits that were given up nothing is known: by label they count as wrong, for more errors of the key never lengthen it.
"""

from __future__ import annotations

from qkdpost.bits import Bits
from qkdpost.dialogue.messages import FrameVerdict
from qkdpost.errors import LocalProtocolError, RemoteProtocolError
from qkdpost.stages.block import Block
from qkdpost.stages.outcomes import CorrectedKey

__all__ = ["count_errors", "take_errors"]


def count_errors(block: Block, corrected: CorrectedKey, kept: Bits) -> tuple[int | None, tuple[int, ...] | None]:
    """Return the corrector's errors, all and by label, or what of these is not public or does not exist as None."""
    found = corrected.difference
    if found is None or not block.ledger.two_way:
        return None, None
    labels = corrected.rounds.key_labels
    if labels is None:
        return found.weight(), None
    wrong = ~(~found & kept)
    return found.weight(), tuple((labels.where(number) & wrong).weight() for number in range(block.labels))


def take_errors(block: Block, verdict: FrameVerdict, corrected: CorrectedKey, kept: Bits) -> tuple[int, ...] | None:
    """Believe the peer's counts of errors within what they can be; return those by label.

    No more than there are bits; no fewer than this side saw corrected itself, where Cascade showed it; and what is
    counted by label holds every error that was corrected, and every bit that was dropped, since nothing is known of
    those. Too few errors would be more key than there is.

    Raises:
        RemoteProtocolError: the counts contradict what this side knows.
    """
    expected = block.labels if block.ledger.two_way else 0
    if len(verdict.errors) != expected or (verdict.corrected is None) == block.ledger.two_way:
        raise RemoteProtocolError("the peer counts errors where, and only where, correction published them")
    if verdict.corrected is None:
        return None
    if verdict.corrected > corrected.rounds.key_bits:
        raise RemoteProtocolError("the peer counts more errors than there are bits")
    if verdict.corrected < corrected.errors_found:
        raise RemoteProtocolError(
            f"the peer counts {verdict.corrected} errors, where correction found {corrected.errors_found} as both "
            "could see"
        )
    if expected:
        _check_errors_by_label(verdict.errors, verdict.corrected, corrected, kept)
    return verdict.errors or None


def _check_errors_by_label(errors: tuple[int, ...], found: int, corrected: CorrectedKey, kept: Bits) -> None:
    labels = corrected.rounds.key_labels
    if labels is None:
        raise LocalProtocolError("errors are counted by label where the key has labels")
    masks = [labels.where(number) for number in range(len(errors))]
    if any(count > mask.weight() for count, mask in zip(errors, masks, strict=True)):
        raise RemoteProtocolError("the peer counts more errors than there are bits")
    dropped = [(mask & ~kept).weight() for mask in masks]
    if sum(errors) < found or any(count < bits for count, bits in zip(errors, dropped, strict=True)):
        raise RemoteProtocolError(
            f"the peer counts {errors} errors by label, fewer than the {found} that it corrected or the "
            f"{dropped} that were dropped"
        )
    if sum(errors) > found + sum(dropped):
        raise RemoteProtocolError("the peer counts more errors by label than were corrected or dropped")
