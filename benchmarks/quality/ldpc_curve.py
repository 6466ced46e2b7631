"""Efficiency, frame errors, iterations and rounds of LDPC against the error rate: a table, JSON and a picture.

    python benchmarks/quality/ldpc_curve.py --json ldpc_curve.json --picture ldpc_curve.png

Every point corrects whole blocks between two sides, with the estimate off by the given relative error, half of the
blocks above and half below. `f_FER` charges a whole frame for each that failed in the end:
f_FER = (1 - FER) f + FER / h(Q). Beside it stand the second-order limit of one-way codes at 1 % frame errors, Cascade
with near-optimal parameters as published, and the two published points of a commercial system.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from qkdpost.bits import Bits
from qkdpost.reconciliation.ldpc import LdpcOutcome, ldpc_corrector, ldpc_reference
from qkdpost.reconciliation.rate_adaptation import LdpcPlan, plan_ldpc
from qkdpost.reconciliation.reconcile import drive

CASCADE = {0.01: 1.04310, 0.02: 1.04062, 0.03: 1.03945, 0.05: 1.04335, 0.08: 1.05479, 0.11: 1.06139}
"""f_FER of Cascade, frames of 2^14: Martinez-Mateo et al., arXiv 1407.3257, table 3."""
COMMERCIAL = {"blind LDPC, 2^16": 1.166, "Cascade": 1.036}
"""Mueller et al., IET Quantum Communication 6, e70003."""


def entropy(error_rate: float) -> float:
    return float(-error_rate * np.log2(error_rate) - (1 - error_rate) * np.log2(1 - error_rate))


def second_order_limit(bits: int, error_rate: float, failures: float) -> float:
    """The least f of one-way codes: Tomamichel et al., Quantum Inf. Process. 16, 280, with the binomial quantile."""
    margin = bits * (1 - error_rate) - binom.ppf(failures, bits, 1 - error_rate) - 1
    leakage = bits * entropy(error_rate) + margin * np.log2((1 - error_rate) / error_rate)
    leakage += -0.5 * np.log2(bits) - np.log2(1 / failures)
    return float(leakage / (bits * entropy(error_rate)))


def correct(bits: int, error_rate: float, estimate: float, seed: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Correct one block; return counts."""
    generator = np.random.default_rng(seed)
    reference = Bits.from_bytes(generator.bytes(bits // 8), bits)
    errors = generator.random(bits, dtype=np.float32) < error_rate
    noisy = reference ^ Bits.from_array(errors)
    plan = plan_ldpc(bits, error_rate_ppm=round(1e6 * estimate), **settings)
    started = time.thread_time()
    ours, theirs = drive(
        ldpc_reference(reference, plan=plan, seed=bytes(32), random_source=os.urandom),
        ldpc_corrector(noisy, plan=plan, seed=bytes(32), decoder=settings["decoder"]),
    )
    seconds = time.thread_time() - started
    return _counts(plan, ours, theirs, np.asarray(reference ^ theirs.bits), errors, seconds)


def _counts(
    plan: LdpcPlan, ours: LdpcOutcome, theirs: LdpcOutcome, difference: np.ndarray, errors: np.ndarray, seconds: float
) -> dict[str, Any]:
    failed = np.asarray(theirs.failed_frames).astype(np.bool_)
    per_frame = np.bincount(np.arange(difference.size) % plan.frames, weights=difference, minlength=plan.frames)
    return {
        "code": plan.code,
        "frames": plan.frames,
        "bits": plan.block_bits,
        "errors": int(errors.sum()),
        "failed": int(failed.sum()),
        "wrong": int(((per_frame > 0) & ~failed).sum()),
        "leakage": ours.leakage_bits,
        "iterations": int(theirs.iterations.sum()),
        "rounds": ours.rounds,
        "seconds": seconds,
    }


def point(length: int, error_rate: float, arguments: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """Return one point of the curve: blocks of 64 frames until there are enough."""
    parts: list[dict[str, Any]] = []
    while sum(part["frames"] for part in parts) < arguments.frames:
        sign = 1 if len(parts) % 2 else -1
        estimate = error_rate * (1 + sign * arguments.relative_error)
        parts.append(correct(length * arguments.block_frames, error_rate, estimate, len(parts), settings))
    total = {key: sum(part[key] for part in parts) for key in parts[0] if key != "code"}
    failure_rate = (total["failed"] + total["wrong"]) / total["frames"]
    efficiency = total["leakage"] / (total["bits"] * entropy(error_rate))
    return {
        "length": length,
        "decoder": settings["decoder"],
        "blind_rounds": settings["blind_rounds"],
        "relative_error": arguments.relative_error,
        "error_rate": error_rate,
        "codes": sorted({part["code"] for part in parts}),
        "frames": total["frames"],
        "f": efficiency,
        "failure_rate": failure_rate,
        "f_FER": (1 - failure_rate) * efficiency + failure_rate / entropy(error_rate),
        "wrong_frames": total["wrong"],
        "iterations": total["iterations"] / total["frames"],
        "rounds": total["rounds"] / len(parts),
        "mbit_per_s": total["bits"] / total["seconds"] / 1e6,
        "limit": second_order_limit(length, error_rate, 0.01),
    }


def draw(points: list[dict[str, Any]], path: Path) -> None:
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(figsize=(8, 5))
    groups = sorted({(item["length"], item["decoder"], item["blind_rounds"]) for item in points})
    for length, decoder, rounds in groups:
        chosen = [p for p in points if (p["length"], p["decoder"], p["blind_rounds"]) == (length, decoder, rounds)]
        label = f"2^{length.bit_length() - 1} {decoder}, {rounds} blind rounds"
        axes.plot([100 * p["error_rate"] for p in chosen], [p["f_FER"] for p in chosen], "o-", label=label)
    for length in sorted({item["length"] for item in points}):
        rates = np.linspace(0.005, 0.11, 60)
        limits = [second_order_limit(length, rate, 0.01) for rate in rates]
        axes.plot(100 * rates, limits, "--", linewidth=0.8, label=f"one-way limit, 2^{length.bit_length() - 1}, 1 %")
    axes.plot([100 * rate for rate in CASCADE], list(CASCADE.values()), "k^:", label="Cascade, published")
    for name, value in COMMERCIAL.items():
        axes.axhline(value, color="grey", linewidth=0.6)
        axes.annotate(name, (9.5, value), fontsize=7, va="bottom")
    axes.set(xlabel="error rate / %", ylabel="f_FER", ylim=(1.0, 1.4))
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1 << 14, 1 << 16])
    parser.add_argument("--decoder", default="fast")
    parser.add_argument("--blind-rounds", type=int, nargs="+", default=[0, 3])
    parser.add_argument("--error-rates", type=float, nargs="+", default=[0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.11])
    parser.add_argument("--frames", type=int, default=256, help="frames of each point, at least")
    parser.add_argument("--block-frames", type=int, default=64, help="frames of a block")
    parser.add_argument("--relative-error", type=float, default=0.05, help="of the estimate")
    parser.add_argument("--first-failures-permille", type=int, default=100)
    parser.add_argument("--failures-permille", type=int, default=1)
    parser.add_argument("--uncertainty-permille", type=int, default=30)
    parser.add_argument("--least-efficiency-ppm", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    points = []
    print("  length  decoder blind      Q      f    FER    f_FER  limit iterations rounds Mbit/s wrong frames codes")
    for length in arguments.lengths:
        for rounds in arguments.blind_rounds:
            for error_rate in arguments.error_rates:
                settings = {
                    "frame_bits": length,
                    "decoder": arguments.decoder,
                    "blind_rounds": rounds,
                    "first_failures_permille": arguments.first_failures_permille,
                    "failures_permille": arguments.failures_permille,
                    "uncertainty_permille": arguments.uncertainty_permille,
                    "least_efficiency_ppm": arguments.least_efficiency_ppm,
                }
                p = point(length, error_rate, arguments, settings)
                points.append(p)
                print(
                    f"{length:8d} {p['decoder']:>8} {rounds:5d} {error_rate:7.4f} {p['f']:6.4f}"
                    f" {p['failure_rate']:6.4f} {p['f_FER']:7.4f} {p['limit']:6.4f} {p['iterations']:9.1f}"
                    f" {p['rounds']:6.1f} {p['mbit_per_s']:6.1f} {p['wrong_frames']:5d} {p['frames']:6d}"
                    f" {' '.join(p['codes'])}",
                    flush=True,
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(points, indent=1) + "\n", encoding="utf-8")
    if arguments.picture:
        draw(points, arguments.picture)


if __name__ == "__main__":
    main()
