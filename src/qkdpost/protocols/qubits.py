"""What the kinds have in common whose rounds carry one qubit each: the choice of what is disclosed, the tally."""

from __future__ import annotations

from typing import Literal, get_args

from qkdpost.checks import choice, keep, real_number
from qkdpost.errors import ConfigurationError
from qkdpost.protocols.protocol import ProtocolSettings
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.security.qubits.acceptance import QubitAcceptance
from qkdpost.security.qubits.settings import QubitBound, QubitBoundSettings
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.settings import VARIABLE_LENGTH, Security
from qkdpost.stages.outcomes import ComparedRounds

__all__ = ["FIXED_LENGTH", "QubitSettings", "Test", "bound_settings", "tally_bases", "tally_qubits", "tally_sample"]

FIXED_LENGTH = {"tomamichel-leverrier-2017": QubitAcceptance, "lim-2021": QubitAcceptance}
"""The published fixed-length bounds for one qubit a round, with their thresholds."""

Test = Literal["basis", "sample"]


class QubitSettings(ProtocolSettings, frozen=True, kw_only=True):
    """Settings of the kinds that can disclose a sample of both bases.

    Args:
        test: "basis": the test basis is disclosed whole and the key comes from the key basis (any basis bias);
            "sample": a random sample of all sifted rounds is disclosed and the key comes from the rest, of both bases
            (any basis bias, but the rarer basis must be frequent enough that its sample bounds the phase errors of the
            other's key).
        sample_fraction: which part of the sifted rounds "sample" discloses, 10^-6 ... 0.999.

    Raises:
        ConfigurationError: a test that there is not, or a share out of range.
    """

    test: Test = "basis"
    sample_fraction: float = 0.1

    def __post_init__(self) -> None:
        keep(self, "test", choice("test", self.test, get_args(Test), error=ConfigurationError))
        share = real_number("sample_fraction", self.sample_fraction, least=1e-6, most=0.999, error=ConfigurationError)
        keep(self, "sample_fraction", share)

    @property
    def disclosed_share(self) -> float | None:
        """Which part of all sifted rounds is disclosed at random; None: the rounds of the test basis, whole."""
        return self.sample_fraction if self.test == "sample" else None

    @property
    def could_sample(self) -> bool:
        """Whether a share of all rounds could be disclosed in the place of the test basis."""
        return self.test == "basis"

    def check_link(self, correction: CorrectionSettings, security: Security) -> None:
        """Check that a fixed-length bound gets key of one basis and test of the other.

        Raises:
            ConfigurationError: a sample of both bases is disclosed.
        """
        if security.bound != VARIABLE_LENGTH and self.test != "basis":
            raise ConfigurationError(f"bound {security.bound!r} needs test 'basis'; found {self.test!r}")


def tally_qubits(
    settings: QubitSettings, rounds: ComparedRounds, key_errors: tuple[int, ...] | None
) -> Tally | SampledTally:
    """Tally rounds that carry one qubit each; for each basis apart where the sample and the key are of both."""
    return tally_bases(settings, rounds, key_errors) if settings.test == "basis" else tally_sample(rounds)


def tally_bases(settings: ProtocolSettings, rounds: ComparedRounds, key_errors: tuple[int, ...] | None) -> Tally:
    """Tally rounds that carry one qubit each, key in one basis and test in the other."""
    return Tally(key_bits=rounds.key_bits, test_bits=len(rounds.test_difference), test_errors=rounds.test_errors)


def tally_sample(rounds: ComparedRounds) -> SampledTally:
    """Tally rounds that carry one qubit each, key and sample of both bases."""
    key, test = rounds.key_bits_in_key_basis, rounds.test_bits_in_key_basis
    errors = rounds.test_difference[:test].weight()
    return SampledTally(
        key_counts=(key, rounds.key_bits - key),
        test_counts=(test, len(rounds.test_difference) - test),
        test_errors=(errors, rounds.test_errors - errors),
    )


def bound_settings(settings: ProtocolSettings, security: Security) -> QubitBoundSettings:
    """Return the settings of the bounds of these kinds."""
    return QubitBoundSettings(
        bound=choice("bound", security.bound, get_args(QubitBound), error=ConfigurationError),
        concentration=security.concentration,
        acceptance=security.thresholds(QubitAcceptance),
    )
