"""What the segments of a pool rest on: their rows, and those of the segments in use beside them in memory."""

from __future__ import annotations

from qkdpost.network.store.protocol import KeyStore

__all__ = ["Provenances"]

_TABLE = "provenances"
_MOST_KNOWN = 64
"""Each key asks for those of one or two segments, again and again; a longest one has some tens of kilobytes."""


class Provenances:
    """The provenance of each segment, in canonical bytes.

    Args:
        store: with an open transaction whenever anything is called.
        pool: its identifier.
    """

    __slots__ = ("_known", "_pool", "_store")

    def __init__(self, store: KeyStore, pool: bytes) -> None:
        self._store = store
        self._pool = pool
        self._known: dict[bytes, bytes] = {}

    def __getitem__(self, identifier: bytes) -> bytes:
        """Return that of a segment; nothing of one that there is not."""
        found = self._known.get(identifier)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[identifier] = self._store.get(_TABLE, self._pool + identifier) or b""
        return found

    def add(self, identifier: bytes, provenance: bytes) -> None:
        """Write that of a new segment."""
        self._store.put(_TABLE, self._pool + identifier, provenance)
        self._known.pop(identifier, None)

    def forget(self, identifier: bytes) -> None:
        """Erase that of a segment."""
        self._store.erase(_TABLE, [self._pool + identifier])
        self._known.pop(identifier, None)
