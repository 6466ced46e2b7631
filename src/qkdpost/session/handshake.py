"""The greeting: version, role, configuration and key pools are compared before anything else is said."""

from __future__ import annotations

from collections.abc import Callable

from qkdpost.config import LinkConfig
from qkdpost.dialogue.messages import PROTOCOL_VERSION, Hello, SegmentEntry
from qkdpost.errors import RemoteProtocolError
from qkdpost.keys import KeyPool, SegmentState
from qkdpost.reconciliation.ldpc.codes import manifest_digest
from qkdpost.reconciliation.raptor.code import manifest_digest as raptor_codes_digest
from qkdpost.reconciliation.settings import Multidimensional, Slices
from qkdpost.reconciliation.slices.codes import tables_digest

__all__ = ["check_hello", "make_hello", "peer_segments"]

NONCE_BYTES = 16


def make_hello(role: str, link: LinkConfig, pool: KeyPool, random_source: Callable[[int], bytes]) -> Hello:
    """Return this side's greeting."""
    return Hello(
        version=PROTOCOL_VERSION,
        role=role,
        nonce=random_source(NONCE_BYTES),
        configuration=_agreed_fields(link),
        segments=tuple(
            SegmentEntry(identifier=state.identifier, next_offset=state.next_offset, length=state.length)
            for state in pool.inventory()
        ),
        accumulated_epsilon=pool.accumulated_epsilon,
    )


def _agreed_fields(link: LinkConfig) -> dict[str, str]:
    """Return what must be equal on both hosts: the link, and the codes that it may choose from."""
    fields = link.to_fields()
    if link.correction.ldpc is not None:
        fields["installed LDPC codes"] = manifest_digest()
    if isinstance(link.correction, Multidimensional):
        fields["installed raptor codes"] = raptor_codes_digest()
    if isinstance(link.correction, Slices):
        fields["installed codes of slices"] = tables_digest()
    return fields


def check_hello(hello: Hello, role: str, link: LinkConfig) -> None:
    """Compare the peer's greeting with what this side needs.

    Raises:
        RemoteProtocolError: another version, the same role, or another configuration; the first field that differs is
            named.
    """
    if hello.version != PROTOCOL_VERSION:
        raise RemoteProtocolError(f"the peer speaks protocol version {hello.version}; this host {PROTOCOL_VERSION}")
    wanted = "bob" if role == "alice" else "alice"
    if hello.role != wanted:
        raise RemoteProtocolError(f"this host is {role}, the peer must be {wanted}; it says {hello.role!r}")
    own = _agreed_fields(link)
    for name in sorted(own.keys() | hello.configuration.keys()):
        if own.get(name) != hello.configuration.get(name):
            raise RemoteProtocolError(
                f"the link configurations differ in {_printable(name)}: {own.get(name)} here, "
                f"{_printable(hello.configuration.get(name))} at the peer"
            )


def _printable(text: str | None) -> str:
    """Return what the peer wrote as it may go into a log: no line ends, no control sequences."""
    return text if text is not None and text.isascii() and text.isprintable() else ascii(text)


def peer_segments(hello: Hello) -> tuple[SegmentState, ...]:
    """Return the peer's key pool as it describes it."""
    return tuple(
        SegmentState(identifier=entry.identifier, next_offset=entry.next_offset, length=entry.length)
        for entry in hello.segments
    )
