"""Designing the shipped family of codes: degrees by density evolution, lifting, rank, waterfalls, manifest.

Not needed at run time. ``python -m qkdpost.reconciliation.design check`` builds every shipped table again from its
degrees and seed and compares; ``python -m qkdpost.reconciliation.design build FILE`` writes tables and manifest for
the ensembles of a JSON file, and ``... waterfalls DECODER SIZE`` measures and writes where a decoder's waterfall lies.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from qkdpost._kernels.syndromes import compute_syndromes
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation import codes as tables
from qkdpost.reconciliation.degree_search import threshold_efficiency
from qkdpost.reconciliation.density_evolution import FINE, Ensemble, error_rate_of_efficiency
from qkdpost.reconciliation.ldpc_codes import QuasiCyclicCode, code_names, load_code, manifest
from qkdpost.reconciliation.ldpc_decoders import DECODERS, LayeredDecoder
from qkdpost.reconciliation.ldpc_layout import untainted_bits
from qkdpost.reconciliation.lifting import count_short_cycles, lift

__all__ = ["base_rank", "build_code", "check_family", "failure_rate", "fit_waterfall", "rank", "write_family"]

Words = NDArray[np.uint64]
_SIZES = {64: 4, 256: 4, 1024: 3}
"""Sizes of a block, and how far to look for cycles when lifting."""
_ITERATIONS = 160
"""Flooding iterations within which an ensemble must converge, about 80 of the layered schedule."""
_TABLE_DIRECTORY = Path(tables.__file__).parent


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
        InputError: the checks are not independent, or cycles of length 4 are left.
    """
    code = lift(rows, columns, size, seed, _SIZES.get(size, 4))
    if base_rank(code) != rows:
        raise InputError("the base matrix has not full rank; take another seed")
    return code


def write_family(ensembles: Sequence[Mapping[str, Any]], directory: Path = _TABLE_DIRECTORY) -> None:
    """Write tables and manifest for ensembles, each with `rows`, `columns`, `seed`, for all sizes of a block."""
    entries: dict[str, Any] = {}
    for size in _SIZES:
        for ensemble in ensembles:
            name = f"qc{ensemble['rows']:03d}-{size:04d}"
            entries[name] = _entry(name, ensemble, size, directory)
            print(name, entries[name]["four_cycles"], entries[name]["untainted_bits"], flush=True)
            _write_manifest(entries, directory)


def _entry(name: str, ensemble: Mapping[str, Any], size: int, directory: Path) -> dict[str, Any]:
    columns = {int(degree): int(count) for degree, count in ensemble["columns"].items()}
    rows, seed = int(ensemble["rows"]), int(ensemble["seed"])
    code = build_code(rows, columns, size, seed)
    (directory / f"{name}.bin").write_bytes(code.edges.astype("<u2").tobytes())
    thresholds = _thresholds(code, columns)
    return {
        "rows": rows,
        "columns": code.columns,
        "size": size,
        "column_degrees": {str(degree): count for degree, count in sorted(columns.items())},
        "seed": seed,
        "digest": code.digest(),
        "rank": rows * size,
        "four_cycles": count_short_cycles(code),
        "threshold_efficiency": thresholds,
        "threshold_error_rate": {
            decoder: round(error_rate_of_efficiency(rows / code.columns, threshold), 6)
            for decoder, threshold in thresholds.items()
        },
        "untainted_bits": int(untainted_bits(code)[0].size),
        "waterfall": {"fast": [1_150_000, 20_000]},
    }


def _thresholds(code: QuasiCyclicCode, columns: Mapping[int, int]) -> dict[str, float]:
    """Return each decoder's threshold as an efficiency; that of 16 bits by the finest arithmetic there is."""
    arithmetics = {"fast": _fast().arithmetic(code), "accurate": FINE}
    ensemble = Ensemble(rows=code.rows, columns=columns)
    return {
        decoder: round(threshold_efficiency(ensemble, _ITERATIONS, arithmetic=arithmetic), 4)
        for decoder, arithmetic in arithmetics.items()
    }


