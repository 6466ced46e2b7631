"""The pool itself, see `KeyPool`.

What is erased: the bytes of a pad are overwritten in the pool with zeros when the first byte of their piece is handed
out, and are in no later snapshot. What was copied out of the pool before is dropped as soon as it has been used, but
not overwritten: Python's bytes and integers cannot be, and the interpreter, numpy and the operating system (swap, core
dumps, hibernation) may keep copies of their own until the memory is used again. The hash key lives as long as the
pool. Keys, records and all that blocks make of them are dropped likewise, and not overwritten. So a host on which keys
are made keeps no core dumps and no unencrypted swap; old snapshots are for the application to destroy.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import ClassVar

from qkdpost.bits import Bits
from qkdpost.checks import described, real_number, whole_number
from qkdpost.errors import InputError, KeyPoolExhausted, LocalProtocolError
from qkdpost.keys.accumulated import AccumulatedEpsilon
from qkdpost.keys.holder import Holder
from qkdpost.keys.pads import Pads
from qkdpost.keys.segments import (
    HASH_KEY_BYTES,
    IDENTIFIER_BYTES,
    PRESHARED_SEGMENT,
    PadReference,
    Segment,
    SegmentState,
    checked_inventory,
    checked_reference,
)
from qkdpost.keys.snapshot import Content, pack, unpack
from qkdpost.single_use import SingleUse

__all__ = ["KeyPool"]

_LOG = logging.getLogger("qkdpost.keys")


class KeyPool(SingleUse):
    """Key that two hosts share, spent from the front of each of its segments and never twice.

    The first 32 bytes become the key of the hash and stay; the rest is segment 0 of the pads. New segments come from
    new keys. The opener of a block reserves a piece, names it to the peer, and the peer claims it. Over one connection
    a piece is reserved or claimed once, whether it is used or not. It is spent for ever, with all before it, when the
    first byte of it is handed out, and erased then; what nobody used comes back with the next connection.

    A pool serves one session at a time: a `Session` holds it while its connection is open, and lets go when the
    connection ends, in whatever way (`Session.connection_lost`), or when the session is forgotten. It cannot be copied
    or pickled, and a forked process cannot use that of its parent: each would use the same pads.

    The pool must outlive the process: store `snapshot` whenever `revision` has grown and before anything is sent that
    was made with it; a `Session` does so if it is given `save_pool`. A damaged snapshot is refused. One that is
    whole but not the latest cannot be recognised: a host that starts from it would use pads twice, which discloses the
    hash keys. Against the loss of one host's latest snapshot `synchronise` helps, against the loss of both nothing.

    Neither a greeting nor the opening of a block is authenticated, and neither spends anything. Only who plays a whole
    block through, up to the first tag, makes this host spend 48 bytes. They are lost, not disclosed. Whoever opens
    blocks makes `accumulated_epsilon` grow, and a snapshot be stored for each.

    Args:
        preshared: at least 32 bytes, uniformly random, equal on both hosts and used for nothing else. Secret.

    Raises:
        InputError: not bytes, or fewer than the key of the hash has.

    >>> pool = KeyPool(bytes(range(128)))
    >>> piece = pool.reserve(48)
    >>> len(pool.pad(piece, 0, 16)), pool.available_bytes
    (16, 48)
    >>> KeyPool.restore(pool.snapshot()).available_bytes
    48
    """

    __slots__ = ("_accumulated", "_hash_key", "_holder", "_pads")

    instead: ClassVar[str] = (
        "store pool.snapshot(), let KeyPool.restore() make of it the pool that goes on, and use this one no more"
    )

    def __init__(self, preshared: bytes | bytearray | memoryview) -> None:
        whole = _as_bytes("preshared", preshared)
        found = len(whole)
        if found < HASH_KEY_BYTES:
            del preshared, whole
            raise InputError(
                f"preshared must have at least {HASH_KEY_BYTES} bytes, and 48 more for each block that is in flight; "
                f"found {found}"
            )
        self._hash_key = whole[:HASH_KEY_BYTES]
        self._pads = Pads({PRESHARED_SEGMENT: Segment(bytearray(whole[HASH_KEY_BYTES:]))})
        self._accumulated = AccumulatedEpsilon()
        self._holder = Holder(self.instead)

    @property
    def revision(self) -> int:
        """Grows whenever a snapshot would differ from the last one."""
        return self._pads.changes + self._accumulated.changes

    @property
    def hash_key(self) -> bytes:
        """The key of the transcript hash, 32 bytes. Secret."""
        return self._hash_key

    @property
    def available_bytes(self) -> int:
        """The bytes of pads that this connection may still take, in segments that the peer holds as well."""
        return self._pads.available_bytes

    @property
    def resting_bytes(self) -> int:
        """The bytes of pads in segments that the peer does not hold, by what its greeting says."""
        return self._pads.resting_bytes

    @property
    def spent_bytes(self) -> int:
        """The bytes of pads spent for ever since the pool was made, skipped ones among them."""
        return self._pads.spent_bytes

    # What the keys rest on.

    @property
    def accumulated_epsilon(self) -> float:
        """How far all keys made on this pool are from ideal ones at most, taken together; rounded up.

        The sum of the epsilon of every block that was opened on it, those without key too: `qkdpost.keys.accumulated`
        says why. A stranger who opens blocks adds to the count of the host that is called. That errs to the safe side;
        but who acts on the number keeps strangers from the port. New pre-shared key by `refill` does not set the number
        back, since the hash key and the keys before stay; only a new pool begins with 0. Once it reaches 1 it says
        nothing.
        """
        return self._accumulated.value

    def charge_block(self, epsilon: float) -> None:
        """Add the epsilon of a block that is about to be opened; before any byte of it is sent. Sessions do so.

        Raises:
            InputError: not a number above 0 and below 1.
        """
        more = real_number("epsilon", epsilon, above=0.0, below=1.0)
        self._holder.check_process()
        self._accumulated.add(more)

    def accumulate_to(self, peer_epsilon: float) -> None:
        """Take over the peer's accumulated epsilon, once it is authenticated, if it is greater. Sessions do so.

        Raises:
            InputError: not a number, or below 0.
        """
        number = real_number("peer_epsilon", peer_epsilon, least=0.0)
        self._holder.check_process()
        self._accumulated.raise_to(number)

    # Who holds it.

    def take_hold(self, owner: object) -> None:
        """Serve `owner` alone until it lets go or is forgotten; a `Session` does so with each connection.

        Raises:
            LocalProtocolError: another one holds it, it was retired, or this process is a fork of the one that made it.
        """
        self._holder.check_usable()
        self._holder.take(owner)

    def let_go(self, owner: object) -> None:
        """End what `take_hold` began; nothing happens if `owner` does not hold it."""
        self._holder.let_go(owner)

    def retire(self) -> None:
        """Hand out no pad from now on, for another pool may go on for this one; a `PoolFile` that is closed does so."""
        self._holder.retire()

    # Pads.

    def reserve(self, count: int) -> PadReference:
        """Take `count` bytes in one piece and return where they are; the opener of a block calls this.

        Raises:
            KeyPoolExhausted: no segment that both hosts hold has `count` bytes left.
            InputError: `count` is no whole number, or not positive.
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        length = whole_number("count", count, least=1)
        self._holder.check_usable()
        reference = self._pads.next_piece(length)
        if reference is None:
            resting = self._pads.resting_bytes
            raise KeyPoolExhausted(
                f"no segment has {length} bytes of authentication key left in one piece ({self.available_bytes} in "
                "all); "
                + (f"{resting} more rest, for the peer lists no such segment, or another length; " if resting else "")
                + "supply new pre-shared key"
            )
        self._pads.reserve(reference)
        return reference

    def claim(self, reference: PadReference) -> None:
        """Take the piece that the peer reserved: the next one of its segment, since both hosts count the same.

        Raises:
            InputError: no such segment, or another piece than the next.
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        piece = checked_reference(reference)
        self._holder.check_usable()
        refusal = self._pads.refused_claim(piece)
        if refusal:
            raise InputError(refusal)
        self._pads.reserve(piece)

    def pad(self, reference: PadReference, start: int, count: int) -> bytes:
        """Hand out bytes start ... start + count - 1 of a piece reserved or claimed; each byte once.

        With the first, the whole piece is spent.

        Raises:
            LocalProtocolError: not a piece of this pool, outside the piece, or handed out before; or this process is a
                fork of the one that made the pool.
            InputError: no reference, or no whole numbers.
        """
        where = checked_reference(reference)
        first = whole_number("start", start, least=-(2**53))
        end = first + whole_number("count", count, least=-(2**53))
        self._holder.check_usable()
        refusal = self._pads.refused_pad(where, first, end)
        if refusal:
            raise LocalProtocolError(refusal)
        return self._pads.hand_out(where, first, end)

    def release(self, reference: PadReference) -> None:
        """Forget what was not handed out of a piece, as when its block has ended; this connection takes it no more.

        Raises:
            InputError: no reference.
        """
        self._pads.release(checked_reference(reference))

    # What comes in, and what both hosts hold.

    def refill(self, identifier: bytes, key: Bits | bytes | bytearray | memoryview) -> None:
        """Add a segment, a slice of a new key that both hosts hold and nobody else uses.

        Sessions do so with each new key. An operator may, when the pool runs out: first at the host
        that does not open the blocks, then at the one that does. `accumulated_epsilon` stays.

        Of very many segments, as when those pile up that only one side holds since a last message was lost, the
        shortest is spent unused.

        Args:
            identifier: 16 bytes, the same on both hosts, never used for another segment.
            key: whole bytes of key. Secret.

        Raises:
            InputError: an identifier of another length or known already, or key bits that do not fill bytes.
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        refusal = self._refused_refill(identifier, key)
        if refusal:
            del key
            raise InputError(refusal)
        if self._holder.is_forked:
            del key
            self._holder.check_process()
        self._pads.add(bytes(identifier), bytearray(key.to_bytes() if isinstance(key, Bits) else key))

    def _refused_refill(self, identifier: object, key: object) -> str:
        if not isinstance(identifier, bytes | bytearray) or len(identifier) != IDENTIFIER_BYTES:
            return f"identifier must be {IDENTIFIER_BYTES} bytes; found {described(identifier)}"
        if bytes(identifier) == PRESHARED_SEGMENT:
            return "identifier must not be all zero, which is the name of the pre-shared segment"
        if bytes(identifier) in self._pads.segments:
            return "identifier names a segment that exists already; each new one has a name of its own"
        if not isinstance(key, Bits | bytes | bytearray | memoryview):
            return f"key must be Bits or bytes; found a {type(key).__name__}"
        if isinstance(key, Bits) and len(key) % 8:
            return f"key must fill whole bytes; found {len(key)} bits"
        return ""

    def inventory(self) -> tuple[SegmentState, ...]:
        """Return the segments that are not spent, for the peer; public."""
        return self._pads.inventory()

    def synchronise(self, peer_inventory: Iterable[SegmentState]) -> None:
        """Settle with the peer, at the start of a connection, what both may use; no piece is reserved any longer.

        Usable are segments that both hold with equal length, from the farther of the two offsets on. A segment that
        one side holds alone rests for this connection. The peer's numbers, which nothing authenticates yet, spend
        nothing and never bring back what is spent here: they hold for this connection.

        Args:
            peer_inventory: what the peer says of its pool. Hostile.

        Raises:
            InputError: no list of segments, an identifier named twice, or an offset outside its segment; the pool is
                as it was.
        """
        self._pads.settle(checked_inventory(peer_inventory))

    def skip(self, identifier: bytes, next_offset: int) -> None:
        """Spend a segment up to `next_offset` unused: for an operator who knows that a snapshot is not the latest.

        Raises:
            InputError: no such segment, or an offset that is spent already or past its end.
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        end = whole_number("next_offset", next_offset, least=-(2**53))
        self._holder.check_process()
        known = {state.identifier: state for state in self.inventory()}
        state = known.get(bytes(identifier)) if isinstance(identifier, bytes | bytearray) else None
        if state is None:
            raise InputError(f"identifier must be that of a segment of this pool; found {described(identifier)}")
        if not state.next_offset <= end <= state.length:
            raise InputError(f"next_offset must lie in {state.next_offset} ... {state.length}; found {end}")
        self._pads.spend(state.identifier, end)

    # Storage.

    def snapshot(self) -> bytes:
        """Return all of the pool that is not spent, with a digest by which damage is found. Secret.

        Nothing in it shows whether it is the latest. Who stores it keeps none but that, writes it whole or not at all
        (a new file, flushed, then renamed), and never restores an older one.

        Raises:
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        self._holder.check_process()
        segments = [
            (identifier, segment.next_offset, bytes(segment.key)) for identifier, segment in self._pads.segments.items()
        ]
        return pack(Content(self._hash_key, self._pads.spent_bytes, self._accumulated.value, segments))

    @classmethod
    def restore(cls, snapshot: bytes | bytearray | memoryview) -> KeyPool:
        """Return the pool that `snapshot` describes.

        Raises:
            InputError: a damaged snapshot, one of another format version, or none.
        """
        given = _as_bytes("snapshot", snapshot)
        del snapshot
        try:
            content = unpack(given)
        finally:
            del given
        pool = cls(content.hash_key)
        segments = {name: Segment(bytearray(key), next_offset) for name, next_offset, key in content.segments}
        pool._pads = Pads(segments, content.spent_bytes)
        pool._accumulated = AccumulatedEpsilon(content.accumulated_epsilon)
        _LOG.info("restored %r", pool)
        return pool

    def __repr__(self) -> str:
        return (
            f"KeyPool(segments={len(self._pads.segments)}, available_bytes={self.available_bytes}, "
            f"spent_bytes={self.spent_bytes}, accumulated_epsilon={self.accumulated_epsilon:.3g})"
        )


def _as_bytes(name: str, value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    kind = type(value).__name__
    del value
    raise InputError(f"{name} must be bytes; found a {kind}")
