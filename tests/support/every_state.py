"""Every state that two ends of a pool can reach: a search of the implementation itself, not of a model of it.

Two sessions on stores in memory, with handlers that follow the table of deliveries and keep it in the store. In each
state everything is tried that may happen next: a key is assigned, a deadline passes, bytes arrive, the line breaks, an
end dies and comes back, a backup of A is made or put back. A state is what stands in both stores, what the sessions
remember, what is on the line, and every byte of key that was ever used with the text that it was used for. States that
were seen before are not followed again, so the search ends; each that is found is checked.

The peer may also say again any frame of earlier connections: `replay` tries all of them, and none may have an effect.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qkdpost.errors import NotEnoughKey, PeerUnavailable, RemoteProtocolError
from qkdpost.network.messages.fields import RefusalReason, VoidReason
from qkdpost.network.messages.framed import AssignAnswer, AssignedKeys, AssignKeys, KeysAnswer, VoidKeys
from qkdpost.network.peer.codec import header_of, is_frame
from qkdpost.network.peer.session import PeerSession
from qkdpost.network.pool.pool import Pool
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.store import MemoryStore
from support.object_copies import cloned, frozen, frozen_rows

UNIT = 16
"""Bytes of a pad, and here of a key."""
ASSIGNED, READY, VOIDED, HELD = "ASSIGNED", "READY", "VOIDED", "HELD"
FINGERPRINT_BYTES = 12
_DELIVERIES = "deliveries"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may happen at most, and how large the pool is, in units of 16 bytes."""

    units: int = 60
    window_units: int = 5
    answer_units: int = 2
    floor_units: int = 1
    keys: tuple[int, int] = (1, 0)
    crashes: int = 0
    breaks: int = 0
    restores: int = 0

    @property
    def settings(self) -> PoolSettings:
        return PoolSettings(
            window_bytes=UNIT * self.window_units,
            floor_bytes=UNIT * self.floor_units,
            least_answer_bytes=UNIT * self.answer_units,
            chunk_bytes=UNIT,
            least_grant_bytes=UNIT,
            quota_bytes=2**20,
        )


