"""Where the logarithm of a tail crosses a target: searches that return only what was evaluated and found safe.

The root of minus the logarithm is nearly a straight line in what is varied, so that false position (Illinois) on it
needs about ten evaluations. A wrong step could cost tightness, never safety.
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["first_below", "limit_below", "refined_limit"]


def first_below(log_tail: Callable[[int], float], target: float, low: int, high: int, near: int, flat: float) -> int:
    """Return the least whole number up to `high` whose logarithm of a tail is at most `target`.

    Only a number is returned that was evaluated and found below the target, or `high + 1` where there is none.

    Args:
        log_tail: falls from low to high.
        target: a negative number.
        low: known to be above the target.
        high: the largest number that is asked for.
        near: where to look first.
        flat: where the tail is about one half; the root of minus its logarithm rises like a line from there.
    """
    goal, certified = math.sqrt(-target), high + 1
    before, root_before = flat, 0.0
    guess = near
    for step in range(200):
        guess = min(max(guess, low + 1), certified - 1)
        value = log_tail(guess)
        low, certified = (guess, certified) if value > target else (low, guess)
        if certified - low <= 1:
            break
        root = math.sqrt(-value) if value > -math.inf else math.inf
        moved = guess - before
        slope = (root - root_before) / moved if moved else 0.0
        if 0.0 < slope < math.inf and not (step > 8 and step % 2):
            before, root_before = float(guess), root
            guess = math.ceil(guess + (goal - root) / slope)
        else:
            guess = (low + certified) // 2
    return certified


def limit_below(log_tail: Callable[[float], float], target: float, seen: float, loose: float, end: float) -> float:
    """Return a limit between `seen` and `end` whose tail is certified, found from a loose one by false position.

    The limit is then moved outward by a few units in the last place, the rounding of `binomial_log_tail`.
    """
    goal = math.sqrt(-target)
    near, far = seen, loose
    step = math.copysign(min(abs(far - seen), abs(end - far)) * 1e-9, end - seen)
    for _ in range(1100):  # doubling leads from the smallest float to the end in fewer steps
        if not log_tail(far) > target:
            break
        far = min(1.0, max(0.0, far + step))
        step *= 2.0
    else:
        far = end
    above, below, side = -goal, math.sqrt(-max(log_tail(far), -1e300)) - goal, 0
    for _ in range(60):
        part = above / (above - below) if above < below else 0.5
        guess = near + (far - near) * min(max(part, 0.001), 0.999)
        if abs(far - near) <= 1e-13 * abs(far - seen) or guess in (near, far):
            break
        value = log_tail(guess)
        distance = math.sqrt(-max(value, -1e300)) - goal
        if value > target:
            near, above = guess, distance
            below = below / 2.0 if side == 1 else below
            side = 1
        else:
            far, below = guess, distance
            above = above / 2.0 if side == -1 else above
            side = -1
    return far * (1.0 + math.copysign(4.5e-16, end - seen))


def refined_limit(
    log_tail: Callable[[float], float], target: float, near: float, slope: Callable[[float], float], outward: float
) -> float | None:
    """Return a certified limit next to one that a special function gave, or None if that was not close enough.

    The given one is moved outward by what lowers the logarithm by more than the margins of `tails`, and taken if its
    tail is then certified; else moved once more, by what was found there. What is returned lies a few units in the
    last place further out, the rounding of `binomial_log_tail`.

    Args:
        log_tail: of a limit; falls outward.
        target: a negative number.
        near: what a special function gave.
        slope: how fast the logarithm falls at a limit, from below.
        outward: 1.0 for an upper limit, -1.0 for a lower one.
    """
    value, spare = target, 5e-10 + 2e-12 * abs(target)
    for _ in range(2):
        near += outward * (value - target + spare) / slope(near)
        if not 0.0 < near < 1.0:
            return None
        value = log_tail(near)
        if target - 1e-8 < value <= target:
            return near * (1.0 + outward * 9e-16)
        if not abs(value - target) < 1e-3 * abs(target):
            return None
    return None
