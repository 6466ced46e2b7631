"""Efficiency, frame errors and rounds of Cascade beside the published table.

    python benchmarks/quality/cascade_table.py [--frames 2000] [--qber 1 2 3 5 8 11] [--json FILE]

Frames of 2^14 bits, independent errors, the near-optimal set; the published figures are those of Table 3 of
arXiv 1407.3257. Columns:

- f: parities disclosed over n h(Q), mean of all frames, with its standard error; f_FER charges frames in error whole,
  (1 - FER) f + FER / h(Q);
- FER: share of frames that differ after correction; undetected: of these, how many a 64-bit universal hash let pass;
- rounds: exchanges of parities until the last of 64 frames that go together is done; one: mean of frames alone.

Takes about a minute of one core for 2,000 frames at each of six rates. The table of the campaign's options: `--help`.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.options import parser_of
from benchmarks.quality import campaign

from qkdpost.bits import Bits
from qkdpost.campaigns import Outcome, Task
from qkdpost.reconciliation import CascadeOutcome, parameters_for, run_cascade
from qkdpost.reconciliation.in_process import drive
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.verification import KEY_BYTES, frame_tags

FRAME_BITS = 1 << 14
TOGETHER = 64
ALONE = 64
"""So many frames are corrected one by one, to count their rounds."""
TAG_BITS = 64

# Error rate in percent: f_EC, f_FER, FER, rounds.
PUBLISHED = {
    0.5: (1.04989, 1.05182, 9.2e-5, 168.6),
    1: (1.04219, 1.04310, 8.0e-5, 208.8),
    2: (1.04006, 1.04062, 9.3e-5, 407.6),
    3: (1.03902, 1.03945, 1.1e-4, 496.9),
    4: (1.04313, 1.04342, 9.4e-5, 500.2),
    5: (1.04313, 1.04335, 8.9e-5, 432.6),
    6: (1.04580, 1.04601, 1.1e-4, 606.6),
    7: (1.05050, 1.05065, 8.7e-5, 796.9),
    8: (1.05465, 1.05479, 9.7e-5, 550.3),
    9: (1.05486, 1.05499, 1.0e-4, 690.4),
    10: (1.05736, 1.05747, 1.0e-4, 840.3),
    11: (1.06130, 1.06139, 1.0e-4, 998.4),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was measured at one error rate."""

    qber_percent: float
    frames: int
    efficiency: float
    standard_error: float
    efficiency_with_frame_errors: float
    frame_errors: int
    undetected: int
    rounds_of_64: float
    rounds_of_one: float


