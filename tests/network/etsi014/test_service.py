"""What the cases do not show: order of checks, commits, what is erased, and bodies that no reader should agree on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import ConfigurationError, InputError, NoRoute, PeerUnavailable, StoreUnavailable
from qkdpost.network.etsi014 import DeliveryLimits, Etsi014, Request, Response
from qkdpost.network.policy import AccessPolicy
from support.fake_delivery import FakeManager, FakeNetwork

SITES = {"SAE-A": "KME-A", "SAE-F": "KME-A", "SAE-B": "KME-B", "SAE-C": "KME-B", "SAE-D": "KME-B"}
ENC = "/api/v1/keys/SAE-B/enc_keys"
DEC = "/api/v1/keys/SAE-A/dec_keys"


def service_at(name: str, network: FakeNetwork | None = None, **limits: Any) -> tuple[Etsi014, FakeManager]:
    access = AccessPolicy(groups=[["SAE-A", "SAE-B", "SAE-C", "SAE-F"]])
    network = network or FakeNetwork(SITES, {frozenset(("KME-A", "KME-B")): 100_000}, access)
    manager = network.manager(name)
    return Etsi014(manager, DeliveryLimits(**limits)), manager


def answer(
    service: Etsi014, manager: FakeManager, method: str, target: str, body: bytes = b"", caller: str | None = "SAE-A"
) -> Response:
    service.receive_request(0, Request(method=method, target=target, body=body), caller, now_seconds=0.0)
    manager.commit()
    service.receive_events(manager.events())
    [(number, response)] = service.responses()
    assert number == 0
    return response


@pytest.mark.parametrize(
    "body",
    [
        b'{"number":1,"number":1}',
        b'{"extension_optional":[{"abc_x":{"a":1,"a":1}}]}',
        b'{"number":1} {}',
        b'{"number":1}\x00',
        b'{"number":NaN}',
        b'{"extension_optional":[{"abc_x":Infinity}]}',
        b'{"extension_optional":[{"abc_x":-Infinity}]}',
        b'{"number":1e0}',
        b'{"number":01}',
        b'{"number":' + b"9" * 5000 + b"}",
        b'{"extension_optional":[{"abc_x":' + b"9" * 5000 + b"}]}",
        b'{"extension_optional":[{"abc_x":1e999}]}',
        b'{"extension_optional":[{"abc_x":' + b"[" * 30_000 + b"]" * 30_000 + b"}]}",
        b"\xef\xbb\xbf{}",
        b'{"number":1}'.decode().encode("utf-16"),
        b'{"extension_optional":[{"abc_x":"\xff"}]}',
        b'{"extension_optional":[{"abc_\\ud800":1}]}',
        b'{"number":1,}',
        b"{'number':1}",
        b'{"number":1 /* one */}',
        b"[]",
        b"null",
        b" ",
        b'"{}"',
        b'{"Number":1}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_may_be_read_in_two_ways_is_refused(body: bytes) -> None:
    service, manager = service_at("KME-A")
    response = answer(service, manager, "POST", ENC, body)
    assert response.status == 400
    assert len(json.loads(response.body)["message"]) < 300
    assert manager.requests == 0


@given(
    body=st.binary(max_size=200) | st.text(alphabet='{}[]":,0123456789eE.-+ntrufalse\\ ', max_size=80).map(str.encode)
)
def test_any_body_is_answered(body: bytes) -> None:
    service, manager = service_at("KME-A")
    assert answer(service, manager, "POST", ENC, body).status in (200, 400)


@given(target=st.text(max_size=60) | st.text(alphabet="/%?&=;#.aN0", max_size=40).map("/api/v1/keys/".__add__))
def test_any_target_is_answered(target: str) -> None:
    service, manager = service_at("KME-A")
    assert answer(service, manager, "GET", target).status in (200, 400, 401, 404)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/api/v1/keys/SAE%2DB/status", 200),
        ("https://kme-a:8443/api/v1/keys/SAE-B/status", 200),
        ("/api/v1/keys/SAE-B/status/", 404),
        ("/api/v1/keys/SAE-B", 404),
        ("/api/v2/keys/SAE-B/status", 404),
        ("//api/v1/keys/SAE-B/status", 404),
        ("/api/v1/keys/SAE-B/../SAE-C/status", 404),
        ("/api/v1/keys/SAE%2DB%/status", 400),
        ("/api/v1/keys/%FF/status", 400),
        ("/api/v1/keys/%00/status", 400),
        ("/api/v1/keys//status", 400),
        ("/api/v1/keys/SAE B/status", 400),
        ("/api/v1/keys/SAE-B/status#top", 404),
        (f"/api/v1/keys/{'S' * 65}/status", 400),
    ],
)
def test_names_are_percent_decoded_once_and_strictly(target: str, status: int) -> None:
    service, manager = service_at("KME-A")
    assert answer(service, manager, "GET", target).status == status


def test_what_is_checked_first() -> None:
    """A stranger learns that the form is wrong, and nothing of limits; a caller of limits before names and pairs."""
    service, manager = service_at("KME-A")

    def status(method: str, target: str, body: bytes, caller: str | None) -> int:
        return answer(service, manager, method, target, body, caller).status

    assert status("PUT", ENC, b"{", None) == 405
    assert status("POST", ENC, b"{", None) == 400
    for stranger in (None, "STRANGER", "SAE-B"):
        assert status("POST", ENC, b'{"number":0}', stranger) == 401
    forbidden = b'"additional_slave_SAE_IDs":["SAE-D"]'
    assert status("POST", ENC, b'{"number":"1",%b}' % forbidden, "SAE-A") == 400
    assert status("POST", ENC, b'{"number":0,%b}' % forbidden, "SAE-A") == 400
    assert status("POST", ENC, b'{"additional_slave_SAE_IDs":["SAE-D","SAE-C","SAE-F"]}', "SAE-A") == 400
    assert status("POST", ENC, b'{"additional_slave_SAE_IDs":["SAE-D","SAE-A"]}', "SAE-A") == 400
    assert status("POST", ENC, b'{"extension_mandatory":[{"abc_x":1}],%b}' % forbidden, "SAE-A") == 401
    assert status("POST", ENC, b'{"extension_mandatory":[{"abc_x":1}],"number":128,"size":4096}', "SAE-A") == 400
    assert status("POST", ENC, b'{"number":128,"size":4096}', "SAE-A") == 503
    assert manager.requests == 0


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "GET "])
def test_no_other_method_takes_a_key(method: str) -> None:
    service, manager = service_at("KME-A")
    response = answer(service, manager, method, ENC)
    assert response.status == 405
    assert ("Allow", "GET, POST") in response.headers
    assert manager.requests == 0


def test_every_refusal_is_an_error_that_is_not_stored_by_caches() -> None:
    service, manager = service_at("KME-A")
    refused = [("PUT", ENC, b""), ("GET", "/", b""), ("POST", ENC, b"{"), ("POST", ENC, b" " * 65_537)]
    for method, target, body in refused:
        response = answer(service, manager, method, target, body)
        assert json.loads(response.body)["message"]
        assert ("Cache-Control", "no-store") in response.headers
    unknown = answer(service, manager, "GET", ENC, b"", None)
    assert (unknown.status, json.loads(unknown.body)) == (401, {"message": "not authorised"})


def test_an_application_nobody_knows_is_answered_as_one_that_is_not_allowed() -> None:
    service, manager = service_at("KME-A")
    bodies = {bytes(answer(service, manager, "GET", f"/api/v1/keys/{name}/status").body) for name in ("SAE-D", "XY")}
    assert len(bodies) == 1
    service, manager = service_at("KME-A", unknown_application_status=400)
    assert answer(service, manager, "GET", "/api/v1/keys/XY/status").status == 400


@pytest.mark.parametrize("error", [NoRoute("by kbh-7"), PeerUnavailable("kbh-7"), StoreUnavailable("/var/x")])
def test_a_key_manager_in_trouble_tells_no_more_than_to_try_again(error: Any) -> None:
    service, manager = service_at("KME-A")
    manager.refuse_with = error
    response = answer(service, manager, "GET", ENC)
    assert response.status == 503
    assert b"kbh-7" not in response.body
    assert b"/var/x" not in response.body


def test_nothing_that_rests_on_the_store_leaves_before_the_commit() -> None:
    service, manager = service_at("KME-A")
    service.receive_request(1, Request(method="GET", target=ENC), "SAE-A", now_seconds=0.0)
    service.receive_request(2, Request(method="GET", target="/api/v1/keys/SAE-B/status"), "SAE-A", now_seconds=0.0)
    service.receive_request(3, Request(method="GET", target="/"), "SAE-A", now_seconds=0.0)
    assert service.needs_commit
    assert [number for number, _ in service.responses()] == [2, 3]
    manager.commit()
    assert not service.needs_commit
    assert service.receive_events(manager.events()) == ()
    assert [(number, response.status) for number, response in service.responses()] == [(1, 200)]


def test_after_a_failed_commit_no_key_is_told() -> None:
    service, manager = service_at("KME-A")
    key_id = json.loads(answer(service, manager, "GET", ENC).body)["keys"][0]["key_ID"]
    there, other = service_at("KME-B", manager.network)
    other.store_fails = True
    failed = answer(there, other, "GET", f"{DEC}?key_ID={key_id}", caller="SAE-B")
    assert failed.status == 503
    assert json.loads(failed.body)["details"] == [{"qkdpost_reason": "StoreUnavailable"}]
    other.store_fails = False
    assert answer(there, other, "GET", f"{DEC}?key_ID={key_id}", caller="SAE-B").status == 200
    manager.store_fails = True
    assert answer(service, manager, "GET", ENC).status == 503


def test_keys_of_an_abandoned_request_are_erased_unseen() -> None:
    service, manager = service_at("KME-A")
    service.receive_request(1, Request(method="GET", target=ENC), "SAE-A", now_seconds=0.0)
    released = manager.reported[0]
    service.abandon(1)
    assert [ticket.number for ticket in manager.abandoned] == [1]
    manager.commit()
    service.receive_events(manager.events())
    assert service.responses() == []
    assert not any(released.keys[0].key)  # type: ignore[union-attr]


def test_keys_and_bodies_are_overwritten() -> None:
    service, manager = service_at("KME-A")
    service.receive_request(1, Request(method="POST", target=ENC, body=b'{"number":100}'), "SAE-A", now_seconds=0.0)
    released = manager.reported[0]
    keys = [bytes(key.key) for key in released.keys]  # type: ignore[union-attr]
    manager.commit()
    service.receive_events(manager.events())
    [(_, response)] = service.responses()
    assert not any(any(key.key) for key in released.keys)  # type: ignore[union-attr]
    assert len({key["key"] for key in json.loads(response.body)["keys"]}) == len(set(keys)) == 100
    assert "key_ID" not in repr(response)
    response.clear()
    assert not any(response.body)


def test_what_is_said_of_a_key_goes_to_the_application() -> None:
    service, manager = service_at("KME-A")
    key = json.loads(answer(service, manager, "GET", ENC).body)["keys"][0]
    assert set(key["key_extension"]) == {"qkdpost_epsilon", "qkdpost_trusted_nodes", "qkdpost_kinds"}


@pytest.mark.parametrize(
    ("extension", "status"),
    [
        ({"qkdpost_route_type": "direct"}, 200),
        ({"qkdpost_route_type": "over the moon"}, 400),
        ({"qkdpost_max_epsilon": "1e-6"}, 400),
        ({"qkdpost_max_epsilon": 0}, 400),
        ({"qkdpost_max_age_seconds": 60}, 200),
        ({"qkdpost_max_age_seconds": True}, 400),
        ({"qkdpost_disjoint_paths": 1}, 200),
        ({"qkdpost_disjoint_paths": 1.5}, 400),
        ({"qkdpost_disjoint_paths": 1, "qkdpost_max_age_seconds": 60}, 200),
    ],
)
@pytest.mark.parametrize("where", ["extension_mandatory", "extension_optional"])
def test_known_extensions_have_values_of_one_type(where: str, extension: dict[str, Any], status: int) -> None:
    service, manager = service_at("KME-A")
    assert answer(service, manager, "POST", ENC, json.dumps({where: [extension]}).encode()).status == status


def test_optional_extensions_are_met_if_they_can_be_and_else_ignored() -> None:
    service, manager = service_at("KME-A")
    for optional in ({"qkdpost_max_epsilon": 1e-30}, {"qkdpost_max_epsilon": 1e-3}, {"abc_anything": [{}]}):
        assert (
            answer(service, manager, "POST", ENC, json.dumps({"extension_optional": [optional]}).encode()).status == 200
        )


def test_numbers_are_told_apart_and_requests_checked() -> None:
    service, _ = service_at("KME-A")
    with pytest.raises(InputError, match="request must be a Request"):
        service.receive_request(1, "GET /", "SAE-A", now_seconds=0.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="limits must be a DeliveryLimits"):
        Etsi014(FakeNetwork(SITES, {}).manager("KME-A"), {})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "limits",
    [
        {"key_size_bits": 257},
        {"shortest_key_bits": 512},
        {"longest_key_bits": 128},
        {"most_keys": 0},
        {"most_additional_slaves": -1},
        {"longest_body_bytes": 10},
        {"unknown_application_status": 404},
    ],
)
def test_limits_that_contradict_each_other_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        DeliveryLimits(**limits)
