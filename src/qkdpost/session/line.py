"""What all blocks of one connection share on one side: who speaks, with what, and where it goes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qkdpost.config import LinkConfig
from qkdpost.dialogue.messages import PROTOCOL_VERSION, Message
from qkdpost.dialogue.roles import ROLES, Role
from qkdpost.keys import KeyPool
from qkdpost.keys.authentication import Transcript
from qkdpost.protocols.protocol import Protocol
from qkdpost.session.buffer import SendBuffer
from qkdpost.session.codec import encode
from qkdpost.session.event_queue import EventQueue
from qkdpost.session.pool_level import PoolLevel
from qkdpost.single_use import SingleUse

__all__ = ["OPENER", "ROLES", "Line", "Role"]

IDENTIFIER_BYTES = 16
OPENER = "bob"
"""The role that opens blocks, reports its detections first, and says when there are no more."""


@dataclass(slots=True, kw_only=True)
class Line(SingleUse):
    """Who speaks, with what, and where bytes and events go; the greetings once they were exchanged."""

    role: Role
    link: LinkConfig
    protocol: Protocol[Any, Any, Any]
    """The row of the link's kind, as it was when the session began."""
    pool: KeyPool = field(repr=False)
    pool_level: PoolLevel
    random_source: Callable[[int], bytes] = field(repr=False)
    outgoing: SendBuffer = field(default_factory=SendBuffer, repr=False)
    events: EventQueue
    greeting: bytes = b""
    peer_greeting: bytes = b""
    nonces: bytes = b""
    protocol_version: int = PROTOCOL_VERSION
    """What both hosts speak."""
    peer_release: str = ""
    peer_accumulated_epsilon: float = 0.0
    """What the peer's greeting says; to be believed once a tag over it was right."""

    @property
    def opens(self) -> bool:
        """Whether this host is the one that opens blocks."""
        return self.role == OPENER

    @property
    def peer_role(self) -> Role:
        """The role of the other host."""
        return "alice" if self.role == "bob" else "bob"

    def send(self, message: Message) -> bytes:
        """Queue a message and return its frame."""
        frame = encode(message)
        self.outgoing.append(frame)
        return frame

    def new_transcript(self, *, reference: bool) -> Transcript:
        """Return a transcript that begins with both greetings, for the reference's side of a block or the other."""
        transcript = Transcript(self.pool.hash_key, reference=reference)
        transcript.sent(self.greeting)
        transcript.received(self.peer_greeting)
        return transcript

    def block_identifier(self, number: int) -> bytes:
        """Return the public name of a block and of its key: never the same again, for the nonces are fresh."""
        return hashlib.blake2b(self.nonces + number.to_bytes(8, "little"), digest_size=IDENTIFIER_BYTES).digest()
