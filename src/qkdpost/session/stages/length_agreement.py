"""Amplification: the reference proposes a length, the corrector accepts it within its own bound.

Both hash while the confirmations travel; nothing of the result is told.

No floating-point number decides on both sides: the length is an integer that one side proposes and the other compares
with its own. The seed of the Toeplitz matrix comes whole from the random source, fresh for the block.
"""

from __future__ import annotations

from qkdpost.amplification import modified_seed_bits
from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, AmplificationProposal
from qkdpost.dialogue.program import RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.errors import RemoteProtocolError
from qkdpost.keys.price import AUTHENTICATION_BITS, too_short
from qkdpost.session.blocks.block import Block

__all__ = ["follow", "lead"]


def lead(block: Block) -> Program[None]:
    """Propose the length that both hosts' bounds allow: they may differ by rounding, and less is always allowed."""
    length = min(block.own_bound(), block.peer_bound_bits)
    if length <= AUTHENTICATION_BITS:
        raise AbortBlock(AbortReason.NO_KEY_LEFT, _why_none(block, length))
    seed = _draw_seed(block, modified_seed_bits(len(block.bits), length))
    yield AmplificationProposal(
        block=block.number, length_bits=length, ledger=block.ledger.to_tuple(), seed=seed.to_bytes()
    )
    block.seed, block.length_bits = seed, length


def follow(block: Block) -> Program[None]:
    """Accept a length up to this host's own bound, if both ledgers are equal."""
    proposal = expect((yield RECEIVE), AmplificationProposal)
    if proposal.ledger != block.ledger.to_tuple():
        raise RemoteProtocolError("the peer's ledger of disclosed bits differs from this host's")
    length = block.own_bound()
    if not AUTHENTICATION_BITS < proposal.length_bits <= length:
        raise AbortBlock(
            AbortReason.LENGTH_REFUSED,
            f"the peer proposes {proposal.length_bits} bits; this host's bound allows {length}",
        )
    seed_bits = modified_seed_bits(len(block.bits), proposal.length_bits)
    block.seed, block.length_bits = peer_bits(proposal.seed, seed_bits, "Toeplitz seed"), proposal.length_bits


def _why_none(block: Block, length: int) -> str:
    secret = block.report.secret
    if secret is not None and secret.reason:
        return secret.reason
    if not block.peer_bound_bits:
        return "the peer's own bound leaves nothing"
    return too_short(length)


def _draw_seed(block: Block, count: int) -> Bits:
    data = bytearray(block.random_source((count + 7) // 8))
    if count % 8:
        data[-1] &= (1 << (count % 8)) - 1
    return Bits.from_bytes(data, count)
