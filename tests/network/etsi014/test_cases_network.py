"""The cases with key managers as they are, their faults among them."""

from __future__ import annotations

from typing import Any

import pytest

from qkdpost.network.etsi014 import Request
from support.etsi014_cases import Call, read_cases, run_case
from support.etsi014_network import NetworkWorld, check_no_pad_twice

WITHOUT_TLS = [case for case in read_cases() if case.get("world", {}).get("needs") != "tls"]
RELAYED = [case for case in WITHOUT_TLS if case["id"] == "fault-10"]
ALONE = [
    case
    for case in WITHOUT_TLS
    if case not in RELAYED and (case.get("world", {}).get("needs") == "network" or "do" in case["steps"][0])
]
TOGETHER = [case for case in WITHOUT_TLS if case not in ALONE + RELAYED]
ENC = Call("SAE-A", "KME-A", "GET", "/api/v1/keys/SAE-B/enc_keys")


@pytest.fixture(scope="module")
def shared() -> NetworkWorld:
    return NetworkWorld()


@pytest.mark.parametrize("case", TOGETHER, ids=lambda case: case["id"])
def test_a_case(case: dict[str, Any], shared: NetworkWorld) -> None:
    run_case(case, shared)


@pytest.mark.parametrize("case", ALONE, ids=lambda case: case["id"])
def test_a_case_in_a_network_of_its_own(case: dict[str, Any]) -> None:
    run_case(case, NetworkWorld())


@pytest.mark.parametrize("case", RELAYED, ids=lambda case: case["id"])
def test_a_case_over_a_trusted_node(case: dict[str, Any]) -> None:
    run_case(case, NetworkWorld(relayed=True))


@pytest.mark.parametrize("restored", ["KME-A", "KME-B"])
def test_a_backup_put_back_after_frames_were_lost_uses_no_pad_twice(restored: str) -> None:
    """What was sent and never arrived is in neither store: only keeping ahead of it helps."""
    world = NetworkWorld()
    network = world.network
    for _ in range(3):
        assert world.send(ENC).status == 200  # type: ignore[union-attr]
    world.backup = {name: store.snapshot() for name, store in network.stores.items()}
    for _ in range(2):
        world.services["KME-A"].receive_request(0, Request(method="GET", target=ENC.path), "SAE-A", now_seconds=1000.0)
        network.commit("KME-A")
        network.disconnect("KME-A", "KME-B")  # with the frame under way
        network.cut.add(frozenset(("KME-A", "KME-B")))
        world._do_restore_backup({"at": restored})
        world._do_heal({})
        for _ in range(3):
            assert world.send(ENC).status == 200  # type: ignore[union-attr]
    check_no_pad_twice(network)
    assert len({key for _, key in world.released}) == len(world.released) >= 9
