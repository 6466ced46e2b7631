"""How far all keys of a pool are from ideal ones at most, taken together.

The sum of the epsilon of every block that was opened on the pool, those without key too. A key's own epsilon is that of
its block, given that its tags were made with ideal pads and an ideal hash key. But pads come from earlier keys, and the
hash key serves for ever: a later key is as good as all that went before, so the epsilons add up.

Why opened ones: secrecy is claimed joint with the event that the block is accepted. An attacker learns from the first
report of a block how well the attack went, and may cut the line on every block in which it went badly, long before its
test, and let the lucky one pass; each had its chance, so each counts. The count begins before the first byte of the
block is sent. It is the opener's count that holds, for the peer may never hear of a block; its messages carry the
number, and the peer takes it over, if it is the greater, with the next key, since the tags authenticate it then.
"""

from __future__ import annotations

import math

__all__ = ["AccumulatedEpsilon"]


class AccumulatedEpsilon:
    """A sum that is rounded up and never falls.

    Args:
        value: where it begins.
    """

    __slots__ = ("changes", "value")

    def __init__(self, value: float = 0.0) -> None:
        self.value = value
        self.changes = 0
        """Grows whenever a snapshot would differ."""

    def add(self, epsilon: float) -> None:
        """Add the epsilon of one more block."""
        # The sum is rounded to the nearest, so that the next number above is no less than the exact one.
        self.value = math.nextafter(self.value + epsilon, math.inf)
        self.changes += 1

    def raise_to(self, value: float) -> None:
        """Take over a greater count."""
        if value > self.value:
            self.value = value
            self.changes += 1
