"""Symbols as laboratories keep them: units told apart, and files that are not what they say."""

from __future__ import annotations

import io
import math
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.sifting import load_coherent_states, load_quadrature_outcomes
from qkdpost.sifting.symbol_files.arrays import read_quadratures, read_reals

RNG = np.random.default_rng(11)
PAIRS = RNG.normal(scale=2.0, size=(2000, 2))
COMPLEX = PAIRS[:, 0] + 1j * PAIRS[:, 1]


def saved(folder: Path, array: Any, name: str = "a.npy", **others: Any) -> Path:
    path = folder / name
    if name.endswith(".npz"):
        np.savez(path, **others)
    else:
        np.save(path, array)
    return path


@pytest.mark.parametrize(
    "stored",
    [
        COMPLEX,
        COMPLEX.astype(np.complex64),
        COMPLEX.astype(">c16"),
        PAIRS,
        PAIRS.astype(np.float32),
        PAIRS.astype(">f8"),
        np.asfortranarray(PAIRS),
        np.asfortranarray(PAIRS.astype(np.float32)),
        np.ascontiguousarray(COMPLEX)[::-1][::-1],
    ],
)
def test_every_form_of_an_array_gives_the_same(tmp_path: Path, stored: Any) -> None:
    for path in (saved(tmp_path, stored), saved(tmp_path, None, "a.npz", symbols=stored)):
        found = read_reals("path", path, columns=2)
        assert found.dtype == np.float32
        assert np.array_equal(found, PAIRS.astype(np.float32))


def test_more_than_a_piece(tmp_path: Path) -> None:
    column = RNG.normal(size=600_001)
    assert np.array_equal(read_reals("path", saved(tmp_path, column), columns=1), column.astype(np.float32))
    table = RNG.normal(size=(300_001, 2))
    for stored in (table, np.asfortranarray(table)):
        assert np.array_equal(read_reals("path", saved(tmp_path, stored), columns=2), table.astype(np.float32))


def test_integers_stay_integers_where_they_fit(tmp_path: Path) -> None:
    codes = RNG.integers(-2000, 2000, size=(500, 2))
    for kind, kept in ((np.int16, np.int16), (np.int8, np.int16), (np.int32, np.float32), (np.uint16, np.float32)):
        stored = (codes % 100).astype(kind)
        found = read_reals("path", saved(tmp_path, stored), columns=2)
        assert found.dtype == kept
        assert np.array_equal(found, stored)
    codes[3, 1] = 2**24 + 1
    with pytest.raises(InputError, match=r"2\^24"):
        read_reals("path", saved(tmp_path, codes), columns=2)


@pytest.mark.parametrize(
    ("units", "factor"), [("shot-noise", 1.0), ("vacuum-half", math.sqrt(0.5)), ("amplitude", 0.5), ("digital", 321.0)]
)
def test_conventions_are_told_apart(tmp_path: Path, units: Any, factor: float) -> None:
    path = saved(tmp_path, COMPLEX * factor)
    found = load_coherent_states(path, units=units, modulation_variance=4.0)
    exact = math.sqrt(4.0 / np.mean(PAIRS**2)) if units == "digital" else 1.0
    assert np.allclose(found.symbols, PAIRS * exact, rtol=1e-6)
    assert load_coherent_states(path, units=units, mean_photons=2.0) == found


@pytest.mark.parametrize(
    ("given", "true"), [("shot-noise", "vacuum-half"), ("vacuum-half", "shot-noise"), ("amplitude", "vacuum-half")]
)
def test_a_wrong_convention_is_refused_with_the_right_one(tmp_path: Path, given: Any, true: str) -> None:
    factors = {"shot-noise": 1.0, "vacuum-half": math.sqrt(0.5), "amplitude": 0.5}
    path = saved(tmp_path, COMPLEX * factors[true])
    with pytest.raises(InputError, match=f"units='{true}'"):
        load_coherent_states(path, units=given, modulation_variance=4.0)


def test_one_statement_of_the_modulation_is_needed(tmp_path: Path) -> None:
    path = saved(tmp_path, COMPLEX)
    for stated in ({}, {"modulation_variance": 4.0, "mean_photons": 2.0}, {"mean_photons": 0.0}):
        with pytest.raises(InputError, match=r"modulation_variance|mean_photons"):
            load_coherent_states(path, units="shot-noise", **stated)
    with pytest.raises(InputError, match="units"):
        load_coherent_states(path, units="snu", mean_photons=2.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="zero"):
        load_coherent_states(saved(tmp_path, np.zeros((5, 2))), units="digital", mean_photons=2.0)
    with pytest.raises(InputError, match="NaN"):
        load_coherent_states(
            saved(tmp_path, np.where(COMPLEX.real > 5, np.nan, COMPLEX)), units="digital", mean_photons=2
        )


