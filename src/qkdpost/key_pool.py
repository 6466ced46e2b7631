"""The pool of authentication key: which bytes are spent, and that none is used twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from qkdpost.bits import Bits
from qkdpost.errors import InputError, KeyPoolExhausted, LocalProtocolError, RemoteProtocolError

__all__ = ["KeyPool", "PadReference", "SegmentState"]

HASH_KEY_BYTES = 32
IDENTIFIER_BYTES = 16
PRESHARED_SEGMENT = bytes(IDENTIFIER_BYTES)
MOST_SEGMENTS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PadReference:
    """Which bytes of the pool a block may use; public.

    Args:
        segment: the identifier of the segment, 16 bytes.
        offset: the first byte.
        length: the number of bytes.
    """

    segment: bytes
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentState:
    """What is told of a segment to the peer; public.

    Args:
        identifier: 16 bytes.
        next_offset: the first byte not yet spent.
        length: the length of the segment in bytes.
    """

    identifier: bytes
    next_offset: int
    length: int


@dataclass(slots=True)
class _Segment:
    """Bytes below `next_offset` are spent for ever, those up to `taken` are out of use for this connection."""

    key: bytearray = field(repr=False)
    next_offset: int = 0
    taken: int = 0
    usable: bool = True

    @property
    def left(self) -> int:
        return len(self.key) - self.taken

    @property
    def unspent(self) -> int:
        return len(self.key) - self.next_offset

    def spend_to(self, end: int) -> None:
        """Erase up to `end`; what is reserved must have been copied before."""
        self.key[self.next_offset : end] = bytes(end - self.next_offset)
        self.next_offset = end
        self.taken = max(self.taken, end)


class _Snapshot(msgspec.Struct, frozen=True):
    hash_key: bytes
    spent_bytes: int
    segments: list[tuple[bytes, int, bytes]]


class KeyPool:
    """Key that two hosts share, spent from the front of each of its segments and never twice.

    The first 32 bytes become the key of the hash and stay; the rest is segment 0 of the pads. New segments come from
    new keys. The opener of a block reserves a piece, tells the peer which, and the peer claims it. Over one connection
    a piece is reserved or claimed once, whether it is used or not. It is spent for ever, with all before it, when the
    first byte of it is handed out, and erased then; what nobody used comes back with the next connection. A pool serves
    one session at a time.

    The pool must outlive the process: store `snapshot` whenever `revision` has grown and before anything is sent that
    was made with it; a `Session` does so if it is told how (`save_pool`). A host that starts from an older snapshot
    would use pads twice, which discloses the hash keys; against the loss of one host's latest snapshot `reconcile`
    helps, against the loss of both nothing does.

    Neither a greeting nor the opening of a block is authenticated, and neither spends anything. Only who plays a whole
    block through, up to the first tag, makes this host spend 48 bytes. They are lost, not disclosed.

    Args:
        preshared: at least 32 bytes, uniformly random, equal on both hosts and used for nothing else. Secret.

    Raises:
        InputError: not bytes, or fewer than the key of the hash has.
    """

    __slots__ = ("_hash_key", "_reserved", "_revision", "_segments", "_spent_bytes")

    def __init__(self, preshared: bytes) -> None:
        if not isinstance(preshared, bytes | bytearray | memoryview):
            raise InputError(f"pre-shared key comes as bytes; found {type(preshared).__name__}")
        if len(preshared) < HASH_KEY_BYTES:
            raise InputError(f"pre-shared key has at least {HASH_KEY_BYTES} bytes; found {len(preshared)}")
        self._hash_key = bytes(preshared[:HASH_KEY_BYTES])
        self._segments = {PRESHARED_SEGMENT: _Segment(bytearray(preshared[HASH_KEY_BYTES:]))}
        self._reserved: dict[PadReference, list[bytes | None]] = {}
        self._spent_bytes = 0
        self._revision = 0

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

    def reserve(self, count: int) -> PadReference:
        """Take `count` bytes in one piece and return where they are; the opener of a block calls this.

        Raises:
            KeyPoolExhausted: no segment that both hosts hold has so many bytes left.
            InputError: `count` is not positive.
        """
        if count < 1:
            raise InputError(f"a pad has at least 1 byte; found {count}")
        # Slices of new keys first: each is spent by the next block, so that segments do not pile up.
        for identifier, segment in reversed(self._segments.items()):
            if segment.usable and segment.left >= count:
                reference = PadReference(segment=identifier, offset=segment.taken, length=count)
                self._take(reference, segment)
                return reference
        resting = sum(segment.left for segment in self._segments.values() if not segment.usable)
        raise KeyPoolExhausted(
            f"no segment has {count} bytes of authentication key left in one piece ({self.available_bytes} in all); "
            + (f"{resting} more rest, for the peer lists no such segment, or another length; " if resting else "")
            + "supply new pre-shared key"
        )

    def claim(self, reference: PadReference) -> None:
        """Take the piece that the peer reserved: the next one of its segment, for after `reconcile` both count alike.

        Raises:
            RemoteProtocolError: no such segment, or another piece than the next.
        """
        segment = self._segments.get(reference.segment)
        if segment is None or not segment.usable:
            raise RemoteProtocolError("the peer named a segment of authentication key that the hosts do not share")
        end = reference.offset + reference.length
        if reference.length < 1 or reference.offset != segment.taken or end > len(segment.key):
            raise RemoteProtocolError(
                f"the peer named bytes {reference.offset} ... {end - 1} of authentication key; "
                f"the next are {segment.taken} ... {len(segment.key) - 1}"
            )
        self._take(reference, segment)

    def _take(self, reference: PadReference, segment: _Segment) -> None:
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
            LocalProtocolError: not a piece of this pool, outside the piece, or handed out before.
        """
        piece = self._reserved.get(reference)
        if piece is None or start < 0 or count < 1 or start + count > len(piece):
            raise LocalProtocolError(f"bytes {start} ... {start + count - 1} are not of a piece that is held")
        handed = [byte for byte in piece[start : start + count] if byte is not None]
        if len(handed) != count:
            raise LocalProtocolError("a byte of authentication key is handed out once; this one was before")
        self._spend(reference.segment, reference.offset + reference.length)
        piece[start : start + count] = [None] * count
        if not any(byte is not None for byte in piece):
            del self._reserved[reference]
        return b"".join(handed)

    def release(self, reference: PadReference) -> None:
        """Forget what was not handed out of a piece, as when its block has ended; this connection takes it no more."""
        self._reserved.pop(reference, None)

    def refill(self, identifier: bytes, key: Bits | bytes) -> None:
        """Add a segment, a slice of a new key that both hosts hold and nobody else uses.

        Sessions do so with each new key. An operator may, when the pool runs out: at Alice's first, then at Bob's, who
        opens the blocks.

        Of very many segments, as when those pile up that only one side holds since a last message was lost, the
        shortest is spent unused.

        Args:
            identifier: 16 bytes, the same on both hosts, never used for another segment.
            key: whole bytes of key. Secret.

        Raises:
            InputError: an identifier of another length or known already, or key bits that do not fill bytes.
        """
        if len(identifier) != IDENTIFIER_BYTES or identifier == PRESHARED_SEGMENT:
            raise InputError(f"the identifier of a new segment has {IDENTIFIER_BYTES} bytes, not all zero")
        if identifier in self._segments:
            raise InputError("a segment of this identifier exists already")
        if isinstance(key, Bits) and len(key) % 8:
            raise InputError(f"a segment has whole bytes; found {len(key)} bits")
        content = bytearray(key.to_bytes() if isinstance(key, Bits) else key)
        self._revision += 1
        if content:
            self._segments[bytes(identifier)] = _Segment(content)
        if len(self._segments) > MOST_SEGMENTS:
            others = [name for name in self._segments if name != PRESHARED_SEGMENT]
            least = min(others, key=lambda name: (self._segments[name].unspent, self._segments[name].usable))
            self._spend(least, len(self._segments[least].key))

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
            RemoteProtocolError: an identifier named twice, or an offset outside its segment.
        """
        peer: dict[bytes, SegmentState] = {}
        for state in peer_inventory:
            if state.identifier in peer or not 0 <= state.next_offset <= state.length:
                raise RemoteProtocolError("the peer's list of segments of authentication key contradicts itself")
            peer[state.identifier] = state
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
        """
        segment = self._segments.get(identifier)
        if segment is None or not segment.next_offset <= next_offset <= len(segment.key):
            raise InputError("no segment of this identifier has that offset unspent")
        self._spend(identifier, next_offset)

    def snapshot(self) -> bytes:
        """Return all of the pool that is not spent. Secret."""
        segments = [
            (identifier, segment.next_offset, bytes(segment.key)) for identifier, segment in self._segments.items()
        ]
        return msgspec.msgpack.encode(_Snapshot(self._hash_key, self._spent_bytes, segments))

    @classmethod
    def restore(cls, snapshot: bytes) -> KeyPool:
        """Return the pool that `snapshot` describes.

        Raises:
            InputError: not a snapshot.
        """
        try:
            content = msgspec.msgpack.decode(snapshot, type=_Snapshot)
        except msgspec.DecodeError as error:
            raise InputError("this is not a snapshot of a key pool") from error
        pool = cls(content.hash_key)
        pool._segments = {
            identifier: _Segment(bytearray(key), next_offset, next_offset)
            for identifier, next_offset, key in content.segments
        }
        pool._spent_bytes = content.spent_bytes
        if any(not 0 <= segment.next_offset <= len(segment.key) for segment in pool._segments.values()):
            raise InputError("this snapshot of a key pool contradicts itself")
        return pool

    def __repr__(self) -> str:
        return (
            f"KeyPool(segments={len(self._segments)}, available_bytes={self.available_bytes}, "
            f"spent_bytes={self._spent_bytes})"
        )
