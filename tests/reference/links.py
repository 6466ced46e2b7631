"""Physical models of links, for tests: expected counts with the truth beside them, and blocks drawn at random."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.security.decoy.tally import DecoyTally


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


CLASSES = ("key", "test", "key_errors", "test_errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnBlocks:
    """Blocks drawn at random, and what only nature knows of them.

    Per class of rounds, `labels` are the counts by block and intensity, which are announced, and `photons` those by
    block and photon number, which are not.
    """

    link: DecoyLink
    labels: dict[str, NDArray[np.int64]]
    photons: dict[str, NDArray[np.int64]]
    key_phase_errors: NDArray[np.int64]

    def tally(self, block: int) -> DecoyTally:
        """What is announced of one block."""

        def counts(name: str) -> tuple[int, ...]:
            return tuple(int(count) for count in self.labels[name][block])

        return DecoyTally(
            intensities=self.link.intensities,
            probabilities=self.link.probabilities,
            key_counts=counts("key"),
            test_counts=counts("test"),
            key_errors=counts("key_errors"),
            test_errors=counts("test_errors"),
        )

    def label_probabilities(self) -> NDArray[np.float64]:
        """By photon number and intensity, how probable a label is given the photon number."""
        joint = self.link.expected(1.0)["key"].T
        return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def draw_blocks(link: DecoyLink, pulses: int, blocks: int, rng: np.random.Generator) -> DrawnBlocks:
    """Draw blocks by label and photon number; the key's phase errors are as frequent as test errors."""
    means = link.expected(1.0)
    shape = means["key"].shape
    parts = [means[basis] - means[f"{basis}_errors"] for basis in ("key", "test")]
    parts += [means[f"{basis}_errors"] for basis in ("key", "test")]
    cells = np.concatenate([part.ravel() for part in parts])
    cells = np.append(cells, max(0.0, 1 - cells.sum()))
    labels, photons = [], []
    for start in range(0, blocks, 4000):
        drawn = rng.multinomial(pulses, cells, size=min(4000, blocks - start))[:, :-1].reshape(-1, 4, *shape)
        drawn[:, :2] += drawn[:, 2:]
        labels.append(drawn.sum(axis=3))
        photons.append(drawn.sum(axis=2))
    by_label, by_photon = np.concatenate(labels), np.concatenate(photons)
    seen, wrong = link.yields(1)
    return DrawnBlocks(
        link=link,
        labels={name: by_label[:, number] for number, name in enumerate(CLASSES)},
        photons={name: by_photon[:, number] for number, name in enumerate(CLASSES)},
        key_phase_errors=rng.binomial(by_photon[:, 0, 1], wrong / seen),
    )
