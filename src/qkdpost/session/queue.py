"""Records that the application submitted and no block has used yet."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from qkdpost.errors import InputError, LocalProtocolError
from qkdpost.records import Detections, PreparedPulses, RawRecords, TimeTags

__all__ = ["RecordQueue"]


@dataclass(slots=True)
class RecordQueue:
    """Numbered records in order; each is handed out once, and numbers never go back."""

    next_batch: int = 0
    """The number that the next record gets."""
    first_usable: int = 0
    """Every record below this number is spent."""
    finished: bool = False
    """Whether the application will submit no more."""
    _records: deque[tuple[int, RawRecords]] = field(default_factory=deque, repr=False)

    def append(self, record: RawRecords, batch: int | None) -> None:
        """Number a record and hold it.

        Raises:
            LocalProtocolError: the application said that it had finished.
            InputError: `batch` is below a number that was used already.
        """
        if self.finished:
            raise LocalProtocolError("records were submitted after finish(); start a new session for them")
        number = self.next_batch if batch is None else batch
        if number < max(self.next_batch, self.first_usable):
            raise InputError(f"batch {number} was used already; the next is {max(self.next_batch, self.first_usable)}")
        self._records.append((number, record))
        self.next_batch = number + 1

    def take(self, batch: int) -> RawRecords | None:
        """Hand out record `batch` for good, or None if it has not been submitted yet; older ones are dropped."""
        self.skip_to(batch)
        if not self._records or self._records[0][0] != batch:
            return None
        record = self._records.popleft()[1]
        self.first_usable = batch + 1
        return record

    def skip_to(self, batch: int) -> None:
        """Drop every record below `batch`: the peer has none that belongs to it."""
        while self._records and self._records[0][0] < batch:
            self._records.popleft()
        self.first_usable = max(self.first_usable, batch)

    def can_come(self, batch: int) -> bool:
        """Whether record `batch` is here or may still be submitted."""
        if self._records:
            first, last = self._records[0][0], self._records[-1][0]
            if first <= batch <= last:
                return any(number == batch for number, _ in self._records)
        return not self.finished and batch >= self.next_batch

    def next_run(self, enough: int) -> tuple[int, int, bool] | None:
        """Return first number, count, and whether `enough` detections are reached, of the oldest adjoining records."""
        if not self._records:
            return None
        first = self._records[0][0]
        total = count = 0
        for number, record in self._records:
            if number != first + count:
                return first, count, True
            total += detections_in(record)
            count += 1
            if total >= enough:
                return first, count, True
        return first, count, False


def detections_in(record: RawRecords) -> int:
    """Return how many detections a record holds; a record of prepared pulses holds none."""
    match record:
        case Detections():
            return int(record.slots.size)
        case TimeTags():
            return record.clicks
        case PreparedPulses():
            return 0
