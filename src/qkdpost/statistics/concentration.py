"""From what was seen of independent trials to what may be: exact inversions and the classical inequalities.

Each is a one-sided bound, and bounds a probability by `tail` itself. A smoothing parameter eps in a min-entropy proof
belongs to a probability eps^2 (the purified distance is the root of it): the caller who has eps passes ``tail=eps**2``.
Samples drawn without replacement are in `sampling`.

Counts may be integers of Python or numpy; they are made plain integers here, whoever calls, since fixed-width ones
wrap where these functions multiply them.
"""

from __future__ import annotations

import math

from scipy import special

from qkdpost.checks import MAX_COUNT, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.statistics.inversion import first_below, limit_below, refined_limit
from qkdpost.statistics.log_tails import binomial_log_tail, relative_deviance

__all__ = [
    "binomial_at_most",
    "check_count",
    "check_tail",
    "chernoff_at_most",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "hoeffding_deviation",
    "kullback_leibler_lower",
    "kullback_leibler_upper",
    "normal_deviations",
    "trials_upper_bound",
]

MIN_PROBABILITY = 1e-250
NEAREST_TO_ONE = 1e-9
"""Upper limits this near to one are one: the distance has too few digits left."""
MIN_TAIL = 1e-200
"""Probabilities below this are refused: they would underflow somewhere, and nobody can mean them."""


def clopper_pearson_upper(trials: int, seen: int, tail: float) -> float:
    """Return the upper limit of Clopper and Pearson for a success probability: P[Bin(trials, p) <= seen] = tail.

    It is also valid for the mean success probability of independent trials of *different* probabilities (Hoeffding
    1956, Theorem 4), provided that the limit times `trials` is at least seen + 1; this holds for every tail up to 1/e,
    and above that the limit is raised to (seen + 1) / trials.

    Args:
        trials: how many trials.
        seen: how many successes.
        tail: the probability that the true value lies above what is returned.

    Returns:
        A probability, rounded up so that its tail is at most `tail`.

    Raises:
        InputError: counts that contradict each other, or a tail outside 0 ... 1.
    """
    trials, seen = _trials(trials, seen)
    tail = check_tail(tail)
    target = math.log(tail)
    if seen == trials:
        return 1.0

    def log_tail(probability: float) -> float:
        return binomial_log_tail(seen, trials - seen, probability, 1.0 - probability)

    near = float(special.betainccinv(seen + 1.0, trials - seen, tail))
    if not near < 1.0 - NEAREST_TO_ONE:
        return 1.0
    limit = refined_limit(log_tail, target, near, lambda at: _fall(seen, trials - seen, at, 1.0 - at), 1.0)
    if limit is None:
        limit = limit_below(log_tail, target, seen / trials, kullback_leibler_upper(trials, seen, tail), 1.0)
    return min(1.0, max(limit, (seen + 1) / trials))


def clopper_pearson_lower(trials: int, seen: int, tail: float) -> float:
    """Return the lower limit of Clopper and Pearson; the mirror of `clopper_pearson_upper`, rounded down.

    Raises:
        InputError: counts that contradict each other, or a tail outside 0 ... 1.
    """
    trials, seen = _trials(trials, seen)
    tail = check_tail(tail)
    target = math.log(tail)
    if seen == 0:
        return 0.0

    def log_tail(probability: float) -> float:
        return binomial_log_tail(trials - seen, seen, 1.0 - probability, probability)

    near = min(float(special.betaincinv(float(seen), trials - seen + 1.0, tail)), math.nextafter(1.0, 0.0))
    limit = refined_limit(log_tail, target, near, lambda at: _fall(trials - seen, seen, 1.0 - at, at), -1.0)
    if limit is None:
        limit = limit_below(log_tail, target, seen / trials, kullback_leibler_lower(trials, seen, tail), 0.0)
    return max(0.0, min(limit, (seen - 1) / trials))


def kullback_leibler_upper(trials: int, seen: int, tail: float) -> float:
    """Return the largest p with trials D(seen / trials || p) <= ln(1 / tail), rounded up.

    Hoeffding (1963), Theorem 1. Valid for independent trials of different probabilities, p their mean; looser than
    Clopper-Pearson.

    Raises:
        InputError: counts that contradict each other, or a tail outside 0 ... 1.
    """
    trials, seen = _trials(trials, seen)
    exponent = -math.log(check_tail(tail)) / trials * (1.0 + 1e-12)  # for rounding
    frequency = seen / trials
    low, high = frequency, 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if _divergence(frequency, middle) <= exponent:
            low = middle
        else:
            high = middle
    return high


def kullback_leibler_lower(trials: int, seen: int, tail: float) -> float:
    """Return the least p with trials D(seen / trials || p) <= ln(1 / tail), rounded down.

    Raises:
        InputError: counts that contradict each other, or a tail outside 0 ... 1.
    """
    trials, seen = _trials(trials, seen)
    exponent = -math.log(check_tail(tail)) / trials * (1.0 + 1e-12)  # for rounding
    frequency = seen / trials
    low, high = 0.0, frequency
    for _ in range(1100):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if _divergence(frequency, middle) <= exponent:
            high = middle
        else:
            low = middle
    return low


