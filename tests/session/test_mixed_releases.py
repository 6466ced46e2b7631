"""Two ends of different releases: they go on where they can, and each says what to do where they cannot."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, Struct

import qkdpost as qp
from qkdpost.dialogue.messages import PROTOCOL_VERSION, Confirmation, Hello, SegmentEntry
from qkdpost.errors import RemoteProtocolError
from qkdpost.session import handshake
from qkdpost.session.codec import LENGTH_BYTES, decode, encode
from qkdpost.session.events import HandshakeCompleted
from qkdpost.session.handshake import agreed_version, check_hello, make_hello, read_greeting
from reference import messagepack
from support.link import Pair, bb84_records, small_link
from vectors import conversations
from vectors.record import FOLDER

LINK = qp.LinkConfig(protocol=qp.BB84())
GREETING = make_hello("bob", LINK, qp.KeyPool(bytes(128)), bytes)
BEFORE: dict[str, Any] = json.loads((FOLDER / "release_before" / "session_cascade.json").read_text(encoding="utf-8"))
"""A conversation of the last protocol version before this one, as it was recorded then."""


class GreetingBefore(Struct, frozen=True, array_like=True, tag=0):
    """The greeting as the release before reads it."""

    version: int
    role: Annotated[str, Meta(max_length=8)]
    nonce: bytes
    configuration: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]], Meta(max_length=64)
    ]
    segments: tuple[SegmentEntry, ...]
    accumulated_epsilon: float


def changed(**fields: object) -> Hello:
    return msgspec.structs.replace(GREETING, **fields)


def spoken(newest: int, oldest: int | None = None) -> Hello:
    return changed(version=newest, oldest_version=oldest, release="0.0.9")


@pytest.fixture
def speaks_7_to_8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "PROTOCOL_VERSION", 8)
    monkeypatch.setattr(handshake, "OLDEST_PROTOCOL_VERSION", 7)


# Versions.


@pytest.mark.usefixtures("speaks_7_to_8")
@pytest.mark.parametrize(
    ("newest", "oldest", "agreed"), [(8, 7, 8), (8, None, 8), (7, None, 7), (7, 3, 7), (9, 8, 8), (20, 2, 8)]
)
def test_the_newest_common_version_is_spoken(newest: int, oldest: int | None, agreed: int) -> None:
    assert agreed_version(spoken(newest, oldest)) == agreed


@pytest.mark.usefixtures("speaks_7_to_8")
def test_without_a_common_version_both_are_named_and_what_to_do() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        agreed_version(spoken(6, 5))
    assert str(caught.value) == (
        f"the peer (release 0.0.9) speaks protocol version 5 to 6, this host (release {qp.__version__}) 7 to 8: the "
        "peer is the older end, update it first"
    )
    with pytest.raises(RemoteProtocolError, match=r"9 to 12, .* 7 to 8: this host is the older end, update it first"):
        agreed_version(spoken(12, 9))


@pytest.mark.usefixtures("speaks_7_to_8")
def test_a_range_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="speaks protocol versions 9 to 8"):
        agreed_version(spoken(8, 9))


@given(ranges=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted), min_size=2, max_size=2))
def test_both_ends_come_to_the_same(ranges: list[list[int]]) -> None:
    """Seen from either end, the same version, or a refusal that takes the same end for the older one."""

    def seen(own: list[int], peer: list[int]) -> int | str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(handshake, "OLDEST_PROTOCOL_VERSION", own[0])
            patch.setattr(handshake, "PROTOCOL_VERSION", own[1])
            try:
                return agreed_version(spoken(peer[1], peer[0]))
            except RemoteProtocolError as error:
                return "this" if "this host is the older end" in str(error) else "peer"

    first, second = ranges
    here, there = seen(first, second), seen(second, first)
    common = range(max(first[0], second[0]), min(first[1], second[1]) + 1)
    if common:
        assert here == there == common[-1]
    else:
        assert {here, there} == {"this", "peer"}


def test_a_greeting_of_another_shape_from_the_future_still_says_its_version() -> None:
    frame = messagepack.frame(messagepack.pack([0, PROTOCOL_VERSION + 4, {"all": "is"}, ["other"], None]))
    with pytest.raises(RemoteProtocolError, match=f"version {PROTOCOL_VERSION + 4}, .*this host is the older end"):
        read_greeting(frame)


def test_what_a_newer_release_appends_to_the_greeting_is_not_read() -> None:
    whole = messagepack.pack([0, *msgspec.to_builtins(GREETING, builtin_types=(bytes,))[1:], "appended", [7]])
    message = read_greeting(messagepack.frame(whole))
    assert message == GREETING
    assert isinstance(message, Hello)
    assert check_hello(message, "alice", LINK) == PROTOCOL_VERSION


def test_whoever_hears_the_greeting_hears_which_release_speaks() -> None:
    pair = Pair(small_link())
    pair.run()
    for role in pair.sessions:
        (event,) = [event for event in pair.events[role] if isinstance(event, HandshakeCompleted)]
        assert event == HandshakeCompleted(protocol_version=PROTOCOL_VERSION, peer_release=qp.__version__)


# Fields of the link.


def test_a_field_that_one_end_does_not_know_counts_as_its_default() -> None:
    """In either direction, so that an update of one end stops no link."""
    known = GREETING.configuration
    fewer = {name: text for name, text in known.items() if not name.startswith("record_limits.")}
    check_hello(changed(configuration=fewer), "alice", LINK)
    check_hello(changed(configuration=known | {"security.colour": "'red'"}), "alice", LINK)


def test_a_field_that_was_set_and_that_the_peer_does_not_know_is_named() -> None:
    link = qp.LinkConfig(protocol=qp.BB84(), record_limits=qp.RecordLimits(max_ratio=3.0))
    fewer = {name: text for name, text in GREETING.configuration.items() if name != "record_limits.max_ratio"}
    with pytest.raises(RemoteProtocolError) as caught:
        check_hello(changed(configuration=fewer, release="0.0.9"), "alice", link)
    assert str(caught.value) == (
        f"the peer (release 0.0.9) does not know record_limits.max_ratio, which this host (release {qp.__version__}) "
        "has set to 3.0: update the peer, or leave the field at its default here"
    )


def test_a_field_that_the_peer_has_set_and_this_end_does_not_know_is_named() -> None:
    more = GREETING.configuration | {"security.colour": "'red'"}
    altered = (*GREETING.altered, "security.colour")
    with pytest.raises(RemoteProtocolError) as caught:
        check_hello(changed(configuration=more, altered=altered, release=""), "alice", LINK)
    assert str(caught.value) == (
        "the peer (a release that does not say its number) has set security.colour to 'red', which this host (release "
        f"{qp.__version__}) does not know: update this host, or leave the field at its default there"
    )


def test_a_default_that_changed_between_releases_is_a_difference() -> None:
    """Both say every field, so that no end takes its own default for the peer's."""
    other = GREETING.configuration | {"security.epsilon": "1e-12"}
    with pytest.raises(RemoteProtocolError, match=r"differ in security\.epsilon: 1e-10 here, 1e-12 at the peer"):
        check_hello(changed(configuration=other), "alice", LINK)


