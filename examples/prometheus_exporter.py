"""The numbers of a session, or of a key manager, for Prometheus.

    python examples/prometheus_exporter.py --once            # make a block of key and print what would be scraped
    python examples/prometheus_exporter.py --port 9464       # serve http://localhost:9464/metrics until interrupted

`prometheus_client` serves if it is installed; otherwise, or with --plain, the few lines here write its text format.
Both take `Session.metrics()` and `KeyManager.metrics()` as they are. Here one end of a simulated link is watched; a
host hands over its own session instead.
"""

from __future__ import annotations

import argparse
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import Any

import numpy as np

import qkdpost as qp

Metrics = Mapping[str, int | float]
Source = Callable[[], Metrics]
PREFIX = "qkdpost_"


def split(name: str) -> tuple[str, dict[str, str]]:
    """Return a name without its label, and the label; only numbers of a key manager have one."""
    found = re.fullmatch(r'(\w+)(?:\{(\w+)="([^"]*)"\})?', name)
    if found is None:
        raise ValueError(f"no name of a number: {name!r}")
    base, label, value = found.groups()
    return base, {} if label is None else {label: value}


def plain_text(metrics: Metrics, labels: Mapping[str, str]) -> str:
    """Return the text format of Prometheus, without its client."""
    lines: list[str] = []
    for name, number in sorted(metrics.items()):
        base, own = split(name)
        declared = f"# TYPE {PREFIX}{base} {'counter' if base.endswith('_total') else 'gauge'}"
        if declared not in lines[-2:]:
            lines.append(declared)
        told = ",".join(f'{label}="{value}"' for label, value in {**labels, **own}.items())
        lines.append(f"{PREFIX}{base}{{{told}}} {'NaN' if math.isnan(number) else number}")
    return "\n".join(lines) + "\n"


def client_registry(source: Source, labels: Mapping[str, str]) -> Any:
    """Return a registry of prometheus_client that asks `source` at each scrape."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    class Collector:
        def collect(self) -> Iterator[Any]:
            families: dict[str, Any] = {}
            for name, number in source().items():
                base, own = split(name)
                kind = CounterMetricFamily if base.endswith("_total") else GaugeMetricFamily
                if base not in families:
                    families[base] = kind(PREFIX + base.removesuffix("_total"), base, labels=[*labels, *own])
                families[base].add_metric([*labels.values(), *own.values()], number)
            yield from families.values()

    registry = CollectorRegistry()
    registry.register(Collector())
    return registry


def serve_plain(source: Source, labels: Mapping[str, str], port: int) -> ThreadingHTTPServer:
    """Serve the text format on a port of this machine, in threads of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = plain_text(source(), labels).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing of each scrape."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def make_key(alice: qp.Session, bob: qp.Session, random: np.random.Generator) -> None:
    """Let two sessions in this process make a block of key."""
    records = qp.simulation.bb84(pulses=2_000_000, fibre_km=10, rng=random)
    alice.submit(records[0])
    bob.submit(records[1])
    bob.flush()
    while (heard := alice.data_to_send()) + (said := bob.data_to_send()):
        if heard:
            bob.receive_data(heard)
        if said:
            alice.receive_data(said)
    for session in (alice, bob):
        list(session.events())  # a host takes its keys from here


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=9464)
    parser.add_argument("--once", action="store_true", help="print what would be scraped after one block")
    parser.add_argument("--plain", action="store_true", help="without prometheus_client")
    options = parser.parse_args()
    link = qp.LinkConfig(protocol=qp.BB84())
    preshared = bytes(range(256)) * 16  # of a key exchange by hand, and secret, in real life
    alice = qp.Session(role="alice", link=link, auth_key=qp.KeyPool(preshared))
    bob = qp.Session(role="bob", link=link, auth_key=qp.KeyPool(preshared))
    labels, random = {"link": "demonstration", "role": "bob"}, np.random.default_rng()
    plain = options.plain or find_spec("prometheus_client") is None
    make_key(alice, bob, random)
    if options.once and plain:
        print(plain_text(bob.metrics(), labels), end="")
        return
    if options.once:
        from prometheus_client import generate_latest  # noqa: PLC0415

        print(generate_latest(client_registry(bob.metrics, labels)).decode(), end="")
        return
    if plain:
        serve_plain(bob.metrics, labels, options.port)
    else:
        from prometheus_client import start_http_server  # noqa: PLC0415

        start_http_server(options.port, addr="127.0.0.1", registry=client_registry(bob.metrics, labels))
    print(f"http://127.0.0.1:{options.port}/metrics; control-C ends")
    try:
        while True:
            make_key(alice, bob, random)
    except KeyboardInterrupt:
        print("ended")


if __name__ == "__main__":
    main()
