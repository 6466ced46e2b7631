"""What key managers say to each other outside of frames: it spends no pad and no tag covers it.

TLS alone guards it. Whoever breaks TLS can make key be lost with it, by marks that are far ahead, and can keep two key
managers apart. That alone lets nobody read a key or forge a message: each side only ever moves its marks forward and
its limits inward, and the checks of segments vouch for themselves. See `session` for what is left if a store was
restored as well.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from qkdpost.network.messages.fields import MAX_LISTED_SEGMENTS, Identifier, Name, Offset

__all__ = [
    "OLDEST_PROTOCOL_VERSION",
    "PROTOCOL_VERSION",
    "Greeting",
    "ListedSegment",
    "Mark",
    "PeerHello",
    "PeerReady",
    "PeerSettled",
    "PeerWindow",
    "PeerWindowKept",
    "SegmentList",
    "SegmentOffer",
    "SegmentTaken",
]

PROTOCOL_VERSION = 2
"""The newest that this release speaks."""
OLDEST_PROTOCOL_VERSION = 2
"""And the oldest."""


class Mark(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A place in a direction: everything in segments of lower numbers, and `offset` bytes of this one, are spent."""

    segment: Offset
    offset: Offset


class PeerHello(Struct, frozen=True, array_like=True, tag=101):
    """The first message of a connection, from both; `segments` of them follow in `SegmentList`.

    That of every release begins with these fields, in this order; what a newer one appends is not read.

    Args:
        version: the newest of this protocol that the sender speaks.
        pool: which pool.
        name: of the key manager that speaks.
        sent: the mark of its own direction.
        received: its mark of the other one.
        window: the window of the other direction that it has stored.
        highest_number: the highest number of a segment that it has ever seen.
        segments: how many segments it lists.
        pending: transfers to the other end of which it has not heard the last; None if it does not say.
        hash_keys: the transferred segment that gave its hash keys; empty if none did.
        oldest_version: the oldest that the sender speaks; None if it speaks one alone.
        release: of the library at the sender.
    """

    version: Offset
    pool: Identifier
    name: Name
    sent: Mark
    received: Mark
    window: Offset
    highest_number: Offset
    segments: Annotated[int, Meta(ge=0, le=2**17)]
    pending: Annotated[tuple[Identifier, ...], Meta(max_length=2048)] | None = None
    hash_keys: Annotated[bytes, Meta(max_length=16)] = b""
    oldest_version: Offset | None = None
    release: Annotated[str, Meta(max_length=32)] = ""


class ListedSegment(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One segment as its holder sees it.

    Args:
        identifier: of the segment.
        number: its place in the order of both directions, or 0 if it has none yet.
        in_use: whether the holder knows, or knew, that both hold it, so that either may have spent of it.
        length: bytes that the two directions share.
        own_limit: how many of them the holder's direction may spend.
        peer_limit: how many the other one may.
        renews: whether the leader's half begins with new hash keys of the pool.
        check: that shows that the holder holds it, 16 bytes; empty where nothing has to be shown, or not yet.
    """

    identifier: Identifier
    number: Offset
    in_use: bool
    length: Offset
    own_limit: Offset
    peer_limit: Offset
    renews: bool
    check: Annotated[bytes, Meta(max_length=16)]


class SegmentList(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=102):
    """The next part of the list that a greeting announced."""

    segments: Annotated[tuple[ListedSegment, ...], Meta(min_length=1, max_length=MAX_LISTED_SEGMENTS)]


class PeerSettled(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=103):
    """Where the sender's direction goes on from, stored durably, and how far ahead of the receiver it may run."""

    mark: Mark
    window: Offset


class PeerReady(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=104):
    """The answer to `PeerSettled`: stored durably. Before this no pad is taken."""


class SegmentOffer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=105):
    """The sender holds a segment; the leader's has a number and comes after the follower's check was right."""

    segment: ListedSegment


class SegmentTaken(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=106):
    """The follower holds the segment of this number, durably: the leader may spend of it."""

    number: Offset


class PeerWindow(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=107):
    """The sender wants a wider window, for there is more key now."""

    window: Offset


class PeerWindowKept(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=108):
    """The answer: stored durably."""

    window: Offset


Greeting: TypeAlias = (
    PeerHello | SegmentList | PeerSettled | PeerReady | SegmentOffer | SegmentTaken | PeerWindow | PeerWindowKept
)
