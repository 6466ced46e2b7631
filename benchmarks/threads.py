"""What a second thread brings: each case with and without an executor, by turns in one run.

    python -m benchmarks.threads [--threads 2] [--rounds 9] [--only toeplitz cascade ...]

Prints the median of each by the clock on the wall, and the median ratio of turns that follow each other: how many
times as fast the threads are. The machine must be quiet and have as many free cores as there are threads.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np

import qkdpost as qp
from benchmarks.options import parser_of
from benchmarks.pipeline import another, block_records
from qkdpost import sifting
from qkdpost.reconciliation.in_process import BitMethod

Case = Callable[[Executor | None], object]


def _bits(seed: int, length: int) -> qp.Bits:
    return qp.Bits.from_bytes(np.random.default_rng(seed).bytes(length // 8), length)


def _toeplitz(exponent: int) -> Case:
    size = 1 << exponent
    bits, seed = _bits(1, size), _bits(2, size + size // 2)[: size + size // 2 - 1]
    return lambda executor: qp.toeplitz_hash(bits, seed, size // 2, executor=executor)


def _correction(method: BitMethod, exponent: int) -> Case:
    reference = _bits(3, 1 << exponent)
    errors = np.random.default_rng(4).random(len(reference)) < 0.03
    noisy = reference ^ qp.Bits.from_array(errors.astype(np.uint8))
    return lambda executor: qp.reconcile(reference, noisy, method=method, qber=0.03, seed=bytes(32), executor=executor)


def _clocks() -> Case:
    tags = qp.simulation.bbm92_time_tags(duration_s=2.0, pair_rate_hz=2e6, rng=1)
    return lambda executor: sifting.pair_time_tags(*tags, executor=executor)


def _pipeline(method: qp.Cascade | qp.Ldpc, exponent: int) -> Case:
    pairs = [block_records(1 << exponent, 0.03, np.random.default_rng(5))] * 4
    link = qp.LinkConfig(protocol=qp.BB84(), correction=method, blocks=qp.Blocks(detections=1, in_flight=4))

    def distilled(executor: Executor | None) -> object:
        alice, bob = ([another(pair[side]) for pair in pairs] for side in (0, 1))
        return qp.distill(alice, bob, link, executor=executor)

    return distilled


CASES: dict[str, Callable[[], Case]] = {
    "toeplitz 2^18": lambda: _toeplitz(18),
    "toeplitz 2^20": lambda: _toeplitz(20),
    "toeplitz 2^22": lambda: _toeplitz(22),
    "toeplitz 2^24": lambda: _toeplitz(24),
    "cascade 2^22": lambda: _correction("cascade", 22),
    "cascade 2^24": lambda: _correction("cascade", 24),
    "ldpc 2^22": lambda: _correction("ldpc", 22),
    "ldpc 2^24": lambda: _correction("ldpc", 24),
    "clocks of time tags": _clocks,
    "pipeline cascade, 4 x 2^22": lambda: _pipeline(qp.Cascade(), 22),
    "pipeline ldpc, 4 x 2^22": lambda: _pipeline(qp.Ldpc(), 22),
}


def _seconds(case: Case, executor: Executor | None) -> float:
    started = time.perf_counter()
    case(executor)
    return time.perf_counter() - started


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--threads", type=int, default=2, help="how many work, the calling one among them: 2 or more")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each case")
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose names hold one of these")
    options = parser.parse_args()
    qp.warmup()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print(f"| case | 1 thread | {options.threads} threads | times as fast |\n|---|---|---|---|")
    with ThreadPoolExecutor(options.threads - 1) as executor:
        for name in (name for name in CASES if any(part in name for part in options.only)):
            case = CASES[name]()
            for one in (None, executor):
                case(one)
            turns = [(_seconds(case, None), _seconds(case, executor)) for _ in range(options.rounds)]
            alone, shared = (statistics.median(column) for column in zip(*turns, strict=True))
            ratio = statistics.median(first / second for first, second in turns)
            print(f"| {name} | {1e3 * alone:.2f} ms | {1e3 * shared:.2f} ms | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
