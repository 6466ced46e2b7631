"""What key managers say to each other in frames under tags: typed, frozen, bounded; bytes are made in `codec` alone.

Every one of them may be lost with its connection. What must arrive waits in the outbox of the session as a message and
is framed anew, under new pads, after the next greeting; it has the same effect however often it comes. `AssignKeys`,
`CarrySegment` and `Grant` give key away, and are never said again.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from qkdpost.network.messages.fields import (
    LEAST_KEY_BYTES,
    MAX_FRAME_BYTES,
    MAX_KEYS_PER_MESSAGE,
    MAX_PATH_NAMES,
    MAX_PATHS,
    MAX_REQUESTS_PER_MESSAGE,
    Identifier,
    KeyBytes,
    KeyIds,
    Material,
    Name,
    Offset,
    Provenance,
    RefusalReason,
    Seconds,
    Share,
    ShareBytes,
    VoidReason,
)
from qkdpost.network.names import KEY_ID_BYTES, split_key_ids

__all__ = [
    "AssignAnswer",
    "AssignKeys",
    "AssignedKeys",
    "CarryDone",
    "CarrySegment",
    "CarryVoid",
    "Grant",
    "KeysAnswer",
    "Message",
    "VoidKeys",
    "consumed_bytes",
    "consumed_lengths",
    "wrong_lengths",
]


class Grant(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=1):
    """The sender gives part of its share of a segment to the other direction.

    Both limits are counted from the sender's end of the segment. It is applied only where the receiver knew `old_limit`
    to be the sender's limit: two that cross are both lost, instead of each giving away what the other no longer has.
    """

    segment: Offset
    old_limit: Offset
    new_limit: Offset


class AssignedKeys(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Keys of one request that the sender gives to applications; the first key's ID names them all.

    Each has `length_bytes`. Without `ciphertext` the next bytes of the direction are the keys, one behind the other;
    with it, they are its pad. `master` is the application that asked for them, `slaves` those here that may fetch them.
    """

    key_ids: KeyIds
    length_bytes: KeyBytes
    master: Name
    slaves: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=64)]
    ciphertext: Annotated[bytes, Meta(min_length=LEAST_KEY_BYTES, max_length=MAX_FRAME_BYTES)] | None = None

    @property
    def name(self) -> bytes:
        """The ID of the first key."""
        return self.key_ids[:KEY_ID_BYTES]

    @property
    def count(self) -> int:
        """The number of keys."""
        return len(self.key_ids) // KEY_ID_BYTES

    @property
    def total_bytes(self) -> int:
        """The length of all keys together."""
        return self.count * self.length_bytes


class AssignKeys(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Keys for applications at the receiver's site; said once, answered by `AssignAnswer`.

    They live for `expires_seconds` by the receiver's clock. `extension` is JSON that goes with each to its slaves.
    """

    requests: Annotated[tuple[AssignedKeys, ...], Meta(min_length=1, max_length=MAX_REQUESTS_PER_MESSAGE)]
    expires_seconds: Seconds
    extension: Annotated[bytes, Meta(max_length=4096)] = b""


class KeysAnswer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Whether all keys of a request in `AssignKeys`, named by the ID of the first, are held, or why none of them is."""

    key_id: Identifier
    reason: RefusalReason


class AssignAnswer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """Which assigned keys are held durably; the master's application gets its copy only then."""

    answers: Annotated[tuple[KeysAnswer, ...], Meta(min_length=1, max_length=MAX_REQUESTS_PER_MESSAGE)]


class VoidKeys(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=4):
    """Keys that must not be handed out; an ID never seen is remembered as void until `expires_seconds`."""

    key_ids: Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=MAX_KEYS_PER_MESSAGE)]
    reason: VoidReason
    expires_seconds: Seconds


class CarrySegment(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=5):
    """One share of a segment on its way over trusted nodes; said once at each hop.

    All fields but `provenance` and `ciphertext` are the same at every hop and on every path: the target compares them.

    Args:
        transfer: names the segment.
        source: the key manager whose segment it becomes.
        target: the other one.
        paths: the whole path of each share, from `source` to `target`.
        share: which of them this is, from 0.
        length_bytes: of the share.
        masked_check: the check f(s, x) xor z, in clear.
        expires_seconds: how long each site remembers it, by its own clock, from when it came there.
        provenance: what the share rests on so far, canonical bytes.
        ciphertext: the share under the next `length_bytes` of the direction; None at the first hop, where these bytes
            are the share.
    """

    transfer: Identifier
    source: Name
    target: Name
    paths: Annotated[
        tuple[Annotated[tuple[Name, ...], Meta(min_length=2, max_length=MAX_PATH_NAMES)], ...],
        Meta(min_length=1, max_length=MAX_PATHS),
    ]
    share: Share
    length_bytes: ShareBytes
    masked_check: Identifier
    expires_seconds: Seconds
    provenance: Provenance
    ciphertext: Material | None = None


class CarryDone(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=6):
    """The target holds the segment; goes back along each path. `check` is the same on all.

    `provenance` is what the share of this path rests on when it arrived: the source saw its first hop alone.
    """

    transfer: Identifier
    share: Share
    check: Identifier
    provenance: Provenance = b""


class CarryVoid(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=7):
    """A transfer is void; in either direction."""

    transfer: Identifier
    share: Share
    reason: VoidReason


Message: TypeAlias = Grant | AssignKeys | AssignAnswer | VoidKeys | CarrySegment | CarryDone | CarryVoid


def consumed_lengths(message: Message) -> tuple[int, ...]:
    """Return how many bytes of its direction the keys of each request, or the share, of a message consume, in order."""
    if isinstance(message, AssignKeys):
        return tuple([len(keys.key_ids) // KEY_ID_BYTES * keys.length_bytes for keys in message.requests])
    if isinstance(message, CarrySegment):
        return (message.length_bytes,)
    return ()


def consumed_bytes(message: Message) -> int:
    """Return how many bytes of its direction a message consumes, the tag of its frame aside.

    >>> consumed_bytes(AssignKeys((AssignedKeys(bytes(16), 32, "a", ("b",)),), 60))
    32
    """
    return sum(consumed_lengths(message))


def wrong_lengths(message: Message) -> str:
    """Say what contradicts itself in a message whose every field is within its bounds, or nothing."""
    pieces: list[tuple[int, bytes | None]]
    if isinstance(message, AssignKeys):
        wrong = _wrong_ids(message)
        if wrong:
            return wrong
        pieces = [(keys.total_bytes, keys.ciphertext) for keys in message.requests if keys.ciphertext is not None]
    elif isinstance(message, CarrySegment):
        pieces = [(message.length_bytes, message.ciphertext)]
        if message.share >= len(message.paths):
            return f"it is share {message.share} of {len(message.paths)}"
    else:
        return ""
    for length, ciphertext in pieces:
        if ciphertext is not None and len(ciphertext) != length:
            return f"a ciphertext is not as long as its pad of {length} bytes"
    return ""


def _wrong_ids(message: AssignKeys) -> str:
    lengths = [len(keys.key_ids) for keys in message.requests]
    if any(length % KEY_ID_BYTES for length in lengths):
        return "it names a key by less than an ID"
    if lengths == [KEY_ID_BYTES]:
        return ""
    names = split_key_ids(b"".join([keys.key_ids for keys in message.requests]))
    return "it names a key ID twice" if len(set(names)) < len(names) else ""
