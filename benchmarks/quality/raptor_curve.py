"""Efficiency and speed of raptor-like codes against the signal-to-noise ratio, increments and failed frames charged.

    python benchmarks/quality/raptor_curve.py --frames 96
    python benchmarks/quality/raptor_curve.py --rows 320 --efficiencies 0.92,0.94 --channel binary

Without --efficiencies each ratio is that at which `plan_frames` takes these rows. Efficiency is
(n - disclosed bits) / n / I, with I = log2(1 + SNR) / 2: syndromes, increments, and frames that are given up whole.
The channel is that of rotations of 8 outcomes, or one of binary input and Gaussian noise. Processor time is that of the
decoder on one core, every attempt counted. Batches are tasks of a campaign: see `--help`. 96 frames at each of four
numbers of rows take about ten minutes of one core.
"""

from __future__ import annotations

import argparse
import functools
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.options import parser_of
from benchmarks.quality import campaign

from qkdpost.bits import Bits
from qkdpost.campaigns import Outcome, Task
from qkdpost.reconciliation.channel import LogLikelihoods
from qkdpost.reconciliation.multidimensional.channel import rotation_messages, virtual_channel
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS, CompiledRaptorDecoder
from qkdpost.reconciliation.raptor.plan import FramePlan, plan_frames
from qkdpost.reconciliation.raptor.syndromes import increment_syndromes, syndromes_of

ROWS = (120, 320, 720, 1920)
BATCH = 16

Words = NDArray[np.uint64]


def ratios(words: Words, snr: float, channel: str, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return what Alice knows of frames over a fresh channel."""
    bits = 64 * words.shape[1]
    found = np.empty((len(words), bits), dtype=np.float32)
    for frame, row in enumerate(words):
        noise = generator.standard_normal(bits, dtype=np.float32)
        if channel == "rotations":
            symbols = generator.standard_normal(bits, dtype=np.float32)
            outcomes = np.float32(math.sqrt(snr)) * symbols + noise
            message = rotation_messages(outcomes, Bits(row.copy(), bits), 8)
            found[frame] = virtual_channel(symbols, message, math.sqrt(snr), 1.0).values[0]
        else:
            signs = 1.0 - 2.0 * np.unpackbits(row.view(np.uint8), bitorder="little").astype(np.float32)
            found[frame] = 2.0 * math.sqrt(snr) * (math.sqrt(snr) * signs + noise)
    return found


@functools.cache
def decoder_of(rows: int) -> CompiledRaptorDecoder:
    """Return the decoder, ready for all batches of a process."""
    return RAPTOR_DECODERS["layered"].compile(FramePlan(rows).code, rows)


def decode_batch(rng: np.random.Generator, *, rows: int, snr: float, channel: str, number: int) -> dict[str, Any]:
    """Decode a batch of fresh frames, with one increment after the other for those that fail; a campaign's task."""
    plan, decoder = FramePlan(rows), decoder_of(rows)
    words = rng.integers(0, 1 << 64, size=(BATCH, plan.frame_bits // 64), dtype=np.uint64)
    values = ratios(words, snr, channel, rng)
    base = syndromes_of(plan, words)
    left = np.arange(BATCH)
    count = {"frames": BATCH, "failed_at_first": 0, "given_up": 0, "wrong": 0, "iterations": 0, "seconds": 0.0}
    count["disclosed"] = BATCH * plan.syndrome_bits
    for step in range(plan.max_steps + 1):
        if step:
            count["disclosed"] += left.size * plan.increment_bits(step)
        syndromes = np.concatenate([base[left], increment_syndromes(plan.code, words[left], step)], axis=1)
        started = time.process_time()
        found = decoder.decode(syndromes, LogLikelihoods(values=values[left]), step)
        count["seconds"] += time.process_time() - started
        wrong = int(np.sum(found.converged & ~(found.words == words[left, : plan.core_bits // 64]).all(axis=1)))
        count["wrong"] += wrong
        count["disclosed"] += wrong * (plan.frame_bits - plan.syndrome_bits)
        if step == 0:
            count["iterations"] += int(found.iterations.sum())
            count["failed_at_first"] += int(np.sum(~found.converged))
        left = left[~found.converged]
        if not left.size:
            return count
    spent = plan.syndrome_bits + sum(plan.increment_bits(step) for step in range(1, plan.max_steps + 1))
    count["given_up"] += left.size
    count["disclosed"] += left.size * (plan.frame_bits - spent)
    return count


def tasks_of(rows: int, snr: float, given: argparse.Namespace) -> list[Task]:
    """Return the batches of one point."""
    common = {"rows": rows, "snr": snr, "channel": given.channel}
    return [
        Task(function=decode_batch, arguments=common | {"number": number}, seed=given.seed)
        for number in range(-(-given.frames // BATCH))
    ]


def table_row(rows: int, snr: float, outcomes: Sequence[Outcome]) -> str:
    """Return what the batches of one point come to, as a line."""
    results: list[dict[str, Any]] = [outcome.result or {} for outcome in outcomes]
    count = {name: sum(result[name] for result in results) for name in results[0]}
    plan = FramePlan(rows)
    bits = count["frames"] * plan.frame_bits
    efficiency = (1.0 - count["disclosed"] / bits) / (0.5 * math.log2(1.0 + snr))
    return (
        f"{rows:4}  {plan.code.info_bits / plan.frame_bits:.4f}  {snr:.6f}  {efficiency:.4f}     {count['frames']:6}"
        f"  {count['failed_at_first']:6}  {count['given_up']:8}  {count['wrong']:5}"
        f"  {count['iterations'] / count['frames']:10.1f}  {bits / count['seconds'] / 1e6:6.2f}"
    )


def planned_ratio(rows: int) -> float:
    """Return the lowest ratio at which the plan takes no more rows than these."""
    low, high = 0.011, 1.0
    for _ in range(50):
        middle = math.sqrt(low * high)
        try:
            fits = plan_frames(middle).extension_rows <= rows
        except ValueError:
            fits = False
        low, high = (low, middle) if fits else (middle, high)
    return high


def main() -> None:
    """Print a line for each point."""
    parser = parser_of(__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=list(ROWS), help="extension rows: the fewer, the higher")
    parser.add_argument("--efficiencies", default="", help="comma-separated; default: as planned")
    parser.add_argument("--frames", type=int, default=96, help="of each point")
    parser.add_argument("--channel", choices=("rotations", "binary"), default="rotations", help="default: rotations")
    campaign.add_arguments(parser)
    arguments = parser.parse_args()
    wanted = [float(value) for value in arguments.efficiencies.split(",") if value]
    tasks = {}
    for rows in arguments.rows:
        rate = FramePlan(rows).code.info_bits / FramePlan(rows).frame_bits
        for snr in [2.0 ** (2.0 * rate / efficiency) - 1.0 for efficiency in wanted] or [planned_ratio(rows)]:
            tasks[rows, snr] = tasks_of(rows, snr, arguments)
    done = campaign.run([task for own in tasks.values() for task in own], arguments)
    found = {outcome.identity: outcome for outcome in done}
    print("rows   rate     SNR      efficiency  frames  failed  given up  wrong  iterations  Mbit/s")
    for (rows, snr), own in tasks.items():
        print(table_row(rows, snr, [found[task.identity] for task in own]))


if __name__ == "__main__":
    main()
