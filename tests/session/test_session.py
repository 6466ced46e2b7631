from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.config import LinkConfig
from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AbortReason, CorrectionRound, FrameTags
from qkdpost.errors import ConfigurationError, InputError, LocalProtocolError, RemoteProtocolError
from qkdpost.keys import KeyPool
from qkdpost.protocols import PROTOCOLS
from qkdpost.records import TimeTags
from qkdpost.security import DetectorMismatch
from qkdpost.session.blocks.table import BlockTable
from qkdpost.session.codec import decode, encode
from qkdpost.session.connection import PACKET_BYTES, Connection
from qkdpost.session.events import ConnectionClosed, HandshakeCompleted, KeyReady, StageCompleted
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from qkdpost.stages.outcomes import VerifiedKey
from support.link import PRESHARED, Pair, bb84_records, changed, frames, small_link
from support.names import steady_name


def finished_pair(link: LinkConfig | None = None, **records: float) -> Pair:
    pair = Pair(link or small_link())
    pair.submit(*bb84_records(**records))  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    return pair


def test_two_hosts_get_the_same_key() -> None:
    pair = finished_pair()
    assert pair.keys("alice") == pair.keys("bob")
    assert len(pair.keys("alice")[0]) > 50
    for role in ("alice", "bob"):
        kinds = [type(event) for event in pair.events[role]]
        assert kinds == [
            HandshakeCompleted,
            *[StageCompleted] * len(PROTOCOLS["bb84"].stages),
            KeyReady,
            ConnectionClosed,
        ]
        assert pair.sessions[role].state is ConnectionState.CLOSED


def test_both_reports_tell_the_same() -> None:
    pair = finished_pair()
    alice, bob = (
        next(event.report for event in pair.events[role] if isinstance(event, KeyReady)) for role in ("alice", "bob")
    )
    assert alice.secret == bob.secret
    assert alice.ledger == bob.ledger
    assert (alice.bytes_sent, alice.messages_sent) == (bob.bytes_received, bob.messages_received)
    assert (bob.bytes_sent, bob.messages_sent) == (alice.bytes_received, alice.messages_received)
    for name in ("rounds", "sifted_key_bits", "test_errors", "key_bits", "key_errors", "corrected_bits"):
        assert getattr(alice, name) == getattr(bob, name), name


def test_every_bit_on_the_wire_is_in_the_ledger() -> None:
    pair = finished_pair()
    report = next(event.report for event in pair.events["alice"] if isinstance(event, KeyReady))
    assert report.ledger.charged_bits == sum(report.ledger.bits(c) for c in Cause if c is not Cause.CORRECTOR_PARITIES)
    parities = sum(
        len(message.data) for message in map(decode, pair.sent["alice"]) if isinstance(message, CorrectionRound)
    )
    assert report.ledger.bits(Cause.REFERENCE_PARITIES) <= 8 * parities
    tags = next(m for m in map(decode, pair.sent["alice"]) if isinstance(m, FrameTags))
    assert report.ledger.bits(Cause.FRAME_TAGS) == 8 * len(tags.tags)
    assert report.secret is not None
    assert report.key_length_bits + report.authentication_bits == report.secret.bits
    assert report.secret.bits <= report.secret.asymptotic_bits


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=40))
@settings(max_examples=10)
def test_chunking_does_not_matter(sizes: list[int]) -> None:
    whole = finished_pair(detections=3000)
    pair = Pair(small_link())
    pair.submit(*bb84_records(3000))
    pair.finish()
    turn = 0

    def chop(_: str, __: int, frame: bytes) -> list[bytes]:
        nonlocal turn
        pieces = []
        while frame:
            size = sizes[turn % len(sizes)]
            pieces.append(frame[:size])
            frame = frame[size:]
            turn += 1
        return pieces

    pair.run(chop)
    assert pair.keys("alice") == pair.keys("bob") == whole.keys("alice")


