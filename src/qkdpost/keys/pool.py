"""The pool itself, see `KeyPool`.

What is erased: the bytes of a pad are overwritten in the pool with zeros when the first byte of their piece is handed
out, and are in no later snapshot. What was copied out of the pool before is dropped as soon as it has been used, but
not overwritten: Python's bytes and integers cannot be, and the interpreter, numpy and the operating system (swap, core
dumps, hibernation) may keep copies of their own until the memory is used again. The hash key lives as long as the
pool. Keys, records and all that blocks make of them are dropped likewise, and not overwritten. So a host on which keys
are made keeps no core dumps and no unencrypted swap; old snapshots are for the application to destroy.
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Iterable
from typing import ClassVar

from qkdpost.bits import Bits
from qkdpost.checks import described, instance, listed, real_number, whole_number
from qkdpost.errors import InputError, KeyPoolExhausted, LocalProtocolError
from qkdpost.keys.segments import (
    HASH_KEY_BYTES,
    IDENTIFIER_BYTES,
    MAX_SEGMENTS,
    PRESHARED_SEGMENT,
    PadReference,
    Segment,
    SegmentState,
)
from qkdpost.keys.snapshot import Content, pack, unpack
from qkdpost.single_use import SingleUse

__all__ = ["KeyPool"]


class KeyPool(SingleUse):
    """Key that two hosts share, spent from the front of each of its segments and never twice.

    The first 32 bytes become the key of the hash and stay; the rest is segment 0 of the pads. New segments come from
    new keys. The opener of a block reserves a piece, tells the peer which, and the peer claims it. Over one connection
    a piece is reserved or claimed once, whether it is used or not. It is spent for ever, with all before it, when the
    first byte of it is handed out, and erased then; what nobody used comes back with the next connection.

    A pool serves one session at a time: a `Session` holds it while its connection is open, and lets go when the
    connection ends, in whatever way (`Session.connection_lost`), or when the session is forgotten. It cannot be copied
    or pickled, and a forked process cannot use that of its parent: each would use the same pads.

    The pool must outlive the process: store `snapshot` whenever `revision` has grown and before anything is sent that
    was made with it; a `Session` does so if it is told how (`save_pool`). A damaged snapshot is refused. One that is
    whole but not the latest cannot be told: a host that starts from it would use pads twice, which discloses the hash
    keys; against the loss of one host's latest snapshot `reconcile` helps, against the loss of both nothing does.

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

    __slots__ = (
        "_accumulated_epsilon",
        "_hash_key",
        "_owner",
        "_process",
        "_reserved",
        "_revision",
        "_segments",
        "_spent_bytes",
    )

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
        self._segments = {PRESHARED_SEGMENT: Segment(bytearray(whole[HASH_KEY_BYTES:]))}
        self._reserved: dict[PadReference, list[bytes | None]] = {}
        self._spent_bytes = 0
        self._accumulated_epsilon = 0.0
        self._revision = 0
        self._owner: weakref.ref[object] | None = None
        self._process = os.getpid()

    @property
    def revision(self) -> int:
        """Grows whenever a snapshot would differ from the last one."""
        return self._revision

    @property
    def hash_key(self) -> bytes:
        """The key of the transcript hash, 32 bytes. Secret."""
        return self._hash_key

    @property
    def available_bytes(self) -> int:
        """The bytes of pads that this connection may still take, in segments that the peer holds as well."""
        return sum(segment.left for segment in self._segments.values() if segment.usable)

    @property
    def spent_bytes(self) -> int:
        """The bytes of pads spent for ever since the pool was made, skipped ones among them."""
        return self._spent_bytes

    # What the keys rest on.

    @property
    def accumulated_epsilon(self) -> float:
        """How far all keys made on this pool are from ideal ones at most, taken together; rounded up.

        The sum of the epsilon of every block that was opened on it, those without key too. A key's own epsilon is that
        of its block, given that its tags were made with ideal pads and an ideal hash key. But pads come from earlier
        keys, and the hash key serves for ever: a later key is as good as all that went before, so the epsilons add up.

        Why opened ones: secrecy is claimed joint with the event that the block is accepted. An attacker learns from
        the first report of a block how well he fared. He may cut the line on every block in which he fared badly, long
        before its test, and let the lucky one pass; each had its chance, so each counts. The count begins before the
        first byte of the block is sent. It is the opener's count that holds, for the peer may never hear of a block;
        its messages carry the number, and the peer takes it over, if it is the greater, with the next key, since the
        tags authenticate it then.

        A stranger who opens blocks adds to the count of the host that he calls. That errs to the safe side; but who
        acts on the number keeps strangers from the port. New pre-shared key by `refill` does not set the number back,
        since the hash key and the keys before stay; only a new pool begins with 0. Once it reaches 1 it says nothing.
        """
        return self._accumulated_epsilon

    def charge_block(self, epsilon: float) -> None:
        """Add the epsilon of a block that is about to be opened; before any byte of it is sent. Sessions do so.

        Raises:
            InputError: not a number above 0 and below 1.
        """
        more = real_number("epsilon", epsilon, above=0.0, below=1.0)
        self._check_process()
        # The sum is rounded to the nearest, so that the next number above is no less than the exact one.
        self._accumulated_epsilon = math.nextafter(self._accumulated_epsilon + more, math.inf)
        self._revision += 1

    def accumulate_to(self, told: float) -> None:
        """Take over the peer's accumulated epsilon, once it is authenticated, if it is greater. Sessions do so.

        Raises:
            InputError: not a number, or below 0.
        """
        number = real_number("told", told, least=0.0)
        self._check_process()
        if number > self._accumulated_epsilon:
            self._accumulated_epsilon = number
            self._revision += 1

    # Who holds it.

    def take_hold(self, owner: object) -> None:
        """Serve `owner` alone until it lets go or is forgotten; a `Session` does so with each connection.

        Raises:
            LocalProtocolError: another one holds it, or this process is a fork of the one that made it.
        """
        self._check_process()
        holder = self._owner() if self._owner is not None else None
        if holder is not None and holder is not owner:
            raise LocalProtocolError(
                f"this pool is held by {holder!r}, whose connection is open, and two sessions would use the same pads: "
                "call connection_lost() on that one first, or give this one a pool of its own"
            )
        self._owner = weakref.ref(owner)

    def let_go(self, owner: object) -> None:
        """End what `take_hold` began; nothing happens if `owner` does not hold it."""
        if self._owner is not None and self._owner() is owner:
            self._owner = None

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise LocalProtocolError(
                "this pool was made by another process and came here by a fork, so that both would use the same pads: "
                f"make it after the fork; or {self.instead}"
            )

    # Pads.

    def reserve(self, count: int) -> PadReference:
        """Take `count` bytes in one piece and return where they are; the opener of a block calls this.

        Raises:
            KeyPoolExhausted: no segment that both hosts hold has so many bytes left.
            InputError: `count` is no whole number, or not positive.
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        length = whole_number("count", count, least=1)
        self._check_process()
        reference = self._next_piece(length)
        if reference is None:
            resting = sum(segment.left for segment in self._segments.values() if not segment.usable)
            raise KeyPoolExhausted(
                f"no segment has {length} bytes of authentication key left in one piece ({self.available_bytes} in "
                "all); "
                + (f"{resting} more rest, for the peer lists no such segment, or another length; " if resting else "")
                + "supply new pre-shared key"
            )
        self._take(reference)
        return reference

    def claim(self, reference: PadReference) -> None:
        """Take the piece that the peer reserved: the next one of its segment, for after `reconcile` both count alike.

        Raises:
            InputError: no such segment, or another piece than the next.
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        piece = _checked(reference)
        self._check_process()
        refusal = self._refused_claim(piece)
        if refusal:
            raise InputError(refusal)
        self._take(piece)

    def _next_piece(self, length: int) -> PadReference | None:
        # Slices of new keys first: each is spent by the next block, so that segments do not pile up.
        for identifier, segment in reversed(self._segments.items()):
            if segment.usable and segment.left >= length:
                return PadReference(segment=identifier, offset=segment.taken, length=length)
        return None

    def _refused_claim(self, reference: PadReference) -> str:
        segment = self._segments.get(reference.segment)
        if segment is None or not segment.usable:
            return "the hosts do not share the segment of authentication key that was named"
        end = reference.offset + reference.length
        if reference.length < 1 or reference.offset != segment.taken or end > len(segment.key):
            return (
                f"bytes {reference.offset} ... {end - 1} of authentication key were named; "
                f"the next are {segment.taken} ... {len(segment.key) - 1}"
            )
        return ""

    def _take(self, reference: PadReference) -> None:
        segment = self._segments[reference.segment]
        end = reference.offset + reference.length
        piece = bytes(segment.key[reference.offset : end])
        self._reserved[reference] = [piece[index : index + 1] for index in range(len(piece))]
        segment.taken = end

    def _spend(self, identifier: bytes, end: int) -> None:
        """Spend a segment up to `end`, if it is not yet; one that is spent whole is forgotten."""
        segment = self._segments.get(identifier)
        if segment is None or end <= segment.next_offset:
            return
        self._revision += 1
        self._spent_bytes += end - segment.next_offset
        segment.spend_to(end)
        if not segment.unspent:
            del self._segments[identifier]

    def pad(self, reference: PadReference, start: int, count: int) -> bytes:
        """Hand out bytes start ... start + count - 1 of a piece reserved or claimed; each byte once.

        With the first, the whole piece is spent.

        Raises:
            LocalProtocolError: not a piece of this pool, outside the piece, or handed out before; or this process is a
                fork of the one that made the pool.
            InputError: no reference, or no whole numbers.
        """
        where = _checked(reference)
        first = whole_number("start", start, least=-(2**53))
        end = first + whole_number("count", count, least=-(2**53))
        self._check_process()
        refusal = self._refused_pad(where, first, end)
        if refusal:
            raise LocalProtocolError(refusal)
        self._spend(where.segment, where.offset + where.length)
        piece = self._reserved[where]
        handed = b"".join(byte for byte in piece[first:end] if byte is not None)
        piece[first:end] = [None] * (end - first)
        if not any(byte is not None for byte in piece):
            del self._reserved[where]
        return handed

    def _refused_pad(self, reference: PadReference, first: int, end: int) -> str:
        piece = self._reserved.get(reference)
        if piece is None or not 0 <= first < end <= len(piece):
            return f"bytes {first} ... {end - 1} are not of a piece that is held"
        if any(byte is None for byte in piece[first:end]):
            return "a byte of authentication key is handed out once; this one was before"
        return ""

    def release(self, reference: PadReference) -> None:
        """Forget what was not handed out of a piece, as when its block has ended; this connection takes it no more.

        Raises:
            InputError: no reference.
        """
        self._reserved.pop(_checked(reference), None)

    # What comes in, and what both hosts hold.

    def refill(self, identifier: bytes, key: Bits | bytes | bytearray | memoryview) -> None:
        """Add a segment, a slice of a new key that both hosts hold and nobody else uses.

        Sessions do so with each new key. An operator may, when the pool runs out: at Alice's first, then at Bob's, who
        opens the blocks. `accumulated_epsilon` stays.

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
        if os.getpid() != self._process:
            del key
            self._check_process()
        content = bytearray(key.to_bytes() if isinstance(key, Bits) else key)
        self._revision += 1
        if content:
            self._segments[bytes(identifier)] = Segment(content)
        if len(self._segments) > MAX_SEGMENTS:
            others = [name for name in self._segments if name != PRESHARED_SEGMENT]
            least = min(others, key=lambda name: (self._segments[name].unspent, self._segments[name].usable))
            self._spend(least, len(self._segments[least].key))

    def _refused_refill(self, identifier: object, key: object) -> str:
        if not isinstance(identifier, bytes | bytearray) or len(identifier) != IDENTIFIER_BYTES:
            return f"identifier must be {IDENTIFIER_BYTES} bytes; found {described(identifier)}"
        if bytes(identifier) == PRESHARED_SEGMENT:
            return "identifier must not be all zero, which is the name of the pre-shared segment"
        if bytes(identifier) in self._segments:
            return "identifier names a segment that exists already; each new one has a name of its own"
        if not isinstance(key, Bits | bytes | bytearray | memoryview):
            return f"key must be Bits or bytes; found a {type(key).__name__}"
        if isinstance(key, Bits) and len(key) % 8:
            return f"key must fill whole bytes; found {len(key)} bits"
        return ""

    def inventory(self) -> tuple[SegmentState, ...]:
        """Return the segments that are not spent, for the peer; public."""
        return tuple(
            SegmentState(identifier=identifier, next_offset=segment.next_offset, length=len(segment.key))
            for identifier, segment in self._segments.items()
        )

    def reconcile(self, peer_inventory: Iterable[SegmentState]) -> None:
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
        peer = _told(peer_inventory)
        self._reserved.clear()
        for identifier, segment in self._segments.items():
            other = peer.get(identifier)
            segment.usable = other is not None and other.length == len(segment.key)
            told = other.next_offset if other is not None and segment.usable else 0
            segment.taken = max(segment.next_offset, told)

    def skip(self, identifier: bytes, next_offset: int) -> None:
        """Spend a segment up to `next_offset` unused: for an operator who knows that a snapshot is not the latest.

        Raises:
            InputError: no such segment, or an offset that is spent already or past its end.
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        end = whole_number("next_offset", next_offset, least=-(2**53))
        self._check_process()
        known = {state.identifier: state for state in self.inventory()}
        state = known.get(bytes(identifier)) if isinstance(identifier, bytes | bytearray) else None
        if state is None:
            raise InputError(f"identifier must be that of a segment of this pool; found {described(identifier)}")
        if not state.next_offset <= end <= state.length:
            raise InputError(f"next_offset must lie in {state.next_offset} ... {state.length}; found {end}")
        self._spend(state.identifier, end)

    # Storage.

    def snapshot(self) -> bytes:
        """Return all of the pool that is not spent, with a digest by which damage is found. Secret.

        It does not tell whether it is the latest. Who stores it keeps none but that, writes it whole or not at all
        (a new file, flushed, then renamed), and never restores an older one.

        Raises:
            LocalProtocolError: this process is a fork of the one that made the pool.
        """
        self._check_process()
        segments = [
            (identifier, segment.next_offset, bytes(segment.key)) for identifier, segment in self._segments.items()
        ]
        return pack(Content(self._hash_key, self._spent_bytes, self._accumulated_epsilon, segments))

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
        pool._segments = {
            identifier: Segment(bytearray(key), next_offset) for identifier, next_offset, key in content.segments
        }
        pool._spent_bytes = content.spent_bytes
        pool._accumulated_epsilon = content.accumulated_epsilon
        return pool

    def __repr__(self) -> str:
        return (
            f"KeyPool(segments={len(self._segments)}, available_bytes={self.available_bytes}, "
            f"spent_bytes={self._spent_bytes}, accumulated_epsilon={self._accumulated_epsilon:.3g})"
        )


