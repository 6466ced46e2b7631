"""A link's configuration as nested plain values, and these as JSON and TOML text."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from qkdpost.blocks import Blocks
from qkdpost.checks import described, instance
from qkdpost.errors import ConfigurationError
from qkdpost.health.limits import RecordLimits
from qkdpost.protocols.protocol import ProtocolSettings
from qkdpost.protocols.table import PROTOCOLS
from qkdpost.reconciliation.method import METHODS
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.security.settings import Security

__all__ = ["decoded", "plain", "read_json", "read_toml", "write_json", "write_toml"]

NONE = "none"
"""What stands for None in TOML, which has no word for it."""


def plain(value: object) -> object:
    """Return settings as plain values: a dict for each struct, with its tag, and a list for each tuple."""
    return _lists(msgspec.to_builtins(value))


def _lists(value: object) -> object:
    if isinstance(value, dict):
        return {name: _lists(entry) for name, entry in value.items()}
    return [_lists(entry) for entry in value] if isinstance(value, tuple | list) else value


def decoded(content: object) -> dict[str, Any]:
    """Return the parts of a link that a nested mapping describes, each checked by itself.

    Raises:
        ConfigurationError: a part or field is unknown, missing or of another type; the path says which.
    """
    parts = _mapping("the configuration", content)
    unknown = parts.keys() - _PARTS.keys()
    if unknown:
        name = min(unknown, key=str)
        raise ConfigurationError(f"a link has the parts {', '.join(_PARTS)}; found {described(name)}{_home(name)}")
    if "protocol" not in parts:
        raise ConfigurationError("protocol is missing: it names the kind of QKD, as {'kind': 'bb84'}")
    protocol = _protocol(parts["protocol"])
    return {name: protocol if name == "protocol" else _PARTS[name](value, protocol) for name, value in parts.items()}


def _home(name: object) -> str:
    """Say to which part a name belongs that stands outside of all."""
    kinds, methods = [row.settings for row in PROTOCOLS.values()], [row.settings for row in METHODS.values()]
    homes = [
        part
        for part, tag, owners in (
            ("protocol", "kind", kinds),
            ("correction", "method", methods),
            ("security", None, [Security]),
            ("blocks", None, [Blocks]),
            ("record_limits", None, [RecordLimits]),
        )
        if name == tag or any(name in owner.__struct_fields__ for owner in owners)
    ]
    return f", which is a field of {' or '.join(homes)}" if homes else ""


def _protocol(content: object) -> ProtocolSettings:
    fields = _mapping("protocol", content)
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in PROTOCOLS:
        raise ConfigurationError(f"protocol.kind must be one of {', '.join(PROTOCOLS)}; found {described(kind)}")
    settings: ProtocolSettings = _convert("protocol", fields, PROTOCOLS[kind].settings)
    return settings


def _correction(content: object) -> CorrectionSettings:
    fields = _mapping("correction", content)
    method = fields.get("method")
    if not isinstance(method, str) or method not in METHODS:
        raise ConfigurationError(f"correction.method must be one of {', '.join(METHODS)}; found {described(method)}")
    settings: CorrectionSettings = _convert("correction", fields, METHODS[method].settings)
    return settings


def _security(content: object, protocol: ProtocolSettings) -> Security:
    """Decode what is asked of the key; of which type the thresholds are, the kind says for each bound."""
    fields = dict(_mapping("security", content))
    acceptance = fields.pop("acceptance", None)
    if acceptance is None:
        return _decoded_security(fields)
    bound = fields.get("bound")
    thresholds = PROTOCOLS[protocol.kind].fixed_length.get(bound) if isinstance(bound, str) else None
    if thresholds is None:
        raise ConfigurationError(
            f"security.acceptance is for the fixed-length bounds of kind {protocol.kind!r}, which are "
            f"{', '.join(PROTOCOLS[protocol.kind].fixed_length) or 'none'}; found bound {described(bound)}"
        )
    held = _convert("security.acceptance", acceptance, thresholds)
    return msgspec.structs.replace(_decoded_security(fields), acceptance=held)


def _decoded_security(fields: Mapping[str, object]) -> Security:
    security: Security = _convert("security", fields, Security)
    return security


def _part(name: str, kind: Any) -> Callable[[object, ProtocolSettings], Any]:
    return lambda content, protocol: _convert(name, content, kind)


_PARTS: dict[str, Callable[[object, ProtocolSettings], Any]] = {
    "protocol": _part("protocol", ProtocolSettings),
    "correction": lambda content, protocol: _correction(content),
    "security": _security,
    "blocks": _part("blocks", Blocks),
    "record_limits": _part("record_limits", RecordLimits),
}


def _mapping(path: str, content: object) -> Mapping[str, object]:
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"{path} must be a mapping of fields; found {described(content)}")
    return content


def _convert(path: str, content: object, kind: Any) -> Any:
    try:
        return msgspec.convert(dict(_mapping(path, content)), kind)
    except msgspec.ValidationError as error:
        text, _, place = str(error).replace("`object", "`mapping").partition(" - at `$")
        place = place.rstrip("`")
        offered = _choices(kind, place, unknown_field="unknown field" in text)
        hint = "; write a whole number without point or exponent" if "`int`, got `float`" in text else ""
        raise ConfigurationError(f"{path}{place}: {text}{offered}{hint}") from None


def _choices(kind: Any, place: str, *, unknown_field: bool) -> str:
    """Say what is offered at a place of a struct: its fields, or the values where only some are."""
    offered = kind
    for name in re.findall(r"\w+", place):
        inside = [part for part in (offered, *get_args(offered)) if hasattr(part, "__struct_fields__")]
        offered = get_type_hints(inside[0]).get(name) if inside else None
    if unknown_field:
        inside = [part for part in (offered, *get_args(offered)) if hasattr(part, "__struct_fields__")]
        return f"; its fields are {', '.join(inside[0].__struct_fields__)}" if inside else ""
    names = get_args(offered) if get_origin(offered) is Literal else ()
    return f"; it must be one of {', '.join(map(str, names))}" if names else ""


def read_json(text: str | bytes) -> Mapping[str, object]:
    """Return what a JSON text holds.

    Raises:
        ConfigurationError: it is no JSON, or no object; or an object has a name twice.
    """
    try:
        content = msgspec.json.decode(text)
        json.loads(text, object_pairs_hook=_each_name_once)
    except (msgspec.DecodeError, ValueError, RecursionError, TypeError) as error:
        raise ConfigurationError(f"a configuration in JSON cannot be read: {error}") from None
    return _mapping("the configuration", content)


def _each_name_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the pairs as a dict; of two values under one name a reader may have seen the other."""
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the name {described(twice)} twice")
    return content


