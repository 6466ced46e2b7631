"""What is assigned at once: pieces of the requests of a turn, in one frame for each site that they go to.

A frame costs a tag, a mark and a sync of the disk at either end, whatever number of keys it carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from qkdpost.network.deliveries.description import MAX_EXTENSION_BYTES, Said
from qkdpost.network.deliveries.requests import Batch, Request
from qkdpost.network.deliveries.surroundings import Surroundings
from qkdpost.network.messages.fields import MAX_KEYS_PER_MESSAGE, MAX_MESSAGES_PER_FRAME
from qkdpost.network.messages.framed import AssignedKeys, AssignKeys
from qkdpost.network.names import KEY_ID_BYTES
from qkdpost.network.peer.handler import OpenedFrame, Session
from qkdpost.network.peer.pads import add_into
from qkdpost.network.policy import DeliveryPolicy
from qkdpost.network.provenance import LOCAL_KIND, Block, Provenance

__all__ = ["Descriptions", "Round", "local_provenance", "next_round"]

_BODY_BYTES = 56 * 1024
"""Of the messages of a frame, so that it stays below 64 KiB."""
_MOST_PIECES = MAX_MESSAGES_PER_FRAME - 4
"""Of a round: each may be a message of its own, and what waits in the outbox goes along."""


class Room:
    """What a frame to one site still has room for.

    Args:
        session: with the site.
    """

    __slots__ = ("body_bytes", "key_bytes")

    def __init__(self, session: Session) -> None:
        self.key_bytes = session.room_bytes() if session.ready else 0
        self.body_bytes = _BODY_BYTES - MAX_EXTENSION_BYTES

    def keys(self, request: Request, fixed: int, each: int) -> int:
        """Return how many keys of a request it holds, whose message takes so many bytes and so many for each key."""
        return min(self.key_bytes // request.size_bytes, (self.body_bytes - fixed) // each)

    def take(self, key_bytes: int, body_bytes: int) -> None:
        """Put keys into it."""
        self.key_bytes -= key_bytes
        self.body_bytes -= body_bytes


def next_round(requests: Iterable[Request], around: Surroundings) -> Round | None:
    """Return what can be assigned now, as much as one frame for each site carries, or None."""
    pieces: list[tuple[Request, int]] = []
    rooms: dict[str, Room] = {}
    for request in requests:
        if not (request.is_open and request.wanted):
            continue
        for site in request.sites:
            if site not in rooms:
                rooms[site] = Room(around.session(site))
        fixed, each = 32 + request.name_bytes, KEY_ID_BYTES
        if len(request.sites) > 1:  # the others get ciphertexts; and what is said of the keys is said of no others
            fixed, each = fixed + 16 + MAX_EXTENSION_BYTES, each + request.size_bytes
        wanted = request.wanted
        while wanted and len(pieces) < _MOST_PIECES:
            held = [rooms[site].keys(request, fixed, each) for site in request.sites]
            count = min(wanted, MAX_KEYS_PER_MESSAGE, *held)
            if count <= 0:
                break
            for site in request.sites:
                rooms[site].take(count * request.size_bytes, fixed + count * each)
            pieces.append((request, count))
            wanted -= count
    return Round(pieces, around) if pieces else None


class Round:
    """Pieces of requests, their number of keys, and the frames that carry them.

    Args:
        pieces: requests, and how many keys each gets.
        around: the key manager.
    """

    __slots__ = ("_around", "_frames", "_places", "pieces")

    def __init__(self, pieces: list[tuple[Request, int]], around: Surroundings) -> None:
        self.pieces = sorted(pieces, key=_sites) if len(pieces) > 1 else pieces
        self._around = around
        self._places: dict[str, dict[int, int]] = {}
        self._frames: dict[str, OpenedFrame] = {}

    def open(self) -> None:
        """Spend what the keys are made of, and their pads."""
        for place, (request, _) in enumerate(self.pieces):
            for site in request.sites:
                places = self._places.setdefault(site, {})
                places[place] = len(places)
        for site, places in self._places.items():
            lengths = [self.pieces[place][1] * self.pieces[place][0].size_bytes for place in places]
            self._frames[site] = self._around.session(site).open_frame(lengths)

    def values(self, place: int) -> bytearray:
        """Return the bytes of the keys of a piece. Secret."""
        request, count = self.pieces[place]
        if not request.sites:
            return bytearray(self._around.random_bytes(count * request.size_bytes))
        return bytearray(self._material(next(iter(request.sites)), place))

    def provenance(self, sites: Iterable[str]) -> Provenance:
        """Return what keys rest on that go to these sites in this round.

        Raises:
            InputError: it is more than can be told.
        """
        whole = Provenance()
        for site in sites:
            entries = dict.fromkeys(self._frames[site].provenances)
            pieces = tuple(dict.fromkeys(piece for entry in entries for piece in entry))
            whole = whole | self._around.provenance_of(site, pieces)
        return whole

    def send(self, batches: Sequence[Batch], lifetime_seconds: int) -> None:
        """Tell every site of its keys; one batch for each piece, in their order."""
        for site, places in self._places.items():
            messages = []
            for content, some in groupby(places, key=lambda place: batches[place].said.content):
                keys = tuple(self._keys(site, place, batches[place]) for place in some)
                messages.append(AssignKeys(keys, lifetime_seconds, content))
            self._frames[site].send(messages)

    def _keys(self, site: str, place: int, batch: Batch) -> AssignedKeys:
        request, material, ciphertext = batch.request, self._material(site, place), None
        if site != next(iter(request.sites)):
            add_into(material, batch.values)
            ciphertext = bytes(material)
        material[:] = bytes(len(material))
        return AssignedKeys(batch.key_ids, request.size_bytes, request.ticket.master, request.sites[site], ciphertext)

    def _material(self, site: str, place: int) -> bytearray:
        return self._frames[site].material[self._places[site][place]]


def _sites(piece: tuple[Request, int]) -> tuple[str, ...]:
    """Return what pieces are sorted by, so that those of which the same is said stand together."""
    return tuple(piece[0].sites)


class Descriptions:
    """What is said of keys: without a look at the pools it is the same for many in a row.

    Args:
        around: the key manager.
        policy: what the epsilon is about.
    """

    __slots__ = ("_around", "_last", "_policy")

    def __init__(self, around: Surroundings, policy: DeliveryPolicy) -> None:
        self._around = around
        self._policy = policy
        self._last: tuple[Provenance, Said] | None = None

    def of(self, some: Round, sites: tuple[str, ...]) -> tuple[Provenance, Said]:
        """Return what keys of a round rest on that go to these sites, and what is said of them.

        Raises:
            InputError: it is more than can be told.
        """
        provenance = some.provenance(sites) if sites else local_provenance(self._around.name)
        if self._policy.claim == "request":
            return provenance, Said.of(provenance, [piece for site in sites for piece in self._around.stock(site)])
        if self._last is None or self._last[0] is not provenance:
            self._last = provenance, Said.of(provenance)
        return self._last


def local_provenance(name: str) -> Provenance:
    """Return what keys between two applications of one site are made of: random numbers of its operating system."""
    block = Block(
        link=name,
        identifier=bytes(16),
        kind=LOCAL_KIND,
        epsilon=0.0,
        accumulated_epsilon=0.0,
        stated_by_operator=True,
    )
    return Provenance(blocks=(block,))
