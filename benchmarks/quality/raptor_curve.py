"""Efficiency and speed of raptor-like codes against the signal-to-noise ratio, increments and failed frames charged.

    python benchmarks/quality/raptor_curve.py --frames 96
    python benchmarks/quality/raptor_curve.py --rows 320 --efficiencies 0.92,0.94 --channel binary

Without --efficiencies each ratio is that at which `plan_frames` takes these rows. Efficiency is
(n - disclosed bits) / n / I, with I = log2(1 + SNR) / 2: syndromes, increments, and frames that are given up whole.
The channel is that of rotations of 8 outcomes, or one of binary input and Gaussian noise. Processor time is that of the
decoder on one core, every attempt counted.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.bits import Bits
from qkdpost.reconciliation.channel import LogLikelihoods
from qkdpost.reconciliation.multidimensional.channel import rotation_messages, virtual_channel
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS, CompiledRaptorDecoder
from qkdpost.reconciliation.raptor.plan import FramePlan, plan_frames
from qkdpost.reconciliation.raptor.syndromes import increment_syndromes, syndromes_of

ROWS = (120, 320, 720, 1920)
BATCH = 16
FIRST_SEED = 1000
"""Of the batches; rows were chosen on others."""

Words = NDArray[np.uint64]


@dataclass(slots=True)
class Count:
    """What became of the frames of one point."""

    frames: int = 0
    failed_at_first: int = 0
    given_up: int = 0
    wrong: int = 0
    iterations: float = 0.0
    disclosed: float = 0.0
    seconds: float = 0.0


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


def run_batch(
    plan: FramePlan, snr: float, channel: str, decoder: CompiledRaptorDecoder, seed: int, count: Count
) -> None:
    """Decode a batch of fresh frames, with one increment after the other for those that fail."""
    generator = np.random.default_rng(seed)
    words = generator.integers(0, 1 << 64, size=(BATCH, plan.frame_bits // 64), dtype=np.uint64)
    values = ratios(words, snr, channel, generator)
    base = syndromes_of(plan, words)
    left = np.arange(BATCH)
    count.frames += BATCH
    count.disclosed += BATCH * plan.syndrome_bits
    for step in range(plan.max_steps + 1):
        if step:
            count.disclosed += left.size * plan.increment_bits(step)
        syndromes = np.concatenate([base[left], increment_syndromes(plan.code, words[left], step)], axis=1)
        started = time.process_time()
        found = decoder.decode(syndromes, LogLikelihoods(values=values[left]), step)
        count.seconds += time.process_time() - started
        right = (found.words == words[left, : plan.core_bits // 64]).all(axis=1)
        count.wrong += int(np.sum(found.converged & ~right))
        count.disclosed += int(np.sum(found.converged & ~right)) * (plan.frame_bits - plan.syndrome_bits)
        if step == 0:
            count.iterations += float(found.iterations.sum())
            count.failed_at_first += int(np.sum(~found.converged))
        left = left[~found.converged]
        if not left.size:
            return
    count.given_up += left.size
    spent = plan.syndrome_bits + sum(plan.increment_bits(step) for step in range(1, plan.max_steps + 1))
    count.disclosed += left.size * (plan.frame_bits - spent)


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=list(ROWS))
    parser.add_argument("--efficiencies", default="", help="comma-separated; default: as planned")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--channel", choices=("rotations", "binary"), default="rotations")
    arguments = parser.parse_args()
    print("rows   rate     SNR      efficiency  frames  failed  given up  wrong  iterations  Mbit/s")
    for rows in arguments.rows:
        plan = FramePlan(rows)
        rate = plan.code.info_bits / plan.frame_bits
        wanted = [float(value) for value in arguments.efficiencies.split(",") if value]
        points = [2.0 ** (2.0 * rate / efficiency) - 1.0 for efficiency in wanted] or [planned_ratio(rows)]
        decoder = RAPTOR_DECODERS["layered"].compile(plan.code, rows)
        for snr in points:
            count = Count()
            for batch in range(-(-arguments.frames // BATCH)):
                run_batch(plan, snr, arguments.channel, decoder, FIRST_SEED + batch, count)
            bits = count.frames * plan.frame_bits
            efficiency = (1.0 - count.disclosed / bits) / (0.5 * math.log2(1.0 + snr))
            print(
                f"{rows:4}  {rate:.4f}  {snr:.6f}  {efficiency:.4f}     {count.frames:6}  {count.failed_at_first:6}"
                f"  {count.given_up:8}  {count.wrong:5}  {count.iterations / count.frames:10.1f}"
                f"  {bits / count.seconds / 1e6:6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
