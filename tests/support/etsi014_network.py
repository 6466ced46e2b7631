"""The world of the cases with key managers as they are: pools, peers, relaying and stores, pumped in one thread."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qkdpost.errors import StoreUnavailable
from qkdpost.network.deliveries.records import decode_held
from qkdpost.network.etsi014 import DeliveryLimits, Etsi014, Request
from qkdpost.network.events import KeysReleased
from qkdpost.network.names import split_key_ids
from qkdpost.network.peer.codec import Incoming, header_of, is_frame
from qkdpost.network.policy import AccessPolicy, DeliveryPolicy
from qkdpost.network.relay.topology import Topology
from support.etsi014_cases import Answer, Call
from support.network import KIND, Network

SITES = {
    "KME-A": {"applications": ["SAE-A"]},
    "KME-B": {"applications": ["SAE-B", "SAE-E"]},
    "KME-C": {"applications": ["SAE-C", "SAE-D"]},
}
CHAIN = (("KME-A", "KME-B"), ("KME-B", "KME-C"))
TRIANGLE = (*CHAIN, ("KME-A", "KME-C"))
"""The pair of A and C, which the cases fill by relaying, has a link of its own here where relaying is not the point."""
POLICY = DeliveryPolicy(access=AccessPolicy(groups=[["SAE-A", "SAE-B", "SAE-C", "SAE-E"], ["SAE-D", "SAE-C"]]))
LINK_BYTES = 250_000
PATIENCE_SECONDS = 4.0
TICK_SECONDS = 0.25
ANSWERED = 250


def topology(links: tuple[tuple[str, str], ...]) -> Topology:
    plain = [{"between": list(link), "kind": KIND, "length_km": 10.0} for link in links]
    return Topology.from_mapping({"sites": SITES, "links": plain})


def built(link_bytes: int = LINK_BYTES, links: tuple[tuple[str, str], ...] = TRIANGLE) -> Network:
    network = Network(topology(links), policy=POLICY)
    for link in links:
        network.stock_link(*link, link_bytes if link == CHAIN[0] else LINK_BYTES)
    network.run()
    return network


def deliverable_bits(network: Network, slave: str = "SAE-B") -> int:
    return network.managers["KME-A"].stock(master="SAE-A", slave=slave).deliverable_bits


class NetworkWorld:
    """Key managers A, B and C; if `relayed`, A and C have no link, and their pool is filled before all else."""

    def __init__(self, *, relayed: bool = False) -> None:
        self.network = built(links=CHAIN if relayed else TRIANGLE)
        self.services = {name: self._service(name) for name in self.network.managers}
        self.seen = dict.fromkeys(self.services, 0)
        self.backup = {name: store.snapshot() for name, store in self.network.stores.items()}
        self.released: list[tuple[str, bytes]] = []
        self.to_kill = ""
        self.answers_to_lose = 0
        if relayed:
            self._fill_pair()

    def _service(self, name: str) -> Etsi014:
        return Etsi014(self.network.managers[name], DeliveryLimits())

    def _fill_pair(self) -> None:
        call = Call("SAE-A", "KME-A", "GET", "/api/v1/keys/SAE-C/enc_keys")
        for _ in range(40):
            answer = self.send(call)
            if answer is not None and answer.status == 200 and deliverable_bits(self.network, "SAE-C") > 1024:
                return
            self.network.wait(TICK_SECONDS)
        raise AssertionError("nothing was carried to KME-C")

    # Requests.

    def send(self, call: Call) -> Answer | None:
        return self.send_at_once([call])[0]

    def send_at_once(self, calls: list[Call]) -> list[Answer | None]:
        name = calls[0].at
        answers: list[Answer | None] = [None] * len(calls)
        for number, call in enumerate(calls):
            request = Request(method=call.method, target=call.path, body=call.body)
            now = self.network.now_seconds
            self.services[name].receive_request(number, request, call.caller, now_seconds=now)
        left = len(calls)
        for turn in range(ANSWERED):
            for number, answer in self._answers(name):
                answers[number] = answer
                left -= 1
            if not left or name not in self.network.managers:
                break
            moved = self._step()
            if not moved and turn % 3 == 2:
                self.network.wait(TICK_SECONDS, run=False)
                self.network.connect_all()
        return answers

    def _step(self) -> bool:
        if self.answers_to_lose and self.network.wires.get(("KME-B", "KME-A")) and self._is_assigned():
            self.answers_to_lose -= 1
            self.network.disconnect("KME-A", "KME-B")
        return self.network.step()

    def _is_assigned(self) -> bool:
        rows = self.network.stores["KME-B"].snapshot()
        return any("held" in table and rows[table] for table in rows)

    def _answers(self, name: str) -> list[tuple[int, Answer]]:
        events = self.network.events[name][self.seen[name] :]
        self.seen[name] += len(events)
        keys = [(key.key_id, bytes(key.key)) for e in events if isinstance(e, KeysReleased) for key in e.keys]
        self.released += keys
        if keys and self.to_kill == name:  # durable, and not yet answered
            self.to_kill = ""
            self.network.kill(name)
            return []
        self.services[name].receive_events(events)
        return [
            (number, Answer(response.status, {k.lower(): v for k, v in response.headers}, bytes(response.body)))
            for number, response in self.services[name].responses()
        ]

    # What else happens.

    def do(self, step: Mapping[str, Any]) -> None:
        getattr(self, f"_do_{step['do']}")(step)

    def _do_set_stock(self, step: Mapping[str, Any]) -> None:
        """Build the network anew with a link key of which just so many bits can be delivered."""
        least, most = 192, 20_000
        while least < most:
            middle = (least + most) // 2
            if deliverable_bits(built(middle)) < step["bits"]:
                least = middle + 1
            else:
                most = middle
        self.network = built(least)
        self.services = {name: self._service(name) for name in self.network.managers}
        self.seen = dict.fromkeys(self.services, 0)
        assert deliverable_bits(self.network) == step["bits"]

    def _do_restart(self, step: Mapping[str, Any]) -> None:
        name = step["at"]
        self.network.restart(name)
        self.services[name] = self._service(name)
        self.network.run()

    def _do_partition(self, step: Mapping[str, Any]) -> None:
        self.network.cut.add(frozenset(step["between"]))
        self.network.disconnect(*step["between"])

    def _do_heal(self, step: Mapping[str, Any]) -> None:
        self.network.cut.clear()
        self.network.run()

    def _do_lose(self, step: Mapping[str, Any]) -> None:
        self.answers_to_lose = step["times"]

    def _do_kill(self, step: Mapping[str, Any]) -> None:
        self.to_kill = step["at"]

    def _do_restore_backup(self, step: Mapping[str, Any]) -> None:
        name = step["at"]
        self.network.kill(name)
        self.network.stores[name].restore(self.backup[name])
        self.network.start(name)
        self.services[name] = self._service(name)
        self.network.run()

    def _do_fill_disk(self, step: Mapping[str, Any]) -> None:
        self.network.stores[step["at"]].lose_power_at(1, StoreUnavailable)

    def _do_free_disk(self, step: Mapping[str, Any]) -> None:
        for peer in self.network.stores:  # as a driver does after `StoreFailed`
            self.network.disconnect(step["at"], peer)
        self.network.run()

    def check(self, text: str) -> None:
        if text.startswith("k2 differs"):
            (first, one), (second, other) = self.released[-2:]
            assert first != second and one != other
        elif text.startswith("the bits of the unanswered key"):
            assert len({key for _, key in self.released}) == len(self.released)
        elif text.startswith("no store of KME-B"):
            rows = json.dumps(
                [value.hex() for table in self.network.stores["KME-B"].snapshot().values() for value in table.values()]
            )
            assert self.released[-1][1].hex() not in rows
        elif text.startswith("what KME-B holds"):
            self.network.wait(1.0)
            held = self.network.stores["KME-B"].snapshot()
            known = self.network.stores["KME-A"].snapshot()
            ids = {bytes.fromhex(key_id.replace("-", "")) for key_id, _ in self.released}
            requests = [keys for row in held.get("held", {}).values() for keys in decode_held(row).requests]
            assert not [keys for keys in requests if not ids.issuperset(split_key_ids(keys.key_ids))], (
                list(held),
                list(known),
            )
        else:
            raise NotImplementedError(text)


def check_no_pad_twice(network: Network) -> None:
    """Every byte of key that frames name was under one text alone, among all that ever left a manager."""
    texts: dict[tuple[bytes, int, int, int], bytes] = {}
    for _, _, data in network.sent:
        incoming = Incoming()
        incoming.add(data)
        while (whole := incoming.next()) is not None:
            if not is_frame(whole):
                continue
            header = header_of(whole)
            for stretch in header.ranges:
                for place in range(stretch.offset, stretch.offset + stretch.length):
                    text = texts.setdefault((header.pool, header.direction, stretch.segment, place), whole)
                    assert text == whole, "one pad under two texts"
    assert texts
