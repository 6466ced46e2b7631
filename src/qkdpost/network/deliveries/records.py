"""The rows of deliveries: what must be known after a restart, and not more.

`assignments` has the keys of this site's masters that were not released, without their bytes: a process that starts
voids them. `deliveries` has those that were released, until the slaves' copies have expired, in the order in which they
do; `rests_on` has what they are made of, once each. `held` has the keys that slaves here may fetch, and what is
remembered of fetched and void ones.
"""

from __future__ import annotations

import struct
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from qkdpost.errors import StoreDamaged
from qkdpost.network.deliveries.states import HeldState, MasterState

__all__ = [
    "ASSIGNMENTS",
    "DELIVERIES",
    "HELD",
    "RESTS_ON",
    "AssignmentRow",
    "HeldKey",
    "HeldRow",
    "decode",
    "encode",
    "expiry_key",
]

ASSIGNMENTS = "assignments"
DELIVERIES = "deliveries"
RESTS_ON = "rests_on"
HELD = "held"

_KeyId = Annotated[bytes, Meta(min_length=16, max_length=16)]


class AssignmentRow(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Keys that were assigned together, named by the first of their IDs.

    Args:
        state: where they stand.
        key_ids: of all.
        master: the application that asked.
        slaves: those that get the same keys.
        sites: the other key managers that were told of them.
        expires_seconds: by this site's clock.
        provenance: the name of the row in `rests_on`.
    """

    state: MasterState
    key_ids: tuple[_KeyId, ...]
    master: str
    slaves: tuple[str, ...]
    sites: tuple[str, ...]
    expires_seconds: float
    provenance: bytes


class HeldKey(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """A key at the site of its slaves.

    Args:
        key_id: its ID.
        slaves: those here, and where the key stands for each; none of a key that was void before it came.
        expires_seconds: by this site's clock; of a record, when it is forgotten.
        value: the key. Secret; empty once nobody may have it any more.
        fetched_seconds: when each application fetched it, where it may do so again.
    """

    key_id: _KeyId
    slaves: dict[str, HeldState]
    expires_seconds: float
    value: bytes
    fetched_seconds: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"HeldKey(slaves={self.slaves!r})"


class HeldRow(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Keys at the site of their slaves that came together.

    Args:
        site: the key manager that assigned them.
        master: the application there.
        extension: JSON that goes with each.
        keys: at least one. Secret.
    """

    site: str
    master: str
    extension: bytes
    keys: list[HeldKey]

    def __repr__(self) -> str:
        return f"HeldRow(master={self.master!r})"


_encoder = msgspec.msgpack.Encoder()
_decoders = {kind: msgspec.msgpack.Decoder(kind) for kind in (AssignmentRow, HeldRow)}
_Row = TypeVar("_Row", AssignmentRow, HeldRow)


def encode(row: AssignmentRow | HeldRow) -> bytearray:
    """Return a row's bytes, which the caller overwrites if the row is secret."""
    buffer = bytearray()
    _encoder.encode_into(row, buffer)
    return buffer


def decode(kind: type[_Row], content: bytes) -> _Row:
    """Read a row.

    Raises:
        StoreDamaged: these bytes are none. What they are stands in no message.
    """
    try:
        row: _Row = _decoders[kind].decode(content)  # type: ignore[assignment]
    except (msgspec.MsgspecError, ValueError):
        row = None  # type: ignore[assignment]
    del content
    if row is None:
        raise StoreDamaged("a row of a delivered key is none: restore the store, or set up a new one")
    return row


def expiry_key(seconds: float, key_id: bytes) -> bytes:
    """Return the key of a row in the order of expiry: milliseconds, most significant byte first, then the key ID."""
    return struct.pack(">Q", int(seconds * 1000)) + key_id
