"""Estimation: which rounds are compared in public, and how many of them differ.

With test "basis" all rounds of the test basis are compared, and a small sample of the key basis only to set up
correction. With test "sample" a random sample of all sifted rounds is compared and serves for both; the rest of both
bases makes key, and how much of either came from which basis goes into the tally. Which rounds are sampled is drawn
after sifting, by the reference, and follows for both hosts from one seed. Every compared round is removed from the
key.
"""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.bits import Bits, concatenate
from qkdpost.conversation import RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.errors import LocalProtocolError, RemoteProtocolError
from qkdpost.estimation import sample_size
from qkdpost.messages import AbortReason, ComparedBits, SampleSeed
from qkdpost.records import Labels, SiftedKey
from qkdpost.session.block import Block
from qkdpost.shared_random import sample_positions
from qkdpost.tallying import ComparedRounds

__all__ = ["follow", "lead"]

SEED_BYTES = 32
LEAST_SETUP_BITS = 64
"""A smaller sample says too little about the error rate to set up correction; the test rounds then join in."""


@dataclass(frozen=True, slots=True)
class _Disclosure:
    """This side's bits of the rounds compared, and of the rest; bits of the key basis come first in each."""

    test: Bits
    setup: Bits
    key: Bits
    key_labels: Labels | None
    test_bits_in_key_basis: int
    key_bits_in_key_basis: int


def lead(block: Block) -> Program[None]:
    """Draw the sample, disclose first, and stop the block where no key could come of it."""
    sifted = _sifted(block)
    seed = block.random_source(SEED_BYTES)
    yield SampleSeed(block=block.number, key_bits=len(sifted.key_bits), test_bits=len(sifted.test_bits), seed=seed)
    own = _choose(block, sifted, seed)
    yield ComparedBits(block=block.number, test=own.test.to_bytes(), setup=own.setup.to_bytes())
    peer = expect((yield RECEIVE), ComparedBits)
    _compare(block, sifted, own, peer)
    best = block.secret_length(at_best=True)
    if not best.bits:
        raise AbortBlock(AbortReason.NO_KEY_LEFT, f"even without leakage: {best.reason}")


def follow(block: Block) -> Program[None]:
    """Take the sample, and disclose the same rounds."""
    sifted = _sifted(block)
    drawn = expect((yield RECEIVE), SampleSeed)
    if (drawn.key_bits, drawn.test_bits) != (len(sifted.key_bits), len(sifted.test_bits)):
        raise RemoteProtocolError(
            f"the peer sifted {drawn.key_bits} + {drawn.test_bits} bits, this host "
            f"{len(sifted.key_bits)} + {len(sifted.test_bits)}"
        )
    own = _choose(block, sifted, drawn.seed)
    peer = expect((yield RECEIVE), ComparedBits)
    yield ComparedBits(block=block.number, test=own.test.to_bytes(), setup=own.setup.to_bytes())
    _compare(block, sifted, own, peer)


def _sifted(block: Block) -> SiftedKey:
    if block.sifted is None:
        raise LocalProtocolError("estimation comes after sifting")
    return block.sifted


def _choose(block: Block, sifted: SiftedKey, seed: bytes) -> _Disclosure:
    if block.link.test == "basis":
        candidates, count = sifted.key_bits, sample_size(len(sifted.key_bits))
    else:
        candidates = concatenate((sifted.key_bits, sifted.test_bits))
        count = max(1, int(len(candidates) * block.link.sample_fraction))
    positions = sample_positions(seed, b"sample", len(candidates), count)
    mask = Bits.from_positions(positions, len(candidates))
    sampled, key = candidates.select(mask), candidates.select(~mask)
    if block.link.test == "basis":
        labels = None if sifted.key_labels is None else sifted.key_labels.select(~mask)
        return _Disclosure(
            test=sifted.test_bits,
            setup=sampled,
            key=key,
            key_labels=labels,
            test_bits_in_key_basis=0,
            key_bits_in_key_basis=len(key),
        )
    in_key_basis = mask[: len(sifted.key_bits)].weight()
    return _Disclosure(
        test=sampled,
        setup=Bits.zeros(0),
        key=key,
        key_labels=None,
        test_bits_in_key_basis=in_key_basis,
        key_bits_in_key_basis=len(sifted.key_bits) - in_key_basis,
    )


def _compare(block: Block, sifted: SiftedKey, own: _Disclosure, peer: ComparedBits) -> None:
    test_difference = own.test ^ peer_bits(peer.test, len(own.test), "test bits")
    test_errors = test_difference.weight()
    setup_errors = (own.setup ^ peer_bits(peer.setup, len(own.setup), "set-up bits")).weight()
    report = block.report
    report.test_bits, report.test_errors = len(own.test), test_errors
    report.setup_bits, report.setup_errors = len(own.setup), setup_errors
    report.key_bits = len(own.key)
    block.bits = own.key
    block.kept = ~Bits.zeros(len(own.key))
    block.compared = ComparedRounds(
        key_bits=len(own.key),
        test_difference=test_difference,
        key_bits_in_key_basis=own.key_bits_in_key_basis,
        test_bits_in_key_basis=own.test_bits_in_key_basis,
        pulses=sifted.pulses,
        key_labels=own.key_labels,
        test_labels=sifted.test_labels,
    )
    errors, bits = setup_errors, len(own.setup)
    if bits < LEAST_SETUP_BITS:
        errors, bits = errors + test_errors, bits + len(own.test)
    block.errors_seen = errors
    block.qber_ppm = 1_000_000 * (2 * errors + 1) // (2 * bits + 2)
