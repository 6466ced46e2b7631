"""One end of a link, for months: records in, keys out, and whatever happens between goes on by itself.

    python examples/host.py host.toml --create-pool preshared.key     once, with key that both ends share
    python examples/host.py host.toml

What it needs stands in a TOML file; `host.toml` beside this program explains each line. The pool of authentication key
lies in a file that power cuts leave whole; records come from a folder into which devices put them; keys go to a folder,
each in a file of its own, for a key manager to take (`qkdpost.network.KeyManager.add_key`, as
`examples/network_key_manager.py` does). Lines that end are made again. SIGTERM ends it in good order: blocks in flight
die, nothing that was spent is spent again, and the next start goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import qkdpost as qp

LOG = logging.getLogger("host")
MOST_WAITING = {"bob": 64, "alice": 1024}
"""Records held at most: a host that runs for months must not grow. Bob, who opens blocks, decides what is left out."""


class Records:
    """Gives numbered records as they come; a number stands for the same pulses at both ends.

    No round is used twice, not even after a crash. So a record that is handed out is gone here before.
    """

    def __init__(self, settings: dict[str, Any], home: Path, role: str) -> None:
        self._role = role
        self._simulated = settings.get("simulated")
        self._folder = home / settings.get("folder", "records")
        self._number = self._slot() + 1 if self._simulated else 0

    async def first(self) -> int:
        """Wait for the first record, and return its number."""
        while (number := self.next_number()) is None:
            await asyncio.sleep(0.2)
        return number

    def next_number(self) -> int | None:
        """Return the number of a record that is there, or None."""
        if self._simulated:
            return self._number if self._number <= self._slot() else None
        return min((int(path.stem) for path in self._folder.glob("*.npz") if path.stem.isdigit()), default=None)

    def take(self, number: int) -> object | None:
        """Hand out a record for good; None of one that cannot be used."""
        if self._simulated:
            self._number = number + 1
            return simulated(self._simulated, number)[self._role == "bob"]
        path = self._folder / f"{number:09d}.npz"
        try:
            record = qp.load(path)
        except qp.QkdpostError as error:
            LOG.warning("record %d cannot be used: %s", number, error)
            record = None
        path.unlink()
        sync_folder(self._folder)
        return record

    def pass_over(self) -> None:
        """While the line is down: devices go on, and of what they made meanwhile a folder keeps all."""
        if self._simulated:
            self._number = self._slot() + 1

    def _slot(self) -> int:
        return int((time.time() - self._simulated["epoch"]) / self._simulated["every_seconds"])


def simulated(settings: dict[str, Any], number: int) -> tuple[object, object]:
    """Draw both ends' records of a moment, the same wherever they are drawn: to try a link, never to make keys."""
    rng = np.random.default_rng((settings["seed"], number))
    detections = settings["detections"]
    bases, bits = rng.integers(0, 2, (2, detections), dtype=np.uint8)
    other_bases = rng.integers(0, 2, detections, dtype=np.uint8)
    wrong = rng.random(detections) < np.where(bases == other_bases, settings["error_rate"], 0.5)
    alice = qp.PreparedPulses(bases=bases, bits=bits)
    slots = np.arange(detections)
    return alice, qp.Detections(pulses=detections, slots=slots, bases=other_bases, outcomes=bits ^ wrong)


def sync_folder(folder: Path) -> None:
    """Make durable that a file is gone."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


async def feed(session: qp.Session, records: Records) -> None:
    """Submit records while the line is up, each in the session's turn."""
    submit = qp.transport.asyncio.in_turn
    while True:
        number = records.next_number()
        if session.state is not qp.ConnectionState.OPEN:
            records.pass_over()
            if number is not None and number > session.next_record:  # the peer may already speak of these
                await submit(session, lambda n=number: session.skip_records(n))
            await asyncio.sleep(0.05)
        elif number is None:
            await asyncio.sleep(0.01)
        else:
            record = await asyncio.to_thread(records.take, number)
            if session.records_waiting < MOST_WAITING[session.role]:
                if record is not None and number >= session.next_record:
                    await submit(session, lambda n=number, r=record: session.submit(r, number=n))
            elif session.role == "bob":
                LOG.warning("more records than blocks: %d is left out", number)
            else:
                LOG.warning("more records than blocks: those before %d are dropped", number)
                await submit(session, lambda n=number: session.skip_records(n))


def deliver(folder: Path, key: qp.SecretKey) -> None:
    """Put a key where a key manager takes it; it is whole or not there, and its owner's alone."""
    qp.storage.replace_file(folder / f"{key.identifier.hex()}.key", key.to_bytes())


def tell(event: object, keys: Path) -> None:
    match event:
        case qp.KeyReady(block=block, key=key):
            deliver(keys, key)
            LOG.info("block %d: key %s of %d bits", block, key.identifier.hex(), len(key))
        case qp.BlockAborted(block=block, reason=reason, detail=detail):
            LOG.warning("block %d ended without key: %s: %s", block, reason.name, detail)
        case qp.ConnectionLost(reason=reason, detail=detail):
            LOG.warning("the line ended: %s: %s", reason, detail)
        case qp.KeyPoolLow(available_bytes=left, resting_bytes=resting):
            LOG.error("authentication key runs low: %d bytes, and %d that the peer does not have", left, resting)
        case qp.HandshakeCompleted():
            LOG.info("the peer is there")
        case qp.StageCompleted(block=block, stage=stage):
            LOG.debug("block %d: %s done", block, stage)


