"""What the acceptance thresholds of every fixed-length bound have in common."""

from __future__ import annotations

from qkdpost.checks import Settings

__all__ = ["Acceptance"]


class Acceptance(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds that were set before the data were seen; each family of bounds has its own.

    The proof of a fixed-length bound fixes the length of the key before any data exist: a block that meets every
    threshold gives that many bits, any other block gives none. A threshold that is chosen, or loosened, after a look at
    the data voids the proof. Both hosts carry the same thresholds in their `LinkConfig`, and each judges a block by
    what it saw itself.
    """

    @property
    def exact_sizes(self) -> tuple[int, int] | None:
        """How many key and test bits a block must have exactly, where the proof speaks of fixed numbers."""
        return None

    @property
    def needs_one_way(self) -> bool:
        """Whether a block that meets the thresholds has key only if its error pattern stayed secret."""
        return False
