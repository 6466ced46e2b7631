"""Which of the numbers or names in a file are whose detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.sifting.tag_text import find_codes
from qkdpost.checks import described, listed, whole_number
from qkdpost.errors import InputError
from qkdpost.sifting.tag_files.raw_clicks import RawClicks

__all__ = ["MAX_NAME_BYTES", "Detector", "Sides", "check_sides", "code_of", "side_of", "survey"]

MAX_NAME_BYTES = 8
DETECTORS = 4
_SHOWN = 16
_NOBODY = 255
_MAX_OTHERS = 240
_MAX_DETECTORS = 64

Detector: TypeAlias = int | str
"""A number in a file, or a name."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Whose detectors are which, as codes of 64 bits.

    Args:
        named: for each side, under the name of its argument, four codes in the order of channels.
        others: codes of clicks that are left out; None: of any.
        by_name: the file has names, not numbers.
        allow_silent: detectors may be without a click.
    """

    named: dict[str, tuple[int, ...]]
    others: tuple[int, ...] | None
    by_name: bool
    allow_silent: bool


def check_sides(named: dict[str, Sequence[Detector]], others: str | Sequence[Detector], allow_silent: bool) -> Sides:
    """Check what the caller says of detectors.

    Raises:
        InputError: not four different ones a side, one for two sides, numbers beside names, or something else.
    """
    if not isinstance(allow_silent, bool | np.bool_):
        raise InputError(f"allow_silent must be True or False; found {described(allow_silent)}")
    lists = {name: _listed(name, detectors) for name, detectors in named.items()}
    left_out = [] if isinstance(others, str) else _listed("others", others)
    if isinstance(others, str) and others not in {"refuse", "ignore"}:
        raise InputError(f"others must be 'refuse', 'ignore', or the numbers to leave out; found {described(others)}")
    everyone = [detector for numbered in lists.values() for detector in numbered] + left_out
    by_name = isinstance(everyone[0], str) if everyone else False
    if any(isinstance(detector, str) != by_name for detector in everyone):
        raise InputError("detectors must all be numbers or all be names")
    for name, numbered in lists.items():
        if len(numbered) != DETECTORS or len(set(numbered)) != DETECTORS:
            raise InputError(f"{name} must name four different detectors; found {_in_words(numbered)}")
    if len(left_out) > _MAX_OTHERS:
        raise InputError(f"others must list at most {_MAX_OTHERS} detectors; 'ignore' leaves out all")
    if len(set(everyone)) != len(everyone):
        twice = sorted({str(detector) for detector in everyone if everyone.count(detector) > 1})
        raise InputError(f"each detector belongs to one side; found twice: {', '.join(twice)}")
    return Sides(
        {name: tuple(map(code_of, numbered)) for name, numbered in lists.items()},
        None if isinstance(others, str) and others == "ignore" else tuple(map(code_of, left_out)),
        by_name,
        bool(allow_silent),
    )


def survey(clicks: RawClicks, sides: Sides, path: str, exchanged: str) -> NDArray[np.uint8]:
    """Check that the file has what the caller says, and nothing else.

    Args:
        clicks: those of the file.
        sides: what the caller says.
        path: the file, for the message.
        exchanged: what to say where times seem to stand where detectors should.

    Returns:
        Whose each click is: the place of its detector among those of the first side, then the second; what is higher
        is nobody's. Shape (n,).

    Raises:
        InputError: a detector without a click, or clicks that are nobody's.
    """
    everyone = [(f"{side}[{place}]", code) for side, codes in sides.named.items() for place, code in enumerate(codes)]
    codes = np.array([code for _, code in everyone] + list(sides.others or ()), dtype=np.int64)
    places = np.empty(clicks.numbers.size, dtype=np.uint8)
    find_codes(clicks.numbers, codes, places)
    counts = np.bincount(places, minlength=256)
    silent = [
        f"{_shown(code, sides.by_name)} ({name})" for place, (name, code) in enumerate(everyone) if not counts[place]
    ]
    strangers = 0 if sides.others is None else int(counts[_NOBODY])
    if (not silent or sides.allow_silent) and not strangers:
        return places
    fitting = max(clicks.numbers.size - int(counts[_NOBODY]), clicks.numbers.size // 2)
    if exchanged and np.count_nonzero(np.isin(clicks.ticks, codes)) > fitting:
        raise InputError(f"{path}: {exchanged}")
    faults = [f"no click of {', '.join(silent)}"] if silent and not sides.allow_silent else []
    faults += [f"{strangers} clicks of detectors that are nobody's"] if strangers else []
    advice = f"Name the detectors by {', '.join(f'{side}=' for side in sides.named)}"
    advice += "; others='ignore' leaves the rest out" if strangers else "; allow_silent=True takes the file as it is"
    raise InputError(f"{path} has {' and '.join(faults)}. It has {_census(clicks, sides.by_name)}. {advice}")


def side_of(clicks: RawClicks, places: NDArray[np.uint8], side: int) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the ticks and the channels, 0 ... 3, of the clicks of a side, the first being 0."""
    keep = places // DETECTORS == side
    return clicks.ticks[keep], places[keep] % DETECTORS


def code_of(detector: Detector) -> int:
    """Return a number itself, or the bytes of a name as a little-endian signed integer of 64 bits."""
    if isinstance(detector, int):
        return detector
    return int.from_bytes(detector.encode("ascii").ljust(MAX_NAME_BYTES, b"\0"), "little", signed=True)


def _shown(code: int, by_name: bool) -> str:
    if not by_name:
        return str(code)
    return code.to_bytes(MAX_NAME_BYTES, "little", signed=True).rstrip(b"\0").decode("ascii", "replace")


def _listed(name: str, detectors: object) -> list[Detector]:
    return [
        _detector(f"{name}[{place}]", detector)
        for place, detector in enumerate(listed(name, detectors, "numbers or names of detectors"))
    ]


def _detector(name: str, detector: object) -> Detector:
    if not isinstance(detector, str):
        return whole_number(name, detector, least=-(2**63 - 1), most=2**63 - 1)
    text = str(detector)
    if not 0 < len(text) <= MAX_NAME_BYTES or not all("!" <= letter <= "~" and letter != "#" for letter in text):
        raise InputError(f"{name} must be a name of 1 ... {MAX_NAME_BYTES} ASCII letters; found {described(text)}")
    return text


def _in_words(listed: Sequence[Detector]) -> str:
    return ", ".join(map(str, listed[:_SHOWN])) + (", ..." if len(listed) > _SHOWN else "") if listed else "none"


def _census(clicks: RawClicks, by_name: bool) -> str:
    """Say how many clicks each number in the file has; not what they are where they can be no detectors."""
    codes, counts = np.unique(clicks.numbers, return_counts=True)
    if not codes.size:
        return "no click at all"
    if codes.size > _MAX_DETECTORS:
        return (
            f"{codes.size} different numbers, too many for detectors: times, perhaps; columns=(1, 0) exchanges columns"
        )
    listed = [f"{_shown(int(code), by_name)}: {count}" for code, count in zip(codes, counts, strict=True)]
    more = f", and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return "clicks of " + ", ".join(listed[:_SHOWN]) + more
