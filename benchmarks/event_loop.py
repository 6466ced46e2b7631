"""How long an event loop stands still while the links of a host distil in it, or in threads beside it.

    python -m benchmarks.event_loop [--links 4] [--block-bits 4194304] [--blocks 2] [--threads 2]

One process is the host of all links, another has their peers, over TCP on loopback. In the host's event loop a task
sleeps for a millisecond at a time, and tells how late it was woken at most: so late is any other task, an answer to an
operator say. Once with the sessions in the event loop, once in threads, and once more in threads between which Python
switches after a millisecond (`sys.setswitchinterval`) and not after five. On a busy machine part of it is that of
others: what is left when the loop's own waits for a core are taken off stands beside (where the system tells them), and
the last column is how late the same task is woken in this process while nothing else is to be done.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import multiprocessing
import socket
import sys
import time
from argparse import Namespace
from concurrent.futures import Executor, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

import qkdpost as qp
from benchmarks.options import parser_of
from benchmarks.pipeline import another, block_records

PRESHARED = bytes(range(256)) * 16
BEAT_SECONDS = 1e-3
SCHEDULED = Path("/proc/thread-self/schedstat")
LINK = qp.LinkConfig(protocol=qp.BB84(), blocks=qp.Blocks(detections=1, max_detections=2**26, in_flight=2))


class Heart:
    """A task that wants to be woken every millisecond.

    Args:
        tell_after_seconds: of standing still, where all threads are then is printed; 0 for never.
    """

    def __init__(self, tell_after_seconds: float = 0.0) -> None:
        self._tell_after = tell_after_seconds
        self.late: list[float] = []
        self.late_with_a_core: list[float] = []

    async def beat(self) -> None:
        while True:
            if self._tell_after:
                faulthandler.dump_traceback_later(self._tell_after, file=sys.stderr)
            started, waited = time.perf_counter(), waited_for_a_core()
            await asyncio.sleep(BEAT_SECONDS)
            late = time.perf_counter() - started - BEAT_SECONDS
            self.late.append(late)
            self.late_with_a_core.append(late - (waited_for_a_core() - waited))

    def longest_ms(self) -> float:
        return 1e3 * max(self.late)

    def longest_with_a_core_ms(self) -> float:
        return 1e3 * max(self.late_with_a_core)


def waited_for_a_core() -> float:
    """Return how long this thread was ready and had no core so far, in seconds; 0 where the system does not tell."""
    try:
        return 1e-9 * int(SCHEDULED.read_text().split()[1])
    except OSError:
        return 0.0


def new_session(role: str, record: object, blocks: int) -> qp.Session:
    session = qp.Session(role=role, link=LINK, auth_key=qp.KeyPool(PRESHARED))  # type: ignore[arg-type]
    for _ in range(blocks):
        session.submit(another(record))
    session.finish()
    return session


async def drive(session: qp.Session, line: socket.socket, executor: Executor | None) -> int:
    """Drive a session to its end, and return the bits of its keys."""
    reader, writer = await asyncio.open_connection(sock=line)
    bits = 0
    async for event in qp.transport.asyncio.run(session, reader, writer, executor=executor):
        if isinstance(event, qp.KeyReady):
            bits += event.report.key_bits
        elif isinstance(event, qp.BlockAborted):
            raise SystemExit(f"a block ended without key: {event.detail}")
    writer.close()
    return bits


async def drive_all(
    role: str, lines: list[socket.socket], options: Namespace, threads: int
) -> tuple[Heart, float, int]:
    drawn = block_records(options.block_bits, options.qber, np.random.default_rng(1))
    sessions = [new_session(role, drawn[0 if role == "alice" else 1], options.blocks) for _ in lines]
    heart = Heart(1e-3 * options.tell_after)
    with ThreadPoolExecutor(threads) if threads else contextlib.nullcontext() as executor:
        beating = asyncio.create_task(heart.beat())
        started = time.perf_counter()
        bits = await asyncio.gather(*(drive(*each, executor) for each in zip(sessions, lines, strict=True)))
        elapsed = time.perf_counter() - started
        beating.cancel()
    faulthandler.cancel_dump_traceback_later()
    return heart, elapsed, sum(bits)


async def rest(seconds: float) -> Heart:
    heart = Heart()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await heart.beat()
    return heart


def be_peers(options: Namespace, port: Connection) -> None:
    """Be Bob of every link; always in threads."""
    qp.warmup()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        port.send(server.getsockname()[1])
        for _ in range(3):
            lines = [server.accept()[0] for _ in range(options.links)]
            asyncio.run(drive_all("bob", lines, options, 2))


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--links", type=int, default=4, help="links of the host")
    parser.add_argument("--block-bits", type=int, default=2**22, help="sifted bits of a block")
    parser.add_argument("--blocks", type=int, default=2, help="blocks of each link")
    parser.add_argument("--qber", type=float, default=0.03, help="error rate of the records")
    parser.add_argument("--threads", type=int, default=2, help="of the executor")
    parser.add_argument(
        "--tell-after", type=float, default=0.0, metavar="MS", help="print where threads are after so long a stall"
    )
    options = parser.parse_args()
    qp.warmup()
    context = multiprocessing.get_context("spawn")
    port_out, port_in = context.Pipe(duplex=False)
    peers = context.Process(target=be_peers, args=(options, port_in))
    peers.start()
    port = int(port_out.recv())
    print("sessions             longest stall   with a core   99.9 % within   Mbit/s     at rest")
    rows = (("in the loop", 0, 5.0), ("in threads", options.threads, 5.0), ("in threads, 1 ms", options.threads, 1.0))
    for name, threads, switch_ms in rows:
        sys.setswitchinterval(1e-3 * switch_ms)
        at_rest = asyncio.run(rest(1.0)).longest_ms()
        lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(options.links)]
        heart, elapsed, bits = asyncio.run(drive_all("alice", lines, options, threads))
        usual = 1e3 * float(np.quantile(heart.late, 0.999))
        print(
            f"{name:<20} {heart.longest_ms():>10.1f} ms {heart.longest_with_a_core_ms():>10.1f} ms {usual:>12.1f} ms "
            f"{bits / elapsed / 1e6:>8.1f} {at_rest:>8.1f} ms",
            flush=True,
        )
    peers.join()


if __name__ == "__main__":
    main()
