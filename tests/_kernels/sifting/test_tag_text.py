from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qkdpost._kernels.sifting import tag_text
from reference import tag_text as reference

LIMIT = 2**63
FIELDS = st.one_of(
    st.from_regex(r"\A[+-]?[0-9]{0,22}(\.[0-9]{0,22})?([eE][+-]?[0-9]{0,3})?\Z"),
    st.integers(-(2**64), 2**64).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: f"{value:.18e}"),
    st.text("0123456789+-.eE xX_\u0661", min_size=1, max_size=8),
)


def read(
    text: str, *, separator: str | None = None, whole: bool = True, named: bool = False, only: int = 2
) -> tuple[int, int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The fault, the line, and what was kept."""
    data = np.frombuffer(text.encode(), dtype=np.uint8)
    lines = text.count("\n")
    channels, times, digits = (np.zeros(size, dtype=np.uint64) for size in (lines, lines, 1))
    negative, decimals = np.zeros(lines, dtype=np.bool_), np.zeros(lines, dtype=np.int16)
    found, parts, bounds = (np.zeros(size, dtype=np.int64) for size in (2, 3, 5))
    mark = 0 if separator is None else ord(separator)
    count = tag_text.read_clicks(
        data, mark, 0, 1, only, named, whole, channels, times, negative, decimals, found, parts, digits, bounds
    )
    return int(found[0]), int(found[1]), channels[:count], times[:count], negative[:count], decimals[:count]


@given(FIELDS)
@example("9223372036854775807")
@example("9223372036854775808")
@example("-9223372036854775807")
@example("18446744073709551615")
@example("18446744073709551616")
@example("0e999")
@example("1e")
@example(".")
@example("4.000e+00")
@example("1.2345e+05")
def test_whole_numbers_are_those_of_fractions(field: str) -> None:
    expected = reference.value(field) if field.strip() else None
    fault, _, _, times, _, _ = read(f"0,{field}\n", separator=",")
    if fault:
        fine = (
            expected is not None
            and field == field.strip(" \t\r")
            and expected.denominator == 1
            and abs(expected) < LIMIT
            and not reference.is_rounded(field)
        )
        # More digits than 64 bits hold are refused though the rest be zeros that were written as ones to skip.
        assert not fine or abs(expected or 0) >= LIMIT or len(field) > 300
        assert fault >= tag_text.IN_TIME or not field.strip(" \t\r")
    else:
        assert reference.value(field.strip(" \t\r")) == int(times.view(np.int64)[0])


@given(FIELDS)
def test_decimal_numbers_are_kept_whole(field: str) -> None:
    fault, _, _, digits, negative, decimals = read(f"0,{field}\n", separator=",", whole=False)
    expected = reference.value(field.strip(" \t\r"))
    if not fault:
        assert expected == (-1 if negative[0] else 1) * int(digits[0]) * reference.Fraction(10) ** -int(decimals[0])
    elif expected is not None:
        assert fault == tag_text.IN_TIME + tag_text.OUT_OF_RANGE


@given(
    st.lists(st.tuples(st.integers(-(2**63) + 1, 2**63 - 1), st.integers(-(2**63) + 1, 2**63 - 1)), max_size=5),
    st.sampled_from([None, ",", ";", "\t", "|", " "]),
    st.sampled_from(["\n", "\r\n", " \t\n", "# 9 9\n", "\n\n  \n"]),
)
def test_lines_come_back(rows: list[tuple[int, int]], separator: str | None, end: str) -> None:
    text = "".join(f"{channel}{separator or '  '}{time}{end}" for channel, time in rows)
    fault, lines, channels, times, _, _ = read(text, separator=separator)
    assert (fault, lines) == (tag_text.NO_FAULT, text.count("\n"))
    found = zip(channels.view(np.int64).tolist(), times.view(np.int64).tolist(), strict=True)
    assert list(found) == rows


@given(st.text(" \t1,;#x.\r", max_size=12), st.sampled_from([None, ",", ";", " "]))
def test_columns_are_those_of_a_split(line: str, separator: str | None) -> None:
    columns = reference.fields(line, separator)
    fault, _, _, _, _, _ = read(line + "\n", separator=separator)
    if not line.partition("#")[0].strip(" \t\r"):
        assert fault == tag_text.NO_FAULT
    elif len(columns) < 2:
        assert fault == tag_text.FEW_COLUMNS
    elif len(columns) > 2:
        assert fault == tag_text.MANY_COLUMNS
    else:
        assert fault not in {tag_text.FEW_COLUMNS, tag_text.MANY_COLUMNS}


def test_names_are_kept_as_their_bytes() -> None:
    fault, _, names, _, _, _ = read("H 1\nlong_one 2\n", named=True)
    assert fault == tag_text.NO_FAULT
    assert [int(name).to_bytes(8, "little").rstrip(b"\0") for name in names] == [b"H", b"long_one"]
    for name in ("nine_long", "\u00e4", "\x7f"):
        assert read(f"{name} 1\n", named=True)[0] == tag_text.BAD_NAME


def test_the_line_of_a_fault_is_told() -> None:
    assert read("0 1\n\n# nothing\n0 x\n0 2\n")[:2] == (tag_text.IN_TIME + tag_text.BAD_NUMBER, 3)


WORDS = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 100), st.integers(2**63 - 5, 2**63 + 5))


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS, st.one_of(st.integers(1, 2**63 - 1), st.integers(1, 100)))
@example([2**64 - 1], 2**64 - 1, 2**63 - 1)
@example([5, 15, 25], 1, 10)
def test_scaling_rounds_as_fractions_do(values: list[int], factor: int, divisor: int) -> None:
    expected = [round(reference.Fraction(value * factor, divisor)) for value in values]
    scaled = np.zeros(len(values), dtype=np.uint64)
    given_values = np.array(values, dtype=np.uint64)
    fits = tag_text.scale_and_round(given_values, np.uint64(factor), np.uint64(divisor), scaled)
    assert fits == (max(expected) < LIMIT)
    if fits:
        assert scaled.tolist() == expected


@given(st.lists(st.integers(-3, 9)), st.lists(st.integers(-3, 9), unique=True))
def test_codes_are_found(values: list[int], codes: list[int]) -> None:
    places = np.zeros(len(values), dtype=np.uint8)
    tag_text.find_codes(np.array(values, dtype=np.int64), np.array(codes, dtype=np.int64), places)
    assert places.tolist() == [codes.index(value) if value in codes else 255 for value in values]


@pytest.mark.parametrize("text", ["", "\n", "\r\n", "#\n", " \t \n"])
def test_empty_lines_are_no_clicks(text: str) -> None:
    fault, lines, channels, _, _, _ = read(text)
    assert (fault, lines, channels.size) == (tag_text.NO_FAULT, text.count("\n"), 0)
