"""How the corrector of a block decides, round by round, how much it asks to be revealed.

What a frame needs disclosed follows a normal law: the code's waterfall, widened by the doubt about the error rate. The
corrector knows that rate better than the plan does (`qkdpost.reconciliation.ldpc.syndrome_rate`). It asks so that the
levels z_0 < z_1 < ... < z_R, at which the frame is tried, make the disclosure least that is expected, sum of
(z_i - z_(i-1)) Pr(z > z_(i-1)): each but the last must satisfy

    (z_(i+1) - z_i) phi(z_i) = Phi(z_i) - Phi(z_(i-1)),

a one-sided quantiser of the normal law. The reference need not agree with any of this: it reveals what is asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.reconciliation.ldpc.disclosure import (
    FAILURE_WIDTHS,
    PUNCTURING_LOSS_PERMILLE,
    disclosed_bits,
    waterfall_ppm,
)
from qkdpost.reconciliation.ldpc.plan import LdpcPlan
from qkdpost.reconciliation.ldpc.syndrome_rate import RateEstimate
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["NeedLaw", "need_law", "next_width", "wanted_bits", "worth_trying"]

_MIN_WIDTH = -6.0
_HOPELESS = -3.0
"""So far below the middle of its law no frame is found."""
_PATIENCE = 0.65
"""So many widths below where they are to be tried first frames are decoded at once, without asking for more."""
_LIKELY = 0.84
"""Where four of five frames converge: that is worth trying always."""
_MIN_STEP_OF_KEY = 500
_MIN_STEP_OF_NEED = 50
"""The smallest request worth a round is the lesser of 1 / 500 of a frame and 1 / 50 of what it needs."""
_HEAVY_TAIL = 1.25
"""So much farther than the normal law says frames are tried last: heavily punctured ones fail more often than it says,
and one that fails costs more than what is revealed in its place."""


def next_width(now: float | None, last: float, rounds: int) -> float:
    """Return the level at which to try next, in widths of the law.

    Args:
        now: the level at which the frame failed; None if it was not tried.
        last: the level at which it is tried last.
        rounds: how many levels are left, the last one included.
    """
    if now is not None and now >= last:
        return last
    low, high = (_MIN_WIDTH if now is None else now), last
    for _ in range(50 if rounds > 1 else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if _end(now, middle, last, rounds) < last else (low, middle)
    return high


def _end(now: float | None, first: float, last: float, rounds: int) -> float:
    """Return where the last of the levels comes to lie, or anything beyond `last`, if the next one is `first`."""
    below = 0.0 if now is None else _below(now)
    level = first
    for _ in range(rounds - 1):
        if level >= last:
            break
        here = _below(level)
        level, below = level + (here - below) * math.sqrt(2 * math.pi) * math.exp(level * level / 2), here
    return level


def _below(width: float) -> float:
    return math.erfc(-width / math.sqrt(2)) / 2


@dataclass(frozen=True, slots=True)
class NeedLaw:
    """How many bits a frame needs disclosed, without puncturing: middle and width of a normal law."""

    middle_bits: float
    width_bits: float

    def shown(self, share: float) -> NeedLaw:
        """Return the law of a frame of which this share of the key bits is known to both sides."""
        return NeedLaw(self.middle_bits * (1.0 - share), self.width_bits * math.sqrt(1.0 - share))

    def width_at(self, disclosed: int, syndrome_bits: int) -> float:
        """Return the level of a frame of which so much is disclosed, in widths of the law."""
        loss = PUNCTURING_LOSS_PERMILLE / 1000
        need = disclosed / (1 + loss * (1 - disclosed / syndrome_bits))
        return (need - self.middle_bits) / self.width_bits

    def disclosed_at(self, width: float, syndrome_bits: int) -> int:
        """Return what must be disclosed to reach a level, at most the syndrome."""
        need = max(1, math.ceil(self.middle_bits + width * self.width_bits))
        return min(disclosed_bits(need, syndrome_bits) + 1, syndrome_bits)


def need_law(plan: LdpcPlan, decoder: str, rate: RateEstimate) -> NeedLaw:
    """Return the law of a plan's frames at an error rate."""
    middle, width = waterfall_ppm(plan.code, decoder, plan.key_bits)
    q = rate.error_rate
    entropy = binary_entropy(q)
    by_doubt = q * rate.uncertainty * math.log2((1 - q) / q) * middle
    return NeedLaw(plan.key_bits * entropy * middle / 1e6, plan.key_bits * math.hypot(entropy * width, by_doubt) / 1e6)


def worth_trying(plan: LdpcPlan, law: NeedLaw, disclosed: int, rounds_left: int) -> bool:
    """Return whether frames should be decoded at this level, or more asked for at once."""
    level = law.width_at(disclosed, plan.syndrome_bits)
    if not rounds_left:
        return level > _HOPELESS
    return level > min(_first_width(plan, rounds_left) - _PATIENCE, _LIKELY)


def wanted_bits(plan: LdpcPlan, law: NeedLaw, disclosed: int, rounds_left: int, tried: bool) -> int:
    """Return how many bits more of each frame to ask for; 0 to give up."""
    checks = plan.syndrome_bits
    highest = law.width_at(checks, checks)
    if highest <= _HOPELESS or not rounds_left or disclosed >= checks:
        return 0
    last = min(_HEAVY_TAIL * FAILURE_WIDTHS[plan.failures_permille] / 1000, highest)
    now = law.width_at(disclosed, checks)
    if tried and now >= last:
        # The law was wrong: share out what is left.
        return -(-(checks - disclosed) // rounds_left)
    width = next_width(now if tried else None, last, rounds_left)
    if not tried:
        width = min(last, max(width, FAILURE_WIDTHS[plan.first_failures_permille] / 1000))
    least = 1 + min(plan.key_bits // _MIN_STEP_OF_KEY, int(law.middle_bits) // _MIN_STEP_OF_NEED)
    return min(checks - disclosed, max(law.disclosed_at(width, checks) - disclosed, least))


def _first_width(plan: LdpcPlan, rounds: int) -> float:
    last = FAILURE_WIDTHS[plan.failures_permille] / 1000
    return max(next_width(None, last, rounds + 1), FAILURE_WIDTHS[plan.first_failures_permille] / 1000)
