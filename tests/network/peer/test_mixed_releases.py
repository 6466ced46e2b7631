"""Two key managers of different releases: the newest common version, or an error that says which end is older."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

import qkdpost as qp
from qkdpost.errors import RemoteProtocolError
from qkdpost.network.messages.greetings import PROTOCOL_VERSION, PeerHello
from qkdpost.network.peer import greeting_exchange
from qkdpost.network.peer.codec import decode_greeting, encode_greeting
from reference import messagepack
from support.key_manager_pair import Pair
from vectors.key_managers import record

BEFORE: dict[str, Any] = json.loads((record.PATH.parent / "release_before" / "wire.json").read_text(encoding="utf-8"))
"""What key managers of the last version before this one said, as it was recorded then."""


def greeting_of(pair: Pair) -> PeerHello:
    """Return what "a" says first."""
    pair.connect()
    data = next(data for name, data in pair.sent if name == "a")
    found = decode_greeting(data[: 4 + int.from_bytes(data[:4], "little")])
    assert isinstance(found, PeerHello)
    return found


HELLO = greeting_of(Pair())


def heard_by_b(data: bytes) -> str:
    """Return what "b" says of a first greeting."""
    pair = Pair()
    pair.b.turn(pair.b.session.connection_made)
    with pytest.raises(RemoteProtocolError) as caught:
        pair.b.turn(lambda: pair.b.session.receive_data(data))
    return str(caught.value)


def test_a_greeting_tells_range_and_release() -> None:
    assert (HELLO.version, HELLO.oldest_version, HELLO.release) == (PROTOCOL_VERSION, PROTOCOL_VERSION, qp.__version__)


@pytest.mark.parametrize(("newest", "oldest", "older"), [(1, None, "peer"), (4, 3, "this host"), (9, 9, "this host")])
def test_without_a_common_version_the_older_end_is_named(newest: int, oldest: int | None, older: str) -> None:
    other = msgspec.structs.replace(HELLO, version=newest, oldest_version=oldest, release="9.9")
    said = heard_by_b(encode_greeting(other))
    assert said.startswith("the peer (release 9.9) speaks protocol version ")
    assert said.endswith("is the older end, update it first")
    assert f": {'the peer' if older == 'peer' else older} is the older end" in said


def test_ranges_that_overlap_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = encode_greeting(msgspec.structs.replace(HELLO, version=PROTOCOL_VERSION + 3, oldest_version=1))
    pair = Pair()
    pair.b.turn(pair.b.session.connection_made)
    pair.b.turn(lambda: pair.b.session.receive_data(newer))
    monkeypatch.setattr(greeting_exchange, "PROTOCOL_VERSION", PROTOCOL_VERSION + 1)
    pair = Pair()
    pair.b.turn(pair.b.session.connection_made)
    pair.b.turn(lambda: pair.b.session.receive_data(encode_greeting(HELLO)))


def test_what_a_newer_release_appends_is_not_read() -> None:
    plain = msgspec.to_builtins(HELLO, builtin_types=(bytes,))
    body = messagepack.pack([*plain, "appended", [7]])
    assert decode_greeting((len(body) + 1).to_bytes(4, "little") + b"\0" + body) == HELLO


def test_a_greeting_of_another_shape_still_says_its_version() -> None:
    body = messagepack.pack([101, PROTOCOL_VERSION + 5, {"all": "is"}, ["other"]])
    said = heard_by_b((len(body) + 1).to_bytes(4, "little") + b"\0" + body)
    assert f"speaks protocol version {PROTOCOL_VERSION + 5}" in said
    assert "this host is the older end" in said


def test_the_release_before_is_told_to_be_the_older_end() -> None:
    first = next(bytes.fromhex(one["bytes"]) for one in BEFORE["conversation"] if one["from"] == "a")
    said = heard_by_b(first[: 4 + int.from_bytes(first[:4], "little")])
    assert said == (
        f"the peer (a release that does not say its number) speaks protocol version {BEFORE['protocol_version']}, this "
        f"host (release {qp.__version__}) {PROTOCOL_VERSION}: the peer is the older end, update it first"
    )
    assert BEFORE["protocol_version"] == PROTOCOL_VERSION - 1
