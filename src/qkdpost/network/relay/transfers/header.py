"""Who may send a share, to whom, and with what: the rules that bind a segment to its source.

The check of `manipulation` binds shares to each other, not to the source. A dishonest site could send all shares of a
segment that it made itself, each to another neighbour, and name any source. So every message names all paths in full,
and every site on a path checks: it stands itself in the path of this share, and the name before its own is that of the
pool by which the message came. The target knows from its own configuration how many paths there must be, and compares
all copies.

*Why that is enough.* Let there be k paths without a common inner site, and at most k - 1 dishonest sites. Then some
path h has none inside. The last site of h took the share from the site that is named before it, which is honest and
did the same, and so on: the message began at the first name of h, the source. As the target compares all that every
message says but what is added hop by hop (`agreed_fields`), and copy h is the source's own, so are the others that it
takes. A dishonest site that stands in no path cannot begin one: the first honest site that it sends to finds another
name before its own. If it writes its own name into paths, it stands in each of them, and two of these are not disjoint.

With a single path nothing of that protects against a site on it. The rules hold all the same.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from qkdpost.errors import InputError
from qkdpost.network.messages.fields import MAX_PATH_NAMES
from qkdpost.network.messages.framed import CarrySegment
from qkdpost.network.names import checked_name
from qkdpost.network.relay.manipulation import CHECK_BYTES
from qkdpost.network.relay.routing import Path

__all__ = ["MAX_LIFETIME_SECONDS", "agreed_fields", "own_place", "wrong_header", "wrong_paths"]

MAX_LIFETIME_SECONDS = 3600
"""How long a site may be asked to remember a transfer."""

_encoder = msgspec.msgpack.Encoder()


@lru_cache(maxsize=1024)
def wrong_paths(source: str, target: str, paths: tuple[Path, ...]) -> str:
    """Say what is wrong with the paths of a transfer, or nothing."""
    if not source < target:
        return "the source of a transfer is the site of the pair whose name comes first"
    if any((path[0], path[-1]) != (source, target) for path in paths):
        return "a path does not lead from the source to the target"
    if any(not 2 <= len(path) <= MAX_PATH_NAMES for path in paths):
        return f"a path has more than {MAX_PATH_NAMES} names"
    inner = [name for path in paths for name in path[1:-1]]
    ends_inside = source in inner or target in inner
    if ends_inside or len(set(inner)) < len(inner) or len(set(paths)) < len(paths):
        return "a site stands in the paths twice"
    return _wrong_names({source, target, *inner})


def _wrong_names(names: set[str]) -> str:
    try:
        for name in names:
            checked_name("a site", name)
    except InputError:
        return "a name of a site is none"
    return ""


def wrong_header(message: CarrySegment) -> str:
    """Say what is wrong with a share's message by itself, or nothing."""
    if message.share >= len(message.paths):
        return "there is no path for this share"
    if message.length_bytes <= CHECK_BYTES:
        return "a share is too short for a segment"
    if not 1 <= message.expires_seconds <= MAX_LIFETIME_SECONDS:
        return f"a transfer lives for 1 ... {MAX_LIFETIME_SECONDS} s"
    return wrong_paths(message.source, message.target, message.paths)


def own_place(message: CarrySegment, own: str, peer: str) -> int | None:
    """Return where in the path of its share a site stands, behind the one it has the message from; None if nowhere."""
    path = message.paths[message.share]
    if own not in path[1:]:
        return None
    place = path.index(own)
    first_hop = place == 1
    return place if path[place - 1] == peer and first_hop == (message.ciphertext is None) else None


def agreed_fields(message: CarrySegment) -> bytes:
    """Return the bytes of all that is the same in every message of a transfer, whatever its share and hop."""
    return _encoder.encode(
        (
            message.transfer,
            message.source,
            message.target,
            message.paths,
            message.length_bytes,
            message.masked_check,
            message.expires_seconds,
        )
    )
