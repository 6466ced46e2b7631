"""Any link to be planned, and what a block of it is expected to give."""

from __future__ import annotations

from typing import Any, TypeVar

from qkdpost.checks import described
from qkdpost.errors import InputError
from qkdpost.planning.parameters import check_efficiency
from qkdpost.planning.planned_link import PlannedLink, check_pulses
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength

__all__ = ["check_link", "expected_length"]

_Link = TypeVar("_Link", bound=PlannedLink)


def expected_length(
    link: PlannedLink,
    *,
    pulses: float,
    epsilon: Epsilon | float = 1e-10,
    efficiency: float | None = None,
    **options: Any,
) -> SecretLength:
    """Return the secret length of the tally that a link is expected to give, by the bound that a session would use.

    Args:
        link: the devices and choices.
        pulses: how many pulses make a block.
        epsilon: the budget, or a total.
        efficiency: f of error correction: it discloses f n h(error rate); None for 1.1. A `GaussianLink` has a
            reconciliation_efficiency of its own.
        options: for the kind's `secret_length`, as ``method="analytic"``.

    Raises:
        InputError: pulses or efficiency out of range, or `link` is not a link to be planned.

    >>> import qkdpost as qp
    >>> length = qp.planning.expected_length(qp.planning.DecoyBB84Link(fibre_km=50), pulses=1e10)
    >>> length.bits > 10**6, length.bound
    (True, 'variable-length')
    """
    link, budget = check_link(link), Epsilon.coerce(epsilon)
    if efficiency is not None:
        efficiency = check_efficiency(efficiency)
    return link.secret_length(check_pulses("pulses", pulses), efficiency, budget, **options)


def check_link(link: _Link) -> _Link:
    """Return a link to be planned.

    Raises:
        InputError: it is not one.
    """
    if not isinstance(link, PlannedLink):
        raise InputError(
            f"link must be a DecoyBB84Link, SinglePhotonBB84Link, BBM92Link or GaussianLink; found {described(link)}. "
            "A LinkConfig is what two hosts agree on; a link to be planned has its devices"
        )
    return link
