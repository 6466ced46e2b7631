"""Two ends of a pool without anything above them: handlers that remember, a line that can break, and a ledger."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from qkdpost.errors import StoreUnavailable
from qkdpost.network.messages.fields import RefusalReason, VoidReason
from qkdpost.network.messages.framed import (
    AssignAnswer,
    AssignedKeys,
    AssignKeys,
    CarryDone,
    CarrySegment,
    CarryVoid,
    Grant,
    KeysAnswer,
    VoidKeys,
)
from qkdpost.network.peer.sending import _send, _take_pad
from qkdpost.network.peer.session import PeerSession
from qkdpost.network.pool import grants
from qkdpost.network.pool.direction import Direction
from qkdpost.network.pool.pool import Pool
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.store import MemoryStore

SMALL = PoolSettings(window_bytes=1024, floor_bytes=64, least_answer_bytes=64, chunk_bytes=64, least_grant_bytes=64)


class Ledger:
    """Every byte that was ever taken for what may have been sent, across crashes and restores: none is taken twice.

    What a turn takes that never ends, since power is cut in it, is not sent: nothing leaves before the turn is stored.
    """

    def __init__(self) -> None:
        self.uses: dict[tuple[bytes, int], tuple[str, int]] = {}
        self.count = 0

    def took(self, end: End, ranges: Any) -> None:
        self.count += 1
        for number, offset, length in ranges:
            segment = end.pool.order[number]
            for place in range(offset, offset + length):
                position = place if end.pool.own.number == 0 else segment.length - 1 - place
                use = segment.identifier, position
                before = self.uses.setdefault(use, (end.name, self.count))
                assert before == (end.name, self.count), f"{end.name} uses byte {position} of segment {number} again"
                end.taken.append(use)

    def forget(self, end: End) -> None:
        """Let what an end took in a turn that is not stored be taken again."""
        for use in end.taken:
            del self.uses[use]
        end.taken.clear()


class Kept(msgspec.Struct):
    """What an end remembers."""

    held: dict[bytes, bytes] = {}
    assigned: dict[bytes, bytes] = {}
    released: dict[bytes, bytes] = {}
    void: set[bytes] = set()


class Booked:
    """What a pool says of its bytes in the life of one process."""

    def __init__(self) -> None:
        self.received = 0
        self.spent: dict[str, int] = {}

    def receive(self, pool: bytes, source: str, bits: int) -> None:
        self.received += bits

    def spend(self, pool: bytes, use: str, bits: int) -> None:
        assert bits > 0
        self.spent[use] = self.spent.get(use, 0) + bits

    def balance(self) -> int:
        return self.received - sum(self.spent.values())


class End:
    """One key manager: assigns keys, answers those of the other, and remembers in its store."""

    def __init__(self, name: str, peer: str, ledger: Ledger, settings: PoolSettings = SMALL) -> None:
        self.name, self.peer_name, self.ledger, self.settings = name, peer, ledger, settings
        self.store = MemoryStore()
        self.booked = Booked()
        self.told: dict[bytes, bytes] = {}
        """Keys that an application got: no crash or restore takes them back."""
        self.shares: list[tuple[CarrySegment, bytes]] = []
        self.events: list[tuple[str, Any]] = []
        self.answers = True
        self.taken: list[tuple[bytes, int]] = []
        """What the open turn takes to be sent."""
        self.start()

    def start(self) -> None:
        """Begin a process."""
        self.store.begin()
        row = self.store.get("manager", b"keys")
        kept = msgspec.msgpack.decode(row, type=Kept) if row else Kept()
        self.held, self.assigned, self.released, self.void = kept.held, kept.assigned, kept.released, kept.void
        self.pool = Pool(self.store, name=self.name, peer=self.peer_name, settings=self.settings, booking=self.booked)
        self.booked.received, self.booked.spent = 8 * self.pool.stored_bytes, {}
        kinds = (AssignKeys, AssignAnswer, VoidKeys, CarrySegment, CarryDone, CarryVoid)
        self.session = PeerSession(self.pool, dict.fromkeys(kinds, self))
        self.watch(self.pool)
        for key_id in list(self.assigned):
            self.void_assigned(key_id)
        self.finish()

    def watch(self, pool: Pool) -> None:
        """Have every byte that is taken to be sent entered in the ledger."""
        take = pool.take

        def watched(direction: Direction, ranges: Any) -> bytearray:
            if direction is pool.own:
                self.ledger.took(self, ranges)
            return take(direction, ranges)

        pool.take = watched  # type: ignore[method-assign]

    def turn(self, work: Any = None) -> Any:
        """Do something in a turn of its own."""
        self.store.begin()
        try:
            result = work() if work is not None else None
        except StoreUnavailable:
            raise
        except BaseException:
            self.finish()
            raise
        self.finish()
        return result

    def finish(self) -> None:
        """End a turn."""
        self.session.prepare()
        self.store.put(
            "manager", b"keys", msgspec.msgpack.encode(Kept(self.held, self.assigned, self.released, self.void))
        )
        self.store.commit()
        self.taken.clear()
        self.session.committed()
        self.told.update(self.released)
        assert self.booked.balance() == 8 * self.pool.stored_bytes

    def crash(self, snapshot: Any = None) -> None:
        """End the process, perhaps put back a backup, and begin another one."""
        self.ledger.forget(self)
        self.store.reopen()
        if snapshot is not None:
            self.store.restore(snapshot)
        self.start()

    # Work.

    def add(self, identifier: bytes, content: bytes, **more: Any) -> bool:
        return self.turn(
            lambda: self.pool.add_segment(
                identifier, bytearray(content), provenance=b"of " + identifier, source="link", **more
            )
        )

    def assign(self, *key_ids: bytes, length: int = 16) -> None:
        def work() -> None:
            opened = self.session.open_frame([length] * len(key_ids))
            keys = tuple(AssignedKeys(key_id, length, "SAE-A", ("SAE-B",)) for key_id in key_ids)
            self.assigned.update(zip(key_ids, map(bytes, opened.material), strict=True))
            opened.send([AssignKeys(keys, 60)])

        self.turn(work)

    def void_assigned(self, key_id: bytes, reason: VoidReason = VoidReason.DEADLINE) -> None:
        """Give up an assignment that is not answered, in the open turn."""
        if key_id in self.assigned:
            del self.assigned[key_id]
            self.void.add(key_id)
            self.session.queue(VoidKeys((key_id,), reason, 99))

    def give(self, number: int, new: int) -> None:
        """Give away what lies above a limit of this end's own, whether it is worth it or not."""

        def work() -> None:
            segment = self.pool.order[number]
            given = number, segment.limits[self.pool.own.number], new
            ranges, pad = _take_pad(self.session)
            grants.begin_grant(self.pool, *given)
            _send(self.session, ranges, pad, (Grant(*given),), [])

        self.turn(work)

    # Handler of all messages.

    def received(self, peer: Any, message: Any, material: tuple[bytearray, ...]) -> None:
        self.events.append(("received", message))
        if isinstance(message, AssignKeys):
            for keys, secret in zip(message.requests, material, strict=True):
                assert keys.name not in self.void
                self.held[keys.name] = bytes(secret)
            if self.answers:
                answers = tuple(KeysAnswer(keys.name, RefusalReason.HELD) for keys in message.requests)
                peer.queue(AssignAnswer(answers))
        elif isinstance(message, AssignAnswer):
            for answer in message.answers:
                if answer.key_id in self.assigned:
                    self.released[answer.key_id] = self.assigned.pop(answer.key_id)
        elif isinstance(message, VoidKeys):
            for key_id in message.key_ids:
                self.held.pop(key_id, None)
                self.void.add(key_id)
        elif isinstance(message, CarrySegment):
            self.shares.append((message, bytes(material[0])))

    def confirmed(self, peer: Any, message: Any) -> None:
        self.events.append(("confirmed", message))

    def broken(self, peer: Any, message: Any) -> None:
        self.events.append(("broken", message))
        if isinstance(message, AssignKeys):
            for keys in message.requests:
                if keys.name in self.assigned:
                    self.void_assigned(keys.name, VoidReason.CONNECTION_LOST)


