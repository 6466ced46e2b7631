"""Efficiency of slices against the signal-to-noise ratio, failed frames charged whole: a table and JSON.

    python benchmarks/quality/slices_curve.py --frames 200 --json slices_curve.json
    python benchmarks/quality/slices_curve.py --quick

Efficiency is (H(label | place) - disclosed bits a real) / I, with I = log2(1 + SNR) / 2 and everything counted that a
session charges before verification: syndromes, turns, verdicts, revealed bits, and the labels of frames that were given
up or came out wrong, in their prefix code. The plan is made from a noise that is off by --noise-error, half of the
batches above and half below, as one is that 2^17 disclosed symbols tell to 0.4 %. Processor time is that of both sides
on one core.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.slices.batch import SliceBatch, give_up, take_given_up
from qkdpost.reconciliation.slices.conversation import slices_corrector, slices_reference
from qkdpost.reconciliation.slices.decoding import SliceDecoders
from qkdpost.reconciliation.slices.plan import plan_slices
from qkdpost.statistics.gaussian.wrapped import cell_entropy

RATIOS = [0.5, 1.0, 2.0, 3.0, 5.0, 10.0]
QUICK_RATIOS = [1.0, 3.0]
BATCH = 16
FIRST_SEED = 1000
"""Of the batches; widths and codes were chosen on others."""


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


def run_batch(
    ratio: float, frames: int, frame_reals: int, decoders: SliceDecoders, seed: int
) -> tuple[SliceBatch, int, float]:
    """Correct a batch of fresh frames; return the reference's outcome, how many came out wrong, and seconds."""
    generator = np.random.default_rng(seed)
    noise = 1.0 / (1.0 + ratio)
    expected = math.sqrt(1.0 - noise) * generator.standard_normal(frames * frame_reals)
    outcomes = (expected + math.sqrt(noise) * generator.standard_normal(expected.size)).astype(np.float32)
    plan = decoders.plan
    started = time.process_time()
    reference, corrector = drive(
        slices_reference(outcomes, plan=plan),
        slices_corrector(expected.astype(np.float32), plan=plan, decoders=decoders),
    )
    seconds = time.process_time() - started
    wrong = np.any(reference.sliced.labels != corrector.sliced.labels, axis=1)
    payload, _ = give_up(reference, wrong)
    take_given_up(corrector, wrong, payload)
    return reference, int(wrong.sum()), seconds


def measure(ratio: float, frames: int, frame_reals: int, noise_error: float) -> Point:
    """Correct many frames at one ratio."""
    decoders = []
    for sign in (1.0, -1.0):
        noise = (1.0 + sign * noise_error) / (1.0 + ratio)
        decoders.append(SliceDecoders(plan_slices(outcome_variance=1.0, noise_variance=noise, frame_reals=frame_reals)))
    entropy = disclosed = seconds = 0.0
    first = given_up = wrong = 0
    batches = -(-frames // BATCH)
    for number in range(batches):
        plan = decoders[number % 2].plan
        batch, wrongs, taken = run_batch(ratio, BATCH, frame_reals, decoders[number % 2], FIRST_SEED + number)
        entropy += cell_entropy(1.0, plan.width, plan.labels) / batches
        disclosed += sum(batch.disclosed.values()) / (batches * BATCH * frame_reals)
        first += int(np.sum(batch.frame_charges > sum(plan.codes.syndrome_bits)))
        given_up += int(batch.given_up.sum()) - wrongs
        wrong += wrongs
        seconds += taken
    return Point(
        ratio=ratio,
        frame_reals=frame_reals,
        frames=batches * BATCH,
        failed_at_first=first,
        given_up=given_up,
        wrong=wrong,
        entropy=entropy,
        disclosed=disclosed,
        efficiency=(entropy - disclosed) / (0.5 * math.log2(1.0 + ratio)),
        reals_per_second=batches * BATCH * frame_reals / seconds,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--frame-reals", type=int, default=1 << 18)
    parser.add_argument("--noise-error", type=float, default=0.004)
    parser.add_argument("--ratios", type=float, nargs="+", default=RATIOS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    ratios, frames = (QUICK_RATIOS, 16) if given.quick else (given.ratios, given.frames)
    print("   SNR  frames  more  lost  wrong  entropy  disclosed  efficiency  Mreal/s")
    points = []
    for ratio in ratios:
        point = measure(ratio, frames, given.frame_reals, given.noise_error)
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
