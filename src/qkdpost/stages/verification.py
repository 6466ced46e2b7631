"""Verification: wrong frames are found by short tags and dropped; the whole block by one long tag.

The long tag makes the block correct up to the correctness epsilon; the short ones only say which frames to give up, so
that one bad frame does not cost the block. Tags and verdicts are leakage, and so is every bit of a dropped frame. Each
hash key is drawn after the strings are fixed.
"""

from __future__ import annotations

import numpy as np

from qkdpost.bits import Bits, concatenate
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AbortReason, BlockTag, BlockVerdict, FrameTags, FrameVerdict
from qkdpost.dialogue.program import RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.reconciliation.correction import even_frame_bits
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength
from qkdpost.stages.block import Block
from qkdpost.stages.facts import BoundFacts, ErrorFacts, VerificationFacts
from qkdpost.stages.key_errors import count_errors, take_errors
from qkdpost.stages.outcomes import CorrectedKey, VerifiedKey, give_up
from qkdpost.stages.stage import Stage
from qkdpost.verification import frame_tags, hash_tag, tag_bits_for

__all__ = ["VERIFICATION"]

HASH_KEY_BYTES = 32


def reference(block: Block, corrected: CorrectedKey) -> Program[VerifiedKey]:
    """Send tags of every frame, hear which are equal, and send the tag of the block."""
    hash_key = block.random_source(HASH_KEY_BYTES)
    tags = _frame_tags(block, corrected, hash_key)
    yield FrameTags(block=block.number, hash_key=hash_key, tags=tags.to_bytes())
    verdict = expect((yield RECEIVE), FrameVerdict)
    equal = peer_bits(verdict.equal, _frames(block, corrected), "frame verdicts")
    key, kept = yield from _drop_frames(block, corrected, equal)
    errors = take_errors(block, verdict, corrected, kept)
    if verdict.corrected is not None:
        yield ErrorFacts(key_errors=verdict.corrected)
    hash_key = block.random_source(HASH_KEY_BYTES)
    tag = hash_tag(key, hash_key, _block_tag_bits(block, key))
    verification_bits = _disclose_block(block, len(tag))
    yield BlockTag(block=block.number, hash_key=hash_key, tag=tag.to_bytes())
    answer = expect((yield RECEIVE), BlockVerdict)
    _accept(answer.equal)
    secret = yield from _bound(block, corrected, errors, verification_bits)
    return VerifiedKey(key=key, secret=secret, peer_bound_bits=answer.bound_bits)


def corrector(block: Block, corrected: CorrectedKey) -> Program[VerifiedKey]:
    """Compare the peer's tags with this side's."""
    sent = expect((yield RECEIVE), FrameTags)
    own = _frame_tags(block, corrected, sent.hash_key)
    differences = own ^ peer_bits(sent.tags, len(own), "frame tags")
    equal = _equal_frames(differences, block.blocks.frame_tag_bits)
    key, kept = yield from _drop_frames(block, corrected, equal)
    found, errors = count_errors(block, corrected, kept)
    if found is not None:
        yield ErrorFacts(key_errors=found)
    yield FrameVerdict(block=block.number, equal=equal.to_bytes(), corrected=found, errors=errors or ())
    whole = expect((yield RECEIVE), BlockTag)
    tag = hash_tag(key, whole.hash_key, _block_tag_bits(block, key))
    verification_bits = _disclose_block(block, len(tag))
    verdict = tag == peer_bits(whole.tag, len(tag), "block tag")
    if not verdict:
        yield BlockVerdict(block=block.number, equal=False, bound_bits=0)
    _accept(verdict)
    secret = yield from _bound(block, corrected, errors, verification_bits)
    verified = VerifiedKey(key=key, secret=secret, peer_bound_bits=0)
    yield BlockVerdict(block=block.number, equal=True, bound_bits=verified.own_bound_bits)
    return verified


def _frames(block: Block, corrected: CorrectedKey) -> int:
    return -(-len(corrected.key) // block.blocks.frame_bits)


def _frame_bits(block: Block, corrected: CorrectedKey) -> int:
    return even_frame_bits(len(corrected.key), block.blocks.frame_bits)


def _frame_tags(block: Block, corrected: CorrectedKey, hash_key: bytes) -> Bits:
    """Return this side's tags of all frames, and charge them with the verdicts on them."""
    tags = frame_tags(corrected.key, _frame_bits(block, corrected), hash_key, block.blocks.frame_tag_bits)
    block.ledger.disclose(Cause.FRAME_TAGS, len(tags))
    block.ledger.disclose(Cause.FRAME_VERDICTS, _frames(block, corrected))
    return tags


def _block_tag_bits(block: Block, key: Bits) -> int:
    return tag_bits_for(Epsilon.split(block.security.epsilon).correctness, len(key))


def _disclose_block(block: Block, tag_bits: int) -> int:
    """Charge the tag of the block and the verdict on it; return how many bits these are."""
    block.ledger.disclose(Cause.BLOCK_TAG, tag_bits)
    block.ledger.disclose(Cause.BLOCK_VERDICT, 1)
    return tag_bits + 1


def _equal_frames(differences: Bits, tag_bits: int) -> Bits:
    if not differences.weight():
        return ~Bits.zeros(len(differences) // tag_bits)
    return Bits.from_array(~np.asarray(differences, dtype=np.bool_).reshape(-1, tag_bits).any(axis=1))


def _drop_frames(block: Block, corrected: CorrectedKey, equal: Bits) -> Program[tuple[Bits, Bits]]:
    """Give up the frames that differ; return the rest of the key, and which bits before correction are kept."""
    key, kept = corrected.key, corrected.kept
    dropped_frames = len(equal) - equal.weight()
    if dropped_frames:
        charges, dropped = corrected.frame_charges, ~np.asarray(equal, dtype=np.bool_)
        charged = int(charges[dropped].sum()) if charges is not None else 0
        keep = _bits_of_frames(equal, _frame_bits(block, corrected), len(key))
        key, kept = give_up(block.ledger, key, keep, charged=charged), kept.replace(kept, keep)
    yield VerificationFacts(dropped_frames=dropped_frames, corrected_bits=len(key))
    if not len(key):
        raise AbortBlock(AbortReason.VERIFICATION_FAILED, "every frame of the block differs after correction")
    return key, kept


def _bits_of_frames(frames: Bits, frame_bits: int, length: int) -> Bits:
    """Return a mask of `length` bits with the bits of the marked frames."""
    whole = [~Bits.zeros(frame_bits) if flag else Bits.zeros(frame_bits) for flag in np.asarray(frames)]
    return concatenate(whole)[:length]


def _bound(
    block: Block, corrected: CorrectedKey, errors: tuple[int, ...] | None, verification_bits: int
) -> Program[SecretLength]:
    secret = block.secret_length(corrected.rounds, errors, verification_bits)
    yield BoundFacts(secret=secret)
    return secret


def _accept(equal: bool) -> None:
    if not equal:
        raise AbortBlock(AbortReason.VERIFICATION_FAILED, "the corrected keys differ; the block is given up")


VERIFICATION = Stage(
    name="verification",
    reference=reference,
    corrector=corrector,
    reference_hears=frozenset({FrameVerdict, BlockVerdict}),
    corrector_hears=frozenset({FrameTags, BlockTag}),
)
"""Frames are compared by short tags, the block by a long one."""