def _as_bytes(name: str, value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    kind = type(value).__name__
    del value
    raise InputError(f"{name} must be bytes; found a {kind}")


def _checked(reference: object) -> PadReference:
    """Return a reference with plain numbers in it."""
    given = instance("reference", reference, PadReference, hint="reserve() returns one")
    return PadReference(
        segment=instance("segment", given.segment, bytes),
        offset=whole_number("offset", given.offset, least=-(2**63), most=2**63),
        length=whole_number("length", given.length, least=-(2**63), most=2**63),
    )


def _told(peer_inventory: object) -> dict[bytes, SegmentState]:
    """Return what the peer says of each segment, if that can be."""
    peer: dict[bytes, SegmentState] = {}
    for entry in listed("peer_inventory", peer_inventory, "SegmentState"):
        state = instance("peer_inventory", entry, SegmentState)
        identifier = instance("identifier", state.identifier, bytes)
        length = whole_number("length", state.length)
        next_offset = whole_number("next_offset", state.next_offset)
        if identifier in peer:
            raise InputError("peer_inventory names a segment of authentication key twice")
        if next_offset > length:
            raise InputError(f"peer_inventory names byte {next_offset} of a segment of {length} bytes")
        peer[identifier] = SegmentState(identifier=identifier, next_offset=next_offset, length=length)
    return peer
