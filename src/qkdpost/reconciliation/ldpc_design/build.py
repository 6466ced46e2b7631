"""Designing the shipped family of codes: from the searches of `family` to tables and manifest, and back.

Not needed at run time. The commands of ``python -m qkdpost.reconciliation.ldpc_design.build``:

- ``degrees NAME ...`` searches the column degrees of codes again and compares them with the manifest. That search uses
  transforms and linear programs, so another machine may end one column beside; the degrees kept in the manifest decide.
- ``check`` builds every shipped table again from its degrees and seed, by integers alone, and compares.
- ``search FILE`` writes the degrees of all codes to a JSON file, and ``build FILE`` tables and manifest from there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation import codes as tables
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, code_names, manifest
from qkdpost.reconciliation.ldpc.frame_layout import HEAVY_SHARES, puncturing_order, untainted_bits
from qkdpost.reconciliation.ldpc_design.degree_search import threshold_efficiency
from qkdpost.reconciliation.ldpc_design.density_evolution import FINE, Ensemble, error_rate_of_efficiency
from qkdpost.reconciliation.ldpc_design.family import Member, decoder_arithmetic, find_degrees, members
from qkdpost.reconciliation.ldpc_design.lifting import count_short_cycles, lift

__all__ = ["base_rank", "build_code", "change_manifest", "check_family", "rank", "write_family"]

Words = NDArray[np.uint64]
_ITERATIONS = {"fast": 80, "accurate": 160}
"""Flooding iterations within which an ensemble must converge for its threshold, about twice those of the decoder."""
_TABLE_DIRECTORY = Path(tables.__file__).parent
_SEEDS = 20


def rank(matrix: Words) -> int:
    """Return the rank over GF(2) of packed rows, uint64, shape (rows, words)."""
    rows = matrix.copy()
    found = 0
    for word in range(rows.shape[1]):
        for offset in range(64):
            column = (rows[found:, word] >> np.uint64(offset)) & np.uint64(1)
            ones = np.flatnonzero(column)
            if not ones.size:
                continue
            pivot = found + ones[0]
            rows[[found, pivot]] = rows[[pivot, found]]
            others = found + ones[1:]
            rows[others] ^= rows[found]
            found += 1
            if found == rows.shape[0]:
                return found
    return found


def base_rank(code: QuasiCyclicCode) -> int:
    """Return the rank of the base matrix; the code's checks are independent exactly if it is `code.rows`."""
    base = np.zeros((code.rows, -(-code.columns // 64) * 64), dtype=np.uint8)
    base[code.edges[:, 0], code.edges[:, 1]] = 1
    return rank(np.packbits(base, axis=1, bitorder="little").view("<u8").astype(np.uint64))


def build_code(rows: int, columns: Mapping[int, int], size: int, seed: int) -> QuasiCyclicCode:
    """Return the code of the family with these degrees; every shipped table comes from here.

    Raises:
        InputError: the checks are not independent.
    """
    code = lift(rows, columns, size, seed)
    if base_rank(code) != rows:
        raise InputError("the base matrix has not full rank; take another seed")
    return code


def write_family(degrees: Mapping[str, Mapping[str, int]], directory: Path = _TABLE_DIRECTORY) -> None:
    """Write tables and manifest for the codes named, `degrees` telling the columns of each degree.

    Waterfalls that were measured are kept where the table stays the same.
    """
    known = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))["codes"]
    entries: dict[str, Any] = {}
    for member in members():
        if member.name in degrees:
            columns = {int(degree): count for degree, count in degrees[member.name].items()}
            entry = _entry(member, columns, directory)
            old = known.get(member.name, {})
            if old.get("digest") == entry["digest"]:
                entry["waterfall"] = old["waterfall"]
            entries[member.name] = entry
            print(member.name, entry["threshold_efficiency"], entry["four_cycles"], flush=True)
    _write_manifest(entries, directory)


def _entry(member: Member, columns: Mapping[int, int], directory: Path) -> dict[str, Any]:
    seed = _first_seed(member, columns)
    code = build_code(member.rows, columns, member.size, seed)
    (directory / f"{member.name}.bin").write_bytes(code.edges.astype("<u2").tobytes())
    thresholds = _thresholds(member.rows, tuple(sorted(columns.items())), member.layers)
    return {
        "rows": member.rows,
        "columns": code.columns,
        "size": member.size,
        "column_degrees": {str(degree): count for degree, count in sorted(columns.items())},
        "search": _search_in_words(member),
        "seed": seed,
        "digest": code.digest(),
        "rank": code.syndrome_bits,
        "four_cycles": count_short_cycles(code),
        "threshold_efficiency": thresholds,
        "threshold_error_rate": {
            decoder: round(error_rate_of_efficiency(member.rows / code.columns, threshold), 6)
            for decoder, threshold in thresholds.items()
        },
        "untainted_bits": int(untainted_bits(code).size),
        "puncturable_bits": int(puncturing_order(code, HEAVY_SHARES[-1]).size),
        "well_puncturable_bits": int(puncturing_order(code, HEAVY_SHARES[0]).size),
        "waterfall": {decoder: [round(1e6 * value) + 10_000, 20_000] for decoder, value in thresholds.items()},
    }


def _search_in_words(member: Member) -> dict[str, Any]:
    words = {"decoder": "fast" if member.fast else "accurate", "most_degree": member.max_degree}
    return words | ({"layers": member.layers} if member.layers > 1 else {})


def _first_seed(member: Member, columns: Mapping[int, int]) -> int:
    """Return the first of some seeds with which the base matrix has full rank; that does not depend on shifts."""
    for seed in range(1000 + member.rows, 1000 * _SEEDS, 1000):
        if base_rank(lift(member.rows, columns, 64, seed, depth=2)) == member.rows:
            return seed
    raise InputError(f"no seed gives {member.name} full rank")


@cache
def _thresholds(rows: int, columns: tuple[tuple[int, int], ...], layers: int) -> dict[str, float]:
    """Return each decoder's threshold as an efficiency; that of 16 bits by the finest arithmetic there is.

    The fast decoder rounds as often as a check has bits. Where it has hundreds, densities that are rounded as often say
    less of it than the finest do (measured: 1.25 where they say 1.30 to 1.40), so that these stand for both.
    """
    ensemble = Ensemble(rows=rows, columns=dict(columns))
    if layers > 1:
        threshold = threshold_efficiency(ensemble, _ITERATIONS["fast"], start=1.3, layers=layers)
        return dict.fromkeys(_ITERATIONS, round(threshold, 4))
    arithmetics = {"fast": decoder_arithmetic(rows, round(ensemble.width)), "accurate": FINE}
    return {
        decoder: round(threshold_efficiency(ensemble, _ITERATIONS[decoder], start=1.2, arithmetic=arithmetic), 4)
        for decoder, arithmetic in arithmetics.items()
    }


def change_manifest(name: str, key: str, changes: Mapping[str, Any], directory: Path = _TABLE_DIRECTORY) -> None:
    """Change some of what the manifest's entry of a code says under a key."""
    entries = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))["codes"]
    entries[name][key].update(changes)
    _write_manifest(entries, directory)