def test_several_blocks_are_in_flight_at_once() -> None:
    pair = Pair(small_link(blocks={"detections": 8000, "in_flight": 3}))
    for seed in range(5):
        pair.submit(*bb84_records(seed=seed))
    for _ in range(4):  # one is opened in each
        pair.step("alice", "bob")
        pair.step("bob", "alice")
    assert pair.sessions["bob"].blocks_in_flight == 3
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob")
    assert sorted(pair.keys("alice")) == [0, 1, 2, 3, 4]
    assert len(set(pair.keys("alice").values())) == 5


def test_short_answers_of_several_blocks_go_together_up_to_a_packet() -> None:
    pair = Pair(small_link(blocks={"detections": 8000, "in_flight": 3}))
    for seed in range(3):
        pair.submit(*bb84_records(seed=seed))
    pair.finish()
    together: list[set[int]] = []
    talk = True
    while talk:
        talk = False
        for source, target in (("alice", "bob"), ("bob", "alice")):
            said = list(iter(pair.sessions[source].data_to_send, b""))
            for data in said:
                each = [decode(frame) for frame in frames(data)]
                if all(isinstance(message, CorrectionRound) for message in each):
                    assert len(each) == 1 or len(data) < PACKET_BYTES + max(map(len, frames(data)))
                    together.append({message.block for message in each if isinstance(message, CorrectionRound)})
            if said:
                talk = True
                pair.sessions[target].receive_data(b"".join(said))
    pair.collect()
    assert pair.keys("alice") == pair.keys("bob") and len(pair.keys("alice")) == 3
    assert max(map(len, together)) == 3


def test_a_short_answer_does_not_wait_for_what_a_long_message_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Pair(small_link()).sessions["alice"]
    session.data_to_send()
    handled: list[int] = []

    def handle(self: Connection, message: object, frame: bytes) -> None:
        handled.append(len(frame))
        self.line.outgoing.append(b"answer")

    monkeypatch.setattr(Connection, "_handle", handle)
    monkeypatch.setattr(session._connection, "state", ConnectionState.OPEN)
    short = encode(CorrectionRound(block=0, round=0, bits=None, data=bytes(9)))
    long = encode(CorrectionRound(block=1, round=0, bits=None, data=bytes(PACKET_BYTES)))
    session.receive_data(short + short + long + short)
    assert handled == 2 * [len(short)]
    assert session.data_to_send() == 2 * b"answer"
    assert session.data_to_send() == b"answer"
    assert session.data_to_send() == b"answer"
    assert handled == [len(short), len(short), len(short), len(long)]
    assert session.data_to_send() == b""


def test_a_short_round_overtakes_long_messages_of_other_blocks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Pair(small_link()).sessions["alice"]
    session.data_to_send()
    handled: list[tuple[int, int]] = []

    def handle(self: Connection, message: CorrectionRound, frame: bytes) -> None:
        handled.append((message.block, message.round))
        self.line.outgoing.append(b"answer")

    monkeypatch.setattr(Connection, "_handle", handle)
    monkeypatch.setattr(session._connection, "state", ConnectionState.OPEN)
    spoken = [(1, 0, True), (2, 0, False), (1, 1, False), (2, 1, True), (2, 2, False), (3, 0, False)]
    session.receive_data(
        b"".join(
            encode(CorrectionRound(block=block, round=turn, bits=None, data=bytes(PACKET_BYTES if long else 9)))
            for block, turn, long in spoken
        )
    )
    while session.data_to_send():
        pass
    assert handled == [(2, 0), (3, 0), (1, 0), (1, 1), (2, 1), (2, 2)]


