"""Frames compared by short tags, and the corrector's verdicts on frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.dialogue.messages import FrameFlags, FrameTags
from qkdpost.dialogue.program import RECEIVE, Program, expect, peer_bits
from qkdpost.errors import RemoteProtocolError
from qkdpost.stages.block import Block
from qkdpost.verification import frame_tags

__all__ = ["hear_tags", "hear_verdict", "say_tags", "verdict"]

HASH_KEY_BYTES = 32

Mask = NDArray[np.bool_]


def verdict(block: Block, first_frame: int, step: int, well: Mask) -> FrameFlags:
    """Return the corrector's verdict on frames of the batch that begins with `first_frame`."""
    flags = Bits.from_array(well).to_bytes()
    return FrameFlags(block=block.number, first_frame=first_frame, step=step, flags=flags)


def hear_verdict(first_frame: int, step: int, frames: int) -> Program[Mask]:
    """Hear the verdict on so many frames of a batch."""
    heard = expect((yield RECEIVE), FrameFlags)
    if (heard.first_frame, heard.step) != (first_frame, step):
        raise RemoteProtocolError(
            f"expected the verdict on step {step} of the batch at frame {first_frame}; the peer sent that on step "
            f"{heard.step} of frame {heard.first_frame}"
        )
    return np.asarray(peer_bits(heard.flags, frames, "verdicts on frames"), dtype=np.bool_)


def say_tags(block: Block, first_frame: int, step: int, frames: Bits, frame_bits: int) -> Program[Mask]:
    """Tag the frames of a batch that seem well, and hear which of them are equal; the costs are the caller's.

    Args:
        block: whose source the key of the hash is drawn from, now.
        first_frame: of the batch.
        step: of the verdict.
        frames: one after another; secret.
        frame_bits: of each.
    """
    hash_key = block.random_source(HASH_KEY_BYTES)
    tags = frame_tags(frames, frame_bits, hash_key, block.blocks.frame_tag_bits)
    yield FrameTags(block=block.number, hash_key=hash_key, tags=tags.to_bytes())
    return (yield from hear_verdict(first_frame, step, len(frames) // frame_bits))


def hear_tags(block: Block, first_frame: int, step: int, frames: Bits, frame_bits: int) -> Program[Mask]:
    """Compare the peer's tags with those of this side's frames, and say which are equal; as `say_tags`."""
    sent, tag_bits = expect((yield RECEIVE), FrameTags), block.blocks.frame_tag_bits
    own = frame_tags(frames, frame_bits, sent.hash_key, tag_bits)
    differences = np.asarray(own ^ peer_bits(sent.tags, len(own), "frame tags"), dtype=np.bool_)
    equal = np.asarray(~differences.reshape(-1, tag_bits).any(axis=1), dtype=np.bool_)
    yield verdict(block, first_frame, step, equal)
    return equal
