"""The greeting: versions, role, configuration and key pools are compared before anything else is said.

Both hosts may be of different releases, within rules that docs/wire.md states. Both greetings are under the tags of
every block, so that whoever changes one, to have an older version spoken say, gets no key released.
"""

from __future__ import annotations

from collections.abc import Callable

from qkdpost.config import LinkConfig
from qkdpost.dialogue.messages import OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION, Hello, Message, SegmentEntry
from qkdpost.errors import RemoteProtocolError
from qkdpost.keys import KeyPool, SegmentState
from qkdpost.reconciliation.ldpc.codes import manifest_digest
from qkdpost.reconciliation.raptor.code import manifest_digest as raptor_codes_digest
from qkdpost.reconciliation.settings import Multidimensional, Slices
from qkdpost.reconciliation.slices.codes import tables_digest
from qkdpost.session.codec import decode, greeting_version
from qkdpost.version import VERSION, newest_common, no_common_version, printable, release_in_words

__all__ = ["agreed_version", "check_hello", "make_hello", "peer_segments", "read_greeting"]

NONCE_BYTES = 16


def make_hello(role: str, link: LinkConfig, pool: KeyPool, random_source: Callable[[int], bytes]) -> Hello:
    """Return this side's greeting."""
    codes = _installed_codes(link)
    return Hello(
        version=PROTOCOL_VERSION,
        role=role,
        nonce=random_source(NONCE_BYTES),
        configuration=link.to_fields() | codes,
        segments=tuple(
            SegmentEntry(identifier=state.identifier, next_offset=state.next_offset, length=state.length)
            for state in pool.inventory()
        ),
        accumulated_epsilon=pool.accumulated_epsilon,
        oldest_version=OLDEST_PROTOCOL_VERSION,
        release=VERSION,
        altered=(*sorted(link.altered_fields()), *codes),
    )


def _installed_codes(link: LinkConfig) -> dict[str, str]:
    """Return what must be equal beside the link: the codes that it may choose from."""
    codes = {}
    if link.correction.ldpc is not None:
        codes["installed LDPC codes"] = manifest_digest()
    if isinstance(link.correction, Multidimensional):
        codes["installed raptor codes"] = raptor_codes_digest()
    if isinstance(link.correction, Slices):
        codes["installed codes of slices"] = tables_digest()
    return codes


def read_greeting(frame: bytes) -> Message:
    """Return the message in the first frame of a connection.

    Raises:
        RemoteProtocolError: it is no message; where it begins like a greeting of a later version, that is said.
    """
    try:
        return decode(frame)
    except RemoteProtocolError:
        version = greeting_version(frame)
        if version is None or version <= PROTOCOL_VERSION:
            raise
    raise RemoteProtocolError(no_common_version("", (OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION), (version, version)))


def check_hello(hello: Hello, role: str, link: LinkConfig) -> int:
    """Compare the peer's greeting with what this side needs, and return the protocol version that both will speak.

    Raises:
        RemoteProtocolError: no common version, the same role, or another configuration; the first field that differs is
            named.
    """
    version = agreed_version(hello)
    wanted = "bob" if role == "alice" else "alice"
    if hello.role != wanted:
        raise RemoteProtocolError(f"this host is {role}, the peer must be {wanted}; it says {hello.role!r}")
    codes = _installed_codes(link)
    own, altered = link.to_fields() | codes, link.altered_fields() | codes.keys()
    for name in sorted(own.keys() | hello.configuration.keys()):
        here, there = own.get(name), hello.configuration.get(name)
        if here is None and name in hello.altered:
            raise RemoteProtocolError(
                f"the peer ({release_in_words(hello.release)}) has set {printable(name)} to {printable(there)}, which "
                f"this host (release {VERSION}) does not know: update this host, or leave the field at its default "
                "there"
            )
        if there is None and name in altered:
            raise RemoteProtocolError(
                f"the peer ({release_in_words(hello.release)}) does not know {name}, which this host (release "
                f"{VERSION}) has set to {here}: update the peer, or leave the field at its default here"
            )
        if None not in (here, there) and here != there:
            raise RemoteProtocolError(
                f"the link configurations differ in {name}: {here} here, {printable(there)} at the peer"
            )
    return version


def agreed_version(hello: Hello) -> int:
    """Return the newest protocol version that both hosts speak.

    Raises:
        RemoteProtocolError: there is none, or the peer's range contradicts itself.
    """
    oldest = hello.version if hello.oldest_version is None else hello.oldest_version
    if oldest > hello.version:
        raise RemoteProtocolError(f"the peer says that it speaks protocol versions {oldest} to {hello.version}")
    own, peer = (OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION), (oldest, hello.version)
    agreed = newest_common(own, peer)
    if agreed is None:
        raise RemoteProtocolError(no_common_version(hello.release, own, peer))
    return agreed


def peer_segments(hello: Hello) -> tuple[SegmentState, ...]:
    """Return the peer's key pool as it describes it."""
    return tuple(
        SegmentState(identifier=entry.identifier, next_offset=entry.next_offset, length=entry.length)
        for entry in hello.segments
    )
