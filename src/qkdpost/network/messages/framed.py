"""What key managers say to each other in frames under tags: typed, frozen, bounded; bytes are made in `codec` alone.

Every one of them may be lost with its connection. What must arrive waits in the outbox of the session as a message and
is framed anew, under new pads, after the next greeting; it has the same effect however often it comes. `AssignKeys`,
`CarrySegment` and `Grant` give key away, and are never said again.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from qkdpost.network.messages.fields import (
    MAX_KEYS_PER_MESSAGE,
    MAX_PATH_NAMES,
    MAX_PATHS,
    Identifier,
    KeyBytes,
    Material,
    Name,
    Offset,
    Provenance,
    RefusalReason,
    Seconds,
    Share,
    VoidReason,
)

__all__ = [
    "AssignAnswer",
    "AssignKeys",
    "AssignedKey",
    "CarryDone",
    "CarrySegment",
    "CarryVoid",
    "Grant",
    "KeyAnswer",
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


class AssignedKey(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A key that the sender gives to applications.

    Without `ciphertext` the next `length_bytes` of the direction are the key; with it, they are its pad. `master` is
    the application that asked for it, `slaves` those here that may fetch it. `extension` is JSON that goes to them.
    """

    key_id: Identifier
    length_bytes: KeyBytes
    master: Name
    slaves: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=64)]
    expires_seconds: Seconds
    ciphertext: Material | None = None
    extension: Annotated[bytes, Meta(max_length=4096)] = b""


class AssignKeys(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=2):
    """Keys for applications at the receiver's site; said once, answered by `AssignAnswer`."""

    keys: Annotated[tuple[AssignedKey, ...], Meta(min_length=1, max_length=MAX_KEYS_PER_MESSAGE)]


class KeyAnswer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Whether one key is held, or why not."""

    key_id: Identifier
    reason: RefusalReason


class AssignAnswer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=3):
    """Which assigned keys are held durably; the master's application gets its copy only then."""

    answers: Annotated[tuple[KeyAnswer, ...], Meta(min_length=1, max_length=MAX_KEYS_PER_MESSAGE)]


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
    length_bytes: KeyBytes
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
    """Return how many bytes of its direction each key or share of a message consumes, in order."""
    if isinstance(message, AssignKeys):
        return tuple(key.length_bytes for key in message.keys)
    if isinstance(message, CarrySegment):
        return (message.length_bytes,)
    return ()


def consumed_bytes(message: Message) -> int:
    """Return how many bytes of its direction a message consumes, the tag of its frame aside.

    >>> consumed_bytes(AssignKeys((AssignedKey(bytes(16), 32, "a", ("b",), 60),)))
    32
    """
    return sum(consumed_lengths(message))


def wrong_lengths(message: Message) -> str:
    """Say what contradicts itself in a message whose every field is within its bounds, or nothing."""
    if isinstance(message, AssignKeys):
        pieces = [(key.length_bytes, key.ciphertext) for key in message.keys]
        if len({key.key_id for key in message.keys}) < len(message.keys):
            return "it names a key ID twice"
    elif isinstance(message, CarrySegment):
        pieces = [(message.length_bytes, message.ciphertext)]
        if message.share >= len(message.paths):
            return f"it is share {message.share} of {len(message.paths)}"
    else:
        return ""
    wrong = [length for length, ciphertext in pieces if ciphertext is not None and len(ciphertext) != length]
    return f"a ciphertext is not as long as its pad of {wrong[0]} bytes" if wrong else ""
