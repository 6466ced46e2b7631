"""A length does not depend on names: which bit value is called 0, which basis comes first, in which order rounds are.

From rounds to lengths, through the tallies that a session makes. What a relabelling means differs by tally:

- Bit values exchanged on both sides, in all rounds or in those of one basis or intensity: for every tally. None counts
  bit values, so that nothing may change.
- Rounds in another order, within the key and within the compared ones: for every tally.
- The two bases exchanged with their counts: for a `SampledTally`, where both bases make key and each is judged by the
  other. In the other tallies one basis makes key and the other is compared; exchanging *names* there changes no
  number, and exchanging the *roles* asks another question, with another answer.
- Intensities have no other order than their size; a tally in another order is refused (see `test_decoy`).
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.labels import Labels
from qkdpost.protocols.bbm92 import BBM92
from qkdpost.protocols.decoy_bb84 import DecoyBB84, tally_decoy_pulses
from qkdpost.protocols.qubits import tally_qubits
from qkdpost.protocols.single_photon_bb84 import SinglePhotonBB84, tally_single_photons
from qkdpost.security import bb84, bbm92, decoy_bb84, single_photon
from qkdpost.security.qubits.tally import SampledTally
from qkdpost.security.result import SecretLength
from qkdpost.stages.outcomes import ComparedRounds

ONE_DECOY = {"intensities": (0.5, 0.15), "probabilities": (0.6, 0.4)}
TWO_DECOYS = {"intensities": (0.5, 0.15, 1e-3), "probabilities": (0.5, 0.3, 0.2)}
EPSILONS = st.floats(-15.0, -2.0).map(lambda power: 10.0**power)


class Rounds:
    """Sifted rounds: key and compared ones, the key basis first in each; both sides' bits, and an intensity."""

    def __init__(
        self, rng: np.random.Generator, key: tuple[int, int], test: tuple[int, int], error_rate: float
    ) -> None:
        self.key, self.test = key, test
        self.labels = [rng.choice(3, size=sum(counts), p=(0.6, 0.3, 0.1)) for counts in (key, test)]
        self.alice = [rng.integers(0, 2, sum(counts)) for counts in (key, test)]
        self.bob = [bits ^ (rng.random(bits.size) < error_rate) for bits in self.alice]

    def exchange_values(self, chosen: list[NDArray[np.bool_]]) -> None:
        """Call 0 what was called 1 on both sides, in the chosen rounds."""
        for side in (self.alice, self.bob):
            for part in (0, 1):
                side[part] = side[part] ^ chosen[part]

    def reorder(self, rng: np.random.Generator) -> None:
        """Put the rounds of each part in another order, the key basis still first."""
        for part, counts in enumerate((self.key, self.test)):
            order = np.concatenate([rng.permutation(counts[0]), counts[0] + rng.permutation(counts[1])])
            for rows in (self.labels, self.alice, self.bob):
                rows[part] = rows[part][order]

    def exchange_bases(self) -> None:
        """Call the test basis what was called the key basis: its rounds now come first."""
        for part, counts in enumerate((self.key, self.test)):
            for rows in (self.labels, self.alice, self.bob):
                rows[part] = np.roll(rows[part], counts[1])
        self.key, self.test = self.key[::-1], self.test[::-1]

    def compared(self, intensities: int) -> ComparedRounds:
        key_labels, test_labels = (Labels.from_array(np.minimum(rows, intensities - 1)) for rows in self.labels)
        return ComparedRounds(
            key_bits=sum(self.key),
            test_difference=Bits.from_array(self.alice[1]) ^ Bits.from_array(self.bob[1]),
            key_bits_in_key_basis=self.key[0],
            test_bits_in_key_basis=self.test[0],
            pulses=10**6,
            key_labels=key_labels,
            test_labels=test_labels,
        )

    def key_errors(self, intensities: int) -> tuple[int, ...]:
        wrong, labels = self.alice[0] ^ self.bob[0], np.minimum(self.labels[0], intensities - 1)
        return tuple(int(wrong[labels == label].sum()) for label in range(intensities))


