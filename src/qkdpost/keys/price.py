"""What a key costs: the authentication key that its block spends, and gives back to the pool first of all."""

from __future__ import annotations

__all__ = ["AUTHENTICATION_BITS", "PADS_OF_A_BLOCK_BYTES", "PAD_BYTES", "TAGS_OF_A_BLOCK", "too_short"]

PAD_BYTES = 16
"""One tag takes one pad."""
TAGS_OF_A_BLOCK = 3
"""The reference's tag, the corrector's, and the reference's confirmation."""
PADS_OF_A_BLOCK_BYTES = PAD_BYTES * TAGS_OF_A_BLOCK
AUTHENTICATION_BITS = 8 * PADS_OF_A_BLOCK_BYTES
"""What a key gives back to the pool: as much as its block spent."""


def too_short(length_bits: int) -> str:
    """Return why a key of `length_bits`, which does not exceed `AUTHENTICATION_BITS`, is none."""
    return f"{length_bits} bits would not pay the {AUTHENTICATION_BITS} bits of authentication"
