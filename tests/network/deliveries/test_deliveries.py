from __future__ import annotations

from typing import Any

import pytest

from qkdpost.errors import (
    KeyNotFound,
    NotAuthorised,
    NotEnoughKey,
    PeerUnavailable,
    RemoteProtocolError,
    UnsupportedRequest,
)
from qkdpost.network.deliveries.description import read_extension, written_extension
from qkdpost.network.events import KeyExpired, KeysReleased, KeysVoided
from qkdpost.network.messages.fields import RefusalReason, VoidReason
from qkdpost.network.messages.framed import AssignAnswer, AssignedKeys, AssignKeys, KeysAnswer, VoidKeys
from qkdpost.network.names import key_id_bytes, key_id_text, split_key_ids
from qkdpost.network.policy import AccessPolicy, KeyRequirements, Lifetimes, Quota
from support.pretended_sites import PretendedNetwork, PretendedSite


def fetch(site: PretendedSite, caller: str, ids: list[str], master: str = "SAE-A") -> list[bytes]:
    names = [key_id_bytes("key_id", text) for text in ids]
    return [bytes(key.key) for key in site.deliveries.fetch(caller, master, names)]


def assigned(site: PretendedSite) -> list[str]:
    """Return the IDs of all keys that are assigned and not released."""
    batches = site.deliveries._assignments._batches.values()
    return [key_id_text(key_id) for batch in batches for key_id in split_key_ids(batch.key_ids)]


def released(network: PretendedNetwork, *slaves: str, **arguments: Any) -> tuple[list[str], list[bytes]]:
    network.a.ask(*slaves, **arguments)
    network.pump()
    keys = network.a.released()
    return [key.key_id for key in keys], [bytes(key.key) for key in keys]


# The way of a key.


def test_master_and_slave_get_equal_keys_and_each_once() -> None:
    network = PretendedNetwork()
    ids, keys = released(network, "SAE-B", number=3)
    assert len(set(keys)) == 3
    assert fetch(network.b, "SAE-B", ids[::-1]) == keys[::-1]
    with pytest.raises(KeyNotFound):
        fetch(network.b, "SAE-B", ids[:1])


def test_nothing_is_released_before_the_slaves_site_has_answered() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B")
    network.pump(only=("A", "B"))
    assert not network.a.released()
    network.pump()
    assert len(network.a.released()) == 1


def test_of_several_sites_all_must_hold_the_keys_and_all_hold_the_same() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B", "SAE-C", "SAE-E", "SAE-A2", number=2)
    network.pump(only=("A", "B"))
    network.pump(only=("B", "A"))
    assert not network.a.released()
    network.pump()
    keys = network.a.released()
    ids, values = [key.key_id for key in keys], [bytes(key.key) for key in keys]
    for site, slave in ((network.b, "SAE-B"), (network.b, "SAE-E"), (network.c, "SAE-C"), (network.a, "SAE-A2")):
        assert fetch(site, slave, ids) == values
    assert network.a.deliveries.held.waiting_keys == 0


def test_a_further_site_gets_the_key_under_the_pad_of_its_own_pool() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B", "SAE-C")
    ((first,), _), ((second,), pads) = network.a.sessions["B"].sent[0], network.a.sessions["C"].sent[0]
    assert first.requests[0].ciphertext is None
    assert second.requests[0].ciphertext is not None
    network.pump()
    key = bytes(network.a.released()[0].key)
    assert bytes(x ^ y for x, y in zip(second.requests[0].ciphertext, pads[0], strict=True)) == key


def test_a_request_larger_than_the_window_goes_in_several_frames_and_is_released_whole() -> None:
    network = PretendedNetwork()
    network.a.sessions["B"].window = 320
    network.a.ask("SAE-B", number=25)
    assert len(network.a.sessions["B"].sent) == 1
    network.pump()
    assert [len(event.keys) for event in network.a.reported if isinstance(event, KeysReleased)] == [25]


def ask_in_one_turn(site: PretendedSite, *requests: tuple[str, ...], **arguments: Any) -> None:
    for slaves in requests:
        site.deliveries.request(
            "SAE-A", slaves, arguments.get("number", 1), arguments.get("size_bytes", 32), KeyRequirements()
        )
    site.deliveries.go_on()


