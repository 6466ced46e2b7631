"""A block in flight: its stages one after another, each driven by what comes in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from qkdpost.dialogue.messages import BlockMessage
from qkdpost.dialogue.program import AllHeld, NeedBatch, Program, Wait
from qkdpost.errors import RemoteProtocolError
from qkdpost.session.blocks.block import Block
from qkdpost.session.stages import PROGRAMS
from qkdpost.session.states import ACCEPTED, STILL_ACCEPTED, Stage
from qkdpost.single_use import SingleUse

__all__ = ["Flight", "Host"]

MESSAGE_OVERHEAD_BYTES = 256
"""About what a message takes in memory besides its content."""


@dataclass(frozen=True, slots=True)
class Host(SingleUse):
    """What a flight may ask of its session."""

    send: Callable[[Block, BlockMessage], None]
    fetch: Callable[[int], Any]
    all_held: Callable[[range], Any]
    stage_completed: Callable[[Block, Stage], None]
    all_is_sent: Callable[[], bool]


@dataclass(slots=True)
class Flight(SingleUse):
    """Runs the stages of `block`; `done` once the last is complete."""

    block: Block
    host: Host
    largest_inbox_bytes: int
    stage: Stage = Stage.SIFTING
    done: bool = False
    _inbox: deque[tuple[BlockMessage, int]] = field(default_factory=deque)
    _inbox_bytes: int = 0
    _waiting: Wait | NeedBatch | AllHeld | None = None
    _program: Program[None] | None = None

    def deliver(self, message: BlockMessage, size: int) -> None:
        """Take a message of the peer and go on as far as it leads.

        Raises:
            RemoteProtocolError: the stage does not accept it, or more is sent than this host agreed to hold.
            AbortBlock: the block ends without key.
        """
        if type(message) not in STILL_ACCEPTED[self.block.role, self.stage]:
            raise RemoteProtocolError(f"{type(message).__name__} has no place after {self.stage.name.lower()}")
        size += MESSAGE_OVERHEAD_BYTES
        self._inbox_bytes += size
        if self._inbox_bytes > self.largest_inbox_bytes:
            raise RemoteProtocolError(
                f"the peer sent {self._inbox_bytes} bytes ahead of its turn; at most {self.largest_inbox_bytes}"
            )
        self._inbox.append((message, size))
        self.advance()

    def advance(self) -> None:
        """Go on until a message or a record is missing, or the last stage is complete."""
        while not self.done:
            if self._program is None:
                self._program = PROGRAMS[self.block.role, self.stage](self.block)
            ready, value = self._awaited()
            if not ready:
                return
            try:
                request = self._program.send(value)
            except StopIteration:
                self._complete_stage()
                continue
            if isinstance(request, Wait | NeedBatch | AllHeld):
                self._waiting = request
            else:
                self._waiting = None
                self.host.send(self.block, request)

    def _awaited(self) -> tuple[bool, Any]:
        if self._waiting is None:
            return True, None
        if isinstance(self._waiting, NeedBatch):
            record = self.host.fetch(self._waiting.batch)
            return record is not None, record
        if isinstance(self._waiting, AllHeld):
            healths = self.host.all_held(self._waiting.numbers)
            return healths is not None, healths
        if self._waiting is Wait.PAUSE:
            return self.host.all_is_sent(), None
        if not self._inbox:
            return False, None
        message, size = self._inbox.popleft()
        self._inbox_bytes -= size
        if type(message) not in ACCEPTED[self.block.role, self.stage]:
            raise RemoteProtocolError(f"{type(message).__name__} has no place in {self.stage.name.lower()}")
        return True, message

    def _complete_stage(self) -> None:
        self._program = None
        self._waiting = None
        self.block.report.completed_stages.append(self.stage.name.lower())
        self.host.stage_completed(self.block, self.stage)
        if self.stage == Stage.CONFIRMATION:
            if self._inbox:
                raise RemoteProtocolError("the peer went on after the block was confirmed")
            self.done = True
        else:
            self.stage = Stage(self.stage + 1)
