"""What a sifting conversation is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from qkdpost.blocks import Blocks

__all__ = ["SiftingTask"]

_Settings_co = TypeVar("_Settings_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiftingTask(Generic[_Settings_co]):
    """Which submitted records a block covers, and by which settings it is sifted.

    Args:
        block: the number of the block.
        record_numbers: the numbers of its records, in order.
        settings: those of the kind of QKD.
        blocks: the sizes of blocks; they bound what the peer may report.
    """

    block: int
    record_numbers: range
    settings: _Settings_co
    blocks: Blocks
