"""Key of other vendors' links, which comes in through the delivery interface of their key managers at both ends.

To the vendor our key manager is an application. At one end it asks for new keys (`ForeignSource`), and tells the other
end their IDs; there it fetches the same keys (`ForeignCopy`). Some hundred keys become one segment, named after their
IDs, in the order of these. No socket here: the host sends what `request` returns to the vendor's key manager, and the
batch, which is public, to the other end by any way::

    source = ForeignSource("vendor-x", Etsi014Interface(application="KM-B", size_bits=256))
    while (request := source.request()) is not None:
        source.receive(*send(request))                      # status and body of the answer
    manager.add_key("kbh-3", **source.take_key(epsilon_per_key=1e-9))
    tell_other_end(source.batch())

    copy = ForeignCopy(batch, "vendor-x", Etsi014Interface(application="KM-A", size_bits=256))
    ...                                                     # the same with `copy`

Who alters the batch on its way makes the two segments differ, or have different names: the check of segments finds
that, and they are not used. How secret the keys are is what the operator states, after the vendor: it is marked so in
everything that is made of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Protocol

from qkdpost.checks import real_number, whole_number
from qkdpost.errors import InputError, LocalProtocolError, RemoteProtocolError
from qkdpost.network.etsi014.client import FetchQuery, KeyQuery
from qkdpost.network.etsi014.exchange import Request
from qkdpost.network.events import DeliveredKey
from qkdpost.network.names import checked_name, key_id_bytes, key_id_text
from qkdpost.network.provenance import checked_link
from qkdpost.single_use import SingleUse

__all__ = ["Etsi014Interface", "ForeignCopy", "ForeignSource", "VendorInterface", "VendorQuery"]

KEYS_PER_REQUEST = 128
LEAST_SEGMENT_BYTES = 1024
MOST_SEGMENT_BYTES = 2**20
_ID_BYTES = 16


class VendorQuery(Protocol):
    """One request to a vendor's key manager, and how its answer is read."""

    def request(self) -> Request:
        """Return what to send."""

    def read(self, status: int, body: bytes | bytearray) -> tuple[DeliveredKey, ...]:
        """Return the keys of the answer, or raise what it refuses with."""


class VendorInterface(Protocol):
    """What a vendor's key manager is asked; `Etsi014Interface`, or anything with the same calls.

    >>> from qkdpost import network
    >>> vendor: network.VendorInterface = network.Etsi014Interface(application="SAE-B", size_bits=256)
    >>> vendor.new_keys(2).request().method
    'POST'
    """

    def new_keys(self, number: int) -> VendorQuery:
        """Return a request for so many new keys."""

    def keys_of(self, key_ids: Sequence[str]) -> VendorQuery:
        """Return a request for the keys of these IDs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Etsi014Interface:
    """A vendor's key manager that speaks ETSI GS QKD 014.

    Args:
        application: the name by which the vendor knows our key manager at the other end.
        size_bits: of each key, a multiple of 8.

    Raises:
        InputError: no name, or no such size.

    >>> from qkdpost import network
    >>> isinstance(network.Etsi014Interface(application="SAE-A", size_bits=256), network.Etsi014Interface)
    True
    """

    application: str
    size_bits: int = 256

    def __post_init__(self) -> None:
        self.new_keys(1)

    def new_keys(self, number: int) -> VendorQuery:
        """Return a request for so many new keys."""
        return KeyQuery(slave=self.application, number=number, size_bits=self.size_bits)

    def keys_of(self, key_ids: Sequence[str]) -> VendorQuery:
        """Return a request for the keys of these IDs."""
        return FetchQuery(master=self.application, key_ids=key_ids)


class _Collection(SingleUse, ABC):
    """Keys that come in by and by. Secret."""

    instead = "make another one for the next batch"

    def __init__(self, link: str, vendor: VendorInterface) -> None:
        self._link = checked_link(link)
        self._vendor = vendor
        self._asked: VendorQuery | None = None
        self._key_ids: list[str] = []
        self._content = bytearray()
        self._is_taken = False

    @abstractmethod
    def _next_query(self) -> VendorQuery | None:
        """Return what to ask next; None when the batch is complete."""

    def request(self) -> Request | None:
        """Return what to send to the vendor's key manager next; None when the batch is complete.

        Raises:
            LocalProtocolError: the answer to the last one is still due.
        """
        if self._asked is not None:
            raise LocalProtocolError("an answer is due: hand it to receive(), or call failed() if none will come")
        self._asked = self._next_query()
        return None if self._asked is None else self._asked.request()

    def receive(self, status: int, body: bytes | bytearray) -> None:
        """Take the answer to the last request; a bytearray is for the caller to overwrite.

        Raises:
            LocalProtocolError: nothing was asked.
            NotEnoughKey, KeyNotFound, NotAuthorised, UnsupportedRequest, PeerUnavailable: the vendor's key manager
                refused; the next `request` asks again.
            RemoteProtocolError: its answer is none, or gives keys that were given before.
        """
        asked, self._asked = self._asked, None
        if asked is None:
            raise LocalProtocolError("nothing was asked: call request() first")
        keys = asked.read(status, body)
        names = [key.key_id for key in keys]
        if set(names) & set(self._key_ids) or len(set(names)) < len(names):
            raise RemoteProtocolError("the key manager gave a key that it had given before: it hands out keys twice")
        for key in keys:
            self._content += key.key
            key.erase()
        self._key_ids += names

    def failed(self) -> None:
        """Forget the last request, whose answer never came; its keys, if it took any, are lost."""
        self._asked = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing more is to be asked."""
        return self._asked is None and self._next_query() is None

    @property
    def identifier(self) -> bytes:
        """The name of the segment: BLAKE2b-128, personalised "qkdpost foreign", over the link's name and all IDs."""
        digest = blake2b(digest_size=16, person=b"qkdpost foreign")
        link = self._link.encode()
        digest.update(bytes([len(link)]) + link)
        for key_id in self._key_ids:
            digest.update(key_id_bytes("key_id", key_id))
        return digest.digest()

    def take_key(self, *, kind: str = "foreign", epsilon_per_key: float) -> dict[str, Any]:
        """Return the arguments of `KeyManager.add_key` for the batch, once. Secret.

        Args:
            kind: of the device, for what is said of keys.
            epsilon_per_key: how far from ideal each key of the vendor is, as the operator states. They add up.

        Raises:
            InputError: no number, or no name.
            LocalProtocolError: the batch is not complete, or was taken.
        """
        each = real_number("epsilon_per_key", epsilon_per_key, least=0.0, below=1.0)
        if self._is_taken or not self.is_complete:
            raise LocalProtocolError("a batch is taken once, when it is complete")
        self._is_taken = True
        content, self._content = self._content, bytearray()
        total = math.nextafter(each * len(self._key_ids), math.inf) if each else 0.0
        return {
            "key": content,
            "kind": checked_name("kind", kind),
            "link": self._link,
            "identifier": self.identifier,
            "epsilon": min(total, math.nextafter(1.0, 0.0)),
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}(link={self._link!r}, keys={len(self._key_ids)})"


