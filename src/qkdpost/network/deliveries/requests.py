"""Requests that wait for an answer: in memory alone, for whoever asked is gone when this process is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from qkdpost.network.deliveries.states import MASTER_TRANSITIONS, MasterEvent, MasterState, next_state
from qkdpost.network.events import Ticket

__all__ = ["Batch", "Request"]


@dataclass(slots=True, eq=False)
class Batch:
    """Keys of one request that were assigned together.

    Args:
        request: which one.
        key_ids: of the keys.
        values: their bytes. Secret.
        waiting: for each other site the keys that it has not answered yet.
        provenance: the name of what they rest on.
        expires_seconds: when slaves may not fetch them any more.
        extension: what is said of them to applications.
        state: where they stand.
    """

    request: Request
    key_ids: tuple[bytes, ...]
    values: list[bytearray] = field(repr=False)
    waiting: dict[str, set[bytes]]
    provenance: bytes
    expires_seconds: float
    extension: dict[str, Any]
    state: MasterState = MasterState.ASSIGNED

    def apply(self, event: MasterEvent) -> bool:
        """Go to the next state, and tell whether the table knows the way."""
        state = next_state(MASTER_TRANSITIONS, self.state, event)
        if state is None:
            return False
        self.state = state
        return True

    def answered(self, site: str, key_ids: Iterable[bytes]) -> None:
        """Note that a site holds keys; all sites hold all keys when nothing is waited for."""
        left = self.waiting.get(site, set())
        left.difference_update(key_ids)
        if not left:
            self.waiting.pop(site, None)
        if not self.waiting:
            self.apply("held by all")

    def erase(self) -> None:
        """Overwrite the keys."""
        for value in self.values:
            value[:] = bytes(len(value))
        self.values.clear()


@dataclass(slots=True, eq=False)
class Request:
    """A request of a master at this site.

    Args:
        ticket: its public face.
        sites: for each other key manager the slaves there; the keys come from the pool with the first.
        local: slaves at this site.
        size_bytes: of each key.
        deadline_seconds: when it is refused.
        wanted: how many keys are still to be assigned.
        batches: what was assigned and is not void.
        is_open: whether an answer is still due.
    """

    ticket: Ticket
    sites: dict[str, tuple[str, ...]]
    local: tuple[str, ...]
    size_bytes: int
    deadline_seconds: float
    wanted: int
    batches: list[Batch] = field(default_factory=list)
    is_open: bool = True

    @property
    def is_complete(self) -> bool:
        """Whether every key is held wherever it shall be."""
        return not self.wanted and all(batch.state == MasterState.READY for batch in self.batches)

    @property
    def wanted_bytes(self) -> int:
        """The bytes of each pool that are still to be taken."""
        return self.wanted * self.size_bytes

    def contents(self) -> Iterator[tuple[bytes, bytearray, Batch]]:
        """Yield IDs and values in the order of assignment."""
        for batch in self.batches:
            for key_id, value in zip(batch.key_ids, batch.values, strict=True):
                yield key_id, value, batch
