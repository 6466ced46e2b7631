"""Continuous variables between two processes over TCP on loopback: records to key, with every term of the bound.

    python -m benchmarks.gaussian_cv [--symbols 40000000] [--km 25] [--modulation 4] [--excess-noise 0.02]
        [--efficiency 0.6] [--electronic-noise 0.1] [--detection heterodyne|homodyne] [--records 8] [--calibration 1]
        [--correction multidimensional|slices] [--driver blocking|asyncio]

Both processes draw the same records from one seed and keep their own half. Calibration records, so many times as long
as the block, are summed up as they are drawn; with `--keep-calibration` they are held. The clock runs from the greeting
to the key; peak memory is that of the session, with the records that it holds, and without what drew them.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

import qkdpost as qp
from benchmarks.options import parser_of
from qkdpost.session.events import Event

PRESHARED = bytes(range(256)) * 16
TIMEOUT_SECONDS = 3600
FIBRE_LOSS_DB_PER_KM = 0.2
CORRECTIONS = {"multidimensional": qp.Multidimensional(), "slices": qp.Slices()}


def link_of(options: argparse.Namespace) -> qp.LinkConfig:
    """Return the link: one block of all records."""
    return qp.LinkConfig(
        protocol=qp.GaussianCV(
            modulation_variance=options.modulation,
            efficiency=options.efficiency,
            detection=options.detection,
            attacks=options.attacks,
            modulation_tolerance=options.tolerance,
            efficiency_tolerance=options.tolerance,
        ),
        correction=CORRECTIONS[options.correction],
        blocks=qp.Blocks(detections=options.symbols, max_detections=2**30),
    )


def records(options: argparse.Namespace) -> Iterator[tuple[qp.CoherentStates, qp.QuadratureOutcomes]]:
    """Draw both sides' records, one pair at a time."""
    yield from qp.simulation.gaussian_cv_records(
        options.records,
        symbols=options.symbols // options.records,
        rng=np.random.default_rng(1),
        modulation_variance=options.modulation,
        transmittance=10.0 ** (-FIBRE_LOSS_DB_PER_KM * options.km / 10.0),
        excess_noise=options.excess_noise,
        efficiency=options.efficiency,
        electronic_noise=options.electronic_noise,
        detection=options.detection,
        calibration_symbols=round(options.calibration * options.symbols / options.records),
        keep_calibration=options.keep_calibration,
    )


def host(role: str, options: argparse.Namespace, port: Connection | int, results: Connection) -> None:
    """Run one side."""
    side = 0 if role == "alice" else 1
    session = qp.Session(role=role, link=link_of(options), auth_key=qp.KeyPool(PRESHARED))
    for pair in records(options):
        session.submit(pair[side])
    session.finish()
    qp.warmup()
    connection = connect(port)
    reset_peak_memory()
    started, busy = time.perf_counter(), time.process_time()
    key, report = b"", None
    for event in DRIVERS[options.driver](session, connection):
        if isinstance(event, qp.KeyReady):
            key, report = event.key.bits.to_bytes(), event.report
        elif isinstance(event, qp.BlockAborted):
            report = event.report
    elapsed, busy = time.perf_counter() - started, time.process_time() - busy
    results.send((role, elapsed, busy, peak_memory_mib(), key, str(report)))


def block_on(session: qp.Session, connection: socket.socket) -> Iterable[Event]:
    """Drive a session by the blocking driver."""
    return qp.transport.blocking.run(session, connection, timeout_seconds=TIMEOUT_SECONDS)


def await_on(session: qp.Session, connection: socket.socket) -> Iterable[Event]:
    """Drive a session by that of asyncio; return its events when it is over."""

    async def events() -> list[Event]:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(sock=connection)
            found = [event async for event in qp.transport.asyncio.run(session, reader, writer)]
            writer.close()
            return found

    return asyncio.run(events())


DRIVERS = {"blocking": block_on, "asyncio": await_on}


def connect(port: Connection | int) -> socket.socket:
    """Return the line: Bob calls, Alice answers and tells her port first."""
    if isinstance(port, int):
        return socket.create_connection(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port.send(server.getsockname()[1])
        return server.accept()[0]


def reset_peak_memory() -> None:
    """Let the kernel count the peak of resident memory from here on; Linux alone can."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_mib() -> float:
    """Return the peak of resident memory since it was reset."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Run both sides and print what came of it."""
    parser = parser_of(__doc__)
    parser.add_argument("--symbols", type=int, default=40_000_000, help="sent in the block")
    parser.add_argument("--records", type=int, default=8, help="how many records the block comes in")
    parser.add_argument("--km", type=float, default=25.0, help="length of the fibre")
    parser.add_argument("--modulation", type=float, default=4.0, help="variance, in units of shot noise")
    parser.add_argument("--excess-noise", type=float, default=0.02, help="at the channel input, in units of shot noise")
    parser.add_argument("--efficiency", type=float, default=0.6, help="of Bob's detectors")
    parser.add_argument("--electronic-noise", type=float, default=0.1, help="variance, in units of shot noise")
    parser.add_argument("--detection", choices=("heterodyne", "homodyne"), default="heterodyne", help="how Bob detects")
    parser.add_argument(
        "--correction", choices=CORRECTIONS, default="multidimensional", help="how outcomes are corrected"
    )
    parser.add_argument("--driver", choices=DRIVERS, default="blocking", help="which driver carries the bytes")
    parser.add_argument("--attacks", default="gaussian-collective", help="what the bound covers")
    parser.add_argument("--calibration", type=float, default=1.0, help="how many times as long as the block")
    parser.add_argument("--keep-calibration", action="store_true", help="as arrays, and not as sums")
    parser.add_argument("--tolerance", type=float, default=0.0, help="of efficiency and modulation variance")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    port_out, port_in = context.Pipe(duplex=False)
    results_out, results_in = context.Pipe(duplex=False)
    alice = context.Process(target=host, args=("alice", options, port_in, results_in))
    alice.start()
    bob = context.Process(target=host, args=("bob", options, int(port_out.recv()), results_in))
    bob.start()
    keys = []
    for _ in range(2):
        role, elapsed, busy, memory, key, report = results_out.recv()
        keys.append(key)
        speed = f"{elapsed:.1f} s, {options.symbols / elapsed / 1e6:.2f} M symbols/s"
        print(f"{role}: {speed}, processor busy {busy:.1f} s; peak memory {memory:.0f} MiB")
        print(report)
    print("equal keys" if keys[0] == keys[1] != b"" else "NO KEY" if keys == [b"", b""] else "DIFFERENT KEYS")
    alice.join()
    bob.join()


if __name__ == "__main__":
    main()
