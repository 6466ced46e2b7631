"""Bodies of answers: the data models of clauses 6.1, 6.3 and 6.5.

A body with keys is written into one bytearray, from the bytearrays that hold the keys and without a copy between, so
that overwriting it erases what the library held. What TLS and the operating system copied is beyond its reach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from qkdpost.network.etsi014.exchange import RefusedRequest, Response
from qkdpost.network.events import DeliveredKey

__all__ = ["Status", "error_answer", "key_answer", "status_answer"]

_HEADERS = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
_CONTAINER_BYTES = 64
_ENTRY_BYTES = 96

_encoder = msgspec.json.Encoder()


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What `status` tells; names are the specification's, sizes in bits.

    >>> from qkdpost.network import etsi014
    >>> status = etsi014.Status(
    ...     source_KME_ID="north", target_KME_ID="south", master_SAE_ID="SAE-A", slave_SAE_ID="SAE-B", key_size=256,
    ...     stored_key_count=8, max_key_count=1000, max_key_per_request=128, max_key_size=4096, min_key_size=64,
    ...     max_SAE_ID_count=2,
    ... )
    >>> status.stored_key_count
    8
    """

    source_KME_ID: str
    target_KME_ID: str
    master_SAE_ID: str
    slave_SAE_ID: str
    key_size: int
    stored_key_count: int
    max_key_count: int
    max_key_per_request: int
    max_key_size: int
    min_key_size: int
    max_SAE_ID_count: int


class _Key(msgspec.Struct, omit_defaults=True):
    key_ID: str
    key: bytearray
    key_extension: msgspec.Raw | None = None


class _Container(msgspec.Struct):
    keys: list[_Key]


class _Error(msgspec.Struct, omit_defaults=True):
    message: str
    details: list[Mapping[str, Any]] = []


def status_answer(status: Status) -> Response:
    """Return the answer to `status`."""
    return Response(200, bytearray(_encoder.encode(status)), _HEADERS)


def key_answer(keys: Sequence[DeliveredKey]) -> Response:
    """Return the answer that hands out keys.

    Args:
        keys: in the order in which they are to stand. Secret; the caller overwrites them.
    """
    entries, body_bytes = _entries(keys)
    # Long enough at once: a bytearray that grows may leave a copy behind.
    body = bytearray(_CONTAINER_BYTES + body_bytes)
    _encoder.encode_into(_Container(entries), body, 0)
    return Response(200, body, _HEADERS)


def _entries(keys: Sequence[DeliveredKey]) -> tuple[list[_Key], int]:
    """Return the entries of keys, and the most that they take; what keys in a row share is written once."""
    entries: list[_Key] = []
    extension: Mapping[str, Any] | None = None
    raw: msgspec.Raw | None = None
    most = extension_bytes = 0
    for key in keys:
        if key.extension is not extension:
            extension = key.extension
            raw = msgspec.Raw(_encoder.encode(dict(extension))) if extension else None
            extension_bytes = len(raw) if raw is not None else 0
        entries.append(_Key(key.key_id, key.key, raw))
        most += _ENTRY_BYTES + 2 * len(key.key) + extension_bytes
    return entries, most


def error_answer(refused: RefusedRequest) -> Response:
    """Return the Error that a refusal is answered by; 401 has one too, for clients read JSON from every answer."""
    headers = (("Allow", refused.allow), *_HEADERS) if refused.allow else _HEADERS
    return Response(refused.status, bytearray(_encoder.encode(_Error(refused.message, refused.details))), headers)
