from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.records import TimeTags
from qkdpost.sifting import load_own_time_tags, load_time_tags, tag_files
from reference import tag_text as reference

EIGHT = "".join(f"{number} {10 * number}\n" for number in range(8))
LETTERS = [letter + side for side in "12" for letter in "HVDA"]


def clicks(*sides: TimeTags) -> list[tuple[list[int], list[int]]]:
    return [(side.ticks.tolist(), side.channels.tolist()) for side in sides]


BOTH = [([0, 10, 20, 30], [0, 1, 2, 3]), ([40, 50, 60, 70], [0, 1, 2, 3])]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tags.txt"


@pytest.mark.parametrize("module", [module.name for module in pkgutil.iter_modules(tag_files.__path__)])
def test_examples_of_docstrings_run(module: str) -> None:
    assert doctest.testmod(importlib.import_module(f"{tag_files.__name__}.{module}")).failed == 0


@pytest.mark.parametrize("first", [1, 100, -8])
def test_numbers_that_are_nobodys_are_told(path: Path, first: int) -> None:
    """Taggers number from 1, or count falling edges as negative: with the usual numbers this gave records of others."""
    path.write_text("".join(f"{number} {10 * place}\n" for place, number in enumerate(range(first, first + 8))))
    with pytest.raises(InputError, match=f"no click of 0 .*It has clicks of .*{first}: 1"):
        load_time_tags(path, 1.0)
    numbers = list(range(first, first + 8))
    assert clicks(*load_time_tags(path, 1.0, alice=numbers[:4], bob=numbers[4:])) == BOTH


def test_exchanged_columns_are_told(path: Path) -> None:
    path.write_text("".join(f"{10 * number} {number}\n" for number in range(8)))
    with pytest.raises(InputError, match=r"column 1 looks like times, column 2 like detectors: give columns=\(1, 0\)"):
        load_time_tags(path, 1.0)
    assert clicks(*load_time_tags(path, 1.0, columns=(1, 0))) == BOTH
    with pytest.raises(InputError, match=r"give columns=\(0, 1\)"):
        path.write_text(EIGHT)
        load_time_tags(path, 1.0, columns=(1, 0))


def test_a_file_of_one_side_is_told_and_has_its_own_function(path: Path) -> None:
    path.write_text("".join(EIGHT.splitlines(True)[:4]))
    with pytest.raises(InputError, match=r"no click of 4 \(bob\[0\]\), 5 \(bob\[1\]\)"):
        load_time_tags(path, 1.0)
    assert clicks(load_own_time_tags(path, 1.0)) == BOTH[:1]
    alice, bob = load_time_tags(path, 1.0, allow_silent=True)
    assert (alice.clicks, bob.clicks) == (4, 0)


def test_clicks_of_others_are_refused_listed_or_ignored(path: Path) -> None:
    path.write_text(EIGHT + "15 71\n9 72\n9 73\n")
    with pytest.raises(InputError, match=r"3 clicks of detectors that are nobody's.*9: 2, 15: 1"):
        load_time_tags(path, 1.0)
    with pytest.raises(InputError, match="2 clicks of detectors that are nobody's"):
        load_time_tags(path, 1.0, others=[15])
    for others in ("ignore", [9, 15], (15, 9, 77)):
        assert clicks(*load_time_tags(path, 1.0, others=others)) == BOTH


def test_an_empty_file_has_no_click(path: Path) -> None:
    path.write_text("")
    with pytest.raises(InputError, match="no click at all"):
        load_time_tags(path, 1.0)