class Pair:
    """Two ends and the line between them."""

    def __init__(self, settings: PoolSettings = SMALL, seed: int = 1) -> None:
        self.ledger = Ledger()
        self.ends = End("a", "b", self.ledger, settings), End("b", "a", self.ledger, settings)
        self.draw = random.Random(seed)
        self.sent: list[tuple[str, bytes]] = []

    @property
    def a(self) -> End:
        return self.ends[0]

    @property
    def b(self) -> End:
        return self.ends[1]

    def add(self, number: int, length: int = 4096, **more: Any) -> bytes:
        identifier, content = bytes([number] * 16), self.draw.randbytes(length)
        for end in self.ends:
            end.add(identifier, content, **more)
        return content

    def connect(self) -> None:
        for end in self.ends:
            end.turn(end.session.connection_lost)
        for end in self.ends:
            end.turn(end.session.connection_made)
        self.exchange()

    def lose(self) -> None:
        for end in self.ends:
            end.turn(end.session.connection_lost)

    def exchange(self, rounds: int = 100) -> None:
        """Carry bytes to and fro until both are silent."""
        for _ in range(rounds):
            moved = False
            for end, other in (self.ends, self.ends[::-1]):
                end.turn()
                data = end.session.data_to_send()
                if data:
                    self.sent.append((end.name, data))
                    moved = True
                    other.turn(lambda other=other, data=data: other.session.receive_data(data))
            if not moved:
                return
        raise AssertionError("the two ends never fall silent")

    def drop(self, name: str) -> bytes:
        """Take what an end would send off the line."""
        end = self.a if name == "a" else self.b
        end.turn()
        return end.session.data_to_send()


def ready_pair(length: int = 4096, segments: int = 1, settings: PoolSettings = SMALL, seed: int = 1) -> Pair:
    """Return two ends that share segments and are connected."""
    pair = Pair(settings, seed)
    for number in range(segments):
        pair.add(number + 1, length)
    pair.connect()
    return pair


__all__ = ["SMALL", "Booked", "End", "Ledger", "Pair", "ready_pair"]