class Side:
    """One end, and its handlers: keys that it assigns become READY or VOIDED, those that it gets HELD or VOIDED."""

    def __init__(self, name: str, peer: str, settings: PoolSettings) -> None:
        self.name, self.peer_name, self.settings = name, peer, settings
        self.store = MemoryStore()
        self.session: PeerSession
        self.start()

    def start(self) -> None:
        self.store.begin()
        pool = Pool(self.store, name=self.name, peer=self.peer_name, settings=self.settings)
        self.session = PeerSession(pool, dict.fromkeys((AssignKeys, AssignAnswer, VoidKeys), self))
        pool.write()
        self.store.commit()

    # Turns.

    def turn(self, work: Callable[[], Any]) -> None:
        """Do something and make it durable; what it says may leave then."""
        self.store.begin()
        try:
            work()
        finally:
            self.session.pool.notices.clear()
            self.session.prepare()
            self.store.commit()
            self.session.committed()

    def crash(self) -> None:
        self.store.reopen()
        self.start()
        self.turn(self._void_what_a_process_before_assigned)

    def _void_what_a_process_before_assigned(self) -> None:
        for key, state in self.deliveries().items():
            if state == ASSIGNED:
                self.set(key, "LEFT")  # void as soon as a greeting has shown whether this store was put back

    def settle_left(self) -> None:
        for key, state in self.deliveries().items():
            if state == "LEFT":
                self.set(key, VOIDED)
                if not self.session.restored:
                    self.session.queue(VoidKeys((key,), VoidReason.CONNECTION_LOST, 99))

    def connect(self) -> None:
        self.turn(self.session.connection_made)

    def lose(self) -> None:
        self.turn(self.session.connection_lost)

    def take(self, data: bytes) -> bool:
        """Receive; return whether the connection lives."""
        alive = True

        def work() -> None:
            nonlocal alive
            try:
                self.session.receive_data(data)
            except RemoteProtocolError:
                alive = False
            if self.session.ready:
                self.settle_left()

        self.turn(work)
        return alive

    def assign(self, number: int) -> bool:
        """Assign one key of one unit, if it can be."""
        if self.session.room_bytes() < UNIT:
            return False

        def work() -> None:
            opened = self.session.open_frame([UNIT])
            key_id = (self.name * 8).encode() + number.to_bytes(8, "big")
            self.set(key_id, ASSIGNED)
            opened.send([AssignKeys((AssignedKeys(key_id, UNIT, "SAE-A", ("SAE-B",)),), 60)])

        try:
            self.turn(work)
        except (NotEnoughKey, PeerUnavailable) as error:
            raise AssertionError("room_bytes promised more than there is") from error
        return True

    def deadline(self, key: bytes) -> None:
        def work() -> None:
            self.set(key, VOIDED)
            self.session.queue(VoidKeys((key,), VoidReason.DEADLINE, 99))

        self.turn(work)

    # Deliveries, in the store.

    def deliveries(self) -> dict[bytes, str]:
        rows = self.store.snapshot().get(_DELIVERIES, {})
        return {key: value.decode() for key, value in rows.items()}

    def set(self, key: bytes, state: str) -> None:
        self.store.put(_DELIVERIES, key, state.encode())

    def get(self, key: bytes) -> str | None:
        row = self.store.get(_DELIVERIES, key)
        return None if row is None else row.decode()

    def received(self, peer: Any, message: Any, material: tuple[bytearray, ...]) -> None:
        if isinstance(message, AssignKeys):
            for keys in message.requests:
                if self.get(keys.name) is None:
                    self.set(keys.name, HELD)
                held = self.get(keys.name) == HELD
                reason = RefusalReason.HELD if held else next(r for r in RefusalReason if r is not RefusalReason.HELD)
                peer.queue(AssignAnswer((KeysAnswer(keys.name, reason),)))
        elif isinstance(message, AssignAnswer):
            for answer in message.answers:
                if self.get(answer.key_id) == ASSIGNED and answer.reason is RefusalReason.HELD:
                    self.set(answer.key_id, READY)
        else:
            for key_id in message.key_ids:
                self.set(key_id, VOIDED)

    def confirmed(self, peer: Any, message: Any) -> None:
        pass

    def broken(self, peer: Any, message: Any) -> None:
        for keys in message.requests:
            if self.get(keys.name) == ASSIGNED:
                self.set(keys.name, VOIDED)
                peer.queue(VoidKeys((keys.name,), VoidReason.CONNECTION_LOST, 99))