def write_json(content: Mapping[str, object]) -> str:
    """Return nested plain values as JSON text."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_toml(text: str) -> Mapping[str, object]:
    """Return what a TOML text holds, with None for "none".

    Raises:
        ConfigurationError: it is no TOML.
    """
    instance("a configuration in TOML", text, str, hint="Hand over the text of the file", error=ConfigurationError)
    try:
        content = tomllib.loads(text)
        return {name: _without_none(value) for name, value in content.items()}
    except (ValueError, RecursionError, TypeError, AttributeError) as error:  # a number too long is a ValueError
        raise ConfigurationError(f"a configuration in TOML cannot be read: {error}") from None


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_none(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_without_none(entry) for entry in value]
    return None if value == NONE else value


def write_toml(content: Mapping[str, object]) -> str:
    """Return nested plain values as TOML text: a table for each mapping, "none" for None.

    Raises:
        ConfigurationError: a text is "none", which would be read as None.
    """
    return "\n".join(_tables("", content)).lstrip("\n") + "\n"


def _tables(path: str, content: Mapping[str, object]) -> list[str]:
    inner = {name: value for name, value in content.items() if isinstance(value, Mapping)}
    lines = ["", f"[{path}]"] if path else []
    lines += [f"{name} = {_in_toml(value)}" for name, value in content.items() if name not in inner]
    for name, value in inner.items():
        lines += _tables(f"{path}.{name}" if path else name, value)
    return lines


def _in_toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_in_toml, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value == NONE:
        raise ConfigurationError(f"TOML cannot hold the text {NONE!r}, which stands for None; use JSON")
    return json.dumps(NONE if value is None else value, ensure_ascii=False, allow_nan=False)