def test_numbers_are_compared_as_integers(path: Path) -> None:
    """Compared as floats, 2^63 - 1 passed for 2^63, and 2^53 + 1 for 2^53."""
    path.write_text(EIGHT.replace("0 0", f"{2**63 - 1} 0").replace("1 10", f"{2**53 + 1} 10"))
    assert clicks(*load_time_tags(path, 1.0, alice=(2**63 - 1, 2**53 + 1, 2, 3))) == BOTH
    for wrong in (2**63, 2**63 - 2):
        with pytest.raises(InputError):
            load_time_tags(path, 1.0, alice=(wrong, 2**53 + 1, 2, 3))
    with pytest.raises(InputError):
        load_time_tags(path, 1.0, alice=(2**63 - 1, 2**53, 2, 3))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"alice": (0, 1, 2)}, "alice must name four different detectors"),
        ({"alice": (0, 1, 2, 2)}, "four different"),
        ({"alice": (0, 1, 2, 4)}, "found twice: 4"),
        ({"others": [0]}, "found twice: 0"),
        ({"others": "drop"}, "'refuse', 'ignore'"),
        ({"others": list(range(100, 400))}, "at most 240"),
        ({"alice": "HVDA"}, "sequence of numbers or names of detectors"),
        ({"alice": ("H", "V", "D", "A")}, "all be numbers or all be names"),
        ({"alice": ("H", "V", "D", "too_long_"), "bob": LETTERS[4:]}, r"alice\[3\] must be a name"),
        ({"alice": (0.0, 1, 2, 3)}, r"alice\[0\] must be an integer"),
        ({"alice": (True, 0, 2, 3)}, r"alice\[0\] must be an integer"),
        ({"tick_ps": 0.0}, "tick_ps"),
        ({"tick_ps": float("nan")}, "tick_ps"),
        ({"tick_ps": 10**400}, "tick_ps"),
        ({"columns": (0, 0)}, "two different"),
        ({"columns": (0, -1)}, r"columns\[1\]"),
        ({"columns": 1}, "columns must be"),
        ({"delimiter": ",,"}, "delimiter must be one character"),
        ({"delimiter": "1"}, "delimiter must be one character"),
        ({"delimiter": "\u00b5"}, "delimiter must be one character"),
        ({"header_lines": -1}, "header_lines"),
        ({"header_lines": 1.0}, "header_lines"),
        ({"time_unit": "seconds"}, "time_unit must be one of"),
        ({"file_format": "csv"}, "file_format must be one of"),
        ({"file_format": "numpy", "delimiter": ","}, "are for text"),
        ({"allow_silent": 1}, "allow_silent"),
        ({"rollover_ticks": 1}, "rollover_ticks"),
        ({"max_disorder_ticks": -1}, "max_disorder_ticks"),
    ],
)
def test_wrong_arguments_are_named(path: Path, arguments: dict[str, object], words: str) -> None:
    path.write_text(EIGHT)
    with pytest.raises(InputError, match=words):
        load_time_tags(path, **{"tick_ps": 1.0, **arguments})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 2 3\n", "more than two columns"),
        ("a b\n", "Letters: header_lines=1 skips a header; name detectors by detectors="),
        ("1 2.5\n", "must be whole; if times are in seconds"),
        ("1\n", "no column 2"),
        ("1,2\n", "give delimiter=','"),
        ("Time;Channel\n1;2\n", "give delimiter=';'; header_lines= skips a header"),
        ("0.5 1\n", r"Are the columns exchanged\? columns=\(1, 0\).*time_unit='s' reads times"),
        ("0 1.2345e+05\n", r"is rounded.*fmt='%d'"),
        ("0 9223372036854775808\n", "less than 2"),
        ("0 1_000\n", "must be a number"),
        ("0 nan\n", "must be a number"),
        ("0 0x10\n", "must be a number"),
    ],
)
def test_a_wrong_line_is_told_with_what_to_do(path: Path, text: str, words: str) -> None:
    path.write_text("# remark\n" + text if text[0] in "0" else text)
    with pytest.raises(InputError, match=words):
        load_time_tags(path, 1.0)


def test_no_message_tells_a_click(path: Path) -> None:
    """The detector of a click is a bit of key."""
    path.write_text(EIGHT + "3 4711x\n3 60\n")
    with pytest.raises(InputError) as caught:
        load_time_tags(path, 1.0)
    assert "4711" not in str(caught.value)
    assert "line 9" in str(caught.value)


def test_steps_back_are_told_with_their_size(path: Path) -> None:
    path.write_text("0 100\n1 63\n" + "".join(f"{number} {100 + number}\n" for number in range(8)))
    with pytest.raises(InputError, match=r"by 37 ticks.*give max_disorder_ticks=37"):
        load_time_tags(path, 1.0)
    alice, _ = load_time_tags(path, 1.0, max_disorder_ticks=37)
    assert clicks(alice) == [([63, 100, 100, 101, 102, 103], [1, 0, 0, 1, 2, 3])]
    with pytest.raises(InputError, match="clicks of alice: entry 1 of ticks lies 37 ticks before"):
        load_time_tags(path, 1.0, max_disorder_ticks=36)


