"""What whole errors do to the length of a key, smoothed so that a longer block never gives less.

Phase errors are whole numbers. With K(n), the exact bound for n key rounds beside a given sample, the entropy
L(n) = n (1 - h(K(n) / n)) rises with n while K stays the same, by 1 + log2(1 - K / n) for each round, and falls by
the cost of one error, log2((1 - r) / r) bits at a rate r, where K steps up. The lower envelope

    E(n) = min over n' >= n of L(n')

never falls with n, and never rises with more test errors, fewer test rounds or a smaller tail, for each L(n') does
not. It lies below L(n) by the cost of one error at most, and what is below a valid length is valid.

Between steps L rises, so that the minimum is L(n) or lies at a step. Let s_j be the real number of rounds at which
the tail for j errors crosses its target, the logarithm taken as a straight line between whole numbers of rounds.
With K(s_j) = j, the values c_j = s_j (1 - h(j / s_j)) lie on one smooth curve: since a larger unseen part is better
known per round, j / s_j falls, and c_j rises. L at the whole number above s_j is c_j at least, so that

    E(n) >= min(L(n), c_(K(n) + 1)),

and the right-hand side never falls with n either: it is what is returned, in whole bits. (That c_j rises makes the
answer monotone; were it wrong somewhere, the answer would still be safe, being at most L(n).)
"""

from __future__ import annotations

import math

from qkdpost.checks import MAX_COUNT, whole_number
from qkdpost.errors import InputError
from qkdpost.statistics.concentration import check_tail
from qkdpost.statistics.entropy import binary_entropy, inverse_binary_entropy
from qkdpost.statistics.log_tails import hypergeometric_log_tail

__all__ = ["max_errors_of_longer", "steady_entropy"]


def steady_entropy(key_bits: int, test_bits: int, test_errors: int, tail: float, phase_errors: int) -> int:
    """Return min(L(n), c_(K + 1)) in whole bits, at least 0; see the module.

    Args:
        key_bits: n.
        test_bits: k, at least 1.
        test_errors: x.
        tail: of the exact inversion.
        phase_errors: K, what `hypergeometric_key_errors` says of these.

    Raises:
        InputError: numbers that are no counts or not those of that bound, or a tail outside 0 ... 1.
    """
    key_bits, test_bits, test_errors, phase_errors = _counts(key_bits, test_bits, test_errors, phase_errors)
    tail = check_tail(tail)
    if 2 * phase_errors >= key_bits:
        return 0
    least = _entropy(float(key_bits), phase_errors)
    step = _next_step(key_bits, test_bits, test_errors, math.log(tail), phase_errors + 1)
    if step < math.inf:
        least = min(least, _entropy(step, phase_errors + 1))
    return max(0, math.floor(least))


def _counts(key_bits: int, test_bits: int, test_errors: int, phase_errors: int) -> tuple[int, int, int, int]:
    """Return plain integers: the steps of the searches below would wrap, and never end, with fixed-width ones."""
    key_bits, test_bits = whole_number("key_bits", key_bits), whole_number("test_bits", test_bits)
    test_errors, phase_errors = whole_number("test_errors", test_errors), whole_number("phase_errors", phase_errors)
    if test_errors > test_bits:
        raise InputError(f"test_errors must not exceed test_bits; found {test_errors} > {test_bits}")
    return key_bits, test_bits, test_errors, phase_errors


def _entropy(rounds: float, errors: int) -> float:
    return rounds * (1.0 - binary_entropy(min(1.0, errors / rounds)))


def _next_step(key_bits: int, test_bits: int, test_errors: int, target: float, errors: int) -> float:
    """Return the number of rounds, above `key_bits`, from which on this number of errors is not excluded."""

    def log_tail(rounds: int) -> float:
        return hypergeometric_log_tail(rounds + test_bits, errors + test_errors, test_bits, test_errors)

    low, below = key_bits, log_tail(key_bits)
    if below > target:
        raise InputError(f"phase_errors are fewer than the tail allows: {errors} of {key_bits} are not excluded")
    width = max(1, key_bits // errors)
    high, above = low + width, log_tail(low + width)
    while above <= target:
        low, below, width = high, above, 2 * width
        if low + width > MAX_COUNT:
            return math.inf
        high, above = low + width, log_tail(low + width)
    for step in range(200):
        if high - low <= 1:
            break
        straight = below > -math.inf and step % 4 < 3
        part = (target - below) / (above - below) if straight else 0.5
        middle = min(max(low + round((high - low) * part), low + 1), high - 1)
        value = log_tail(middle)
        low, below, high, above = (low, below, middle, value) if value > target else (middle, value, high, above)
    return low + (target - below) / (above - below) if below > -math.inf else float(low)


def max_errors_of_longer(
    key_bits: int, longest: int, test_bits: int, test_errors: int, tail: float, phase_errors: int
) -> int:
    """Return a number of errors in n rounds that leave no more entropy than K(n') do in n' rounds, n <= n' <= longest.

    That is K' with E = n (1 - h(K' / n)) <= L(n') for all these n'. It is one more than K(n) as a rule, and is proven
    by covering the interval: from g on, `allowed` errors leave E; if `allowed` + 1 are excluded at g + w, then they
    are in all shorter blocks, so that L(n') >= n' (1 - h(allowed / n')) >= E up to g + w, from where it goes on.

    Args:
        key_bits: n.
        longest: the largest n'.
        test_bits: k, at least 1.
        test_errors: x.
        tail: of the exact inversion.
        phase_errors: K(n).

    Returns:
        K', or n where nothing less than half of the rounds can be shown.

    Raises:
        InputError: numbers that are no counts, or a tail outside 0 ... 1.
    """
    key_bits, test_bits, test_errors, phase_errors = _counts(key_bits, test_bits, test_errors, phase_errors)
    longest, tail = whole_number("longest", longest), check_tail(tail)
    target, extra = math.log(tail), 1
    while 2 * (phase_errors + extra) < key_bits:
        if _covers(key_bits, longest, test_bits, test_errors, target, phase_errors + extra):
            return phase_errors + extra
        extra *= 2
    return key_bits


def _covers(key_bits: int, longest: int, test_bits: int, test_errors: int, target: float, errors: int) -> bool:
    """Say whether no block from `key_bits` to `longest` can be shown to have less entropy than these errors leave."""
    least, rate = _entropy(float(key_bits), errors) * (1.0 - 1e-12), errors / key_bits
    here, allowed = key_bits, errors
    while here < longest:
        width = max(1, int(0.8 * (allowed + 1 - errors - rate * (here - key_bits)) / rate))
        there = min(longest, here + width)
        marked = allowed + 1 + test_errors
        while hypergeometric_log_tail(there + test_bits, marked, test_bits, test_errors) > target:
            if there - here == 1:
                return False
            there = here + (there - here) // 2
        here = there
        allowed = max(errors, math.floor(here * inverse_binary_entropy(1.0 - least / here) * (1.0 - 1e-12)))
    return True
