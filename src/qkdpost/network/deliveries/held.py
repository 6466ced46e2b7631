"""Keys at the site of their slaves: held until each of them fetched its copy, or void, or expired."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from qkdpost.errors import KeyNotFound, NotAuthorised
from qkdpost.network.deliveries.held_rows import Found, HeldRows
from qkdpost.network.deliveries.records import HeldKeys, HeldRow
from qkdpost.network.deliveries.states import HELD_TRANSITIONS, HeldEvent, HeldState, next_state
from qkdpost.network.events import Event, KeyExpired, KeysVoided
from qkdpost.network.names import key_id_texts, split_key_ids
from qkdpost.network.policy import DeliveryPolicy
from qkdpost.network.store.protocol import KeyStore

__all__ = ["SKEW", "Assigned", "HeldTable"]

SKEW = 1.1
"""A slave's site lets a key live a tenth longer than the master's: the two count with clocks of their own."""
_MOST_TOMBSTONES = 262_144
_LEAST_STALE = 1024

Assigned: TypeAlias = tuple[bytes, bytearray, str, Sequence[str]]
"""Keys of one request: their IDs, their bytes (secret), master and slaves."""


class HeldTable:
    """The table of held keys, with counts and times in memory that are made of its rows.

    Args:
        store: whose open transaction is read and written.
        policy: quotas and lifetimes.
        report: takes events of this turn.
    """

    __slots__ = ("_counts", "_expiries", "_policy", "_report", "_rows", "_times", "_tombstones")

    def __init__(self, store: KeyStore, policy: DeliveryPolicy, report: Callable[[Event], None]) -> None:
        self._rows = HeldRows(store)
        self._policy = policy
        self._report = report
        self._counts: Counter[tuple[str, str]] = Counter()
        self._times: dict[int, float] = {}
        """Of each row, when the first of its keys expires."""
        self._expiries: list[tuple[float, int]] = []
        self._tombstones = 0
        for number, row in self._rows.load():
            self._times[number] = min(keys.expires_seconds for keys in row.requests)
            for keys in row.requests:
                self._count(keys, +1)
        self._order_times()

    @property
    def waiting_keys(self) -> int:
        """The number of copies that slaves may still fetch."""
        return sum(self._counts.values())

    # Keys come.

    def has(self, key_id: bytes) -> bool:
        """Tell whether anything is remembered of a key ID."""
        return self._rows.has(key_id)

    def has_any(self, key_ids: bytes) -> bool:
        """Tell whether anything is remembered of one of these key IDs, which stand one behind the other."""
        return self._rows.has_any(key_ids)

    def has_room(self, master: str, slaves: Iterable[str], keys: int = 1) -> bool:
        """Tell whether the quota lets so many more keys wait for each of these slaves."""
        most = self._policy.quota.held_keys - keys
        return all(self._counts[master, slave] <= most for slave in slaves)

    def hold(self, assigned: Sequence[Assigned], *, site: str, expires_seconds: float, extension: bytes) -> None:
        """Hold keys whose IDs are new.

        Args:
            assigned: the keys of each request, of whose IDs nothing is known; the bytes are overwritten here. Secret.
            site: the key manager that assigned them.
            expires_seconds: when they may not be fetched any more.
            extension: JSON that goes with them.
        """
        state = HELD_TRANSITIONS[None, "assigned"]
        # msgspec copies the values into a buffer of its own, which is overwritten when the store has it.
        held = [
            HeldKeys(key_ids, master, dict.fromkeys(slaves, state), expires_seconds, values)  # type: ignore[arg-type]
            for key_ids, values, master, slaves in assigned
        ]
        self._add(HeldRow(site, extension, held), expires_seconds)
        for keys, (_, values, _, _) in zip(held, assigned, strict=True):
            values[:] = bytes(len(values))
            self._count(keys, +1)

    def _add(self, row: HeldRow, expires_seconds: float) -> None:
        for number in self._rows.add(row):
            self._schedule(number, expires_seconds)

    # Keys go.

    def fetch(
        self, caller: str, master: str, key_ids: Sequence[bytes], now_seconds: float
    ) -> tuple[tuple[bytearray, bytes], ...]:
        """Return keys and their extensions for one slave, all or none, each once.

        Raises:
            NotAuthorised: a key that is here, but not for the caller.
            KeyNotFound: one that is not here for the caller, of this master, or not any more.
        """
        found: list[Found] = []
        try:
            found += self._rows.find(key_ids)
            if any(keys.slaves and caller not in keys.slaves for _, _, keys in found):
                raise NotAuthorised(f"a key was asked for that is not for {caller!r}")
            are_theirs = all(self._is_for(keys, caller, master, now_seconds) for _, _, keys in found)
            if not are_theirs or sum(keys.count for _, _, keys in found) < len(key_ids):  # one twice among them
                raise KeyNotFound("one or more keys specified are not found on KME")
            given: dict[bytes, tuple[bytearray, bytes]] = {}
            for number, row, keys in found:
                given.update(self._give(number, row, keys, caller, now_seconds))
            return tuple(map(given.__getitem__, key_ids))
        finally:
            found.clear()
            self._rows.write()

    def _is_for(self, keys: HeldKeys, caller: str, master: str, now_seconds: float) -> bool:
        if keys.master != master or not keys.values or now_seconds >= keys.expires_seconds:
            return False
        again = keys.fetched_seconds.get(caller, -1e18) + self._policy.lifetimes.redelivery_seconds
        return keys.slaves[caller] == HeldState.HELD or (
            keys.slaves[caller] == HeldState.DELIVERED and now_seconds < again
        )

    def _give(
        self, number: int, row: HeldRow, keys: HeldKeys, caller: str, now_seconds: float
    ) -> dict[bytes, tuple[bytearray, bytes]]:
        values, lifetimes, size = keys.values, self._policy.lifetimes, len(keys.values) // keys.count
        given = {
            key_id: (bytearray(values[place * size : (place + 1) * size]), row.extension)
            for place, key_id in enumerate(split_key_ids(keys.key_ids))
        }
        if keys.slaves[caller] == HeldState.HELD:
            self._counts[keys.master, caller] -= keys.count
            self._apply(keys, caller, "fetched")
            if lifetimes.redelivery_seconds:
                keys.fetched_seconds[caller] = now_seconds
        if HeldState.HELD not in keys.slaves.values():
            kept = lifetimes.redelivery_seconds
            keys.values = keys.values if kept else b""
            keys.expires_seconds = min(keys.expires_seconds, now_seconds + max(kept, lifetimes.record_seconds))
        if keys.expires_seconds <= now_seconds:
            self._forget(number, row, keys)
        else:
            self._changed(number, row)
        return given

    def void(self, site: str, key_ids: Sequence[bytes], reason: str, until_seconds: float) -> None:
        """Take back keys that a site assigned; IDs never seen are remembered as void until then.

        Keys that another site assigned are left alone: a site voids its own.
        """
        voided: list[str] = []
        delivered = False
        unknown = [key_id for key_id in key_ids if not self._rows.has(key_id)]
        for number, row, keys in self._rows.find(key_ids):
            if row.site == site:
                delivered |= HeldState.DELIVERED in keys.slaves.values()
                self._end(keys, "voided", max(until_seconds, keys.expires_seconds))
                self._changed(number, row)
                voided += key_id_texts(keys.key_ids)
        self._rows.write()
        self._remember_void(site, unknown, until_seconds)
        if voided:
            self._report(KeysVoided(peer=site, key_ids=tuple(voided), reason=reason, delivered=delivered))

    def expire(self, now_seconds: float, limit: int = 1024) -> bool:
        """Erase what nobody fetched in time, and forget records; a piece of the work, and tell whether more is left."""
        expired: dict[tuple[str, str], list[str]] = {}
        while self._expiries and self._expiries[0][0] <= now_seconds and limit > 0:
            seconds, number = heapq.heappop(self._expiries)
            if self._times.get(number) != seconds:
                limit -= 1
                continue  # the row has another time by now, or is gone
            row = self._rows.row(number)
            for keys in [keys for keys in row.requests if keys.expires_seconds <= now_seconds]:
                limit -= keys.count
                texts = key_id_texts(keys.key_ids)
                for slave in [slave for slave, state in keys.slaves.items() if state == HeldState.HELD]:
                    expired.setdefault((keys.master, slave), []).extend(texts)
                self._count(keys, -1)
                self._forget(number, row, keys)
        self._rows.write()
        for (master, slave), key_ids in expired.items():
            self._report(KeyExpired(master=master, slave=slave, key_ids=tuple(key_ids)))
        return bool(self._expiries) and self._expiries[0][0] <= now_seconds

    def _end(self, keys: HeldKeys, event: HeldEvent, until_seconds: float) -> None:
        if keys.slaves:
            self._count(keys, -1)
        for slave in keys.slaves:
            self._apply(keys, slave, event)
        keys.values, keys.expires_seconds = b"", until_seconds

    def _remember_void(self, site: str, key_ids: Sequence[bytes], until_seconds: float) -> None:
        # The marks make a late assignment impossible as well; so many that are void before they came are an attack.
        some = tuple(dict.fromkeys(key_ids[: max(0, _MOST_TOMBSTONES - self._tombstones)]))
        if some:
            self._tombstones += len(some)
            self._add(HeldRow(site, b"", [HeldKeys(b"".join(some), "", {}, until_seconds, b"")]), until_seconds)

    def _changed(self, number: int, row: HeldRow) -> None:
        self._rows.changed(number)
        self._schedule(number, min(keys.expires_seconds for keys in row.requests))

    def _forget(self, number: int, row: HeldRow, keys: HeldKeys) -> None:
        self._rows.forget(number, keys)
        if row.requests:
            self._schedule(number, min(keys.expires_seconds for keys in row.requests))
        else:
            self._times.pop(number, None)

    # Times. A row may get another one before its first has come, so that old entries stay behind until they are sorted
    # out; memory is for the rows that there are.

    def _schedule(self, number: int, seconds: float) -> None:
        if self._times.get(number) == seconds:
            return
        self._times[number] = seconds
        heapq.heappush(self._expiries, (seconds, number))
        if len(self._expiries) > 2 * len(self._times) + _LEAST_STALE:
            self._order_times()

    def _order_times(self) -> None:
        self._expiries = [(seconds, number) for number, seconds in self._times.items()]
        heapq.heapify(self._expiries)

    # Counts.

    def _apply(self, keys: HeldKeys, slave: str, event: HeldEvent) -> None:
        keys.slaves[slave] = next_state(HELD_TRANSITIONS, keys.slaves[slave], event) or keys.slaves[slave]

    def _count(self, keys: HeldKeys, step: int) -> None:
        self._tombstones += step * keys.count * (not keys.slaves)
        for slave, state in keys.slaves.items():
            if state == HeldState.HELD:
                self._counts[keys.master, slave] += step * keys.count
                if not self._counts[keys.master, slave]:
                    del self._counts[keys.master, slave]
