"""This checkout beside another one: the same cases by turns in two processes, so that both meet the same machine.

    python -m benchmarks.beside ../older [--rounds 9] [--only toeplitz cascade ...]

Each process runs the cases of its own checkout on its own sources, so that names may differ. They take turns, case by
case and round by round; medians and their ratio are printed: above 1, this checkout is slower. Nothing is built: the
other checkout needs no environment of its own. A busy machine widens the spread, which is printed too, but moves the
ratio little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import qkdpost as qp
from benchmarks.options import parser_of
from benchmarks.pipeline import block_records, run
from qkdpost.keys.authentication import PolynomialHasher
from qkdpost.sifting.slots.coding import decode_slots, encode_slots
from qkdpost.sifting.slots.prepared import match_prepared, sift_prepared
from qkdpost.sifting.time_tags.clicks import merge_clicks, suppress_echoes
from qkdpost.sifting.time_tags.matching import match_events, pair_time_tags

ROOT = Path(__file__).resolve().parent.parent
TURN_SECONDS = 0.1
"""A case is repeated for so long in each turn."""


def _bits(seed: int, length: int) -> Any:
    return qp.Bits.from_bytes(np.random.default_rng(seed).bytes(length // 8), length)


def _toeplitz(exponent: int) -> Callable[[], object]:
    size = 1 << exponent
    bits, seed = _bits(1, size), _bits(2, size + size // 2)[: size + size // 2 - 1]
    return lambda: qp.toeplitz_hash(bits, seed, size // 2)


def _reconcile(method: str, qber: float, length: int) -> Callable[[], object]:
    rng = np.random.default_rng(3)
    errors = qp.Bits.from_array((rng.random(length) < qber).astype(np.uint8))
    reference = _bits(4, length)
    noisy = reference ^ errors
    return lambda: qp.reconcile(reference, noisy, method=method, qber=qber)


def _authentication() -> Callable[[], object]:
    data = np.random.default_rng(5).bytes(2**22)

    def timed() -> object:
        hasher = PolynomialHasher(bytes(range(16)))
        hasher.update(data)
        return hasher.digest()

    return timed


def _sifting() -> Callable[[], object]:
    rng = np.random.default_rng(6)
    pulses, slots = 10**7, np.sort(rng.choice(10**7, 10**6, replace=False))
    prepared = qp.PreparedPulses(bases=_bits(7, pulses), bits=_bits(8, pulses))
    bases = _bits(9, 10**6)

    def timed() -> object:
        told = decode_slots(encode_slots(slots, pulses), slots.size, pulses)
        return sift_prepared(prepared, told, match_prepared(prepared, told, bases))

    return timed


def _records() -> Callable[[], object]:
    rng = np.random.default_rng(10)
    bits = rng.integers(0, 2, 10**7, dtype=np.uint8)
    slots = np.sort(rng.choice(10**7, 10**6, replace=False))
    few = bits[: 10**6]

    def timed() -> object:
        qp.PreparedPulses(bases=bits, bits=bits)
        return qp.Detections(pulses=10**7, slots=slots, bases=few, outcomes=few)

    return timed


def _coincidences() -> Callable[[], object]:
    receiver = qp.simulation.TaggingReceiver(transmittance=0.1)
    tags = qp.simulation.bbm92_time_tags(
        duration_s=1.0, pair_rate_hz=2e7, rng=np.random.default_rng(1), alice=receiver, bob=receiver, tick_ps=10.0
    )

    def timed() -> object:
        own, peer = (merge_clicks(suppress_echoes(side, 1e4), 15) for side in tags)
        return match_events(own, peer.ticks, peer.bases, window_ticks=60)

    return timed


def _unknown_clock() -> Callable[[], object]:
    tags = qp.simulation.bbm92_time_tags(duration_s=1.0, pair_rate_hz=1e6, rng=np.random.default_rng(1))
    return lambda: pair_time_tags(*tags)


def _bound(kind: str) -> Callable[[], object]:
    fibre = qp.simulation.Fibre(length_km=20.0)
    if kind == "bbm92":
        tally, bound = qp.planning.BBM92Link(fibre=fibre).expected_tally(10**9), qp.security.bbm92.secret_length
    elif kind == "single photon":
        link = qp.planning.SinglePhotonBB84Link(fibre=fibre)
        tally, bound = link.expected_tally(10**9), qp.security.single_photon.secret_length
    else:
        tally, bound = (
            qp.planning.DecoyBB84Link(fibre=fibre).expected_tally(10**9),
            qp.security.decoy_bb84.secret_length,
        )
    options = {"method": "analytic"} if kind == "decoy, analytic" else {}
    return lambda: bound(tally, leakage_bits=10**5, epsilon=1e-10, **options)


def _accurate_decoder() -> Callable[[], object]:
    rng = np.random.default_rng(12)
    reference = _bits(13, 2**20)
    noisy = reference ^ qp.Bits.from_array((rng.random(2**20) < 0.02).astype(np.uint8))
    return lambda: qp.reconcile(reference, noisy, method="ldpc", qber=0.02, decoder="accurate")


def _pipeline(kind: str, exponent: int) -> Callable[[], object]:
    records = [block_records(2**exponent, 0.03, np.random.default_rng(11))] * 2
    link = qp.LinkConfig(
        protocol=qp.BB84(),
        correction=qp.Cascade() if kind == "cascade" else qp.Ldpc(),
        blocks=qp.Blocks(detections=1),
    )
    return lambda: run(link, records, 0.0)


CASES: dict[str, Callable[[], Callable[[], object]]] = {
    "toeplitz 2^12": partial(_toeplitz, 12),
    "toeplitz 2^14": partial(_toeplitz, 14),
    "toeplitz 2^16": partial(_toeplitz, 16),
    "toeplitz 2^20": partial(_toeplitz, 20),
    "toeplitz 2^24": partial(_toeplitz, 24),
    "cascade 1 %, 2^20": partial(_reconcile, "cascade", 0.01, 2**20),
    "cascade 3 %, 2^20": partial(_reconcile, "cascade", 0.03, 2**20),
    "cascade 11 %, 2^20": partial(_reconcile, "cascade", 0.11, 2**20),
    "cascade 1 %, 2^23": partial(_reconcile, "cascade", 0.01, 2**23),
    "cascade 3 %, 2^23": partial(_reconcile, "cascade", 0.03, 2**23),
    "cascade 11 %, 2^23": partial(_reconcile, "cascade", 0.11, 2**23),
    "ldpc 1 %, 2^22": partial(_reconcile, "ldpc", 0.01, 2**22),
    "ldpc 3 %, 2^22": partial(_reconcile, "ldpc", 0.03, 2**22),
    "ldpc 3 %, 2^24": partial(_reconcile, "ldpc", 0.03, 2**24),
    "accurate decoder 2 %, 2^20": _accurate_decoder,
    "authentication 4 MiB": _authentication,
    "sifting 10^6 of 10^7": _sifting,
    "records of 10^7": _records,
    "coincidences 4 x 10^6": _coincidences,
    "pair_time_tags, unknown clock": _unknown_clock,
    "secret_length bbm92": partial(_bound, "bbm92"),
    "secret_length single photon": partial(_bound, "single photon"),
    "secret_length decoy, analytic": partial(_bound, "decoy, analytic"),
    "secret_length decoy, linear program": partial(_bound, "decoy"),
    **{
        f"pipeline {method} 2 x 2^{exponent}": partial(_pipeline, method, exponent)
        for method in ("cascade", "ldpc")
        for exponent in (20, 22, 24)
    },
}
"""By name: what prepares a case, and returns what is timed."""


def _serve() -> None:
    """Answer each name on standard input with the seconds of processor time that its case took."""
    name, case, repeats = "", None, 1
    for line in sys.stdin:
        if line.strip() != name or case is None:
            name = line.strip()
            case = CASES[name]()
            case()
            repeats = 1 + int(TURN_SECONDS / max(1e-6, _seconds(case, 1)))
            print("ready", flush=True)
        else:
            print(_seconds(case, repeats), flush=True)


def _seconds(case: Callable[[], object], repeats: int) -> float:
    started = time.process_time()
    for _ in range(repeats):
        case()
    return (time.process_time() - started) / repeats


def _start(root: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    command = [sys.executable, "-m", "benchmarks.beside", "--serve"]
    return subprocess.Popen(
        command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _ask(process: subprocess.Popen[str], name: str) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{name}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("other", type=Path, nargs="?", help="the root of the checkout to compare with")
    parser.add_argument("--rounds", type=int, default=9, help="times of each case, by turns (default 9)")
    parser.add_argument("--only", nargs="+", default=[""], help="cases whose names hold one of these words")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve()
        return
    if options.other is None or not (options.other / "benchmarks" / "beside.py").is_file():
        parser.error("name the root of another checkout that has these cases")
    roots = (options.other.resolve(), ROOT)
    both = [_start(root) for root in roots]
    print("| case | other | here | here / other | spread |\n|---|---|---|---|---|")
    for name in (name for name in CASES if any(word in name for word in options.only)):
        if [_ask(process, name) for process in both] != ["ready", "ready"]:
            print(f"| {name} | failed | | | |", flush=True)
            for process in both:
                process.kill()
            both = [_start(root) for root in roots]
            continue
        times = [[float(_ask(process, name)) for process in both] for _ in range(options.rounds)]
        other, here = (statistics.median(column) for column in zip(*times, strict=True))
        ratios = sorted(mine / theirs for theirs, mine in times)
        print(
            f"| {name} | {other * 1e3:.2f} ms | {here * 1e3:.2f} ms | {statistics.median(ratios):.3f} | "
            f"{ratios[len(ratios) // 4]:.3f} ... {ratios[-1 - len(ratios) // 4]:.3f} |",
            flush=True,
        )
    for process in both:
        process.kill()


if __name__ == "__main__":
    main()
