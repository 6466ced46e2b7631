"""Arguments of tasks as plain values: what a task is known by, and what a line of a results file shows."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from qkdpost.checks import described
from qkdpost.errors import InputError

__all__ = ["Plain", "canonical_json", "digest_of", "module_name", "plain_value"]

Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None
"""What JSON can say."""

MAX_DEPTH = 32
_SCRIPTS = ("__main__", "__mp_main__")
"""The names of a script's module, here and in a process that was spawned."""


def plain_value(name: str, value: object, depth: int = 0) -> Plain:
    """Return a value as JSON can say it, without loss.

    A settings object - a dataclass or a struct, such as a `LinkConfig` or a link of `planning` - becomes a dict of its
    fields with its class under "type". Paths become text, tuples lists.

    Args:
        name: of the value, for the message.
        value: the value.
        depth: how deep it lies.

    Raises:
        InputError: there is no such form: arrays, sets, objects of other classes, numbers that are not finite.
    """
    if depth > MAX_DEPTH:
        raise InputError(f"{name} must be nested at most {MAX_DEPTH} deep")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"{name} must be finite; found {value}")
        return value
    if isinstance(value, os.PathLike):
        return plain_value(name, os.fspath(value), depth)
    if isinstance(value, list | tuple):
        return [plain_value(f"{name}[{place}]", entry, depth + 1) for place, entry in enumerate(value)]
    return {key: plain_value(f"{name}.{key}", entry, depth + 1) for key, entry in _fields(name, value).items()}


def _fields(name: str, value: object) -> dict[str, object]:
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise InputError(f"{name} must have text for keys")
        return dict(value)
    kind = {"type": f"{module_name(type(value).__module__)}.{type(value).__qualname__}"}
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        kind |= {} if tag is None else {"tag": str(tag)}
        return kind | {field: getattr(value, field) for field in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return kind | {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise InputError(
        f"{name} must be made of numbers, text, lists, mappings and settings objects; found {described(value)}. Name "
        "large data by the path of a file"
    )


def module_name(module: str) -> str:
    """Return the name by which a module is known in every process: of a script, the name of its file."""
    if module not in _SCRIPTS:
        return module
    return Path(getattr(sys.modules["__main__"], "__file__", None) or module).stem


def canonical_json(value: Plain) -> str:
    """Return the one JSON text of a plain value: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(text: str, *, purpose: bytes, count: int = 16) -> bytes:
    """Return `count` bytes that stand for a text; another `purpose` gives others."""
    return hashlib.blake2b(text.encode(), digest_size=count, person=purpose).digest()