class ForeignSource(_Collection):
    """Asks a vendor's key manager for new keys until a segment is full.

    Args:
        link: the name of the vendor's link, the same at both ends.
        vendor: how to ask.
        segment_bytes: how much to collect.

    Raises:
        InputError: an argument of another kind, or out of range.

    >>> from qkdpost import network
    >>> source = network.ForeignSource("north|south", network.Etsi014Interface(application="SAE-A"), segment_bytes=4096)
    >>> isinstance(source, network.ForeignSource)
    True
    """

    def __init__(self, link: str, vendor: VendorInterface, *, segment_bytes: int = 16 * 1024) -> None:
        super().__init__(link, vendor)
        self._wanted = whole_number("segment_bytes", segment_bytes, least=LEAST_SEGMENT_BYTES, most=MOST_SEGMENT_BYTES)

    def _next_query(self) -> VendorQuery | None:
        missing = self._wanted - len(self._content)
        if missing <= 0 or self._is_taken:
            return None
        size = len(self._content) // len(self._key_ids) if self._key_ids else 0
        number = min(KEYS_PER_REQUEST, -(-missing // size)) if size else 1  # the first key shows how long they are
        return self._vendor.new_keys(number)

    def batch(self) -> bytes:
        """Return what the other end must know, public: the IDs in order.

        Raises:
            LocalProtocolError: the batch is not complete.
        """
        if not self.is_complete:
            raise LocalProtocolError("the batch is not complete: go on with request() and receive()")
        return b"".join(key_id_bytes("key_id", key_id) for key_id in self._key_ids)


class ForeignCopy(_Collection):
    """Fetches the keys of a batch at the other end of a vendor's link.

    Args:
        batch: what the other end's `ForeignSource.batch` returned.
        link: the name of the vendor's link.
        vendor: how to ask.

    Raises:
        RemoteProtocolError: these bytes are no batch.
        InputError: another argument is none.

    >>> from qkdpost import network
    >>> copy = network.ForeignCopy(bytes(range(32)), "north|south", network.Etsi014Interface(application="SAE-B"))
    >>> isinstance(copy, network.ForeignCopy)
    True
    """

    def __init__(self, batch: bytes, link: str, vendor: VendorInterface) -> None:
        super().__init__(link, vendor)
        if not isinstance(batch, bytes | bytearray | memoryview):
            raise InputError(f"batch must be bytes; found a {type(batch).__name__}")
        content = bytes(batch)
        count, rest = divmod(len(content), _ID_BYTES)
        ids = [content[place : place + _ID_BYTES] for place in range(0, len(content), _ID_BYTES)]
        if rest or not 1 <= count <= MOST_SEGMENT_BYTES // 8 or len(set(ids)) < count:
            raise RemoteProtocolError("the other end sent no batch of key IDs")
        self._missing = [key_id_text(key_id) for key_id in ids]

    def _next_query(self) -> VendorQuery | None:
        missing = self._missing[len(self._key_ids) :][:KEYS_PER_REQUEST]
        return self._vendor.keys_of(missing) if missing else None
