"""Applications that mean no good, or are slow, or repeat themselves."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from qkdpost.network.etsi014 import FetchQuery, KeyQuery, StatusQuery
from qkdpost.transport.network import Identification, ServerLimits
from support.certificates import Authority
from support.fake_delivery import FakeManager, FakeNetwork
from support.served import Served, exchange

SITES = {"SAE-A": "KME-A", "SAE-B": "KME-B"}
FEW = ServerLimits(most_connections=8, most_connections_each=4)
"""Patient, so that a machine that is busy with other things keeps no test from being served."""
STATUS = b"GET /api/v1/keys/SAE-B/status HTTP/1.1\r\nHost: kme\r\n\r\n"
ENC = b"GET /api/v1/keys/SAE-B/enc_keys HTTP/1.1\r\nHost: kme\r\n\r\n"


def managers() -> dict[str, FakeManager]:
    network = FakeNetwork(SITES, {frozenset(("KME-A", "KME-B")): 10_000_000})
    return {name: network.manager(name) for name in ("KME-A", "KME-B")}


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> ServerLimits:
    """The limits that a test is marked with; by default those of few connections."""
    return getattr(request, "param", FEW)


@pytest.fixture
def served(tmp_path: Path, limits: ServerLimits) -> Iterator[Served]:
    with Served(managers(), tmp_path, limits=limits) as served:
        yield served


def hasty(**seconds: float) -> pytest.MarkDecorator:
    """Mark a test for a server that is less patient in something; the test names what it needs to be so."""
    return pytest.mark.parametrize("limits", [replace(FEW, **seconds)], indirect=True, ids=lambda _: "hasty")


def tls(served: Served, caller: str = "SAE-A", at: str = "KME-A") -> ssl.SSLSocket:
    context = served.context(served.certificates.application(caller))
    plain = socket.create_connection(("127.0.0.1", served.servers[at].port), timeout=20)
    return context.wrap_socket(plain, server_hostname="127.0.0.1")


def read_until_closed(connection: socket.socket) -> bytes:
    data = b""
    try:
        while piece := connection.recv(65_536):
            data += piece
    except OSError:
        pass
    return data


def has_ended(connection: socket.socket) -> bool:
    connection.settimeout(20)
    return read_until_closed(connection) == b""


@hasty(handshake_seconds=0.5)
def test_a_handshake_that_never_ends_is_given_up(served: Served) -> None:
    plain = socket.create_connection(("127.0.0.1", served.servers["KME-A"].port), timeout=20)
    plain.sendall(b"\x16\x03\x01\x02")
    assert has_ended(plain)


def test_what_is_no_tls_is_hung_up_on(served: Served) -> None:
    plain = socket.create_connection(("127.0.0.1", served.servers["KME-A"].port), timeout=20)
    plain.sendall(STATUS)
    assert b"HTTP" not in read_until_closed(plain)


@hasty(request_seconds=0.5)
def test_a_request_in_drops_is_given_up_however_often_a_drop_comes(served: Served) -> None:
    connection = tls(served)
    began = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - began < 15:
            connection.sendall(b"G" if time.monotonic() == began else b"X-A: b\r\n")
            time.sleep(0.05)
    assert time.monotonic() - began < 10


@hasty(idle_seconds=3.0)
def test_an_idle_connection_is_kept_for_its_time_and_no_longer(served: Served) -> None:
    connection = tls(served)
    connection.sendall(STATUS)
    assert b"200" in connection.recv(65_536)
    time.sleep(0.5)
    connection.sendall(STATUS)
    assert b"200" in connection.recv(65_536)
    assert has_ended(connection)


def test_many_requests_at_once_are_answered_in_order_one_by_one(served: Served) -> None:
    with tls(served) as connection:
        connection.sendall(STATUS * 300 + ENC * 3 + STATUS.replace(b"Host", b"Connection: close\r\nHost"))
        answers = read_until_closed(connection)
    bodies = [json.loads(part.split(b"\r\n\r\n")[1]) for part in answers.split(b"HTTP/1.1 200 ")[1:]]
    assert ["keys" in body for body in bodies] == [False] * 300 + [True] * 3 + [False]
    counts = [body["stored_key_count"] for body in bodies if "keys" not in body]
    assert counts[-1] == counts[0] - 3


def test_one_application_cannot_take_all_connections(served: Served) -> None:
    kept = [tls(served) for _ in range(4)]
    for connection in kept:
        connection.sendall(STATUS)
        assert b"200" in connection.recv(65_536)
    assert has_ended(tls(served))
    for connection in kept:
        connection.close()


@hasty(handshake_seconds=3.0)
def test_no_more_connections_than_allowed_are_kept_even_in_the_handshake(served: Served) -> None:
    opened = [socket.create_connection(("127.0.0.1", served.servers["KME-A"].port), timeout=20) for _ in range(30)]
    time.sleep(0.3)
    assert served.servers["KME-A"].connections <= FEW.most_connections
    for connection in opened:
        assert has_ended(connection)
    with tls(served) as connection:
        connection.sendall(STATUS)
        assert b"200" in connection.recv(65_536)


@pytest.mark.parametrize(
    ("flood", "limits"),
    [
        (300, ServerLimits(most_connections=50, handshake_seconds=60.0)),
        pytest.param(10_000, ServerLimits(handshake_seconds=600.0), marks=pytest.mark.slow),
    ],
)
def test_a_flood_of_connections_takes_bounded_room_and_old_clients_are_served(
    flood: int, limits: ServerLimits, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource")
    allow_files(resource, flood + limits.most_connections + 1000)
    with Served(managers(), tmp_path, limits=limits) as served:
        server, old = served.servers["KME-A"], tls(served)
        memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        strangers = []
        for number in range(flood):
            strangers.append(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            if number % (flood // 20) == 0:
                old.sendall(STATUS)
                assert b"200" in old.recv(65_536)
                assert server.connections <= limits.most_connections
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kib
        assert grown_kib < 100 * limits.most_connections + 20 * flood  # the strangers' own ends among it
        for stranger in strangers:
            stranger.close()
        old.sendall(ENC)
        assert b"200" in old.recv(65_536)
        old.close()


def allow_files(resource: Any, count: int) -> None:
    """Let this process open so many, or skip the test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"this needs {count} open files; the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


