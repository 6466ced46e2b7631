"""An application's side of ETSI GS QKD 014: what it sends, and what it gets, without a socket.

Each query builds its request and reads the answer to it, which it compares with what was asked::

    query = KeyQuery(slave="SAE-B", number=2, size_bits=256)
    request = query.request()                                  # send request.method, request.target, request.body
    keys = query.read(response.status, response.body)          # tuple of DeliveredKey

Requests for keys go by POST unless told otherwise: HTTP clients and proxies repeat a GET on their own when a connection
dies, and each GET consumes a key. What other key managers are known to write differently is read as it is meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args
from urllib.parse import quote

import msgspec

from qkdpost.checks import choice, keep, listed, whole_number
from qkdpost.errors import (
    InputError,
    KeyNotFound,
    NotAuthorised,
    NotEnoughKey,
    PeerUnavailable,
    QkdpostError,
    RemoteProtocolError,
    UnsupportedRequest,
)
from qkdpost.network.etsi014.answers import Status
from qkdpost.network.etsi014.exchange import MISSING_KEYS, Request
from qkdpost.network.events import DeliveredKey
from qkdpost.network.names import checked_name, key_id_bytes, key_id_text

__all__ = ["MAX_ANSWER_BYTES", "FetchQuery", "KeyQuery", "StatusQuery"]

MAX_ANSWER_BYTES = 2**20
"""Longer answers are refused; a driver need not read on."""
Method = Literal["GET", "POST"]

_MAX_KEYS = 1024
_MAX_KEY_BITS = 2**16
_MESSAGE_CHARACTERS = 200


class _Key(msgspec.Struct):
    key_ID: str
    key: bytearray
    key_extension: dict[str, Any] | None = None


class _Container(msgspec.Struct):
    """Table 11 of the specification writes `Keys`, its example `keys`; both are in use."""

    keys: list[_Key] = []
    Keys: list[_Key] = []


class _Error(msgspec.Struct):
    message: str = ""
    details: Any = None


_container = msgspec.json.Decoder(_Container)
_error = msgspec.json.Decoder(_Error)
_status = msgspec.json.Decoder(Status)
_encode = msgspec.json.Encoder().encode


class StatusQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question how much key there is to share with another application.

    Args:
        slave: the other application.

    Raises:
        InputError: no name.

    >>> StatusQuery(slave="SAE B").request().target
    '/api/v1/keys/SAE%20B/status'
    """

    slave: str

    def __post_init__(self) -> None:
        keep(self, "slave", checked_name("slave", self.slave))

    def request(self) -> Request:
        """Return what to send."""
        return Request(method="GET", target=_target(self.slave, "status"))

    def read(self, status: int, body: bytes | bytearray) -> Status:
        """Return what the key manager tells.

        Raises:
            NotAuthorised, UnsupportedRequest, PeerUnavailable: it refused.
            RemoteProtocolError: its answer is none of the specification's.
        """
        _check_answer(status, body, KeyNotFound, PeerUnavailable)
        try:
            return _status.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RemoteProtocolError(f"the key manager told no status: {_quoted(str(error))}") from None


class KeyQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for new keys, of which the caller is the master.

    Args:
        slave: the application that shares them.
        number: of keys.
        size_bits: of each, a multiple of 8; None for the key manager's own size.
        additional_slaves: more applications that share them.
        mandatory: extensions that must be met, by name.
        optional: extensions that may be ignored, by name.
        method: "POST", or "GET" for key managers that know no other; a GET carries number and size alone.

    Raises:
        InputError: a value out of range, or more than a GET can carry.

    >>> KeyQuery(slave="SAE-B", size_bits=512).request().body
    b'{"number":1,"size":512}'
    """

    slave: str
    number: int = 1
    size_bits: int | None = None
    additional_slaves: Sequence[str] = ()
    mandatory: Mapping[str, Any] = {}
    optional: Mapping[str, Any] = {}
    method: Method = "POST"

    def __post_init__(self) -> None:
        keep(self, "slave", checked_name("slave", self.slave))
        keep(self, "number", whole_number("number", self.number, least=1, most=_MAX_KEYS))
        if self.size_bits is not None:
            size = whole_number("size_bits", self.size_bits, least=8, most=_MAX_KEY_BITS)
            if size % 8:
                raise InputError(f"size_bits must be a multiple of 8; found {size}")
            keep(self, "size_bits", size)
        names = listed("additional_slaves", self.additional_slaves, "names")
        keep(self, "additional_slaves", tuple(checked_name("additional_slaves", name) for name in names))
        keep(self, "method", choice("method", self.method, get_args(Method)))
        if self.method == "GET" and (self.additional_slaves or self.mandatory or self.optional):
            raise InputError("a GET carries number and size_bits alone; use method='POST'")

    def request(self) -> Request:
        """Return what to send."""
        target = _target(self.slave, "enc_keys")
        asked: dict[str, Any] = {"number": self.number}
        if self.size_bits is not None:
            asked["size"] = self.size_bits
        if self.method == "GET":
            return Request(method="GET", target=f"{target}?{'&'.join(f'{name}={asked[name]}' for name in asked)}")
        if self.additional_slaves:
            asked["additional_slave_SAE_IDs"] = self.additional_slaves
        if self.mandatory:
            asked["extension_mandatory"] = [{name: value} for name, value in self.mandatory.items()]
        if self.optional:
            asked["extension_optional"] = [{name: value} for name, value in self.optional.items()]
        return Request(method="POST", target=target, body=_encode(asked))

    def read(self, status: int, body: bytes | bytearray) -> tuple[DeliveredKey, ...]:
        """Return the keys of an answer, which may be fewer than asked for: some key managers give what they have.

        Raises:
            NotEnoughKey, NotAuthorised, UnsupportedRequest, PeerUnavailable: the key manager refused.
            RemoteProtocolError: its answer is none of the specification's, or not to this question.
        """
        _check_answer(status, body, PeerUnavailable, NotEnoughKey)
        keys = _read_keys(body)
        if not keys:
            raise NotEnoughKey("the key manager gave no key")
        if len(keys) > self.number:
            raise RemoteProtocolError(f"{self.number} keys were asked for, and {len(keys)} came")
        if self.size_bits is not None and any(8 * len(key.key) != self.size_bits for key in keys):
            raise RemoteProtocolError(f"a key came that has not the {self.size_bits} bits that were asked for")
        return keys


class FetchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request for keys that another application got, by their IDs.

    Args:
        master: the application that got them.
        key_ids: UUIDs, none of them twice.
        method: "POST", or "GET" for one key ID alone.

    Raises:
        InputError: no names or IDs, or more than a GET can carry.

    >>> FetchQuery(master="SAE-A", key_ids=["bc490419-7d60-487f-adc1-4ddcc177c139"]).request().body
    b'{"key_IDs":[{"key_ID":"bc490419-7d60-487f-adc1-4ddcc177c139"}]}'
    """

    master: str
    key_ids: Sequence[str]
    method: Method = "POST"

    def __post_init__(self) -> None:
        keep(self, "master", checked_name("master", self.master))
        written = listed("key_ids", self.key_ids, "UUIDs")
        key_ids = tuple(key_id_text(key_id_bytes("key_ids", key_id)) for key_id in written)
        if not 1 <= len(key_ids) <= _MAX_KEYS or len(set(key_ids)) != len(key_ids):
            raise InputError(f"key_ids must be 1 ... {_MAX_KEYS} UUIDs, each once; found {len(key_ids)}")
        keep(self, "key_ids", key_ids)
        keep(self, "method", choice("method", self.method, get_args(Method)))
        if self.method == "GET" and len(key_ids) > 1:
            raise InputError("a GET carries one key ID alone; use method='POST'")

    def request(self) -> Request:
        """Return what to send."""
        target = _target(self.master, "dec_keys")
        if self.method == "GET":
            return Request(method="GET", target=f"{target}?key_ID={self.key_ids[0]}")
        asked = {"key_IDs": [{"key_ID": key_id} for key_id in self.key_ids]}
        return Request(method="POST", target=target, body=_encode(asked))

    def read(self, status: int, body: bytes | bytearray) -> tuple[DeliveredKey, ...]:
        """Return the keys, in the order in which they were asked for.

        Raises:
            KeyNotFound, NotAuthorised, UnsupportedRequest, PeerUnavailable: the key manager refused.
            RemoteProtocolError: its answer is none of the specification's, or not to this question.
        """
        _check_answer(status, body, KeyNotFound, PeerUnavailable)
        found = {key.key_id: key for key in _read_keys(body)}
        if set(found) != set(self.key_ids):
            raise RemoteProtocolError("the key manager gave other keys than those that were asked for")
        return tuple(found[key_id] for key_id in self.key_ids)


def _target(application: str, operation: str) -> str:
    return f"/api/v1/keys/{quote(application, safe='')}/{operation}"


def _check_answer(
    status: int, body: bytes | bytearray, missing: type[QkdpostError], unavailable: type[QkdpostError]
) -> None:
    """Raise what another status than 200 means; `missing` for 404, which the text has not but some send."""
    if len(body) > MAX_ANSWER_BYTES:
        raise RemoteProtocolError(f"an answer may have {MAX_ANSWER_BYTES} bytes; found {len(body)}")
    if status == 200:
        return
    message = _message(body)
    if status == 400 and message.lower() == MISSING_KEYS.lower():
        raise KeyNotFound(f"the key manager answered: {message}")
    classes: dict[int, type[QkdpostError]]
    classes = {400: UnsupportedRequest, 401: NotAuthorised, 404: missing, 503: unavailable}
    raise classes.get(status, RemoteProtocolError)(f"the key manager answered {status}: {message}")


def _message(body: bytes | bytearray) -> str:
    """Return the message of an Error; a 401 has none by the text, and some answer in HTML."""
    try:
        return _quoted(_error.decode(body).message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return "(no message)"


def _quoted(text: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in text[:_MESSAGE_CHARACTERS])
    return shown if len(text) <= _MESSAGE_CHARACTERS else f"{shown}..."


def _read_keys(body: bytes | bytearray) -> tuple[DeliveredKey, ...]:
    try:
        container = _container.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # The reader's own words are left out: what it could not read may be key.
        raise RemoteProtocolError("the key manager gave no key container") from None
    keys = tuple(_checked_key(key) for key in (*container.keys, *container.Keys))
    if len({key.key_id for key in keys}) != len(keys):
        raise RemoteProtocolError("the key manager gave two keys of one ID")
    return keys


def _checked_key(key: _Key) -> DeliveredKey:
    key_id = key_id_text(key_id_bytes("key_ID", key.key_ID, error=RemoteProtocolError))
    if not 1 <= 8 * len(key.key) <= _MAX_KEY_BITS:
        raise RemoteProtocolError(f"a key came of {8 * len(key.key)} bits")
    return DeliveredKey(key_id=key_id, key=key.key, extension=key.key_extension or {})