def correct(errors: Bits, qber_percent: float, rng: np.random.Generator) -> tuple[CascadeOutcome, Bits]:
    """Return the outcome and what is left of the errors, under a fresh seed."""
    parameters = parameters_for("near-optimal", round(qber_percent * 10_000), FRAME_BITS)
    seed = rng.bytes(32)
    reference = Bits.from_bytes(rng.bytes(len(errors) // 8), len(errors))
    sides = [
        run_cascade(bits, frame_bits=FRAME_BITS, parameters=parameters, seed=seed, reference=which == 0)
        for which, bits in enumerate((reference, reference ^ errors))
    ]
    kept, corrected = drive(*sides)
    return kept, corrected.bits ^ reference


def count_undetected(left: Bits, rng: np.random.Generator) -> tuple[int, int]:
    """Return how many frames differ, and how many of those a hash of the difference does not tell from none."""
    frames = left.words.reshape(-1, FRAME_BITS // 64)
    wrong = frames.any(axis=1)
    if not wrong.any():
        return 0, 0
    # The hash is linear in the bits: two frames collide where their difference hashes as zeros do.
    key = rng.bytes(KEY_BYTES)
    tags = frame_tags(left, FRAME_BITS, key, TAG_BITS).words
    none = frame_tags(Bits.zeros(FRAME_BITS), FRAME_BITS, key, TAG_BITS).words[0]
    return int(wrong.sum()), int(np.count_nonzero(tags[wrong] == none))


def correct_together(rng: np.random.Generator, *, qber_percent: float, frames: int, number: int) -> dict[str, Any]:
    """Correct frames that go together; the task of a campaign, its `number` tells it from others."""
    errors = Bits.from_array(rng.random(frames * FRAME_BITS) < qber_percent / 100)
    outcome, left = correct(errors, qber_percent, rng)
    wrong, undetected = count_undetected(left, rng)
    return {
        "parities": outcome.frame_parities.tolist(),
        "rounds": outcome.rounds,
        "wrong": wrong,
        "undetected": undetected,
    }


def tasks_of(qber_percent: float, frames: int, seed: int) -> list[Task]:
    """Return tasks that correct so many frames, 64 at a time, and 64 alone."""
    sizes = [TOGETHER] * (frames // TOGETHER) + ([frames % TOGETHER] if frames % TOGETHER else []) + [1] * ALONE
    return [
        Task(
            function=correct_together,
            arguments={"qber_percent": qber_percent, "frames": size, "number": number},
            seed=seed,
        )
        for number, size in enumerate(sizes)
    ]


def point_of(qber_percent: float, outcomes: Sequence[Outcome]) -> Point:
    """Return what the frames of one error rate come to; those corrected alone count for rounds only."""
    results: list[dict[str, Any]] = [outcome.result or {} for outcome in outcomes]
    together, alone = results[:-ALONE], results[-ALONE:]
    parities = [count for result in together for count in result["parities"]]
    full = [result["rounds"] for result in together if len(result["parities"]) == TOGETHER]
    wrong, frames = sum(result["wrong"] for result in together), len(parities)
    asymptotic = FRAME_BITS * binary_entropy(qber_percent / 100)
    efficiency = float(np.mean(parities)) / asymptotic
    return Point(
        qber_percent=qber_percent,
        frames=frames,
        efficiency=efficiency,
        standard_error=float(np.std(parities)) / asymptotic / math.sqrt(frames),
        efficiency_with_frame_errors=(1 - wrong / frames) * efficiency
        + wrong / frames / binary_entropy(qber_percent / 100),
        frame_errors=wrong,
        undetected=sum(result["undetected"] for result in together),
        rounds_of_64=float(np.mean(full)) if full else math.nan,
        rounds_of_one=float(np.mean([result["rounds"] for result in alone])),
    )


def row(point: Point) -> str:
    published = PUBLISHED[point.qber_percent]
    return (
        f"{point.qber_percent:>5} {point.frames:>6}  {point.efficiency:.5f} +- {point.standard_error:.5f} "
        f"{published[0]:.5f} {100 * (point.efficiency / published[0] - 1):+6.2f} %  "
        f"{point.efficiency_with_frame_errors:.5f} {published[1]:.5f}  "
        f"{point.frame_errors / point.frames:.1e} {published[2]:.1e} {point.undetected:>10}  "
        f"{point.rounds_of_64:7.1f} {point.rounds_of_one:6.1f} {published[3]:6.1f}"
    )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--frames", type=int, default=2000, help="frames at each error rate")
    parser.add_argument("--qber", type=float, nargs="+", default=[1, 2, 3, 5, 8, 11], help="error rates in percent")
    parser.add_argument("--json", type=Path, help="also write the points to this file")
    campaign.add_arguments(parser)
    arguments = parser.parse_args()
    unknown = [qber for qber in arguments.qber if qber not in PUBLISHED]
    if unknown or arguments.frames < 1:
        parser.error(f"error rates are those of the table, {', '.join(map(str, PUBLISHED))}; frames are 1 or more")
    tasks = {qber: tasks_of(qber, arguments.frames, arguments.seed) for qber in arguments.qber}
    done = {outcome.identity: outcome for outcome in campaign.run(itertools.chain(*tasks.values()), arguments)}
    points = [point_of(qber, [done[task.identity] for task in own]) for qber, own in tasks.items()]
    print(" Q/%  frames  f                   published   diff    f_FER   publ.    FER     publ.   undetected", end="")
    print("  rounds/64   one  publ.")
    for point in points:
        print(row(point))
    total = sum(point.frames for point in points)
    print(f"FER over all: {sum(point.frame_errors for point in points) / total:.1e} of {total} frames")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(point) for point in points], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
