"""The greeting: what is told, and the first thing that differs is named."""

from __future__ import annotations

import msgspec
import pytest

import qkdpost as qp
from qkdpost.dialogue.messages import OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION, Hello
from qkdpost.errors import RemoteProtocolError
from qkdpost.session.handshake import check_hello, make_hello, peer_segments

LINK = qp.LinkConfig(protocol=qp.BB84())
POOL_BYTES = bytes(range(128))


def hello(link: qp.LinkConfig = LINK, role: str = "bob") -> Hello:
    return make_hello(role, link, qp.KeyPool(POOL_BYTES), bytes)


def test_a_greeting_tells_version_role_link_and_pads_and_no_key() -> None:
    greeting = hello()
    assert greeting.version == PROTOCOL_VERSION
    assert greeting.oldest_version == OLDEST_PROTOCOL_VERSION
    assert greeting.release == qp.__version__
    assert greeting.role == "bob"
    assert greeting.nonce == bytes(16)
    assert greeting.configuration == LINK.to_fields()
    assert greeting.accumulated_epsilon == 0.0
    (segment,) = peer_segments(greeting)
    assert (segment.identifier, segment.next_offset, segment.length) == (bytes(16), 0, 96)
    told = msgspec.msgpack.encode(greeting)
    assert POOL_BYTES[:8] not in told and POOL_BYTES[32:40] not in told


def test_greetings_of_two_hosts_fit() -> None:
    check_hello(hello(role="bob"), "alice", LINK)
    check_hello(hello(role="alice"), "bob", LINK)


def test_ldpc_codes_are_told_where_they_may_be_used() -> None:
    for correction, told in ((qp.Cascade(), False), (qp.Ldpc(), True), (qp.Auto(), True)):
        link = qp.LinkConfig(protocol=qp.BB84(), correction=correction)
        assert ("installed LDPC codes" in hello(link).configuration) == told
        check_hello(hello(link), "alice", link)


@pytest.mark.parametrize("version", [0, PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1])
def test_another_version_is_named(version: int) -> None:
    other = msgspec.structs.replace(hello(), version=version, oldest_version=None)
    with pytest.raises(RemoteProtocolError, match=rf"{version}, this host .* {PROTOCOL_VERSION}: .* update it first"):
        check_hello(other, "alice", LINK)


@pytest.mark.parametrize(("role", "told"), [("alice", "alice"), ("bob", "bob"), ("alice", "eve"), ("bob", "")])
def test_the_peer_has_the_other_role(role: str, told: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"this host is {role}"):
        check_hello(hello(role=told), role, LINK)


@pytest.mark.parametrize(
    ("other", "path"),
    [
        (qp.LinkConfig(protocol=qp.BBM92()), "protocol.kind"),
        (qp.LinkConfig(protocol=qp.BB84(sample_fraction=0.2)), "protocol.sample_fraction"),
        (qp.LinkConfig(protocol=qp.BB84(), security=qp.Security(epsilon=1e-9)), "security.epsilon"),
        (qp.LinkConfig(protocol=qp.BB84(), blocks=qp.Blocks(frame_bits=4096)), "blocks.frame_bits"),
        (qp.LinkConfig(protocol=qp.BB84(), correction=qp.Cascade(parameters="yan")), "correction.parameters"),
    ],
)
def test_the_field_that_differs_is_named_by_its_path(other: qp.LinkConfig, path: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"differ in {path}: .* here, .* at the peer"):
        check_hello(hello(other), "alice", LINK)


def test_what_the_peer_writes_cannot_forge_lines_of_a_log() -> None:
    fields = LINK.to_fields() | {"a\nfield": "\x1b[2Jcleared"}
    greeting = msgspec.structs.replace(hello(), configuration=fields, altered=("a\nfield",), release="1\n2")
    with pytest.raises(RemoteProtocolError, match="has set") as caught:
        check_hello(greeting, "alice", LINK)
    assert str(caught.value).isprintable()
