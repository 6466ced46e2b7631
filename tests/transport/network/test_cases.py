"""The cases through TLS: a server for each key manager, a certificate for each caller."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from qkdpost.network.policy import AccessPolicy
from support.certificates import DAY, Authority, Certificates, Issued
from support.etsi014_cases import Answer, Call, read_cases, run_case
from support.fake_delivery import FakeNetwork
from support.served import SECONDS, Served, send_call

SITES = {"SAE-A": "KME-A", "SAE-B": "KME-B", "SAE-E": "KME-B", "SAE-C": "KME-C", "SAE-D": "KME-C"}
KEY_MANAGERS = ("KME-A", "KME-B", "KME-C")
ACCESS = AccessPolicy(groups=[["SAE-A", "SAE-B", "SAE-C", "SAE-E"], ["SAE-D", "SAE-C"]])
STOCK_BITS = 1_000_000
NEEDS = {"extensions", "parallel", "sites", "policy", "tls"}

CASES = [case for case in read_cases() if case.get("world", {}).get("needs") in {None, *NEEDS}]


class HttpsWorld:
    """One network for all cases: the stock is filled up before each."""

    def __init__(self, folder: Path) -> None:
        pairs = [frozenset((a, b)) for a in KEY_MANAGERS for b in KEY_MANAGERS if a < b]
        self.network = FakeNetwork(SITES, dict.fromkeys(pairs, STOCK_BITS), ACCESS)
        self.served = Served({name: self.network.manager(name) for name in KEY_MANAGERS}, folder)
        self.others = special_certificates(self.served.certificates, folder)

    def renew(self) -> None:
        for pair in self.network.stock:
            self.network.stock[pair] = STOCK_BITS

    def send(self, call: Call) -> Answer | None:
        return send_call(self.connection(call), call)

    def send_at_once(self, calls: list[Call]) -> list[Answer | None]:
        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(self.send, calls))

    def do(self, step: Mapping[str, Any]) -> None:
        assert step["do"] == "set_stock"
        self.network.stock[frozenset(step["pair"])] = step["bits"]

    def check(self, text: str) -> None:
        raise NotImplementedError(text)

    def connection(self, call: Call) -> HTTPSConnection:
        issued = None
        if call.caller is not None:
            issued = self.others.get(call.caller) or self.served.certificates.application(call.caller)
        context = self.served.context(issued)
        if call.newest_tls == "1.1":
            make_willing(context)
        return HTTPSConnection("127.0.0.1", self.served.servers[call.at].port, context=context, timeout=SECONDS)


def special_certificates(certificates: Certificates, folder: Path) -> dict[str, Issued]:
    applications = certificates.applications
    a, b = "urn:qkdpost:sae:SAE-A", "urn:qkdpost:sae:SAE-B"
    return {
        "EXPIRED": applications.issue("expired", uris=[a], ends=-DAY),
        "OTHER-CA": Authority(folder, "another").issue("other", uris=[a]),
        "TWO-NAMES": applications.issue("two", uris=[a, b]),
        "NO-NAME": applications.issue("none", uris=[]),
        "NO-USAGE": applications.issue("no-usage", uris=[a], usages=()),
        "FOR-SERVERS": applications.issue("servers", uris=[a], usages=("server",)),
        "KME-NAME": applications.issue("kme-name", uris=["urn:qkdpost:kme:SAE-A"]),
        "ESCAPED": applications.issue("escaped", uris=["urn:qkdpost:sae:SAE%2DA"]),
        "BAD-ESCAPE": applications.issue("bad-escape", uris=["urn:qkdpost:sae:%FF"]),
        "KME-B": certificates.key_manager("KME-B"),
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsWorld]:
    world = HttpsWorld(tmp_path_factory.mktemp("certificates"))
    with world.served:
        yield world


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_case(case: dict[str, Any], world: HttpsWorld) -> None:
    world.renew()
    run_case(case, world)


@pytest.mark.parametrize(
    ("certificate", "status"),
    [
        ("SAE-A", 200),
        ("ESCAPED", 200),
        ("STRANGER", 401),
        ("TWO-NAMES", 401),
        ("NO-NAME", 401),
        ("NO-USAGE", 401),
        ("KME-NAME", 401),
        ("BAD-ESCAPE", 401),
        ("FOR-SERVERS", None),
        ("EXPIRED", None),
        ("OTHER-CA", None),
        ("KME-B", None),
    ],
)
def test_who_is_told_by_which_certificate(certificate: str, status: int | None, world: HttpsWorld) -> None:
    """401 where the authority signed but no application is named, no HTTP at all where TLS itself refuses."""
    answer = world.send(Call(certificate, "KME-A", "GET", "/api/v1/keys/SAE-B/status"))
    assert (answer.status if answer else None) == status


def make_willing(context: ssl.SSLContext) -> None:
    """Let a client speak TLS 1.1; else it refuses by itself, and nothing is shown of the server."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1


def test_an_old_version_of_tls_is_refused_by_the_server(world: HttpsWorld) -> None:
    context = world.served.context(world.served.certificates.application("SAE-A"))
    make_willing(context)
    connection = HTTPSConnection("127.0.0.1", world.served.servers["KME-A"].port, context=context, timeout=SECONDS)
    with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
        connection.connect()


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_two_versions_of_tls_are_spoken(newest: ssl.TLSVersion, world: HttpsWorld) -> None:
    context = world.served.context(world.served.certificates.application("SAE-A"))
    context.maximum_version = newest
    connection = HTTPSConnection("127.0.0.1", world.served.servers["KME-A"].port, context=context, timeout=SECONDS)
    answer = send_call(connection, Call("SAE-A", "KME-A", "GET", "/api/v1/keys/SAE-B/status"))
    assert answer is not None and answer.status == 200
