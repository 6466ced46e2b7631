"""What the two-host examples share: two operating-system processes, each with its own records, and one TCP connection.

Each host is started with a folder that holds its records and the pre-shared key, and nothing of the other host; it
prints its report and a digest of its key.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import qkdpost as qp

PRESHARED_BYTES = 1024
TIMEOUT_SECONDS = 300


def run_two_hosts(alice: object, bob: object, link: qp.LinkConfig) -> int:
    """Give each host its records, let them talk, print what they print; 0 if both hold the same key."""
    preshared = secrets.token_bytes(PRESHARED_BYTES)
    with tempfile.TemporaryDirectory() as name:
        folders = {role: Path(name) / role for role in ("alice", "bob")}
        for role, record in (("alice", alice), ("bob", bob)):
            folders[role].mkdir()
            (folders[role] / "link.toml").write_text(link.to_toml(), encoding="utf-8")
            (folders[role] / "preshared.key").write_bytes(preshared)
            qp.save(folders[role] / "record.npz", record)
        first = start("alice", folders["alice"], 0)
        port = first.stdout.readline().strip()
        if not port.isdigit():
            raise SystemExit("alice ended before she listened")
        second = start("bob", folders["bob"], int(port))
        outputs = [process.communicate()[0] for process in (first, second)]
    print(*outputs, sep="\n")
    digests = [line.split()[-1] for text in outputs for line in text.splitlines() if "key digest" in line]
    if len(digests) == 2 and digests[0] == digests[1]:
        print("both hosts hold the same key")
        return 0
    print("the hosts hold no common key; the line 'no key' of each report says why")
    return 1


def start(role: str, folder: Path, port: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, role, str(folder), str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def host(role: str, folder: Path, port: int) -> None:
    """Be one host: own record, own copy of the pre-shared key, one socket."""
    link = qp.LinkConfig.from_toml((folder / "link.toml").read_text(encoding="utf-8"))
    pool = qp.KeyPool((folder / "preshared.key").read_bytes())
    session = qp.Session(role=role, link=link, auth_key=pool, save_pool=partial(store, folder / "pool.snapshot"))
    session.submit(qp.load(folder / "record.npz"))
    session.finish()
    with connect(role, port) as connection:
        for event in qp.transport.blocking.run(session, connection, timeout_seconds=TIMEOUT_SECONDS):
            tell(role, event)


def store(path: Path, snapshot: bytes) -> None:
    """Write a file whole or not at all, and return when it would survive a power cut."""
    with (path.parent / "pool.new").open("wb") as file:
        file.write(snapshot)
        file.flush()
        os.fsync(file.fileno())
    os.replace(path.parent / "pool.new", path)
    if os.name == "posix":  # else the new name itself might be lost
        directory = os.open(path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)


def connect(role: str, port: int) -> socket.socket:
    if role == "bob":
        return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
    with socket.create_server(("127.0.0.1", port)) as server:
        print(server.getsockname()[1], flush=True)
        return server.accept()[0]


def tell(role: str, event: object) -> None:
    match event:
        case qp.StageCompleted(block=block, stage=stage):
            print(f"{role}: block {block}: {stage} done", file=sys.stderr, flush=True)
        case qp.KeyReady(key=key, report=report):
            print(f"{report}\n{role}: key digest {hashlib.sha256(key.to_bytes()).hexdigest()}", flush=True)
        case qp.BlockAborted(report=report):
            print(f"{report}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One of two hosts; started by the other examples.")
    parser.add_argument("role", choices=("alice", "bob"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    host(options.role, options.folder, options.port)
