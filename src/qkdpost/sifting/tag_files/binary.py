"""Binary files: numpy arrays, and the events of time-stamp units with masks of detectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import integer_vector
from qkdpost.errors import InputError
from qkdpost.sifting.tag_files.raw_clicks import RawClicks, joined
from qkdpost.sifting.tag_files.source import open_source

__all__ = ["BINARY_READERS", "read_masked_events", "read_numpy"]

_PIECE_EVENTS = 2**18
_DETECTORS_IN_MASK = 4
_ROLLED_OVER = 16
_TIME_SHIFT = 10
_FIELDS = ("ticks", "channels")
_WANTED = "must be a .npz file of arrays 'ticks' and 'channels', or a .npy file of one array with these fields"
_MOST_SHOWN, _MOST_SHOWN_OF_EACH = 8, 40
"""Names in a file, and characters of each."""


def read_numpy(path: str) -> RawClicks:
    """Read a .npz file of arrays `ticks` and `channels`, or a .npy file of one array with fields of these names.

    Raises:
        InputError: no such file, or other arrays than vectors of integers of one length.
    """
    with open(path, "rb") as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            names = loaded.files if isinstance(loaded, np.lib.npyio.NpzFile) else loaded.dtype.names or ()
            arrays: list[NDArray[Any]] = [loaded[name] for name in _FIELDS if name in names]
        except Exception as error:
            # numpy raises what its parsers raise, a dozen classes; an error of the disk shows by its words.
            raise InputError(f"{path} {_WANTED}; it cannot be read: {type(error).__name__}") from None
    if len(arrays) < len(_FIELDS):
        found = ", ".join(repr(name[:_MOST_SHOWN_OF_EACH]) for name in names[:_MOST_SHOWN]) or "no names"
        raise InputError(
            f"{path} {_WANTED}; found {found}. Arrays of other names: load them by numpy.load, and make "
            "TimeTags(ticks=..., channels=..., tick_ps=...) of them"
        )
    ticks, numbers = integer_vector("ticks", arrays[0]), integer_vector("channels", arrays[1])
    if ticks.size != numbers.size:
        raise InputError(
            f"{path}: ticks and channels must have one entry per click; found {ticks.size} and {numbers.size}"
        )
    return RawClicks(ticks, numbers)


def read_masked_events(path: str, *, words_exchanged: bool) -> RawClicks:
    """Read events of 64 bits: the time in the upper 54, a mask of detectors in the lowest four.

    So do S-Fifteen's time-stamp units write (file types a1 and, with the two words of 32 bits exchanged, a1X), a tick
    being 1/256 ns. Detectors are numbered 0 ... 3 from the lowest bit of the mask; an event of several is as many
    clicks of one tick. Events that mark that the counter rolled over (bit 4) are no clicks.

    Raises:
        InputError: not whole events, or one without a detector.
    """
    parts = []
    with open_source(path) as source:
        while piece := source.read(8 * _PIECE_EVENTS):
            if len(piece) % 8:
                raise InputError(f"{path} must hold events of 8 bytes; {len(piece) % 8} bytes are left over")
            events = _as_words(piece, words_exchanged)
            parts.append(_clicks_of_masks(path, events))
    return joined(parts)


def _as_words(piece: bytes, words_exchanged: bool) -> NDArray[np.uint64]:
    events: NDArray[np.uint64] = np.frombuffer(piece, dtype="<u8").astype(np.uint64)
    return (events << np.uint64(32)) | (events >> np.uint64(32)) if words_exchanged else events


def _clicks_of_masks(path: str, events: NDArray[np.uint64]) -> RawClicks:
    events = events[(events & np.uint64(_ROLLED_OVER)) == 0]
    masks = (events & np.uint64(2**_DETECTORS_IN_MASK - 1)).astype(np.uint8)
    if not masks.all():
        raise InputError(
            f"{path} has {np.count_nonzero(masks == 0)} events without a detector: are its words of 32 bits exchanged, "
            "or not? Try file_format='s15-a1' or 's15-a1x'"
        )
    bits = np.unpackbits(masks[:, np.newaxis], axis=1, count=_DETECTORS_IN_MASK, bitorder="little")
    event, number = np.nonzero(bits)
    times = (events >> np.uint64(_TIME_SHIFT)).astype(np.int64)
    return RawClicks(times[event], number.astype(np.int64))


BINARY_READERS: dict[str, Callable[[str], RawClicks]] = {
    "numpy": read_numpy,
    "s15-a1": lambda path: read_masked_events(path, words_exchanged=False),
    "s15-a1x": lambda path: read_masked_events(path, words_exchanged=True),
}
"""The reader of each format that says nothing of its tick."""
