"""Measuring where a decoder's waterfall lies: the efficiency at which half of the frames fail, and its width.

The commands of ``python -m qkdpost.reconciliation.ldpc_design.waterfalls``:

- ``DECODER SIZE FRAMES [NAME ...]`` measures the shipped codes with blocks of SIZE bits, all or those named, and writes
  what it finds to the manifest.
- ``middle DECODER SIZE FRAMES [NAME ...]`` the same for the middle alone, from two points, for codes of which the law
  of frames a quarter as long is known.
- ``floor NAME DECODER EFFICIENCY FRAMES`` counts failures anywhere, as far above the waterfall.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm

from qkdpost._kernels.ldpc.syndromes import compute_syndromes
from qkdpost.errors import InputError
from qkdpost.reconciliation.channel import BinarySymmetric
from qkdpost.reconciliation.ldpc.codes import QuasiCyclicCode, load_code, manifest
from qkdpost.reconciliation.ldpc.decoders import DECODERS
from qkdpost.reconciliation.ldpc_design.build import change_manifest
from qkdpost.reconciliation.ldpc_design.density_evolution import error_rate_of_efficiency
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["channel_width", "count_failures", "fit_waterfall", "measure_middle", "measure_waterfall"]

_BATCH_BITS = 1 << 27
_RISEN, _FALLEN = 0.75, 0.06
"""Shares of failed frames between which points are taken."""


def count_failures(
    code: QuasiCyclicCode, decoder: str, efficiency: float, frames: int, seed: int = 1
) -> tuple[int, int]:
    """Return how many of `frames` random frames fail at an efficiency, and in how many of them a wrong word was found.

    Neither punctured nor shortened; the decoder is told the true error rate. A wrong word counts as failed.
    """
    error_rate = error_rate_of_efficiency(code.rows / code.columns, efficiency)
    compiled = DECODERS[decoder].compile(code)
    generator = np.random.default_rng(seed)
    failed = wrong = 0
    while frames > 0:
        count = min(frames, max(1, _BATCH_BITS // code.frame_bits))
        errors = np.zeros((count, code.frame_bits // 64), dtype=np.uint64)
        for frame in range(count):
            bits = generator.random(code.frame_bits, dtype=np.float32) < error_rate
            errors[frame] = np.packbits(bits, bitorder="little").view("<u8")
        syndromes = np.zeros((count, code.syndrome_bits // 64), dtype=np.uint64)
        compute_syndromes(code.row_starts, code.edge_bits, code.edge_shifts, code.size, errors, syndromes)
        decoded = compiled.decode(syndromes, BinarySymmetric(error_rate_ppm=max(1, round(1e6 * error_rate))))
        differ = np.any(decoded.words != errors, axis=1)
        failed += int(differ.sum())
        wrong += int((differ & decoded.converged).sum())
        frames -= count
    return failed, wrong


def channel_width(code: QuasiCyclicCode) -> float:
    """Return by how much the efficiency scatters since the number of errors does: no waterfall is much steeper."""
    fraction = code.rows / code.columns
    error_rate = error_rate_of_efficiency(fraction, 1.1)
    slope = np.log2((1 - error_rate) / error_rate) / binary_entropy(error_rate)
    return float(1.1 * slope * np.sqrt(error_rate * (1 - error_rate) / code.frame_bits))


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


def measure_waterfall(
    code: QuasiCyclicCode, decoder: str, frames: int, start: float, seed: int = 1
) -> tuple[float, float]:
    """Return middle and width of a code's waterfall, from efficiencies between few failures and many.

    Args:
        code: neither punctured nor shortened.
        decoder: a key of `DECODERS`.
        frames: of each point.
        start: an efficiency near the middle.
        seed: of the errors.
    """
    step = channel_width(code)
    points: list[tuple[float, int, int]] = []
    for direction in (step, -step):
        efficiency = start if direction > 0 else start - step
        share = 0.5
        while (share > _FALLEN if direction > 0 else share < _RISEN) and efficiency > 1.0:
            failed, _ = count_failures(code, decoder, efficiency, frames, seed + len(points))
            points.append((efficiency, failed, frames))
            share = failed / frames
            efficiency += direction
        points.sort()
    return fit_waterfall(points)


def measure_middle(
    code: QuasiCyclicCode, decoder: str, frames: int, law: tuple[float, float], seed: int = 1
) -> tuple[float, float]:
    """Return the likeliest middle under the width given, and that width; arguments as for `measure_waterfall`.

    Half of the frames are tried half a width above the middle that `law` expects, half of them below.
    """
    middle, width = law
    points = []
    for number, efficiency in enumerate((middle + width / 2, middle - width / 2)):
        failed, _ = count_failures(code, decoder, efficiency, frames // 2, seed + number)
        points.append((efficiency, failed, frames // 2))
    candidates = middle + width * np.linspace(-3, 3, 601)
    likelihood = np.zeros(candidates.size)
    for efficiency, failed, tried in points:
        likely = np.clip(norm.sf((efficiency - candidates) / width), 1e-9, 1 - 1e-9)
        likelihood += failed * np.log(likely) + (tried - failed) * np.log1p(-likely)
    return float(candidates[np.argmax(likelihood)]), width


def _measure(name: str, decoder: str, frames: int, middle_only: bool) -> tuple[float, float]:
    entry, code = manifest()["codes"][name], load_code(name)
    if not middle_only:
        return measure_waterfall(code, decoder, frames, entry["threshold_efficiency"][decoder] + channel_width(code))
    shorter = manifest()["codes"][f"qc{code.rows:03d}-{code.size // 4:04d}"]["waterfall"][decoder]
    # Four times the bits: half the width, and a third of a width nearer to the threshold.
    return measure_middle(code, decoder, frames, ((shorter[0] - shorter[1] / 3) / 1e6, shorter[1] / 2e6))


def _measure_family(decoder: str, size: int, frames: int, names: Sequence[str], *, middle_only: bool) -> None:
    for name, entry in manifest()["codes"].items():
        if entry["size"] == size and (not names or name in names):
            started = time.process_time()
            law = [round(1e6 * value) for value in _measure(name, decoder, frames, middle_only)]
            change_manifest(name, "waterfall", {decoder: law})
            print(name, decoder, law, f"{time.process_time() - started:.1f} s", flush=True)


def main(arguments: Sequence[str]) -> None:
    """Run one of the commands that the module names."""
    match list(arguments):
        case ["floor", name, decoder, efficiency, frames]:
            failed, wrong = count_failures(load_code(name), decoder, float(efficiency), int(frames))
            print(f"{name} {decoder} at {efficiency}: {failed} of {frames} frames failed, {wrong} to a wrong word")
        case ["middle", decoder, size, frames, *names]:
            _measure_family(decoder, int(size), int(frames), names, middle_only=True)
        case [decoder, size, frames, *names]:
            _measure_family(decoder, int(size), int(frames), names, middle_only=False)
        case _:
            raise InputError(f"commands: DECODER SIZE FRAMES, middle ..., floor NAME ...; found {arguments}")


if __name__ == "__main__":
    main(sys.argv[1:])