def test_requests_of_one_turn_share_a_frame_a_row_and_an_answer() -> None:
    network = PretendedNetwork()
    ask_in_one_turn(network.a, *[("SAE-B",)] * 20)
    ((messages, _),) = network.a.sessions["B"].sent
    assert [len(message.requests) for message in messages] == [20]
    network.a.deliveries.write()
    assert len(network.a.store.scan("assignments", b"", b"\xff" * 40, 100)) == 1
    network.pump(only=("A", "B"))
    assert [len(answer.answers) for answer in network.b.sessions["A"].queued] == [20]
    network.pump()
    keys = network.a.released()
    assert len({bytes(key.key) for key in keys}) == len(keys) == 20
    assert not network.a.store.scan("assignments", b"", b"\xff" * 40, 100)
    assert len(network.a.store.scan("deliveries", b"", b"\xff" * 40, 100)) == 1
    for key in keys:
        assert fetch(network.b, "SAE-B", [key.key_id]) == [bytes(key.key)]


def test_of_the_requests_of_one_turn_each_says_what_it_alone_rests_on() -> None:
    network = PretendedNetwork()
    ask_in_one_turn(network.a, ("SAE-B",), ("SAE-B", "SAE-C"), ("SAE-B",), ("SAE-C",))
    assert len(network.a.sessions["B"].sent) == len(network.a.sessions["C"].sent) == 1
    network.pump()
    epsilons = {
        event.ticket.number: event.keys[0].extension["qkdpost_epsilon"]
        for event in network.a.reported
        if isinstance(event, KeysReleased)
    }
    assert [round(1e10 * epsilons[number]) for number in (1, 2, 3, 4)] == [2, 4, 2, 2]


def test_a_request_that_cannot_be_described_takes_no_other_of_its_turn_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = PretendedNetwork()
    length = len(network.a.sessions["B"].provenance.to_bytes())
    monkeypatch.setattr("qkdpost.network.deliveries.released.MAX_VALUE_BYTES", length + 20)
    ask_in_one_turn(network.a, ("SAE-B",), ("SAE-B", "SAE-C"), ("SAE-C",))
    network.pump()
    assert [event.ticket.slaves for event in network.a.reported if isinstance(event, KeysReleased)] == [
        ("SAE-B",),
        ("SAE-C",),
    ]
    assert [type(error) for error in network.a.refusals()] == [UnsupportedRequest]


def test_of_the_requests_of_one_message_those_beyond_the_quota_are_refused() -> None:
    network = PretendedNetwork(quota=Quota(held_keys=3))
    ask_in_one_turn(network.a, ("SAE-B",), ("SAE-B", "SAE-E"), ("SAE-B",), ("SAE-B",), ("SAE-E",))
    network.pump()
    assert len(network.a.refusals()) == 1
    assert network.b.deliveries.held.waiting_keys == 5


def test_what_keys_rest_on_is_written_once_for_many_and_kept_as_long_as_they_are() -> None:
    network = PretendedNetwork(lifetimes=Lifetimes(key_seconds=100.0))
    puts: list[str] = []
    put = network.a.store.put
    network.a.deliveries._released._store = Watched(put, puts, network.a.store)  # type: ignore[assignment]
    for _ in range(5):
        network.a.ask("SAE-B")
        network.pump()
        network.wait(1.0)
    assert puts.count("rests_on") == 1
    network.wait(98.0)
    assert network.a.store.scan("rests_on", b"", b"\xff" * 40, 10), "the last key has not expired"


