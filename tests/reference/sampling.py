"""Slow, exact twins: sampling without and with replacement in whole numbers and fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb


def hypergeometric_tail(population: int, marked: int, draws: int, seen: int) -> Fraction:
    """P[X <= seen], X the marked ones among the drawn."""
    ways = sum(
        comb(marked, hit) * comb(population - marked, draws - hit)
        for hit in range(min(seen, marked, draws) + 1)
        if draws - hit <= population - marked
    )
    return Fraction(ways, comb(population, draws))


def hypergeometric_key_errors(key_bits: int, test_bits: int, test_errors: int, tail: Fraction) -> int:
    """The largest number of unseen errors that the sample does not rule out, tried one by one."""
    population = key_bits + test_bits
    return max(
        marked - test_errors
        for marked in range(test_errors, key_bits + test_errors + 1)
        if hypergeometric_tail(population, marked, test_bits, test_errors) > tail
    )


def binomial_tail(trials: int, probability: Fraction, seen: int) -> Fraction:
    """P[X <= seen] of independent trials that are alike."""
    return sum(
        (comb(trials, hit) * probability**hit * (1 - probability) ** (trials - hit) for hit in range(seen + 1)),
        start=Fraction(0),
    )


def poisson_binomial_tail(probabilities: list[Fraction], seen: int) -> Fraction:
    """P[X <= seen] of independent trials that are not alike."""
    law = [Fraction(1)]
    for probability in probabilities:
        grown = [Fraction(0)] * (len(law) + 1)
        for hits, weight in enumerate(law):
            grown[hits] += weight * (1 - probability)
            grown[hits + 1] += weight * probability
        law = grown
    return sum(law[: seen + 1], start=Fraction(0))