def _fast() -> LayeredDecoder:
    decoder = DECODERS["fast"]
    if not isinstance(decoder, LayeredDecoder):
        raise ConfigurationError("the family is designed for the layered decoder; something else is registered as fast")
    return decoder


def _write_manifest(entries: Mapping[str, Any], directory: Path) -> None:
    content = {
        "origin": "designed here by qkdpost.reconciliation.design; no table of others was used",
        "rows": "little-endian uint16 triples (row, column, shift), sorted",
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


def failure_rate(name: str, decoder: str, efficiency: float, frames: int, seed: int) -> int:
    """Return how many of `frames` random frames fail at an efficiency.

    Neither punctured nor shortened; the decoder is told the true error rate. A wrong word counts as failed.
    """
    code = load_code(name)
    error_rate = error_rate_of_efficiency(code.rows / code.columns, efficiency)
    generator = np.random.default_rng(seed)
    errors = np.zeros((frames, code.frame_bits // 64), dtype=np.uint64)
    for frame in range(frames):
        bits = generator.random(code.frame_bits, dtype=np.float32) < error_rate
        errors[frame] = np.packbits(bits, bitorder="little").view("<u8")
    syndromes = np.zeros((frames, code.syndrome_bits // 64), dtype=np.uint64)
    compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, errors, syndromes)
    decoded = DECODERS[decoder].compile(code).decode(syndromes, error_rate_ppm=max(1, round(1e6 * error_rate)))
    return int(np.any(decoded.errors != errors, axis=1).sum())


def fit_waterfall(points: Sequence[tuple[float, int, int]]) -> tuple[float, float]:
    """Return middle and width of the normal law under which (efficiency, failed, frames) are likeliest."""
    efficiencies = np.array([point[0] for point in points])
    failed = np.array([point[1] for point in points])
    frames = np.array([point[2] for point in points])

    def cost(parameters: NDArray[np.float64]) -> float:
        likely = norm.sf((efficiencies - parameters[0]) / np.exp(parameters[1]))
        likely = np.clip(likely, 1e-9, 1 - 1e-9)
        return -float((failed * np.log(likely) + (frames - failed) * np.log1p(-likely)).sum())

    start = [float(np.interp(-0.5, -failed / frames, efficiencies)), np.log(0.015)]
    found = minimize(cost, start, method="Nelder-Mead")
    return float(found.x[0]), float(np.exp(found.x[1]))


def measure_waterfall(name: str, decoder: str, frames: int, seed: int = 1) -> tuple[float, float]:
    """Return middle and width of a code's waterfall, from efficiencies between few failures and many."""
    entry = manifest()["codes"][name]
    step = 0.012 * (256 / entry["size"]) ** 0.5
    start = entry["threshold_efficiency"]["accurate"] + 2 * step
    points: list[tuple[float, int, int]] = []
    for direction in (step, -step):
        efficiency = start if direction > 0 else start - step
        while not points or (points[-1][1] > 0.02 * frames if direction > 0 else points[-1][1] < 0.7 * frames):
            points.append((efficiency, failure_rate(name, decoder, efficiency, frames, seed), frames))
            efficiency += direction
        points.sort(reverse=True)
    return fit_waterfall(points)


def _write_waterfalls(decoder: str, size: int, frames: int) -> None:
    entries = dict(manifest()["codes"])
    for name, entry in entries.items():
        if entry["size"] != size:
            continue
        middle, width = measure_waterfall(name, decoder, frames)
        entry["waterfall"][decoder] = [round(1e6 * middle), round(1e6 * width)]
        print(name, decoder, entry["threshold_efficiency"], entry["waterfall"][decoder], flush=True)
        _write_manifest(entries, _TABLE_DIRECTORY)


def main(arguments: Sequence[str]) -> None:
    """Run one of the commands that the module names."""
    match list(arguments):
        case ["check"]:
            check_family()
        case ["build", file]:
            write_family(json.loads(Path(file).read_text(encoding="utf-8")))
        case ["waterfalls", decoder, size, frames]:
            _write_waterfalls(decoder, int(size), int(frames))
        case _:
            raise InputError(f"commands are check, build FILE, waterfalls DECODER SIZE FRAMES; found {list(arguments)}")


if __name__ == "__main__":
    main(sys.argv[1:])
