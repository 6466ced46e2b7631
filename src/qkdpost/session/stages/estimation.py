"""Estimation: which rounds are compared in public, and how many of them differ.

With test "basis" all rounds of the test basis are compared, and a small sample of the key basis only to set up
correction. With test "sample" a random sample of all sifted rounds is compared and serves for both; the rest of both
bases makes key, and how much of either came from which basis goes into the tally. Which rounds are sampled is drawn
after sifting, by the reference, and follows for both hosts from one seed. Every compared round is removed from the
key.

Where a fixed-length proof speaks of exact numbers of key and test rounds, what is above them is discarded, at random
by the same seed: neither compared nor key. Either host gives a block up that has too few.
"""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.messages import AbortReason, ComparedBits, SampleSeed
from qkdpost.dialogue.program import RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.errors import LocalProtocolError, RemoteProtocolError
from qkdpost.keys.price import AUTHENTICATION_BITS, too_short
from qkdpost.labels import Labels
from qkdpost.protocols.compared import ComparedRounds
from qkdpost.session.blocks.block import Block
from qkdpost.shared_random import sample_positions
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.statistics.error_rate import sample_size

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
    _stop_if_hopeless(block)


def follow(block: Block) -> Program[None]:
    """Take the sample, disclose the same rounds, and stop the block as the reference does."""
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
    _stop_if_hopeless(block)


def _stop_if_hopeless(block: Block) -> None:
    """End the block where not even correction without a leak would leave key; each host finds out by itself."""
    best = block.secret_length(at_best=True)
    if best.bits <= AUTHENTICATION_BITS:
        known = "" if block.link.security.acceptance is not None else "even without leakage: "
        raise AbortBlock(AbortReason.NO_KEY_LEFT, known + (best.reason or too_short(best.bits)))


def _sifted(block: Block) -> SiftedKey:
    """Return what sifting left, if it is enough for the sizes that the link has set."""
    if block.sifted is None:
        raise LocalProtocolError("estimation comes after sifting")
    if block.link.security.exact_sizes is not None:
        key_bits, test_bits = block.link.security.exact_sizes
        sampled = sample_size(len(block.sifted.key_bits))
        _check_size(
            len(block.sifted.key_bits), key_bits + sampled, f"threshold key_bits {key_bits}, and a sample of {sampled}"
        )
        _check_size(len(block.sifted.test_bits), test_bits, f"threshold test_bits {test_bits}")
    return block.sifted


def _check_size(found: int, needed: int, thresholds: str) -> None:
    if found < needed:
        raise AbortBlock(
            AbortReason.TOO_FEW_BITS, f"not accepted: {found} sifted bits, where {needed} are needed ({thresholds})"
        )


def _choose(block: Block, sifted: SiftedKey, seed: bytes) -> _Disclosure:
    share = block.link.protocol.disclosed_share
    if share is None:
        return _choose_by_basis(block, sifted, seed)
    candidates = concatenate((sifted.key_bits, sifted.test_bits))
    mask = _drawn(seed, b"sample", len(candidates), max(1, int(len(candidates) * share)))
    in_key_basis = mask[: len(sifted.key_bits)].weight()
    return _Disclosure(
        test=candidates.select(mask),
        setup=Bits.zeros(0),
        key=candidates.select(~mask),
        key_labels=None,
        test_bits_in_key_basis=in_key_basis,
        key_bits_in_key_basis=len(sifted.key_bits) - in_key_basis,
    )


def _choose_by_basis(block: Block, sifted: SiftedKey, seed: bytes) -> _Disclosure:
    mask = _drawn(seed, b"sample", len(sifted.key_bits), sample_size(len(sifted.key_bits)))
    setup, key, test = sifted.key_bits.select(mask), sifted.key_bits.select(~mask), sifted.test_bits
    labels = None if sifted.key_labels is None else sifted.key_labels.select(~mask)
    if block.link.security.exact_sizes is not None:
        key_bits, test_bits = block.link.security.exact_sizes
        block.report.surplus_bits = len(key) - key_bits + len(test) - test_bits
        key = key.select(~_drawn(seed, b"surplus of the key basis", len(key), len(key) - key_bits))
        test = test.select(~_drawn(seed, b"surplus of the test basis", len(test), len(test) - test_bits))
    return _Disclosure(
        test=test,
        setup=setup,
        key=key,
        key_labels=labels,
        test_bits_in_key_basis=0,
        key_bits_in_key_basis=len(key),
    )


def _drawn(seed: bytes, label: bytes, length: int, count: int) -> Bits:
    """Return a mask of `length` bits with `count` set, uniformly random, alike on both hosts."""
    return Bits.from_positions(sample_positions(seed, label, length, count), length)


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
