"""Verification: wrong frames are found by short tags and dropped; the whole block by one long tag.

The long tag makes the block correct up to the correctness epsilon; the short ones only say which frames to give up, so
that one bad frame does not cost the block. Tags and verdicts are leakage, and so is every bit of a dropped frame. Each
hash key is drawn after the strings are fixed.
"""

from __future__ import annotations

from qkdpost.bits import Bits, concatenate
from qkdpost.conversation import RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.leakage import Cause
from qkdpost.messages import AbortReason, BlockTag, BlockVerdict, FrameTags, FrameVerdict
from qkdpost.security.epsilon import Epsilon
from qkdpost.session.block import Block
from qkdpost.verification import frame_tags, hash_tag, tag_bits_for

__all__ = ["follow", "lead"]

HASH_KEY_BYTES = 32


def lead(block: Block) -> Program[None]:
    """Send tags of every frame, hear which are equal, and send the tag of the block."""
    key = block.random_source(HASH_KEY_BYTES)
    tags = frame_tags(block.bits, block.link.frame_bits, key, block.link.frame_tag_bits)
    _disclose_frames(block, len(tags))
    yield FrameTags(block=block.number, hash_key=key, tags=tags.to_bytes())
    verdict = expect((yield RECEIVE), FrameVerdict)
    _drop_frames(block, peer_bits(verdict.equal, block.report.frames, "frame verdicts"))
    key = block.random_source(HASH_KEY_BYTES)
    tag = hash_tag(block.bits, key, _block_tag_bits(block))
    _disclose_block(block, len(tag))
    yield BlockTag(block=block.number, hash_key=key, tag=tag.to_bytes())
    _accept(expect((yield RECEIVE), BlockVerdict).equal)


def follow(block: Block) -> Program[None]:
    """Compare the peer's tags with this side's."""
    sent = expect((yield RECEIVE), FrameTags)
    own = frame_tags(block.bits, block.link.frame_bits, sent.hash_key, block.link.frame_tag_bits)
    _disclose_frames(block, len(own))
    equal = _equal_frames(own ^ peer_bits(sent.tags, len(own), "frame tags"), block.link.frame_tag_bits)
    yield FrameVerdict(block=block.number, equal=equal.to_bytes())
    _drop_frames(block, equal)
    whole = expect((yield RECEIVE), BlockTag)
    tag = hash_tag(block.bits, whole.hash_key, _block_tag_bits(block))
    _disclose_block(block, len(tag))
    verdict = tag == peer_bits(whole.tag, len(tag), "block tag")
    yield BlockVerdict(block=block.number, equal=verdict)
    _accept(verdict)


def _block_tag_bits(block: Block) -> int:
    return tag_bits_for(Epsilon.split(block.link.epsilon).correctness, len(block.bits))


def _disclose_frames(block: Block, tag_bits: int) -> None:
    block.ledger.disclose(Cause.FRAME_TAGS, tag_bits)
    block.ledger.disclose(Cause.FRAME_VERDICTS, block.report.frames)


def _disclose_block(block: Block, tag_bits: int) -> None:
    block.ledger.disclose(Cause.BLOCK_TAG, tag_bits)
    block.ledger.disclose(Cause.BLOCK_VERDICT, 1)
    block.verification_bits = tag_bits + 1


def _equal_frames(differences: Bits, tag_bits: int) -> Bits:
    frames = len(differences) // tag_bits
    return Bits.from_array([not differences[i * tag_bits : (i + 1) * tag_bits].weight() for i in range(frames)])


def _drop_frames(block: Block, equal: Bits) -> None:
    kept = [block.bits[start:stop] for start, stop in _runs(equal, block.link.frame_bits)]
    before = len(block.bits)
    block.bits = concatenate(kept)
    block.report.dropped_frames = len(equal) - equal.weight()
    block.report.corrected_bits = len(block.bits)
    block.ledger.disclose(Cause.DROPPED_FRAMES, before - len(block.bits))
    if not len(block.bits):
        raise AbortBlock(AbortReason.VERIFICATION_FAILED, "every frame of the block differs after correction")


def _runs(equal: Bits, frame_bits: int) -> list[tuple[int, int]]:
    flags = [False, *map(bool, memoryview(bytes(equal.__array__()))), False]
    edges = [i for i in range(1, len(flags)) if flags[i] != flags[i - 1]]
    return [((a - 1) * frame_bits, (b - 1) * frame_bits) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _accept(equal: bool) -> None:
    if not equal:
        raise AbortBlock(AbortReason.VERIFICATION_FAILED, "the corrected keys differ; the block is given up")
