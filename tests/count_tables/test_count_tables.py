"""Counts of an experiment become a tally, from files and data frames, or are refused with line and column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.count_tables.names import NAMES
from qkdpost.errors import InputError

WIDE = """intensity,probability,key_detected,test_detected,test_errors,key_errors
0.5,0.7,28000000,3500000,35000,280000
0.1,0.2,1600000,200000,2100,17000
0,0.1,12000,1500,750,6000
"""
LONG = """# run 7; Z makes key
Intensity ; Basis ; Sent ; Detected ; Errors ; note
0.1; test; 20000; 2000; 21; b
0.5; key; 630000; 280000; 2800; a

0.5; test; 70000; 35000; 350; "c; d"
0.1; key; 180000; 16000; 170; e
"""
EXPECTED = qp.DecoyTally(
    intensities=(0.5, 0.1, 0.0),
    probabilities=(0.7, 0.2, 0.1),
    key_counts=(28_000_000, 1_600_000, 12_000),
    test_counts=(3_500_000, 200_000, 1_500),
    test_errors=(35_000, 2_100, 750),
    key_errors=(280_000, 17_000, 6_000),
)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "counts.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_row_for_each_intensity(tmp_path: Path) -> None:
    assert qp.DecoyTally.from_counts(written(tmp_path, WIDE)) == EXPECTED


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace(",", " , "),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("intensity,", "Mean photon number,").replace("key_detected", "Key-Counts"),
        lambda text: text.replace("28000000", "2.8e7").replace("12000,", "12000.0,"),
        lambda text: "\n".join([text.split("\n")[0], *sorted(text.strip().split("\n")[1:])]),
        lambda text: text.replace("0.5,0.7", '"0.5","0.7"'),
    ],
)
def test_files_differ_in_form_and_not_in_counts(change: Callable[[str], str], tmp_path: Path) -> None:
    assert qp.DecoyTally.from_counts(written(tmp_path, change(WIDE))) == EXPECTED


def test_a_row_for_each_intensity_and_basis(tmp_path: Path) -> None:
    tally = qp.DecoyTally.from_counts(written(tmp_path, LONG), probabilities=(0.78, 0.22))
    assert (tally.intensities, tally.probabilities) == ((0.5, 0.1), (0.78, 0.22))
    assert (tally.key_counts, tally.test_counts) == ((280_000, 16_000), (35_000, 2_000))
    assert (tally.test_errors, tally.key_errors) == ((350, 21), (2_800, 170))


def test_names_of_intensities_and_bases_are_said(tmp_path: Path) -> None:
    text = LONG.replace("0.5", "Signal").replace("0.1", "decoy").replace("key", "Z").replace("test", "x")
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=r"line 3: basis must be key or test, or 0 or 1; found 'x'.*key_basis="):
        qp.DecoyTally.from_counts(path)
    with pytest.raises(InputError, match=r"mean numbers of photons; found decoy, signal.*intensities=\{'decoy'"):
        qp.DecoyTally.from_counts(path, key_basis="Z")
    tally = qp.DecoyTally.from_counts(
        path,
        key_basis="z",
        intensities={"signal": 0.5, "decoy": (0.09, 0.11)},
        probabilities={"decoy": 0.22, "signal": 0.78},
    )
    assert (tally.intensities, tally.probabilities) == ((0.5, (0.09, 0.11)), (0.78, 0.22))


@pytest.mark.parametrize("numbers", ["int64", "float64", "Int64", object])
def test_data_frames_and_mappings_of_columns(numbers: Any, tmp_path: Path) -> None:
    frame = pd.read_csv(written(tmp_path, WIDE))
    counts = [name for name in frame.columns if name not in ("intensity", "probability")]
    frame = frame.astype(dict.fromkeys(counts, numbers)).sample(frac=1.0, random_state=1)
    assert qp.DecoyTally.from_counts(frame) == EXPECTED
    assert qp.DecoyTally.from_counts({name: list(frame[name]) for name in frame.columns}) == EXPECTED
    assert qp.DecoyTally.from_counts({name: frame[name].to_numpy() for name in frame.columns}) == EXPECTED


def test_errors_of_the_key_may_be_unknown(tmp_path: Path) -> None:
    assert (
        qp.DecoyTally.from_counts(written(tmp_path, LONG.replace("2800;", ";")), probabilities=(0.78, 0.22)).key_errors
        is None
    )
    table = {"basis": ["key", "test"], "detected": [900, 100], "errors": [np.nan, 3]}
    assert qp.Tally.from_counts(pd.DataFrame(table)) == qp.Tally(key_bits=900, test_bits=100, test_errors=3)


def test_the_observed_error_rate_is_that_of_the_key_where_it_is_known(tmp_path: Path) -> None:
    tally = qp.DecoyTally.from_counts(written(tmp_path, WIDE))
    assert tally.error_rate == 303_000 / 29_612_000
    assert replace(tally, key_errors=None).error_rate == 37_850 / 3_701_500
    assert qp.Tally(key_bits=9, test_bits=100, test_errors=3).error_rate == 0.03
    with pytest.raises(InputError, match="no error rate: no round of the test basis was compared"):
        qp.Tally(key_bits=9, test_bits=0, test_errors=0).error_rate  # noqa: B018


def test_the_page_names_every_column_and_what_else_it_may_be_called() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "own_data.md").read_text(encoding="utf-8")
    rows = {row[0]: row[2] for row in re.findall(r"^\| `(\w+)` \| (.*?) \|(.*)\|$", page, flags=re.MULTILINE)}
    for name, others in NAMES.items():
        assert tuple(re.findall(r"`(\w+)`", rows[name])) == others, name


def test_counts_of_two_bases_alone(tmp_path: Path) -> None:
    expected = qp.Tally(key_bits=900, test_bits=100, test_errors=3)
    for text in (
        "basis,detected,errors\ntest,100,3\nkey,900,20\n",
        "basis,detected,errors\n1,100,3\n0,900,20\n",
        "key_bits,test_bits,test_errors\n900,100,3\n",
    ):
        assert qp.Tally.from_counts(written(tmp_path, text)) == expected
    with pytest.raises(InputError, match=r"several intensities: DecoyTally\.from_counts"):
        qp.Tally.from_counts(written(tmp_path, WIDE))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "0.1,0.2,1600000",
            "0.1,0.2,16OOOOO",
            r"line 3: column 'key_detected' must be a whole.*found '16OOOOO'",
        ),
        ("0.1,0.2,1600000", "0.1,0.2,1600000.5", r"line 3: column 'key_detected' must be a whole number"),
        ("0.1,0.2,1600000", "0.1,0.2,-1", r"line 3: column 'key_detected'.*found '-1'"),
        ("0.1,0.2,1600000", "0.1,0.2,", r"line 3: column 'key_detected'.*found nothing"),
        ("0.1,0.2,1600000", "0.1,0.2,nan", r"line 3: column 'key_detected'.*found 'nan'"),
        ("0.1,0.2,1600000", "0.1,0.2,1,600,000", r"line 3: must have 6 cells.*found 8\. Numbers have a point"),
        ("2100,", "300000,", r"line 3: errors must not exceed detections; found 300000 of 200000"),
        ("0.1,0.2", "0.5,0.2", "line 3: these counts stand in line 2 already"),
        ("test_errors", "test_faults", r"must have a column test_errors \(or test_error_counts\); found 'intensity'"),
        ("intensity,", "laser,", r"must have a column intensity \(or mu"),
        ("key_errors", "test_error_counts", "columns 'test_errors' and 'test_error_counts' both mean test_errors"),
        ("probability", "weight", "must have a column probability, or give probabilities="),
        (",0.7,", ",0.8,", "probabilities must add up"),
        ('"', '"', ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, WIDE.replace(old, new))
    if not message:
        return
    with pytest.raises(InputError, match=message):
        qp.DecoyTally.from_counts(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "must have a line with the names of columns and 1 ... 1000 lines"),
        (b"intensity,probability\n", "found 1 lines in all"),
        (b"\xff\xfei\0n\0", "must be text in UTF-8"),
        (b"PK\3\4\0\0", "must be text in UTF-8"),
        (b"a" * (2**20 + 1), "at most 1 MiB"),
        (b'a,b\n"1,2\n', "line 2: is no line of CSV"),
    ],
)
def test_other_files_are_refused(text: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        qp.DecoyTally.from_counts(written(tmp_path, text))


def test_points_between_thousands_are_not_taken_for_decimals(tmp_path: Path) -> None:
    for errors in ("35.000", "2.000", "1.000"):
        with pytest.raises(InputError, match="point, which some put between thousands"):
            qp.DecoyTally.from_counts(written(tmp_path, WIDE.replace(",35000,", f",{errors},")))
    assert qp.DecoyTally.from_counts(written(tmp_path, WIDE.replace(",35000,", ",35000.0,"))) == EXPECTED


def test_labels_that_begin_at_one_are_not_taken_for_photon_numbers(tmp_path: Path) -> None:
    text = WIDE.replace("\n0,0.1", "\n3,0.1").replace("0.5,", "1,").replace("0.1,0.2", "2,0.2")
    with pytest.raises(InputError, match="mean numbers of photons"):
        qp.DecoyTally.from_counts(written(tmp_path, text))


def test_labels_are_not_taken_for_photon_numbers(tmp_path: Path) -> None:
    text = WIDE.replace("0.5,", "0,").replace("0.1,0.2", "1,0.2").replace("\n0,0.1", "\n2,0.1")
    with pytest.raises(InputError, match="mean numbers of photons"):
        qp.DecoyTally.from_counts(written(tmp_path, text))
    names = {0: 0.5, 1: 0.1, 2: 0.0}
    assert qp.DecoyTally.from_counts(written(tmp_path, text), intensities=names) == EXPECTED


def test_probabilities_are_compared_with_what_was_sent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the shares sent are \[0.777778, 0.222222\]"):
        qp.DecoyTally.from_counts(written(tmp_path, LONG))
    with pytest.raises(InputError, match=r"0.5 was chosen for 0.777778 .* is 0.22. Are the columns exchanged"):
        qp.DecoyTally.from_counts(written(tmp_path, LONG), probabilities=(0.22, 0.78))
    with pytest.raises(InputError, match="line 4: detected must not exceed sent"):
        qp.DecoyTally.from_counts(written(tmp_path, LONG.replace("630000", "63000")), probabilities=(0.78, 0.22))


@pytest.mark.parametrize(
    "source", [None, 3, b"x", [1], {"a": "b"}, {}, {1: [1]}, "a\0b", pd.Series([1]), {"a": [1, 2], "b": [1]}]
)
def test_what_is_no_table_is_refused(source: Any) -> None:
    for tally in (qp.DecoyTally, qp.Tally):
        with pytest.raises(InputError):
            tally.from_counts(source)


@settings(max_examples=300)
@given(st.text(alphabet="intesyprobalkd_hcu,;\t\n\r \"'#01234.e-+\u00e9\u2028", max_size=120) | st.binary(max_size=80))
def test_any_file_makes_a_tally_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: str | bytes) -> None:
    path = written(tmp_path_factory.getbasetemp(), content)
    for tally in (qp.DecoyTally, qp.Tally):
        with pytest.raises(InputError):
            tally.from_counts(path)


@settings(max_examples=200)
@given(place=st.integers(0, len(WIDE) - 1), sign=st.sampled_from('0189,;.e-"x\n #\t'), insert=st.booleans())
def test_a_slip_of_the_pen_is_refused_or_changes_what_it_says(
    tmp_path_factory: pytest.TempPathFactory, place: int, sign: str, insert: bool
) -> None:
    path = written(tmp_path_factory.getbasetemp(), WIDE[:place] + sign + WIDE[place + (0 if insert else 1) :])
    try:
        tally = qp.DecoyTally.from_counts(path)
    except InputError as error:
        assert str(error)
        return
    assert isinstance(tally, qp.DecoyTally)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0.0, 1.0)), min_size=3, max_size=3))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, float]]) -> None:
    counts = {
        "key_detected": [key for key, _, _ in rows],
        "test_detected": [test for _, test, _ in rows],
        "test_errors": [int(test * share) for _, test, share in rows],
    }
    frame = pd.DataFrame({"intensity": [0.5, 0.1, 0.0], "probability": [0.5, 0.25, 0.25], **counts})
    path = tmp_path_factory.getbasetemp() / "counts.csv"
    frame.to_csv(path, index=False)
    tally = qp.DecoyTally.from_counts(path)
    assert list(tally.key_counts) == counts["key_detected"]
    assert list(tally.test_errors) == counts["test_errors"]
    assert tally == qp.DecoyTally.from_counts(frame)


def test_counts_without_intensities_are_sent_to_the_other_tally(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("basis,detected,errors\nkey,1000000,10000\ntest,100000,1000\n")
    with pytest.raises(qp.InputError, match=r"Tally\.from_counts takes counts without intensities"):
        qp.DecoyTally.from_counts(path)