def test_a_counter_that_rolled_over_is_told_and_undone(path: Path) -> None:
    ticks = [100 * place for place in range(40)]
    path.write_text("".join(f"{place % 8} {tick % 1024}\n" for place, tick in enumerate(ticks)))
    with pytest.raises(InputError, match=r"rolled over, give rollover_ticks=2\*\*10"):
        load_time_tags(path, 1.0)
    alice, bob = load_time_tags(path, 1.0, rollover_ticks=2**10)
    assert sorted([*alice.ticks.tolist(), *bob.ticks.tolist()]) == ticks


NUMBERS = st.lists(st.integers(1 - 2**63, 2**63 - 1), min_size=8, max_size=8, unique=True)
NAMES = st.lists(st.text("".join(map(chr, range(33, 127))).translate({35: None, 44: None, 59: None}), min_size=1,
                         max_size=8), min_size=8, max_size=8, unique=True)  # fmt: skip


@settings(max_examples=60)
@given(
    detectors=NUMBERS | NAMES,
    draws=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2**40)), max_size=12),
    columns=st.sampled_from([None, (0, 1), (1, 0), (2, 0), (3, 1)]),
    delimiter=st.sampled_from([None, ",", ";", "\t"]),
    header=st.lists(st.text("Time;Channel \xb5\t", max_size=8), max_size=3),
    line_end=st.sampled_from(["\n", "\r\n"]),
    unit=st.sampled_from(["ticks", "s", "ms", "us", "ns", "ps"]),
    tick_ps=st.sampled_from([1.0, 78.125, 81.0, 1000 / 256, 33.3, 1 / 3, 1e-3]),
    last_line_ends=st.booleans(),
)
def test_every_layout_reads_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    detectors: list[int] | list[str],
    draws: list[tuple[int, int]],
    columns: tuple[int, int] | None,
    delimiter: str | None,
    header: list[str],
    line_end: str,
    unit: str,
    tick_ps: float,
    last_line_ends: bool,
) -> None:
    file = tmp_path_factory.getbasetemp() / "layout.txt"
    rows = [*((number, 0) for number in range(8)), *draws]
    written = []
    channel_column, time_column = columns or (0, 1)
    rows = sorted(rows, key=lambda row: row[1])
    for number, tick in rows:
        fields = ["x"] * (max(channel_column, time_column) + 1)
        fields[channel_column] = str(detectors[number])
        fields[time_column] = str(tick) if unit == "ticks" else f"{tick // 1000}.{tick % 1000:03d}"
        written.append((delimiter or " ").join(fields))
    text = line_end.join([*header, *written]) + (line_end if last_line_ends else "")
    file.write_bytes(text.encode())
    scale = {"ticks": 0, "ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12}[unit]
    expected = [
        (number, reference.in_ticks(f"{tick // 1000}.{tick % 1000:03d}", scale, tick_ps) if scale else tick)
        for number, tick in rows
    ]
    arguments = {"columns": columns, "delimiter": delimiter, "header_lines": len(header), "time_unit": unit}
    if any(tick >= 2**63 for _, tick in expected):
        with pytest.raises(InputError, match="beyond 2"):
            load_time_tags(file, tick_ps, alice=detectors[:4], bob=detectors[4:], **arguments)  # type: ignore[arg-type]
        return
    sides = load_time_tags(file, tick_ps, alice=detectors[:4], bob=detectors[4:], **arguments)  # type: ignore[arg-type]
    for side, tags in enumerate(sides):
        mine = [(tick, number % 4) for number, tick in expected if number // 4 == side]
        assert clicks(tags) == [([tick for tick, _ in mine], [number for _, number in mine])]
        assert tags.ticks.dtype == np.int64


@pytest.mark.slow
def test_ten_million_lines_are_read(tmp_path: Path) -> None:
    size = 10**7
    random = np.random.default_rng(1)
    numbers, ticks = random.integers(0, 8, size), np.cumsum(random.integers(0, 2000, size))
    file = tmp_path / "large.txt"
    with file.open("w") as out:
        for start in range(0, size, 10**6):
            rows = zip(numbers[start : start + 10**6].tolist(), ticks[start : start + 10**6].tolist(), strict=True)
            out.write("".join(f"{number} {tick}\n" for number, tick in rows))
    alice, bob = load_time_tags(file, 1.0)
    assert np.array_equal(alice.ticks, ticks[numbers < 4])
    assert np.array_equal(bob.channels, numbers[numbers >= 4] - 4)
