"""From compared rounds to the tally that the bound of a kind of QKD needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from qkdpost.bits import Bits
from qkdpost.config import LinkConfig
from qkdpost.labels import Labels
from qkdpost.records import Tally
from qkdpost.tallies import DecoyTally, SampledTally, SinglePhotonTally

__all__ = ["ComparedRounds", "tally_decoy_pulses", "tally_qubits", "tally_single_photons"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRounds:
    """What estimation leaves: the key that is still secret, and the test rounds that were compared. All public.

    Args:
        key_bits: how many bits may become key.
        test_difference: where the two sides' test bits differ.
        key_bits_in_key_basis: how many of the key bits, the first, are of the key basis; the others are of the test
            basis.
        test_bits_in_key_basis: how many of the test bits, the first, are of the key basis.
        pulses: how many pulses the block's records cover.
        key_labels: the intensity of each of the key bits, with decoy states.
        test_labels: the same of the test bits.
    """

    key_bits: int
    test_difference: Bits = field(repr=False)
    key_bits_in_key_basis: int
    test_bits_in_key_basis: int
    pulses: int
    key_labels: Labels | None = None
    test_labels: Labels | None = None

    @property
    def test_errors(self) -> int:
        """How many test rounds differ."""
        return self.test_difference.weight()


def tally_qubits(link: LinkConfig, rounds: ComparedRounds, key_errors: tuple[int, ...] | None) -> Tally | SampledTally:
    """Tally rounds that carry one qubit each; for each basis apart where the sample and the key are of both."""
    if link.test == "sample":
        return _tally_sample(rounds)
    return Tally(key_bits=rounds.key_bits, test_bits=len(rounds.test_difference), test_errors=rounds.test_errors)


def _tally_sample(rounds: ComparedRounds) -> SampledTally:
    key, test = rounds.key_bits_in_key_basis, rounds.test_bits_in_key_basis
    errors = rounds.test_difference[:test].weight()
    return SampledTally(
        key_counts=(key, rounds.key_bits - key),
        test_counts=(test, len(rounds.test_difference) - test),
        test_errors=(errors, rounds.test_errors - errors),
    )


def tally_single_photons(
    link: LinkConfig, rounds: ComparedRounds, key_errors: tuple[int, ...] | None
) -> SinglePhotonTally:
    """Tally rounds of a source that sometimes sends two photons."""
    alice, bob = link.test_probabilities
    return SinglePhotonTally(
        pulses_sent=rounds.pulses,
        key_probability=(1 - alice) * (1 - bob),
        test_probability=alice * bob,
        mean_photons=link.mean_photons,
        g2=link.g2,
        key_bits=rounds.key_bits,
        test_bits=len(rounds.test_difference),
        test_errors=rounds.test_errors,
    )


def tally_decoy_pulses(link: LinkConfig, rounds: ComparedRounds, key_errors: tuple[int, ...] | None) -> DecoyTally:
    """Tally detections and errors per intensity; errors of the key only where its error pattern is public.

    Bits of dropped frames must be among `key_errors`: nothing is known of them, and more errors of the key never
    lengthen it.
    """
    key = [_where(rounds.key_labels, number) for number in range(len(link.intensities))]
    test = [_where(rounds.test_labels, number) for number in range(len(link.intensities))]
    return DecoyTally(
        intensities=link.intensities,
        probabilities=link.intensity_probabilities,
        key_counts=tuple(mask.weight() for mask in key),
        test_counts=tuple(mask.weight() for mask in test),
        test_errors=tuple((mask & rounds.test_difference).weight() for mask in test),
        key_errors=key_errors,
    )


def _where(labels: Labels | None, number: int) -> Bits:
    return Bits.zeros(0) if labels is None else labels.where(number)
