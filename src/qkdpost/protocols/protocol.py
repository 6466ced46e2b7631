"""What a kind of QKD is made of: its settings, its records, its stages, its tally and its bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from qkdpost.checks import choice
from qkdpost.dialogue.ledger import Ledger
from qkdpost.dialogue.roles import ROLES, Role
from qkdpost.errors import ConfigurationError
from qkdpost.records import RawRecord
from qkdpost.security.disclosed import Bound, Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength, at_fixed_length
from qkdpost.security.settings import Security
from qkdpost.security.thresholds import Acceptance
from qkdpost.stages.block import BoundOfBlock, Duty
from qkdpost.stages.settings import ProtocolSettings
from qkdpost.stages.stage import Stage

__all__ = ["Protocol", "ProtocolSettings"]


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
        reference: who holds the string that is kept; the other corrects. Bob opens blocks, whoever it is.
        stages: of a block, in order; the first is handed nothing, the last returns a `SecretKey`.
        tally: the counts that the bound needs, from the compared rounds and, where they are public, the errors of
            the key for each intensity.
        bound: the length of the secret key from the tally, what was disclosed, and the budget.
        bound_settings: the bound's own settings, from those of the kind and of security; raises ConfigurationError
            where the bound does not take them.
        fixed_length: the published fixed-length bounds that it offers, each with the thresholds that it takes.

    Raises:
        ConfigurationError: a reference that is neither role, or stages that are none or not told apart by their names.
    """

    settings: type[_Settings]
    alice_records: type[RawRecord]
    bob_records: type[RawRecord]
    reference: Role
    stages: tuple[Stage, ...]
    tally: Callable[[_Settings, Any, tuple[int, ...] | None], _Tally]
    bound: Bound[_Tally, _BoundSettings]
    bound_settings: Callable[[_Settings, Security], _BoundSettings]
    fixed_length: Mapping[str, type[Acceptance]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choice("reference", self.reference, ROLES, error=ConfigurationError)
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise ConfigurationError(f"stages must be at least one, each of a name of its own; found {names}")

    def record_type(self, role: str) -> type[RawRecord]:
        """Return the type of record that a role submits."""
        return self.alice_records if role == "alice" else self.bob_records

    def duty(self, role: Role) -> Duty:
        """Return what a role does for a block."""
        return Duty.REFERENCE if role == self.reference else Duty.CORRECTOR

    def secret_length(
        self, settings: _Settings, security: Security, tally: _Tally, disclosed: Disclosed
    ) -> SecretLength:
        """Apply the bound that the link names to the tally and to what the conversation disclosed."""
        bound_settings = self.bound_settings(settings, security)
        return self._length(tally, disclosed, Epsilon.split(security.epsilon), bound_settings, security)

    def _length(
        self, tally: _Tally, disclosed: Disclosed, budget: Epsilon, settings: _BoundSettings, security: Security
    ) -> SecretLength:
        secret = self.bound(tally, disclosed, budget, settings)
        return at_fixed_length(secret, security.planned_key_bits) if security.planned_key_bits else secret

    def bound_of_block(self, settings: _Settings, security: Security) -> BoundOfBlock:
        """Return the bound as the stages of a block apply it: to what they compared instead of a tally."""
        budget, bound_settings = Epsilon.split(security.epsilon), self.bound_settings(settings, security)

        def bound(
            rounds: Any, key_errors: tuple[int, ...] | None, ledger: Ledger, verification_bits: int | None
        ) -> SecretLength:
            disclosed = Disclosed(
                leakage_bits=ledger.charged_bits, verification_bits=verification_bits, two_way=ledger.two_way
            )
            tally = self.tally(settings, rounds, key_errors)
            return self._length(tally, disclosed, budget, bound_settings, security)

        return bound
