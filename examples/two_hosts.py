"""Two hosts make a secret key: two processes that talk TCP on loopback, each given only its own records.

    python examples/two_hosts.py [--pulses N] [--fibre-km L] [--kind bb84|bbm92]

The parent process simulates the quantum link and writes each side's records to a file of its own; each host reads its
file and the pre-shared key, and nothing else passes between them but the bytes of the socket.
"""

from __future__ import annotations

import argparse
import hashlib
import pickle
import secrets
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import qkdpost as qp


def simulate(kind: str, pulses: int, fibre_km: float) -> tuple[object, object]:
    rng = np.random.default_rng(secrets.randbits(128))
    model = {"bb84": qp.simulation.bb84, "bbm92": qp.simulation.bbm92}[kind]
    return model(pulses=pulses, fibre_km=fibre_km, rng=rng)


def host(role: str, kind: str, folder: Path, port: int) -> None:
    """Run one half: its own records, its own pool of pre-shared key, one socket."""
    record = pickle.loads((folder / f"{role}.records").read_bytes())
    pool = qp.KeyPool((folder / "preshared.key").read_bytes())
    session = qp.Session(role=role, link=qp.LinkConfig(kind=kind), auth_key=pool)
    session.submit(record)
    session.finish()
    if role == "alice":
        with socket.create_server(("127.0.0.1", port)) as server:
            (folder / "port").write_text(str(server.getsockname()[1]))
            connection, _ = server.accept()
    else:
        connection = socket.create_connection(("127.0.0.1", port))
    with connection:
        for event in qp.transport.blocking.run(session, connection, timeout_seconds=120):
            tell(role, event)


def tell(role: str, event: object) -> None:
    match event:
        case qp.StageCompleted(block=block, stage=stage):
            print(f"{role}: block {block}: {stage.name.lower()} done", file=sys.stderr, flush=True)
        case qp.KeyReady(key=key, report=report):
            print(f"\n{report}\n{role}: key digest {hashlib.sha256(key.to_bytes()).hexdigest()}", flush=True)
        case qp.BlockAborted(report=report):
            print(f"\n{report}", flush=True)


def start(role: str, kind: str, folder: Path, port: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        __file__,
        "--role",
        role,
        "--kind",
        kind,
        "--folder",
        str(folder),
        "--port",
        str(port),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for_port(folder: Path, alice: subprocess.Popen[str]) -> int:
    while not (folder / "port").exists() or not (folder / "port").read_text():
        if alice.poll() is not None:
            raise SystemExit("alice ended before she listened")
    return int((folder / "port").read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("bb84", "bbm92"), default="bb84")
    parser.add_argument("--pulses", type=int, default=20_000_000, help="pulses sent (default 20 million)")
    parser.add_argument("--fibre-km", type=float, default=50.0, help="length of the fibre (default 50)")
    parser.add_argument("--role", choices=("alice", "bob"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role:
        host(options.role, options.kind, options.folder, options.port)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"simulating {options.pulses:,} pulses over {options.fibre_km:g} km", file=sys.stderr)
        for role, record in zip(
            ("alice", "bob"), simulate(options.kind, options.pulses, options.fibre_km), strict=True
        ):
            (folder / f"{role}.records").write_bytes(pickle.dumps(record))
        (folder / "preshared.key").write_bytes(secrets.token_bytes(1024))
        alice = start("alice", options.kind, folder, 0)
        bob = start("bob", options.kind, folder, wait_for_port(folder, alice))
        outputs = [process.communicate()[0] for process in (alice, bob)]
    print(*outputs, sep="\n")
    digests = [line.split()[-1] for text in outputs for line in text.splitlines() if "key digest" in line]
    if len(digests) == 2 and digests[0] == digests[1]:
        print("the two hosts hold the same key")
        return 0
    print("the hosts hold no common key")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
