"""What a traceback with locals shows: it goes into logs, notebooks and services that collect errors."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import numpy as np

import qkdpost
from qkdpost.bits import Bits

LIBRARY = Path(qkdpost.__file__).resolve().parent
DEPTH = 6
WINDOW = 8


def frames_of(error: BaseException) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every frame of the library that the error, its causes and contexts came through: its name and locals."""
    pending, seen = deque([error]), set()
    while pending:
        one = pending.popleft()
        if id(one) in seen:
            continue
        seen.add(id(one))
        pending.extend(other for other in (one.__cause__, one.__context__) if other is not None)
        trace: TracebackType | None = one.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if Path(code.co_filename).resolve().is_relative_to(LIBRARY):
                yield f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}", trace.tb_frame.f_locals
            trace = trace.tb_next


def raw_bytes(value: object, *, hidden: bool, depth: int = DEPTH) -> Iterator[bytes]:
    """Give the bytes that `value` is made of; with `hidden`, those that its representation leaves out, too."""
    if isinstance(value, bytes | bytearray | memoryview):
        yield bytes(value)
    elif isinstance(value, np.ndarray | np.generic):
        yield value.tobytes()
    elif isinstance(value, int) and not isinstance(value, bool) and value > 1 << 8 * WINDOW:
        yield value.to_bytes((value.bit_length() + 7) // 8, "little")
    elif isinstance(value, str):
        yield value.encode(errors="replace")
    elif isinstance(value, Bits):
        if hidden and hasattr(value, "_words"):  # else it refused to be made
            yield value.to_bytes()
    elif isinstance(value, BaseException):
        yield str(value).encode(errors="replace")
    elif depth:
        for part in _parts(value, hidden=hidden):
            yield from raw_bytes(part, hidden=hidden, depth=depth - 1)


def _parts(value: object, *, hidden: bool) -> Iterable[object]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset | deque):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, item.name) for item in dataclasses.fields(value) if hidden or item.repr]
    if isinstance(value, msgspec.Struct):
        return [getattr(value, name) for name in value.__struct_fields__]
    return ()


def _shown(value: object) -> bytes:
    try:
        return repr(value).encode(errors="replace")
    except AttributeError:  # of an object that refused to be made
        return b""


def windows(secret: bytes) -> list[bytes]:
    """Cut a secret into pieces, each of which would tell too much."""
    return [secret[start : start + WINDOW] for start in range(0, len(secret) - WINDOW + 1, WINDOW)]


def leaks(error: BaseException, secret: bytes, *, hidden: bool) -> list[str]:
    """Name each local variable of the library, and each message, that holds a piece of `secret`."""
    pieces = windows(secret)
    found = []
    for where, variables in frames_of(error):
        for name, value in variables.items():
            for data in (*raw_bytes(value, hidden=hidden), _shown(value)):
                if any(piece in data or piece.hex().encode() in data for piece in pieces):
                    found.append(f"{where}: {name}")
                    break
    if any(piece.hex() in str(error) or repr(piece)[2:-1] in str(error) for piece in pieces):
        found.append(f"message: {error}")
    return found