def driven(session: qp.Session, line: dict[str, Any], threads: ThreadPoolExecutor) -> AsyncIterator[object]:
    """Return the events of a session over one line after another."""
    times = {name: line[name] for name in ("timeout_seconds", "keepalive_seconds") if name in line}
    address, _, port = line.get("listen", line.get("connect", "")).rpartition(":")
    if not address or not port.isdecimal():
        raise qp.ConfigurationError(f'[line] must have listen or connect, as connect = "192.0.2.1:4100"; found {line}')
    if "listen" in line:
        listener = socket.create_server((address, int(port)))
        return qp.transport.asyncio.serve(session, listener, executor=threads, **times)
    reach: Callable[[], Any] = lambda: asyncio.open_connection(address, int(port))  # noqa: E731
    return qp.transport.asyncio.keep_connected(session, reach, executor=threads, **times)


async def write_metrics(session: qp.Session, settings: dict[str, Any], home: Path) -> None:
    while True:
        lines = "".join(f"{name} {value}\n" for name, value in session.metrics().items())
        qp.storage.replace_file(home / settings["file"], lines.encode())
        await asyncio.sleep(settings.get("every_seconds", 10))


async def live(settings: dict[str, Any], home: Path, file: qp.storage.PoolFile, pool: qp.KeyPool) -> None:
    role = settings["role"]
    link = qp.LinkConfig.from_toml((home / settings["link"]).read_text(encoding="utf-8"))
    records = Records(settings["records"], home, role)
    keys = home / settings["keys"]["folder"]
    keys.mkdir(mode=0o700, exist_ok=True)
    first = await records.first()
    session = qp.Session(role=role, link=link, auth_key=pool, save_pool=file.save, first_record=first)
    with ThreadPoolExecutor(settings.get("threads", 2)) as threads:
        tasks = [asyncio.create_task(feed(session, records))]
        if "metrics" in settings:
            tasks.append(asyncio.create_task(write_metrics(session, settings["metrics"], home)))
        try:
            async with contextlib.aclosing(driven(session, settings["line"], threads)) as events:
                async for event in events:
                    tell(event, keys)
                    raise_what_failed(tasks)
                    if isinstance(event, qp.BlockAborted) and event.reason is qp.AbortReason.KEY_POOL_EXHAUSTED:
                        # What blocks without a tag left unused comes back with the next line, if there is any.
                        await qp.transport.asyncio.in_turn(session, lambda: session.connection_lost("closed-here"))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(qp.QkdpostError):
                session.connection_lost("closed-here")
            for event in session.events():
                tell(event, keys)


def raise_what_failed(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def run_until_told(settings: dict[str, Any], home: Path, file: qp.storage.PoolFile, pool: qp.KeyPool) -> None:
    """Live until SIGTERM or SIGINT."""
    living = asyncio.create_task(live(settings, home, file, pool))
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C alone
            asyncio.get_running_loop().add_signal_handler(number, living.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await living


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse settings that lack something, or that nobody reads."""
    for table, needed, known in (
        (settings, {"role", "link", "pool", "line", "records", "keys"}, {"threads", "log", "metrics"}),
        (settings.get("line", {}), set(), {"listen", "connect", "timeout_seconds", "keepalive_seconds"}),
        (settings.get("records", {}), set(), {"folder", "simulated"}),
        (settings.get("keys", {}), {"folder"}, set()),
    ):
        if wrong := sorted(set(table) - needed - known):
            raise qp.ConfigurationError(f"there is no setting {', '.join(wrong)}; there are {sorted(needed | known)}")
        if missing := sorted(needed - set(table)):
            raise qp.ConfigurationError(f"the settings must have {', '.join(missing)}: host.toml explains each")


def load_kernels() -> None:
    """Else the first block waits at every stage for its kernels."""
    began = time.monotonic()
    LOG.info("loading kernels: some seconds, or about a minute where `python -m qkdpost warmup` never ran")
    qp.warmup()
    LOG.info("kernels are loaded, after %.1f s", time.monotonic() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", type=Path, help="the TOML file")
    parser.add_argument("--create-pool", type=Path, metavar="FILE", help="make the pool of the key in FILE, and end")
    options = parser.parse_args()
    try:
        settings, home = tomllib.loads(options.settings.read_text(encoding="utf-8")), options.settings.parent
        preshared = options.create_pool.read_bytes() if options.create_pool else b""
        check_settings(settings)
    except (OSError, tomllib.TOMLDecodeError, qp.ConfigurationError) as error:
        print(f"this host does not start: {options.settings}: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for name in ("host", "qkdpost"):
        logging.getLogger(name).setLevel(settings.get("log", "INFO"))
    path = home / settings["pool"]
    try:
        if options.create_pool:
            qp.storage.PoolFile.create(path, preshared)
            print(f"made {path}. Destroy {options.create_pool}, here and wherever it was")
            return 0
        with qp.storage.PoolFile(path) as file:
            pool = file.open()
            load_kernels()
            asyncio.run(run_until_told(settings, home, file, pool))
    except qp.StoreDamaged as error:
        print(f"this host does not start: {error}", file=sys.stderr)
        return 3
    except (qp.StoreInUse, qp.ConfigurationError, qp.InputError) as error:
        print(f"this host does not start: {error}", file=sys.stderr)
        return 2
    LOG.info("ended in good order")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
