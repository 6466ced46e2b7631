"""A block in flight: its stages one after another, each driven by what comes in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qkdpost.dialogue.messages import BlockMessage, Confirmation
from qkdpost.dialogue.program import RECEIVE, TURN, AllHeld, Facts, NeedRecord, Program, Wait
from qkdpost.errors import RemoteProtocolError
from qkdpost.single_use import SingleUse
from qkdpost.stages.block import Block
from qkdpost.stages.stage import Hears, Stage, heard_from

__all__ = ["BlockRun", "Host", "Traffic"]

_WAITS = frozenset({Wait, NeedRecord, AllHeld})
MESSAGE_OVERHEAD_BYTES = 256
"""About what a message takes in memory besides its content."""


@dataclass(frozen=True, slots=True)
class Host(SingleUse):
    """What a run may ask of its session."""

    send: Callable[[BlockMessage], bytes]
    fetch: Callable[[int], Any]
    all_held: Callable[[range], Any]
    stage_completed: Callable[[Block, str], None]
    all_is_sent: Callable[[], bool]


@dataclass(slots=True)
class Traffic:
    """What was said of a block."""

    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


@dataclass(slots=True)
class BlockRun(SingleUse):
    """Runs the stages of `block`; `done` once the last is complete, with its outcome."""

    block: Block
    stages: tuple[Stage, ...]
    host: Host
    max_inbox_bytes: int
    accumulated_epsilon: float
    """Of all blocks that were opened on the pool so far, this one among them."""
    facts: list[Facts] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)
    outcome: Any = field(default=None, repr=False)
    """Of the last stage that completed; the next takes it away."""
    completed: int = 0
    """How many stages are complete."""
    waits_for: Wait | NeedRecord | AllHeld | None = None
    """What the stage in work lacks, once `advance` has returned; `RECEIVE` is a message of the peer."""
    _inbox: deque[tuple[BlockMessage, int]] = field(default_factory=deque, repr=False)
    _inbox_bytes: int = 0
    _program: Program[Any] | None = field(default=None, repr=False)
    _hears: tuple[Hears, ...] = ()
    """What each stage hears."""
    _heard: tuple[Hears, ...] = ()
    """For each stage what it or a later one hears."""

    def __post_init__(self) -> None:
        self._hears = tuple(stage.hears(self.block.duty) for stage in self.stages)
        self._heard = heard_from(self.stages, self.block.duty)

    @property
    def done(self) -> bool:
        """Whether the last stage is complete."""
        return self.completed == len(self.stages)

    @property
    def completed_stages(self) -> list[str]:
        """The names of the stages that are complete."""
        return [stage.name for stage in self.stages[: self.completed]]

    def send(self, message: BlockMessage) -> None:
        """Say something of this block; the tags cover it, unless it is one."""
        frame = self.host.send(message)
        traffic = self.traffic
        traffic.messages_sent += 1
        traffic.bytes_sent += len(frame)
        if type(message) is not Confirmation:
            self.block.transcript.sent(frame)

    def note_received(self, message: BlockMessage, frame: bytes) -> None:
        """Count what the peer said of this block, and put it under the tags, unless it is one."""
        traffic = self.traffic
        traffic.messages_received += 1
        traffic.bytes_received += len(frame)
        if type(message) is not Confirmation:
            self.block.transcript.received(frame)

    def deliver(self, message: BlockMessage, frame: bytes) -> None:
        """Take a message of the peer and go on as far as it leads.

        Raises:
            RemoteProtocolError: no stage accepts it any more, or more is sent than this host agreed to hold.
            AbortBlock: the block ends without key.
        """
        self.note_received(message, frame)
        if self.waits_for is RECEIVE and type(message) in self._hears[self.completed]:
            self._go_on(message)  # as nearly always; nothing that came before is held then
        else:
            self._hold(message, len(frame) + MESSAGE_OVERHEAD_BYTES)
            if self.waits_for is not TURN:
                self.advance()

    def advance(self) -> None:
        """Go on until a message or a record is missing, or the last stage is complete."""
        ready, value = self._awaited()
        if ready and not self.done:
            self._go_on(value)

    def _go_on(self, value: Any) -> None:
        """Resume the stage with what it waited for, and begin the next when it is complete."""
        while self._drive(self._program or self._begin_stage(), value):
            self._complete_stage()
            if self.done:
                return
            value = None

    def _begin_stage(self) -> Program[Any]:
        """Move the outcome of the stage before into the program of the next: no other hand keeps it."""
        program = self.stages[self.completed].program(self.block.duty)
        self._program = begun = program(self.block, self.outcome)
        self.outcome = None
        return begun

    def _drive(self, program: Program[Any], value: Any) -> bool:
        """Do what a stage asks for, as long as that can be done; tell whether it is complete."""
        ready = True
        while ready:
            try:
                request: Any = program.send(value)
            except StopIteration as stop:  # of the stage alone: from elsewhere it is a fault, and no end of one
                self.outcome = stop.value
                return True
            value = None
            if request is TURN or (request is RECEIVE and not self._inbox):
                self.waits_for = request
                return False
            if type(request) in _WAITS:
                self.waits_for = request
                ready, value = self._awaited()
            elif isinstance(request, Facts):
                self.facts.append(request)
            else:
                self.send(request)
        return False

    def _awaited(self) -> tuple[bool, Any]:
        """Return whether what the stage waits for is there, and what it is resumed with."""
        waits_for = self.waits_for
        if waits_for is RECEIVE:
            return (True, self._next_held()) if self._inbox else (False, None)
        if waits_for is None or waits_for is TURN:
            return True, None
        if isinstance(waits_for, NeedRecord):
            record = self.host.fetch(waits_for.number)
            return record is not None, record
        if isinstance(waits_for, AllHeld):
            healths = self.host.all_held(waits_for.numbers)
            return healths is not None, healths
        # A peer that has gone on has heard what was said; and it may count on this side's having done so, too.
        return bool(self._inbox) or self.host.all_is_sent(), None

    def _hold(self, message: BlockMessage, size: int) -> None:
        """Keep a message that a later stage may hear, or this one later."""
        if type(message) not in self._heard[self.completed]:
            raise self._misplaced(message, "after")
        self._inbox_bytes += size
        if self._inbox_bytes > self.max_inbox_bytes:
            raise RemoteProtocolError(
                f"the peer sent {self._inbox_bytes} bytes ahead of its turn; at most {self.max_inbox_bytes}"
            )
        self._inbox.append((message, size))

    def _next_held(self) -> BlockMessage:
        message, size = self._inbox.popleft()
        self._inbox_bytes -= size
        if type(message) not in self._hears[self.completed]:
            raise self._misplaced(message, "in")
        return message

    def _misplaced(self, message: BlockMessage, where: str) -> RemoteProtocolError:
        name = self.stages[self.completed].name
        return RemoteProtocolError(f"{type(message).__name__} has no place {where} {name}")

    def _complete_stage(self) -> None:
        self._program = None
        self.waits_for = None
        name = self.stages[self.completed].name
        self.completed += 1
        self.host.stage_completed(self.block, name)
        if self.done and self._inbox:
            raise RemoteProtocolError("the peer went on after the block was confirmed")