def test_who_has_said_enough_looks_for_more_work_only_if_some_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(small_link())
    session, connection = pair.sessions["bob"], pair.sessions["bob"]._connection
    session.data_to_send()
    monkeypatch.setattr(Connection, "_handle", lambda self, message, frame: self.line.outgoing.append(frame))
    monkeypatch.setattr(connection, "state", ConnectionState.OPEN)
    long = encode(CorrectionRound(block=0, round=0, bits=None, data=bytes(PACKET_BYTES)))
    for data, nothing_left in ((long, True), (long + long, False), (long + long[:9], False), (long[9:], True)):
        session.receive_data(data)
        assert connection.settled is nothing_left
        assert set(iter(session.data_to_send, b"")) == {long}
    monkeypatch.setattr(BlockTable, "next_run", lambda self: (0, 1))  # a record is in
    session.receive_data(long)
    assert not connection.settled


def test_records_gather_into_one_block() -> None:
    pair = Pair(small_link(blocks={"detections": 2**16}))
    for seed in range(3):
        pair.submit(*bb84_records(3000, seed=seed))
    pair.finish()
    pair.run()
    assert list(pair.keys("alice")) == [0]
    assert pair.keys("alice") == pair.keys("bob")


def test_alice_may_submit_late() -> None:
    pair = Pair(small_link())
    alice, bob = bb84_records()
    pair.sessions["bob"].submit(bob)
    pair.sessions["bob"].finish()
    pair.run()
    assert not pair.keys("alice")
    pair.sessions["alice"].submit(alice)
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_a_record_that_never_comes_ends_the_block() -> None:
    pair = Pair(small_link())
    pair.sessions["bob"].submit(bb84_records()[1])
    pair.finish()
    pair.run()
    assert [event.reason for event in pair.aborts("alice")] == [AbortReason.RECORDS_DISAGREE]
    assert [event.reason for event in pair.aborts("bob")] == [AbortReason.RECORDS_DISAGREE]
    assert pair.sessions["alice"].state is ConnectionState.CLOSED


def test_the_sample_mode_works_too() -> None:
    pair = finished_pair(small_link(protocol={"test": "sample", "sample_fraction": 0.3}), detections=20000)
    assert pair.keys("alice") == pair.keys("bob") != {}


@pytest.mark.parametrize("qber", [0.12, 0.2, 0.5])
def test_no_key_above_the_threshold(qber: float) -> None:
    pair = finished_pair(qber=qber, detections=20000)
    for role in ("alice", "bob"):
        assert pair.keys(role) == {}
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.NO_KEY_LEFT]
        assert pair.sessions[role].state is ConnectionState.CLOSED


def test_too_few_bits_end_the_block_on_both_sides() -> None:
    pair = finished_pair(detections=100)
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.TOO_FEW_BITS]


def test_records_that_do_not_belong_together() -> None:
    pair = Pair(small_link())
    pair.submit(bb84_records(4000)[0], bb84_records(8000)[1])
    pair.finish()
    pair.run()
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.RECORDS_DISAGREE]


@pytest.mark.parametrize(
    ("field", "parts"),
    [
        ("security.epsilon", {"security": {"epsilon": 1e-9}}),
        ("blocks.frame_bits", {"blocks": {"frame_bits": 2**13}}),
        ("protocol.kind", {"protocol": qp.BBM92()}),
        ("security.concentration", {"security": {"concentration": "serfling"}}),
    ],
)
def test_a_configuration_that_differs_is_named(field: str, parts: dict[str, object]) -> None:
    link = small_link()
    alice = Session(role="alice", link=link, auth_key=KeyPool(PRESHARED))
    bob = Session(role="bob", link=changed(link, **parts), auth_key=KeyPool(PRESHARED))
    with pytest.raises(RemoteProtocolError, match=re.escape(field)):
        alice.receive_data(bob.data_to_send())


def test_two_of_one_role_are_refused() -> None:
    first, second = (Session(role="bob", link=small_link(), auth_key=KeyPool(PRESHARED)) for _ in range(2))
    with pytest.raises(RemoteProtocolError, match="alice"):
        first.receive_data(second.data_to_send())


