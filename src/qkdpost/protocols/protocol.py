"""What a kind of QKD is made of: its settings, its records, its sifting, its tally and its bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import msgspec

from qkdpost.dialogue.program import Program
from qkdpost.protocols.compared import ComparedRounds
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.records import PreparedPulses, RawRecord
from qkdpost.security.decoy.tally import Intensity
from qkdpost.security.disclosed import Bound, Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength
from qkdpost.security.settings import Security
from qkdpost.security.thresholds import Acceptance
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.sifting.task import SiftingTask

__all__ = ["Protocol", "ProtocolSettings"]


class ProtocolSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What both hosts set alike for their kind of QKD; the settings of every kind are derived from this.

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
    def needs_one_way(self) -> bool:
        """Whether the bound holds for one-way correction only."""
        return False

    def stated_test_probability(self, role: Literal["alice", "bob"]) -> float:
        """Return how probably a side chooses the test basis by these settings; 0 where they do not say."""
        return 0.0

    def check_link(self, correction: CorrectionSettings, security: Security) -> None:
        """Check what the bound of this kind asks of the other parts of a link.

        Raises:
            ConfigurationError: they cannot be joined with these settings.
        """


_Settings = TypeVar("_Settings", bound=ProtocolSettings)
_Tally = TypeVar("_Tally")
_BoundSettings = TypeVar("_BoundSettings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol(Generic[_Settings, _Tally, _BoundSettings]):
    """What sets one kind of QKD apart from the others.

    Args:
        settings: the class of its settings, whose tag names the kind.
        alice_records: the type of record that Alice submits.
        bob_records: the type that Bob submits.
        alice_sift: her side of the sifting conversation.
        bob_sift: his.
        tally: the counts that the bound needs, from the compared rounds and, where they are public, the errors of
            the key for each intensity.
        bound: the length of the secret key from the tally, what was disclosed, and the budget.
        bound_settings: what else the bound is told; raises ConfigurationError where the bound does not take it.
        fixed_length: the published fixed-length bounds that it offers, each with the thresholds that it takes.
    """

    settings: type[_Settings]
    alice_records: type[RawRecord]
    bob_records: type[RawRecord]
    alice_sift: Callable[[SiftingTask[_Settings]], Program[SiftedKey]]
    bob_sift: Callable[[SiftingTask[_Settings]], Program[SiftedKey]]
    tally: Callable[[_Settings, ComparedRounds, tuple[int, ...] | None], _Tally]
    bound: Bound[_Tally, _BoundSettings]
    bound_settings: Callable[[_Settings, Security], _BoundSettings]
    fixed_length: Mapping[str, type[Acceptance]] = field(default_factory=dict)

    def record_type(self, role: str) -> type[RawRecord]:
        """Return the type of record that a role submits."""
        return self.alice_records if role == "alice" else self.bob_records

    @property
    def both_detect(self) -> bool:
        """Whether Alice, too, measures what somebody else sent, instead of preparing."""
        return self.alice_records is not PreparedPulses

    def secret_length(
        self, settings: _Settings, security: Security, tally: _Tally, disclosed: Disclosed
    ) -> SecretLength:
        """Apply the bound that the link names to the tally and to what the conversation disclosed."""
        budget = Epsilon.split(security.epsilon)
        return self.bound(tally, disclosed, budget, self.bound_settings(settings, security))
