"""PicoQuant's unified files (.ptu) in T2 mode: a header of tags, then records of 32 bits.

The header: eight bytes of magic, eight of version, then tags of 48 bytes: a name of 32, an index of four, a type of
four, a value of eight, which for texts and blobs is the length of what follows. A record of the instruments read here:
the highest bit says that it is special, six bits the channel, 25 bits the time. Special records are overflows of the
time (channel 63, the time says how many), clicks of the sync input (channel 0) and markers (1 ... 15).
(PicoQuant, "Unified TTTR File Format".)
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import InputError
from qkdpost.sifting.tag_files.raw_clicks import RawClicks, joined
from qkdpost.sifting.tag_files.source import Source, open_source

__all__ = ["read_picoquant"]

_MAGIC = b"PQTTTR\0\0"
_RECORD_TYPES = {
    0x01010204: "HydraHarp (2) T2",
    0x00010205: "TimeHarp 260 N T2",
    0x00010206: "TimeHarp 260 P T2",
    0x00010207: "MultiHarp T2",
}
_LENGTHS_FOLLOW = {0x2001FFFF, 0x4001FFFF, 0x4002FFFF, 0xFFFFFFFF}
_WHOLE_NUMBER = 0x10000008
_REAL_NUMBER = 0x20000008
_TAG_BYTES = 48
_MAX_TAGS = 10_000
_MAX_BLOB_BYTES = 2**24

_TIME_BITS = 25
_OVERFLOW = 63
_PIECE_RECORDS = 2**20
_MAX_TURNS = 2**38
"""Overflows of which the ticks still fit 63 bits."""


def read_picoquant(path: str, tick_ps: float) -> RawClicks:
    """Read the clicks of a T2 file of a HydraHarp (format 2), TimeHarp 260 or MultiHarp.

    Inputs are numbered from 1, the sync input is 0, markers are -1 ... -15.

    Args:
        path: the file, which may be packed.
        tick_ps: what the caller takes a tick for, which must be what the file says.

    Raises:
        InputError: another file, another mode, another tick, or a damaged file.
    """
    parts = []
    turns = 0
    with open_source(path) as source:
        header = _read_header(source)
        _check_header(path, header, tick_ps)
        while piece := source.read(4 * _PIECE_RECORDS):
            if len(piece) % 4:
                raise InputError(f"{path} must hold records of 4 bytes; {len(piece) % 4} bytes are left over")
            clicks, turns = _clicks_of_records(np.frombuffer(piece, dtype="<u4"), turns)
            if turns > _MAX_TURNS:
                raise InputError(f"{path} is damaged: its times are beyond 2^63 ticks")
            parts.append(clicks)
    return joined(parts)


def _read_header(source: Source) -> dict[str, int | float]:
    """Return the numbers of the header by their names."""
    if source.read(16)[:8] != _MAGIC:
        raise InputError(f"{source.path} is no PicoQuant file: it does not begin with 'PQTTTR'")
    found: dict[str, int | float] = {}
    for _ in range(_MAX_TAGS):
        tag = source.read(_TAG_BYTES)
        if len(tag) < _TAG_BYTES:
            raise InputError(f"{source.path} is damaged: its header has no end")
        name = tag[:32].split(b"\0")[0].decode("ascii", "replace")
        kind = int.from_bytes(tag[36:40], "little")
        if kind in _LENGTHS_FOLLOW:
            length = int.from_bytes(tag[40:48], "little")
            if length > _MAX_BLOB_BYTES or len(source.read(length)) != length:
                raise InputError(f"{source.path} is damaged: a text in its header is cut off")
        elif kind == _WHOLE_NUMBER:
            found[name] = struct.unpack("<q", tag[40:48])[0]
        elif kind == _REAL_NUMBER:
            found[name] = struct.unpack("<d", tag[40:48])[0]
        if name == "Header_End":
            return found
    raise InputError(f"{source.path} is damaged: its header has more than {_MAX_TAGS} entries")


def _check_header(path: str, header: dict[str, int | float], tick_ps: float) -> None:
    kind = header.get("TTResultFormat_TTTRRecType", -1)
    if kind not in _RECORD_TYPES:
        raise InputError(
            f"{path} has records of type {kind:#x}; only T2 records are read, of {', '.join(_RECORD_TYPES.values())}"
            if isinstance(kind, int)
            else f"{path} is damaged: its record type is no integer"
        )
    written_ps = header.get("MeasDesc_GlobalResolution", 0.0) * 1e12
    if not abs(written_ps - tick_ps) <= 1e-6 * tick_ps:
        raise InputError(f"{path} says that its tick is {written_ps:.9g} ps; found tick_ps={tick_ps:.9g}")


def _clicks_of_records(records: NDArray[np.uint32], turns: int) -> tuple[RawClicks, int]:
    """Return the clicks of some records, and how often the time has overflown after them."""
    special = (records >> np.uint32(31)).astype(np.bool_)
    channels = (records >> np.uint32(_TIME_BITS) & np.uint32(63)).astype(np.int64)
    times = (records & np.uint32(2**_TIME_BITS - 1)).astype(np.int64)
    overflows = special & (channels == _OVERFLOW)
    # Older firmware writes 0 for one overflow.
    counted = np.cumsum(np.where(overflows, np.maximum(times, 1), 0)) + turns
    numbers = np.where(special, -channels, channels + 1)
    ticks = (counted << _TIME_BITS) + times
    after = int(counted[-1])
    return RawClicks(ticks[~overflows], numbers[~overflows]), after
