"""Requests that wait for an answer: in memory alone, for whoever asked is gone when this process is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qkdpost.checks import whole_number
from qkdpost.errors import InputError, UnsupportedRequest
from qkdpost.network.deliveries.description import Said
from qkdpost.network.deliveries.states import MASTER_TRANSITIONS, MasterEvent, MasterState, next_state
from qkdpost.network.events import DeliveredKey, Ticket
from qkdpost.network.messages.fields import LEAST_KEY_BYTES, MAX_KEY_BYTES
from qkdpost.network.names import KEY_ID_BYTES, checked_name, key_id_texts
from qkdpost.network.policy import checked_slaves

__all__ = ["MAX_KEYS_PER_REQUEST", "MAX_SLAVES", "Batch", "Request", "checked_request"]


MAX_KEYS_PER_REQUEST = 4096
MAX_SLAVES = 64


def checked_request(
    master: str, slaves: Sequence[str], number: int, size_bits: int
) -> tuple[str, tuple[str, ...], int, int]:
    """Return master, slaves, number and size in bytes of a request whose form is right.

    Raises:
        InputError: an argument of another kind, or out of range.
        UnsupportedRequest: a size that is no whole number of bytes.
    """
    owner = checked_name("master", master)
    others = checked_slaves(owner, slaves)
    if len(others) > MAX_SLAVES:
        raise InputError(f"slaves must name at most {MAX_SLAVES} applications; found {len(others)}")
    count = whole_number("number", number, least=1, most=MAX_KEYS_PER_REQUEST)
    size = whole_number("size_bits", size_bits, least=8 * LEAST_KEY_BYTES, most=8 * MAX_KEY_BYTES)
    if size % 8:
        raise UnsupportedRequest(f"size shall be a multiple of 8; found {size}")
    return owner, others, count, size // 8


@dataclass(slots=True, eq=False)
class Batch:
    """Keys of one request that were assigned together.

    Args:
        request: which one.
        key_ids: of the keys, one behind the other.
        values: their bytes, one behind the other. Secret.
        waiting: the other sites that have not answered yet.
        provenance: the name of what they rest on.
        expires_seconds: when slaves may not fetch them any more.
        said: what is said of them to applications, and the same as JSON.
        state: where they stand.
    """

    request: Request
    key_ids: bytes
    values: bytearray = field(repr=False)
    waiting: set[str]
    provenance: bytes
    expires_seconds: float
    said: Said
    state: MasterState = MasterState.ASSIGNED

    @property
    def name(self) -> bytes:
        """The ID of the first key."""
        return self.key_ids[:KEY_ID_BYTES]

    @property
    def count(self) -> int:
        """The number of keys."""
        return len(self.key_ids) // KEY_ID_BYTES

    def apply(self, event: MasterEvent) -> bool:
        """Go to the next state, and tell whether the table knows the way."""
        state = next_state(MASTER_TRANSITIONS, self.state, event)
        if state is None:
            return False
        self.state = state
        return True

    def held_at(self, site: str) -> None:
        """Note that a site holds the keys; when nothing is waited for, all do."""
        self.waiting.discard(site)
        if not self.waiting:
            self.apply("held by all")

    def delivered(self) -> list[DeliveredKey]:
        """Return the keys as their master gets them, and overwrite them here."""
        size, values, extension = self.request.size_bytes, self.values, self.said.extension
        keys = [
            DeliveredKey(key_id=key_id, key=values[place : place + size], extension=extension)
            for key_id, place in zip(key_id_texts(self.key_ids), range(0, len(values), size), strict=True)
        ]
        self.erase()
        return keys

    def erase(self) -> None:
        """Overwrite the keys."""
        self.values[:] = bytes(len(self.values))


@dataclass(slots=True, eq=False)
class Request:
    """A request of a master at this site.

    Args:
        ticket: its public face.
        sites: for each other key manager the slaves there; the keys come from the pool with the first.
        local: slaves at this site.
        size_bytes: of each key.
        deadline_seconds: when it is refused.
        name_bytes: the most that its names take in a message.
        wanted: how many keys are still to be assigned.
        batches: what was assigned and is not void.
        is_open: whether an answer is still due.
    """

    ticket: Ticket
    sites: dict[str, tuple[str, ...]]
    local: tuple[str, ...]
    size_bytes: int
    deadline_seconds: float
    name_bytes: int
    wanted: int
    batches: list[Batch] = field(default_factory=list)
    is_open: bool = True

    @property
    def is_complete(self) -> bool:
        """Whether every key is held wherever it shall be."""
        return not self.wanted and all(batch.state == MasterState.READY for batch in self.batches)