def _length(kind: str, rounds: Rounds, epsilon: float) -> SecretLength:
    intensities = 2 if kind == "one decoy" else 3
    compared = rounds.compared(intensities)
    arguments = {"leakage_bits": sum(rounds.key) // 5, "epsilon": epsilon}
    if kind in ("bb84", "bbm92"):
        module = bb84 if kind == "bb84" else bbm92
        return module.secret_length(tally_qubits(BBM92(test="basis"), compared, None), **arguments)
    if kind == "sample":
        return bb84.secret_length(tally_qubits(BBM92(test="sample"), compared, None), **arguments)
    if kind == "single photons":
        source = SinglePhotonBB84(mean_photons=0.02, g2=0.03, test_probabilities=(0.2, 0.2))
        return single_photon.secret_length(tally_single_photons(source, compared, None), **arguments)
    choices = ONE_DECOY if kind == "one decoy" else TWO_DECOYS
    tally = tally_decoy_pulses(DecoyBB84(**choices), compared, rounds.key_errors(intensities))
    return decoy_bb84.secret_length(tally, method="analytic", **arguments)


KINDS = ["bb84", "bbm92", "sample", "single photons", "one decoy", "two decoys"]
SIZES = st.tuples(st.integers(0, 4_000), st.integers(0, 2_000))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=250)
@given(SIZES, SIZES, st.floats(0, 0.12), EPSILONS, st.integers(0, 2**32))
def test_equal_under_other_names_of_bits_and_another_order(
    kind: str, key: tuple[int, int], test: tuple[int, int], error_rate: float, epsilon: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rounds = Rounds(rng, key, test, error_rate)
    before = _length(kind, rounds, epsilon)
    every = [np.ones(sum(counts), dtype=bool) for counts in (key, test)]
    one_basis = [np.arange(sum(counts)) < counts[0] for counts in (key, test)]
    one_intensity = [labels == 1 for labels in rounds.labels]
    for chosen in (every, one_basis, one_intensity):
        rounds.exchange_values(chosen)
        assert _length(kind, rounds, epsilon) == before
    rounds.reorder(rng)
    assert _length(kind, rounds, epsilon) == before
    if kind == "sample":
        rounds.exchange_bases()
        assert _length(kind, rounds, epsilon).bits == before.bits


@pytest.mark.parametrize("concentration", ["hypergeometric", "serfling"])
@settings(max_examples=1000)
@given(st.lists(st.integers(0, 10**8), min_size=4, max_size=4), st.floats(0, 0.2), st.floats(0, 0.2), EPSILONS)
def test_equal_under_an_exchange_of_both_bases(
    concentration: str, counts: list[int], first: float, second: float, epsilon: float
) -> None:
    errors = (int(first * counts[2]), int(second * counts[3]))
    tally = SampledTally(key_counts=(counts[0], counts[1]), test_counts=(counts[2], counts[3]), test_errors=errors)
    other = SampledTally(
        key_counts=(counts[1], counts[0]), test_counts=(counts[3], counts[2]), test_errors=(errors[1], errors[0])
    )
    here, there = (
        bb84.secret_length(t, leakage_bits=sum(counts[:2]) // 5, epsilon=epsilon, concentration=concentration)  # type: ignore[arg-type]
        for t in (tally, other)
    )
    assert here.bits == there.bits
    assert here.asymptotic_bits == pytest.approx(there.asymptotic_bits, rel=1e-12)


def test_exchanging_the_roles_of_the_bases_is_another_question() -> None:
    rounds = Rounds(np.random.default_rng(5), (4_000, 0), (0, 1_500), 0.02)
    swapped = Rounds(np.random.default_rng(5), (1_500, 0), (0, 4_000), 0.02)
    assert _length("bb84", rounds, 1e-9).bits != _length("bb84", swapped, 1e-9).bits
