"""The shipped family comes out of its seed, has the structure that it claims, and damaged tables are refused."""

from __future__ import annotations

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.reconciliation.ldpc_design.build import rank
from qkdpost.reconciliation.raptor.code import RaptorCode, load_family, manifest
from qkdpost.reconciliation.raptor_design.build import check_families
from qkdpost.reconciliation.raptor_design.lifting import build_family, count_short_cycles


def _degrees(rows: object) -> np.ndarray:
    return np.diff(rows.row_starts.astype(np.int64))  # type: ignore[attr-defined]


def test_the_shipped_family_comes_out_of_its_seed() -> None:
    check_families()


def test_the_precode_has_information_of_degree_3_and_one_zigzag_of_parity() -> None:
    code = load_family()
    assert set(_degrees(code.precode).tolist()) == {5}
    degrees = np.bincount(code.precode.columns.astype(np.int64), minlength=code.core_columns)
    assert set(degrees[: code.info_columns].tolist()) == {3}
    assert set(degrees[code.info_columns :].tolist()) == {2}


def test_the_checks_of_the_precode_are_independent() -> None:
    # The base matrix has full rank, so the lifted one has: circulants of size 2^k are a local ring.
    code = load_family()
    base = np.zeros((code.parity_columns, 128), dtype=np.uint8)
    rows = np.repeat(np.arange(code.parity_columns), _degrees(code.precode))
    base[rows, code.precode.columns.astype(np.int64)] = 1
    assert rank(np.packbits(base, axis=1, bitorder="little").view("<u8").astype(np.uint64)) == code.parity_columns


@pytest.mark.parametrize(
    ("extension_rows", "shares"),
    [
        (120, {3: 0.35, 4: 0.25}),
        (320, {2: 0.125, 3: 0.425, 4: 0.175, 5: 0.075}),
        (720, {2: 0.225, 3: 0.4875, 4: 0.1375, 5: 0.05}),
        (1920, {2: 0.305, 3: 0.46, 4: 0.175, 5: 0.02}),
        (3920, {2: 0.325, 3: 0.46, 4: 0.18, 5: 0.015}),
    ],
)
def test_every_prefix_of_the_extension_has_the_shares_of_its_rate(
    extension_rows: int, shares: dict[int, float]
) -> None:
    code = load_family()
    degrees = _degrees(code.extension.first(extension_rows))
    columns = code.core_columns + extension_rows
    for degree in range(2, 6):
        assert np.count_nonzero(degrees == degree) == pytest.approx(shares.get(degree, 0.0) * columns, abs=1)


def test_edges_of_the_extension_are_spread_evenly() -> None:
    code = load_family()
    for rows in (120, 320, 720, 1920, 3920):
        count = np.bincount(code.extension.first(rows).columns.astype(np.int64), minlength=code.core_columns)
        for part in (count[: code.info_columns], count[code.info_columns :]):
            assert part.max() - part.min() <= 1


def test_there_are_no_cycles_of_length_4() -> None:
    code = load_family()
    assert count_short_cycles(code, code.extension.count, increments=code.increments.count) == 0


def test_a_short_cycle_is_counted() -> None:
    table = np.array(
        [(0, 0, 0, 1), (0, 0, 1, 3), (0, 1, 0, 5), (0, 1, 1, 7), (1, 0, 0, 0), (2, 0, 0, 0)], dtype=np.uint16
    )
    code = RaptorCode.of_table(table, name="small", lift=64, info_columns=1, parity_columns=2)
    assert count_short_cycles(code, 1) == 1


def test_another_seed_makes_another_family_of_the_same_kind() -> None:
    sizes = {"lift": 64, "info_columns": 8, "extension_rows": 100, "increments": 3}
    first, again, other = (build_family("small", **sizes, seed=seed) for seed in (1, 1, 2))
    assert first.digest() == again.digest() != other.digest()
    assert (first.core_bits, first.frame_bits(100), first.syndrome_bits(100)) == (1024, 7424, 6912)


@pytest.mark.parametrize(
    "change",
    [
        {"lift": 96},
        {"lift": 32},
        {"info_columns": 0},
        {"parity_columns": 39},
        {"info_columns": 30},
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, int]) -> None:
    entry = manifest()["families"]["raptor-0512"]
    sizes = {name: entry[name] for name in ("lift", "info_columns", "parity_columns")} | change
    with pytest.raises(InputError):
        RaptorCode.of_table(load_family().table(), name="x", **sizes)


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(InputError, match="no family"):
        load_family("raptor-9999")


def test_more_extension_rows_than_there_are_are_refused() -> None:
    code = load_family()
    for rows in (0, code.extension.count + 1):
        with pytest.raises(InputError, match="extension_rows"):
            code.frame_bits(rows)
