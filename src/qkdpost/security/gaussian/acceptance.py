"""The thresholds of the fixed-length bounds for Gaussian modulation."""

from __future__ import annotations

from qkdpost.checks import keep, real_number, whole_number
from qkdpost.security.thresholds import Acceptance

__all__ = ["GaussianAcceptance"]


class GaussianAcceptance(Acceptance, frozen=True, kw_only=True):
    """The thresholds of a fixed-length protocol for Gaussian-modulated coherent states.

    A block is accepted if its limits on gain and noise prove that an eavesdropper holds no more bits of a symbol than
    `holevo_information`, if the directions of Bob's vectors tell no more than `direction_bits`, and if no more than
    `leakage_bits` were charged; the length is that of the thresholds, never that of the data.

    Args:
        key_reals: m, the outcomes that take part in correction, exactly.
        holevo_information: bits a symbol, 0 ... 2^10.
        direction_bits: of the whole block, what is charged for correlation in time included.
        leakage_bits: the maximum that may be charged, verification and frames that are given up included.

    Raises:
        InputError: a number out of range.

    >>> import qkdpost as qp
    >>> import inspect
    >>> "leakage_bits" in inspect.signature(qp.security.GaussianAcceptance).parameters
    True
    """

    key_reals: int
    holevo_information: float
    direction_bits: float
    leakage_bits: int

    def __post_init__(self) -> None:
        keep(self, "key_reals", whole_number("key_reals", self.key_reals, least=1))
        keep(self, "leakage_bits", whole_number("leakage_bits", self.leakage_bits))
        information = real_number("holevo_information", self.holevo_information, least=0.0, most=2.0**10)
        keep(self, "holevo_information", information)
        keep(self, "direction_bits", real_number("direction_bits", self.direction_bits, least=0.0, most=2.0**53))
