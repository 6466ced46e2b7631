"""Sifted bits to key between two processes over TCP on loopback, and how much of the time is spent outside kernels.

    python -m benchmarks.loopback [--block-bits 4194304] [--blocks 8] [--in-flight 4] [--qber 0.03]
        [--reconciliation cascade|ldpc] [--one-block]

Both processes draw the same records from one seed and keep their own half. The clock runs from the greeting to the last
key, after one block that is not counted. With --profile, Bob's process also tells which share of its processor time was
spent outside of compiled kernels.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import pstats
import resource
import socket
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import numpy as np

import qkdpost as qp
from benchmarks.options import parser_of
from benchmarks.pipeline import another, block_records

PRESHARED = bytes(range(256)) * 16


def host(role: str, options: argparse.Namespace, port: Connection | int, results: Connection) -> None:
    drawn = block_records(options.block_bits, options.qber, np.random.default_rng(1))
    record = drawn[0 if role == "alice" else 1]
    qp.warmup()
    link = qp.LinkConfig(
        protocol=qp.BB84(),
        correction=qp.Cascade() if options.reconciliation == "cascade" else qp.Ldpc(),
        blocks=qp.Blocks(
            detections=2**30 if options.one_block else 1,
            max_detections=2**30 if options.one_block else 2**26,
            in_flight=options.in_flight,
        ),
    )
    lines = connections(port)
    run(role, link, record, next(lines), 1)
    profile = cProfile.Profile()
    if options.profile and role == "bob":
        profile.enable()
    elapsed, busy, bits = run(role, link, record, next(lines), options.blocks)
    profile.disable()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    share = outside_kernels(profile) if options.profile and role == "bob" else None
    results.send((role, elapsed, busy, bits, memory, share))


def connections(port: Connection | int) -> Iterator[socket.socket]:
    """Give a fresh connection for each session: Bob calls, Alice answers and tells her port first."""
    if isinstance(port, int):
        while True:
            yield socket.create_connection(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port.send(server.getsockname()[1])
        while True:
            yield server.accept()[0]


def run(
    role: str, link: qp.LinkConfig, record: object, connection: socket.socket, blocks: int
) -> tuple[float, float, int]:
    session = qp.Session(role=role, link=link, auth_key=qp.KeyPool(PRESHARED))
    for _ in range(blocks):
        session.submit(another(record))
    session.finish()
    started, busy = time.perf_counter(), time.process_time()
    bits = 0
    for event in qp.transport.blocking.run(session, connection, timeout_seconds=120):
        if isinstance(event, qp.KeyReady):
            bits += event.report.key_bits
        elif isinstance(event, qp.BlockAborted):
            raise SystemExit(f"a block ended without key: {event.detail}")
    return time.perf_counter() - started, time.process_time() - busy, bits


def outside_kernels(profile: cProfile.Profile) -> float:
    """Return the share of time in functions that are not compiled kernels; waiting for the line is left out."""
    kernels = outside = 0.0
    for (path, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if "select" in name or "poll" in name:
            continue
        if "_kernels" in path and not path.endswith("decorators.py"):
            kernels += own
        else:
            outside += own
    return outside / (kernels + outside)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--block-bits", type=int, default=2**22, help="sifted bits of a block")
    parser.add_argument("--blocks", type=int, default=8, help="how many")
    parser.add_argument("--in-flight", type=int, default=4, help="blocks at the same time")
    parser.add_argument("--qber", type=float, default=0.03, help="error rate of the records")
    parser.add_argument(
        "--reconciliation", choices=("cascade", "ldpc"), default="cascade", help="how errors are corrected"
    )
    parser.add_argument("--one-block", action="store_true", help="gather all records into one block")
    parser.add_argument("--profile", action="store_true", help="also tell the share of time outside of kernels")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    port_out, port_in = context.Pipe(duplex=False)
    results_out, results_in = context.Pipe(duplex=False)
    alice = context.Process(target=host, args=("alice", options, port_in, results_in))
    alice.start()
    bob = context.Process(target=host, args=("bob", options, int(port_out.recv()), results_in))
    bob.start()
    for _ in range(2):
        role, elapsed, busy, bits, memory, share = results_out.recv()
        line = f"{role}: {bits / elapsed / 1e6:.1f} Mbit/s, processor busy {busy / elapsed:.0%} of {elapsed:.2f} s"
        line += f"; peak memory {memory:.0f} MiB"
        print(line + (f"; {share:.0%} of it outside kernels (profiled)" if share is not None else ""))
    alice.join()
    bob.join()


if __name__ == "__main__":
    main()