@pytest.mark.parametrize(
    ("link", "altered"),
    [
        (LINK, {"protocol.kind", "correction.method"}),
        (
            qp.LinkConfig(protocol=qp.BB84(sample_fraction=0.2), security=qp.Security(epsilon=1e-9)),
            {"protocol.kind", "correction.method", "protocol.sample_fraction", "security.epsilon"},
        ),
        (
            qp.LinkConfig(protocol=qp.BB84(), correction=qp.Auto(ldpc=qp.Ldpc(blind_rounds=1))),
            {"protocol.kind", "correction.method", "correction.ldpc.blind_rounds"},
        ),
    ],
)
def test_fields_that_are_not_at_their_default(link: qp.LinkConfig, altered: set[str]) -> None:
    assert link.altered_fields() == altered
    assert altered <= link.to_fields().keys()


# The release before.


def test_the_release_before_is_told_to_be_the_older_end() -> None:
    """Nothing is spent, no record is lost, and the line may be tried again."""
    scene = conversations.SCENES["cascade"]()
    pair = Pair(scene.link, preshared=conversations.PRESHARED)
    session = pair.sessions["alice"]
    session.submit(scene.alice)
    first = next(bytes.fromhex(frame["frame"]) for frame in BEFORE["frames"] if frame["from"] == "bob")
    before = pair.pools["alice"].snapshot()
    with pytest.raises(RemoteProtocolError) as caught:
        session.receive_data(first)
    assert str(caught.value) == (
        f"the peer (a release that does not say its number) speaks protocol version {BEFORE['protocol_version']}, this "
        f"host (release {qp.__version__}) {PROTOCOL_VERSION}: the peer is the older end, update it first"
    )
    assert pair.pools["alice"].snapshot() == before
    assert session.records_waiting == 1
    session.connect()
    assert session.state is qp.ConnectionState.HANDSHAKE


