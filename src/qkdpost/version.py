"""The release of the library, the one place where its number stands; and what two ends of different releases say."""

from __future__ import annotations

__all__ = ["VERSION", "Range", "newest_common", "no_common_version", "printable", "release_in_words"]

VERSION = "0.1.0"
"""As `qkdpost.__version__` has it, and as a greeting tells the peer; the package's metadata are made from it."""

Range = tuple[int, int]
"""The oldest and the newest version of a protocol that an end speaks."""


def newest_common(own: Range, peer: Range) -> int | None:
    """Return the newest version that both ends speak, or None.

    >>> newest_common((3, 5), (4, 8))
    5
    """
    newest = min(own[1], peer[1])
    return newest if newest >= max(own[0], peer[0]) else None


def no_common_version(release: str, own: Range, peer: Range) -> str:
    """Say that there is none, and which end is to be updated.

    >>> "the peer is the older end, update it first" in no_common_version("0.0.9", (7, 8), (5, 6))
    True
    """
    older = "the peer is the older end" if peer[1] < own[1] else "this host is the older end"
    return (
        f"the peer ({release_in_words(release)}) speaks protocol version {_in_words(peer)}, this host (release "
        f"{VERSION}) {_in_words(own)}: {older}, update it first"
    )


def _in_words(spoken: Range) -> str:
    return str(spoken[1]) if spoken[0] == spoken[1] else f"{spoken[0]} to {spoken[1]}"


def release_in_words(release: str) -> str:
    """Return a peer's release as a message names it."""
    return f"release {printable(release)}" if release else "a release that does not say its number"


def printable(text: str | None) -> str:
    """Return what a peer wrote as it may go into a log: no line ends, no control sequences."""
    return text if text is not None and text.isascii() and text.isprintable() else ascii(text)
