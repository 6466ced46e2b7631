"""Keys at the site of their slaves: held until each of them fetched its copy, or void, or expired."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from qkdpost.errors import KeyNotFound, NotAuthorised
from qkdpost.network.deliveries.records import HELD, HeldRow, decode, encode
from qkdpost.network.deliveries.states import HELD_TRANSITIONS, HeldEvent, HeldState, next_state
from qkdpost.network.events import Event, KeyExpired, KeysVoided
from qkdpost.network.names import key_id_text
from qkdpost.network.policy import DeliveryPolicy
from qkdpost.network.store.protocol import KeyStore

__all__ = ["SKEW", "HeldKeys"]

SKEW = 1.1
"""A slave's site lets a key live a tenth longer than the master's: the two count with clocks of their own."""
_PAGE_ROWS = 4096
_MOST_TOMBSTONES = 262_144
_LEAST_STALE = 1024


class HeldKeys:
    """The table of held keys, with counts and times in memory that are made of its rows.

    Args:
        store: whose open transaction is read and written.
        policy: quotas and lifetimes.
        report: takes events of this turn.
    """

    __slots__ = ("_counts", "_expiries", "_policy", "_report", "_store", "_times", "_tombstones")

    def __init__(self, store: KeyStore, policy: DeliveryPolicy, report: Callable[[Event], None]) -> None:
        self._store = store
        self._policy = policy
        self._report = report
        self._counts: Counter[tuple[str, str]] = Counter()
        self._times: dict[bytes, float] = {}
        self._expiries: list[tuple[float, bytes]] = []
        self._tombstones = 0
        for key_id, row in self._rows():
            self._times[key_id] = row.expires_seconds
            self._count(row, +1)
        self._order_times()

    @property
    def waiting_keys(self) -> int:
        """The number of copies that slaves may still fetch."""
        return sum(self._counts.values())

    # Keys come.

    def has(self, key_id: bytes) -> bool:
        """Tell whether anything is remembered of a key ID."""
        return self._store.get(HELD, key_id) is not None

    def has_room(self, master: str, slaves: Sequence[str], keys: int = 1) -> bool:
        """Tell whether the quota lets so many more keys wait for each of these slaves."""
        return all(self._counts[master, slave] + keys <= self._policy.quota.held_keys for slave in slaves)

    def hold(self, key_id: bytes, value: bytearray, row: HeldRow) -> None:
        """Hold a key whose ID is new; `value` is copied into the store and overwritten here.

        Args:
            key_id: its ID, of which nothing is known.
            value: its bytes. Secret.
            row: all else, with an empty value.
        """
        for slave in row.slaves:
            row.slaves[slave] = HELD_TRANSITIONS[None, "assigned"]
        # msgspec copies it into the row's own buffer, which `_write` overwrites.
        row.value = value  # type: ignore[assignment]
        self._write(key_id, row)
        row.value = b""
        value[:] = bytes(len(value))
        self._count(row, +1)
        self._schedule(key_id, row.expires_seconds)

    # Keys go.

    def fetch(
        self, caller: str, master: str, key_ids: Sequence[bytes], now_seconds: float
    ) -> tuple[tuple[bytearray, bytes], ...]:
        """Return keys and their extensions for one slave, all or none, each once.

        Raises:
            NotAuthorised: a key that is here, but not for the caller.
            KeyNotFound: one that is not here for the caller, of this master, or not any more.
        """
        rows = [self._read(key_id) for key_id in key_ids]
        if any(row is not None and row.slaves and caller not in row.slaves for row in rows):
            raise NotAuthorised(f"a key was asked for that is not for {caller!r}")
        found = [row for row in rows if row is not None and self._is_for(row, caller, master, now_seconds)]
        if len(found) < len(key_ids) or len(set(key_ids)) < len(key_ids):
            del rows, found
            raise KeyNotFound("one or more keys specified are not found on KME")
        return tuple(self._give(key_id, row, caller, now_seconds) for key_id, row in zip(key_ids, found, strict=True))

    def _is_for(self, row: HeldRow, caller: str, master: str, now_seconds: float) -> bool:
        if row.master != master or not row.value or now_seconds >= row.expires_seconds:
            return False
        again = row.fetched_seconds.get(caller, -1e18) + self._policy.lifetimes.redelivery_seconds
        return row.slaves[caller] == HeldState.HELD or (
            row.slaves[caller] == HeldState.DELIVERED and now_seconds < again
        )

    def _give(self, key_id: bytes, row: HeldRow, caller: str, now_seconds: float) -> tuple[bytearray, bytes]:
        value, lifetimes = bytearray(row.value), self._policy.lifetimes
        if row.slaves[caller] == HeldState.HELD:
            self._counts[row.master, caller] -= 1
            self._apply(row, caller, "fetched")
            if lifetimes.redelivery_seconds:
                row.fetched_seconds[caller] = now_seconds
        if HeldState.HELD not in row.slaves.values():
            kept = lifetimes.redelivery_seconds
            row.value = row.value if kept else b""
            row.expires_seconds = min(row.expires_seconds, now_seconds + max(kept, lifetimes.record_seconds))
            self._schedule(key_id, row.expires_seconds)
        if row.expires_seconds <= now_seconds:
            self._erase(key_id)
        else:
            self._write(key_id, row)
        return value, row.extension

    def void(self, site: str, key_ids: Sequence[bytes], reason: str, until_seconds: float) -> None:
        """Take back keys that a site assigned; IDs never seen are remembered as void until then.

        Keys that another site assigned are left alone: a site voids its own.
        """
        voided, delivered = [], False
        for key_id in key_ids:
            row = self._read(key_id)
            if row is None:
                self._remember_void(site, key_id, until_seconds)
            elif row.site == site:
                delivered |= HeldState.DELIVERED in row.slaves.values()
                self._end(key_id, row, "voided", max(until_seconds, row.expires_seconds))
                voided.append(key_id_text(key_id))
        if voided:
            self._report(KeysVoided(peer=site, key_ids=tuple(voided), reason=reason, delivered=delivered))

    def expire(self, now_seconds: float, limit: int = 1024) -> bool:
        """Erase what nobody fetched in time, and forget records; a piece of the work, and tell whether more is left."""
        expired: dict[tuple[str, str], list[str]] = {}
        while self._expiries and self._expiries[0][0] <= now_seconds and limit:
            limit -= 1
            seconds, key_id = heapq.heappop(self._expiries)
            row = self._read(key_id) if self._times.get(key_id) == seconds else None
            if row is None:
                continue  # it has another time by now, or is gone
            for slave, state in row.slaves.items():
                if state == HeldState.HELD:
                    expired.setdefault((row.master, slave), []).append(key_id_text(key_id))
            self._count(row, -1)
            self._erase(key_id)
        for (master, slave), key_ids in expired.items():
            self._report(KeyExpired(master=master, slave=slave, key_ids=tuple(key_ids)))
        return bool(self._expiries) and self._expiries[0][0] <= now_seconds

    def _end(self, key_id: bytes, row: HeldRow, event: HeldEvent, until_seconds: float) -> None:
        self._count(row, -1)
        for slave in row.slaves:
            self._apply(row, slave, event)
        row.value, row.expires_seconds = b"", until_seconds
        self._write(key_id, row)
        self._schedule(key_id, until_seconds)

    def _remember_void(self, site: str, key_id: bytes, until_seconds: float) -> None:
        # The marks make a late assignment impossible as well; so many that are void before they came are an attack.
        if self._tombstones >= _MOST_TOMBSTONES:
            return
        self._tombstones += 1
        self._write(key_id, HeldRow(site, "", {}, until_seconds, b""))
        self._schedule(key_id, until_seconds)

    # Times. A key may get another one before its first has come, so that old entries stay behind until they are sorted
    # out; memory is for the rows that there are.

    def _schedule(self, key_id: bytes, seconds: float) -> None:
        self._times[key_id] = seconds
        heapq.heappush(self._expiries, (seconds, key_id))
        if len(self._expiries) > 2 * len(self._times) + _LEAST_STALE:
            self._order_times()

    def _order_times(self) -> None:
        self._expiries = [(seconds, key_id) for key_id, seconds in self._times.items()]
        heapq.heapify(self._expiries)

    def _erase(self, key_id: bytes) -> None:
        self._store.take(HELD, key_id)
        self._times.pop(key_id, None)

    # Rows.

    def _apply(self, row: HeldRow, slave: str, event: HeldEvent) -> None:
        row.slaves[slave] = next_state(HELD_TRANSITIONS, row.slaves[slave], event) or row.slaves[slave]

    def _count(self, row: HeldRow, step: int) -> None:
        self._tombstones += step * (not row.slaves)
        for slave, state in row.slaves.items():
            if state == HeldState.HELD:
                self._counts[row.master, slave] += step
                if not self._counts[row.master, slave]:
                    del self._counts[row.master, slave]

    def _read(self, key_id: bytes) -> HeldRow | None:
        content = self._store.get(HELD, key_id)
        return None if content is None else decode(HeldRow, content)

    def _write(self, key_id: bytes, row: HeldRow) -> None:
        content = encode(row)
        self._store.put(HELD, key_id, content, secret=True)
        content[:] = bytes(len(content))

    def _rows(self) -> Iterator[tuple[bytes, HeldRow]]:
        start = b""
        while page := self._store.scan(HELD, start, b"\xff" * 17, _PAGE_ROWS):
            for key_id, content in page:
                yield key_id, decode(HeldRow, content)
            start = page[-1][0] + b"\0"