def test_the_pool_is_spent_and_refilled() -> None:
    pair = finished_pair()
    for pool in pair.pools.values():
        assert pool.spent_bytes == 48
        assert pool.available_bytes == len(PRESHARED) - 32
    assert pair.pools["alice"].inventory() == pair.pools["bob"].inventory()


def test_blocks_go_on_from_refilled_pads_alone() -> None:
    pair = Pair(small_link(blocks={"detections": 8000, "in_flight": 1}), preshared=bytes(32 + 48))
    for seed in range(3):
        pair.submit(*bb84_records(seed=seed))
    pair.finish()
    pair.run()
    assert len(pair.keys("alice")) == 3
    assert pair.keys("alice") == pair.keys("bob")


def test_an_empty_pool_is_an_error_and_not_a_weaker_tag() -> None:
    pair = Pair(small_link(), preshared=bytes(32 + 47))
    pair.submit(*bb84_records())
    pair.finish()
    pair.run()
    assert [event.reason for event in pair.aborts("bob")] == [AbortReason.KEY_POOL_EXHAUSTED]
    assert pair.keys("alice") == pair.keys("bob") == {}


def test_misuse_is_a_local_error() -> None:
    pair = Pair(small_link())
    alice = pair.sessions["alice"]
    with pytest.raises(InputError, match="PreparedPulses"):
        alice.submit(bb84_records()[1])
    with pytest.raises(LocalProtocolError, match="open already"):
        alice.connect()
    tagger = Session(role="alice", link=small_link(protocol=qp.BBM92TimeTags()), auth_key=KeyPool(PRESHARED))
    with pytest.raises(InputError, match="tick_ps"):
        tagger.submit(TimeTags(ticks=[0, 1], channels=[0, 1], tick_ps=1e9))
    alice.finish()
    with pytest.raises(LocalProtocolError, match="finish"):
        alice.submit(bb84_records()[0])
    alice.connection_lost()
    with pytest.raises(LocalProtocolError, match="connection is gone"):
        alice.receive_data(b"")
    with pytest.raises(ConfigurationError):
        Session(role="eve", link=small_link(), auth_key=KeyPool(PRESHARED))
    with pytest.raises(ConfigurationError, match="auth_key=KeyPool"):
        Session(role="bob", link=small_link(), auth_key=PRESHARED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("protocol", "match"),
    [
        (
            lambda: qp.DecoyBB84(intensities=(0.5, 0.4999999, 0.4999998), probabilities=(1e-9, 1e-9, 1 - 2e-9)),
            "too close together",
        ),
        (
            lambda: qp.DecoyBB84(
                intensities=((1.02, 1.03), (1.0, 1.01), 0.5), probabilities=(1e-20, 1e-9, 1 - 1e-9 - 1e-20)
            ),
            "too close together",
        ),
        (
            lambda: qp.SinglePhotonBB84(mean_photons=0.5, g2=0.01, test_probabilities=(1e-17, 1e-17)),
            "key_probability",
        ),
        (
            lambda: qp.SinglePhotonBB84(mean_photons=0.5, g2=0.01, test_probabilities=(1e-200, 1e-200)),
            "key_probability",
        ),
    ],
)
def test_a_link_without_a_bound_is_refused_before_anything_is_said(
    protocol: Callable[[], qp.DecoyBB84 | qp.SinglePhotonBB84], match: str
) -> None:
    with pytest.raises(ConfigurationError, match=match):
        LinkConfig(protocol=protocol())


