"""The queue of records: numbers, claims, runs, and that no record is handed out twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from qkdpost.errors import InputError, LocalProtocolError, RemoteProtocolError
from qkdpost.records import Detections
from qkdpost.security.single_photon.settings import MAX_FIRST_RECORDS, MAX_RECORDS_IN_BLOCK
from qkdpost.session.record_queue import MAX_LOOKAHEAD, RecordQueue


def record(detections: int = 10) -> Detections:
    zeros = np.zeros(detections, dtype=np.uint8)
    return Detections(pulses=detections, slots=np.arange(detections), bases=zeros, outcomes=zeros)


def queue_of(*detections: int) -> RecordQueue:
    queue = RecordQueue()
    for count in detections:
        queue.append(record(count), None)
    return queue


def test_numbers_go_on_by_one_or_as_the_application_counts() -> None:
    queue = queue_of(1, 1)
    queue.append(record(), 7)
    queue.append(record(), None)
    assert queue.next_number == 9
    assert queue.waiting == 4
    with pytest.raises(InputError, match="used already; the next is 9"):
        queue.append(record(), 8)
    assert queue.waiting == 4


@pytest.mark.parametrize("number", [-1, 1.0, True, "1", MAX_FIRST_RECORDS])
def test_what_is_no_number_of_a_record_is_refused(number: object) -> None:
    with pytest.raises(InputError, match="number"):
        RecordQueue().append(record(), number)  # type: ignore[arg-type]


def test_the_same_record_is_refused_and_an_equal_one_taken() -> None:
    queue, first = RecordQueue(), record()
    queue.append(first, None)
    with pytest.raises(InputError, match="submitted to the session before"):
        queue.append(first, None)
    assert queue.take(0) is first
    with pytest.raises(InputError, match="submitted to the session before"):
        queue.append(first, None)
    queue.append(record(), None)
    assert queue.next_number == 2


def test_nothing_comes_after_the_end() -> None:
    queue = queue_of(1)
    assert queue.can_come(1) and not queue.can_come(0)
    queue.finished = True
    assert not queue.can_come(1)
    with pytest.raises(LocalProtocolError, match="finish"):
        queue.append(record(), None)


def test_a_record_is_handed_out_once_with_its_counts() -> None:
    queue = queue_of(3, 5)
    health = queue.health(1)
    assert health is not None
    taken = queue.take(1)
    assert taken is not None and taken.events == 5
    assert queue.take(1) is None and queue.health(1) is None
    assert queue.waiting == 1
    assert queue.health(2) is None and queue.take(2) is None


def test_dropped_records_are_gone() -> None:
    queue = queue_of(1, 1, 1)
    queue.drop(range(0, 2))
    assert [queue.take(number) is None for number in range(3)] == [True, True, False]


# Runs: which records make the next block.


def test_a_run_ends_with_enough_detections() -> None:
    assert queue_of(4, 4, 4).next_run(8, 100) == (0, 2)
    assert queue_of(4, 4, 4).next_run(13, 100) is None
    assert queue_of(20, 4).next_run(13, 100) == (0, 1)


def test_after_every_change_a_run_is_sought_anew() -> None:
    queue = queue_of(5)
    changes: list[Callable[[], object]] = [
        lambda: queue.append(record(4), None),
        queue.flush,
        lambda: queue.claim(0, 2),
        lambda: queue.append(record(20), 3),
        lambda: queue.release(0, confirmed=False),
        lambda: queue.take(0),
        lambda: queue.drop(range(1, 2)),
        lambda: queue.claim(3, 1),
        lambda: queue.append(record(20), None),
        lambda: queue.release(3, confirmed=True),
        lambda: queue.skip(5),
    ]
    found = [queue.next_run(10, 100)]
    for change in changes:
        change()
        found.append(queue.next_run(10, 100))
        queue.next_run(11, 100)  # which is another question, so that what was remembered is forgotten
        assert queue.next_run(10, 100) == found[-1]
    runs = [None, None, (0, 2), None, (3, 1), (0, 2), (1, 1), (3, 1), None, (4, 1), (4, 1), None]
    assert found == runs


def test_a_run_ends_before_it_grows_too_large() -> None:
    assert queue_of(4, 4, 4).next_run(13, 11) == (0, 2)
    assert queue_of(50, 4).next_run(100, 11) == (0, 1), "one record may be as large as intake allowed"


def test_a_run_ends_at_a_gap_in_the_numbers() -> None:
    queue = queue_of(1, 1)
    queue.append(record(1), 5)
    assert queue.next_run(100, 1000) == (0, 2)
    queue.claim(0, 2)
    assert queue.next_run(100, 1000) is None
    queue.flush()
    assert queue.next_run(100, 1000) == (5, 1)


def test_a_run_has_no_more_records_than_a_block_may_have() -> None:
    queue = queue_of(*[0] * (MAX_RECORDS_IN_BLOCK + 1))
    assert queue.next_run(1, 1000) == (0, MAX_RECORDS_IN_BLOCK)


def test_flushed_records_are_a_run_and_later_ones_are_not() -> None:
    queue = queue_of(1, 1)
    queue.flush()
    assert queue.next_run(100, 1000) == (0, 2)
    queue.append(record(1), None)
    assert queue.next_run(100, 1000) is None
    assert RecordQueue().next_run(1, 1) is None


def test_claimed_records_are_in_no_other_run() -> None:
    queue = queue_of(4, 4, 4)
    queue.claim(0, 2)
    assert queue.next_run(4, 100) == (2, 1)


# Claims.


def test_claims_do_not_overlap_and_go_upwards() -> None:
    queue = queue_of(1)
    queue.claim(2, 3)
    for first in (0, 2, 4):
        with pytest.raises(RemoteProtocolError, match="another block in flight"):
            queue.claim(first, 1)
    queue.claim(5, 1)


def test_a_claim_may_run_ahead_within_limits() -> None:
    queue = queue_of(1)
    with pytest.raises(RemoteProtocolError, match="records ahead"):
        queue.claim(MAX_LOOKAHEAD + 1, 1)
    with pytest.raises(RemoteProtocolError, match="at most"):
        queue.claim(0, MAX_RECORDS_IN_BLOCK + 1)
    queue.claim(MAX_LOOKAHEAD, 1)


def test_a_confirmed_block_spends_all_numbers_below_its_end() -> None:
    queue = queue_of(1, 1, 1)
    queue.claim(1, 1)
    assert queue.take(1) is not None
    queue.release(1, confirmed=True)
    assert queue.first_usable == 2
    assert queue.waiting == 1, "record 0 was left behind by the peer"
    assert queue.take(2) is not None


def test_a_dead_block_leaves_what_it_did_not_take() -> None:
    queue = queue_of(1, 1)
    queue.claim(0, 2)
    assert queue.take(0) is not None
    queue.release(0, confirmed=False)
    assert queue.first_usable == 0
    queue.claim(1, 1)
    assert queue.take(1) is not None


def test_records_of_a_later_claim_outlive_the_end_of_an_earlier() -> None:
    queue = queue_of(1, 1)
    queue.claim(0, 1)
    queue.claim(1, 1)
    queue.release(1, confirmed=True)
    assert queue.take(0) is not None, "its block is still in flight"


def test_a_record_below_the_spent_ones_is_not_held_unless_claimed() -> None:
    queue = RecordQueue()
    queue.claim(0, 1)
    queue.claim(1, 2)
    queue.release(1, confirmed=True)
    queue.append(record(), 0)
    assert queue.waiting == 1, "its own block still waits for it"
    queue.append(record(), 2)
    assert queue.waiting == 1, "its number is spent"


def test_a_claim_that_is_unknown_is_released_without_harm() -> None:
    queue = queue_of(1)
    queue.release(0, confirmed=True)
    assert queue.take(0) is not None
