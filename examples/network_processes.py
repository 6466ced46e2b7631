"""The key managers of the network example, as the program that starts them sees them: a process and a folder each."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import qkdpost as qp
from network_key_manager import run
from network_records import deal

START_SECONDS = 120
STOP_SECONDS = 20
DRAWING_PROCESSES = 2


def context() -> ForkServerContext:
    """Return what starts processes: with all that they need loaded (`network_warm`), and nothing of this one."""
    places = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["__main__", "network_warm"])
    return made


class KeyManagerProcess:
    """One key manager. It is told what to do, and says what happened, by a pipe.

    Args:
        name: of the site.
        folder: with all that belongs to the site, and nothing of another one.
        made_by: starts the process.
    """

    def __init__(self, name: str, folder: Path, made_by: ForkServerContext) -> None:
        self.name = name
        self.folder = folder
        self.ports: dict[str, int] = {}
        self.keys: list[dict[str, Any]] = []
        """What was told of each key of a link: link, bits, epsilon, accumulated epsilon."""
        self._context = made_by
        self._start()

    def _start(self) -> None:
        self._pipe: Connection
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=run, args=(self.folder, theirs), name=self.name, daemon=True)
        self._process.start()
        theirs.close()

    def wait_for(self, what: str) -> Any:
        """Return what it says under this name next; keys of links that are told before are kept."""
        while True:
            try:
                said = self._pipe.recv() if self._pipe.poll(START_SECONDS) else None
            except EOFError:
                said = None
            if said is None:
                raise SystemExit(f"{self.name} ended, or was silent for {START_SECONDS} s, before it told its {what}")
            if "key" in said:
                self.keys.append(said["key"])
            if what in said:
                return said[what]

    def tell(self, **message: Any) -> None:
        self._pipe.send(message)

    def account(self) -> dict[str, Any]:
        """Return its account: for each peer what came in, what is there, what was spent on what, in bits."""
        self.tell(account=True)
        return self.wait_for("account")

    def kill(self) -> None:
        """Kill it with SIGKILL: it cannot store, say or close anything."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def start_again(self, directory: dict[str, dict[str, int]]) -> None:
        """Start it on what its store has; it listens where it listened before."""
        self._start()
        self.ports = self.wait_for("ports")
        self.tell(directory=directory)

    def stop(self) -> None:
        """Ask it to end by closing the pipe; kill it if it does not."""
        self._pipe.close()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def directory_of(processes: dict[str, KeyManagerProcess]) -> dict[str, dict[str, int]]:
    """Return where each key manager listens."""
    return {name: process.ports for name, process in processes.items()}


def draw_records(links: tuple[qp.network.Link, ...], folders: dict[str, Path], made_by: ForkServerContext) -> None:
    """Draw the records of all links, in a few processes, and deal them out."""
    with ProcessPoolExecutor(DRAWING_PROCESSES, mp_context=made_by) as pool:
        list(pool.map(deal, links, [folders] * len(links)))
