"""What came into each pool, and on what it was spent, to the bit.

Rooms book what they do with `Ledger.receive` and `Ledger.spend`, in the turn in which they do it; the rows are written
once a turn, with what they are about. Everything that came in is either spent on something or still there: whoever
finds otherwise has found a fault of the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import msgspec

from qkdpost.checks import choice, whole_number
from qkdpost.errors import InputError, StoreDamaged

__all__ = ["Account", "Ledger", "PoolAccount", "Rows", "Source", "Use"]

Source = Literal["link", "transfer", "foreign"]
"""Where key comes from: blocks of a link of our own, transfers over trusted nodes, devices of other vendors."""
Use = Literal["delivery", "relay", "tags", "checks", "lost"]
"""What key goes into: keys of applications (their pads at further sites among them), transfers of segments, tags of
frames, checks and hash keys of segments; what is lost was spent by breaks, restores, skips and retired segments."""

_SOURCES, _USES = get_args(Source), get_args(Use)
_TABLE = "accounts"
_MOST_BITS = 2**62


class Rows(Protocol):
    """What of a store the ledger uses."""

    def get(self, table: str, key: bytes) -> bytes | None:
        """Return a row's value, or None."""

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Write a row."""


class _Sums(msgspec.Struct, forbid_unknown_fields=True):
    received: dict[str, int]
    spent: dict[str, int]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Sums)


class Ledger:
    """The sums of every pool, in the store's rows.

    Args:
        store: whose open transaction is written to.
    """

    __slots__ = ("_changed", "_store", "_sums")

    def __init__(self, store: Rows) -> None:
        self._store = store
        self._sums: dict[bytes, _Sums] = {}
        self._changed: set[bytes] = set()

    def receive(self, pool: bytes, source: Source, bits: int) -> None:
        """Book what came into a pool.

        Args:
            pool: its identifier.
            source: where from.
            bits: how many.

        Raises:
            InputError: no such source, or no count.
        """
        sums = self._of(pool).received
        name = choice("source", source, _SOURCES)
        sums[name] = whole_number("bits", sums.get(name, 0) + whole_number("bits", bits), most=_MOST_BITS)
        self._changed.add(pool)

    def spend(self, pool: bytes, use: Use, bits: int) -> None:
        """Book what was spent of a pool.

        Args:
            pool: its identifier.
            use: on what.
            bits: how many.

        Raises:
            InputError: no such use, or no count.
        """
        sums = self._of(pool).spent
        name = use if use in sums else choice("use", use, _USES)
        total = sums.get(name, 0) + bits
        if type(bits) is not int or not 0 <= bits <= total <= _MOST_BITS:
            total = whole_number("bits", sums.get(name, 0) + whole_number("bits", bits), most=_MOST_BITS)
        sums[name] = total
        self._changed.add(pool)

    def write(self) -> None:
        """Write what changed into the open transaction; once a turn, before its commit."""
        for pool in self._changed:
            self._store.put(_TABLE, pool, _encoder.encode(self._sums[pool]))
        self._changed.clear()

    def received(self, pool: bytes) -> Mapping[str, int]:
        """Return the bits that came into a pool, by source."""
        return dict(self._of(pool).received)

    def spent(self, pool: bytes) -> Mapping[str, int]:
        """Return the bits that were spent of a pool, by use."""
        return dict(self._of(pool).spent)

    def _of(self, pool: bytes) -> _Sums:
        if pool not in self._sums:
            row = self._store.get(_TABLE, pool)
            self._sums[pool] = _Sums({}, {}) if row is None else _read(row)
        return self._sums[pool]


def _read(row: bytes) -> _Sums:
    try:
        sums = _decoder.decode(row)
    except msgspec.MsgspecError:
        raise StoreDamaged("a row of the accounts is none; restore the store or set up a new one") from None
    bits = (*sums.received.values(), *sums.spent.values())
    if (
        not (set(sums.received) <= set(get_args(Source)) and set(sums.spent) <= set(get_args(Use)))
        or min(bits, default=0) < 0
    ):
        raise StoreDamaged("a row of the accounts holds what nobody books; restore the store or set up a new one")
    return sums


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAccount:
    """The account of one pool, in bits.

    Args:
        peer: the key manager at its other end.
        stored_bits: what is there now and not spent, reserved bytes among it.
        received: what came in, by source.
        spent: what went out, by use.

    >>> from qkdpost import network
    >>> account = network.PoolAccount(peer="south", stored_bits=8000, received={"link": 9000})
    >>> account.received["link"] - account.stored_bits
    1000
    """

    peer: str
    stored_bits: int
    received: Mapping[str, int] = field(default_factory=dict)
    spent: Mapping[str, int] = field(default_factory=dict)

    @property
    def unaccounted_bits(self) -> int:
        """What came in and is neither spent nor there: 0, or there is a fault."""
        return sum(self.received.values()) - sum(self.spent.values()) - self.stored_bits

    def __str__(self) -> str:
        came = ", ".join(f"{name} {bits:,}" for name, bits in sorted(self.received.items())) or "nothing"
        went = ", ".join(f"{name} {bits:,}" for name, bits in sorted(self.spent.items())) or "nothing"
        return f"{self.peer}: stored {self.stored_bits:,}; in: {came}; spent: {went}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The accounts of all pools of a key manager, in bits.

    Args:
        name: of the key manager.
        pools: one entry for each peer, in the order of their names.
        waiting_keys: keys here that slaves have not fetched.

    >>> from qkdpost import network
    >>> pools = tuple(network.PoolAccount(peer=peer, stored_bits=4250) for peer in ("south", "west"))
    >>> account = network.Account(name="north", pools=pools, waiting_keys=2)
    >>> sum(pool.stored_bits for pool in account.pools)
    8500
    """

    name: str
    pools: tuple[PoolAccount, ...]
    waiting_keys: int = 0

    def pool(self, peer: str) -> PoolAccount:
        """Return the account of the pool with `peer`.

        Raises:
            InputError: there is none.
        """
        for pool in self.pools:
            if pool.peer == peer:
                return pool
        raise InputError(f"{self.name} has no pool with {peer!r}")

    def __str__(self) -> str:
        columns = ("link", "transfer", "foreign", *get_args(Use))
        head = ("pool with", "stored", *("in: " + name for name in columns[:3]), *columns[3:])
        rows = [
            (
                pool.peer,
                f"{pool.stored_bits:,}",
                *(f"{pool.received.get(name, 0):,}" for name in columns[:3]),
                *(f"{pool.spent.get(name, 0):,}" for name in columns[3:]),
            )
            for pool in self.pools
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = (
            row[0].ljust(widths[0])
            + "".join("  " + cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
            for row in (head, *rows)
        )
        return "\n".join((f"{self.name}, bits; {self.waiting_keys:,} keys wait for slaves", *lines))
