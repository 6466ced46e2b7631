"""What requests for keys ask: the data models of clauses 6.2 and 6.4, from a body or from the parameters of a GET."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from qkdpost.errors import InputError
from qkdpost.network.etsi014.exchange import RefusedRequest
from qkdpost.network.etsi014.limits import DeliveryLimits
from qkdpost.network.etsi014.strict_json import read
from qkdpost.network.names import checked_name, key_id_bytes, key_id_text

__all__ = ["KeyRequest", "read_key_ids", "read_key_request"]

_DECIMAL = re.compile(r"-?[0-9]{1,10}", re.ASCII)
Extensions = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """A request for new keys, within the limits.

    Args:
        number: of keys.
        size_bits: of each.
        additional_slaves: applications that share them, none of them twice.
        mandatory: extensions that must be understood and met.
        optional: extensions that may be ignored.
    """

    number: int
    size_bits: int
    additional_slaves: tuple[str, ...]
    mandatory: Extensions
    optional: Extensions


class _KeyRequestBody(msgspec.Struct, forbid_unknown_fields=True):
    number: int = 1
    size: int | msgspec.UnsetType = msgspec.UNSET
    additional_slave_SAE_IDs: list[str] | None = None
    extension_mandatory: Extensions | None = None
    extension_optional: Extensions | None = None


class _KeyIdEntry(msgspec.Struct, forbid_unknown_fields=True):
    key_ID: str
    key_ID_extension: dict[str, Any] | None = None


class _KeyIdsBody(msgspec.Struct, forbid_unknown_fields=True):
    key_IDs: list[_KeyIdEntry]
    key_IDs_extension: dict[str, Any] | None = None


_key_request = msgspec.json.Decoder(_KeyRequestBody)
_key_ids = msgspec.json.Decoder(_KeyIdsBody)


def read_key_request(body: bytes, parameters: tuple[tuple[str, str], ...], limits: DeliveryLimits) -> KeyRequest:
    """Return the Key request of a body, or of the parameters of a GET.

    Types are looked at first, then ranges, the count of applications, and their names; that a size is a multiple of 8
    before its range.

    Args:
        body: empty for a GET and for a POST that asks for the defaults.
        parameters: of a GET: `number` and `size` alone.
        limits: that hold.

    Raises:
        RefusedRequest: 400.
    """
    asked = read(_key_request, body) if body else _from_parameters(parameters)
    size = limits.key_size_bits if isinstance(asked.size, msgspec.UnsetType) else asked.size
    _check_ranges(asked.number, size, limits)
    return KeyRequest(
        number=asked.number,
        size_bits=size,
        additional_slaves=_checked_names(asked.additional_slave_SAE_IDs or [], limits),
        mandatory=asked.extension_mandatory or [],
        optional=asked.extension_optional or [],
    )


def read_key_ids(body: bytes, parameters: tuple[tuple[str, str], ...], limits: DeliveryLimits) -> tuple[str, ...]:
    """Return the key IDs asked for, in lower case and in order, none of them twice.

    Raises:
        RefusedRequest: 400.
    """
    if body:
        written = [entry.key_ID for entry in read(_key_ids, body).key_IDs]
    elif len(parameters) == 1 and parameters[0][0] == "key_ID":
        written = [parameters[0][1]]
    else:
        raise RefusedRequest(400, "a GET shall have the one parameter key_ID, a POST a body with key_IDs")
    if not 1 <= len(written) <= limits.most_keys:
        raise RefusedRequest(400, f"1 ... {limits.most_keys} key_IDs may be asked for; found {len(written)}")
    try:
        key_ids = tuple(key_id_text(key_id_bytes("key_ID", text)) for text in written)
    except InputError as error:
        raise RefusedRequest(400, str(error)) from None
    if len(set(key_ids)) != len(key_ids):
        raise RefusedRequest(400, "a key_ID is asked for twice")
    return key_ids


def _from_parameters(parameters: tuple[tuple[str, str], ...]) -> _KeyRequestBody:
    """Return what a GET asks. To pass over an unknown parameter might leave out an application that shares the key."""
    asked = _KeyRequestBody()
    for name, value in parameters:
        if name not in ("number", "size"):
            raise RefusedRequest(400, "a GET may have the parameters number and size; all else goes by POST")
        if not _DECIMAL.fullmatch(value):
            raise RefusedRequest(400, f"{name} shall be an integer")
        setattr(asked, name, int(value))
    return asked


def _check_ranges(number: int, size: int, limits: DeliveryLimits) -> None:
    if not 1 <= number <= limits.most_keys:
        raise RefusedRequest(400, f"number shall be 1 ... {limits.most_keys}, which is max_key_per_request")
    if size % 8:
        raise RefusedRequest(400, "size shall be a multiple of 8")
    if not limits.shortest_key_bits <= size <= limits.longest_key_bits:
        raise RefusedRequest(
            400, f"size shall be {limits.shortest_key_bits} ... {limits.longest_key_bits}: min_key_size, max_key_size"
        )


def _checked_names(names: list[str], limits: DeliveryLimits) -> tuple[str, ...]:
    if len(names) > limits.most_additional_slaves:
        raise RefusedRequest(
            400, f"at most {limits.most_additional_slaves} additional_slave_SAE_IDs, which is max_SAE_ID_count"
        )
    try:
        checked = tuple(checked_name("additional_slave_SAE_IDs", name) for name in names)
    except InputError as error:
        raise RefusedRequest(400, str(error)) from None
    return checked
