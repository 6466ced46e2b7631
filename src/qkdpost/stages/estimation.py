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

from collections.abc import Callable
from typing import TypeAlias

from qkdpost.dialogue.messages import AbortReason, ComparedBits, SampleSeed
from qkdpost.dialogue.program import PAUSE, RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.errors import RemoteProtocolError
from qkdpost.keys.price import AUTHENTICATION_BITS, too_short
from qkdpost.sifting.sifted import SiftedKey
from qkdpost.stages.block import Block
from qkdpost.stages.facts import BoundFacts, EstimationFacts
from qkdpost.stages.outcomes import ComparedKey, ComparedRounds
from qkdpost.stages.sampling import Disclosure, check_sizes, choose_by_basis, choose_from_both_bases
from qkdpost.stages.stage import Stage

__all__ = ["ESTIMATION", "Choose", "choose_as_set", "estimation"]

SEED_BYTES = 32
MIN_SETUP_BITS = 64
"""A smaller sample says too little about the error rate to set up correction; the test rounds then join in."""

Choose: TypeAlias = Callable[[Block, SiftedKey, bytes], Disclosure]
"""From what was sifted and a seed that both hosts hold to the rounds that are compared, and the rest."""


def estimation(choose: Choose, *, check: Callable[[Block, SiftedKey], None] = check_sizes) -> Stage:
    """Return the stage of estimation for a kind of QKD.

    Args:
        choose: which rounds are compared, the same on both hosts.
        check: raises `AbortBlock` where too little was sifted, before anything is disclosed.

    Returns:
        The stage. The reference draws the sample and discloses first; either host stops the block where no key could
        come of it.
    """

    def reference(block: Block, sifted: SiftedKey) -> Program[ComparedKey]:
        """Draw the sample, disclose first, and stop the block where no key could come of it."""
        check(block, sifted)
        seed = block.random_source(SEED_BYTES)
        yield SampleSeed(block=block.number, key_bits=len(sifted.key_bits), test_bits=len(sifted.test_bits), seed=seed)
        yield PAUSE
        own = choose(block, sifted, seed)
        yield ComparedBits(block=block.number, test=own.test.to_bytes(), setup=own.setup.to_bytes())
        peer = expect((yield RECEIVE), ComparedBits)
        return (yield from _compare(block, sifted, own, peer))

    def corrector(block: Block, sifted: SiftedKey) -> Program[ComparedKey]:
        """Take the sample, disclose the same rounds, and stop the block as the reference does."""
        check(block, sifted)
        drawn = expect((yield RECEIVE), SampleSeed)
        if (drawn.key_bits, drawn.test_bits) != (len(sifted.key_bits), len(sifted.test_bits)):
            raise RemoteProtocolError(
                f"the peer sifted {drawn.key_bits} + {drawn.test_bits} bits, this host "
                f"{len(sifted.key_bits)} + {len(sifted.test_bits)}"
            )
        own = choose(block, sifted, drawn.seed)
        peer = expect((yield RECEIVE), ComparedBits)
        yield ComparedBits(block=block.number, test=own.test.to_bytes(), setup=own.setup.to_bytes())
        return (yield from _compare(block, sifted, own, peer))

    return Stage(
        name="estimation",
        reference=reference,
        corrector=corrector,
        reference_hears=frozenset({ComparedBits}),
        corrector_hears=frozenset({SampleSeed, ComparedBits}),
    )


def choose_as_set(block: Block, sifted: SiftedKey, seed: bytes) -> Disclosure:
    """Choose as the kind's settings have it: the test basis whole, or a share of all rounds."""
    share = block.settings.disclosed_share
    return choose_by_basis(block, sifted, seed) if share is None else choose_from_both_bases(sifted, seed, share)


def _compare(block: Block, sifted: SiftedKey, own: Disclosure, peer: ComparedBits) -> Program[ComparedKey]:
    test_difference = own.test ^ peer_bits(peer.test, len(own.test), "test bits")
    test_errors = test_difference.weight()
    setup_errors = (own.setup ^ peer_bits(peer.setup, len(own.setup), "set-up bits")).weight()
    yield EstimationFacts(
        surplus_bits=own.surplus_bits,
        test_bits=len(own.test),
        test_errors=test_errors,
        setup_bits=len(own.setup),
        setup_errors=setup_errors,
        key_bits=len(own.key),
        could_sample=own.could_sample,
    )
    rounds = ComparedRounds(
        key_bits=len(own.key),
        test_difference=test_difference,
        key_bits_in_key_basis=own.key_bits_in_key_basis,
        test_bits_in_key_basis=own.test_bits_in_key_basis,
        pulses=sifted.pulses,
        key_labels=own.key_labels,
        test_labels=sifted.test_labels,
    )
    yield from _stop_if_hopeless(block, rounds)
    errors, bits = setup_errors, len(own.setup)
    if bits < MIN_SETUP_BITS:
        errors, bits = errors + test_errors, bits + len(own.test)
    qber_ppm = 1_000_000 * (2 * errors + 1) // (2 * bits + 2)
    return ComparedKey(key=own.key, rounds=rounds, qber_ppm=qber_ppm, errors_seen=errors)


def _stop_if_hopeless(block: Block, rounds: ComparedRounds) -> Program[None]:
    """End the block where not even correction without a leak would leave key; each host finds out by itself.

    A bound that asks for the errors of the key, by label, is given the best: none.
    """
    best = block.secret_length(rounds, (0,) * block.labels if block.labels else None)
    yield BoundFacts(secret=best)
    if best.bits <= AUTHENTICATION_BITS:
        known = "" if block.security.acceptance is not None else "even without leakage: "
        raise AbortBlock(AbortReason.NO_KEY_LEFT, known + (best.reason or too_short(best.bits)))


ESTIMATION = estimation(choose_as_set)
"""Estimation for the kinds of which the bits of two bases are compared."""