def test_what_a_bound_does_not_take_is_refused_with_the_link() -> None:
    mismatch = DetectorMismatch(dark_count_probability=1e-6, efficiency_deviation=0.01, dark_count_deviation=0.0)
    one_way = qp.Ldpc(blind_rounds=0, fallback=None)
    for intensities, correction, match in (
        (((0.45, 0.5), 0.1, 0.0), one_way, "mismatched detectors need intensities that are numbers"),
        ((0.5, 0.1, 0.0), qp.Cascade(), "mismatched detectors need one-way correction"),
        ((0.5, 0.1, 0.0), qp.Auto(ldpc=one_way), "mismatched detectors need one-way correction"),
        ((0.5, 0.1), one_way, "with two intensities"),
    ):
        shares = (0.7, 0.3) if len(intensities) == 2 else (0.7, 0.2, 0.1)
        protocol = qp.DecoyBB84(intensities=intensities, probabilities=shares, detectors=mismatch)
        with pytest.raises(ConfigurationError, match=match):
            LinkConfig(protocol=protocol, correction=correction)


def test_the_application_sees_how_many_records_wait() -> None:
    pair = Pair(small_link())
    for session in pair.sessions.values():
        session.connection_lost()
    for number in range(3):
        pair.submit(*bb84_records(seed=number))
        assert [session.records_waiting for session in pair.sessions.values()] == [number + 1] * 2
    for session in pair.sessions.values():
        session.connect()
    pair.finish()
    pair.run()
    assert [session.records_waiting for session in pair.sessions.values()] == [0, 0]
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_records_outlive_a_random_source_that_fails() -> None:
    pair = Pair(small_link())
    pair.submit(*bb84_records())
    pair.run()
    working = pair.sessions["bob"]._connection.line.random_source

    def fails(count: int) -> bytes:
        raise OSError("no entropy")

    pair.sessions["bob"]._connection.line.random_source = fails
    with pytest.raises(OSError, match="no entropy"):
        pair.sessions["bob"].flush()
    pair.sessions["bob"]._connection.line.random_source = working
    pair.reconnect()
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_records_may_be_numbered_by_the_application() -> None:
    pair = Pair(small_link())
    alice, bob = bb84_records()
    pair.sessions["alice"].submit(bb84_records(seed=1)[0], number=5)  # Bob has no such record: it is dropped
    pair.sessions["alice"].submit(alice, number=9)
    pair.sessions["bob"].submit(bob, number=np.int64(9))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="used already"):
        pair.sessions["bob"].submit(bob, number=9)
    for number in (1.5, True, 2**60, "10"):
        with pytest.raises(InputError, match="number must be an integer"):
            pair.sessions["bob"].submit(bob, number=number)  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_alice_may_submit_late_to_blocks_of_several_records() -> None:
    pair = Pair(small_link(blocks={"detections": 8000, "in_flight": 3}))
    records = [bb84_records(4000, seed=seed) for seed in range(4)]
    for _, bob in records:
        pair.sessions["bob"].submit(bob)
    pair.run()
    assert pair.sessions["alice"].blocks_in_flight == 2
    for alice, _ in records:
        pair.sessions["alice"].submit(alice)
        pair.run()
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob")
    assert sorted(pair.keys("alice")) == [0, 1]