def binomial_at_most(trials: int, probability: float, tail: float) -> int:
    """Return the least m with P[Bin(trials, probability) > m] <= tail, from above.

    Args:
        trials: how many trials.
        probability: of success of each.
        tail: the probability that more than m occur.

    Raises:
        InputError: a count, probability or tail out of range.
    """
    trials = check_count("trials", trials)
    probability = real_number("probability", probability, least=0.0, most=1.0)
    target = math.log(check_tail(tail))
    # Near the smallest floats digits are lost; taken larger, the count can only be too high.
    probability = max(probability, MIN_PROBABILITY) if probability > 0.0 else 0.0

    def log_tail(most: int) -> float:
        return binomial_log_tail(trials - most - 1, most + 1, 1.0 - probability, probability)

    mean, deviations = trials * probability, normal_deviations(target)
    near = math.ceil(mean + deviations * math.sqrt(mean * (1.0 - probability)) + deviations**2 / 6.0)
    return first_below(log_tail, target, -1, trials - 1, near, mean)


def chernoff_at_most(expected: float, tail: float) -> float:
    """Return E + b / 2 + sqrt(2 b E + b^2 / 4), b = ln(1 / tail): what a sum of independent bits exceeds at most so.

    The multiplicative Chernoff bound solved for the deviation; looser than `binomial_at_most`.

    Raises:
        InputError: a negative expectation, or a tail out of range.
    """
    expected = real_number("expected", expected, least=0.0, most=MAX_COUNT)
    exponent = -math.log(check_tail(tail))
    return expected + exponent / 2.0 + math.sqrt(2.0 * exponent * expected + exponent**2 / 4.0)


def trials_upper_bound(successes: int, at_most: int, tail: float) -> int:
    """Return the largest N up to `at_most` with P[Bin(N, 1/2) <= successes] > tail, from above.

    An upper confidence limit on the number of trials that each succeed with probability 1/2. Rounds without a photon
    are such trials, an error being a success.

    Args:
        successes: how many succeeded at most.
        at_most: a bound on the trials that holds anyhow.
        tail: the probability of failure.

    Raises:
        InputError: a count or tail out of range.
    """
    successes, at_most = check_count("successes", successes), check_count("at_most", at_most)
    target = math.log(check_tail(tail))

    def log_tail(trials: int) -> float:
        return binomial_log_tail(successes, trials - successes, 0.5, 0.5)

    if at_most <= successes:
        return at_most
    deviations = normal_deviations(target)
    near = round((deviations + math.sqrt(deviations**2 + 8.0 * successes)) ** 2 / 4.0)
    return first_below(log_tail, target, successes, at_most, near, 2.0 * successes) - 1


def hoeffding_deviation(trials: int, tail: float) -> float:
    """Return sqrt(trials ln(1 / tail) / 2): how far a sum of `trials` independent bits strays to one side.

    Raises:
        InputError: a count or tail out of range.
    """
    trials = check_count("trials", trials)
    return math.sqrt(trials * -math.log(check_tail(tail)) / 2.0)


def check_count(name: str, count: int) -> int:
    """Return `count` as a Python integer if it is a whole number in 0 ... 2^53.

    Raises:
        InputError: it is not.
    """
    return whole_number(name, count)


def check_tail(tail: float) -> float:
    """Return `tail` as a Python float if it is a probability of failure in 1e-200 ... 1, 1 not included.

    Raises:
        InputError: it is not.
    """
    return real_number("tail (a probability of failure)", tail, least=MIN_TAIL, below=1.0)


def normal_deviations(target: float) -> float:
    """Return about how many standard deviations out the logarithm of a normal tail is `target`; at least 0.

    Only shows searches where to look first.
    """
    deviations = math.sqrt(-2.0 * target)
    for _ in range(2):
        deviations = math.sqrt(max(0.0, -2.0 * (target + math.log(2.5066 * max(0.4, deviations)))))
    return deviations


def _trials(trials: int, seen: int) -> tuple[int, int]:
    trials, seen = check_count("trials", trials), check_count("seen", seen)
    if trials == 0 or seen > trials:
        raise InputError(f"successes must not exceed trials; found {seen} > {trials}")
    return trials, seen


def _fall(seen: int, missed: int, success: float, failure: float) -> float:
    """Return how fast ln P[X <= seen] falls with the probability of success, from below.

    It is missed / failure in units of the sum over its leading term, which is at most 1 / (1 - the first ratio).
    """
    first = seen * failure / ((missed + 1.0) * success)
    return missed / failure * max(1e-9, 1.0 - first)


def _divergence(frequency: float, probability: float) -> float:
    """Return D(frequency || probability) of two coins in nats."""
    if probability <= 0.0 or probability >= 1.0:
        return 0.0 if frequency == probability else math.inf
    failure = 1.0 - probability
    excess = frequency - probability
    return probability * relative_deviance(excess / probability) + failure * relative_deviance(-excess / failure)
