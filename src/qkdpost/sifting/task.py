"""What a sifting conversation is given."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.config import LinkConfig

__all__ = ["SiftingTask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiftingTask:
    """Which submitted records a block covers.

    Args:
        block: the number of the block.
        first_batch: the number of its first record.
        batches: how many records, with adjoining numbers.
        link: the configuration; it bounds what the peer may report.
    """

    block: int
    first_batch: int
    batches: int
    link: LinkConfig

    @property
    def numbers(self) -> range:
        """The numbers of the records."""
        return range(self.first_batch, self.first_batch + self.batches)
