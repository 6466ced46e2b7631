"""Physical models of links, for tests: expected counts with the truth beside them, and blocks drawn at random."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.tallies import DecoyTally


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyLink:
    """Weak coherent pulses through a lossy line onto threshold detectors, photon number by photon number."""

    intensities: tuple[float, ...]
    probabilities: tuple[float, ...]
    transmittance: float
    dark: float = 1e-6
    misalignment: float = 0.01
    key_share: float = 0.8
    """The probability that a pulse meets in the key basis; the test basis gets `test_share`."""
    test_share: float = 0.1

    def yields(self, photons: int) -> tuple[float, float]:
        """The probability of a detection of n photons, and of a detection that is wrong."""
        arrived = 1 - (1 - self.transmittance) ** photons
        return arrived + (1 - arrived) * self.dark, arrived * self.misalignment + (1 - arrived) * self.dark / 2

    def expected(self, pulses: float, most_photons: int = 25) -> dict[str, NDArray[np.float64]]:
        """Per class (key, test, key errors, test errors), the mean counts by label and photon number."""
        joint = np.array(
            [
                [p * math.exp(-k) * k**n / math.factorial(n) for n in range(most_photons)]
                for k, p in zip(self.intensities, self.probabilities, strict=True)
            ]
        )
        seen = np.array([self.yields(n)[0] for n in range(most_photons)])
        wrong = np.array([self.yields(n)[1] for n in range(most_photons)])
        return {
            "key": pulses * self.key_share * joint * seen,
            "test": pulses * self.test_share * joint * seen,
            "key_errors": pulses * self.key_share * joint * wrong,
            "test_errors": pulses * self.test_share * joint * wrong,
        }

    def expected_tally(self, pulses: float) -> DecoyTally:
        """The tally of mean counts, rounded; errors are kept below counts."""
        means = {name: table.sum(axis=1) for name, table in self.expected(pulses).items()}
        key = tuple(round(x) for x in means["key"])
        test = tuple(round(x) for x in means["test"])
        return DecoyTally(
            intensities=self.intensities,
            probabilities=self.probabilities,
            key_counts=key,
            test_counts=test,
            key_errors=tuple(min(c, round(x)) for c, x in zip(key, means["key_errors"], strict=True)),
            test_errors=tuple(min(c, round(x)) for c, x in zip(test, means["test_errors"], strict=True)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBlock:
    """One block drawn at random, and what only nature knows of it."""

    tally: DecoyTally
    key_single: int
    test_single: int
    test_single_errors: int
    key_phase_errors: int


def draw_block(link: DecoyLink, pulses: int, rng: np.random.Generator) -> DrawnBlock:
    """Draw the counts of a block by label and photon number; key phase errors are as frequent as test errors."""
    table = link.expected(1.0)
    right_test, wrong_test = table["test"] - table["test_errors"], table["test_errors"]
    right_key, wrong_key = table["key"] - table["key_errors"], table["key_errors"]
    parts = np.concatenate([right_key.ravel(), wrong_key.ravel(), right_test.ravel(), wrong_test.ravel()])
    drawn = rng.multinomial(pulses, np.append(parts, max(0.0, 1 - parts.sum())))[:-1]
    rk, wk, rt, wt = drawn.reshape(4, *right_key.shape)
    key_single = int((rk + wk)[:, 1].sum())
    seen, wrong = link.yields(1)
    return DrawnBlock(
        tally=DecoyTally(
            intensities=link.intensities,
            probabilities=link.probabilities,
            key_counts=tuple(int(x) for x in (rk + wk).sum(axis=1)),
            test_counts=tuple(int(x) for x in (rt + wt).sum(axis=1)),
            key_errors=tuple(int(x) for x in wk.sum(axis=1)),
            test_errors=tuple(int(x) for x in wt.sum(axis=1)),
        ),
        key_single=key_single,
        test_single=int((rt + wt)[:, 1].sum()),
        test_single_errors=int(wt[:, 1].sum()),
        key_phase_errors=int(rng.binomial(key_single, wrong / seen)),
    )
