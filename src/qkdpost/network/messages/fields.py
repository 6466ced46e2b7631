"""Types of the fields of messages between key managers, with the bounds that the codec holds them to."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, TypeAlias

from msgspec import Meta

__all__ = [
    "LEAST_KEY_BYTES",
    "MAX_FRAME_BYTES",
    "MAX_KEYS_PER_MESSAGE",
    "MAX_KEY_BYTES",
    "MAX_LISTED_SEGMENTS",
    "MAX_MESSAGES_PER_FRAME",
    "MAX_PATHS",
    "MAX_PATH_NAMES",
    "MAX_REQUESTS_PER_MESSAGE",
    "Identifier",
    "KeyBytes",
    "KeyIds",
    "Material",
    "Name",
    "Offset",
    "Provenance",
    "RefusalReason",
    "Seconds",
    "Share",
    "ShareBytes",
    "VoidReason",
]

MAX_FRAME_BYTES = 64 * 1024
"""The longest frame, its length and tag included: it bounds what one forgery of a tag may gain, see `codec`."""
MAX_MESSAGES_PER_FRAME = 64
MAX_KEYS_PER_MESSAGE = 128
"""Of one request, in `AssignKeys`; and in `VoidKeys`."""
MAX_REQUESTS_PER_MESSAGE = 128
LEAST_KEY_BYTES = 8
"""An answer waits in the receiver's store until it is confirmed, some twenty bytes for each request: so each costs the
sender key, and nobody fills the store of another for nothing."""
MAX_KEY_BYTES = 8192
MAX_PATHS = 8
MAX_PATH_NAMES = 34
"""Source, target and 32 trusted nodes between them."""
MAX_LISTED_SEGMENTS = 512
"""Segments in one part of a list of segments."""

Identifier: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Offset: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Seconds: TypeAlias = Annotated[int, Meta(ge=0, le=2**40)]
KeyBytes: TypeAlias = Annotated[int, Meta(ge=LEAST_KEY_BYTES, le=MAX_KEY_BYTES)]
KeyIds: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16 * MAX_KEYS_PER_MESSAGE)]
"""Of keys, one behind the other."""
ShareBytes: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_KEY_BYTES)]
Share: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_PATHS - 1)]
Material: TypeAlias = Annotated[bytes, Meta(min_length=1, max_length=MAX_KEY_BYTES)]
Provenance: TypeAlias = Annotated[bytes, Meta(max_length=32 * 1024)]


class RefusalReason(IntEnum):
    """What a key manager answers to a key that it was assigned."""

    HELD = 0
    """It is held, durably."""
    UNKNOWN_APPLICATION = 1
    """No such application is served here."""
    NOT_ALLOWED = 2
    """The policy here does not allow this pair of applications."""
    QUOTA = 3
    """Too many keys are held for this pair of applications."""
    KNOWN_IDENTIFIER = 4
    """A key of this ID was seen before."""
    EXPIRED = 5
    """The key has no time left."""


class VoidReason(IntEnum):
    """Why keys, or a transfer, are void."""

    DEADLINE = 1
    """No answer came in time."""
    REFUSED = 2
    """A key manager on the way, or at the end, refused."""
    CONNECTION_LOST = 3
    """The connection broke before the other end had answered."""
    EXPIRED = 4
    """It was not fetched in time."""
    REVOKED = 5
    """The operator took back key that it was made of."""
    NOT_ENOUGH_KEY = 6
    """A pool on the way had too little."""
    NO_ROUTE = 7
    """No way leads there."""
    MANIPULATED = 8
    """The check over disjoint paths failed: a node on one of them changed its share. Only with two paths or more."""
    DISAGREES = 9
    """The check failed on a single path, or two copies differ: faults, as far as one can tell."""
    UNKNOWN = 10
    """The other end knows of no such key or transfer."""
    NO_ROOM = 11
    """A site on the way, or the target, keeps as much of this neighbour's transfers as it may."""
