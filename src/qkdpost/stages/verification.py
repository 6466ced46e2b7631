"""Verification: wrong frames are found by short tags and dropped; the whole block by one long tag.

The long tag makes the block correct up to the correctness epsilon; the short ones only say which frames to give up, so
that one bad frame does not cost the block. Both are sent at once. If all short tags are equal, the long one decides;
if not, it says nothing, and another decides on the frames that are left: its key is drawn when that is settled, and the
first one is charged too.

Let e be the correctness epsilon: for strings of the length that it compares, a long tag is long enough to miss a
difference with probability at most e. The keys of all tags are independent, and each is drawn after the strings that it
hashes are fixed: which frames are left hangs on the strings and on the key of the short tags alone. So whatever the
strings are, a difference in what is kept goes unseen with probability at most

    P(no short tag differs) e + P(some short tag differs) e = e.

What somebody on the line makes of it, who sees keys before he passes on what was said, is found by the tags over the
whole conversation (`qkdpost.stages.release`). Tags and verdicts are leakage, and so is every bit of a dropped frame.
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
    """Send tags of every frame and of the block, and hear which are equal; tag again what is left without wrong frames.

    Where no frame is wrong, which is nearly always, the block takes one round trip.
    """
    hash_key = block.random_source(HASH_KEY_BYTES)
    tags = _frame_tags(block, corrected, hash_key)
    yield FrameTags(block=block.number, hash_key=hash_key, tags=tags.to_bytes())
    yield _block_tag(block, corrected.key)
    verdict = expect((yield RECEIVE), FrameVerdict)
    equal = peer_bits(verdict.equal, _frames(block, corrected), "frame verdicts")
    key, kept = yield from _drop_frames(block, corrected, equal)
    errors = take_errors(block, verdict, corrected, kept)
    if verdict.corrected is not None:
        yield ErrorFacts(key_errors=verdict.corrected)
    if len(key) < len(corrected.key):
        yield _block_tag(block, key)
    answer = expect((yield RECEIVE), BlockVerdict)
    _accept(block, answer.equal)
    secret = yield from _bound(block, corrected, errors, key)
    return VerifiedKey(key=key, secret=secret, peer_bound_bits=answer.bound_bits)


def corrector(block: Block, corrected: CorrectedKey) -> Program[VerifiedKey]:
    """Compare the peer's tags with this side's."""
    sent = expect((yield RECEIVE), FrameTags)
    own = _frame_tags(block, corrected, sent.hash_key)
    differences = own ^ peer_bits(sent.tags, len(own), "frame tags")
    verdict = _is_equal(block, corrected.key, expect((yield RECEIVE), BlockTag))
    equal = _equal_frames(differences, block.blocks.frame_tag_bits)
    key, kept = yield from _drop_frames(block, corrected, equal)
    found, errors = count_errors(block, corrected, kept)
    if found is not None:
        yield ErrorFacts(key_errors=found)
    yield FrameVerdict(block=block.number, equal=equal.to_bytes(), corrected=found, errors=errors or ())
    if len(key) < len(corrected.key):
        verdict = _is_equal(block, key, expect((yield RECEIVE), BlockTag))
    if not verdict:
        yield BlockVerdict(block=block.number, equal=False, bound_bits=0)
    _accept(block, verdict)
    secret = yield from _bound(block, corrected, errors, key)
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


def _block_tag(block: Block, key: Bits) -> BlockTag:
    """Return a tag of the block under a key drawn now, and charge it."""
    hash_key = block.random_source(HASH_KEY_BYTES)
    return BlockTag(block=block.number, hash_key=hash_key, tag=_charged_tag(block, key, hash_key).to_bytes())


def _is_equal(block: Block, key: Bits, sent: BlockTag) -> bool:
    """Compare the peer's tag of the block with this side's, and charge it."""
    own = _charged_tag(block, key, sent.hash_key)
    return own == peer_bits(sent.tag, len(own), "block tag")


def _charged_tag(block: Block, key: Bits, hash_key: bytes) -> Bits:
    tag = hash_tag(key, hash_key, _block_tag_bits(block, key))
    block.ledger.disclose(Cause.BLOCK_TAG, len(tag))
    return tag


def _block_tag_bits(block: Block, key: Bits) -> int:
    return tag_bits_for(Epsilon.split(block.security.epsilon).correctness, len(key))


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


def _bound(block: Block, corrected: CorrectedKey, errors: tuple[int, ...] | None, key: Bits) -> Program[SecretLength]:
    """Apply the bound to all that is disclosed; a tag of the block that did not decide counts with correction."""
    secret = block.secret_length(corrected.rounds, errors, _block_tag_bits(block, key) + 1)
    yield BoundFacts(secret=secret)
    return secret


def _accept(block: Block, equal: bool) -> None:
    """Charge the verdict on the block, and give it up if its tags differ."""
    block.ledger.disclose(Cause.BLOCK_VERDICT, 1)
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
