"""Agreement on a length: the reference proposes it, the corrector accepts it within its own bound.

Both hash while the confirmations travel; nothing of the result is disclosed.

No floating-point number decides on both sides: the length is an integer that one side proposes and the other compares
with its own. The seed of the Toeplitz matrix comes whole from the random source, fresh for the block.
"""

from __future__ import annotations

from qkdpost.amplification import modified_seed_bits
from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, LengthProposal
from qkdpost.dialogue.program import RECEIVE, AbortBlock, Program, expect, peer_bits
from qkdpost.errors import RemoteProtocolError
from qkdpost.keys.price import AUTHENTICATION_BITS, too_short
from qkdpost.stages.block import Block
from qkdpost.stages.outcomes import AgreedLength, VerifiedKey
from qkdpost.stages.stage import Stage

__all__ = ["LENGTH_AGREEMENT"]


def reference(block: Block, verified: VerifiedKey) -> Program[AgreedLength]:
    """Propose the length that both hosts' bounds allow: they may differ by rounding, and less is always allowed."""
    length = min(verified.own_bound_bits, verified.peer_bound_bits)
    if length <= AUTHENTICATION_BITS:
        raise AbortBlock(AbortReason.NO_KEY_LEFT, _why_none(verified, length))
    count = modified_seed_bits(len(verified.key), length)
    seed = _draw_seed(block, count)
    yield LengthProposal(block=block.number, length_bits=length, ledger=block.ledger.to_tuple(), seed=seed)
    return AgreedLength(key=verified.key, seed=Bits.from_bytes(seed, count), length_bits=length)


def corrector(block: Block, verified: VerifiedKey) -> Program[AgreedLength]:
    """Accept a length up to this host's own bound, if both ledgers are equal."""
    proposal = expect((yield RECEIVE), LengthProposal)
    if proposal.ledger != block.ledger.to_tuple():
        raise RemoteProtocolError("the peer's ledger of disclosed bits differs from this host's")
    length, allowed = proposal.length_bits, verified.own_bound_bits
    if not AUTHENTICATION_BITS < length <= allowed:
        raise AbortBlock(
            AbortReason.LENGTH_REFUSED, f"the peer proposes {length} bits; this host's bound allows {allowed}"
        )
    seed = peer_bits(proposal.seed, modified_seed_bits(len(verified.key), length), "Toeplitz seed")
    return AgreedLength(key=verified.key, seed=seed, length_bits=length)


def _why_none(verified: VerifiedKey, length: int) -> str:
    if verified.secret.reason:
        return verified.secret.reason
    return too_short(length) if verified.peer_bound_bits else "the peer's own bound leaves nothing"


def _draw_seed(block: Block, count: int) -> bytes:
    """Return so many random bits, the lowest of each byte first; those past the end are zero."""
    data = block.random_source((count + 7) // 8)
    if not count % 8:
        return data
    return b"".join((memoryview(data)[:-1], bytes((data[-1] & (1 << (count % 8)) - 1,))))


LENGTH_AGREEMENT = Stage(
    name="length agreement", reference=reference, corrector=corrector, corrector_hears=frozenset({LengthProposal})
)
