"""The target of a request: whose key, which operation, which parameters (clause 5, RFC 3986)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote_to_bytes

from qkdpost.errors import InputError
from qkdpost.network.etsi014.exchange import RefusedRequest
from qkdpost.network.names import checked_name

__all__ = ["METHODS", "Operation", "Target", "read_target"]

Operation = Literal["status", "enc_keys", "dec_keys"]
METHODS: dict[Operation, tuple[str, ...]] = {
    "status": ("GET",),
    "enc_keys": ("GET", "POST"),
    "dec_keys": ("GET", "POST"),
}
"""HEAD is not among them: it would have to do what GET does, which is to consume a key."""

_PREFIX = ["", "api", "v1", "keys"]
_PLAIN = re.compile(r"(?:[!-$&-~]|%[0-9A-Fa-f]{2})*", re.ASCII)
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Target:
    """What a path and its query say.

    Args:
        application: the other SAE: the slave of `status` and `enc_keys`, the master of `dec_keys`.
        operation: what is asked.
        parameters: names and values of the query, in order.
    """

    application: str
    operation: Operation
    parameters: tuple[tuple[str, str], ...]


def read_target(text: str) -> Target:
    """Return what a target says.

    Raises:
        RefusedRequest: 404 for any other path, 400 for one that is not written as RFC 3986 has it, for a blank name,
            and for a parameter that is named twice.
    """
    path, _, query = text.partition("?")
    application, operation = _read_path(path)
    return Target(application, operation, _read_query(query))


@lru_cache(maxsize=1024)
def _read_path(path: str) -> tuple[str, Operation]:
    absolute = _ABSOLUTE.match(path)
    parts = path[absolute.end() :].split("/") if absolute else path.split("/")
    if len(parts) != 6 or parts[:4] != _PREFIX or parts[5] not in METHODS:
        raise RefusedRequest(404, "no such resource: the paths are /api/v1/keys/{SAE_ID}/status, enc_keys, dec_keys")
    try:
        name = checked_name("the SAE ID in the path", _decoded(parts[4]))
    except InputError as error:
        raise RefusedRequest(400, str(error)) from None
    return name, parts[5]


def _read_query(query: str) -> tuple[tuple[str, str], ...]:
    if not query:
        return ()
    parameters = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        parameters.append((_decoded(name), _decoded(value)))
    if len({name for name, _ in parameters}) != len(parameters):
        raise RefusedRequest(400, "each parameter shall be given once")
    return tuple(parameters)


def _decoded(text: str) -> str:
    if not _PLAIN.fullmatch(text):
        raise RefusedRequest(400, "the URL shall be percent-encoded (RFC 3986)")
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise RefusedRequest(400, "the percent-encoded bytes of the URL shall be UTF-8") from None
