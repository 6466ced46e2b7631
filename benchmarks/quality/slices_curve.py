"""Efficiency of slices against the signal-to-noise ratio, failed frames charged whole: a table and JSON.

    python benchmarks/quality/slices_curve.py --frames 200 --json slices_curve.json
    python benchmarks/quality/slices_curve.py --quick

Efficiency is (H(label | place) - disclosed bits a real) / I, with I = log2(1 + SNR) / 2 and everything counted that a
session charges before verification: syndromes, turns, verdicts, revealed bits, and the labels of frames that were given
up or came out wrong, in their prefix code. The plan is made from a noise that is off by --noise-error, half of the
batches above and half below, as one is that 2^17 disclosed symbols tell to 0.4 %. Processor time is that of both sides
on one core. Batches are tasks of a campaign: see `--help`. All six ratios take about half an hour of one core, --quick
two minutes.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.options import parser_of
from benchmarks.quality import campaign

from qkdpost.campaigns import Outcome, Task
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.slices.batch import give_up, take_given_up
from qkdpost.reconciliation.slices.conversation import slices_corrector, slices_reference
from qkdpost.reconciliation.slices.decoding import SliceDecoders
from qkdpost.reconciliation.slices.plan import plan_slices
from qkdpost.statistics.gaussian.wrapped import cell_entropy

RATIOS = [0.5, 1.0, 2.0, 3.0, 5.0, 10.0]
QUICK_RATIOS = [1.0, 3.0]
BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One line of the table."""

    ratio: float
    frame_reals: int
    frames: int
    failed_at_first: int
    given_up: int
    wrong: int
    entropy: float
    disclosed: float
    efficiency: float
    reals_per_second: float


@functools.cache
def decoders_for(ratio: float, noise_error: float, frame_reals: int) -> SliceDecoders:
    """Return the decoders of a plan that is made from a noise that is off."""
    noise = (1.0 + noise_error) / (1.0 + ratio)
    return SliceDecoders(plan_slices(outcome_variance=1.0, noise_variance=noise, frame_reals=frame_reals))


def correct_batch(
    rng: np.random.Generator, *, ratio: float, noise_error: float, frame_reals: int, number: int
) -> dict[str, Any]:
    """Correct a batch of fresh frames and return its counts; the task of a campaign."""
    decoders = decoders_for(ratio, noise_error if number % 2 == 0 else -noise_error, frame_reals)
    plan, noise = decoders.plan, 1.0 / (1.0 + ratio)
    expected = math.sqrt(1.0 - noise) * rng.standard_normal(BATCH * frame_reals)
    outcomes = (expected + math.sqrt(noise) * rng.standard_normal(expected.size)).astype(np.float32)
    started = time.process_time()
    reference, corrector = drive(
        slices_reference(outcomes, plan=plan),
        slices_corrector(expected.astype(np.float32), plan=plan, decoders=decoders),
    )
    seconds = time.process_time() - started
    wrong = np.any(reference.sliced.labels != corrector.sliced.labels, axis=1)
    payload, _ = give_up(reference, wrong)
    take_given_up(corrector, wrong, payload)
    return {
        "entropy": float(cell_entropy(1.0, plan.width, plan.labels)),
        "disclosed": int(sum(reference.disclosed.values())),
        "failed_at_first": int(np.sum(reference.frame_charges > sum(plan.codes.syndrome_bits))),
        "given_up": int(reference.given_up.sum()) - int(wrong.sum()),
        "wrong": int(wrong.sum()),
        "seconds": seconds,
    }


def point_of(ratio: float, frame_reals: int, outcomes: Sequence[Outcome]) -> Point:
    """Return what the batches of one ratio come to."""
    results: list[dict[str, Any]] = [outcome.result or {} for outcome in outcomes]
    total = {name: sum(result[name] for result in results) for name in results[0]}
    reals = len(results) * BATCH * frame_reals
    entropy, disclosed = total["entropy"] / len(results), total["disclosed"] / reals
    return Point(
        ratio=ratio,
        frame_reals=frame_reals,
        frames=len(results) * BATCH,
        failed_at_first=total["failed_at_first"],
        given_up=total["given_up"],
        wrong=total["wrong"],
        entropy=entropy,
        disclosed=disclosed,
        efficiency=(entropy - disclosed) / (0.5 * math.log2(1.0 + ratio)),
        reals_per_second=reals / total["seconds"],
    )


def tasks_of(ratio: float, frames: int, given: argparse.Namespace) -> list[Task]:
    """Return the batches of one ratio."""
    common = {"ratio": ratio, "noise_error": given.noise_error, "frame_reals": given.frame_reals}
    return [
        Task(function=correct_batch, arguments=common | {"number": number}, seed=given.seed)
        for number in range(-(-frames // BATCH))
    ]


def main() -> None:
    """Print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--frames", type=int, default=96, help="at each ratio")
    parser.add_argument("--frame-reals", type=int, default=1 << 18, help="outcomes in a frame")
    parser.add_argument("--noise-error", type=float, default=0.004, help="by how much the known noise is off")
    parser.add_argument("--ratios", type=float, nargs="+", default=RATIOS, help="signal-to-noise ratios")
    parser.add_argument("--json", type=Path, help="write the points to this file")
    parser.add_argument("--quick", action="store_true", help="two ratios, one batch each")
    campaign.add_arguments(parser)
    given = parser.parse_args()
    ratios, frames = (QUICK_RATIOS, 16) if given.quick else (given.ratios, given.frames)
    tasks = {ratio: tasks_of(ratio, frames, given) for ratio in ratios}
    done = {outcome.identity: outcome for outcome in campaign.run([t for own in tasks.values() for t in own], given)}
    print("   SNR  frames  more  lost  wrong  entropy  disclosed  efficiency  Mreal/s")
    points = []
    for ratio, own in tasks.items():
        point = point_of(ratio, given.frame_reals, [done[task.identity] for task in own])
        points.append(asdict(point))
        print(
            f"{ratio:6.2f}  {point.frames:6d}  {point.failed_at_first:4d}  {point.given_up:4d}  {point.wrong:5d}  "
            f"{point.entropy:7.4f}  {point.disclosed:9.4f}  {point.efficiency:10.4f}  "
            f"{point.reals_per_second / 1e6:7.2f}",
            flush=True,
        )
    if given.json:
        given.json.write_text(json.dumps(points, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
