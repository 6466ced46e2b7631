"""Messages that must arrive: kept as messages, without pads, until the other end has taken them.

A frame of them is built only on a connection whose marks both ends have stored, and new after each break, under new
pads. So no pad meets two texts, though the batch may be another one.
"""

from __future__ import annotations

import msgspec

from qkdpost.errors import StoreDamaged
from qkdpost.network.messages.framed import AssignAnswer, CarryDone, CarryVoid, Message, VoidKeys
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Outbox", "is_answer", "is_repeatable"]

_TABLE = "outbox"
_decoder = msgspec.msgpack.Decoder(Message)


def is_repeatable(message: Message) -> bool:
    """Tell whether a message may be said again after a break."""
    return isinstance(message, AssignAnswer | CarryDone | CarryVoid | VoidKeys)


def is_answer(message: Message) -> bool:
    """Tell whether a message answers one of the other end, for which part of the window is kept."""
    return isinstance(message, AssignAnswer | CarryDone | CarryVoid)


class Outbox:
    """What waits, in order.

    Args:
        store: with an open transaction whenever anything is called.
        pool: its identifier.
    """

    __slots__ = ("_next", "_pool", "_store", "in_flight", "open_voids", "waiting")

    def __init__(self, store: KeyStore, pool: bytes) -> None:
        self._store = store
        self._pool = pool
        self.waiting: dict[int, Message] = {}
        self.in_flight: dict[int, Message] = {}
        stop = pool + b"\xff" * 9
        rows = store.scan(_TABLE, pool, stop, 2**20)
        for key, row in rows:
            try:
                self.waiting[int.from_bytes(key[len(pool) :], "big")] = _decoder.decode(row)
            except msgspec.MsgspecError:
                raise StoreDamaged("a row of the outbox is no message; restore the store or set up a new one") from None
        self._next = max(self.waiting, default=-1) + 1
        self.open_voids = sum(map(_is_void, self.waiting.values()))
        """How many messages there are that need an acknowledgement of their own."""

    def add(self, message: Message) -> None:
        """Keep a message."""
        number = self._next
        self._next += 1
        self._store.put(_TABLE, self._key(number), msgspec.msgpack.encode(message))
        self.waiting[number] = message
        self.open_voids += _is_void(message)

    def next_batch(self, room_bytes: int, most: int, *, answers_only: bool) -> list[tuple[int, Message]]:
        """Return messages that wait, as many as a frame has room for."""
        batch: list[tuple[int, Message]] = []
        for number, message in self.waiting.items():
            if len(batch) == most:
                break
            if answers_only and not is_answer(message):
                continue
            room_bytes -= len(msgspec.msgpack.encode(message))
            if room_bytes < 0:
                break
            batch.append((number, message))
        return batch

    def sent(self, number: int) -> None:
        """Note that a message is in a frame."""
        self.in_flight[number] = self.waiting.pop(number)

    def confirmed(self, number: int) -> None:
        """Forget a message that the other end has."""
        message = self.in_flight.pop(number, None)
        if message is not None:
            self._store.erase(_TABLE, [self._key(number)])
            self.open_voids -= _is_void(message)

    def broken(self) -> None:
        """Have everything wait again."""
        self.waiting = dict(sorted({**self.in_flight, **self.waiting}.items()))
        self.in_flight = {}

    def _key(self, number: int) -> bytes:
        return self._pool + number.to_bytes(8, "big")


def _is_void(message: Message) -> bool:
    return isinstance(message, VoidKeys | CarryVoid)