class Watched:
    """A store that notes the tables that are written to."""

    def __init__(self, put: Any, tables: list[str], store: Any) -> None:
        self._put, self._tables, self._store = put, tables, store

    def put(self, table: str, *row: Any, **options: Any) -> None:
        self._tables.append(table)
        self._put(table, *row, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.mark.parametrize("size_bytes", [8, 512, 8000])
def test_no_message_is_longer_than_a_frame(size_bytes: int) -> None:
    import msgspec

    network = PretendedNetwork()
    for peer in "BC":
        network.a.sessions[peer].window = network.a.sessions[peer].stock = 10**7
    network.a.ask("SAE-B", "SAE-C", "SAE-E", number=300, size_bytes=size_bytes)
    for peer in "BC":
        sent = network.a.sessions[peer].sent
        assert sent
        assert all(len(msgspec.msgpack.encode(message)) < 60_000 for messages, _ in sent for message in messages)


def test_what_is_said_of_a_key_reaches_both_ends() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B", "SAE-C", number=2)
    network.pump()
    master = network.a.released()
    slave = network.c.deliveries.fetch("SAE-C", "SAE-A", [key_id_bytes("id", key.key_id) for key in master])
    assert [key.extension for key in master] == [key.extension for key in slave]
    assert master[0].extension["qkdpost_kinds"] == ["bb84"]
    assert 4e-10 <= master[0].extension["qkdpost_epsilon"] <= 4.0001e-10


# What goes wrong.


def test_no_answer_until_the_deadline_refuses_and_voids() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B")
    network.pump(only=("A", "B"))
    ids = assigned(network.a)
    network.wait(2.1)
    assert isinstance(network.a.refusals()[0], PeerUnavailable)
    network.pump()
    assert not network.a.released(), "a late answer revives nothing"
    with pytest.raises(KeyNotFound):
        fetch(network.b, "SAE-B", ids)


def test_after_a_break_other_keys_are_assigned_while_there_is_time() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B", number=2)
    lost = {key_id_bytes("id", text) for text in assigned(network.a)}
    copies = network.a.sessions["B"].sent[0][1]
    network.break_between("A", "B")
    network.join("A", "B")
    network.pump()
    keys = network.a.released()
    assert len(keys) == 2
    assert not lost & {key_id_bytes("id", key.key_id) for key in keys}
    assert not any(bytes(key.key) in copy for copy in copies for key in keys)
    assert all(network.b.deliveries.held.has(key) for key in lost), "the lost ones are void before they come"


def test_an_assignment_after_its_void_is_refused() -> None:
    network = PretendedNetwork()
    key_id = bytes(16)
    session = network.b.sessions["A"]
    network.b.handlers[VoidKeys].received(session, VoidKeys((key_id,), VoidReason.DEADLINE, 60), ())
    message = AssignKeys((AssignedKeys(key_id, 8, "SAE-A", ("SAE-B",)),), 60)
    network.b.handlers[AssignKeys].received(session, message, (bytearray(b"live key"),))
    assert session.queued == [AssignAnswer((KeysAnswer(key_id, RefusalReason.KNOWN_IDENTIFIER),))]
    network.wait(70)
    network.b.handlers[AssignKeys].received(session, message, (bytearray(b"live key"),))
    assert session.queued[-1].answers[0].reason == RefusalReason.HELD, "it is forgotten when the void expires"


def test_one_refusal_voids_the_keys_at_all_other_sites() -> None:
    network = PretendedNetwork()
    network.c.handlers[AssignKeys]._access = AccessPolicy(groups=[["SAE-B", "SAE-C"]])  # type: ignore[attr-defined]
    network.a.ask("SAE-B", "SAE-C")
    ids = assigned(network.a)
    network.pump()
    assert isinstance(network.a.refusals()[0], NotAuthorised)
    assert not network.a.released()
    for site, slave in ((network.b, "SAE-B"), (network.c, "SAE-C")):
        with pytest.raises(KeyNotFound):
            fetch(site, slave, ids)


def test_a_restarted_master_voids_what_it_had_not_released() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B", number=2)
    network.pump(only=("A", "B"))
    ids = assigned(network.a)
    network.a.restart()
    network.join("A", "B")
    network.pump()
    assert not network.a.released()
    with pytest.raises(KeyNotFound):
        fetch(network.b, "SAE-B", ids)
    network.a.restart()
    assert not network.a.deliveries._orphans


def test_after_a_detected_restore_unreleased_keys_are_left_to_expire() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B")
    network.pump(only=("A", "B"))
    ids = assigned(network.a)
    network.a.restart()
    network.join("A", "B", was_restored=True)
    assert not network.a.sessions["B"].queued
    assert len(fetch(network.b, "SAE-B", ids)) == 1, "they may have been released since"
    assert not network.a.deliveries._orphans


def test_a_released_key_survives_a_restart_of_the_slaves_site() -> None:
    network = PretendedNetwork()
    ids, keys = released(network, "SAE-B", number=2)
    network.b.restart()
    assert network.b.deliveries.held.waiting_keys == 2
    assert fetch(network.b, "SAE-B", ids) == keys


def test_an_unreachable_site_is_said_at_once_and_nothing_is_spent() -> None:
    network = PretendedNetwork()
    network.break_between("A", "B")
    with pytest.raises(PeerUnavailable, match="B cannot be reached"):
        network.a.ask("SAE-B", "SAE-C")
    assert network.a.sessions["C"].stock == 100_000


def test_too_little_key_spends_nothing_and_open_requests_come_first() -> None:
    network = PretendedNetwork()
    network.a.sessions["B"].stock = 100
    with pytest.raises(NotEnoughKey, match="800 can be delivered"):
        network.a.ask("SAE-B", number=4)
    network.a.sessions["B"].window = 0
    network.a.ask("SAE-B", number=3)
    with pytest.raises(NotEnoughKey, match="32 can be delivered"):
        network.a.ask("SAE-B", number=1)


def test_a_request_without_room_in_the_window_is_refused_in_time() -> None:
    network = PretendedNetwork()
    network.a.sessions["B"].window = 0
    network.a.ask("SAE-B")
    network.wait(3.0)
    assert isinstance(network.a.refusals()[0], NotEnoughKey)


def test_keys_that_rest_on_more_than_can_be_told_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = PretendedNetwork()
    monkeypatch.setattr("qkdpost.network.deliveries.released.MAX_VALUE_BYTES", 20)
    network.a.ask("SAE-B")
    assert isinstance(network.a.refusals()[0], UnsupportedRequest)
    network.pump()
    assert not network.a.released()


# Who may fetch.


def test_a_key_of_others_is_refused_as_such_and_nothing_of_the_request_is_given() -> None:
    network = PretendedNetwork()
    ids, keys = released(network, "SAE-B", number=2)
    with pytest.raises(NotAuthorised):
        fetch(network.b, "SAE-E", ids[:1])
    for wrong in ([ids[0], "00000000-0000-4000-8000-000000000000"], [ids[0], ids[0]]):
        with pytest.raises(KeyNotFound):
            fetch(network.b, "SAE-B", wrong)
    with pytest.raises(KeyNotFound):
        fetch(network.b, "SAE-B", ids, master="SAE-C")
    assert fetch(network.b, "SAE-B", ids) == keys


def test_a_key_is_given_again_only_where_that_was_chosen_and_not_for_long() -> None:
    network = PretendedNetwork(lifetimes=Lifetimes(redelivery_seconds=10.0))
    ids, keys = released(network, "SAE-B", "SAE-E")
    assert fetch(network.b, "SAE-B", ids) == fetch(network.b, "SAE-B", ids) == keys
    assert network.b.deliveries.held.waiting_keys == 1
    network.wait(11.0)
    with pytest.raises(KeyNotFound):
        fetch(network.b, "SAE-B", ids)
    assert fetch(network.b, "SAE-E", ids) == keys


def test_pairs_that_may_not_share_and_unknown_names_are_told_apart() -> None:
    network = PretendedNetwork(access=AccessPolicy(groups=[["SAE-A", "SAE-B"]]))
    with pytest.raises(NotAuthorised):
        network.a.ask("SAE-C")
    with pytest.raises(NotAuthorised):
        network.a.ask("SAE-B", master="SAE-C")
    with pytest.raises(UnsupportedRequest):
        network.a.ask("SAE-X")


def test_a_peer_is_not_believed_about_applications() -> None:
    network = PretendedNetwork()
    session = network.b.sessions["A"]
    wrong = {
        ("SAE-C", ("SAE-B",)): RefusalReason.UNKNOWN_APPLICATION,
        ("SAE-A", ("SAE-C",)): RefusalReason.UNKNOWN_APPLICATION,
        ("SAE-X", ("SAE-B",)): RefusalReason.UNKNOWN_APPLICATION,
    }
    for (master, slaves), reason in wrong.items():
        message = AssignKeys((AssignedKeys(bytes(16), 8, master, slaves),), 60)
        network.b.handlers[AssignKeys].received(session, message, (bytearray(8),))
        assert session.queued[-1].answers[0].reason == reason
    with pytest.raises(RemoteProtocolError):
        message = AssignKeys((AssignedKeys(bytes(16), 8, "SAE-A", ("SAE-B\n",)),), 60)
        network.b.handlers[AssignKeys].received(session, message, (bytearray(8),))


def test_a_site_voids_its_own_keys_alone() -> None:
    network = PretendedNetwork()
    ids, keys = released(network, "SAE-B")
    void = VoidKeys((key_id_bytes("id", ids[0]),), VoidReason.DEADLINE, 60)
    network.b.handlers[VoidKeys].received(network.b.sessions["C"], void, ())
    assert fetch(network.b, "SAE-B", ids) == keys


# Quotas, expiry, one site, demands.


def test_so_many_keys_may_wait_for_a_pair_and_no_more() -> None:
    network = PretendedNetwork(quota=Quota(held_keys=3))
    ids, _ = released(network, "SAE-B", number=3)
    network.a.ask("SAE-B")
    network.pump()
    assert isinstance(network.a.refusals()[0], NotEnoughKey)
    fetch(network.b, "SAE-B", ids[:1])
    network.a.ask("SAE-B")
    network.pump()
    assert len(network.a.released()) == 4


def test_a_bucket_of_tokens_fills_with_time() -> None:
    network = PretendedNetwork(quota=Quota(keys_per_second=1.0, burst_keys=2))
    network.a.ask("SAE-B", number=2)
    with pytest.raises(NotEnoughKey, match="more than 1 keys a second"):
        network.a.ask("SAE-B")
    network.wait(1.0)
    network.a.ask("SAE-B")


def test_what_nobody_fetches_expires_a_tenth_later_than_the_master_thinks() -> None:
    network = PretendedNetwork(lifetimes=Lifetimes(key_seconds=100.0))
    ids, _ = released(network, "SAE-B", "SAE-E")
    fetch(network.b, "SAE-E", ids)
    network.wait(105.0)
    assert network.b.deliveries.held.waiting_keys == 1
    network.wait(6.0)
    (event,) = [event for event in network.b.reported if isinstance(event, KeyExpired)]
    assert (event.slave, event.key_ids) == ("SAE-B", tuple(ids))
    with pytest.raises(KeyNotFound):
        fetch(network.b, "SAE-B", ids)
    assert not network.b.store.scan("held", b"", b"\xff" * 17, 10)
    assert not network.a.store.scan("deliveries", b"", b"\xff" * 40, 10)
    network.a.commit()
    assert not network.a.store.scan("rests_on", b"", b"\xff" * 40, 10)


def test_memory_is_for_the_keys_that_are_there() -> None:
    network = PretendedNetwork(lifetimes=Lifetimes(record_seconds=0.0), quota=Quota(burst_keys=10**6))
    for _ in range(60):
        network.a.sessions["B"].stock = 10**6
        before = len(network.a.released())
        network.a.ask("SAE-B", number=100)
        network.pump()
        fetch(network.b, "SAE-B", [key.key_id for key in network.a.released()[before:]])
    held = network.b.deliveries.held
    assert not held._times
    assert len(held._expiries) < 1500


def test_two_applications_of_one_site_share_no_key_unless_the_policy_says_so() -> None:
    with pytest.raises(UnsupportedRequest, match="one site"):
        PretendedNetwork().a.ask("SAE-A2")
    network = PretendedNetwork(local_keys="operating-system")
    ids, keys = released(network, "SAE-A2")
    assert fetch(network.a, "SAE-A2", ids) == keys
    assert network.a.released()[0].extension["qkdpost_kinds"] == ["local"]


@pytest.mark.parametrize(
    ("demand", "is_met"),
    [
        ({"route_type": "direct"}, True),
        ({"route_type": "indirect"}, False),
        ({"max_epsilon": 3e-10}, True),
        ({"max_epsilon": 1e-10}, False),
        ({"max_age_seconds": 101.0}, True),
        ({"max_age_seconds": 99.0}, False),
        ({"disjoint_paths": 2}, True),
    ],
)
def test_demands_are_met_or_refused_before_anything_is_spent(demand: dict[str, Any], is_met: bool) -> None:
    network = PretendedNetwork()
    if is_met:
        network.a.ask("SAE-B", **demand)
        return
    with pytest.raises(UnsupportedRequest, match="options could be met"):
        network.a.ask("SAE-B", **demand)
    assert network.a.sessions["B"].stock == 100_000


# Revoking.


def test_a_revoked_block_takes_back_every_key_that_rests_on_it() -> None:
    network = PretendedNetwork()
    block = network.a.sessions["B"].provenance.blocks[0].identifier
    ids, _ = released(network, "SAE-B", "SAE-C", "SAE-A2", number=2)
    network.a.ask("SAE-C")
    network.pump()
    others = [key.key_id for key in network.a.released()[2:]]
    other_keys = [bytes(key.key) for key in network.a.released()[2:]]
    network.a.ask("SAE-B")
    fetch(network.b, "SAE-B", ids[:1])
    assert network.a.deliveries.revoke(block) == 2
    assert isinstance(network.a.refusals()[0], NotEnoughKey), "keys under way are refused"
    network.pump()
    for site, slave in ((network.b, "SAE-B"), (network.c, "SAE-C"), (network.a, "SAE-A2")):
        with pytest.raises(KeyNotFound):
            fetch(site, slave, ids[1:])
    assert fetch(network.c, "SAE-C", others) == other_keys
    voided = [event for event in network.b.reported if isinstance(event, KeysVoided)]
    assert any(event.delivered for event in voided)


# Secrets.


def test_keys_are_in_no_representation_and_zeroed_when_void() -> None:
    network = PretendedNetwork()
    network.a.ask("SAE-B")
    (batch,) = set(network.a.deliveries._assignments._batches.values())
    value = batch.values
    shown = [repr(batch), str(bytes(value))]
    assert shown[1] not in shown[0]
    network.wait(3.0)
    assert value == bytes(32)
    _, keys = released(network, "SAE-C")
    for thing in (network.a.released()[0], *network.a.reported, network.a.deliveries, network.c.deliveries.held):
        assert keys[0].hex() not in repr(thing)
        assert repr(keys[0])[2:-1] not in repr(thing)


def test_keys_that_are_void_again_and_again_before_they_came_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qkdpost.network.deliveries.held._MOST_TOMBSTONES", 4)
    network = PretendedNetwork()
    for number in range(40):
        message = VoidKeys((number.to_bytes(16, "big"),), VoidReason.DEADLINE, 60)
        for _ in range(3):
            network.b.handlers[VoidKeys].received(network.b.sessions["A"], message, ())
    assert len(network.b.store.scan("held", b"", b"\xff" * 17, 100)) == 4
    network.wait(100)
    network.b.handlers[VoidKeys].received(network.b.sessions["A"], message, ())
    assert len(network.b.store.scan("held", b"", b"\xff" * 17, 100)) == 1


def test_what_nodes_say_of_kinds_fits_into_a_message_whatever_it_is() -> None:
    extension = {"qkdpost_trusted_nodes": ["n" * 64] * 100, "qkdpost_kinds": ["k" * 64] * 300, "qkdpost_epsilon": 1e-9}
    content = written_extension(extension)
    assert len(content) < 200
    assert read_extension(content)["qkdpost_kinds"] == ["300 kinds, too many to name"]


def test_of_what_another_site_says_of_a_key_only_plain_values_go_on() -> None:
    content = b'{"qkdpost_a":1,"qkdpost_b":["x"],"qkdpost_c":[[1]],"qkdpost_d":{"e":1},"qkdpost_f":null,"other":1}'
    assert read_extension(content) == {"qkdpost_a": 1, "qkdpost_b": ["x"]}
