"""The application's side: what it sends is what the service takes, and nothing that it gets is believed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import (
    InputError,
    KeyNotFound,
    NotAuthorised,
    NotEnoughKey,
    PeerUnavailable,
    QkdpostError,
    RemoteProtocolError,
    UnsupportedRequest,
)
from qkdpost.network.etsi014 import DeliveryLimits, Etsi014, FetchQuery, KeyQuery, Request, StatusQuery
from support.fake_delivery import FakeManager, FakeNetwork

IDS = ["bc490419-7d60-487f-adc1-4ddcc177c139", "0a782fb5-3434-48fe-aa4d-14f41d46cf92"]


def key(key_id: str = IDS[0], length: int = 32) -> dict[str, Any]:
    return {"key_ID": key_id, "key": base64.b64encode(bytes(range(length))).decode()}


def body(*keys: dict[str, Any], name: str = "keys") -> bytes:
    return json.dumps({name: keys}).encode()


class Link:
    """A client and the service of each site, without anything between."""

    def __init__(self) -> None:
        network = FakeNetwork({"SAE-A": "KME-A", "SAE-B": "KME-B"}, {frozenset(("KME-A", "KME-B")): 100_000})
        self.managers: dict[str, FakeManager] = {name: network.manager(name) for name in ("KME-A", "KME-B")}
        self.services = {name: Etsi014(manager, DeliveryLimits()) for name, manager in self.managers.items()}

    def send(self, at: str, caller: str, request: Request) -> tuple[int, bytes]:
        service, manager = self.services[at], self.managers[at]
        service.receive_request(0, request, caller, now_seconds=0.0)
        manager.commit()
        service.receive_events(manager.events())
        [(_, response)] = service.responses()
        return response.status, bytes(response.body)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_two_applications_fetch_equal_keys(method: Any) -> None:
    link = Link()
    asked = KeyQuery(slave="SAE-B", number=1 if method == "GET" else 3, size_bits=512, method=method)
    ours = asked.read(*link.send("KME-A", "SAE-A", asked.request()))
    fetched = FetchQuery(master="SAE-A", key_ids=[key.key_id.upper() for key in ours], method=method)
    theirs = fetched.read(*link.send("KME-B", "SAE-B", fetched.request()))
    assert [(key.key_id, key.key) for key in ours] == [(key.key_id, key.key) for key in theirs]
    assert ours[0].extension["qkdpost_kinds"] == ["bb84"]
    with pytest.raises(KeyNotFound):
        fetched.read(*link.send("KME-B", "SAE-B", fetched.request()))


def test_status_and_extensions_go_through() -> None:
    link = Link()
    status = StatusQuery(slave="SAE-B")
    assert status.read(*link.send("KME-A", "SAE-A", status.request())).stored_key_count == 100_000 // 256
    asked = KeyQuery(slave="SAE-B", mandatory={"qkdpost_max_epsilon": 1e-30})
    with pytest.raises(UnsupportedRequest, match="could be met"):
        asked.read(*link.send("KME-A", "SAE-A", asked.request()))
    asked = KeyQuery(slave="SAE-B", optional={"qkdpost_max_epsilon": 1e-30, "abc_x": None})
    assert len(asked.read(*link.send("KME-A", "SAE-A", asked.request()))) == 1
    asked = KeyQuery(slave="SAE-B", number=128, size_bits=4096)
    with pytest.raises(NotEnoughKey):
        asked.read(*link.send("KME-A", "SAE-A", asked.request()))


def test_both_spellings_of_the_container_are_read() -> None:
    for name in ("keys", "Keys"):
        [found] = KeyQuery(slave="SAE-B").read(200, body(key(), name=name))
        assert found.key == bytes(range(32))
        assert "key=" not in repr(found)


def test_fewer_keys_are_taken_and_more_are_not() -> None:
    asked = KeyQuery(slave="SAE-B", number=2)
    assert len(asked.read(200, body(key()))) == 1
    assert len(asked.read(200, body(key(), key(IDS[1])))) == 2
    with pytest.raises(NotEnoughKey):
        asked.read(200, b'{"keys":[]}')
    for wrong in (body(key(), key()), body(key(), key(IDS[1]), key("00000000-0000-4000-8000-000000000000"))):
        with pytest.raises(RemoteProtocolError):
            asked.read(200, wrong)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        body({"key_ID": IDS[0]}),
        body({"key_ID": "1", "key": "AAAA"}),
        body({"key_ID": IDS[0], "key": ""}),
        body({"key_ID": IDS[0], "key": "AAA"}),
        body({"key_ID": IDS[0], "key": "-_8="}),
        body(key(length=31)),
        b"[" * 100_000,
        b'{"keys":[' + b" " * 2**20 + b"]}",
    ],
    ids=lambda answer: repr(answer[:30]),
)
def test_an_answer_that_is_none_is_refused_without_a_word_of_it(answer: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        KeyQuery(slave="SAE-B", size_bits=256).read(200, answer)
    assert "AAECAwQ" not in str(caught.value)


def test_other_keys_than_those_asked_for_are_refused() -> None:
    asked = FetchQuery(master="SAE-A", key_ids=IDS)
    assert [found.key_id for found in asked.read(200, body(key(IDS[1]), key(IDS[0])))] == IDS
    for wrong in (body(key()), body(key(), key("00000000-0000-4000-8000-000000000000"))):
        with pytest.raises(RemoteProtocolError):
            asked.read(200, wrong)


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "One or more Keys specified are not found on KME", KeyNotFound),
        (400, "Size shall be a multiple of 8", UnsupportedRequest),
        (401, None, NotAuthorised),
        (404, "unknown", KeyNotFound),
        (503, "later", PeerUnavailable),
        (500, "oops", RemoteProtocolError),
        (302, None, RemoteProtocolError),
    ],
)
def test_each_refusal_has_its_error(status: int, message: str | None, error: type[QkdpostError]) -> None:
    answer = b"" if message is None else json.dumps({"message": message}).encode()
    with pytest.raises(error):
        FetchQuery(master="SAE-A", key_ids=IDS).read(status, answer)


def test_a_message_cannot_write_into_a_terminal() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        StatusQuery(slave="SAE-B").read(500, json.dumps({"message": "\x1b[2J" + "x" * 1000}).encode())
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(answer=st.binary(max_size=100), status=st.integers(100, 599))
def test_any_answer_is_read_or_refused(answer: bytes, status: int) -> None:
    for query in (KeyQuery(slave="B"), FetchQuery(master="A", key_ids=IDS), StatusQuery(slave="B")):
        with pytest.raises(QkdpostError):
            query.read(status, answer)


@pytest.mark.parametrize(
    "make",
    [
        lambda: KeyQuery(slave=""),
        lambda: KeyQuery(slave="B", number=0),
        lambda: KeyQuery(slave="B", size_bits=257),
        lambda: KeyQuery(slave="B", method="PUT"),  # type: ignore[arg-type]
        lambda: KeyQuery(slave="B", method="GET", mandatory={"a_b": 1}),
        lambda: FetchQuery(master="A", key_ids=[]),
        lambda: FetchQuery(master="A", key_ids=["x"]),
        lambda: FetchQuery(master="A", key_ids=[IDS[0], IDS[0].upper()]),
        lambda: FetchQuery(master="A", key_ids=IDS, method="GET"),
        lambda: StatusQuery(slave=" "),
    ],
)
def test_queries_that_cannot_be_asked_are_refused(make: Any) -> None:
    with pytest.raises(InputError):
        make()
