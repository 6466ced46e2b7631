"""The pool of two key managers, see `Pool`."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import ClassVar

from qkdpost.errors import InputError, StoreDamaged
from qkdpost.network.messages.greetings import ListedSegment
from qkdpost.network.names import pool_id
from qkdpost.network.pool.arriving import IDENTIFIER_BYTES, take_in
from qkdpost.network.pool.booking import Booking, Nowhere, Source, Use
from qkdpost.network.pool.content import Content
from qkdpost.network.pool.direction import Direction, Place, Range
from qkdpost.network.pool.notices import Notice, NoticeKind
from qkdpost.network.pool.order import SegmentOrder
from qkdpost.network.pool.provenances import Provenances
from qkdpost.network.pool.segment import FOLLOWER, HASH_KEYS_BYTES, LEADER, PooledSegment, SegmentStage
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.store.protocol import KeyStore
from qkdpost.single_use import SingleUse

__all__ = ["Pool"]

MOST_NUMBER = 2**32 - 1
VERIFICATIONS_STEP = 1024
"""So many are counted at once in rows and in what keys rest on. An epsilon has less than 2^-90 more by that, and those
at the other end are counted for much more."""
MAX_LEAP = 2**24
"""More segments than come in between a backup and its use. Forged numbers cannot soon use up all there are."""

_TABLE = "pools"
_ROW = struct.Struct("<IQQ?I16s")


class Pool(SingleUse):
    """The key that this key manager shares with one other, adjacent or not. Secret.

    Built of the rows of a store; nothing else of it counts. Everything happens in the transaction of a turn: `write`
    comes before its commit, and after an error of the commit the pool is dropped and built anew.

    Args:
        store: with an open transaction, now and whenever anything is called.
        name: of this key manager.
        peer: of the other one.
        settings: sizes.
        booking: where to tell what came in and what it was spent on.

    Raises:
        InputError: both names are one.
        StoreDamaged: the rows contradict each other.
    """

    instead: ClassVar[str] = "build another one of the store when this one is gone"

    def __init__(
        self,
        store: KeyStore,
        *,
        name: str,
        peer: str,
        settings: PoolSettings | None = None,
        booking: Booking | None = None,
    ) -> None:
        if name == peer:
            raise InputError(f"a pool has two ends; found {name!r} at both")
        self.name = name
        self.peer_name = peer
        self.identifier = pool_id(name, peer)
        self.is_leader = name < peer
        self.settings = settings or PoolSettings()
        self.store = store
        self.order = SegmentOrder(self.identifier)
        self.content = Content(store, self.identifier)
        number = LEADER if self.is_leader else FOLLOWER
        self.own = Direction(number, self.identifier + b"\0", self.order, self.content)
        """What this end sends, and takes pads and keys of."""
        self.peer = Direction(1 - number, self.identifier + b"\1", self.order, self.content)
        """What the other end sends."""
        self.highest_number = 0
        self.wrong_tags = 0
        self.verifications = 0
        """Tags and checks that were looked at and could have been forged: each adds to the epsilon of all keys.

        Written down is the next multiple of `VERIFICATIONS_STEP`, with which whoever starts goes on."""
        self.unconfirmed_grants: dict[int, tuple[int, int]] = {}
        """Of this connection: number of a segment, its limit before and after."""
        self.to_offer: list[PooledSegment] = []
        self.early_offers: dict[bytes, ListedSegment] = {}
        """Of this connection: what the follower holds and the leader does not yet."""
        self.notices: list[Notice] = []
        self.stored_bytes = 0
        self._booking = booking or Nowhere()
        self._renews_next = False
        self._renewal: tuple[int, bytes] | None = None
        self._row = b""
        self._provenances = Provenances(store, self.identifier)
        self._load()

    # Rows.

    def _load(self) -> None:
        self.order.load(self.store)
        row = self.store.get(_TABLE, self.identifier)
        if row is not None:
            if len(row) != _ROW.size:
                raise StoreDamaged("the row of a pool has another length; restore the store or set up a new one")
            unpacked = _ROW.unpack(row)
            self.highest_number, self.wrong_tags, self.verifications, self._renews_next, number, identifier = unpacked
            self._renewal = (number, identifier) if number else None
            self._row = row
        for direction in (self.own, self.peer):
            direction.load(self.store)
        self.stored_bytes = sum(map(self._left_of, self.order.by_identifier.values()))

    def write(self) -> None:
        """Write what has changed; before the commit of the turn."""
        for segment in self.order.finished():
            self.retire(segment, "spent")
        self.content.write()
        for direction in (self.own, self.peer):
            direction.write(self.store)
        self.order.write(self.store)
        number, identifier = self._renewal or (0, bytes(IDENTIFIER_BYTES))
        counted = self.counted_verifications
        row = _ROW.pack(self.highest_number, self.wrong_tags, counted, self._renews_next, number, identifier)
        if row != self._row:
            self.store.put(_TABLE, self.identifier, row)
            self._row = row

    # What comes in.

    def add_segment(
        self, identifier: bytes, content: bytearray, *, provenance: bytes, source: Source, vouched: bool = False
    ) -> bool:
        """Take in key that the other end has, or will have, too; it may be spent when both know of each other's.

        Args:
            identifier: 16 public bytes, equal at both ends, never used for another segment.
            content: equal at both ends, uniformly random, used for nothing else; zeroed here. Secret.
            provenance: what the key rests on, canonical bytes.
            source: where it came from.
            vouched: whether a transfer has shown that both ends hold the same: then the whole content may be spent. If
                not, its last 64 bytes serve to show it.

        Returns:
            Whether it was taken; if not, a notice says why: it was here before, or the pool is full.

        Raises:
            InputError: another number of bytes than these.
        """
        return take_in(self, identifier, content, provenance=provenance, source=source, vouched=vouched)

    def received(self, segment: PooledSegment, provenance: bytes, source: Source, count: int) -> None:
        """Enter a new segment, which came as so many bytes, and book them."""
        self._provenances.add(segment.identifier, provenance)
        self._booking.receive(self.identifier, source, 8 * count)
        if count > segment.length:
            self._booking.spend(self.identifier, "checks", 8 * (count - segment.length))
        self.order.add(segment)
        self.stored_bytes += segment.length

    def discard_segment(self, identifier: bytes) -> bool:
        """Give up a segment that is not in use yet; return whether there was such a one."""
        segment = self.order.by_identifier.get(identifier)
        if segment is None or segment.stage is not SegmentStage.OFFERED:
            return False
        self.retire(segment, "discarded before the other end had it")
        return True

    # Segments on their way.

    def learn_number(self, told: int) -> None:
        """Go on numbering after what the other end has seen, within reason: what it says may be forged."""
        self.highest_number = max(self.highest_number, min(told, self.highest_number + MAX_LEAP))

    def number(self, segment: PooledSegment) -> None:
        """Give the next number to a segment that both ends hold; at the leader."""
        if self.highest_number >= MOST_NUMBER:
            self.note("pool-full", segment.identifier, "no numbers are left: set up a new pool")
            return
        self.highest_number += 1
        segment.stage = SegmentStage.NUMBERED
        self.order.give_number(segment, self.highest_number)
        if segment.vouched and (self._renews_next or self._lacks_hash_keys()):
            self._renews_next = False
            self.begin_renewal(segment)

    @property
    def has_hash_keys(self) -> bool:
        """Whether a transferred segment has given hash keys that both ends know of."""
        return self._renewal is not None

    def _lacks_hash_keys(self) -> bool:
        return self._renewal is None and not any(segment.renews for segment in self.order.by_number.values())

    @property
    def hash_keys_name(self) -> bytes:
        """The segment that gave the hash keys, empty if none did."""
        return b"" if self._renewal is None else self._renewal[1]

    def choose_renewal(self, *, anew: bool) -> None:
        """Have another segment give the hash keys, if the first was lost before it could, or at one end."""
        numbered = [segment for _, segment in sorted(self.order.by_number.items()) if segment.vouched]
        waiting = [segment for segment in numbered if segment.stage is SegmentStage.NUMBERED]
        if anew:
            self._renews_next = not waiting
        if waiting and (anew or self._lacks_hash_keys()) and not waiting[0].renews:
            self.begin_renewal(waiting[0])
            self.to_offer.append(waiting[0])

    def begin_renewal(self, segment: PooledSegment) -> None:
        """Make the first bytes of a numbered segment the pool's hash keys for it and those after it."""
        segment.renews = True
        keys = self.content.read(segment, LEADER, 0, HASH_KEYS_BYTES)
        self.content.write_hash_keys(segment.identifier, keys)
        keys[:] = bytes(len(keys))
        self.spent("checks", HASH_KEYS_BYTES)
        self.order.changed(segment)

    def make_ready(self, segment: PooledSegment) -> None:
        """Begin to spend a numbered segment that both ends know to be in use."""
        segment.stage = SegmentStage.READY
        self.highest_number = max(self.highest_number, segment.number)
        for direction in (self.own, self.peer):
            if segment.number < direction.mark.segment:
                segment.left[direction.number] = segment.begin(direction.number)
            else:
                direction.rest += max(0, segment.limits[direction.number] - direction.passed(segment))
        self.order.changed(segment)
        if segment.renews:
            self._finish_renewal(segment)
        self.note("segment-ready", segment.identifier)

    def renew_hash_keys(self) -> None:
        """Have the next transferred segment bring new hash keys; all segments before it are given up then.

        Called at the leader when transfers from now on are better protected, as by more disjoint paths: a node that
        knew the old hash keys could forge frames for ever.
        """
        self._renews_next = True

    def _finish_renewal(self, segment: PooledSegment) -> None:
        before, self._renewal = self._renewal, (segment.number, segment.identifier)
        if before is None or before[0] >= segment.number:
            return
        for number in self.order.between(0, segment.number):
            if self.order[number].vouched:
                self.retire(self.order[number], "the pool has new hash keys")
        self.content.erase_hash_keys(before[1])
        self._provenances.forget(before[1])

    def retire(self, segment: PooledSegment, why: str) -> None:
        """Give up a segment with all that is left of it."""
        left = self._left_of(segment)
        self.spent("lost", left)
        self.content.erase(segment)
        if self._renewal is None or self._renewal[1] != segment.identifier:
            self.content.erase_hash_keys(segment.identifier)
            self._provenances.forget(segment.identifier)
        was_in_use = segment.in_use
        self.unconfirmed_grants.pop(segment.number, None)
        self.order.remove(segment)
        if was_in_use and None in segment.left:
            self.own.recount()
            self.peer.recount()
        if left:
            self.note("segment-lost", segment.identifier, f"{left} bytes were left: {why}")

    # Spending.

    def take(self, direction: Direction, ranges: Sequence[Range]) -> bytearray:
        """Return the next bytes of a direction; `spent` is told what for. Secret."""
        return direction.take(ranges)

    def pass_up_to(self, direction: Direction, place: Place) -> None:
        """Move a direction on to where a greeting says that it is; what is passed is lost.

        Greetings may be forged: no byte is passed that the other direction has passed.
        """
        segment, other = self.order.get(place.segment), self.peer if direction is self.own else self.own
        if segment is not None:
            place = Place(place.segment, min(place.offset, segment.length - other.passed(segment)))
        self.spent("lost", direction.jump(place))

    def spent(self, use: Use, count: int) -> None:
        """Book what bytes were spent on."""
        if count:
            self.stored_bytes -= count
            self._booking.spend(self.identifier, use, 8 * count)

    def provenances(self, ranges: Sequence[Range]) -> tuple[bytes, ...]:
        """Return the provenances of the segments of some ranges, each once."""
        identifiers = dict.fromkeys(self.order[number].identifier for number, _, _ in ranges)
        return tuple(map(self._provenances.__getitem__, identifiers))

    def tag_provenances(self, number: int) -> tuple[bytes, ...]:
        """Return the provenances of a tag whose pad begins in a segment: of its pad, and of its hash key."""
        names = dict.fromkeys((self.order[number].identifier, self.hash_key_owner(number)))
        return tuple(map(self._provenances.__getitem__, names))

    def hash_key_owner(self, number: int) -> bytes:
        """Return the segment that gave the hash keys of frames whose tag's pad begins in segment `number`."""
        segment = self.order[number]
        if not segment.vouched or segment.renews:
            return segment.identifier
        if self._renewal is None:
            raise StoreDamaged("a pool of transferred segments has no hash keys; restore the store or set up a new one")
        return self._renewal[1]

    def hash_key(self, owner: bytes, direction: int) -> bytes:
        """Return the hash key of a direction that a segment gave. Secret."""
        return self.content.hash_keys(owner)[16 * direction : 16 * direction + 16]

    def count_wrong_tag(self, number: int) -> None:
        """Count a wrong tag under pads of a segment, durably with the turn; give the segment up after a few."""
        self.wrong_tags += 1
        segment = self.order[number]
        segment.wrong_tags += 1
        self.order.changed(segment)
        self.note("wrong-tag", segment.identifier, f"{self.wrong_tags} in all")
        if self.wrong_tags % self.settings.wrong_tags_alarm == 0:
            self.note("many-wrong-tags", None, f"{self.wrong_tags} tags were wrong: look for who alters frames")
        if segment.wrong_tags >= self.settings.wrong_tags_per_segment:
            self.retire(segment, "tags under its pads were wrong again and again")

    @property
    def counted_verifications(self) -> int:
        """The number of verifications, up to the next step."""
        return -(-self.verifications // VERIFICATIONS_STEP) * VERIFICATIONS_STEP

    @property
    def capacity(self) -> int:
        """How much key this side's direction has in all, spent or not, in the segments that are in use."""
        own = self.own.number
        return sum(segment.limits[own] for segment in self.order.by_number.values() if segment.in_use)

    @property
    def first_unconfirmed_grant(self) -> int | None:
        """The lowest segment in which this side gave something away and does not know yet whether it was heard.

        Its direction does not leave that segment before: after a restore, the other end must know of every limit at
        which the direction left a segment, or the skip would be too short.
        """
        return min(self.unconfirmed_grants, default=None)

    # Notices.

    def note(self, kind: NoticeKind, segment: bytes | None = None, text: str = "") -> None:
        """Tell whoever runs the pool."""
        self.notices.append(Notice(kind, segment, text))

    def refuse(self, kind: NoticeKind, segment: bytes, text: str) -> bool:
        """Tell that something was not done."""
        self.note(kind, segment, text)
        return False

    def _left_of(self, segment: PooledSegment) -> int:
        return segment.length - self.own.passed(segment) - self.peer.passed(segment)

    def __repr__(self) -> str:
        return f"Pool(name={self.name!r}, peer={self.peer_name!r}, stored_bytes={self.stored_bytes})"
