"""How much a host works on times that it did not record itself.

What the clicks of a peer cost does not follow from their number: times that lie close together, or copied ones, make
the differences as many as the peer likes. So differences are counted before they are looked at, and charged to one
account for all that a record needs.
"""

from __future__ import annotations

__all__ = ["MAX_WORK", "OutOfWork", "WorkBudget"]

MAX_WORK = 600_000_000
"""Units that one record may cost, whatever a peer sends: about a second of one core."""
WORK_PER_CLICK = 1_000
"""Units added for every click that this host recorded itself, about two microseconds: the longer it measured, the
longer it may look for a clock that is hard to find."""
WORK_OF_BOTH = 5_500_000_000
"""Units where no peer is, and both records are one's own: about ten seconds."""


class OutOfWork(Exception):
    """What was asked for costs more than is left."""


class WorkBudget:
    """An account of units of work, each as long as one difference of two times is looked at; about 1.7 ns.

    Args:
        limit: the units that may be spent in all.
    """

    def __init__(self, limit: int = MAX_WORK) -> None:
        self.limit = limit
        self.spent = 0

    @classmethod
    def for_clicks(cls, clicks: int) -> WorkBudget:
        """Return the budget of a record in which this host has this number of clicks."""
        return cls(MAX_WORK + WORK_PER_CLICK * clicks)

    @classmethod
    def for_both(cls, *clicks: int) -> WorkBudget:
        """Return the budget of one who holds both records."""
        return cls(WORK_OF_BOTH + WORK_PER_CLICK * sum(clicks))

    @property
    def left(self) -> int:
        """The units that may still be spent."""
        return self.limit - self.spent

    def spend(self, units: int, *, most: int | None = None) -> None:
        """Charge `units`, before the work is done.

        Raises:
            OutOfWork: more than `most`, or more than is left.
        """
        if units > (self.left if most is None else min(most, self.left)):
            raise OutOfWork(f"{units} units of work are asked for; {self.left} are left")
        self.spent += units
