"""Where the logarithm of a tail crosses a target: searches that return only what was evaluated and found safe.

The root of minus the logarithm is nearly a straight line in what is varied, so that false position (Illinois) on it
needs about ten evaluations. A wrong step could cost tightness, never safety.
"""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["first_below", "limit_below", "refined_limit"]


def first_below(log_tail: Callable[[int], float], target: float, low: int, high: int) -> int:
    """Return the least whole number whose logarithm of a tail is at most `target`; it falls from low to high.

    `high` is known to be below the target and `low` above; only `high`, which was always evaluated, is returned.
    """
    goal = math.sqrt(-target)
    above, below = -goal, math.sqrt(-max(log_tail(high), -1e300)) - goal
    side = 0
    while high - low > 1:
        part = above / (above - below) if above < below else 0.5
        guess = low + round((high - low) * part)
        guess = min(max(guess, low + 1), high - 1)
        value = log_tail(guess)
        distance = math.sqrt(-max(value, -1e300)) - goal
        if value > target:
            low, above = guess, distance
            below = below / 2.0 if side == 1 else below
            side = 1
        else:
            high, below = guess, distance
            above = above / 2.0 if side == -1 else above
            side = -1
    return high


def limit_below(log_tail: Callable[[float], float], target: float, seen: float, loose: float, end: float) -> float:
    """Return a limit between `seen` and `end` whose tail is certified, found from a loose one by false position.

    The limit is then moved outward by a few units in the last place, the rounding of `binomial_log_tail`.
    """
    goal = math.sqrt(-target)
    near, far = seen, loose
    step = math.copysign(min(abs(far - seen), abs(end - far)) * 1e-9, end - seen)
    while log_tail(far) > target:
        far = min(1.0, max(0.0, far + step))
        step *= 2.0
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
    log_tail: Callable[[float], float], target: float, seen: float, near: float, end: float
) -> float | None:
    """Return a certified limit next to one that a special function gave, or None if that was not close enough."""
    if not min(seen, end) < near < max(seen, end):
        return None
    found = log_tail(near)
    if not abs(found - target) < 1e-3 * abs(target):
        return None
    limit = seen + (near - seen) * math.sqrt((target - 1e-9) / found)
    limit = min(1.0, max(0.0, limit * (1.0 + math.copysign(4.5e-16, end - seen))))
    return limit if target - 1e-8 < log_tail(limit) <= target else None
