"""Looking for the rows of an extension by density evolution, one rate after the other.

The rows of a lower rate contain those of every higher rate. So rates are searched from high to low: what a rate adds to
the rows before is moved between kinds of rows, a little at a time, while the ensemble converges at a higher efficiency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qkdpost.reconciliation.raptor_design.density_evolution import (
    RaptorEnsemble,
    converges,
    snr_of_efficiency,
    threshold_efficiency,
)

__all__ = ["KINDS", "search_rows"]

Rows = dict[tuple[int, int], float]

KINDS = ((2, 0), (3, 0), (4, 0), (5, 0), (1, 1), (2, 1), (3, 1), (4, 1))
"""Information and parity edges of a row; the decoder takes rows of two to five core edges."""
_STEP = 0.002
"""By how much the efficiency must rise at once, and by which it is raised further while it can be."""


def search_rows(
    before: Mapping[tuple[int, int], float],
    start: Mapping[tuple[int, int], float],
    *,
    moves: Sequence[float] = (0.08, 0.03),
    iterations: int = 400,
) -> tuple[Rows, float]:
    """Return rows to add, counted for each information column, and the efficiency at which all of them converge.

    Args:
        before: rows of the next higher rate, which stay.
        start: rows to add, from which the search begins; their sum stays.
        moves: shares of the rows added that change kind in one step, one round of all pairs of kinds after the other.
        iterations: flooding ones, within which an ensemble must converge; some twice those of a layered decoder.
    """
    added = {kind: float(start.get(kind, 0.0)) for kind in KINDS}
    total = sum(added.values())

    def ensemble(rows: Mapping[tuple[int, int], float]) -> RaptorEnsemble:
        both = {kind: before.get(kind, 0.0) + rows.get(kind, 0.0) for kind in KINDS}
        return RaptorEnsemble(extension=both, increments={})

    def good(rows: Mapping[tuple[int, int], float], efficiency: float) -> bool:
        candidate = ensemble(rows)
        return converges(candidate, snr_of_efficiency(candidate.rate, efficiency), iterations)[0]

    efficiency = threshold_efficiency(ensemble(added), digits=_STEP / 2, iterations=iterations)
    for share in moves:
        for giver in KINDS:
            for taker in KINDS:
                moved = min(share * total, added[giver])
                if giver == taker or moved <= 0:
                    continue
                changed = added | {giver: added[giver] - moved, taker: added[taker] + moved}
                while good(changed, efficiency + _STEP):
                    added, efficiency = changed, efficiency + _STEP
    return {kind: round(number, 4) for kind, number in added.items()}, efficiency
