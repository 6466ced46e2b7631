"""How fast sifted bits become key, against the round-trip time of the line: two real sessions on a simulated line.

    python -m benchmarks.pipeline [--block-bits 4194304] [--blocks 8] [--in-flight 8] [--qber 0.03] [--rtt-ms 0 1 10 50]
        [--reconciliation cascade|few-rounds|ldpc] [--slower 1]

Each host has a clock of its own that advances by the processor time that its session really takes; bytes arrive half a
round trip after they were sent. So the figures are those of two hosts with a core each, whatever else runs here. The
first line, "one core", adds both hosts' times instead. Prints a table, or JSON with --json FILE.
"""

from __future__ import annotations

import copy
import json
import math
import resource
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

import qkdpost as qp
from benchmarks.options import parser_of
from qkdpost.dialogue.roles import ROLES

TEST_PROBABILITY = 0.05
CORRECTIONS = {
    "cascade": qp.Cascade(),
    "few-rounds": qp.Cascade(parameters="few-rounds"),
    "ldpc": qp.Ldpc(),
}
Record = TypeVar("Record")


def block_records(sifted_bits: int, qber: float, rng: np.random.Generator) -> tuple[qp.PreparedPulses, qp.Detections]:
    """Return records of one block with about so many sifted key bits; every other pulse is detected."""
    detections = int(sifted_bits / (1 - TEST_PROBABILITY) ** 2)
    pulses = 2 * detections
    bases = (rng.random(pulses) < TEST_PROBABILITY).astype(np.uint8)
    bits = rng.integers(0, 2, pulses, dtype=np.uint8)
    slots = 2 * np.arange(detections) + rng.integers(0, 2, detections)
    measured = (rng.random(detections) < TEST_PROBABILITY).astype(np.uint8)
    errors = (rng.random(detections) < qber).astype(np.uint8)
    chance = rng.integers(0, 2, detections, dtype=np.uint8)
    outcomes = np.where(measured == bases[slots], bits[slots] ^ errors, chance)
    return (
        qp.PreparedPulses(bases=bases, bits=bits),
        qp.Detections(pulses=pulses, slots=slots, bases=measured, outcomes=outcomes),
    )


def another(record: Record) -> Record:
    """Return a record of the same content, which a session takes for another one."""
    return copy.copy(record)


@dataclass
class Host:
    """A session, its clock, and what is on its way to it."""

    session: qp.Session
    slower: float = 1.0
    """So many times as long as here its processor takes."""
    clock_seconds: float = 0.0
    busy_seconds: float = 0.0
    at_work: bool = False
    arriving: deque[tuple[float, bytes]] = field(default_factory=deque)
    events: list[object] = field(default_factory=list)

    @property
    def next_seconds(self) -> float:
        """When it works next: at once if it is at work, else when bytes arrive."""
        if self.at_work:
            return self.clock_seconds
        return max(self.clock_seconds, self.arriving[0][0]) if self.arriving else math.inf

    def go_on(self) -> bytes:
        """Hear what has arrived, if the session has nothing to say, and return what it says after another step."""
        self.clock_seconds = self.next_seconds
        data = b""
        while (not self.at_work or self.session.busy) and self.arriving and self.arriving[0][0] <= self.clock_seconds:
            data += self.arriving.popleft()[1]
        return self.work((lambda: self.session.receive_data(data)) if data else None)

    def work(self, action: Callable[[], None] | None = None) -> bytes:
        started = time.process_time()
        if action is not None:
            action()
        data = self.session.step()
        self.at_work = bool(data) or self.session.busy
        spent = self.slower * (time.process_time() - started)
        self.events += self.session.events()
        self.clock_seconds += spent
        self.busy_seconds += spent
        return data


