"""Efficiency, frame errors, iterations and rounds of LDPC against the error rate: a table, JSON and a picture.

    python benchmarks/quality/ldpc_curve.py --json ldpc_curve.json --picture ldpc_curve.png [--quick]

Every point corrects whole blocks between two sides, with the estimate off by the given relative error, half of the
blocks above and half below. `f_FER` charges a whole frame for each that failed in the end:
f_FER = (1 - FER) f + FER / h(Q). What the corrector says of its frames is charged, as in a session. Beside it stand
the second-order limit of one-way codes at 1 % frame errors, our Cascade at its defaults in blocks of 2^26 bits and the
published one, and the two published points of a commercial system. Mbit/s is of one core that does the work of both
sides, in blocks of --block-bits or eight frames. Every point corrects --point-bits, so that short frames are many and
long ones few. Blocks are tasks of a campaign: `--processes`, `--dask`, and `--results FILE`, with which a cut run goes
on. All points at their defaults take about half an hour of one core, --quick two minutes. `--draw FILE ...` draws the
points of earlier runs together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.options import parser_of
from benchmarks.quality import campaign

from qkdpost.bits import Bits
from qkdpost.campaigns import Outcome, Task
from qkdpost.reconciliation.in_process import drive, reconcile
from qkdpost.reconciliation.ldpc.codes import code_names, load_code
from qkdpost.reconciliation.ldpc.conversation import ldpc_corrector, ldpc_reference
from qkdpost.reconciliation.ldpc.dealt_block import LdpcOutcome
from qkdpost.reconciliation.ldpc.plan import LdpcPlan, plan_ldpc
from qkdpost.statistics.entropy import binary_entropy

PUBLISHED_CASCADE = {
    0.005: 1.05182, 0.01: 1.04310, 0.02: 1.04062, 0.03: 1.03945, 0.04: 1.04342, 0.05: 1.04335, 0.06: 1.04601,
    0.07: 1.05065, 0.08: 1.05479, 0.09: 1.05499, 0.10: 1.05747, 0.11: 1.06139,
}  # fmt: skip
"""f_FER of Cascade, frames of 2^14: Martinez-Mateo et al., arXiv 1407.3257, table 3."""
COMMERCIAL = {"commercial blind LDPC, 2^16 (2025)": 1.166, "commercial Cascade (2025)": 1.036}
"""Mueller et al., IET Quantum Communication 6, e70003; of live blocks."""
ERROR_RATES = [0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.09, 0.11]
QUICK_ERROR_RATES = [0.01, 0.03, 0.08]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One curve: how frames are corrected."""

    length: int
    decoder: str
    first_failures_permille: int
    blind_rounds: int
    relative_error: float

    @property
    def label(self) -> str:
        way = "" if self.blind_rounds else ", one-way"
        first = "" if self.first_failures_permille == 300 else f", {self.first_failures_permille} ‰ fail at first"
        return f"2^{self.length.bit_length() - 1} {self.decoder}{first}{way}"


def second_order_limit(bits: int, error_rate: float, failures: float) -> float:
    """The least f of one-way codes: Tomamichel et al., Quantum Inf. Process. 16, 280, with the binomial quantile."""
    margin = bits * (1 - error_rate) - binom.ppf(failures, bits, 1 - error_rate) - 1
    leakage = bits * binary_entropy(error_rate) + margin * np.log2((1 - error_rate) / error_rate)
    leakage += -0.5 * np.log2(bits) - np.log2(1 / failures)
    return float(leakage / (bits * binary_entropy(error_rate)))


