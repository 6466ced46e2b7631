"""Keys at the site of their slaves: held until each of them fetched its copy, or void, or expired."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence

from qkdpost.errors import KeyNotFound, NotAuthorised
from qkdpost.network.deliveries.held_rows import HeldRows
from qkdpost.network.deliveries.records import HeldKey, HeldRow
from qkdpost.network.deliveries.states import HELD_TRANSITIONS, HeldEvent, HeldState, next_state
from qkdpost.network.events import Event, KeyExpired, KeysVoided
from qkdpost.network.names import key_id_text
from qkdpost.network.policy import DeliveryPolicy
from qkdpost.network.store.protocol import KeyStore

__all__ = ["SKEW", "HeldKeys"]

SKEW = 1.1
"""A slave's site lets a key live a tenth longer than the master's: the two count with clocks of their own."""
_MOST_TOMBSTONES = 262_144
_LEAST_STALE = 1024


class HeldKeys:
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
        self._times: dict[bytes, float] = {}
        self._expiries: list[tuple[float, bytes]] = []
        self._tombstones = 0
        for row, key in self._rows.load():
            self._times[key.key_id] = key.expires_seconds
            self._count(row, key, +1)
        self._order_times()

    @property
    def waiting_keys(self) -> int:
        """The number of copies that slaves may still fetch."""
        return sum(self._counts.values())

    # Keys come.

    def has(self, key_id: bytes) -> bool:
        """Tell whether anything is remembered of a key ID."""
        return self._rows.has(key_id)

    def has_room(self, master: str, slaves: Sequence[str], keys: int = 1) -> bool:
        """Tell whether the quota lets so many more keys wait for each of these slaves."""
        return all(self._counts[master, slave] + keys <= self._policy.quota.held_keys for slave in slaves)

    def hold(
        self,
        keys: Sequence[tuple[bytes, bytearray]],
        *,
        site: str,
        master: str,
        slaves: Sequence[str],
        expires_seconds: float,
        extension: bytes,
    ) -> None:
        """Hold keys whose IDs are new.

        Args:
            keys: IDs of which nothing is known, and bytes, which are overwritten here. Secret.
            site: the key manager that assigned them.
            master: the application there.
            slaves: the applications here.
            expires_seconds: when they may not be fetched any more.
            extension: JSON that goes with them.
        """
        state = HELD_TRANSITIONS[None, "assigned"]
        # msgspec copies the values into a buffer of its own, which is overwritten when the store has it.
        held = [HeldKey(key_id, dict.fromkeys(slaves, state), expires_seconds, value) for key_id, value in keys]  # type: ignore[arg-type]
        row = HeldRow(site, master, extension, held)
        self._rows.add(row)
        for key, (_, value) in zip(held, keys, strict=True):
            value[:] = bytes(len(value))
            self._count(row, key, +1)
            self._schedule(key.key_id, expires_seconds)

    # Keys go.

    def fetch(
        self, caller: str, master: str, key_ids: Sequence[bytes], now_seconds: float
    ) -> tuple[tuple[bytearray, bytes], ...]:
        """Return keys and their extensions for one slave, all or none, each once.

        Raises:
            NotAuthorised: a key that is here, but not for the caller.
            KeyNotFound: one that is not here for the caller, of this master, or not any more.
        """
        found: list[tuple[HeldRow, HeldKey]] = []
        try:
            found += filter(None, map(self._rows.find, key_ids))
            if any(key.slaves and caller not in key.slaves for _, key in found):
                raise NotAuthorised(f"a key was asked for that is not for {caller!r}")
            are_theirs = all(self._is_for(row, key, caller, master, now_seconds) for row, key in found)
            if not are_theirs or len(found) < len(key_ids) or len(set(key_ids)) < len(key_ids):
                raise KeyNotFound("one or more keys specified are not found on KME")
            return tuple(self._give(row, key, caller, now_seconds) for row, key in found)
        finally:
            found.clear()
            self._rows.write()

    def _is_for(self, row: HeldRow, key: HeldKey, caller: str, master: str, now_seconds: float) -> bool:
        if row.master != master or not key.value or now_seconds >= key.expires_seconds:
            return False
        again = key.fetched_seconds.get(caller, -1e18) + self._policy.lifetimes.redelivery_seconds
        return key.slaves[caller] == HeldState.HELD or (
            key.slaves[caller] == HeldState.DELIVERED and now_seconds < again
        )

    def _give(self, row: HeldRow, key: HeldKey, caller: str, now_seconds: float) -> tuple[bytearray, bytes]:
        value, lifetimes = bytearray(key.value), self._policy.lifetimes
        if key.slaves[caller] == HeldState.HELD:
            self._counts[row.master, caller] -= 1
            self._apply(key, caller, "fetched")
            if lifetimes.redelivery_seconds:
                key.fetched_seconds[caller] = now_seconds
        if HeldState.HELD not in key.slaves.values():
            kept = lifetimes.redelivery_seconds
            key.value = key.value if kept else b""
            key.expires_seconds = min(key.expires_seconds, now_seconds + max(kept, lifetimes.record_seconds))
            self._schedule(key.key_id, key.expires_seconds)
        if key.expires_seconds <= now_seconds:
            self._forget(key.key_id)
        else:
            self._rows.changed(key.key_id)
        return value, row.extension

    def void(self, site: str, key_ids: Sequence[bytes], reason: str, until_seconds: float) -> None:
        """Take back keys that a site assigned; IDs never seen are remembered as void until then.

        Keys that another site assigned are left alone: a site voids its own.
        """
        voided, delivered = [], False
        unknown = [key_id for key_id in key_ids if not self._rows.has(key_id)]
        for row, key in filter(None, map(self._rows.find, key_ids)):
            if row.site == site:
                delivered |= HeldState.DELIVERED in key.slaves.values()
                self._end(row, key, "voided", max(until_seconds, key.expires_seconds))
                voided.append(key_id_text(key.key_id))
        self._rows.write()
        self._remember_void(site, unknown, until_seconds)
        if voided:
            self._report(KeysVoided(peer=site, key_ids=tuple(voided), reason=reason, delivered=delivered))

    def expire(self, now_seconds: float, limit: int = 1024) -> bool:
        """Erase what nobody fetched in time, and forget records; a piece of the work, and tell whether more is left."""
        expired: dict[tuple[str, str], list[str]] = {}
        while self._expiries and self._expiries[0][0] <= now_seconds and limit:
            limit -= 1
            seconds, key_id = heapq.heappop(self._expiries)
            entry = self._rows.find(key_id) if self._times.get(key_id) == seconds else None
            if entry is None:
                continue  # it has another time by now, or is gone
            row, key = entry
            for slave, state in key.slaves.items():
                if state == HeldState.HELD:
                    expired.setdefault((row.master, slave), []).append(key_id_text(key_id))
            self._count(row, key, -1)
            self._forget(key_id)
        self._rows.write()
        for (master, slave), key_ids in expired.items():
            self._report(KeyExpired(master=master, slave=slave, key_ids=tuple(key_ids)))
        return bool(self._expiries) and self._expiries[0][0] <= now_seconds

    def _end(self, row: HeldRow, key: HeldKey, event: HeldEvent, until_seconds: float) -> None:
        if key.slaves:
            self._count(row, key, -1)
        for slave in key.slaves:
            self._apply(key, slave, event)
        key.value, key.expires_seconds = b"", until_seconds
        self._rows.changed(key.key_id)
        self._schedule(key.key_id, until_seconds)

    def _remember_void(self, site: str, key_ids: Sequence[bytes], until_seconds: float) -> None:
        # The marks make a late assignment impossible as well; so many that are void before they came are an attack.
        some = dict.fromkeys(key_ids[: max(0, _MOST_TOMBSTONES - self._tombstones)])
        self._tombstones += len(some)
        self._rows.add(HeldRow(site, "", b"", [HeldKey(key_id, {}, until_seconds, b"") for key_id in some]))
        for key_id in some:
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

    def _forget(self, key_id: bytes) -> None:
        self._rows.forget(key_id)
        self._times.pop(key_id, None)

    # Counts.

    def _apply(self, key: HeldKey, slave: str, event: HeldEvent) -> None:
        key.slaves[slave] = next_state(HELD_TRANSITIONS, key.slaves[slave], event) or key.slaves[slave]

    def _count(self, row: HeldRow, key: HeldKey, step: int) -> None:
        self._tombstones += step * (not key.slaves)
        for slave, state in key.slaves.items():
            if state == HeldState.HELD:
                self._counts[row.master, slave] += step
                if not self._counts[row.master, slave]:
                    del self._counts[row.master, slave]
