"""A site on the way of a share: it takes it from the site before, keeps it durably until it has a pad, passes it on.

What comes in during a turn is passed on at its end, many shares in a frame. A share that finds no pad waits in the
store (`CARRYING`) for one, or for its end. Once passed on it is erased here; nothing is ever sent twice, nor by another
way. Pairs of sites take turns at a link that has too little for all, so that each gets an equal share of what is there
and none can take more than it asks for.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field

import msgspec

from qkdpost.network.messages.fields import MAX_MESSAGES_PER_FRAME, VoidReason
from qkdpost.network.messages.framed import CarryDone, CarrySegment, CarryVoid
from qkdpost.network.peer.handler import OpenedFrame, Session
from qkdpost.network.peer.pads import add_into
from qkdpost.network.relay.topology import LinkName
from qkdpost.network.relay.transfers.header import own_place, wrong_header
from qkdpost.network.relay.transfers.records import NODE, NodeRow, NodeState, Rows, row_key
from qkdpost.network.relay.transfers.room import RECORD_BYTES, Room, record_bytes
from qkdpost.network.relay.transfers.shares import ROOM_OF_A_FRAME, frame_size, message_size, refuse, zero
from qkdpost.network.relay.transfers.surroundings import Surroundings, join_parts, joined_provenance

__all__ = ["RelayNode"]

MOST_RECORDS = 2**18
"""Of shares on record at once; more are refused. A site before this one pays key for each, see `room` too."""
LONGEST_TAKEN_BYTES = 16 * 1024
"""Of the provenance of a share that is taken, so that there is room for the rest of the way."""


@dataclass(slots=True)
class Held:
    """What is in memory of a share: its row, and its bytes while it waits, secret.

    `stored` says that they are durable too, `answered` that the target's answer was sent back: once is enough, for it
    waits in an outbox until it is heard. `charged_bytes` is what of the room of the site before is taken by it.
    """

    row: NodeRow
    charged_bytes: int = RECORD_BYTES
    share: bytearray | None = field(default=None, repr=False)
    stored: bool = False
    answered: bool = False


class RelayNode:
    """The shares that go through this site.

    Args:
        around: where this site stands, and whom it asks and tells.
        now_seconds: as for `advance`.
    """

    def __init__(self, around: Surroundings, *, now_seconds: float) -> None:
        self._name, self._topology, self._policy = around.name, around.topology, around.policy
        self._peers, self._pools = around.peers, around.pools
        self._rows = Rows(around.store, NODE, NodeRow)
        self._held: dict[bytes, Held] = {}
        self._ends: list[tuple[float, bytes]] = []
        self._room = Room()
        self._waiting: dict[str, dict[LinkName, deque[bytes]]] = {}
        self._now_seconds = now_seconds
        for key, row in self._rows.load().items():
            self._load(key, row)
        self.advance(now_seconds)

    def _load(self, key: bytes, row: NodeRow) -> None:
        held = Held(row)
        if row.state is NodeState.CARRYING and row.message is not None:
            held.charged_bytes = record_bytes(row.message)
            held.share, held.stored = self._rows.take_secret(key), True
            if held.share is not None:
                self._rows.put_secret(key, held.share)
                self._wait(key, row.message, row.after)
        self._remember(key, held)

    def _remember(self, key: bytes, held: Held) -> None:
        self._held[key] = held
        self._room.charge(held.row.before, held.charged_bytes)
        heapq.heappush(self._ends, (held.row.until_seconds, key))

    def _wait(self, key: bytes, message: CarrySegment, after: str) -> None:
        pair = (message.source, message.target)
        self._waiting.setdefault(after, {}).setdefault(pair, deque()).append(key)

    # What comes in.

    def take(self, peer: Session, message: CarrySegment, material: bytearray) -> None:
        """Take a share, or refuse it. `material` is the share at the first hop, else the pad that it is under."""
        key = row_key(message.transfer, message.share)
        reason = self._why_not(peer, message)
        known = self._held.get(key)
        if known is not None and known.row.before == peer.name:
            zero(material)
            self._void(key, VoidReason.DISAGREES)
            return
        if reason is not None or known is not None:
            refuse(peer, message, material, reason or VoidReason.REFUSED)
            return
        after = message.paths[message.share][message.paths[message.share].index(self._name) + 1]
        if message.ciphertext is not None:
            add_into(material, message.ciphertext)
            message = msgspec.structs.replace(message, ciphertext=None)
        until = self._now_seconds + message.expires_seconds
        row = NodeRow(NodeState.CARRYING, until, peer.name, after, message)
        self._remember(key, Held(row, record_bytes(message), material))
        self._wait(key, message, after)

    def _why_not(self, peer: Session, message: CarrySegment) -> VoidReason | None:
        """Return why a share cannot be taken, None if it can."""
        place = None if wrong_header(message) else own_place(message, self._name, peer.name)
        if place is None or joined_provenance((message.provenance,)) is None:
            return VoidReason.REFUSED
        after = message.paths[message.share][place + 1]
        linked = all(self._topology.link(self._name, name) for name in (peer.name, after))
        if not linked or self._peers(after) is None or not self._topology.site(self._name).relays:
            return VoidReason.NO_ROUTE
        full = len(self._held) >= MOST_RECORDS or len(message.provenance) > LONGEST_TAKEN_BYTES
        return VoidReason.NO_ROOM if full or not self._room.has_room(peer.name, record_bytes(message)) else None

    def take_done(self, peer: Session, message: CarryDone) -> bool:
        """Send back that the target holds the segment; tell whether the share is on record here."""
        held = self._held.get(row_key(message.transfer, message.share))
        if held is None:
            return False
        before = self._peers(held.row.before)
        is_due = held.row.state is NodeState.PASSED and not held.answered
        if is_due and peer.name == held.row.after and before is not None:
            held.answered = True
            before.queue(message)
        return True

    def take_void(self, peer: Session, message: CarryVoid) -> bool:
        """End a share, in the direction in which the news goes; tell whether it is on record here."""
        key = row_key(message.transfer, message.share)
        held = self._held.get(key)
        if held is None:
            return False
        if peer.name in (held.row.before, held.row.after):
            self._void(key, message.reason, heard_from=peer.name)
        return True

    def broken(self, message: CarrySegment) -> None:
        """End a share that was in flight when the connection to the next site broke: it may have arrived or not."""
        self._void(row_key(message.transfer, message.share), VoidReason.CONNECTION_LOST)

    def _void(self, key: bytes, reason: VoidReason, heard_from: str = "") -> None:
        held = self._held.get(key)
        if held is None or held.row.state is NodeState.VOID:
            return
        passed = held.row.state is NodeState.PASSED
        self._end(key, held, NodeState.VOID)
        for name, knows in ((held.row.before, True), (held.row.after, passed)):
            peer = self._peers(name)
            if knows and name != heard_from and peer is not None:
                peer.queue(CarryVoid(key[:-1], key[-1], reason))

    def _end(self, key: bytes, held: Held, state: NodeState) -> None:
        """Erase a share, and keep of it that it was here."""
        self._erase_share(key, held)
        self._room.charge(held.row.before, RECORD_BYTES - held.charged_bytes)
        held.charged_bytes = RECORD_BYTES
        held.row = NodeRow(state, held.row.until_seconds, held.row.before, held.row.after)
        self._rows.put(key, held.row)

    def _erase_share(self, key: bytes, held: Held) -> None:
        zero(held.share)
        held.share = None
        if held.stored:
            zero(self._rows.take_secret(key))
            held.stored = False

    # What goes out.

    def advance(self, now_seconds: float) -> None:
        """Erase and forget what has come to its end."""
        self._now_seconds = now_seconds
        while self._ends and self._ends[0][0] <= now_seconds:
            _, key = heapq.heappop(self._ends)
            held = self._held.pop(key)
            self._room.charge(held.row.before, -held.charged_bytes)
            self._erase_share(key, held)
            self._rows.erase(key)

    def flush(self) -> None:
        """Pass on what may be passed on, and make durable what may not: the last thing before a commit."""
        for after, queues in self._waiting.items():
            self._pass_to(after, queues)
            for queue in queues.values():
                for key in queue:
                    self._store_waiting(key)
        self._waiting = {after: queues for after, queues in self._waiting.items() if queues}

    def _store_waiting(self, key: bytes) -> None:
        held = self._held.get(key)
        if held is not None and held.share is not None and not held.stored:
            self._rows.put(key, held.row)
            self._rows.put_secret(key, held.share)
            held.stored = True

    def _pass_to(self, after: str, queues: dict[LinkName, deque[bytes]]) -> None:
        peer = self._peers(after)
        while peer is not None and peer.ready:
            keys = self._next_frame(peer, queues)
            if not keys:
                return
            self._pass_frame(peer, keys)

    def _next_frame(self, peer: Session, queues: dict[LinkName, deque[bytes]]) -> list[bytes]:
        """Take the keys of shares for the next frame out of the queues, one of each pair by turns."""
        room = peer.room_bytes() - self._policy.link_reserve_bytes
        size = length = 0
        keys: list[bytes] = []
        while queues and len(keys) < MAX_MESSAGES_PER_FRAME:
            pair = next(iter(queues))
            queue = queues.pop(pair)
            while queue and self._is_gone(queue[0]):
                queue.popleft()
            if not queue:
                continue
            message = self._message(queue[0])
            size, length = size + message_size(message), length + message.length_bytes
            if length > room or (keys and frame_size(peer, len(keys) + 1, size, length) > ROOM_OF_A_FRAME):
                queues[pair] = queue
                break
            keys.append(queue.popleft())
            if queue:
                queues[pair] = queue
        return keys

    def _is_gone(self, key: bytes) -> bool:
        held = self._held.get(key)
        return held is None or held.share is None

    def _message(self, key: bytes) -> CarrySegment:
        message = self._held[key].row.message
        if message is None:  # a row that carries has its message, see `take`
            raise LookupError("a share waits without its message")
        return message

    def _pass_frame(self, peer: Session, keys: list[bytes]) -> None:
        messages = [self._message(key) for key in keys]
        frame = peer.open_frame([message.length_bytes for message in messages])
        checks = self._pools.checks(peer.name)
        frame.send([self._passed_on(frame, place, key, checks) for place, key in enumerate(keys)])

    def _passed_on(self, frame: OpenedFrame, place: int, key: bytes, checks: bytes) -> CarrySegment:
        held, message, pad = self._held[key], self._message(key), frame.material[place]
        joined = join_parts(message.provenance, (*frame.provenances[place], checks))
        add_into(pad, held.share or b"")
        ciphertext = bytes(pad)
        zero(pad)
        self._end(key, held, NodeState.PASSED)
        return msgspec.structs.replace(message, ciphertext=ciphertext, provenance=joined or b"")
