"""How a key that a link or a device gave becomes a segment of a pool."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field

from qkdpost.bits import Bits
from qkdpost.checks import byte_string, real_number
from qkdpost.errors import InputError, StoreDamaged
from qkdpost.keys.secret_key import SecretKey
from qkdpost.network.accounts import Source
from qkdpost.network.names import checked_name
from qkdpost.network.provenance import Block, Provenance, checked_link
from qkdpost.network.store.protocol import KeyStore

__all__ = ["Imported", "NewSegment", "imported_segment"]

_TABLE = "links"
_NUMBER = struct.Struct("<d")
_WANTS_MORE = (
    "a key that is no SecretKey comes with identifier and epsilon: 16 bytes that both ends give it, and how far from "
    "ideal its vendor says that it is"
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What somebody hands in as a key, see `KeyManager.add_key`."""

    key: object = field(repr=False)
    kind: object
    link: object
    identifier: object
    epsilon: object
    accumulated_epsilon: object


@dataclass(frozen=True, slots=True)
class NewSegment:
    """What a pool takes in."""

    identifier: bytes
    content: bytearray = field(repr=False)
    provenance: Provenance
    source: Source


def imported_segment(store: KeyStore, name: str, peer: str, imported: Imported) -> NewSegment:
    """Return the segment that a key becomes; the sum of a device's epsilon is written.

    Raises:
        InputError: an argument of another kind.
    """
    link = checked_link(" - ".join(sorted((name, peer))) if imported.link is None else imported.link)
    kind = checked_name("kind", imported.kind)
    if isinstance(imported.key, SecretKey):
        return _of_secret_key(imported.key, kind, link, imported)
    if imported.identifier is None or imported.epsilon is None:
        raise InputError(_WANTS_MORE)
    identifier = byte_string("identifier", imported.identifier, count=16)
    epsilon = real_number("epsilon", imported.epsilon, least=0.0, below=1.0)
    content = _content(imported.key)
    accumulated = _accumulated(store, link, epsilon, imported.accumulated_epsilon)
    block = Block(
        link=link,
        identifier=identifier,
        kind=kind,
        epsilon=epsilon,
        accumulated_epsilon=accumulated,
        stated_by_operator=True,
    )
    return NewSegment(identifier, content, Provenance(blocks=(block,)), "foreign")


def _of_secret_key(key: SecretKey, kind: str, link: str, imported: Imported) -> NewSegment:
    if (imported.identifier, imported.epsilon, imported.accumulated_epsilon) != (None, None, None):
        raise InputError("a SecretKey has its own identifier and epsilon: leave these arguments out")
    identifier = byte_string("key.identifier", key.identifier, count=16)
    block = Block(
        link=link,
        identifier=identifier,
        kind=kind,
        epsilon=key.epsilon,
        accumulated_epsilon=max(key.epsilon, key.accumulated_epsilon),
    )
    return NewSegment(identifier, _content(key.bits), Provenance(blocks=(block,)), "link")


def _content(key: object) -> bytearray:
    """Return the whole bytes of a key. Secret."""
    if isinstance(key, Bits):
        return bytearray(key.to_bytes()[: len(key) // 8])
    if isinstance(key, bytes | bytearray):
        return bytearray(key)
    raise InputError(f"key must be a SecretKey, Bits or bytes; found a {type(key).__name__}")


def _accumulated(store: KeyStore, link: str, epsilon: float, stated: object) -> float:
    """Return the sum of a device's epsilon with this key, stated or counted here, and remember it."""
    key = link.encode()
    row = store.get(_TABLE, key)
    if row is not None and len(row) != _NUMBER.size:
        raise StoreDamaged("a row of a link's epsilon is none; restore the store or set up a new one")
    before = 0.0 if row is None else _NUMBER.unpack(row)[0]
    if stated is None:
        total = math.nextafter(before + epsilon, math.inf)  # no less than the exact sum
    else:
        total = max(before, real_number("accumulated_epsilon", stated, least=epsilon))
    store.put(_TABLE, key, _NUMBER.pack(total))
    return total
