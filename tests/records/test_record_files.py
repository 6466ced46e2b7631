"""Records go to files and come back bit for bit; what was not written by `save` is refused, whatever it is."""

from __future__ import annotations

import io
import os
import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import qkdpost as qp
from qkdpost.errors import InputError
from qkdpost.records import SavedRecord
from qkdpost.records.record_files import FORMAT, VERSION
from qkdpost.sifting import CalibrationSums

RNG = np.random.default_rng(11)
NOISE = RNG.normal(0.0, 1.0, (300, 2)).astype(np.float32)


def summary(detection: str) -> Any:
    sums = CalibrationSums(detection, adc_step=None, random_source=RNG.bytes)  # type: ignore[arg-type]
    for part in (NOISE[:150], NOISE[150:]):
        sums.add(part if detection == "heterodyne" else part[:, 0])
    return sums.result()


RECORDS: dict[str, SavedRecord] = {
    "prepared": qp.PreparedPulses(RNG.integers(0, 2, 77), RNG.integers(0, 2, 77)),
    "decoys": qp.PreparedPulses(RNG.integers(0, 2, 77), RNG.integers(0, 2, 77), RNG.integers(0, 8, 77)),
    "none": qp.PreparedPulses([], []),
    "detections": qp.Detections(2**40, [3, 9, 2**39], [0, 1, 1], [0, 2, 1]),
    "tags": qp.TimeTags([-5, 9, 9], [0, 3, 2], 78.125),
    "symbols": qp.CoherentStates(2 * NOISE, 4.0),
    "heterodyne": qp.QuadratureOutcomes(2 * NOISE, NOISE, 0.6, electronic=0.1 * NOISE),
    "homodyne": qp.QuadratureOutcomes(2 * NOISE[:, 0], NOISE[:, 0], 0.6, quadratures=RNG.integers(0, 2, 300)),
    "integers": qp.QuadratureOutcomes(
        np.rint(2000 * NOISE).astype(np.int16), np.rint(1000 * NOISE).astype(np.int16), 0.6, adc_step=1.0
    ),
    "summed": qp.QuadratureOutcomes(2 * NOISE, summary("heterodyne"), 0.6, electronic=0.1 * NOISE),
    "calibration": summary("homodyne"),
}


@pytest.mark.parametrize("name", RECORDS)
def test_every_type_of_record_comes_back(name: str, tmp_path: Path) -> None:
    record = RECORDS[name]
    qp.save(tmp_path / "record.npz", record)
    found = qp.load(str(tmp_path / "record.npz"))
    assert type(found) is type(record)
    assert found == record


@settings(max_examples=40)
@given(
    st.integers(0, 130).flatmap(
        lambda count: st.tuples(
            arrays_of.arrays(np.uint8, count, elements=st.integers(0, 1)),
            arrays_of.arrays(np.uint8, count, elements=st.integers(0, 2)),
            arrays_of.arrays(np.uint8, count, elements=st.integers(0, 7)),
        )
    )
)
def test_any_record_comes_back(tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Any, Any, Any]) -> None:
    bases, outcomes, labels = drawn
    path = tmp_path_factory.getbasetemp() / "record.npz"
    for record in (
        qp.Detections(len(bases), np.arange(len(bases)), bases, outcomes),
        qp.PreparedPulses(bases, bases, labels),
        qp.TimeTags(np.cumsum(labels, dtype=np.int64), bases, 1.0),
    ):
        qp.save(path, record)
        assert qp.load(path) == record