def strings(bits: int, error_rate: float, rng: np.random.Generator) -> tuple[Bits, Bits, int]:
    """Return the reference's string, the noisy one, and how many errors there are."""
    reference = Bits.from_bytes(rng.bytes(bits // 8), bits)
    errors = Bits.from_array(rng.random(bits, dtype=np.float32) < error_rate)
    return reference, reference ^ errors, errors.weight()


@cache
def compile_for(decoder: str) -> None:
    """Correct a short block, with more errors than it is told, before any that is timed."""
    reference, noisy, _ = strings(1 << 16, 0.03, np.random.default_rng(0))
    reconcile(reference, noisy, method="ldpc", qber=0.02, decoder=decoder)


def correct(rng: np.random.Generator, *, series: Series, bits: int, error_rate: float, number: int) -> dict[str, Any]:
    """Correct block `number` by LDPC; return counts."""
    compile_for(series.decoder)
    reference, noisy, errors = strings(bits, error_rate, rng)
    estimate = error_rate * (1 + series.relative_error * (1 if number % 2 else -1))
    plan = plan_ldpc(
        bits,
        error_rate_ppm=round(1e6 * estimate),
        frame_bits=series.length,
        decoder=series.decoder,
        first_failures_permille=series.first_failures_permille,
        blind_rounds=series.blind_rounds,
        uncertainty_permille=round(1000 * series.relative_error),
    )
    started = time.thread_time()
    ours, theirs = drive(
        ldpc_reference(reference, plan=plan, seed=bytes(32), random_source=rng.bytes),
        ldpc_corrector(noisy, plan=plan, seed=bytes(32), decoder=series.decoder),
    )
    seconds = time.thread_time() - started
    return counts(plan, ours, theirs, reference ^ theirs.bits) | {"errors": errors, "seconds": seconds}


def counts(plan: LdpcPlan, ours: LdpcOutcome, theirs: LdpcOutcome, difference: Bits) -> dict[str, Any]:
    failed = np.asarray(theirs.failed_frames).astype(np.bool_)
    wrong_bits = np.asarray(difference)
    per_frame = np.bincount(np.arange(wrong_bits.size) % plan.frames, weights=wrong_bits, minlength=plan.frames)
    return {
        "code": plan.code,
        "frames": plan.frames,
        "bits": plan.block_bits,
        "failed": int(failed.sum()),
        "wrong": int(((per_frame > 0) & ~failed).sum()),
        "leakage": ours.leakage_bits + ours.verdict_bits,
        "iterations": int(theirs.iterations.sum()),
        "round_trips": ours.rounds // 2,
    }


def tasks_of_point(series: Series, error_rate: float, arguments: argparse.Namespace) -> list[Task]:
    """Return the blocks of one point of a curve: an even number, with bits enough."""
    bits = max(arguments.block_bits, 8 * series.length)
    blocks = 2 * -(-arguments.point_bits // (2 * bits))
    common = {"series": series, "bits": bits, "error_rate": error_rate}
    return [Task(function=correct, arguments=common | {"number": at}, seed=arguments.seed) for at in range(blocks)]


def point(series: Series, error_rate: float, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return what the blocks of one point come to."""
    parts: list[dict[str, Any]] = [outcome.result or {} for outcome in outcomes]
    total = {key: sum(part[key] for part in parts) for key in parts[0] if key != "code"}
    return (
        asdict(series)
        | summary(total, series.length, error_rate, len(parts))
        | {
            "codes": sorted({part["code"] for part in parts}),
            "most_round_trips": max(part["round_trips"] for part in parts),
        }
    )


def summary(total: dict[str, Any], length: int, error_rate: float, blocks: int) -> dict[str, Any]:
    """Return what the counts of all blocks come to; the entropy is that of the errors there were."""
    failure_rate = (total["failed"] + total["wrong"]) / total["frames"]
    limit = binary_entropy(total["errors"] / total["bits"])
    efficiency = total["leakage"] / (total["bits"] * limit)
    return {
        "error_rate": error_rate,
        "frames": total["frames"],
        "f": efficiency,
        "failure_rate": failure_rate,
        "f_FER": (1 - failure_rate) * efficiency + failure_rate / limit,
        "wrong_frames": total["wrong"],
        "iterations": total["iterations"] / total["frames"],
        "round_trips": total["round_trips"] / blocks,
        "mbit_per_s": total["bits"] / total["seconds"] / 1e6,
        "limit": second_order_limit(length, error_rate, 0.01),
    }


def cascade_point(rng: np.random.Generator, *, error_rate: float, bits: int) -> dict[str, Any]:
    """Return f_FER, rounds and speed of our Cascade at its defaults, the error rate known."""
    reference, noisy, _ = strings(bits, error_rate, rng)
    started = time.thread_time()
    done = reconcile(reference, noisy, method="cascade", qber=error_rate, seed=bytes(32))
    seconds = time.thread_time() - started
    failures = done.residual_frames / done.frames
    return {
        "error_rate": error_rate,
        "f_FER": (1 - failures) * done.efficiency + failures / binary_entropy(error_rate),
        "round_trips": done.rounds,
        "mbit_per_s": bits / seconds / 1e6,
    }


def draw(document: dict[str, Any], path: Path) -> None:
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 7), width_ratios=[2, 1])
    draw_efficiency(left, document)
    draw_speed(right, document)
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def series_of(document: dict[str, Any]) -> dict[Series, list[dict[str, Any]]]:
    groups: dict[Series, list[dict[str, Any]]] = {}
    for item in document["points"]:
        series = Series(**{name: item[name] for name in Series.__slots__})
        groups.setdefault(series, []).append(item)
    return groups


def draw_efficiency(axes: Any, document: dict[str, Any]) -> None:
    """Draw f_FER of every series beside the limits, Cascade and the published points."""
    for series, items in series_of(document).items():
        rates = [100 * item["error_rate"] for item in items]
        axes.plot(rates, [item["f_FER"] for item in items], "o-", markersize=3, label=series.label)
    rates = np.linspace(0.005, 0.11, 60)
    for length in sorted({item["length"] for item in document["points"]}):
        limits = [second_order_limit(length, rate, 0.01) for rate in rates]
        axes.plot(
            100 * rates, limits, "--", linewidth=0.7, label=f"one-way limit, 2^{length.bit_length() - 1}, 1 % fail"
        )
    cascade = document["cascade"]
    axes.plot(
        [100 * p["error_rate"] for p in cascade],
        [p["f_FER"] for p in cascade],
        "ks-",
        markersize=3,
        label="Cascade (default)",
    )
    axes.plot(
        *zip(*[(100 * q, f) for q, f in PUBLISHED_CASCADE.items()], strict=True), "k:", label="Cascade, published"
    )
    for name, value in COMMERCIAL.items():
        axes.axhline(value, color="grey", linewidth=0.6)
        axes.annotate(name, (11, value), fontsize=9, va="bottom", ha="right")
    axes.set(xlabel="error rate / %", ylabel="disclosed / Shannon limit, failures charged (f_FER)")
    axes.set(ylim=(1.0, 1.4))
    axes.legend(fontsize=9, ncols=2)


def draw_speed(axes: Any, document: dict[str, Any]) -> None:
    """Draw the speed of every series."""
    for series, items in series_of(document).items():
        rates = [100 * item["error_rate"] for item in items]
        axes.plot(rates, [item["mbit_per_s"] for item in items], "o-", markersize=3, label=series.label)
    cascade = document["cascade"]
    axes.plot([100 * p["error_rate"] for p in cascade], [p["mbit_per_s"] for p in cascade], "ks-", markersize=3)
    axes.set(xlabel="error rate / %", ylabel="Mbit/s, one core for both sides", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")


def table_row(p: dict[str, Any]) -> str:
    return (
        f"{p['length']:8d} {p['decoder']:>8} {p['first_failures_permille']:5d} {p['blind_rounds']:5d}"
        f" {p['error_rate']:7.4f} {p['f']:6.4f} {p['failure_rate']:7.5f} {p['f_FER']:7.4f} {p['limit']:6.4f}"
        f" {p['iterations']:9.1f} {p['round_trips']:5.2f} {p['most_round_trips']:4d} {p['mbit_per_s']:6.1f}"
        f" {p['wrong_frames']:5d} {p['frames']:6d} {' '.join(p['codes'])}"
    )


def parse() -> argparse.Namespace:
    lengths = sorted({load_code(name).frame_bits for name in code_names()})
    parser = parser_of(__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=lengths, help="of frames, in bits; default: all")
    parser.add_argument("--decoders", nargs="+", default=["fast", "accurate"], help="default: both")
    parser.add_argument("--blind-rounds", type=int, default=4, help="at most, after the first attempt; 0: one-way")
    parser.add_argument(
        "--error-rates", type=float, nargs="+", default=ERROR_RATES, help="default: twelve, 0.5 to 11 %%"
    )
    parser.add_argument("--point-bits", type=int, default=1 << 25, help="bits of each point, at least")
    parser.add_argument("--block-bits", type=int, default=1 << 22, help="bits of a block, at least eight frames")
    parser.add_argument("--relative-error", type=float, default=0.05, help="of the estimate")
    parser.add_argument("--first-failures-permille", type=int, nargs="+", default=[300], help="aimed at; default 300")
    parser.add_argument("--quick", action="store_true", help="three error rates, an eighth of the bits")
    parser.add_argument("--json", type=Path, help="write the points to this file")
    parser.add_argument("--picture", type=Path, help="draw the points into this file")
    parser.add_argument("--draw", type=Path, nargs="+", help="draw these JSON files instead of measuring")
    campaign.add_arguments(parser)
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.quick:
        arguments.error_rates, arguments.point_bits = QUICK_ERROR_RATES, arguments.point_bits // 8
    points = {at: tasks_of_point(*at, arguments) for at in product(all_series(arguments), arguments.error_rates)}
    cascade = [
        Task(function=cascade_point, arguments={"error_rate": rate, "bits": 1 << 26}, seed=arguments.seed)
        for rate in arguments.error_rates
    ]
    done = campaign.run([task for tasks in (*points.values(), cascade) for task in tasks], arguments)
    found = {outcome.identity: outcome for outcome in done}
    items = [point(*at, [found[task.identity] for task in tasks]) for at, tasks in points.items()]
    print(
        "  length  decoder first blind      Q      f     FER   f_FER  limit iterations trips most Mbit/s wrong frames"
    )
    for item in items:
        print(table_row(item))
    of_cascade = [dict(found[task.identity].result or {}) for task in cascade]
    for item in of_cascade:
        print(
            f"Cascade {item['error_rate']:.4f}: f_FER {item['f_FER']:.4f}, {item['round_trips']} round trips, "
            f"{item['mbit_per_s']:.1f} Mbit/s"
        )
    return {"points": items, "cascade": of_cascade}


def all_series(arguments: argparse.Namespace) -> Iterator[Series]:
    for length, decoder, first in product(arguments.lengths, arguments.decoders, arguments.first_failures_permille):
        yield Series(
            length=length,
            decoder=decoder,
            first_failures_permille=first,
            blind_rounds=arguments.blind_rounds,
            relative_error=arguments.relative_error,
        )


def earlier(paths: list[Path]) -> dict[str, Any]:
    """Return the points of several runs, and the Cascade curve of the first."""
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    points = [item for document in documents for item in document["points"]]
    return {"points": points, "cascade": documents[0]["cascade"]}


def main() -> None:
    arguments = parse()
    document = earlier(arguments.draw) if arguments.draw else measure(arguments)
    if arguments.json and not arguments.draw:
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if arguments.picture:
        draw(document, arguments.picture)


if __name__ == "__main__":
    main()