@dataclass(slots=True)
class World:
    """One state: both ends, the line, what was ever used, what may still happen."""

    sides: tuple[Side, Side]
    line: tuple[tuple[bytes, ...], tuple[bytes, ...]] = ((), ())
    up: bool = False
    uses: dict[int, bytes] = field(default_factory=dict)
    frames: frozenset[tuple[int, bytes]] = frozenset()
    keys: tuple[int, int] = (0, 0)
    crashes: int = 0
    breaks: int = 0
    restores: int = 0
    backup: Any = None

    def clone(self) -> World:
        memo: dict[int, Any] = {}
        sides = cloned(self.sides, memo)
        return World(
            sides, self.line, self.up, dict(self.uses), self.frames, self.keys, self.crashes, self.breaks,
            self.restores, self.backup,
        )  # fmt: skip

    def fingerprint(self) -> bytes:
        digest = hashlib.blake2b(digest_size=FINGERPRINT_BYTES)
        budget = (self.keys, self.crashes, self.breaks, self.restores, frozen_rows(self.backup))
        parts = (frozen(self.sides, set()), self.line, self.up, sorted(self.uses.items()), budget)
        digest.update(repr(parts).encode())
        return digest.digest()

    # What happens.

    def moves(self) -> Iterator[tuple[str, bool, Callable[[World], bool]]]:
        """Yield what may happen next: its name, whether it happens by itself sooner or later, and how."""
        for number in (0, 1):
            name = "AB"[number]
            side = self.sides[number]
            if self.keys[number] and side.session.ready:
                yield f"{name} assigns a key", False, lambda world, n=number: world.assign(n)
            for key, state in side.deliveries().items():
                if state == ASSIGNED and self.up:
                    yield f"{name} gives up {key.hex()[-2:]}", True, lambda world, n=number, k=key: world.give_up(n, k)
            if self.line[number]:
                yield f"bytes of {name} arrive", True, lambda world, n=number: world.arrive(n)
            if self.crashes:
                yield f"{name} dies and comes back", False, lambda world, n=number: world.crash(n)
        if self.up and self.breaks:
            yield "the line breaks", False, World.cut
        if not self.up:
            yield "the ends connect", True, World.connect
        if self.restores and self.backup is None:
            yield "a backup of A is made", False, World.back_up
        elif self.restores:
            yield "the backup of A is put back", False, World.put_back

    def assign(self, number: int) -> bool:
        if not self.sides[number].assign(self.keys[number]):
            return False
        self.keys = (self.keys[0] - 1, self.keys[1]) if number == 0 else (self.keys[0], self.keys[1] - 1)
        self.collect()
        return True

    def give_up(self, number: int, key: bytes) -> bool:
        self.sides[number].deadline(key)
        self.collect()
        return True

    def arrive(self, number: int) -> bool:
        data, rest = self.line[number][0], self.line[number][1:]
        self.line = (rest, self.line[1]) if number == 0 else (self.line[0], rest)
        if not self.sides[1 - number].take(data):
            self.hang_up()
        self.collect()
        return True

    def crash(self, number: int) -> bool:
        self.crashes -= 1
        self.line, self.up = ((), ()), False
        self.sides[number].crash()
        self.sides[1 - number].lose()
        self.collect()
        return True

    def cut(self) -> bool:
        self.breaks -= 1
        self.hang_up()
        self.collect()
        return True

    def hang_up(self) -> None:
        self.line, self.up = ((), ()), False
        for side in self.sides:
            side.lose()

    def connect(self) -> bool:
        self.up = True
        for side in self.sides:
            side.connect()
        self.collect()
        return True

    def back_up(self) -> bool:
        self.backup = self.sides[0].store.snapshot()
        return True

    def put_back(self) -> bool:
        self.restores -= 1
        self.line, self.up = ((), ()), False
        side = self.sides[0]
        side.store.reopen()
        side.store.restore(self.backup)
        self.backup = None
        side.crash()
        self.sides[1].lose()
        self.collect()
        return True

    def collect(self) -> None:
        """Put what both ends say on the line, one message each, and enter the frames."""
        for number, side in enumerate(self.sides):
            data = side.session.data_to_send()
            while data:
                end = 4 + int.from_bytes(data[:4], "little")
                whole, data = data[:end], data[end:]
                line = (*self.line[number], whole)
                self.line = (line, self.line[1]) if number == 0 else (self.line[0], line)
                if is_frame(whole):
                    self.enter(number, whole)

    def enter(self, number: int, whole: bytes) -> None:
        """Note what a frame uses every byte of its ranges for; no byte may have been used for another text."""
        pool = self.sides[number].session.pool
        text = hashlib.blake2b(whole, digest_size=6).digest()
        self.frames |= {(number, whole)}
        for segment, offset, length in header_of(whole).ranges:
            whole_length = pool.order[segment].length
            for place in range(offset // UNIT, (offset + length) // UNIT):
                position = place if number == 0 else whole_length // UNIT - 1 - place
                assert self.uses.setdefault(position, text) == text, f"unit {position} meets two texts"

    # What must hold.

    def check(self, *, without_restore: bool) -> None:
        first, second = (side.session.pool for side in self.sides)
        for segment in first.order.by_number.values():
            other = second.order.by_identifier.get(segment.identifier)
            if self.sides[0].session.ready and self.sides[1].session.ready and other is not None:
                owned = segment.limits[0] + other.limits[1]
                assert owned <= segment.length, f"both own {owned - segment.length} bytes"
        if not without_restore:
            return
        for number in (0, 1):
            theirs = self.sides[1 - number].deliveries()
            for key, state in self.sides[number].deliveries().items():
                assert state != READY or theirs.get(key) == HELD, f"{key.hex()} is released and {theirs.get(key)} there"

    @property
    def rests(self) -> bool:
        """Whether nothing is open: no key waits for an answer, nothing that must arrive waits."""
        return not any(
            state in (ASSIGNED, "LEFT") for side in self.sides for state in side.deliveries().values()
        ) and not any(
            isinstance(message, VoidKeys)
            for side in self.sides
            for message in (*side.session.outbox.waiting.values(), *side.session.outbox.in_flight.values())
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: how many states, from how many no rest is reached, what both ends say of keys at once."""

    states: int
    stuck: int
    deliveries: frozenset[tuple[tuple[str, ...], tuple[str, ...]]]


ARRIVAL = "all bytes arrive"
"""What `follow` takes beside the names of moves."""


def follow(bounds: Bounds, way: Sequence[str]) -> World:
    """Go one way, named move by move, and check each state on it."""
    world = _first_world(bounds)

    def go(name: str) -> None:
        assert {named: move for named, _, move in world.moves()}[name](world)
        world.check(without_restore=not bounds.restores)

    for name in way:
        if name != ARRIVAL:
            go(name)
        while name == ARRIVAL and any(world.line):
            go(f"bytes of {'A' if world.line[0] else 'B'} arrive")
    return world


def explore(bounds: Bounds) -> Found:
    """Visit every state, breadth first, and check each; an assertion that fails tells the way to it."""
    root = _first_world(bounds)
    origin: dict[bytes, tuple[bytes, str] | None] = {root.fingerprint(): None}
    back: dict[bytes, list[bytes]] = {}
    resting: set[bytes] = set()
    seen_deliveries = set()
    waiting = deque([(root.fingerprint(), root)])
    visited = 0
    while waiting:
        here, world = waiting.popleft()
        visited += 1
        if world.rests:
            resting.add(here)
        seen_deliveries.add(_named(world))
        for name, is_fair, move in world.moves():
            there_world = world.clone()
            try:
                happened = move(there_world)
                there_world.check(without_restore=not bounds.restores)
            except AssertionError as error:
                raise AssertionError(f"{error}\n  after: " + "\n         ".join([*_way(origin, here), name])) from None
            if not happened:
                continue
            there = there_world.fingerprint()
            if is_fair:
                back.setdefault(there, []).append(here)
            if there not in origin:
                origin[there] = here, name
                waiting.append((there, there_world))
    return Found(visited, len(origin) - len(_reaching(resting, back)), frozenset(seen_deliveries))


def replay(world: World) -> None:
    """Say every frame again that is not on the line: it must be refused and change no mark and no delivery."""
    for number, whole in world.frames:
        if whole in world.line[number]:
            continue
        again = world.clone()
        side = again.sides[1 - number]
        if not side.session.is_connected:
            continue
        before = side.deliveries(), side.session.pool.own.mark, side.session.pool.peer.mark
        assert not side.take(whole), "a frame of earlier was taken"
        after = side.deliveries(), side.session.pool.own.mark, side.session.pool.peer.mark
        assert before == after, "a frame of earlier changed something"


def _first_world(bounds: Bounds) -> World:
    """Two ends that share a segment which neither has heard of from the other."""
    world = World((Side("a", "b", bounds.settings), Side("b", "a", bounds.settings)))
    content = np.random.default_rng(1).bytes(UNIT * bounds.units + 64)
    for side in world.sides:
        side.turn(
            lambda side=side: side.session.pool.add_segment(
                bytes(16), bytearray(content), provenance=b"", source="link"
            )
        )
    world.keys, world.crashes = bounds.keys, bounds.crashes
    world.breaks, world.restores = bounds.breaks, bounds.restores
    world.connect()
    while any(world.line):  # the first greeting, once: a crash in it is met again after any other
        for number in (0, 1):
            if world.line[number]:
                world.arrive(number)
    return world


def _named(world: World) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return both ends' states of every key, by key."""
    tables = [side.deliveries() for side in world.sides]
    keys = sorted(tables[0].keys() | tables[1].keys())
    return tuple(tables[0].get(key, "") for key in keys), tuple(tables[1].get(key, "") for key in keys)


def _way(origin: dict[bytes, tuple[bytes, str] | None], here: bytes) -> list[str]:
    steps: list[str] = []
    while (step := origin[here]) is not None:
        here = step[0]
        steps.append(step[1])
    return steps[::-1]


def _reaching(goal: set[bytes], back: dict[bytes, list[bytes]]) -> set[bytes]:
    found, stack = set(goal), list(goal)
    while stack:
        for before in back.get(stack.pop(), ()):
            if before not in found:
                found.add(before)
                stack.append(before)
    return found
