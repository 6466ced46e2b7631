"""Verification of all frames that are kept by one long tag, then the bound.

Each frame was compared by a short tag when it was corrected. This one makes the block correct up to the correctness
epsilon, and with it the sums that the corrector announced: they rest on the frames' being right. Their other event, a
frame that is wrong and accepted, is the correctness epsilon, which the bound counts towards secrecy too.
"""

from __future__ import annotations

from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AbortReason, BlockTag, BlockVerdict
from qkdpost.dialogue.program import RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength
from qkdpost.stages.block import Block
from qkdpost.stages.continuous.outcomes import MeasuredKey
from qkdpost.stages.facts import BoundFacts
from qkdpost.stages.outcomes import VerifiedKey
from qkdpost.stages.stage import Stage
from qkdpost.verification import hash_tag, tag_bits_for

__all__ = ["BLOCK_VERIFICATION"]

HASH_KEY_BYTES = 32


def reference(block: Block, measured: MeasuredKey) -> Program[VerifiedKey]:
    """Send the tag, and hear whether it is the corrector's, and which length its bound allows."""
    tag_bits = _tag_bits(block, measured)
    hash_key = block.random_source(HASH_KEY_BYTES)
    yield BlockTag(block=block.number, hash_key=hash_key, tag=hash_tag(measured.key, hash_key, tag_bits).to_bytes())
    answer = expect((yield RECEIVE), BlockVerdict)
    _accept(answer.equal)
    secret = yield from _bound(block, measured, tag_bits)
    return VerifiedKey(key=measured.key, secret=secret, peer_bound_bits=answer.bound_bits)


def corrector(block: Block, measured: MeasuredKey) -> Program[VerifiedKey]:
    """Compare the tag with this side's."""
    tag_bits = _tag_bits(block, measured)
    sent = expect((yield RECEIVE), BlockTag)
    equal = hash_tag(measured.key, sent.hash_key, tag_bits) == peer_bits(sent.tag, tag_bits, "block tag")
    if not equal:
        yield BlockVerdict(block=block.number, equal=False, bound_bits=0)
    _accept(equal)
    secret = yield from _bound(block, measured, tag_bits)
    verified = VerifiedKey(key=measured.key, secret=secret, peer_bound_bits=0)
    yield BlockVerdict(block=block.number, equal=True, bound_bits=verified.own_bound_bits)
    return verified


def _tag_bits(block: Block, measured: MeasuredKey) -> int:
    """Return the length of the tag, and charge it with the verdict on it."""
    if not len(measured.key):
        raise AbortBlock(AbortReason.VERIFICATION_FAILED, "every frame of the block was given up")
    tag_bits = tag_bits_for(Epsilon.split(block.security.epsilon).correctness, len(measured.key))
    block.ledger.disclose(Cause.BLOCK_TAG, tag_bits)
    block.ledger.disclose(Cause.BLOCK_VERDICT, 1)
    return tag_bits


def _bound(block: Block, measured: MeasuredKey, tag_bits: int) -> Program[SecretLength]:
    secret = block.secret_length(measured.tally, None, tag_bits + 1)
    yield BoundFacts(secret=secret)
    return secret


def _accept(equal: bool) -> None:
    if not equal:
        raise AbortBlock(AbortReason.VERIFICATION_FAILED, "the corrected keys differ; the block is given up")


BLOCK_VERIFICATION = Stage(
    name="verification",
    reference=reference,
    corrector=corrector,
    reference_hears=frozenset({BlockVerdict}),
    corrector_hears=frozenset({BlockTag}),
)
