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
from qkdpost.errors import LocalProtocolError, RemoteProtocolError
from qkdpost.security.epsilon import Epsilon
from qkdpost.session.blocks.block import Block
from qkdpost.verification import frame_tags, hash_tag, tag_bits_for

__all__ = ["follow", "lead"]

HASH_KEY_BYTES = 32


def lead(block: Block) -> Program[None]:
    """Send tags of every frame, hear which are equal, and send the tag of the block."""
    key = block.random_source(HASH_KEY_BYTES)
    tags = frame_tags(block.bits, block.link.blocks.frame_bits, key, block.link.blocks.frame_tag_bits)
    _disclose_frames(block, len(tags))
    yield FrameTags(block=block.number, hash_key=key, tags=tags.to_bytes())
    verdict = expect((yield RECEIVE), FrameVerdict)
    _drop_frames(block, peer_bits(verdict.equal, block.report.frames, "frame verdicts"))
    _take_errors(block, verdict)
    key = block.random_source(HASH_KEY_BYTES)
    tag = hash_tag(block.bits, key, _block_tag_bits(block))
    _disclose_block(block, len(tag))
    yield BlockTag(block=block.number, hash_key=key, tag=tag.to_bytes())
    answer = expect((yield RECEIVE), BlockVerdict)
    _accept(answer.equal)
    block.peer_bound_bits = answer.bound_bits


def follow(block: Block) -> Program[None]:
    """Compare the peer's tags with this side's."""
    sent = expect((yield RECEIVE), FrameTags)
    own = frame_tags(block.bits, block.link.blocks.frame_bits, sent.hash_key, block.link.blocks.frame_tag_bits)
    _disclose_frames(block, len(own))
    equal = _equal_frames(own ^ peer_bits(sent.tags, len(own), "frame tags"), block.link.blocks.frame_tag_bits)
    _drop_frames(block, equal)
    yield _verdict(block, equal)
    whole = expect((yield RECEIVE), BlockTag)
    tag = hash_tag(block.bits, whole.hash_key, _block_tag_bits(block))
    _disclose_block(block, len(tag))
    verdict = tag == peer_bits(whole.tag, len(tag), "block tag")
    bound = block.own_bound() if verdict else 0
    yield BlockVerdict(block=block.number, equal=verdict, bound_bits=bound)
    _accept(verdict)


def _block_tag_bits(block: Block) -> int:
    return tag_bits_for(Epsilon.split(block.link.security.epsilon).correctness, len(block.bits))


def _disclose_frames(block: Block, tag_bits: int) -> None:
    block.ledger.disclose(Cause.FRAME_TAGS, tag_bits)
    block.ledger.disclose(Cause.FRAME_VERDICTS, block.report.frames)


def _disclose_block(block: Block, tag_bits: int) -> None:
    block.ledger.disclose(Cause.BLOCK_TAG, tag_bits)
    block.ledger.disclose(Cause.BLOCK_VERDICT, 1)
    block.verification_bits = tag_bits + 1


def _equal_frames(differences: Bits, tag_bits: int) -> Bits:
    return Bits.from_array(~np.asarray(differences, dtype=np.bool_).reshape(-1, tag_bits).any(axis=1))


def _drop_frames(block: Block, equal: Bits) -> None:
    block.report.dropped_frames = len(equal) - equal.weight()
    if block.report.dropped_frames:
        charges, dropped = block.frame_charges, ~np.asarray(equal, dtype=np.bool_)
        charged = int(charges[dropped].sum()) if charges is not None else 0
        block.drop(_bits_of_frames(equal, block.link.blocks.frame_bits, len(block.bits)), charged=charged)
    block.report.corrected_bits = len(block.bits)
    if not len(block.bits):
        raise AbortBlock(AbortReason.VERIFICATION_FAILED, "every frame of the block differs after correction")


def _bits_of_frames(frames: Bits, frame_bits: int, length: int) -> Bits:
    """Return a mask of `length` bits with the bits of the marked frames."""
    whole = [~Bits.zeros(frame_bits) if flag else Bits.zeros(frame_bits) for flag in np.asarray(frames)]
    return concatenate(whole)[:length]


def _verdict(block: Block, equal: Bits) -> FrameVerdict:
    """Say which frames are equal, and of the errors what two-way correction has published anyway."""
    found = block.key_difference
    if found is None or block.compared is None or not block.ledger.two_way:
        return FrameVerdict(block=block.number, equal=equal.to_bytes(), corrected=None, errors=())
    wrong = ~(~found & block.kept)
    labels = block.compared.key_labels
    known = range(len(block.link.protocol.intensities)) if labels is not None else ()
    block.report.key_errors = found.weight()
    block.key_errors = (
        tuple((labels.where(number) & wrong).weight() for number in known) if labels is not None else None
    )
    return FrameVerdict(
        block=block.number, equal=equal.to_bytes(), corrected=found.weight(), errors=block.key_errors or ()
    )


def _take_errors(block: Block, verdict: FrameVerdict) -> None:
    """Believe the peer's counts of errors within what they can be.

    No more than there are bits; no fewer than this side saw corrected itself, where Cascade told; and what is counted
    by intensity holds every error that was corrected, and every bit that was dropped, since nothing is known of those.
    Too few errors would be more key than there is.
    """
    expected = len(block.link.protocol.intensities) if block.ledger.two_way else 0
    if len(verdict.errors) != expected or (verdict.corrected is None) == block.ledger.two_way:
        raise RemoteProtocolError("the peer counts errors where, and only where, correction published them")
    if verdict.corrected is None:
        return
    if verdict.corrected > block.report.key_bits:
        raise RemoteProtocolError("the peer counts more errors than there are bits")
    if verdict.corrected < block.errors_found:
        raise RemoteProtocolError(
            f"the peer counts {verdict.corrected} errors, where correction found {block.errors_found} as both could see"
        )
    if expected:
        _check_errors_by_intensity(block, verdict.errors, verdict.corrected)
    block.report.key_errors = verdict.corrected
    block.key_errors = verdict.errors or None


def _check_errors_by_intensity(block: Block, errors: tuple[int, ...], corrected: int) -> None:
    labels = block.compared.key_labels if block.compared is not None else None
    if labels is None:
        raise LocalProtocolError("errors are counted by intensity where the key has intensities")
    masks = [labels.where(number) for number in range(len(errors))]
    if any(count > mask.weight() for count, mask in zip(errors, masks, strict=True)):
        raise RemoteProtocolError("the peer counts more errors than there are bits")
    dropped = [(mask & ~block.kept).weight() for mask in masks]
    if sum(errors) < corrected or any(count < bits for count, bits in zip(errors, dropped, strict=True)):
        raise RemoteProtocolError(
            f"the peer counts {errors} errors by intensity, fewer than the {corrected} that it corrected or the "
            f"{dropped} that were dropped"
        )
    if sum(errors) > corrected + sum(dropped):
        raise RemoteProtocolError("the peer counts more errors by intensity than were corrected or dropped")


def _accept(equal: bool) -> None:
    if not equal:
        raise AbortBlock(AbortReason.VERIFICATION_FAILED, "the corrected keys differ; the block is given up")
