"""What sifting makes of the raw records of one side."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.bits import Bits
from qkdpost.checks import instance, whole_number
from qkdpost.errors import InputError
from qkdpost.labels import Labels

__all__ = ["SiftedKey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiftedKey:
    """One side's bits of the rounds that both sides kept, in an order common to both.

    Args:
        key_bits: outcomes in the key basis. Secret.
        test_bits: outcomes in the test basis, which will be disclosed whole.
        rounds: how many rounds were seen by both sides, whatever their bases.
        pulses: how many pulses or slots the records covered.
        key_labels: with decoy states, the intensity of each of the key bits; public.
        test_labels: the same for the test bits.
        double_clicks: in how many events of this side's records, sifted or not, both detectors of a basis clicked.
        cross_clicks: and in how many detectors of both bases did.
        matched_by_tenth: of time tags, the events reported and those kept, in each tenth of each record; public.
        notices: what is to be said of the records, in sentences.

    >>> import qkdpost as qp
    >>> from qkdpost import sifting
    >>> tags = qp.simulation.bbm92_time_tags(duration_s=0.1, pair_rate_hz=1e6, rng=1)
    >>> key = sifting.pair_time_tags(*tags).answering
    >>> isinstance(key, qp.SiftedKey), key.rounds > 100
    (True, True)
    """

    key_bits: Bits
    test_bits: Bits
    rounds: int
    pulses: int = 0
    key_labels: Labels | None = None
    test_labels: Labels | None = None
    double_clicks: int = 0
    cross_clicks: int = 0
    matched_by_tenth: tuple[tuple[int, int], ...] = ()
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("key_bits", "test_bits"):
            instance(name, getattr(self, name), Bits)
        for name in ("rounds", "pulses", "double_clicks", "cross_clicks"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name)))
        for name, bits in (("key_labels", self.key_bits), ("test_labels", self.test_bits)):
            labels = getattr(self, name)
            if labels is not None and len(instance(name, labels, Labels)) != len(bits):
                raise InputError(f"{name} has one label for each of {len(bits)} bits; found {len(labels)}")
