"""Which sifted rounds are compared in public: a function of a seed that both hosts hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from qkdpost.bits import Bits, concatenate, partition
from qkdpost.dialogue.messages import AbortReason
from qkdpost.dialogue.program import AbortBlock
from qkdpost.labels import Labels
from qkdpost.shared_random import sample_mask
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.single_use import SingleUse
from qkdpost.stages.block import Block
from qkdpost.statistics.error_rate import sample_size

__all__ = ["Disclosure", "check_sizes", "choose_by_basis", "choose_from_both_bases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure(SingleUse):
    """This side's bits of the rounds compared, and of the rest; bits of the key basis come first in each.

    Args:
        test: compared for the bound; public once they are sent.
        setup: compared to set up correction; likewise.
        key: the rest, without a surplus. Secret.
        key_labels: the label of each of the rest, where rounds have labels.
        test_bits_in_key_basis: how many of `test` are of the key basis.
        key_bits_in_key_basis: how many of `key` are.
        surplus_bits: how many bits were discarded to meet sizes that were set beforehand.
        could_sample: whether the kind could have compared a sample of both bases instead.
    """

    test: Bits = field(repr=False)
    setup: Bits = field(repr=False)
    key: Bits = field(repr=False)
    key_labels: Labels | None
    test_bits_in_key_basis: int
    key_bits_in_key_basis: int
    surplus_bits: int = 0
    could_sample: bool = False


def choose_from_both_bases(sifted: SiftedKey, seed: bytes, sample_fraction: float) -> Disclosure:
    """Compare a random sample of all rounds; the rest of both bases makes key."""
    candidates = concatenate((sifted.key_bits, sifted.test_bits))
    mask = sample_mask(seed, b"sample", len(candidates), max(1, int(len(candidates) * sample_fraction)))
    in_key_basis = mask[: len(sifted.key_bits)].weight()
    test, key = partition(candidates, mask)
    return Disclosure(
        test=test,
        setup=Bits.zeros(0),
        key=key,
        key_labels=None,
        test_bits_in_key_basis=in_key_basis,
        key_bits_in_key_basis=len(sifted.key_bits) - in_key_basis,
    )


def choose_by_basis(block: Block, sifted: SiftedKey, seed: bytes) -> Disclosure:
    """Compare the test basis whole, and a small sample of the key basis; the rest of the key basis makes key."""
    mask = sample_mask(seed, b"sample", len(sifted.key_bits), sample_size(len(sifted.key_bits)))
    (setup, key), test = partition(sifted.key_bits, mask), sifted.test_bits
    labels = None if sifted.key_labels is None else sifted.key_labels.select(~mask)
    surplus_bits = 0
    if block.security.exact_sizes is not None:
        key_bits, test_bits = block.security.exact_sizes
        surplus_bits = len(key) - key_bits + len(test) - test_bits
        key = key.select(~sample_mask(seed, b"surplus of the key basis", len(key), len(key) - key_bits))
        test = test.select(~sample_mask(seed, b"surplus of the test basis", len(test), len(test) - test_bits))
    return Disclosure(
        test=test,
        setup=setup,
        key=key,
        key_labels=labels,
        test_bits_in_key_basis=0,
        key_bits_in_key_basis=len(key),
        surplus_bits=surplus_bits,
        could_sample=block.settings.could_sample,
    )


def check_sizes(block: Block, sifted: SiftedKey) -> None:
    """Give the block up if sifting left too little for the sizes that the link has set.

    Raises:
        AbortBlock: it did; both hosts find out by themselves, before anything is disclosed.
    """
    if block.security.exact_sizes is None:
        return
    key_bits, test_bits = block.security.exact_sizes
    sampled = sample_size(len(sifted.key_bits))
    _check_size(len(sifted.key_bits), key_bits + sampled, f"threshold key_bits {key_bits}, and a sample of {sampled}")
    _check_size(len(sifted.test_bits), test_bits, f"threshold test_bits {test_bits}")


def _check_size(found: int, needed: int, thresholds: str) -> None:
    if found < needed:
        raise AbortBlock(
            AbortReason.TOO_FEW_BITS, f"not accepted: {found} sifted bits, where {needed} are needed ({thresholds})"
        )
