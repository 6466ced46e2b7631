"""The rows of deliveries: what must be known after a restart, and not more.

`assignments` has the keys of this site's masters that were not released, without their bytes: a process that starts
voids them. `deliveries` has those that were released, until the slaves' copies have expired, in the order in which they
do; `rests_on` has what they are made of, once each. `held` has the keys that slaves here may fetch, and what is
remembered of fetched and void ones.

What was assigned, released or held in one turn stands in one row, however many requests shared it.
"""

from __future__ import annotations

import struct
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from qkdpost.errors import StoreDamaged
from qkdpost.network.deliveries.states import HeldState, MasterState
from qkdpost.network.names import KEY_ID_BYTES

__all__ = [
    "ASSIGNMENTS",
    "DELIVERIES",
    "HELD",
    "RESTS_ON",
    "AssignmentRow",
    "HeldKeys",
    "HeldRow",
    "decode_assignments",
    "decode_held",
    "encode",
    "expiry_key",
    "expiry_of",
]

ASSIGNMENTS = "assignments"
DELIVERIES = "deliveries"
RESTS_ON = "rests_on"
HELD = "held"

_KeyIds = Annotated[bytes, Meta(min_length=KEY_ID_BYTES)]


class AssignmentRow(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Keys of one request that were assigned together.

    Args:
        state: where they stand.
        key_ids: of all, one behind the other.
        master: the application that asked.
        slaves: those that get the same keys.
        sites: the other key managers that were told of them.
        expires_seconds: by this site's clock.
        provenance: the name of the row in `rests_on`.
    """

    state: MasterState
    key_ids: _KeyIds
    master: str
    slaves: tuple[str, ...]
    sites: tuple[str, ...]
    expires_seconds: float
    provenance: bytes

    @property
    def name(self) -> bytes:
        """The ID of the first key."""
        return self.key_ids[:KEY_ID_BYTES]


class HeldKeys(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Keys of one request at the site of their slaves, of which all that can happen to a key has happened to each.

    Args:
        key_ids: one behind the other.
        master: the application that asked for them; of keys that were void before they came, nothing.
        slaves: the applications here, and where the keys stand for each; none of keys that were void before they came.
        expires_seconds: by this site's clock; of a record, when it is forgotten.
        values: the keys, of one length, one behind the other. Secret; empty once nobody may have them any more.
        fetched_seconds: when each application fetched them, where it may do so again.
    """

    key_ids: _KeyIds
    master: str
    slaves: dict[str, HeldState]
    expires_seconds: float
    values: bytes
    fetched_seconds: dict[str, float] = {}

    @property
    def count(self) -> int:
        """The number of keys."""
        return len(self.key_ids) // KEY_ID_BYTES

    def __repr__(self) -> str:
        return f"HeldKeys(count={self.count}, slaves={self.slaves!r})"


class HeldRow(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Keys at the site of their slaves that came together.

    Args:
        site: the key manager that assigned them.
        extension: JSON that goes with each.
        requests: at least one. Secret.
    """

    site: str
    extension: bytes
    requests: list[HeldKeys]

    def __repr__(self) -> str:
        return f"HeldRow(site={self.site!r}, requests={self.requests!r})"


_encoder = msgspec.msgpack.Encoder()
_assignments = msgspec.msgpack.Decoder(list[AssignmentRow])
_held = msgspec.msgpack.Decoder(HeldRow)
_Row = TypeVar("_Row", list[AssignmentRow], HeldRow)


def encode(row: list[AssignmentRow] | HeldRow) -> bytearray:
    """Return a row's bytes, which the caller overwrites if the row is secret."""
    buffer = bytearray()
    _encoder.encode_into(row, buffer)
    return buffer


def decode_assignments(content: bytes) -> list[AssignmentRow]:
    """Read a row of `assignments` or `deliveries`.

    Raises:
        StoreDamaged: these bytes are none.
    """
    return _decoded(_assignments, content)


def decode_held(content: bytes) -> HeldRow:
    """Read a row of `held`. Secret.

    Raises:
        StoreDamaged: these bytes are none. What they are stands in no message.
    """
    return _decoded(_held, content)


def _decoded(decoder: msgspec.msgpack.Decoder[_Row], content: bytes) -> _Row:
    try:
        row: _Row | None = decoder.decode(content)
    except (msgspec.MsgspecError, ValueError):
        row = None
    del content
    if row is None:
        raise StoreDamaged("a row of a delivered key is none: restore the store, or set up a new one")
    return row


def expiry_of(key: bytes) -> float:
    """Return the seconds of such a key."""
    return float(struct.unpack_from(">Q", key)[0]) / 1000.0


def expiry_key(seconds: float, key_id: bytes) -> bytes:
    """Return the key of a row in the order of expiry: milliseconds, most significant byte first, then the key ID."""
    return struct.pack(">Q", int(seconds * 1000)) + key_id
