"""From what was seen to what may be: exact inversions and the classical inequalities, each a one-sided bound.

Two habits of the literature are kept apart by name. Most inequalities bound a probability by `tail` itself. A
smoothing parameter eps in a min-entropy proof belongs to a probability eps^2 (the purified distance is the root of
it): the caller who has eps passes ``tail=eps**2``, and `serfling_deviation_smoothing` is the one function that does
so itself, because papers print it that way.

Counts may be integers of Python or numpy; they are made plain integers here, whoever calls, since fixed-width ones
wrap where these functions multiply them.
"""

from __future__ import annotations

import math

from scipy import special

from qkdpost.checks import MAX_COUNT, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.statistics.inversion import first_below, limit_below, refined_limit
from qkdpost.statistics.log_tails import binomial_log_tail, hypergeometric_log_tail, relative_deviance

__all__ = [
    "binomial_at_most",
    "check_count",
    "check_tail",
    "chernoff_at_most",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "hoeffding_deviation",
    "hypergeometric_key_errors",
    "hypergeometric_key_errors_lower",
    "kullback_leibler_lower",
    "kullback_leibler_upper",
    "serfling_deviation",
    "serfling_deviation_smoothing",
    "trials_upper_bound",
]

MIN_PROBABILITY = 1e-250
NEAREST_TO_ONE = 1e-9
"""Upper limits this near to one are one: the distance has too few digits left."""
MIN_TAIL = 1e-200
"""Probabilities below this are refused: they would underflow somewhere, and nobody can mean them."""


def hypergeometric_key_errors(key_bits: int, test_bits: int, test_errors: int, tail: float) -> int:
    """Bound the errors in the bits that were not tested, by exact inversion of the hypergeometric distribution.

    `test_bits` of all key_bits + test_bits rounds were drawn at random and showed `test_errors`. With K_U the
    largest K for which P[Hyp(N = n + k, K, k draws) <= x] > tail, more than K_U - x errors among the n key bits
    occur together with this observation with probability at most `tail`, whatever the errors' pattern is.

    The statement is the inversion of an exact test and needs no approximation. Sums longer than
    `tails.MAX_TERMS` are bounded from above in blocks, and every logarithm carries `tails.MARGIN`, so that
    rounding can only raise the answer.

    Args:
        key_bits: n, bits that were not tested.
        test_bits: k, bits tested.
        test_errors: x, errors seen among them.
        tail: the probability of failure; for a smoothing parameter eps pass eps^2.

    Returns:
        The number of errors, 0 ... key_bits.

    Raises:
        InputError: counts that contradict each other, or a tail outside 0 ... 1.
    """
    key_bits, test_bits, test_errors = _sample(key_bits, test_bits, test_errors)
    target = math.log(check_tail(tail))
    population = key_bits + test_bits

    def log_tail(marked: int) -> float:
        return hypergeometric_log_tail(population, marked, test_bits, test_errors)

    if test_bits == 0:
        return key_bits
    near = round(population * _rate_by_normal_law(key_bits, test_bits, test_errors, _deviations(target)))
    mean = test_errors * (population / test_bits)
    return first_below(log_tail, target, test_errors, key_bits + test_errors, near, mean) - 1 - test_errors


def hypergeometric_key_errors_lower(key_bits: int, test_bits: int, test_errors: int, tail: float) -> int:
    """Bound the errors in the bits that were not tested from below; the mirror of `hypergeometric_key_errors`.

    The bits without error are as random a sample as those with one: the bound is n less the upper bound on them.

    Raises:
        InputError: counts that contradict each other, or a tail outside 0 ... 1.
    """
    key_bits, test_bits, test_errors = _sample(key_bits, test_bits, test_errors)
    return key_bits - hypergeometric_key_errors(key_bits, test_bits, test_bits - test_errors, tail)


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

    mean, deviations = trials * probability, _deviations(target)
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
    deviations = _deviations(target)
    near = round((deviations + math.sqrt(deviations**2 + 8.0 * successes)) ** 2 / 4.0)
    return first_below(log_tail, target, successes, at_most, near, 2.0 * successes) - 1


def hoeffding_deviation(trials: int, tail: float) -> float:
    """Return sqrt(trials ln(1 / tail) / 2): how far a sum of `trials` independent bits strays to one side.

    Raises:
        InputError: a count or tail out of range.
    """
    trials = check_count("trials", trials)
    return math.sqrt(trials * -math.log(check_tail(tail)) / 2.0)


def serfling_deviation(key_bits: int, test_bits: int, tail: float) -> float:
    """Return Serfling's g: P[key error rate >= test error rate + g] <= tail for a random sample.

    With n key bits and k test bits, exp(-2 g^2 n k^2 / ((n + k)(k + 1))) = tail (Serfling 1974, in the form of
    Tomamichel, Lim, Gisin and Renner, Nature Communications 3, 634, supplementary lemma).

    Returns:
        The deviation; infinity if nothing was tested.

    Raises:
        InputError: a count or tail out of range.
    """
    return _serfling(key_bits, test_bits, -math.log(check_tail(tail)))


def serfling_deviation_smoothing(key_bits: int, test_bits: int, smoothing: float) -> float:
    """Return Serfling's g at the probability `smoothing`^2, as papers print it for a smoothing parameter.

    The same as ``serfling_deviation(..., tail=smoothing**2)``: the factor one half under the root is gone.

    Raises:
        InputError: a count or parameter out of range.
    """
    return _serfling(key_bits, test_bits, -2.0 * math.log(check_tail(smoothing)))


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


def _serfling(key_bits: int, test_bits: int, log_inverse_tail: float) -> float:
    key_bits, test_bits = check_count("key_bits", key_bits), check_count("test_bits", test_bits)
    if key_bits == 0 or test_bits == 0:
        return math.inf
    scale = (key_bits + test_bits) / key_bits * (test_bits + 1) / test_bits / test_bits
    return math.sqrt(scale * log_inverse_tail / 2.0)


def _deviations(target: float) -> float:
    """Return about how many standard deviations out the logarithm of a normal tail is `target`; at least 0.

    Only shows searches where to look first.
    """
    deviations = math.sqrt(-2.0 * target)
    for _ in range(2):
        deviations = math.sqrt(max(0.0, -2.0 * (target + math.log(2.5066 * max(0.4, deviations)))))
    return deviations


def _rate_by_normal_law(key_bits: int, test_bits: int, test_errors: int, deviations: float) -> float:
    """Return about the rate at which so few errors in a sample lie so far out; only shows a search where to look."""
    fresh = key_bits / (key_bits + test_bits)
    skewness = (1.0 - 2.0 * test_errors / test_bits) * (2.0 * fresh - 1.0)
    seen = max(0.0, test_errors + 0.5 - (deviations**2 - 1.0) / 6.0 * skewness)
    spread = deviations**2 * fresh
    root = math.sqrt(max(0.0, (2.0 * seen + spread) ** 2 - 4.0 * (1.0 + spread / test_bits) * seen**2))
    return (2.0 * seen + spread + root) / (2.0 * (test_bits + spread))


def _sample(key_bits: int, test_bits: int, test_errors: int) -> tuple[int, int, int]:
    key_bits, test_bits = check_count("key_bits", key_bits), check_count("test_bits", test_bits)
    test_errors = check_count("test_errors", test_errors)
    if test_errors > test_bits:
        raise InputError(f"test_errors must not exceed test_bits; found {test_errors} > {test_bits}")
    return key_bits, test_bits, test_errors


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
