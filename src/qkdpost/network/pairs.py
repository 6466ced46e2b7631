"""What a key manager keeps of each of its peers: the pool, the session over it, and when its segments came in."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from qkdpost.errors import StoreDamaged
from qkdpost.network.events import (
    Event,
    PeerDisagrees,
    PoolFull,
    SegmentLost,
    SegmentReady,
    StoreRestored,
)
from qkdpost.network.messages.fields import MAX_FRAME_BYTES
from qkdpost.network.peer.credit import kept_bytes
from qkdpost.network.peer.session import PeerSession
from qkdpost.network.peer.tags import TAG_BYTES
from qkdpost.network.pool.direction import Range
from qkdpost.network.pool.notices import Notice
from qkdpost.network.pool.pool import Pool
from qkdpost.network.provenance import Provenance
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Pair"]

_ARRIVALS = "arrivals"
_MOST_VERIFICATIONS = 2**40
"""Of frames, at the other end, since the pool was made: a thousand a second for 35 years."""
_decoder = msgspec.msgpack.Decoder(dict[bytes, float])


class Pair:
    """A pool, its session, and what follows from both.

    Args:
        pool: with another key manager.
        session: over it.
        store: with an open transaction.
    """

    __slots__ = ("_arrivals", "_is_announced", "_joined", "_provenances", "_store", "is_low", "pool", "session")

    def __init__(self, pool: Pool, session: PeerSession, store: KeyStore) -> None:
        self.pool = pool
        self.session = session
        self.is_low = False
        """Whether it was said that it holds little."""
        self._store = store
        self._is_announced = False
        self._provenances: dict[bytes, Provenance] = {}
        self._joined: tuple[tuple[bytes, ...], int, Provenance] | None = None
        row = store.get(_ARRIVALS, pool.identifier)
        try:
            self._arrivals = {} if row is None else _decoder.decode(row)
        except msgspec.MsgspecError:
            raise StoreDamaged("a row of arrivals is none; restore the store or set up a new one") from None

    @property
    def peer(self) -> str:
        """The key manager at the other end."""
        return self.pool.peer_name

    @property
    def has_become_ready(self) -> bool:
        """Whether the session has become ready since the last time that this was asked."""
        was, self._is_announced = self._is_announced, self.session.ready
        return self._is_announced and not was

    # Stock.

    @property
    def deliverable_bytes(self) -> int:
        """What can become keys for applications: this side's direction, net of floor, reserves and tags.

        Nothing, while the other direction has too little to answer with.
        """
        pool, session = self.pool, self.session
        kept = kept_bytes(pool, session.flight, session.outbox)
        owed = pool.settings.floor_bytes + 3 * TAG_BYTES
        if pool.peer.rest < owed:
            return 0
        window = max(pool.own.window - pool.settings.answer_bytes(pool.own.window), TAG_BYTES + 1)
        frames = -(-pool.own.rest // min(window, MAX_FRAME_BYTES))
        return max(0, pool.own.rest - kept - frames * TAG_BYTES)

    def stock(self) -> tuple[Provenance, ...]:
        """Return what the segments in use, and the hash keys of frames in them, rest on."""
        found = dict.fromkeys(
            content for number in self._numbers_in_use() for content in self.pool.tag_provenances(number)
        )
        return tuple(map(self._read, found))

    def oldest_seconds(self) -> float | None:
        """Return when the oldest segment in use came in, None if that of one is not known."""
        times = [self._arrivals.get(name) for name in self._names_in_use()]
        known = [time for time in times if time is not None]
        return min(known, default=None) if len(known) == len(times) else None

    def joined(self, pieces: tuple[bytes, ...]) -> Provenance:
        """Return what rests on pieces with these canonical bytes, and on every check in the pool until now.

        It is the same object as the last time if it is the same.
        """
        units = self._units_of_checks()
        if self._joined is not None and self._joined[:2] == (pieces, units):
            return self._joined[2]
        whole = Provenance()
        for piece in pieces:
            whole = whole | self._read(piece)
        self._joined = pieces, units, whole.with_checks(self.pool.identifier, units)
        return self._joined[2]

    def _units_of_checks(self) -> int:
        # Frames have at most 64 KiB, and segments may be longer: here each verification counts as one of the longest
        # text. Of the other end's nothing is known but that it cannot have made more than there was time for.
        longest = max(MAX_FRAME_BYTES, self.pool.order.longest)
        here = self.pool.counted_verifications * _units(longest)
        there = _MOST_VERIFICATIONS * _units(MAX_FRAME_BYTES) + self.pool.highest_number * _units(longest)
        return here + there

    def _numbers_in_use(self) -> list[int]:
        return [number for number, segment in self.pool.order.by_number.items() if segment.in_use]

    def _names_in_use(self) -> Iterator[bytes]:
        return (self.pool.order[number].identifier for number in self._numbers_in_use())

    def _read(self, content: bytes) -> Provenance:
        if content not in self._provenances:
            if len(self._provenances) > 4096:
                self._provenances.clear()
            self._provenances[content] = Provenance.from_bytes(content, error=StoreDamaged)
        return self._provenances[content]

    # What happened.

    def news(self, now_seconds: float) -> Iterator[Event]:
        """Yield what the pool has to tell, and note when segments came in."""
        notices, self.pool.notices = self.pool.notices, []
        for notice in notices:
            event = self._event(notice)
            if event is not None:
                yield event
        arrived = [notice.segment for notice in notices if notice.kind == "segment-ready" and notice.segment]
        if arrived:
            in_use = set(self._names_in_use())
            self._arrivals.update(dict.fromkeys(arrived, now_seconds))
            self._arrivals = {name: time for name, time in self._arrivals.items() if name in in_use}
            self._store.put(_ARRIVALS, self.pool.identifier, msgspec.msgpack.encode(self._arrivals))

    def _event(self, notice: Notice) -> Event | None:
        segment = notice.segment or b""
        if notice.kind == "segment-ready":
            return self._segment_ready(segment)
        if notice.kind in ("segment-refused", "segment-lost"):
            return SegmentLost(peer=self.peer, segment=segment, detail=notice.text)
        if notice.kind in ("pool-filling", "pool-full"):
            return PoolFull(peer=self.peer, stored_bits=8 * self.pool.stored_bytes)
        if notice.kind == "restored":
            return StoreRestored(peer=self.peer, detail=notice.text)
        return PeerDisagrees(peer=self.peer, detail=notice.text)

    def _segment_ready(self, identifier: bytes) -> Event | None:
        segment = self.pool.order.by_identifier.get(identifier)
        if segment is None or not segment.in_use:
            return None  # and spent or given up in the same turn
        (content,) = self.pool.provenances([Range(segment.number, 0, 0)])
        return SegmentReady(
            peer=self.peer, segment=identifier, length_bits=8 * segment.length, provenance=self._read(content)
        )

    def revoke(self, identifier: bytes) -> int:
        """Give up every segment that rests on a block or transfer; return how many."""
        found = 0
        for segment in list(self.pool.order.by_identifier.values()):
            contents = self.pool.provenances([Range(segment.number, 0, 0)]) if segment.number else ()
            if any(self._read(content).has(identifier) for content in contents) or segment.identifier == identifier:
                self.pool.retire(segment, "the operator took it back")
                found += 1
        return found


def _units(length_bytes: int) -> int:
    """Return L + 1 of a text: its blocks of 16 bytes, the one of its length, and one more."""
    return -(-length_bytes // 16) + 2
