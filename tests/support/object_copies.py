"""Copies and fingerprints of objects that refuse to be copied, for good reasons that no search of states has."""

from __future__ import annotations

from collections import deque
from enum import Enum
from functools import cache
from operator import itemgetter
from types import FunctionType, MethodType
from typing import Any

import msgspec

from qkdpost.network.peer.tags import Tagger
from qkdpost.network.pool.settings import PoolSettings
from qkdpost.network.store import MemoryStore

__all__ = ["cloned", "frozen", "frozen_rows"]

_PLAIN = frozenset((str, bytes, int, float, bool, type(None)))
_AS_THEY_ARE = (
    str,
    bytes,
    int,
    float,
    bool,
    type(None),
    Enum,
    msgspec.Struct,
    PoolSettings,
    Tagger,
    type,
    FunctionType,
)
_LEFT_OUT = {"_booking", "verifications", "wrong_tags", "notices", "taggers", "settings", "_cached", "_row", "_longest"}
"""Counters and caches: states that differ in nothing else are one."""
_TABLES_LEFT_OUT = {"chunks", "provenances", "pools"}
"""Content of segments: which of it is left follows from the marks."""


@cache
def _attributes(kind: type) -> tuple[str, ...]:
    names = [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]
    return tuple(name for name in names if name not in ("__weakref__", "__dict__"))


def _items(value: Any) -> list[tuple[str, Any]]:
    found = [(name, getattr(value, name)) for name in _attributes(type(value)) if hasattr(value, name)]
    return found + list(getattr(value, "__dict__", {}).items())


def cloned(value: Any, memo: dict[int, Any]) -> Any:
    """Return a copy that shares nothing that changes with the original."""
    kind = type(value)
    if kind in _PLAIN or isinstance(value, _AS_THEY_ARE):
        return value
    if id(value) in memo:
        return memo[id(value)]
    copied: Any
    if kind is bytearray:
        copied = bytearray(value)
    elif kind is dict:
        copied = {}
        memo[id(value)] = copied
        for key, item in value.items():
            copied[key] = item if type(item) in _PLAIN else cloned(item, memo)
    elif isinstance(value, tuple):
        items = [item if type(item) in _PLAIN else cloned(item, memo) for item in value]
        copied = kind(*items) if hasattr(value, "_fields") else tuple(items)
    elif isinstance(value, list | set | deque):
        copied = kind(item if type(item) in _PLAIN else cloned(item, memo) for item in value)
    elif kind is MemoryStore:
        copied = MemoryStore()
        copied.restore(value.snapshot())
    elif isinstance(value, MethodType):
        copied = MethodType(value.__func__, cloned(value.__self__, memo))
    else:
        copied = object.__new__(kind)
        memo[id(value)] = copied
        for name, item in _items(value):
            object.__setattr__(copied, name, item if type(item) in _PLAIN else cloned(item, memo))
    memo[id(value)] = copied
    return copied


def frozen(value: Any, met: set[int]) -> Any:  # noqa: PLR0911
    """Return what tells two values apart, as nested tuples; an object that was met before is left out."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is bytearray:
        return bytes(value)
    if isinstance(value, _AS_THEY_ARE):
        return repr(value)
    if kind is dict:
        return sorted([(repr(key), frozen(item, met)) for key, item in value.items()], key=itemgetter(0))
    if isinstance(value, list | tuple | deque):
        return [item if type(item) in _PLAIN else frozen(item, met) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(repr(item) for item in value)
    if kind is MemoryStore:
        return frozen_rows(value.snapshot())
    if isinstance(value, MethodType):
        return value.__func__.__name__
    if id(value) in met:
        return None
    met.add(id(value))
    return [(name, frozen(item, met)) for name, item in _items(value) if name not in _LEFT_OUT]


def frozen_rows(tables: Any) -> Any:
    """Return what stands in a store, without the content of segments."""
    if tables is None:
        return None
    return sorted((name, sorted(rows.items())) for name, rows in tables.items() if name not in _TABLES_LEFT_OUT)
