"""What stages may ask of the settings of a kind of QKD."""

from __future__ import annotations

from qkdpost.checks import Settings
from qkdpost.dialogue.roles import Role
from qkdpost.reconciliation.settings import Cascade, CorrectionSettings
from qkdpost.security.decoy.tally import Intensity
from qkdpost.security.settings import Security

__all__ = ["ProtocolSettings"]


class ProtocolSettings(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What both hosts set to the same values for their kind of QKD; the settings of every kind are derived from this.

    A kind names itself by `tag=` in its class statement, and overrides below what is not so for it.
    """

    @property
    def kind(self) -> str:
        """The name of the kind, as in `qkdpost.protocols.PROTOCOLS`."""
        return str(self.__struct_config__.tag)

    @property
    def intensities(self) -> tuple[Intensity, ...]:
        """Mean photon numbers of the pulses where they have several, which labels of the records count; else none."""
        return ()

    @property
    def probabilities(self) -> tuple[float, ...]:
        """With which each of the intensities is chosen."""
        return ()

    @property
    def disclosed_share(self) -> float | None:
        """Which part of all sifted rounds is disclosed at random; None: the rounds of the test basis, whole."""
        return None

    @property
    def could_sample(self) -> bool:
        """Whether a share of all rounds could be disclosed in the place of the test basis."""
        return False

    @property
    def needs_one_way(self) -> bool:
        """Whether the bound holds for one-way correction only."""
        return False

    @property
    def corrections(self) -> tuple[CorrectionSettings, ...]:
        """Methods of its own stages, as settings that may be changed, the default first; none: those for bits."""
        return ()

    @property
    def default_correction(self) -> CorrectionSettings:
        """How errors are corrected where the link does not say."""
        return self.corrections[0] if self.corrections else Cascade()

    def stated_test_probability(self, role: Role) -> float:
        """Return how probably a side chooses the test basis by these settings; 0 where they do not say."""
        return 0.0

    def check_link(self, correction: CorrectionSettings, security: Security) -> None:
        """Check what the bound of this kind asks of the other parts of a link.

        Raises:
            ConfigurationError: they do not go with these settings.
        """
