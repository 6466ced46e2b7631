"""Records that the application submitted, which blocks claimed them, and which are spent."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from qkdpost.checks import whole_number
from qkdpost.errors import InputError, LocalProtocolError, RemoteProtocolError
from qkdpost.health import RecordHealth, summarise
from qkdpost.records import RawRecord
from qkdpost.security.single_photon.settings import MAX_FIRST_RECORDS, MAX_RECORDS_IN_BLOCK
from qkdpost.single_use import SingleUse

__all__ = ["MAX_LOOKAHEAD", "MAX_NUMBER", "RecordQueue"]

MAX_LOOKAHEAD = 2 * MAX_RECORDS_IN_BLOCK
"""How far ahead of the records submitted here a peer may claim; a bound counts the records of which a block is made."""
MAX_NUMBER = MAX_FIRST_RECORDS - 1
"""The bound of a single-photon source counts the numbers that a block may begin with."""


@dataclass(slots=True)
class RecordQueue(SingleUse):
    """Numbered records; a block claims a run of numbers, and each record is handed out once, to its block.

    A host may claim numbers whose records have not been submitted yet. A record is spent when a block has taken it.
    What a block claimed and did not take is dropped only if the block ended well, for then the claim was the peer's:
    the numbers below it belong to blocks that the peer has given up, or has no record for.
    """

    next_number: int = 0
    """The number that the next record gets."""
    first_usable: int = 0
    """Records below this number are spent."""
    finished: bool = False
    """Whether the application will submit no more."""
    _flushed_below: int = 0
    """Records below this number make a block however few detections they hold."""
    _records: dict[int, RawRecord] = field(default_factory=dict, repr=False)
    _healths: dict[int, RecordHealth] = field(default_factory=dict, repr=False)
    _claims: dict[int, int] = field(default_factory=dict)
    _submitted: WeakValueDictionary[int, RawRecord] = field(default_factory=WeakValueDictionary, repr=False)
    """Every record that was ever submitted, by its address, for as long as somebody holds it."""
    _next_run: tuple[tuple[int, int], tuple[int, int] | None] | None = None
    """What `next_run` was asked last and said, while it holds: each message of the peer asks."""

    @property
    def waiting(self) -> int:
        """How many records are held that no block has taken."""
        return len(self._records)

    def append(self, record: RawRecord, number: int | None) -> None:
        """Number a record and hold it, unless no block will want it.

        Raises:
            LocalProtocolError: the application said that it had finished.
            InputError: `number` is no whole number, or was used already; or the record was submitted before.
        """
        if self.finished:
            raise LocalProtocolError("records were submitted after finish(); start a new session for them")
        number = whole_number("number", self.next_number if number is None else number, most=MAX_NUMBER)
        if number < self.next_number:
            raise InputError(f"record number {number} was used already; the next is {self.next_number}")
        # By identity: no two measurements are the same object, while equal ones may well be two.
        if self._submitted.get(id(record)) is record:
            raise InputError(
                "this record was submitted to the session before: two blocks would make keys of the same bits. Submit "
                "each record once, also where its block ended without key"
            )
        self._submitted[id(record)] = record
        self.next_number = number + 1
        if number >= self.first_usable or self._is_claimed(number):
            self._records[number] = record
            self._healths[number] = summarise(record)
            self._next_run = None

    def skip(self, before: int) -> None:
        """Drop what is held below a number and not claimed; nothing below it comes any more."""
        self.next_number = max(self.next_number, before)
        self.drop_unclaimed(before)

    def drop_unclaimed(self, before: int) -> None:
        """Drop what is held below a number and belongs to no block in flight."""
        for number in [n for n in self._records if n < before and not self._is_claimed(n)]:
            self.take(number)

    def flush(self) -> None:
        """Let the records held by now make a block even if they are few."""
        self._flushed_below = self.next_number
        self._next_run = None

    def claim(self, first: int, count: int) -> None:
        """Give the numbers first ... first + count - 1 to a block.

        Raises:
            RemoteProtocolError: another block claims beyond `first`, the numbers lie too far ahead, or they are more
                than a block may have.
        """
        if count > MAX_RECORDS_IN_BLOCK:
            raise RemoteProtocolError(f"a block of {count} records; at most {MAX_RECORDS_IN_BLOCK} are allowed")
        if first < self._claimed_below():
            raise RemoteProtocolError(f"record {first} belongs to another block in flight")
        if first + count > self.next_number + MAX_LOOKAHEAD:
            raise RemoteProtocolError(
                f"the peer is {first + count - self.next_number} records ahead; at most {MAX_LOOKAHEAD} are "
                "allowed. If a host was started anew, number its records where the other stands"
            )
        self._claims[first] = first + count
        self._next_run = None

    def take(self, number: int) -> RawRecord | None:
        """Hand out a claimed record for good, or None if it has not been submitted yet."""
        self._next_run = None
        self._healths.pop(number, None)
        return self._records.pop(number, None)

    def drop(self, numbers: range) -> None:
        """Forget the records of these numbers, for good."""
        for number in numbers:
            self.take(number)

    def health(self, number: int) -> RecordHealth | None:
        """Return the counts of a record that is in and has not been handed out."""
        return self._healths.get(number)

    def can_come(self, number: int) -> bool:
        """Whether record `number` may still be submitted."""
        return not self.finished and number >= self.next_number

    def release(self, first: int, *, confirmed: bool) -> None:
        """End the claim that begins at `first`; a confirmed one spends all numbers up to its end."""
        end = self._claims.pop(first, first)
        self._next_run = None
        if confirmed:
            self.first_usable = max(self.first_usable, end)
            self.drop_unclaimed(end)

    def next_run(self, enough: int, most: int) -> tuple[int, int] | None:
        """Return first number and count of the oldest adjoining records that make a block, or None.

        They do if they hold `enough` detections, if one more record would bring them above `most`, if they are as many
        as a block may have, if a gap in the numbers follows, or if all are to be flushed.
        """
        asked = (enough, most)
        if self._next_run is None or self._next_run[0] != asked:
            self._next_run = asked, self._find_run(enough, most)
        return self._next_run[1]

    def _find_run(self, enough: int, most: int) -> tuple[int, int] | None:
        numbers = sorted(number for number in self._records if number >= self._claimed_below())
        total = 0
        for place, number in enumerate(numbers):
            more = self._records[number].events
            if place and (number != numbers[0] + place or total + more > most or place == MAX_RECORDS_IN_BLOCK):
                return numbers[0], place
            total += more
            if total >= enough:
                return numbers[0], place + 1
        if numbers and numbers[-1] < self._flushed_below:
            return numbers[0], len(numbers)
        return None

    def _claimed_below(self) -> int:
        return max(self._claims.values(), default=0)

    def _is_claimed(self, number: int) -> bool:
        return any(first <= number < end for first, end in self._claims.items())
