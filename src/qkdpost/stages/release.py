"""Release: tags over the whole transcript, before any key is released.

The reference's tag says to the corrector that both heard the same; the corrector's says so to the reference, and that
its tag was right: the reference releases. Its last tag says so to the corrector, which releases. If it is lost, the
reference holds a key that the corrector does not; it has an identifier by which that is found.
Each of the three tags takes a pad of its own, named by its place, so none can stand for another.

What a forgery adds to the key's epsilon depends on the longer of the two hosts' views of the conversation, and a host
knows its own alone, for an attacker can lengthen the other's. But neither makes or checks a tag of a block whose own
view is too long for the link's authentication part. So whatever was sent to either, that part bounds all three tags
together; it is the cost that a key states, not the smaller number that this host's own view would give.
"""

from __future__ import annotations

from qkdpost.amplification import modified_toeplitz_hash
from qkdpost.bits import Bits
from qkdpost.dialogue.messages import AbortReason, Confirmation
from qkdpost.dialogue.program import PAUSE, RECEIVE, AbortBlock, Program, expect
from qkdpost.errors import RemoteProtocolError
from qkdpost.keys.price import AUTHENTICATION_BITS, PAD_BYTES, TAGS_OF_A_BLOCK
from qkdpost.keys.secret_key import SecretKey
from qkdpost.security.epsilon import Epsilon
from qkdpost.stages.block import Block
from qkdpost.stages.facts import ReleaseFacts
from qkdpost.stages.outcomes import AgreedLength
from qkdpost.stages.stage import Stage

__all__ = ["RELEASE"]


def reference(block: Block, agreed: AgreedLength) -> Program[SecretKey]:
    """Confirm, check the peer's confirmation, release, and say so."""
    _check_forgery_bound(block)
    yield _confirm(block, 0)
    yield PAUSE
    amplified = _amplify(agreed)
    del agreed  # the key and its seed take most of a block's memory
    _check(block, expect((yield RECEIVE), Confirmation), 1)
    yield _confirm(block, 2)
    return (yield from _release(block, amplified))


def corrector(block: Block, agreed: AgreedLength) -> Program[SecretKey]:
    """Check the peer's confirmation, confirm, and release when the peer has released."""
    _check_forgery_bound(block)
    _check(block, expect((yield RECEIVE), Confirmation), 0)
    yield _confirm(block, 1)
    yield PAUSE
    amplified = _amplify(agreed)
    del agreed  # the key and its seed take most of a block's memory
    _check(block, expect((yield RECEIVE), Confirmation), 2)
    return (yield from _release(block, amplified))


def _pad(block: Block, step: int) -> bytes:
    return block.pool.pad(block.pads, step * PAD_BYTES, PAD_BYTES)


def _confirm(block: Block, step: int) -> Confirmation:
    return Confirmation(block=block.number, step=step, tag=block.transcript.tag(_pad(block, step)))


def _check(block: Block, confirmation: Confirmation, step: int) -> None:
    if confirmation.step != step:
        raise RemoteProtocolError(f"expected confirmation {step}; the peer sent {confirmation.step}")
    block.transcript.verify(confirmation.tag, _pad(block, step))


def _check_forgery_bound(block: Block) -> None:
    """Give up a block of which the conversation got too long; nothing of it is under a tag then, or will be."""
    allowed = Epsilon.split(block.security.epsilon).authentication
    if TAGS_OF_A_BLOCK * block.transcript.forgery_bound > allowed:
        raise AbortBlock(
            AbortReason.NO_KEY_LEFT, f"the conversation is too long for an authentication epsilon of {allowed:.3g}"
        )


def _amplify(agreed: AgreedLength) -> Bits:
    return modified_toeplitz_hash(agreed.key, agreed.seed, agreed.length_bits)


def _release(block: Block, bits: Bits) -> Program[SecretKey]:
    """Split the new key between the pool and the application; both hosts do the same."""
    block.pool.refill(block.identifier, bits[:AUTHENTICATION_BITS])
    block.pool.accumulate_to(block.peer_accumulated_epsilon)
    total = Epsilon.split(block.security.epsilon).total
    key = SecretKey(
        bits=bits[AUTHENTICATION_BITS:],
        identifier=block.identifier,
        epsilon=total,
        accumulated_epsilon=block.pool.accumulated_epsilon,
    )
    yield ReleaseFacts(
        authentication_bits=AUTHENTICATION_BITS,
        key_length_bits=len(key),
        epsilon_total=total,
        accumulated_epsilon=key.accumulated_epsilon,
    )
    return key


RELEASE = Stage(
    name="release",
    reference=reference,
    corrector=corrector,
    reference_hears=frozenset({Confirmation}),
    corrector_hears=frozenset({Confirmation}),
)
"""Privacy amplification between the tags: nothing is released before both hosts have confirmed."""
