"""Folders, certificates and records for every site of the network example, and its processes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import qkdpost as qp
from network_applications import Application
from network_certificates import Authority
from network_processes import KeyManagerProcess, context, directory_of, draw_records
from network_sites import read_network


@dataclass
class RunningNetwork:
    """The network while it runs."""

    network: qp.network.Topology
    processes: dict[str, KeyManagerProcess]
    folder: Path

    def application_at(self, site: str) -> Application:
        """Return the application of a site, with a connection of its own to the key manager there."""
        (name,) = self.network.site(site).applications
        port = self.processes[site].ports["delivery"]
        return Application(name, self.folder / "applications" / name, port, site)

    def kill(self, site: str) -> None:
        self.processes[site].kill()

    def start_again(self, site: str) -> None:
        self.processes[site].start_again(directory_of(self.processes))


@contextmanager
def set_up(file: Path, folder: Path, pairs: list[tuple[str, str, int]]) -> Iterator[RunningNetwork]:
    """Start all key managers, let their links distil key, and stop them at the end.

    Args:
        file: what the network is.
        folder: for everything that is made.
        pairs: sites without a link that shall share key, and over how many disjoint paths.
    """
    began = time.monotonic()
    network = read_network(file)
    folders = {site.name: folder / "sites" / site.name for site in network.sites}
    certify(network, folder, folders)
    for name, place in folders.items():
        (place / "network.toml").write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
        (place / "site.json").write_text(json.dumps({"name": name, "pairs": pairs}), encoding="utf-8")
    made_by = context()
    draw_records(network.links, folders, made_by)
    tell(began, f"records of {len(network.links)} links drawn")
    processes = {name: KeyManagerProcess(name, place, made_by) for name, place in folders.items()}
    try:
        distil(processes)
        tell(began, "key distilled on all of them")
        yield RunningNetwork(network, processes, folder)
    finally:
        for process in processes.values():
            process.stop()


def tell(began: float, what: str) -> None:
    print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)


def certify(network: qp.network.Topology, folder: Path, folders: dict[str, Path]) -> None:
    """Give every key manager and every application a certificate, and the certificates of the authorities they need."""
    key_managers, applications = Authority.new("key managers"), Authority.new("applications")
    for site in network.sites:
        place = folders[site.name]
        place.mkdir(parents=True, mode=0o700)
        key_managers.save(place / "kme-authority.crt")
        applications.save(place / "sae-authority.crt")
        key_managers.issue(place, "kme", f"urn:qkdpost:kme:{site.name}", server=True)
        for application in site.applications:
            own = folder / "applications" / application
            own.mkdir(parents=True, mode=0o700)
            key_managers.save(own / "kme-authority.crt")
            applications.issue(own, "sae", f"urn:qkdpost:sae:{application}", server=False)


def distil(processes: dict[str, KeyManagerProcess]) -> None:
    """Tell every key manager where the others listen, and wait until all links have done their blocks."""
    for process in processes.values():
        process.ports = process.wait_for("ports")
    for process in processes.values():
        process.tell(directory=directory_of(processes))
    for process in processes.values():
        process.wait_for("distilled")
