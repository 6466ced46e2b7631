"""What the tallies of all kinds have in common; each stands beside the bound that it is for."""

from __future__ import annotations

from collections.abc import Sequence

from qkdpost.errors import InputError

__all__ = ["check_errors", "observed_rate"]


def check_errors(kind: str, errors: Sequence[int], counts: Sequence[int]) -> None:
    """Check that there are no more errors than rounds that could show one.

    Args:
        kind: "key" or "test", for the message.
        errors: for each basis or label.
        counts: the rounds that they were counted in, likewise.

    Raises:
        InputError: there are more.
    """
    for wrong, count in zip(errors, counts, strict=True):
        if wrong > count:
            raise InputError(
                f"{kind}_errors must not exceed the number of {kind} rounds that they were counted in; found "
                f"{wrong} > {count}"
            )


def observed_rate(name: str, errors: tuple[int, ...], counts: tuple[int, ...]) -> float:
    """Return the error rate of counts together.

    Raises:
        InputError: there are none.
    """
    total = sum(counts)
    if not total:
        raise InputError(f"there is no error rate: no round of the {name} basis was compared")
    return sum(errors) / total