@hasty(idle_seconds=1.0, request_seconds=1.0)
@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/v1/keys/SAE-B/enc_keys HTTP/1.1\r\n\r\n",
        b"POST /api/v1/keys/SAE-B/enc_keys HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
    ],
    ids=["noise", "version", "no-host", "two-lengths", "chunks", "header"],
)
def test_what_is_no_http_ends_the_connection_and_takes_no_key(sent: bytes, served: Served) -> None:
    with tls(served) as connection:
        connection.sendall(sent)
        answer = read_until_closed(connection)
    assert b" 200 " not in answer
    assert served.managers["KME-A"].requests == 0


def test_a_body_is_read_no_farther_than_allowed(served: Served) -> None:
    with tls(served) as connection:
        connection.sendall(b"POST /api/v1/keys/SAE-B/enc_keys HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
        try:
            for _ in range(200):
                connection.sendall(b" " * 16_384)
        except OSError:
            pass
        answer = read_until_closed(connection)
    assert answer == b"" or b" 413 " in answer
    assert served.managers["KME-A"].requests == 0


def test_who_expects_to_be_told_to_go_on_is_told(served: Served) -> None:
    with tls(served) as connection:
        connection.sendall(
            b"POST /api/v1/keys/SAE-B/enc_keys HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert b"100" in connection.recv(1000)
        connection.sendall(b"{}")
        assert b"200" in connection.recv(65_536)


def test_bodies_in_chunks_and_in_pieces_are_read(served: Served) -> None:
    with tls(served) as connection:
        request = (
            b"POST /api/v1/keys/SAE-B/enc_keys HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'8\r\n{"number\r\n5\r\n":3 }\r\n0\r\n\r\n'
        )
        for place in range(len(request)):
            connection.sendall(request[place : place + 1])
        body = connection.recv(65_536).split(b"\r\n\r\n")[1]
    assert len(json.loads(body)["keys"]) == 3


def test_a_repeated_get_never_gives_another_key_under_the_same_id(served: Served) -> None:
    """As some HTTP clients do by themselves when a kept connection dies before the first byte of the answer."""
    client = served.connect("SAE-A", "KME-A")
    [key] = (asked := KeyQuery(slave="SAE-B")).read(*exchange(client, asked.request()))
    target = f"/api/v1/keys/SAE-A/dec_keys?key_ID={key.key_id}".encode()
    request = b"GET " + target + b" HTTP/1.1\r\nHost: kme\r\n\r\n"
    first = tls(served, "SAE-B", "KME-B")
    first.sendall(request)
    assert first.recv(1)  # the answer has left, and is not read
    first.close()
    with tls(served, "SAE-B", "KME-B") as again:
        again.sendall(request)
        answer = again.recv(65_536)
    assert b" 400 " in answer and b"not found on KME" in answer


def test_a_blocking_client_over_the_standard_library(served: Served) -> None:
    ours, theirs = served.connect("SAE-A", "KME-A"), served.connect("SAE-B", "KME-B")
    status = StatusQuery(slave="SAE-B")
    assert status.read(*exchange(ours, status.request())).target_KME_ID == "KME-B"
    asked = KeyQuery(slave="SAE-B", number=5, size_bits=512)
    sent = asked.read(*exchange(ours, asked.request()))
    fetched = FetchQuery(master="SAE-A", key_ids=[key.key_id for key in sent])
    assert fetched.read(*exchange(theirs, fetched.request())) == sent


def test_a_host_may_choose_another_event_loop(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")
    with Served(managers(), tmp_path, new_event_loop=uvloop.new_event_loop) as served:
        connection = tls(served)
        connection.sendall(STATUS * 300)
        answers = b""
        while answers.count(b" 200 ") < 300:
            answers += connection.recv(65_536)
        connection.sendall(ENC)
        assert b" 200 " in connection.recv(65_536)
        connection.close()
        plain = socket.create_connection(("127.0.0.1", served.servers["KME-A"].port), timeout=20)
        plain.sendall(STATUS)
        assert b"HTTP" not in read_until_closed(plain)


def test_a_request_whose_caller_hangs_up_leaves_no_key_behind(served: Served) -> None:
    for _ in range(5):
        connection = tls(served)
        connection.sendall(ENC)
        connection.close()
    with tls(served) as connection:
        connection.sendall(STATUS)
        assert b"200" in connection.recv(65_536)
    assert served.servers["KME-A"]._under_way == {}


def test_names_in_common_names_and_pins_count_if_they_are_set(tmp_path: Path) -> None:
    pin: dict[str, Any] = {}
    for setting, expected in (
        (Identification(), 401),
        (Identification(common_name=True), 200),
        (Identification(common_name=True, pins={"SAE-A": bytes(32)}), 401),
        (Identification(pins=pin), 401),
    ):
        folder = tmp_path / str(id(setting))
        folder.mkdir()
        with Served(managers(), folder, identification=setting) as served:
            authority: Authority = served.certificates.applications
            issued = authority.issue("plain", uris=[], common_name="SAE-A")
            plain = socket.create_connection(("127.0.0.1", served.servers["KME-A"].port), timeout=20)
            with served.context(issued).wrap_socket(plain, server_hostname="127.0.0.1") as connection:
                connection.sendall(STATUS)
                assert f" {expected} ".encode() in connection.recv(65_536)
