"""Two hosts of `examples/host.py`, a line between them that is cut, and processes that are killed.

The line is read as it passes: which pads tags were made with is said in public.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from qkdpost.dialogue.messages import BlockOpen, Confirmation, Message
from qkdpost.errors import RemoteProtocolError
from qkdpost.session.codec import LENGTH_BYTES, decode
from qkdpost.storage import PoolFile

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LINK = '[protocol]\nkind = "bb84"\n[blocks]\ndetections = 8000\nmax_detections = 131072\nframe_bits = 4096\n'


class Line:
    """Passes bytes on between two ports, cuts when told, and notes which pad each tag was made with."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port: int = self._listener.getsockname()[1]
        self.cuts = 0
        self.tags: dict[tuple[bytes, int, int], set[bytes]] = {}
        """By segment, offset and step of the tag: every tag that was sent. Two under one pad disclose the hash key."""
        self.blocks = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.cuts += 1
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    near.close()
                    continue
                self._ends = [near, far]
                opened: dict[int, tuple[bytes, int]] = {}
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(*ends, opened), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, opened: dict[int, tuple[bytes, int]]) -> None:
        heard = bytearray()
        with contextlib.suppress(OSError):
            while data := source.recv(2**16):
                heard += data
                for message in whole_messages(heard):
                    self._note(message, opened)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _note(self, message: Message, opened: dict[int, tuple[bytes, int]]) -> None:
        match message:
            case BlockOpen():
                self.blocks += 1
                opened[message.block] = message.segment, message.offset
            case Confirmation():
                segment, offset = opened[message.block]
                self.tags.setdefault((segment, offset, message.step), set()).add(message.tag)


def whole_messages(heard: bytearray) -> list[Message]:
    found = []
    while len(heard) >= LENGTH_BYTES:
        end = LENGTH_BYTES + int.from_bytes(heard[:LENGTH_BYTES], "little")
        if len(heard) < end:
            break
        with contextlib.suppress(RemoteProtocolError):
            found.append(decode(bytes(heard[:end])))
        del heard[:end]
    return found


@dataclass
class Hosts:
    """Both hosts, started again whenever they are killed."""

    folder: Path
    every_seconds: float
    line: Line = field(init=False)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kills: int = 0
    memory: dict[str, list[int]] = field(default_factory=lambda: {"alice": [], "bob": []})
    """Resident bytes of each process at the end of its life, where it lived long."""

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.line = Line(port)
        preshared = secrets.token_bytes(8192)
        for role, where in (
            ("alice", f'listen = "127.0.0.1:{port}"'),
            ("bob", f'connect = "127.0.0.1:{self.line.port}"'),
        ):
            home = self.folder / role
            home.mkdir(mode=0o700)
            (home / "link.toml").write_text(LINK)
            (home / "host.toml").write_text(self._settings(role, where))
            PoolFile.create(home / "pool", preshared)

    def _settings(self, role: str, where: str) -> str:
        records = f"seed = 1, epoch = {time.time()}, every_seconds = {self.every_seconds}"
        return (
            f'role = "{role}"\nlink = "link.toml"\npool = "pool"\n[line]\n{where}\n'
            f"[records]\nsimulated = {{ {records}, detections = 8000, error_rate = 0.01 }}\n"
            '[keys]\nfolder = "keys"\n'
        )

    def start(self, role: str) -> None:
        with (self.folder / f"{role}.log").open("ab") as log:
            command = [sys.executable, str(EXAMPLES / "host.py"), str(self.folder / role / "host.toml")]
            self.processes[role] = subprocess.Popen(command, stderr=log)

    def kill(self, role: str) -> None:
        """Let a host be gone at once, in the middle of whatever it did."""
        self.note_memory(role)
        self.kills += 1
        self.processes[role].kill()
        self.processes[role].wait()
        self.start(role)

    def note_memory(self, role: str) -> None:
        with contextlib.suppress(OSError):
            pages = int(Path(f"/proc/{self.processes[role].pid}/statm").read_text().split()[1])
            self.memory[role].append(pages * os.sysconf("SC_PAGE_SIZE"))

    def stop(self) -> list[int]:
        """End both in good order, and return how they ended."""
        for role, process in self.processes.items():
            self.note_memory(role)
            process.send_signal(signal.SIGTERM)
        ended = [process.wait(timeout=300) for process in self.processes.values()]
        self.line.close()
        return ended

    def wait_for_keys(self, count: int, limit_seconds: float = 900.0) -> None:
        """Wait until so many more keys are there; the time only bounds a test that would never end."""
        goal = len(self.keys("bob")) + count
        end = time.monotonic() + limit_seconds
        while len(self.keys("bob")) < goal:
            if time.monotonic() > end:
                raise TimeoutError((self.folder / "bob.log").read_text()[-2000:])
            time.sleep(0.05)

    def keys(self, role: str) -> list[Path]:
        return list((self.folder / role / "keys").glob("*.key"))


def soak(folder: Path, *, keys: int, kills: int, cuts: int, every_seconds: float, seed: int) -> Hosts:
    """Let two hosts make keys, while either is killed and the line is cut, all at random; both end in good order."""
    draw = random.Random(seed)
    hosts = Hosts(folder, every_seconds)
    faults = [draw.choice(("alice", "bob")) for _ in range(kills)] + ["line"] * cuts
    draw.shuffle(faults)
    for role in ("alice", "bob"):
        hosts.start(role)
    try:
        for fault in faults:
            hosts.wait_for_keys(draw.randrange(1, 2 * keys // (len(faults) + 1) + 1))
            time.sleep(draw.random() * every_seconds)
            hosts.line.cut() if fault == "line" else hosts.kill(fault)
        hosts.wait_for_keys(max(2, keys - len(hosts.keys("bob"))))
    finally:
        ended = hosts.stop()
    assert ended == [0, 0]
    return hosts


def check(hosts: Hosts) -> Counter[str]:
    """Look at what both hosts made, and count it."""
    found = {role: {path.name: path.read_bytes() for path in hosts.keys(role)} for role in ("alice", "bob")}
    both = found["alice"].keys() & found["bob"].keys()
    for name in both:
        assert found["alice"][name] == found["bob"][name], f"key {name} differs"
    for keys in found.values():
        assert len(set(keys.values())) == len(keys), "a key came twice"
    alone = sum(len(keys.keys() - both) for keys in found.values())
    in_flight = 4
    assert alone <= in_flight * (hosts.kills + hosts.line.cuts + 1), "keys are missing that no fault explains"
    assert all(len(tags) == 1 for tags in hosts.line.tags.values()), "two tags under one pad"
    return Counter(both=len(both), alone=alone, blocks=hosts.line.blocks, tags=len(hosts.line.tags))
