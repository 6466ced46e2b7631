"""BB84 with a single-photon source that sometimes sends two photons."""

from __future__ import annotations

from qkdpost.checks import keep, numbers, real_number
from qkdpost.dialogue.roles import Role
from qkdpost.errors import ConfigurationError
from qkdpost.protocols.protocol import Protocol, ProtocolSettings
from qkdpost.protocols.slots import PREPARE_AND_MEASURE
from qkdpost.records import Detections, PreparedPulses
from qkdpost.security.settings import Security
from qkdpost.security.single_photon import bound
from qkdpost.security.single_photon.settings import MAX_POSSIBLE_RUNS, SinglePhotonBoundSettings
from qkdpost.security.single_photon.tally import SinglePhotonTally, check_basis_probabilities
from qkdpost.stages.outcomes import ComparedRounds

__all__ = ["PROTOCOL", "SinglePhotonBB84", "tally_single_photons"]


class SinglePhotonBB84(ProtocolSettings, frozen=True, kw_only=True, tag="single-photon-bb84"):
    """Settings of BB84 with a single-photon source of measured g2.

    Args:
        mean_photons: mean photon number of a pulse, an upper confidence limit, 10^-9 ... 20.
        g2: the source's second-order correlation at zero delay, an upper confidence limit, 0 ... 10^6.
        test_probabilities: how probably Alice and Bob choose the test basis, each between 0 and 1.

    Raises:
        ConfigurationError: a number out of range.

    >>> import qkdpost as qp
    >>> settings = qp.SinglePhotonBB84(mean_photons=0.5, g2=0.02, test_probabilities=(0.1, 0.2))
    >>> settings.both_in_one_basis
    (0.7200000000000001, 0.020000000000000004)
    """

    mean_photons: float
    g2: float
    test_probabilities: tuple[float, float]

    def __post_init__(self) -> None:
        for name, least, most in (("mean_photons", 1e-9, 20.0), ("g2", 0.0, 1e6)):
            number = real_number(name, getattr(self, name), least=least, most=most, error=ConfigurationError)
            keep(self, name, number)
        shares = numbers("test_probabilities", self.test_probabilities, count=2, each="side", error=ConfigurationError)
        if not all(0.0 < share < 1.0 for share in shares):
            raise ConfigurationError(
                f"test_probabilities of a single-photon source must lie between 0 and 1; found {shares}"
            )
        keep(self, "test_probabilities", shares)
        check_basis_probabilities(*self.both_in_one_basis, error=ConfigurationError)

    @property
    def both_in_one_basis(self) -> tuple[float, float]:
        """How probably both sides choose the key basis, and how probably both the test basis."""
        alice, bob = self.test_probabilities
        return (1 - alice) * (1 - bob), alice * bob

    def stated_test_probability(self, role: Role) -> float:
        """Return how probably a side chooses the test basis."""
        return self.test_probabilities[role == "bob"]


def tally_single_photons(
    settings: SinglePhotonBB84, rounds: ComparedRounds, key_errors: tuple[int, ...] | None
) -> SinglePhotonTally:
    """Tally rounds of a source that sometimes sends two photons."""
    key, test = settings.both_in_one_basis
    return SinglePhotonTally(
        pulses_sent=rounds.pulses,
        key_probability=key,
        test_probability=test,
        mean_photons=settings.mean_photons,
        g2=settings.g2,
        key_bits=rounds.key_bits,
        test_bits=len(rounds.test_difference),
        test_errors=rounds.test_errors,
    )


def _bound_settings(settings: SinglePhotonBB84, security: Security) -> SinglePhotonBoundSettings:
    """A block is a run of whole records, and detections decide which."""
    return SinglePhotonBoundSettings(concentration=security.concentration, possible_runs=MAX_POSSIBLE_RUNS)


PROTOCOL: Protocol[SinglePhotonBB84, SinglePhotonTally, SinglePhotonBoundSettings] = Protocol(
    settings=SinglePhotonBB84,
    alice_records=PreparedPulses,
    bob_records=Detections,
    reference="alice",
    stages=PREPARE_AND_MEASURE,
    tally=tally_single_photons,
    bound=bound.apply_bound,
    bound_settings=_bound_settings,
)
