"""Kinds from outside that are odd, or that leave: no record is lost, no pad is spent, and nothing raw is raised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

import qkdpost as qp
from qkdpost.dialogue.program import Facts, Program
from qkdpost.errors import ConfigurationError, LocalProtocolError
from qkdpost.keys import KeyPool
from qkdpost.protocols import PROTOCOLS
from qkdpost.protocols.qubits import QubitSettings
from qkdpost.session.session import Session
from qkdpost.stages.block import Block
from qkdpost.stages.stage import Stage
from support.link import PRESHARED, Pair, bb84_records, small_link


class OddBB84(QubitSettings, frozen=True, kw_only=True, tag="odd-bb84"):
    """BB84 whose kind is about to be changed."""


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    PROTOCOLS["odd-bb84"] = replace(PROTOCOLS["bb84"], settings=OddBB84)
    yield
    PROTOCOLS.pop("odd-bb84", None)


def odd_link() -> qp.LinkConfig:
    return small_link(protocol=OddBB84(), security={"epsilon": 1e-6})


def ready_pair() -> Pair:
    pair = Pair(odd_link())
    pair.submit(*bb84_records(4000, qber=0.004))
    pair.finish()
    return pair


def test_a_session_works_on_with_the_kind_that_it_began_with() -> None:
    pair = Pair(odd_link())
    PROTOCOLS.pop("odd-bb84")
    pair.submit(*bb84_records(4000, qber=0.004))
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


@pytest.mark.parametrize("other", [None, "bb84"])
def test_no_session_begins_without_the_kind_of_its_link(other: str | None) -> None:
    link = odd_link()
    row = PROTOCOLS.pop("odd-bb84")
    if other is not None:
        PROTOCOLS["odd-bb84"] = PROTOCOLS[other]
    pool = KeyPool(PRESHARED)
    with pytest.raises(ConfigurationError, match=r"kind in PROTOCOLS.*OddBB84 of kind 'odd-bb84'"):
        Session(role="alice", link=link, auth_key=pool)
    with pytest.raises(ConfigurationError, match="kind in PROTOCOLS"):
        qp.distill(*bb84_records(400), link)
    PROTOCOLS["odd-bb84"] = row
    Session(role="alice", link=link, auth_key=pool)


@pytest.mark.parametrize("role", ["alice", "bob"])
def test_a_kind_that_fails_as_a_block_opens_keeps_no_record(role: Literal["alice", "bob"]) -> None:
    class Failing(QubitSettings, frozen=True, kw_only=True, tag="odd-bb84"):
        """Settings that raise for one role, once."""

        def stated_test_probability(self, asked: str) -> float:
            if asked == role and not failed:
                failed.append(asked)
                raise ZeroDivisionError("a defect of the kind")
            return 0.0

    failed: list[str] = []
    PROTOCOLS["odd-bb84"] = replace(PROTOCOLS["odd-bb84"], settings=Failing)
    pair = Pair(small_link(protocol=Failing(), security={"epsilon": 1e-6}))
    pair.submit(*bb84_records(4000, qber=0.004))
    pair.sessions["bob"].flush()
    with pytest.raises(ZeroDivisionError):
        pair.run()
    assert pair.sessions[role].blocks_in_flight == 0
    assert pair.sessions[role].records_waiting == 1
    pair.reconnect()
    pair.submit(*bb84_records(4000, qber=0.004, seed=8))
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert [session.records_waiting for session in pair.sessions.values()] == [0, 0]
    assert failed == [role]


def with_last(program: Any) -> None:
    last = Stage(name="last", reference=program, corrector=program)
    row = PROTOCOLS["odd-bb84"]
    PROTOCOLS["odd-bb84"] = replace(row, stages=(*row.stages, last))


def test_what_is_no_key_is_not_handed_out_as_one() -> None:
    def forgets(block: Block, key: Any) -> Program[None]:
        return None
        yield

    with_last(forgets)
    with pytest.raises(LocalProtocolError, match="what the last stage returns must be"):
        ready_pair().run()


@dataclass(frozen=True, slots=True, kw_only=True)
class Namesakes(Facts):
    """Facts under names that the report has for what the session says."""

    block: int = 17
    role: str = "eve"
    ledger: int = 3
    completed_stages: int = 5
    abort_reason: str = "none"
    other_facts: int = 7


def test_facts_never_take_the_place_of_what_the_session_says() -> None:
    def says(block: Block, key: Any) -> Program[Any]:
        yield Namesakes()
        return key

    with_last(says)
    pair = ready_pair()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}
    for role in ("alice", "bob"):
        (report,) = (event.report for event in pair.events[role] if hasattr(event, "key"))
        assert (report.block, report.role, report.abort_reason) == (0, role, None)
        assert report.ledger.charged_bits > 50
        assert report.completed_stages[-1] == "last"
        assert report.other_facts["role"] == "eve"
        assert report.to_dict()["other_facts"]["block"] == 17


@pytest.mark.parametrize(
    "hide", [lambda bits: bits, lambda bits: {"a": [(1, bits.to_bytes())]}, lambda bits: bits.words]
)
def test_no_bits_get_into_a_report(hide: Any) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Leaking(Facts):
        """What a careless stage says."""

        what: Any

    def says(block: Block, key: Any) -> Program[Any]:
        yield Leaking(what=hide(key.bits))
        return key

    with_last(says)
    pair = ready_pair()
    with pytest.raises(LocalProtocolError, match=r"Leaking.what must be public.*found an? \w"):
        pair.run()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"reference": "Bob"}, "reference must be one of 'alice', 'bob'"),
        ({"stages": ()}, "at least one"),
        ({"stages": PROTOCOLS["bb84"].stages * 2}, "a name of its own"),
    ],
)
def test_a_row_is_checked_when_it_is_made(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        replace(PROTOCOLS["bb84"], **change)
