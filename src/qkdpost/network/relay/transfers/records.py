"""What is on record of transfers: rows of the store, read with suspicion."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from qkdpost.errors import StoreDamaged
from qkdpost.network.messages.fields import MAX_PATHS, Identifier, Name, Share
from qkdpost.network.messages.framed import CarrySegment
from qkdpost.network.store.protocol import KeyStore

__all__ = ["NODE", "SOURCE", "TARGET", "NodeRow", "NodeState", "Rows", "SourceRow", "TargetRow", "row_key"]

_Seconds = Annotated[float, Meta(ge=0.0)]
_Paths = tuple[tuple[Name, ...], ...]
_Parts = Annotated[dict[Share, bytes], Meta(max_length=MAX_PATHS)]


class NodeState(IntEnum):
    """Of one share at a site on its path."""

    CARRYING = 1
    """It is here, durably, and waits for a pad."""
    PASSED = 2
    """It was passed on and erased here."""
    VOID = 3
    """It must not go on; what comes of it is refused."""


class NodeRow(Struct, array_like=True, forbid_unknown_fields=True):
    """A share at a site on its path; `message` while it waits, without ciphertext."""

    state: NodeState
    until_seconds: _Seconds
    before: Name
    after: Name
    message: CarrySegment | None = None


class TargetRow(Struct, array_like=True, forbid_unknown_fields=True):
    """A transfer at its target: what all messages of it must agree on, and the provenance of each share that came.

    `arrived` says that its segment is in the pool, `void` that nothing of it is taken any more.
    """

    until_seconds: _Seconds
    source: Name
    paths: _Paths
    agreed: bytes
    masked_check: Identifier
    provenances: _Parts
    arrived: bool = False
    void: bool = False


class SourceRow(Struct, array_like=True, forbid_unknown_fields=True):
    """A transfer at its source, until the target has answered over every path."""

    deadline_seconds: _Seconds
    target: Name
    paths: _Paths
    segment_bytes: int
    masked_check: Identifier
    provenances: _Parts


_Row = TypeVar("_Row", NodeRow, TargetRow, SourceRow)
_encoder = msgspec.msgpack.Encoder()


class Rows(Generic[_Row]):
    """The rows of one duty in the store, with secret bytes beside them.

    Args:
        store: where they are; a transaction is open whenever a method is called.
        table: of the rows; secrets are in a table of its own.
        kind: the class of the rows.
    """

    def __init__(self, store: KeyStore, table: str, kind: type[_Row]) -> None:
        self._store = store
        self._table, self._secrets = table, f"{table}_share"
        self._decoder: msgspec.msgpack.Decoder[_Row] = msgspec.msgpack.Decoder(kind)

    def load(self) -> dict[bytes, _Row]:
        """Return all rows by their keys.

        Raises:
            StoreDamaged: one is none.
        """
        found: dict[bytes, _Row] = {}
        start = b""
        while rows := self._store.scan(self._table, start, b"\xff" * 33, 4096):
            found.update((key, self._decoded(key, value)) for key, value in rows)
            start = rows[-1][0] + b"\0"
        return found

    def _decoded(self, key: bytes, value: bytes) -> _Row:
        try:
            return self._decoder.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise StoreDamaged(f"a row of {self._table} is not what was written: {key.hex()}") from None

    def put(self, key: bytes, row: _Row) -> None:
        """Write a row."""
        self._store.put(self._table, key, _encoder.encode(row))

    def erase(self, key: bytes) -> None:
        """Erase a row; its secrets are erased by `take_secret`."""
        self._store.take(self._table, key)

    def put_secret(self, key: bytes, secret: bytearray) -> None:
        """Write secret bytes."""
        self._store.put(self._secrets, key, secret, secret=True)

    def take_secret(self, key: bytes) -> bytearray | None:
        """Return secret bytes and erase them in the store; None if there are none."""
        held = self._store.take(self._secrets, key)
        return None if held is None else bytearray(held)


NODE, TARGET, SOURCE = "relay_node", "relay_target", "relay_source"


def row_key(transfer: bytes, share: int) -> bytes:
    """Return the key of what is on record of one share."""
    return transfer + bytes([share])
