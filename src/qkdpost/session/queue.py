"""Records that the application submitted, which blocks claimed them, and which are spent."""

from __future__ import annotations

from dataclasses import dataclass, field

from qkdpost.errors import InputError, LocalProtocolError
from qkdpost.records import Detections, PreparedPulses, RawRecords, TimeTags

__all__ = ["RecordQueue"]


@dataclass(slots=True)
class RecordQueue:
    """Numbered records; a block claims a run of numbers, and each record is handed out once, to its block.

    A host may claim numbers whose records have not been submitted yet. Numbers that lie between the claims of two
    blocks are spent: the peer has no record that belongs to them.
    """

    next_batch: int = 0
    """The number that the next record gets."""
    first_unclaimed: int = 0
    """No block may claim a number below this."""
    finished: bool = False
    """Whether the application will submit no more."""
    _records: dict[int, RawRecords] = field(default_factory=dict, repr=False)
    _claims: dict[int, int] = field(default_factory=dict)

    def append(self, record: RawRecords, batch: int | None) -> None:
        """Number a record and hold it, unless no block will want it.

        Raises:
            LocalProtocolError: the application said that it had finished.
            InputError: `batch` is below a number that was used already.
        """
        if self.finished:
            raise LocalProtocolError("records were submitted after finish(); start a new session for them")
        number = self.next_batch if batch is None else batch
        if number < self.next_batch:
            raise InputError(f"batch {number} was used already; the next is {self.next_batch}")
        self.next_batch = number + 1
        if number >= self.first_unclaimed or self._is_claimed(number):
            self._records[number] = record

    def claim(self, first: int, count: int) -> None:
        """Give the numbers first ... first + count - 1 to a block, and drop what lies unclaimed below them."""
        for number in [number for number in self._records if self.first_unclaimed <= number < first]:
            del self._records[number]
        self._claims[first] = first + count
        self.first_unclaimed = first + count

    def take(self, batch: int) -> RawRecords | None:
        """Hand out a claimed record for good, or None if it has not been submitted yet."""
        return self._records.pop(batch, None)

    def can_come(self, batch: int) -> bool:
        """Whether record `batch` may still be submitted."""
        return not self.finished and batch >= self.next_batch

    def release(self, first: int) -> None:
        """End the claim that begins at `first`: what its block did not take is spent with it."""
        end = self._claims.pop(first, first)
        for number in [number for number in self._records if first <= number < end]:
            del self._records[number]

    def next_run(self, enough: int, flushed_below: int) -> tuple[int, int] | None:
        """Return first number and count of the oldest adjoining records that make a block, or None.

        They do if they hold `enough` detections, if a gap in the numbers follows, or if all are to be flushed.
        """
        numbers = sorted(number for number in self._records if number >= self.first_unclaimed)
        total = 0
        for place, number in enumerate(numbers):
            if number != numbers[0] + place:
                return numbers[0], place
            total += detections_in(self._records[number])
            if total >= enough:
                return numbers[0], place + 1
        if numbers and numbers[-1] < flushed_below:
            return numbers[0], len(numbers)
        return None

    def _is_claimed(self, number: int) -> bool:
        return any(first <= number < end for first, end in self._claims.items())


def detections_in(record: RawRecords) -> int:
    """Return how many detections a record holds; a record of prepared pulses holds none."""
    match record:
        case Detections():
            return int(record.slots.size)
        case TimeTags():
            return record.clicks
        case PreparedPulses():
            return 0
