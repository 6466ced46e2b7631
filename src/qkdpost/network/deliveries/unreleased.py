"""The rows of assigned keys that are not released, one for all that a turn assigned to the same sites."""

from __future__ import annotations

from collections.abc import Sequence

from qkdpost.network.deliveries.records import ASSIGNMENTS, AssignmentRow, decode_assignments, encode
from qkdpost.network.deliveries.released import rows_of
from qkdpost.network.deliveries.requests import Batch
from qkdpost.network.store.protocol import KeyStore

__all__ = ["UnreleasedRows", "row_of", "unreleased_rows"]


class UnreleasedRows:
    """Which batches stand in which row, and what of it is to be written.

    A process that starts voids what it finds there. So a row is written in the turn that assigns, before any frame of
    it leaves, and without what was released or voided in the turn that did so.

    Args:
        store: whose open transaction is written to.
    """

    __slots__ = ("_changed", "_names", "_rows", "_store", "_written")

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._rows: dict[bytes, dict[bytes, Batch]] = {}
        self._names: dict[bytes, bytes] = {}
        self._written: set[bytes] = set()
        self._changed: set[bytes] = set()

    def add(self, batches: Sequence[Batch]) -> None:
        """Enter batches that were assigned together."""
        name = batches[0].name
        self._rows[name] = {batch.name: batch for batch in batches}
        self._names.update(dict.fromkeys(self._rows[name], name))
        self._changed.add(name)

    def remove(self, batch: Batch) -> None:
        """Leave out a batch that is released or void."""
        name = self._names.pop(batch.name)
        del self._rows[name][batch.name]
        self._changed.add(name)

    def write(self) -> None:
        """Write what has changed; before the commit of the turn."""
        for name in self._changed:
            batches = self._rows[name]
            if batches:
                self._store.put(ASSIGNMENTS, name, encode([row_of(batch) for batch in batches.values()]))
                self._written.add(name)
                continue
            del self._rows[name]
            if name in self._written:
                self._written.remove(name)
                self._store.erase(ASSIGNMENTS, [name])
        self._changed.clear()


def row_of(batch: Batch) -> AssignmentRow:
    """Return what is written of a batch."""
    request = batch.request
    return AssignmentRow(
        batch.state,
        batch.key_ids,
        request.ticket.master,
        request.ticket.slaves,
        tuple(request.sites),
        batch.expires_seconds,
        batch.provenance,
    )


def unreleased_rows(store: KeyStore) -> list[AssignmentRow]:
    """Return the keys that a process before this one assigned and did not release, and give each batch its own row."""
    found = []
    for name, content in tuple(rows_of(store, ASSIGNMENTS)):
        rows = decode_assignments(content)
        if len(rows) > 1:
            store.erase(ASSIGNMENTS, [name])
            for row in rows:
                store.put(ASSIGNMENTS, row.name, encode([row]))
        found.extend(rows)
    return found