def test_the_release_before_can_read_this_greeting_and_says_which_version_it_is() -> None:
    frame = encode(GREETING)
    heard = msgspec.msgpack.decode(frame[LENGTH_BYTES:], type=GreetingBefore)
    assert heard.version == PROTOCOL_VERSION
    assert heard.configuration == GREETING.configuration
    recorded = next(bytes.fromhex(one["frame"]) for one in BEFORE["frames"] if one["type"] == "Hello")
    known = msgspec.msgpack.decode(recorded[LENGTH_BYTES:], type=GreetingBefore)
    assert known.version == BEFORE["protocol_version"] == PROTOCOL_VERSION - 1


# Who is on the line.


@pytest.mark.parametrize("role", ["alice", "bob"])
@pytest.mark.parametrize(
    "forged", [{"version": 2}, {"oldest_version": 1}, {"release": "0.0.1"}, {"altered": ("blocks.frame_bits",)}]
)
def test_a_changed_greeting_costs_the_block_and_no_key_is_released(
    role: str, forged: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where both hosts speak the older version that somebody else put into it."""
    monkeypatch.setattr(handshake, "OLDEST_PROTOCOL_VERSION", 2)

    def alter(source: str, _: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if source == role and isinstance(message, Hello):
            return [encode(msgspec.structs.replace(message, **forged))]
        return [frame]

    pair = Pair(small_link(security={"epsilon": 1e-6}))
    pair.submit(*bb84_records(4000, qber=0.004))
    pair.finish()
    with pytest.raises(qp.AuthenticationError):
        pair.run(alter)
    assert pair.keys("alice") == pair.keys("bob") == {}
    sent = [decode(frame) for frame in (*pair.sent["alice"], *pair.sent["bob"])]
    assert sum(isinstance(message, Confirmation) for message in sent) == 1


# Anything at all.

TEXTS = st.text(max_size=70)
CONFIGURATIONS = st.dictionaries(
    st.one_of(st.sampled_from(sorted(GREETING.configuration)), TEXTS),
    st.one_of(st.sampled_from(sorted(GREETING.configuration.values())), TEXTS),
    max_size=8,
)
FIELDS = [
    st.one_of(st.integers(0, 9), st.integers(), TEXTS),
    st.one_of(st.sampled_from(["alice", "bob", "eve"]), TEXTS),
    st.binary(max_size=20),
    CONFIGURATIONS.map(lambda changes: GREETING.configuration | changes),
    st.lists(st.tuples(st.binary(min_size=16, max_size=16), st.integers(), st.integers()), max_size=3),
    st.floats(),
    st.one_of(st.none(), st.integers()),
    TEXTS,
    st.lists(TEXTS, max_size=4),
    st.one_of(st.none(), st.integers(), TEXTS),
]


@settings(max_examples=300)
@given(fields=st.tuples(*FIELDS), kept=st.sets(st.integers(0, 9)), length=st.integers(0, 10))
def test_any_greeting_is_understood_or_refused_in_one_printable_line(
    fields: tuple[object, ...], kept: set[int], length: int
) -> None:
    good = msgspec.to_builtins(GREETING, builtin_types=(bytes,))[1:]
    mixed = [good[place] if place in kept and place < len(good) else value for place, value in enumerate(fields)]
    payload = msgspec.msgpack.encode([0, *mixed[:length]]) if _fits(mixed) else b"\x91\x00"
    try:
        message = read_greeting(messagepack.frame(payload))
        assert isinstance(message, Hello)
        assert check_hello(message, "alice", LINK) == PROTOCOL_VERSION
    except RemoteProtocolError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 2000


def _fits(values: list[Any]) -> bool:
    try:
        msgspec.msgpack.encode(values)
    except OverflowError:
        return False
    return True
