"""The shipped family and how it was designed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import galois
import numpy as np
import pytest

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation import codes as tables
from qkdpost.reconciliation.ldpc import codes as ldpc_codes
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, code_names, load_code, manifest
from qkdpost.reconciliation.ldpc.frame_layout import HEAVY_SHARES, puncturable_count, puncturing_order
from qkdpost.reconciliation.ldpc_design.build import base_rank, build_code, rank, search_family, write_family
from qkdpost.reconciliation.ldpc_design.degree_search import threshold_efficiency
from qkdpost.reconciliation.ldpc_design.density_evolution import Ensemble
from qkdpost.reconciliation.ldpc_design.family import members
from qkdpost.reconciliation.ldpc_design.lifting import base_graph, count_short_cycles, lift
from reference.belief import dense_matrix


@pytest.mark.parametrize("name", code_names())
def test_tables_match_their_manifest(name: str) -> None:
    code, entry = load_code(name), manifest()["codes"][name]
    assert base_rank(code) == code.rows
    assert entry["rank"] == code.syndrome_bits
    degrees, counts = np.unique(code.column_degrees(), return_counts=True)
    assert dict(zip(map(str, degrees), counts.tolist(), strict=True)) == entry["column_degrees"]
    assert count_short_cycles(code) == entry["four_cycles"]
    assert entry["puncturable_bits"] == puncturable_count(name)
    counts_of_orders = [puncturing_order(code, share).size for share in HEAVY_SHARES]
    assert counts_of_orders == sorted(counts_of_orders)
    assert entry["well_puncturable_bits"] == counts_of_orders[0]
    if code.frame_bits > 1 << 14 and "layers" not in entry["search"]:
        assert entry["four_cycles"] == 0
    rows = np.bincount(code.edges[:, 0])
    assert rows.max() - rows.min() <= 1


def test_the_family_is_dense_in_rate_and_offers_four_lengths() -> None:
    entries = list(manifest()["codes"].values())
    lengths = sorted({entry["columns"] * entry["size"] for entry in entries})
    assert lengths == [1 << 14, 1 << 16, 1 << 18, 1 << 20]
    for length in lengths:
        rates = sorted(
            entry["rows"] / entry["columns"] for entry in entries if entry["columns"] * entry["size"] == length
        )
        assert 256 * rates[0] <= (5 if length == 1 << 16 else 13)
        assert 256 * rates[-1] >= 150
        # Of few checks there are fewer codes: a third of them punctured reaches the next.
        assert all(right <= (1.34 if 256 * left < 12 else 1.16) * left for left, right in itertools.pairwise(rates))


def test_the_shipped_names_are_those_of_the_family() -> None:
    assert code_names() == tuple(member.name for member in members())


def _digest_again(name: str) -> str:
    entry = manifest()["codes"][name]
    columns = {int(degree): count for degree, count in entry["column_degrees"].items()}
    return build_code(entry["rows"], columns, entry["size"], entry["seed"]).digest()


@pytest.mark.parametrize("name", ["qc012-0064", "qc012-0128", "qc052-0064", "qc124-1024"])
def test_a_table_comes_out_again_from_degrees_and_seed(name: str) -> None:
    assert _digest_again(name) == manifest()["codes"][name]["digest"]


@pytest.mark.slow
@pytest.mark.parametrize("name", code_names())
def test_every_table_comes_out_again(name: str) -> None:
    assert _digest_again(name) == manifest()["codes"][name]["digest"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qc012-0128", "qc046-0128", "qc034-0256", "qc028-0512"])
def test_degrees_come_out_again_from_the_search(name: str) -> None:
    """Another machine's transforms may end a column beside: then the degrees must be as good as those shipped."""
    entry = manifest()["codes"][name]
    columns = search_family([name])[name]
    if columns != entry["column_degrees"]:
        ensemble = Ensemble(rows=entry["rows"], columns={int(degree): count for degree, count in columns.items()})
        layers = entry["search"].get("layers", 1)
        threshold = threshold_efficiency(ensemble, 160 // min(layers, 2), start=1.3, layers=layers)
        assert threshold == pytest.approx(entry["threshold_efficiency"]["accurate"], abs=0.005)


def test_the_manifest_and_tables_are_written_as_shipped(tmp_path: Path) -> None:
    name = "qc012-0064"
    entry = manifest()["codes"][name]
    shipped = Path(tables.__file__).parent
    (tmp_path / "manifest.json").write_text((shipped / "manifest.json").read_text(encoding="utf-8"), encoding="utf-8")
    write_family({name: entry["column_degrees"]}, tmp_path)
    written = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert written["codes"] == {name: entry}
    assert (tmp_path / f"{name}.bin").read_bytes() == (shipped / f"{name}.bin").read_bytes()


def test_a_damaged_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    name = code_names()[0]
    load_code.cache_clear()
    monkeypatch.setitem(manifest()["codes"][name], "digest", "0" * 64)
    with pytest.raises(ConfigurationError):
        load_code(name)
    with pytest.raises(InputError):
        load_code("none")


@pytest.mark.parametrize("columns", [{2: 3, 3: 8}, {3: 6, 4: 4}, {2: 2, 4: 8}])
def test_rank_agrees_with_galois_and_with_the_base_matrix(columns: dict[int, int]) -> None:
    code = lift(4, columns, 64, seed=5)
    matrix = dense_matrix(code)
    by_galois = int(np.linalg.matrix_rank(galois.GF2(matrix)))
    packed = np.packbits(matrix, axis=1, bitorder="little").view("<u8").astype(np.uint64)
    assert rank(packed) == by_galois
    assert (base_rank(code) == code.rows) == (by_galois == code.syndrome_bits)


def test_syndromes_agree_with_the_dense_product() -> None:
    for size in (64, 128, 256):
        code = lift(5, {2: 4, 3: 9, 5: 3}, size, seed=size)
        generator = np.random.default_rng(size)
        frames = generator.integers(0, 2, (7, code.frame_bits), dtype=np.uint8)
        packed = np.packbits(frames, axis=1, bitorder="little").view("<u8").astype(np.uint64)
        output = np.zeros((7, code.syndrome_bits // 64), dtype=np.uint64)
        compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, packed, output)
        expected = frames.astype(np.int64) @ dense_matrix(code).T.astype(np.int64) % 2
        found = np.unpackbits(output.astype("<u8").view(np.uint8), axis=1, bitorder="little")
        assert np.array_equal(found, expected)


def test_lifting_closes_no_cycle_of_four_and_finds_those_that_are_there() -> None:
    assert count_short_cycles(lift(8, {2: 7, 3: 20, 4: 5}, 64, seed=1)) == 0
    edges = np.array([[0, 0, 0], [0, 1, 0], [0, 2, 1], [1, 0, 5], [1, 1, 5], [1, 2, 9]], dtype=np.uint16)
    assert count_short_cycles(QuasiCyclicCode(rows=2, columns=3, size=64, edges=edges)) == 1


def test_where_cycles_of_four_are_left_no_choice_few_are_closed() -> None:
    """Three rows that every column meets: 64 differences for 100 columns, so at least 36 pairs agree in each."""
    code = lift(3, {3: 100}, 64, seed=2)
    assert 3 * 36 <= count_short_cycles(code) <= 3 * 40


def test_columns_of_degree_two_form_one_chain() -> None:
    graph = base_graph(6, {2: 5, 3: 11, 6: 2}, seed=3)
    assert graph[:5] == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]
    assert sorted(len(column) for column in graph) == [2] * 5 + [3] * 11 + [6] * 2
    assert all(len(set(column)) == len(column) for column in graph)
    with pytest.raises(InputError):
        base_graph(5, {2: 5, 3: 5}, seed=0)


def test_codes_that_cannot_be_are_refused() -> None:
    good = np.array([[0, 0, 0], [0, 1, 63], [0, 2, 1]], dtype=np.uint16)
    for rows, columns, size, edges in (
        (1, 3, 63, good),
        (1, 3, 32, good),
        (3, 3, 64, good),
        (1, 2, 64, good),
        (1, 4, 64, good),
        (1, 3, 64, good[::-1].copy()),
        (1, 3, 64, good.astype(np.int32)),
        (1, 3, 64, np.array([[0, 0, 64], [0, 1, 0], [0, 2, 0]], dtype=np.uint16)),
    ):
        with pytest.raises(InputError):
            QuasiCyclicCode(rows=rows, columns=columns, size=size, edges=edges)


def test_the_module_names_what_it_offers() -> None:
    assert set(ldpc_codes.__all__) <= set(dir(ldpc_codes))