def test_a_record_with_calibration(data_directory: Path) -> None:
    """Shared with its true values: V_A 4, T 0.5, eta 0.7, v 0.08, xi 0.02, 1234.5 squared counts of shot noise."""
    path = data_directory / "cv_synthetic" / "synthetic_gmcs_het.npz"
    alice = load_coherent_states(path, units="shot-noise", modulation_variance=4.0, array="alice_snu")
    bob = load_quadrature_outcomes(
        (path, "bob_raw"),
        electronic_shot=(path, "electronic_shot_raw"),
        electronic=(path, "electronic_raw"),
        efficiency=0.7,
    )
    x = alice.symbols.astype(np.float64).ravel()
    y = bob.values.astype(np.float64).ravel()
    shot = np.mean(bob.electronic_shot.astype(np.float64) ** 2)
    assert bob.electronic is not None
    vacuum = shot - np.mean(bob.electronic.astype(np.float64) ** 2)
    t = float(x @ y / (x @ x)) / math.sqrt(vacuum)
    assert (alice.events, bob.events) == (40_000, 40_000)
    assert x @ x == pytest.approx(319622.1323803958, rel=1e-9)
    assert t == pytest.approx(0.41390866141330857, rel=1e-9)


def test_symbols_of_a_real_receiver(data_directory: Path, tmp_path: Path) -> None:
    """Two records of 50,000 complex symbols of a receiver in its laboratory, without calibration."""
    for name in ("qosst_bob_after_dsp.npz", "qosst_bob_result_basic.npz"):
        found = read_reals("outcomes", data_directory / "qosst_symbols" / name, columns=2)
        assert found.shape == (50_000, 2)
        with np.load(data_directory / "qosst_symbols" / name) as stored:
            assert np.array_equal(found[:, 0] + 1j * found[:, 1], stored["result"])
            louder = saved(tmp_path, stored["result"] * math.sqrt(2.0))
        with pytest.raises(InputError, match="below that of electronic_shot"):  # as where only one was divided by it
            load_quadrature_outcomes(data_directory / "qosst_symbols" / name, electronic_shot=louder, efficiency=0.5)


def test_homodyne_detection(tmp_path: Path) -> None:
    values, chosen = RNG.normal(size=4000), RNG.integers(0, 2, size=4000)
    files = {
        "electronic_shot": saved(tmp_path, RNG.normal(size=3000) * 0.9, "s.npy"),
        "electronic": saved(tmp_path, RNG.normal(size=3000) * 0.1, "e.npy"),
        "quadratures": saved(tmp_path, chosen.astype(bool), "q.npy"),
    }
    outcomes = saved(tmp_path, values, "v.npy")
    found = load_quadrature_outcomes(outcomes, detection="homodyne", efficiency=0.6, **files)
    assert found.detection == "homodyne"
    assert found.quadratures is not None
    assert np.array_equal(np.asarray(found.quadratures), chosen)
    with pytest.raises(InputError, match="quadrature was measured"):
        load_quadrature_outcomes(
            outcomes, electronic_shot=files["electronic_shot"], detection="homodyne", efficiency=0.6
        )
    with pytest.raises(InputError, match="quadrature was measured"):
        load_quadrature_outcomes(outcomes, efficiency=0.6, **files)
    with pytest.raises(InputError, match="0 for x"):
        read_quadratures("quadratures", saved(tmp_path, chosen + 1))
    with pytest.raises(InputError, match="0 for x"):
        read_quadratures("quadratures", saved(tmp_path, chosen.astype(float)))
    with pytest.raises(InputError, match="real numbers"):
        read_reals("outcomes", saved(tmp_path, COMPLEX), columns=1)


