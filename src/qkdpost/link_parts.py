"""What a link's configuration holds besides plain values: thresholds set before the data are seen, detectors' spread.

Acceptance thresholds belong to a fixed-length bound. Its proof fixes the length of the key before any data exist: a
block that meets every threshold gives that many bits, any other block gives none. A threshold that is chosen, or
loosened, after a look at the data voids the proof. Both hosts carry the same thresholds in their `LinkConfig`, and each
judges a block by what it saw itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.checks import flag, real_number, whole_number
from qkdpost.errors import InputError

__all__ = ["DecoyAcceptance", "DetectorMismatch", "QubitAcceptance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QubitAcceptance:
    """The thresholds of a fixed-length protocol for rounds that carry one qubit each.

    The proofs speak of exactly so many key and test rounds, the test rounds a uniformly random subset of both. A block
    closes by its number of detections and never by what its bases turned out to be; then, of the sifted rounds of
    either basis, as many as there are too many are discarded at random, by a seed drawn after sifting and before any
    error is looked at. A block with too few is given up. (To stop at the moment when both bases are full, or to keep
    the first so many of each, would not do: the last rounds would then be known to be of the rarer basis.)

    Args:
        key_bits: n, the key bits that go into correction; what is sampled to set up correction comes on top.
        test_bits: k, the rounds of the test basis that are compared.
        tolerated_error_rate: of the test rounds, the largest that is accepted.
        leakage_bits: the most that may be charged, verification and dropped frames included.

    Raises:
        InputError: a count outside 1 ... 2^53 (leakage: 0 ... 2^53), or a rate outside 0 ... 1/2.
    """

    key_bits: int
    test_bits: int
    tolerated_error_rate: float
    leakage_bits: int

    def __post_init__(self) -> None:
        _set_count(self, "key_bits", 1)
        _set_count(self, "test_bits", 1)
        _set_count(self, "leakage_bits", 0)
        _set_share(self, "tolerated_error_rate", 0.5)
        if self.tolerated_error_rate == 0.5:
            raise InputError("tolerated_error_rate must be below 1/2, where no key is left; found 0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoyAcceptance:
    """The thresholds of a fixed-length protocol for weak pulses with decoy intensities.

    A block is accepted if its observed counts prove at least so many single photons at a phase-error rate of at most
    so much, and its leakage is at most so large; the length is that of the thresholds, never that of the data. The
    estimates are functions of the observed counts, so that this is a set of counts that was fixed beforehand: the
    largest one for which the length holds.

    Args:
        vacuum: the least key detections without a photon; 0 if there is no vacuum term.
        single_photons: the least key detections by one photon.
        phase_error_rate: the largest.
        leakage_bits: the most that may be charged, verification and dropped frames included.

    Raises:
        InputError: a count outside 0 ... 2^53, or a rate outside 0 ... 1/2.
    """

    vacuum: int = 0
    single_photons: int
    phase_error_rate: float
    leakage_bits: int

    def __post_init__(self) -> None:
        for name in ("vacuum", "single_photons", "leakage_bits"):
            _set_count(self, name, 0)
        _set_share(self, "phase_error_rate", 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorMismatch:
    """How different the receiver's two detectors may be.

    `delta1` and `delta2` bound how far its measurement is from one whose detection does not depend on the basis, by
    the formulas of the published program to Tupkary et al., Quantum 9, 1937 (2025), for an active choice of basis;
    `qkdpost.security.decoy.detector_mismatch` tells what they cost.

    Args:
        dark_count_probability: per detector and gate.
        efficiency_deviation: the largest relative deviation of an efficiency from its nominal value.
        dark_count_deviation: the largest relative deviation of a dark count probability.
        random_swap: whether the two detectors are exchanged at random in every round.

    Raises:
        InputError: a value outside 0 ... 1, or dark counts that may be more likely than 1.
    """

    dark_count_probability: float
    efficiency_deviation: float
    dark_count_deviation: float
    random_swap: bool = False

    def __post_init__(self) -> None:
        for name in ("dark_count_probability", "efficiency_deviation", "dark_count_deviation"):
            _set_share(self, name, 1.0)
            if getattr(self, name) == 1.0:
                raise InputError(f"{name} must be below 1; found 1.0")
        object.__setattr__(self, "random_swap", flag("random_swap", self.random_swap))
        if self.dark_count_probability * (1.0 + self.dark_count_deviation) > 1.0:
            raise InputError("dark_count_probability with its deviation exceeds 1, which no probability can")

    @property
    def delta1(self) -> float:
        """How much the mismatch may add to an error rate."""
        low, _, spread, ratio = self._parts()
        if self.random_swap:
            return 4.0 * (1.0 - math.sqrt(1.0 - (1.0 - low) ** 2 * spread**2 / 2.0))
        by_loss = 4.0 * (1.0 - math.sqrt(1.0 - (1.0 - low) ** 2 * spread))
        high = self.dark_count_probability * (1.0 + self.dark_count_deviation)
        none = 1.0 - (1.0 - low) ** 2
        by_dark_counts = (1.0 - ratio) * high * (2.0 - low) / none if none > 0.0 else 0.0
        return max(by_dark_counts, by_loss)

    @property
    def delta2(self) -> float:
        """How much of the rounds the mismatch may hide."""
        low, _, spread, ratio = self._parts()
        if self.random_swap:
            return (1.0 - low) ** 2 * spread**2 / 2.0
        return max(1.0 - ratio, (1.0 - low) ** 2 * spread)

    def _parts(self) -> tuple[float, float, float, float]:
        low = self.dark_count_probability * (1.0 - self.dark_count_deviation)
        high = self.dark_count_probability * (1.0 + self.dark_count_deviation)
        spread = 1.0 - (1.0 - self.efficiency_deviation) / (1.0 + self.efficiency_deviation)
        both = 1.0 - (1.0 - high) ** 2
        ratio = (1.0 - (1.0 - low) ** 2) / both if both > 0.0 else 1.0
        return low, high, spread, ratio


def _set_count(record: object, name: str, least: int) -> None:
    """Make a count a plain integer, so that its text is the same on both hosts."""
    object.__setattr__(record, name, whole_number(name, getattr(record, name), least=least))


def _set_share(record: object, name: str, most: float) -> None:
    """Make a share a plain float, so that its text is the same on both hosts."""
    object.__setattr__(record, name, real_number(name, getattr(record, name), least=0.0, most=most))