def run(
    link: qp.LinkConfig, records: list[tuple[object, object]], round_trip_seconds: float, slower: float = 1.0
) -> dict[str, float]:
    """Drive both halves over the simulated line and return what it took."""
    preshared = secrets.token_bytes(2**16)
    hosts = [Host(qp.Session(role=role, link=link, auth_key=qp.KeyPool(preshared)), slower) for role in ROLES]

    def send(source: int, data: bytes) -> None:
        if data:
            hosts[1 - source].arriving.append((hosts[source].clock_seconds + round_trip_seconds / 2, data))

    # A session takes each record once: the same content is submitted as records of their own.
    own = [[another(pair[number]) for pair in records] for number in range(len(hosts))]
    for number, host in enumerate(hosts):
        for record in own[number]:
            send(number, host.work(lambda session=host.session, record=record: session.submit(record)))
        send(number, host.work(host.session.finish))
    while any(host.arriving or host.at_work for host in hosts):
        number = min(range(len(hosts)), key=lambda number: hosts[number].next_seconds)
        send(number, hosts[number].go_on())
    reports = [event.report for event in hosts[0].events if isinstance(event, qp.KeyReady)]
    efficiencies = [report.efficiency for report in reports if report.efficiency is not None]
    if len(reports) != len(records):
        raise SystemExit("a block ended without key")
    return {
        "round_trip_ms": round_trip_seconds * 1e3,
        "sifted_bits": sum(report.key_bits for report in reports),
        "key_bits": sum(report.key_length_bits for report in reports),
        "elapsed_seconds": max(host.clock_seconds for host in hosts),
        "busy_seconds": sum(host.busy_seconds for host in hosts),
        "rounds": max(report.reconciliation_rounds for report in reports),
        "efficiency": float(np.mean(efficiencies)) if efficiencies else math.nan,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes_per_sifted_bit": sum(r.bytes_sent + r.bytes_received for r in reports)
        / sum(report.key_bits for report in reports),
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--block-bits", type=int, default=2**22, help="sifted bits of a block")
    parser.add_argument("--blocks", type=int, default=8, help="how many")
    parser.add_argument("--in-flight", type=int, default=8, help="blocks at the same time")
    parser.add_argument("--qber", type=float, default=0.03, help="error rate of the records")
    parser.add_argument(
        "--rtt-ms", type=float, nargs="+", default=[0.0, 1.0, 10.0, 50.0], help="round trips to simulate"
    )
    parser.add_argument(
        "--reconciliation", choices=sorted(CORRECTIONS), default="cascade", help="how errors are corrected"
    )
    parser.add_argument("--slower", type=float, default=1.0, help="as by processors so many times as slow as here")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    print("compiling", file=sys.stderr)
    qp.warmup()
    rng = np.random.default_rng(1)
    drawn = [block_records(options.block_bits, options.qber, rng) for _ in range(min(2, options.blocks))]
    records = [drawn[number % len(drawn)] for number in range(options.blocks)]
    link = qp.LinkConfig(
        protocol=qp.BB84(),
        correction=CORRECTIONS[options.reconciliation],
        blocks=qp.Blocks(detections=1, in_flight=options.in_flight),
    )
    run(link, records[:1], 0.0)
    rows = []
    for milliseconds in options.rtt_ms:
        print(f"round trip {milliseconds:g} ms", file=sys.stderr)
        rows.append(run(link, records, milliseconds / 1e3, options.slower))
    print("| round trip | sifted to key | rounds | efficiency | bytes per sifted bit |\n|---|---|---|---|---|")
    rate = rows[0]["sifted_bits"] / rows[0]["busy_seconds"] / 1e6
    print(f"| one core, no wait | {rate:.1f} Mbit/s | | | |")
    for row in rows:
        rate = row["sifted_bits"] / row["elapsed_seconds"] / 1e6
        print(
            f"| {row['round_trip_ms']:g} ms | {rate:.1f} Mbit/s | {row['rounds']} | {row['efficiency']:.4f} | "
            f"{row['bytes_per_sifted_bit']:.3f} |"
        )
    print(f"peak memory of both hosts and their records: {rows[-1]['peak_memory_mib']:.0f} MiB")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
