"""The one shape of every bound: tally, disclosed bits, budget and settings in, `SecretLength` out.

A kind of QKD brings a tally of its own and settings of its own. Neither is named here, so that a kind can be added
without an edit; the types of both are parameters of `Bound`, so that a type checker sees an argument that is missing,
and a bound that is handed the tally of another kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from qkdpost.checks import flag, whole_number
from qkdpost.errors import InputError
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength

__all__ = ["Bound", "Disclosed"]

Tally_contra = TypeVar("Tally_contra", contravariant=True)
Settings_contra = TypeVar("Settings_contra", contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """What the conversation of a block published of its key, as the ledger has it.

    Args:
        leakage_bits: *all* bits that the ledger charged, tags and outcomes of verification included.
        verification_bits: how many of these were tags and outcomes of verification; None if none of them was.
        two_way: whether the corrector published the error pattern.

    Raises:
        InputError: a number of bits is negative or no whole number, verification exceeds the leakage that it is part
            of, or `two_way` is no truth value (None, which is not True, would give more key).

    >>> import qkdpost as qp
    >>> disclosed = qp.security.Disclosed(leakage_bits=90_000, verification_bits=64, two_way=True)
    >>> disclosed.leakage_bits
    90000
    """

    leakage_bits: int
    verification_bits: int | None
    two_way: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "leakage_bits", whole_number("leakage_bits", self.leakage_bits))
        object.__setattr__(self, "two_way", flag("two_way", self.two_way))
        if self.verification_bits is None:
            return
        object.__setattr__(self, "verification_bits", whole_number("verification_bits", self.verification_bits))
        if self.verification_bits > self.leakage_bits:
            raise InputError(
                "verification_bits are part of leakage_bits and must not exceed them; found "
                f"{self.verification_bits} > {self.leakage_bits}"
            )

    def with_verification(self, budget: Epsilon) -> Disclosed:
        """Return the same with verification in the leakage: what it will be charged at least, if it is not in there.

        A threshold of leakage covers verification, so that what will come of it counts against the threshold.
        """
        if self.verification_bits is not None:
            return self
        verification = budget.verification_charge_bits
        return replace(self, leakage_bits=self.leakage_bits + verification, verification_bits=verification)


class Bound(Protocol[Tally_contra, Settings_contra]):
    """How many bits of a block are secret: one call, for every kind of QKD.

    A function that has this shape can be the bound of a kind. `settings` is a frozen record of the bound's own
    choices; each kind has its own type.

    >>> from qkdpost.security import bb84
    >>> callable(bb84.apply_bound)
    True
    """

    def __call__(
        self, tally: Tally_contra, disclosed: Disclosed, budget: Epsilon, settings: Settings_contra, /
    ) -> SecretLength:
        """Apply the bound.

        Args:
            tally: the block's counts, all public.
            disclosed: what the conversation published of the key.
            budget: how far from ideal the key may be.
            settings: what the link's two hosts agreed on beforehand.

        Raises:
            InputError: counts that contradict each other, or of another kind.
            ConfigurationError: there is no bound for what is asked.
        """
        ...
