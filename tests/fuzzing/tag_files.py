"""Files of time tags of every format, beside a slow reading of the text ones."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.choices import Choices
from fuzzing.limits import Finding
from qkdpost.errors import InputError
from qkdpost.records import TimeTags
from qkdpost.sifting import load_time_tags
from reference import tag_text as reference

__all__ = ["fuzz_tag_file"]

FORMATS = ("text", "text", "text", "numpy", "s15-a1", "s15-a1x", "picoquant-t2")
NAMES = ("H", "V", "D", "A", "h", "v", "d", "a")
_folder = tempfile.TemporaryDirectory(prefix="qkdpost-fuzzing")


def fuzz_tag_file(data: bytes) -> None:
    """Raise if a file does anything but give what is written in it, or an `InputError`."""
    choices = Choices(data)
    file_format = choices.pick(FORMATS)
    pack = choices.pick([bytes, bytes, bytes, gzip.compress, bz2.compress, lzma.compress])
    options = _options(choices, file_format)
    content = _numpy_file(choices) if file_format == "numpy" and choices.chance() else choices.rest()
    path = Path(_folder.name, "tags")
    path.write_bytes(pack(content) if pack is not bytes else content)
    try:
        alice, bob = load_time_tags(path, **options)
    except InputError as error:
        if len(str(error)) > 2000:
            raise Finding("an error of more than 2,000 letters") from error
        return
    for side in (alice, bob):
        if side.clicks and not (np.all(side.ticks[1:] >= side.ticks[:-1]) and int(side.channels.max()) <= 3):
            raise Finding("tags that are none")
    plain = options["rollover_ticks"] is None and not options["max_disorder_ticks"]
    if file_format == "text" and plain and not content.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\0\0")):
        _compare(content, options, alice, bob)


def _options(choices: Choices, file_format: str) -> dict[str, Any]:
    text = file_format == "text"
    named = text and choices.below(4) == 1
    return {
        "tick_ps": choices.pick([1.0, 78.125, 1000 / 256, 0.1, 1 / 3, 1e12, 5e-324]),
        "alice": NAMES[:4] if named else (0, 1, 2, 3),
        "bob": NAMES[4:] if named else choices.pick([(4, 5, 6, 7), (-1, -2, -3, -4), (2**63 - 1, 2**53, 2**53 + 1, 9)]),
        "file_format": file_format,
        "columns": choices.pick([None, None, (0, 1), (1, 0), (3, 1)]) if text else None,
        "delimiter": choices.pick([None, None, ",", ";", "\t", " "]) if text else None,
        "header_lines": choices.pick([0, 0, 0, 1, 3]) if text else 0,
        "time_unit": choices.pick(["ticks", "ticks", "s", "ns", "ps"]) if text else "ticks",
        "others": choices.pick(["refuse", "ignore", "ignore", ("x",) if named else (8, 77)]),
        "allow_silent": choices.pick([True, True, True, False]),
        "rollover_ticks": choices.pick([None, None, None, 256, 2**40]),
        "max_disorder_ticks": choices.pick([0, 0, 0, 5, 2**62]),
    }


def _numpy_file(choices: Choices) -> bytes:
    count = choices.below(9)
    types = ["<i8", ">i8", "<u8", "u1", "<f8", "O", "U1", "?", "<i2", "M8[s]", "c16"]
    arrays = [np.zeros(choices.pick([count, count, count, 0, count + 1]), dtype=choices.pick(types)) for _ in range(2)]
    for array in arrays:
        if array.dtype.kind in "iu":
            array[:] = np.frombuffer(choices.take(array.nbytes).ljust(array.nbytes, b"\0"), dtype=array.dtype)
    file = io.BytesIO()
    if choices.chance():
        np.savez(file, ticks=arrays[0], channels=arrays[1])
    else:
        both = np.zeros(count, dtype=[("ticks", arrays[0].dtype), ("channels", arrays[1].dtype)])
        np.save(file, both)
    content = bytearray(file.getvalue())
    for _ in range(choices.below(3)):
        content[choices.below(len(content))] = choices.below(256)
    return bytes(content)


def _compare(content: bytes, options: dict[str, Any], alice: TimeTags, bob: TimeTags) -> None:
    """Read the lines slowly; what was taken must be what they say."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode("latin1")
    channel_column, time_column = options["columns"] or (0, 1)
    unit = {"ticks": 0, "ps": 1, "ns": 10**3, "s": 10**12}[options["time_unit"]]
    everyone = [*options["alice"], *options["bob"]]
    expected: list[list[tuple[int, int]]] = [[], []]
    for line in text.split("\n")[options["header_lines"] :]:
        if not line.partition("#")[0].strip(" \t\r"):
            continue
        fields = reference.fields(line, options["delimiter"])
        number: object = fields[channel_column]
        if not isinstance(everyone[0], str):
            number = reference.value(fields[channel_column])
        worth = reference.value(fields[time_column])
        if number is None or worth is None:
            raise Finding("what is no number was read as one")
        tick = reference.in_ticks(fields[time_column], unit, options["tick_ps"]) if unit else worth
        if number in everyone:
            place = everyone.index(number)
            expected[place // 4].append((int(tick), place % 4))
    for side, rows in zip((alice, bob), expected, strict=True):
        if list(zip(side.ticks.tolist(), side.channels.tolist(), strict=True)) != rows:
            raise Finding("other clicks than the file holds")
