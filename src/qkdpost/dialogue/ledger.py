"""The ledger: every bit that a block disclosed, by cause and direction.

Both hosts keep one, fed by each stage that discloses, and the two must be equal before a length is agreed. What the
ledger holds beyond plain counts is what the security proof asks: whether correction was two-way. A corrector that
answers the reference publishes the error pattern W = X xor Y; given W its own messages are functions of the reference's
parities, so the reference's parities alone are charged, and the vacuum term of a decoy bound must go (Tupkary and
Luetkenhaus, Phys. Rev. Applied 20, 064040; conditions in `qkdpost.security`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from qkdpost.checks import instance, whole_number
from qkdpost.display import html_table

__all__ = ["Cause", "Ledger"]


class Cause(IntEnum):
    """Why bits of the key were disclosed; the number stands for the cause on the wire.

    Members:
        REFERENCE_PARITIES: parities and syndrome bits of the reference's key, of no frame more than it has
            bits: charged.
        CORRECTOR_PARITIES: parities of the corrector's key, and how many bits it asks for in blind rounds:
            functions of W and of what is charged; not charged, but two-way.
        FRAME_TAGS: universal hashes of single frames: charged.
        FRAME_VERDICTS: one accept bit for each frame, of verification and of each attempt at LDPC decoding:
            charged.
        BLOCK_TAG: the universal hash of the whole block, and another of what is kept if frames are wrong: charged.
        BLOCK_VERDICT: the accept bit of the block: charged.
        DROPPED_FRAMES: all bits of frames that were given up, less what is known to be charged of them already:
            charged.
        REVEALED_BITS: punctured bits sent in the clear in blind rounds, each of which discloses one syndrome
            bit more, and bits of the key itself after them: charged.
        STATISTICS: numbers announced for the bound that hang on outcomes which make key: charged, each with all
            its bits.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=400_000, rng=1)
    >>> report = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84())).report
    >>> report.ledger.bits(qp.Cause.BLOCK_VERDICT)
    1
    """

    REFERENCE_PARITIES = 0
    CORRECTOR_PARITIES = 1
    FRAME_TAGS = 2
    FRAME_VERDICTS = 3
    BLOCK_TAG = 4
    BLOCK_VERDICT = 5
    DROPPED_FRAMES = 6
    REVEALED_BITS = 7
    STATISTICS = 8


_NOT_CHARGED = frozenset({Cause.CORRECTOR_PARITIES})


@dataclass(slots=True)
class Ledger:
    """Counts of disclosed bits for one block; it only grows.

    >>> import qkdpost as qp
    >>> ledger = qp.Ledger()
    >>> ledger.disclose(qp.Cause.REFERENCE_PARITIES, 100)
    >>> ledger.disclose(qp.Cause.CORRECTOR_PARITIES, 100)
    >>> ledger.charged_bits, ledger.two_way
    (100, True)
    """

    _counts: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(Cause, 0))

    def disclose(self, cause: Cause, bits: int) -> None:
        """Count `bits` more bits under `cause`.

        Raises:
            InputError: a negative number of bits, for nothing once disclosed can be taken back; or no such cause.
        """
        named = instance("cause", cause, Cause)
        self._counts[named] += whole_number(f"bits disclosed as {named.name.lower()}", bits)

    def bits(self, cause: Cause) -> int:
        """Return the bits disclosed under `cause`.

        Raises:
            InputError: no such cause.
        """
        return self._counts[instance("cause", cause, Cause)]

    @property
    def charged_bits(self) -> int:
        """The leakage that the length of the key must pay for."""
        return sum(bits for cause, bits in self._counts.items() if cause not in _NOT_CHARGED)

    @property
    def two_way(self) -> bool:
        """Whether the corrector published the error pattern."""
        return any(self._counts[cause] > 0 for cause in _NOT_CHARGED)

    def __repr__(self) -> str:
        return f"Ledger(charged_bits={self.charged_bits}, two_way={self.two_way})"

    def _repr_html_(self) -> str:
        rows = [(name.replace("_", " "), f"{bits:,} bits") for name, bits in self.to_dict().items()]
        return html_table("disclosed", [*rows, ("charged", f"{self.charged_bits:,} bits")])

    def to_tuple(self) -> tuple[int, ...]:
        """Return the counts in the order of `Cause`, as they are compared between the hosts."""
        return tuple(self._counts[cause] for cause in Cause)

    def to_dict(self) -> dict[str, int]:
        """Return the counts by name of their cause."""
        return {cause.name.lower(): self._counts[cause] for cause in Cause}