def test_records_that_were_left_are_flushed_over_the_next_connection() -> None:
    pair = Pair(small_link())
    pair.submit(*bb84_records())
    for session in pair.sessions.values():
        session.connection_lost()
    pair.finish()
    for session in pair.sessions.values():
        session.connect()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_bounds_that_differ_by_rounding_give_the_shorter_key(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(small_link())
    pair.submit(*bb84_records())
    real = VerifiedKey.own_bound_bits.fget
    bob_allows_less = property(lambda verified: real(verified) - (0 if verified.peer_bound_bits else 3))
    monkeypatch.setattr(VerifiedKey, "own_bound_bits", bob_allows_less)
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    report = next(event.report for event in pair.events["alice"] if isinstance(event, KeyReady))
    assert report.secret is not None
    assert report.key_length_bits + report.authentication_bits == report.secret.bits - 3


def test_records_are_not_gathered_beyond_the_largest_block() -> None:
    pair = Pair(small_link(blocks={"detections": 10_000, "max_detections": 10_000}))
    for seed in range(3):
        pair.submit(*bb84_records(6000, seed=seed))
    pair.finish()
    pair.run()
    assert sorted(pair.keys("alice")) == [0, 1, 2]
    assert pair.keys("alice") == pair.keys("bob")


def test_without_authentication_key_the_records_stay() -> None:
    pair = Pair(small_link(blocks={"detections": 8000}), preshared=bytes(32))
    for seed in range(3):
        pair.submit(*bb84_records(seed=seed))
    pair.run()
    assert [event.reason for event in pair.aborts("bob")] == [AbortReason.KEY_POOL_EXHAUSTED]
    for pool in pair.pools.values():
        pool.refill(b"supplied by hand", bytes(range(96)))
    pair.reconnect()
    pair.finish()
    pair.run()
    assert len(pair.keys("alice")) == 3
    assert pair.keys("alice") == pair.keys("bob")


def test_new_authentication_key_is_used_over_the_same_connection() -> None:
    pair = Pair(small_link(blocks={"detections": 8000}), preshared=bytes(32))
    pair.submit(*bb84_records())
    pair.run()
    assert [event.reason for event in pair.aborts("bob")] == [AbortReason.KEY_POOL_EXHAUSTED]
    for pool in pair.pools.values():
        pool.refill(b"supplied by hand", bytes(range(96)))
    pair.finish()
    pair.run()
    assert len(pair.aborts("bob")) == 1
    assert pair.keys("alice") == pair.keys("bob") != {}


def test_a_block_given_up_by_bob_alone_ends_in_good_order(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(small_link())
    pair.submit(*bb84_records())
    real = VerifiedKey.own_bound_bits.fget
    answers = iter((10**6, 0))  # what Bob tells Alice, and what he then allows
    bob_changes_his_mind = property(lambda verified: real(verified) if verified.peer_bound_bits else next(answers))
    monkeypatch.setattr(VerifiedKey, "own_bound_bits", bob_changes_his_mind)
    pair.finish()
    pair.run()
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.LENGTH_REFUSED]
        assert pair.sessions[role].state is ConnectionState.CLOSED
        assert pair.keys(role) == {}


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"role": "eve"}, "role must be one of 'alice', 'bob'; found 'eve'"),
        ({"role": None}, "role must be one of"),
        ({"role": ["alice"]}, "role must be one of"),
        ({"link": None}, r"link must be a LinkConfig; found None. write link=LinkConfig\(...\)"),
        ({"link": {"protocol": {"kind": "bb84"}}}, "link must be a LinkConfig"),
        ({"auth_key": PRESHARED}, r"auth_key must be a KeyPool; found a bytes. Write auth_key=KeyPool\(preshared\)"),
        ({"auth_key": None}, "auth_key must be a KeyPool"),
        ({"random_source": 5}, "random_source must be a function"),
        ({"random_source": lambda count: b""}, "random_source must return as many bytes as it is asked, 16; found"),
        ({"random_source": lambda count: "x" * count}, "random_source must return as many bytes"),
        ({"random_source": lambda count: None}, "random_source must return as many bytes"),
        ({"save_pool": "pool.bin"}, "save_pool must be a function"),
    ],
    ids=steady_name,
)
def test_a_session_names_the_argument_that_is_wrong(fields: dict[str, object], match: str) -> None:
    right: dict[str, object] = {"role": "alice", "link": small_link(), "auth_key": KeyPool(PRESHARED)}
    with pytest.raises(ConfigurationError, match=match):
        Session(**right | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", ["text", None, 5, [1, 2], np.zeros(3), object()], ids=steady_name)
def test_what_is_no_bytes_was_not_sent_by_a_peer(data: object) -> None:
    session = Session(role="alice", link=small_link(), auth_key=KeyPool(PRESHARED))
    with pytest.raises(InputError, match="data must be bytes"):
        session.receive_data(data)  # type: ignore[arg-type]
    assert session.state is ConnectionState.HANDSHAKE