def _write_manifest(entries: Mapping[str, Any], directory: Path) -> None:
    content = {
        "origin": "designed here by qkdpost.reconciliation.ldpc_design.build; no table of others was used",
        "rows": "little-endian uint16 triples (row, column, shift), sorted",
        "search": "the decoder whose arithmetic the degrees are made for, the highest degree, layers, see code_family",
        "waterfall": "decoder: efficiency at which half the frames fail, and width of the normal law, in ppm",
        "codes": entries,
    }
    (directory / "manifest.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def check_family() -> None:
    """Build every shipped table again and compare it with its hash.

    Raises:
        ConfigurationError: a table comes out differently.
    """
    for name in code_names():
        entry = manifest()["codes"][name]
        columns = {int(degree): count for degree, count in entry["column_degrees"].items()}
        if build_code(entry["rows"], columns, entry["size"], entry["seed"]).digest() != entry["digest"]:
            raise ConfigurationError(f"code {name} does not come out again from its degrees and seed")


def search_family(names: Sequence[str] | None = None) -> dict[str, dict[str, int]]:
    """Return the column degrees of codes by searching them anew, all of the family by default; of minutes each."""
    found: dict[str, dict[str, int]] = {}
    searched: dict[Any, dict[int, int]] = {}
    for member in members():
        if names is None or member.name in names:
            key = (member.search, member.fast)
            if key not in searched:
                searched[key] = find_degrees(member)
            found[member.name] = {str(degree): count for degree, count in searched[key].items()}
    return found


def main(arguments: Sequence[str]) -> None:
    """Run one of the commands that the module names."""
    match list(arguments):
        case ["check"]:
            check_family()
        case ["degrees", *names]:
            for name, columns in search_family(names).items():
                same = columns == manifest()["codes"][name]["column_degrees"]
                print(name, columns, "as shipped" if same else "NOT as shipped")
        case ["search", file]:
            Path(file).write_text(json.dumps(search_family(), indent=1) + "\n", encoding="utf-8")
        case ["build", file]:
            write_family(json.loads(Path(file).read_text(encoding="utf-8")))
        case _:
            raise InputError(f"commands are check, degrees NAMES, search FILE, build FILE; found {list(arguments)}")


if __name__ == "__main__":
    main(sys.argv[1:])
