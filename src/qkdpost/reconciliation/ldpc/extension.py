"""What is asked for of frames that blind rounds left: key bits, so that no frame falls to hundreds of round trips.

When its punctured bits are revealed, a frame can still be helped by revealing bits of its key: one that both sides know
needs no correction, so that the syndrome has fewer to find. Each is charged as a bit disclosed, like any other. It
lowers what the frame needs by h(Q) f only, less than a punctured bit does, yet a few in a hundred of the key bits lift
a frame by several widths of its law, for a tenth of what correcting it anew would disclose. So they are asked for
twice, and in blind rounds that are left over: as many as should do, and at last all that there are; that is never more
than Cascade would disclose.

Which key bits, the seed says: a random choice, the same in every frame, drawn after the quantum phase.
"""

from __future__ import annotations

import math

from qkdpost.reconciliation.ldpc.blind_rounds import NeedLaw
from qkdpost.reconciliation.ldpc.plan import LdpcPlan

__all__ = ["wanted_extension"]

_STEP_WIDTHS = 1.0
"""How much farther than where it failed a frame is tried next ..."""
_LEAST_WIDTH = 1.0
"""... and where at least, when it failed because there were more errors than the plan reckoned with."""
_WORTH_WIDTH = 0.5
"""What revealing all that it may must reach: else most of it would be wasted."""


def wanted_extension(plan: LdpcPlan, law: NeedLaw, hidden: int, requests_left: int) -> int:
    """Return how many bits more of each frame to ask for; 0 to give up.

    Args:
        plan: of the block.
        law: what a frame of which no key bit was shown needs.
        hidden: bits of a frame that may yet be revealed, key bits and punctured ones; the latter are revealed first.
        requests_left: how often more may be asked for, this time included.
    """
    checks, punctured = plan.syndrome_bits, max(0, hidden - plan.extension_bits)
    shown = plan.extension_bits + punctured - hidden
    # Correcting the frame anew would disclose less than the middle of its law.
    most = min(plan.extension_bits, int(law.middle_bits)) - shown
    if most <= 0 or not requests_left or _level(plan, law, shown + most, 0) < _WORTH_WIDTH:
        return 0
    if requests_left == 1:
        return punctured + most
    wanted = max(_level(plan, law, shown, punctured) + _STEP_WIDTHS, _LEAST_WIDTH)
    if law.width_at(checks, checks) >= wanted:
        return max(1, min(punctured, law.disclosed_at(wanted, checks) - (checks - punctured)))
    left = checks / (law.middle_bits + wanted * law.width_bits)
    more = math.ceil(plan.key_bits * (1.0 - left)) - shown
    return punctured + min(most, max(1, more))


def _level(plan: LdpcPlan, law: NeedLaw, shown: int, punctured: int) -> float:
    """Return the level of a frame of which key bits are shown and punctured bits hidden."""
    checks = plan.syndrome_bits
    return law.shown(shown / plan.key_bits).width_at(checks - punctured, checks)