@pytest.mark.skipif(os.name != "posix", reason="modes of files are those of POSIX")
def test_a_record_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "record.npz"
    path.write_bytes(b"there before")
    path.chmod(0o644)
    qp.save(path, RECORDS["tags"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["record.npz"]


def test_what_stood_there_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.npz"
    qp.save(path, RECORDS["tags"])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        qp.save(path, RECORDS["prepared"])
    assert qp.load(path) == RECORDS["tags"]
    assert [found.name for found in tmp_path.iterdir()] == ["record.npz"]


def good_arrays() -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "record": "TimeTags",
        "ticks": np.array([1, 2]),
        "channels": np.array([0, 3], np.uint8),
        "tick_ps": 4.0,
    }


def test_a_file_that_numpy_wrote_in_the_same_form_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "tags.npz", **good_arrays())
    assert qp.load(tmp_path / "tags.npz") == qp.TimeTags([1, 2], [0, 3], 4.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "that qp.save wrote.*load_time_tags"),
        ({"format": None}, "that qp.save wrote"),
        ({"version": 2}, "has the form 2 of qkdpost-record; this release of qkdpost reads 1"),
        ({"version": 1.0}, "version must not be float64"),
        ({"record": "os.system"}, "record of a known type; found 'os.system'"),
        ({"record": None}, "has no field 'record'"),
        ({"ticks": None}, "has no field 'ticks': it is no whole record"),
        ({"ticks": np.array([2, 1])}, "ticks must be in the order of time"),
        ({"ticks": np.array([1.0, 2.0])}, "ticks must not be float64"),
        ({"channels": np.array([0, 9], np.uint8)}, "channels must be"),
        ({"tick_ps": np.array([4.0])}, "tick_ps must not be float64 of shape"),
        ({"tick_ps": np.nan}, "tick_ps must be"),
        ({"more": 1}, "has fields that no such record has: 'more'"),
        ({"ticks": np.array([1, object()])}, "pickled object"),
        ({"ticks": np.zeros((1, 1, 2))}, "at most two dimensions"),
        ({"ticks": np.array([1, 2], "datetime64[s]")}, "must hold numbers or text"),
    ],
)
def test_a_record_in_another_form_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    changed = {name: value for name, value in (good_arrays() | changes).items() if value is not None}
    np.savez(tmp_path / "tags.npz", **changed)
    with pytest.raises(InputError, match=message) as caught:
        qp.load(tmp_path / "tags.npz")
    assert "tags.npz" in str(caught.value)


def member(header: str, data: bytes) -> bytes:
    text = header.encode() + b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def test_an_array_that_claims_to_be_larger_than_the_file_is_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "huge.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ticks.npy", member("{'descr': '<i8', 'fortran_order': False, 'shape': (10**15,)}", b""))
    with pytest.raises(InputError, match="header"):
        qp.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "ticks.npy", member("{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,)}", b"12")
        )
    with pytest.raises(InputError, match="as many numbers as it says"):
        qp.load(path)


def test_packed_files_pickles_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    with path.open("wb") as file:
        np.savez_compressed(file, **good_arrays())
    with pytest.raises(InputError, match="must not be compressed"):
        qp.load(path)
    for content in (b"", b"PK", b"PK\3\4" + bytes(40), pickle.dumps([1]), b"1 2\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"other.*(begins otherwise. Files of taggers|cannot be unpacked)"):
            qp.load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", b"hello")
    with pytest.raises(InputError, match="must hold up to 64 arrays"):
        qp.load(path)
    with pytest.raises(FileNotFoundError):
        qp.load(tmp_path / "none.npz")


@settings(max_examples=150)
@given(place=st.integers(0, 10**6), value=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_file_is_refused_or_gives_the_same_record(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, cut: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "record.npz"
    buffer = io.BytesIO()
    np.savez(buffer, **good_arrays())
    data = bytearray(buffer.getvalue())
    place %= len(data)
    data[place] ^= value
    path.write_bytes(data[:place] if cut else data)
    try:
        found = qp.load(path)
    except InputError as error:
        assert "record.npz" in str(error)
        return
    assert found == qp.TimeTags([1, 2], [0, 3], 4.0)


def test_the_type_may_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "record.npz"
    qp.save(path, RECORDS["tags"])
    tags: qp.TimeTags = qp.load(path, qp.TimeTags)
    assert tags == RECORDS["tags"]
    with pytest.raises(InputError, match="must hold Detections; found TimeTags"):
        qp.load(path, qp.Detections)
    for wrong in (str, "TimeTags", 3, qp.LinkConfig):
        with pytest.raises(InputError, match="record_type must be one of the classes"):
            qp.load(path, wrong)  # type: ignore[call-overload]


@pytest.mark.parametrize("path", [None, 3, b"x", ["x"], "a\0b"])
def test_what_is_no_path_or_no_record_is_refused(path: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="path must be"):
        qp.save(path, RECORDS["tags"])
    with pytest.raises(InputError, match="path must be"):
        qp.load(path)
    with pytest.raises(InputError, match=r"record must be one of PreparedPulses.*Write save\(path, record\)"):
        qp.save(tmp_path / "x", "y")  # type: ignore[arg-type]
