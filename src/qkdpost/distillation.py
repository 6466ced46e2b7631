"""Both halves in one process, for a notebook: two real sessions that talk byte for byte."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, cast

from qkdpost.bits import Bits, concatenate
from qkdpost.checks import described, instance, listed, real_number
from qkdpost.config import LinkConfig
from qkdpost.display import html_table
from qkdpost.errors import InputError, QkdpostError
from qkdpost.keys import KeyPool
from qkdpost.progress import Progress, telling
from qkdpost.protocols.table import protocol_of
from qkdpost.records import RawRecord
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.blocks.totals import Totals
from qkdpost.session.events import BlockAborted, Event, KeyReady, StageCompleted
from qkdpost.session.line import ROLES, Role
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from qkdpost.threads import Crew

__all__ = ["Distillation", "distill"]

POOL_BYTES = 2**16
"""Enough authentication key for a thousand blocks even if none of them gives key back."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Distillation:
    """What two hosts made of their records.

    Args:
        key: the keys of all blocks one after another; empty where no block left key. Secret.
        reports: Alice's report of every block, in the order in which they ended. Why a block has no key is said in the
            words of the side that gave it up.
        peer_reports: Bob's.
        repetition_rate_hz: how many pulses there were in a second, if it was given.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=400_000, rng=1)
    >>> result = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()))
    >>> len(result.key) == result.report.key_length_bits > 0
    True
    """

    key: Bits
    reports: tuple[BlockReport, ...]
    peer_reports: tuple[BlockReport, ...]
    repetition_rate_hz: float | None = None

    @property
    def report(self) -> BlockReport:
        """Alice's report of the first block: the only one, where one record was given."""
        return self.reports[0]

    @property
    def totals(self) -> Totals:
        """Alice's counts of all blocks together, with secret bits per pulse, and per second where that is known."""
        return Totals.of(self.reports, repetition_rate_hz=self.repetition_rate_hz)

    def to_dict(self) -> dict[str, Any]:
        """Return the totals and every report as values that JSON knows; the key is not among them."""
        return {
            "totals": self.totals.to_dict(),
            "reports": [report.to_dict() for report in self.reports],
            "peer_reports": [report.to_dict() for report in self.peer_reports],
        }

    def __repr__(self) -> str:
        return f"Distillation(key_bits={len(self.key)}, blocks={len(self.reports)})"

    def __str__(self) -> str:
        return "\n\n".join(map(str, (*self.reports, *([self.totals] if len(self.reports) != 1 else []))))

    def _repr_html_(self) -> str:
        return html_table("Distillation", self.totals.rows(), more=str(self))


def distill(
    alice: RawRecord | Sequence[RawRecord],
    bob: RawRecord | Sequence[RawRecord],
    link: LinkConfig,
    *,
    on_event: Callable[[Event], None] | None = None,
    progress: bool | Progress = False,
    random_source: Callable[[int], bytes] = secrets.token_bytes,
    repetition_rate_hz: float | None = None,
    executor: Executor | None = None,
) -> Distillation:
    """Turn the raw records of both sides into a key.

    The same records give another key each time, and one of a slightly other length: which bits are compared, and the
    hash, are drawn anew. `random_source=np.random.default_rng(1).bytes` makes it repeatable, for tests; keys that serve
    need the operating system's generator.

    Args:
        alice: her record, or several in order; of the type that the kind of link calls for. Secret.
        bob: his, as many.
        link: the configuration.
        on_event: called with every event of Alice's session as it happens.
        progress: True to draw stages and blocks as they are done, or a function that is told, as `Progress`: what is
            done is a number of stages, of all blocks together.
        random_source: returns as many truly random bytes as it is asked for; the operating system's generator by
            default. As of a `Session`, it does not serve what is drawn for records: double and cross clicks, and places
            within ticks.
        repetition_rate_hz: how many pulses there were in a second, for `totals.bits_per_second`; time tags know their
            duration themselves.
        executor: of both sessions, as of a `Session`: in whose threads kernels work too. Without a `random_source` of
            your own both halves work at once then; one of your own is asked in this thread alone, in an order that
            does not change.

    Returns:
        The key and a report of each block. A block that ended without key says why in its report.

    Raises:
        InputError: the records are of the wrong type, or not as many on both sides; no link; no functions.
        ConfigurationError: no executor of threads.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=400_000, rng=1)
    >>> result = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()))
    >>> len(result.key) > 10_000
    True
    """
    instance("link", link, LinkConfig, hint="distill takes a LinkConfig, as qp.LinkConfig(protocol=qp.BB84())")
    if not callable(random_source) or not (on_event is None or callable(on_event)):
        raise InputError("random_source and on_event must be functions: of a number of bytes, and of an event")
    if repetition_rate_hz is not None:
        repetition_rate_hz = real_number("repetition_rate_hz", repetition_rate_hz, above=0.0)
    records = _as_list("alice", link, alice), _as_list("bob", link, bob)
    if len(records[0]) != len(records[1]) or not records[0]:
        raise InputError(f"both sides give as many records; found {len(records[0])} and {len(records[1])}")
    # A source of the caller's own is asked in this thread alone, in an order that nothing else changes.
    crew = Crew(executor if random_source is secrets.token_bytes else None)
    own_threads = executor if crew.alone else crew
    line: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
    halves = [
        _Half(
            Session(role=role, link=link, auth_key=pool, random_source=random_source, executor=own_threads), own, *ends
        )
        for role, pool, own, ends in zip(ROLES, _pools_of_one_key(), records, (line, line[::-1]), strict=True)
    ]
    with telling(progress) as tell:
        stages = _Stages(tell, on_event)
        crew.work(halves, lambda: stages.count(halves[0].events))
    if any(half.session.state is not ConnectionState.CLOSED for half in halves):
        raise QkdpostError("both sessions wait for each other; this is a defect of the library, please report it")
    return replace(_combine(halves[0].events, halves[1].events), repetition_rate_hz=repetition_rate_hz)