class Exploit:
    """Writes a file where it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.target, "owned")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    target = tmp_path / "owned"
    exploit = np.empty(1, dtype=object)
    exploit[0] = Exploit(target)
    np.save(tmp_path / "o.npy", exploit, allow_pickle=True)
    np.savez(tmp_path / "o.npz", symbols=exploit, allow_pickle=True)
    (tmp_path / "p.npy").write_bytes(pickle.dumps(Exploit(target)))
    for name in ("o.npy", "p.npy"):
        with pytest.raises(InputError, match="pickled"):
            read_reals("path", tmp_path / name, columns=2)
    with pytest.raises(InputError, match="pickled"):
        read_reals("path", (tmp_path / "o.npz", "symbols"), columns=2)
    assert not target.exists()


def header(shape: str, descr: str = "'<c8'", version: tuple[int, int] = (1, 0)) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version[0] == 1 else "<I", len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00",
        header("(1000000000000,)"),
        header("(268435457,)"),
        header("(-1,)"),
        header("(True,)"),
        header("(3.0,)"),
        header("(2, 2, 2)"),
        header("()"),
        header("(3,)") + b"\0" * 23,
        header("(3,)") + b"\0" * 25,
        header("(3,)", "'|O'"),
        header("(3,)", "'<U4'"),
        header("(3,)", "'|b1'") + b"\0\0\0",
        header("(3,)", "'<M8[s]'") + b"\0" * 24,
        header("(3,)", "[('x', '<f4'), ('p', '<f4')]") + b"\0" * 24,
        header("(3,)", "('<f4', (2,))") + b"\0" * 24,
        header("(3,)", "'<f4'") + b"\0" * 12,
        header("(2, 5)", "'<f4'") + b"\0" * 40,
        header("(3,)", "'nonsense'"),
        header("(" * 500 + ")" * 500),
        header("(3,)", version=(2, 0)) + b"\0" * 7,
        header("(3,)", version=(3, 0)) + b"\0" * 24,
        b"PK\x03\x04 no archive",
        b"text, and no array",
    ],
)
def test_hostile_files_are_refused_before_memory_is_taken(tmp_path: Path, data: bytes) -> None:
    plain = tmp_path / "a.npy"
    plain.write_bytes(data)
    packed = tmp_path / "a.npz"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("symbols.npy", data)
    for path in (plain, packed):
        tracemalloc.start()
        try:
            with pytest.raises(InputError):
                read_reals("path", path, columns=2)
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "good.npz", symbols=COMPLEX)
    data = (tmp_path / "good.npz").read_bytes()
    path = tmp_path / "bad.npz"
    for cut in (10, len(data) // 2, len(data) - 30):
        path.write_bytes(data[:cut])
        with pytest.raises(InputError):
            read_reals("path", path, columns=2)
    refused = 0
    for place in range(0, len(data), 97):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        try:
            found = read_reals("path", path, columns=2)
        except InputError:
            refused += 1
        else:  # dates and other fields that mean nothing
            assert np.array_equal(found, PAIRS.astype(np.float32))
    assert refused > len(data) // 97 * 0.9


def test_an_archive_that_points_before_its_beginning(tmp_path: Path) -> None:
    path = saved(tmp_path, None, "a.npz", symbols=COMPLEX)
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", len(data))  # the directory is as long as all of the file
    path.write_bytes(data)
    with pytest.raises(InputError, match="unpacked"):
        read_reals("path", path, columns=2)


def test_files_changed_at_random_are_read_or_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    files = []
    for stored in (PAIRS[:40], COMPLEX[:40], np.asfortranarray(PAIRS[:40]), PAIRS[:40, 0]):
        for save in (np.save, np.savez, np.savez_compressed):
            buffer = io.BytesIO()
            save(buffer, stored)
            files.append(buffer.getvalue())
    path = tmp_path / "changed"
    for _ in range(500):
        data = bytearray(files[rng.integers(len(files))])
        for _ in range(rng.integers(1, 4)):
            place = int(rng.integers(len(data)))
            data[place : place + int(rng.integers(2))] = rng.bytes(int(rng.integers(3)))
        path.write_bytes(data)
        for columns in (1, 2):
            try:
                found = read_reals("path", path, columns=columns)
            except InputError as error:
                assert len(str(error)) < 1000
            else:
                assert found.size <= 80


def test_an_array_of_an_archive_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, None, "a.npz", alice=COMPLEX, bob=COMPLEX)
    with pytest.raises(InputError, match="'alice', 'bob'"):
        read_reals("path", path, columns=2)
    with pytest.raises(InputError, match="'carol'"):
        read_reals("path", (path, "carol"), columns=2)
    assert len(read_reals("path", (path, "bob"), columns=2)) == len(COMPLEX)
    buffer = io.BytesIO()
    np.save(buffer, COMPLEX)
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("alice.npy", buffer.getvalue())
        archive.writestr("alice.npy", buffer.getvalue())
    with pytest.raises(InputError, match="twice"):
        read_reals("path", (path, "alice"), columns=2)
    plain = saved(tmp_path, COMPLEX)
    with pytest.raises(InputError, match=r"no \.npz"):
        read_reals("path", (plain, "alice"), columns=2)
    for wrong in (3, (plain,), (plain, 3), None):
        with pytest.raises(InputError, match="path"):
            read_reals("path", wrong, columns=2)  # type: ignore[arg-type]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_coherent_states(tmp_path / "none.npy", units="shot-noise", mean_photons=1.0)


def test_the_argument_that_is_no_path_is_named(tmp_path: Path) -> None:
    plain = saved(tmp_path, COMPLEX)
    for wrong in (3, (3, "bob"), b"a.npy", "ftp://a.npy", "a\0b"):
        with pytest.raises(InputError, match=r"^electronic_shot must"):
            load_quadrature_outcomes(plain, electronic_shot=wrong, efficiency=0.5)  # type: ignore[arg-type]
