"""Files of time tags, made into the records of one side or of both, or refused with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qkdpost.checks import choice, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.records import TimeTags
from qkdpost.sifting.tag_files.binary import BINARY_READERS
from qkdpost.sifting.tag_files.detectors import Detector, Sides, check_sides, side_of, survey
from qkdpost.sifting.tag_files.ordering import MAX_TICK, order_fault, sort_time_tags, unwrap_ticks
from qkdpost.sifting.tag_files.picoquant import read_picoquant
from qkdpost.sifting.tag_files.raw_clicks import RawClicks
from qkdpost.sifting.tag_files.source import checked_path
from qkdpost.sifting.tag_files.text import read_text
from qkdpost.sifting.tag_files.text_layout import TextLayout, TimeUnit

__all__ = ["load_own_time_tags", "load_time_tags"]

FileFormat = Literal["text", "numpy", "s15-a1", "s15-a1x", "picoquant-t2"]
FILE_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)


def load_time_tags(
    path: str | PathLike[str],
    tick_ps: float,
    *,
    alice: Sequence[Detector] = (0, 1, 2, 3),
    bob: Sequence[Detector] = (4, 5, 6, 7),
    file_format: FileFormat = "text",
    columns: tuple[int, int] | None = None,
    delimiter: str | None = None,
    header_lines: int = 0,
    time_unit: TimeUnit = "ticks",
    others: Literal["refuse", "ignore"] | Sequence[Detector] = "refuse",
    allow_silent: bool = False,
    rollover_ticks: int | None = None,
    max_disorder_ticks: int = 0,
) -> tuple[TimeTags, TimeTags]:
    r"""Read a file of both sides' clicks.

    Text is one click a line, by default `detector tick`; what follows `#` and empty lines count for nothing. Files
    packed with gzip, bzip2 or xz are read as they are. Ten million lines take some seconds and 0.6 GB.

    Args:
        path: the file.
        tick_ps: the length of a tick in picoseconds.
        alice: which numbers or names in the file are Alice's detectors, in the order: key basis outcome 0 and 1, test
            basis outcome 0 and 1. Names have up to eight ASCII letters.
        bob: the same for Bob; where the source makes outcomes opposite, name his in the opposite order.
        file_format: "text"; "numpy" (a .npz file of integer arrays `ticks` and `channels`, or a .npy file with these
            fields); "s15-a1" or "s15-a1x" (events of S-Fifteen's time-stamp units, ticks of 1000/256 ps, detectors
            0 ... 3 from the lowest bit of the mask); "picoquant-t2" (.ptu of a HydraHarp, TimeHarp 260 or MultiHarp;
            inputs from 1, sync 0, markers -1 ... -15).
        columns: of text, where detector and time stand, counted from 0, as (1, 0); None: these two and no others.
        delimiter: of text, the sign between columns, as "," or ";"; None: spaces and tabs.
        header_lines: of text, how many lines to leave out at the beginning.
        time_unit: of text, "ticks", or "s", "ms", "us", "ns" or "ps": times are then decimal numbers, and are rounded
            once, exactly, to the nearest tick, halves to even.
        others: what to do with clicks of other detectors: "refuse", "ignore", or a list of those to leave out.
        allow_silent: take a file in which a detector has no click. As a rule that is a wrong number; a detector that
            is dead makes a key that the eavesdropper may know.
        rollover_ticks: the period of the tagger's counter, as 2**40, if it may have rolled over; see `unwrap_ticks`.
        max_disorder_ticks: how far clicks may be out of order; they are sorted, see `sort_time_tags`.

    Returns:
        Alice's and Bob's tags.

    Raises:
        InputError: the file holds something else, is packed and damaged, has a detector without a click or clicks that
            are nobody's, or is not in the order of time; or an argument is none that is allowed.
        OSError: the file is not there (`FileNotFoundError`), or cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> from qkdpost.sifting import load_time_tags
        >>> path = pathlib.Path(tempfile.mkdtemp(), "tags.csv")
        >>> names = ["H1", "V1", "D1", "A1", "H2", "V2", "D2", "A2"]
        >>> lines = ["Time;Channel"] + [f"{5 * n}e-9;{name}" for n, name in enumerate(names)]
        >>> _ = path.write_text("\n".join(lines))
        >>> alice, bob = load_time_tags(
        ...     path, 1000.0, alice=names[:4], bob=names[4:],
        ...     columns=(1, 0), delimiter=";", header_lines=1, time_unit="s",
        ... )
        >>> bob.ticks.tolist(), bob.channels.tolist()
        ([20, 25, 30, 35], [0, 1, 2, 3])
    """
    reading = _Reading.checked(
        path, tick_ps, {"alice": alice, "bob": bob}, file_format, columns, delimiter, header_lines, time_unit,
        others, allow_silent, rollover_ticks, max_disorder_ticks,
    )  # fmt: skip
    alice_tags, bob_tags = reading.tags()
    return alice_tags, bob_tags


def load_own_time_tags(
    path: str | PathLike[str],
    tick_ps: float,
    *,
    detectors: Sequence[Detector] = (0, 1, 2, 3),
    file_format: FileFormat = "text",
    columns: tuple[int, int] | None = None,
    delimiter: str | None = None,
    header_lines: int = 0,
    time_unit: TimeUnit = "ticks",
    others: Literal["refuse", "ignore"] | Sequence[Detector] = "refuse",
    allow_silent: bool = False,
    rollover_ticks: int | None = None,
    max_disorder_ticks: int = 0,
) -> TimeTags:
    r"""Read a file of one side's clicks, as each of two hosts has its own.

    Args:
        path: the file.
        tick_ps: the length of a tick in picoseconds.
        detectors: which numbers or names in the file are the four detectors, in the order: key basis outcome 0 and 1,
            test basis outcome 0 and 1.
        file_format: this and all that follow are as in `load_time_tags`.
        columns: see there.
        delimiter: see there.
        header_lines: see there.
        time_unit: see there.
        others: see there.
        allow_silent: see there.
        rollover_ticks: see there.
        max_disorder_ticks: see there.

    Returns:
        The tags.

    Raises:
        InputError: as `load_time_tags`.
        OSError: the file is not there (`FileNotFoundError`), or cannot be read.

    Example:
        >>> import pathlib, tempfile
        >>> from qkdpost.sifting import load_own_time_tags
        >>> path = pathlib.Path(tempfile.mkdtemp(), "tags.txt")
        >>> _ = path.write_text("1 100\n2 120\n4 130\n3 145\n")
        >>> load_own_time_tags(path, 81.0, detectors=(1, 2, 3, 4)).channels.tolist()
        [0, 1, 3, 2]
    """
    reading = _Reading.checked(
        path, tick_ps, {"detectors": detectors}, file_format, columns, delimiter, header_lines, time_unit,
        others, allow_silent, rollover_ticks, max_disorder_ticks,
    )  # fmt: skip
    return reading.tags()[0]


@dataclass(frozen=True, slots=True)
class _Reading:
    """All that a caller said of a file, checked."""

    path: str
    tick_ps: float
    sides: Sides
    file_format: str
    layout: TextLayout
    rollover_ticks: int | None
    max_disorder_ticks: int

    @classmethod
    def checked(
        cls,
        path: str | PathLike[str],
        tick_ps: float,
        named: dict[str, Sequence[Detector]],
        file_format: str,
        columns: tuple[int, int] | None,
        delimiter: str | None,
        header_lines: int,
        time_unit: str,
        others: str | Sequence[Detector],
        allow_silent: bool,
        rollover_ticks: int | None,
        max_disorder_ticks: int,
    ) -> _Reading:
        sides = check_sides(named, others, allow_silent)
        kind = choice("file_format", file_format, FILE_FORMATS)
        layout = TextLayout.checked(columns, delimiter, header_lines, time_unit, sides.by_name)
        if kind != "text" and layout != TextLayout.checked(None, None, 0, "ticks", False):
            raise InputError(f"columns, delimiter, header_lines, time_unit and names are for text, not for {kind!r}")
        period = (
            None if rollover_ticks is None else whole_number("rollover_ticks", rollover_ticks, least=2, most=MAX_TICK)
        )
        return cls(
            checked_path(path),
            real_number("tick_ps", tick_ps, above=0.0, unit="picoseconds"),
            sides,
            kind,
            layout,
            period,
            whole_number("max_disorder_ticks", max_disorder_ticks, most=MAX_TICK),
        )

    def tags(self) -> list[TimeTags]:
        """Read the file, and return each side's tags."""
        clicks = self._read()
        places = survey(clicks, self.sides, self.path, self._exchanged())
        if self.rollover_ticks is not None:
            clicks = RawClicks(self._unwrapped(clicks), clicks.numbers)
        return [self._side(name, *side_of(clicks, places, side)) for side, name in enumerate(self.sides.named)]

    def _read(self) -> RawClicks:
        if self.file_format == "text":
            return read_text(self.path, self.layout, self.tick_ps)
        if self.file_format == "picoquant-t2":
            return read_picoquant(self.path, self.tick_ps)
        return BINARY_READERS[self.file_format](self.path)

    def _unwrapped(self, clicks: RawClicks) -> NDArray[np.int64]:
        disorder = self.max_disorder_ticks
        try:
            return unwrap_ticks(clicks.ticks, rollover_ticks=self.rollover_ticks or 0, max_disorder_ticks=disorder)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None

    def _side(self, side: str, ticks: NDArray[np.int64], channels: NDArray[np.uint8]) -> TimeTags:
        if self.max_disorder_ticks:
            try:
                ticks, numbers = sort_time_tags(ticks, channels, max_disorder_ticks=self.max_disorder_ticks)
            except InputError as error:
                raise InputError(f"{self.path}, clicks of {side}: {error}") from None
            return TimeTags(ticks=ticks, channels=numbers, tick_ps=self.tick_ps)
        if fault := order_fault(ticks):
            raise InputError(f"{self.path}, clicks of {side}, must be in the order of time: {fault}")
        return TimeTags(ticks=ticks, channels=channels, tick_ps=self.tick_ps)

    def _exchanged(self) -> str:
        """Say what to do where times stand in the column of detectors."""
        if self.file_format != "text" or self.sides.by_name:
            return ""
        channel, time = (0, 1) if self.layout.columns is None else self.layout.columns
        return (
            f"column {channel + 1} looks like times, column {time + 1} like detectors: give columns=({time}, {channel})"
        )