class _Half:
    """A session, what has arrived for it, and what it has told."""

    def __init__(self, session: Session, records: list[RawRecord], arrived: deque[bytes], said: deque[bytes]) -> None:
        self.session = session
        self.events: list[Event] = []
        self._arrived = arrived
        self._said = said
        self._says_more = True
        self._records: list[RawRecord] | None = records

    def ready(self) -> bool:
        """Return whether something has arrived, or more may be said."""
        return self._says_more or bool(self._arrived)

    def step(self) -> bool:
        """Hear what arrived first, and say what follows from it: the other half waits for no more than that.

        Returns:
            Whether there are new events.
        """
        if self._records is not None:
            self._submit(self._records)
        elif self._arrived:
            self.session.receive_data(self._arrived.popleft())
        said = self.session.data_to_send()
        told = len(self.events)
        self.events.extend(self.session.events())
        self._says_more = bool(said)
        if said:
            self._said.append(said)
        return len(self.events) > told

    def _submit(self, records: list[RawRecord]) -> None:
        """Hand over all records: as the first step, so that both halves look at theirs at once."""
        for record in records:
            self.session.submit(record)
        self.session.finish()
        self._records = None


class _Stages:
    """Tells of each event of Alice's, and counts the stages that are done."""

    def __init__(self, tell: Progress, on_event: Callable[[Event], None] | None) -> None:
        self._tell = tell
        self._on_event = on_event
        self._done = 0
        self._told = 0

    def count(self, events: list[Event]) -> None:
        """Take what is new of the events."""
        while self._told < len(events):
            self._told += 1
            self._count(events[self._told - 1])

    def _count(self, event: Event) -> None:
        if isinstance(event, StageCompleted):
            self._done += 1
            self._tell(f"block {event.block}, {event.stage}; stages done", self._done, None)
        elif isinstance(event, KeyReady | BlockAborted):
            ended = "has its key" if isinstance(event, KeyReady) else "ended without key"
            self._tell(f"block {event.block} {ended}; stages done", self._done, None)
        if self._on_event is not None:
            self._on_event(event)


def _pools_of_one_key() -> tuple[KeyPool, KeyPool]:
    preshared = secrets.token_bytes(POOL_BYTES)
    return KeyPool(preshared), KeyPool(preshared)


def _as_list(side: Role, link: LinkConfig, records: RawRecord | Sequence[RawRecord]) -> list[RawRecord]:
    wanted = protocol_of(link.protocol).record_type(side).__name__
    entries = [records] if _is_record(records) else listed(f"the records of {side}", records, wanted)
    for record in entries:
        if not _is_record(record):
            raise InputError(f"the records of {side} must be of {wanted}; found {described(record)}")
    return cast("list[RawRecord]", entries)


def _is_record(value: object) -> bool:
    return hasattr(value, "events") and hasattr(value, "check_for")


def _combine(alice: list[Event], bob: list[Event]) -> Distillation:
    keys = {event.block: event.key.bits for event in alice if isinstance(event, KeyReady)}
    other = {event.block: event.key.bits for event in bob if isinstance(event, KeyReady)}
    if keys.keys() != other.keys() or any(keys[block] != other[block] for block in keys):
        raise QkdpostError("the two sides released different keys; this is a defect of the library, please report it")
    reports, peer_reports = _reports(alice), _reports(bob)
    knowing = {report.block: report for report in (*reports, *peer_reports) if report.aborted_by == report.role}
    return Distillation(
        key=concatenate(keys[block] for block in sorted(keys)),
        reports=tuple(_with_details(report, knowing) for report in reports),
        peer_reports=tuple(_with_details(report, knowing) for report in peer_reports),
    )


def _with_details(report: BlockReport, knowing: dict[int, BlockReport]) -> BlockReport:
    """Let either side's report say why a block ended: between two hosts the one that gave it up alone knows."""
    known = knowing.get(report.block)
    if known is None or not report.aborted_by == known.role != report.role:
        return report
    return replace(report, abort_detail=f"{known.role} gave the block up: {known.abort_detail}")


def _reports(events: list[Event]) -> tuple[BlockReport, ...]:
    return tuple(event.report for event in events if isinstance(event, KeyReady | BlockAborted))
