"""How a connection begins: both ends say what they have, settle, store, and only then take pads.

    both    PeerHello, SegmentList ...    what is here
    both    PeerSettled                   where my direction goes on, stored here
    both    PeerReady                     your mark is stored here
    ...     SegmentOffer, SegmentTaken    segments that come in later
    ...     PeerWindow, PeerWindowKept    a wider window, when there is more key

What a side says leaves after the commit of the turn in which it was settled or stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qkdpost.errors import RemoteProtocolError
from qkdpost.network.messages.fields import MAX_LISTED_SEGMENTS
from qkdpost.network.messages.greetings import (
    OLDEST_PROTOCOL_VERSION,
    PROTOCOL_VERSION,
    Greeting,
    ListedSegment,
    Mark,
    PeerHello,
    PeerReady,
    PeerSettled,
    PeerWindow,
    PeerWindowKept,
    SegmentList,
    SegmentOffer,
    SegmentTaken,
)
from qkdpost.network.pool.numbering import listed, new_offers, take_offer, take_taken
from qkdpost.network.pool.pool import Pool
from qkdpost.network.pool.settling import settle, store_peer_mark
from qkdpost.version import VERSION, newest_common, no_common_version

__all__ = ["GreetingExchange"]

MAX_WINDOW = 2**24
MAX_PENDING = 2048


class GreetingExchange:
    """The greetings of one connection.

    Args:
        pool: that it is about.
        fresh: whether it is the first connection since the process began.
        pending: returns the transfers to the other end whose end is open; None if nobody knows.
    """

    __slots__ = (
        "_asked_window",
        "_entries",
        "_fresh",
        "_hello",
        "_pending",
        "_pool",
        "_settled",
        "is_stored",
        "ready",
        "restored",
    )

    def __init__(self, pool: Pool, *, fresh: bool, pending: Callable[[], Sequence[bytes]] | None) -> None:
        self._pool = pool
        self._fresh = fresh
        self._pending = pending
        self._hello: PeerHello | None = None
        self._entries: list[ListedSegment] = []
        self._settled = False
        self._asked_window = 0
        self.is_stored = False
        """Whether the other end's mark is stored, so that its frames may come."""
        self.ready = False
        """Whether the other end has stored this one's mark as well."""
        self.restored = False
        """Whether the other end knows of more than this store."""

    def opening(self) -> list[Greeting]:
        """Return what a connection begins with."""
        pool = self._pool
        pool.to_offer.clear()
        pool.early_offers.clear()
        pool.unconfirmed_grants.clear()
        pool.own.window = 0
        entries = [listed(pool, segment) for segment in pool.order.by_identifier.values()]
        pending = None if self._pending is None else tuple(self._pending())
        hello = PeerHello(
            PROTOCOL_VERSION,
            pool.identifier,
            pool.name,
            Mark(*pool.own.mark),
            Mark(*pool.peer.mark),
            pool.peer.window,
            pool.highest_number,
            len(entries),
            pending if pending is not None and len(pending) <= MAX_PENDING else None,
            pool.hash_keys_name,
            OLDEST_PROTOCOL_VERSION,
            VERSION,
        )
        parts = range(0, len(entries), MAX_LISTED_SEGMENTS)
        return [hello, *(SegmentList(tuple(entries[start : start + MAX_LISTED_SEGMENTS])) for start in parts)]

    def receive(self, greeting: Greeting) -> list[Greeting]:
        """Take a greeting; return what to answer.

        Raises:
            RemoteProtocolError: it comes at the wrong time, or contradicts itself.
        """
        if isinstance(greeting, PeerHello):
            return self._take_hello(greeting)
        if isinstance(greeting, SegmentList):
            return self._take_list(greeting)
        if not self._settled:
            raise _untimely(greeting, "before the greeting was complete")
        if isinstance(greeting, PeerSettled):
            return self._take_settled(greeting)
        if isinstance(greeting, PeerReady):
            return self._take_ready(greeting)
        if not self.is_stored:
            raise _untimely(greeting, "before PeerSettled")
        return self._take_later(greeting)

    def news(self) -> list[Greeting]:
        """Return what is to be said of segments that came in, and of the window."""
        if not self.ready:
            return []
        pool = self._pool
        said: list[Greeting] = [*new_offers(pool)]
        most = pool.settings.window_bytes
        wanted = min(most, pool.capacity // 4) if pool.own.window < most else 0
        if wanted > max(pool.own.window, self._asked_window):
            self._asked_window = wanted
            said.append(PeerWindow(wanted))
        return said

    # Greetings.

    def _take_hello(self, hello: PeerHello) -> list[Greeting]:
        if self._hello is not None:
            raise _untimely(hello, "twice")
        _check_version(hello)
        if hello.pool != self._pool.identifier or hello.name != self._pool.peer_name:
            raise RemoteProtocolError(f"{self._pool.peer_name!r} should be at the other end; found {hello.name!r}")
        self._hello = hello
        return self._settle_if_complete()

    def _take_list(self, part: SegmentList) -> list[Greeting]:
        if self._hello is None or self._settled or len(self._entries) + len(part.segments) > self._hello.segments:
            raise _untimely(part, "that nobody announced")
        self._entries += part.segments
        return self._settle_if_complete()

    def _settle_if_complete(self) -> list[Greeting]:
        if self._hello is None or len(self._entries) < self._hello.segments:
            return []
        settlement = settle(self._pool, self._hello, self._entries, fresh=self._fresh)
        self._entries = []
        self._settled = True
        self.restored = settlement.restored
        self._asked_window = settlement.window
        return [PeerSettled(Mark(*settlement.mark), settlement.window), *settlement.answers]

    def _take_settled(self, greeting: PeerSettled) -> list[Greeting]:
        if self.is_stored:
            raise _untimely(greeting, "twice")
        store_peer_mark(self._pool, greeting.mark, _checked_window(greeting.window))
        self.is_stored = True
        return [PeerReady()]

    def _take_ready(self, greeting: PeerReady) -> list[Greeting]:
        if self.ready:
            raise _untimely(greeting, "twice")
        self._pool.own.window = self._asked_window
        self.ready = True
        return []

    def _take_later(self, greeting: Greeting) -> list[Greeting]:
        pool = self._pool
        if isinstance(greeting, SegmentOffer):
            return [*take_offer(pool, greeting.segment)]
        if isinstance(greeting, SegmentTaken):
            take_taken(pool, greeting.number)
        elif isinstance(greeting, PeerWindow):
            pool.peer.keep_window(max(pool.peer.window, _checked_window(greeting.window)))
            return [PeerWindowKept(greeting.window)]
        elif isinstance(greeting, PeerWindowKept):
            if greeting.window > self._asked_window:
                raise RemoteProtocolError(f"the peer keeps a window of {greeting.window} bytes; nobody asked for it")
            pool.own.window = max(pool.own.window, greeting.window)
        return []


def _check_version(hello: PeerHello) -> None:
    """Find a version that both ends speak; until there are two, that is all there is to it."""
    own = (OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION)
    peer = (hello.version if hello.oldest_version is None else hello.oldest_version, hello.version)
    if newest_common(own, peer) is None:
        raise RemoteProtocolError(no_common_version(hello.release, own, peer))


def _checked_window(window: int) -> int:
    if window > MAX_WINDOW:
        raise RemoteProtocolError(f"the peer wants a window of {window} bytes; the widest has {MAX_WINDOW}")
    return window


def _untimely(greeting: Greeting, when: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"the peer sent {type(greeting).__name__} {when}")
