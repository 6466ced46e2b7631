"""How far long work has got, told to a function of the caller or drawn as one line on the terminal."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TextIO

from qkdpost.checks import described
from qkdpost.errors import InputError

__all__ = ["Progress", "telling"]

SECONDS_UNTIL_DRAWN = 0.5
"""Work that ends sooner draws nothing."""
SECONDS_BETWEEN = 0.1


class Progress(Protocol):
    """A function that is told how far work has got, as every argument `progress` takes one.

    It is called as ``progress(what, done, total)``: what is being done, in words; how much of it is done; and how much
    there is, or None where nobody knows. In place of a function, True draws one line on standard error that
    overwrites itself, on a terminal or in a notebook, for work of more than half a second; False tells nothing.

    What it raises ends the work, and is raised out of the call that does it.

    Example:
        >>> import qkdpost as qp
        >>> def said(what, done, total):
        ...     print(f"{done} of {total}")
        >>> plans = qp.planning.rate_curve(
        ...     qp.planning.BBM92Link(), distances_km=[0, 50], pulses=10**8, max_evaluations=3, progress=said
        ... )
        1 of 2
        2 of 2
    """

    def __call__(self, what: str, done: int, total: int | None, /) -> None:
        """Take what is being done, how much of it is done, and how much there is, if that is known."""
        ...


def telling(progress: bool | Progress) -> AbstractContextManager[Progress]:
    """Give the function to be told for an argument `progress`; whatever was drawn is erased when the work ends.

    Args:
        progress: False for nothing, True for a line on standard error, or a function.

    Raises:
        InputError: it is none of these.
    """
    if isinstance(progress, bool):
        return _drawing() if progress and _overwrites(sys.stderr) else contextlib.nullcontext(_nothing)
    if not callable(progress):
        raise InputError(
            f"progress must be True, False or a function of three arguments, progress(what, done, total); "
            f"found {described(progress)}"
        )
    return contextlib.nullcontext(progress)


@contextlib.contextmanager
def _drawing() -> Iterator[Progress]:
    line = _Line(sys.stderr, time.monotonic)
    try:
        yield line.tell
    finally:
        line.erase()


def _nothing(what: str, done: int, total: int | None, /) -> None:
    """Tell nobody."""


def _overwrites(stream: TextIO | None) -> bool:
    """Return whether a line can be written over there: on a terminal, and in a notebook, which is none."""
    if stream is None:
        return False
    return type(stream).__module__.startswith("ipykernel") or (not stream.closed and stream.isatty())


class _Line:
    """One line that overwrites itself, not before half a second has passed, and not more often than one can read."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._started = clock()
        self._next = self._started + SECONDS_UNTIL_DRAWN
        self._width = 0

    def tell(self, what: str, done: int, total: int | None, /) -> None:
        """Draw how far the work has got, if it is time to."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + SECONDS_BETWEEN
        counted = f"{done:,}" if total is None else f"{done:,} of {total:,} ({done / max(1, total):.0%})"
        text = f"{what}: {counted}, {now - self._started:.0f} s"
        self._draw(text[: shutil.get_terminal_size().columns - 1])

    def erase(self) -> None:
        """Leave the line empty, with the cursor at its beginning."""
        if self._width:
            self._draw("")
            self._write("\r")

    def _draw(self, text: str) -> None:
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a terminal that went away is no reason to end the work
            self._stream.write(text)
            self._stream.flush()
