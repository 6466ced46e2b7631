"""The cases straight into the service: no socket, and managers that have nothing behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from qkdpost.network.etsi014 import DeliveryLimits, Etsi014, Request
from qkdpost.network.policy import AccessPolicy
from support.etsi014_cases import ADDED, CORRECTIONS, Answer, Call, cases_path, read_cases, run_case
from support.fake_delivery import FakeNetwork

SITES = {"SAE-A": "KME-A", "SAE-B": "KME-B", "SAE-E": "KME-B", "SAE-C": "KME-C", "SAE-D": "KME-C"}
KEY_MANAGERS = ("KME-A", "KME-B", "KME-C")
ACCESS = AccessPolicy(groups=[["SAE-A", "SAE-B", "SAE-C", "SAE-E"], ["SAE-D", "SAE-C"]])
STOCK_BITS = 1_000_000
NEEDS = {"extensions", "parallel", "sites", "policy"}

CASES = [case for case in read_cases() if case.get("world", {}).get("needs") in {None, *NEEDS}]


class PureWorld:
    def __init__(self) -> None:
        pairs = [frozenset((a, b)) for a in KEY_MANAGERS for b in KEY_MANAGERS if a < b]
        self.network = FakeNetwork(SITES, dict.fromkeys(pairs, STOCK_BITS), ACCESS)
        self.managers = {name: self.network.manager(name) for name in KEY_MANAGERS}
        self.services = {name: Etsi014(manager, DeliveryLimits()) for name, manager in self.managers.items()}

    def send(self, call: Call) -> Answer | None:
        return self.send_at_once([call])[0]

    def send_at_once(self, calls: list[Call]) -> list[Answer | None]:
        service, manager = self.services[calls[0].at], self.managers[calls[0].at]
        for number, call in enumerate(calls):
            request = Request(method=call.method, target=call.path, body=call.body)
            service.receive_request(number, request, call.caller, now_seconds=0.0)
        manager.commit()
        service.receive_events(manager.events())
        answers: list[Answer | None] = [None] * len(calls)
        for number, response in service.responses():
            headers = {name.lower(): value for name, value in response.headers}
            answers[number] = Answer(response.status, headers, bytes(response.body))
        return answers

    def do(self, step: Mapping[str, Any]) -> None:
        assert step["do"] == "set_stock"
        self.network.stock[frozenset(step["pair"])] = step["bits"]

    def check(self, text: str) -> None:
        raise NotImplementedError(text)


def test_the_file_of_cases_is_here() -> None:
    if not cases_path().is_file():
        pytest.skip(f"no cases at {cases_path()}; set QKDPOST_CASES")
    assert len(read_cases()) == 66 + len(ADDED)
    assert set(CORRECTIONS) <= {case["id"] for case in read_cases()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_case(case: dict[str, Any]) -> None:
    run_case(case, PureWorld())
