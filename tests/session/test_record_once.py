"""No round makes two keys: a record object is taken once by a session, whatever became of it."""

from __future__ import annotations

import copy
import gc
import weakref

import pytest

from qkdpost.errors import InputError
from qkdpost.records import RawRecord
from qkdpost.security.single_photon.settings import MAX_FIRST_RECORDS
from qkdpost.session.record_queue import RecordQueue
from support.link import Pair, bb84_records, small_link


def pair_of_small_blocks() -> Pair:
    return Pair(small_link(blocks={"detections": 1}))


def assert_refused(pair: Pair, records: tuple[RawRecord, RawRecord], number: int | None = None) -> None:
    for role, record in zip(("alice", "bob"), records, strict=True):
        waiting = pair.sessions[role].records_waiting
        with pytest.raises(InputError, match="submitted to the session before"):
            pair.sessions[role].submit(record, number=number)
        assert pair.sessions[role].records_waiting == waiting


def test_a_record_that_waits_is_refused_a_second_time() -> None:
    pair = pair_of_small_blocks()
    records = bb84_records()
    pair.submit(*records)
    assert_refused(pair, records)
    assert_refused(pair, records, number=7)


def test_a_record_that_made_a_key_makes_no_second_one() -> None:
    pair = pair_of_small_blocks()
    records = bb84_records()
    pair.submit(*records)
    pair.run()
    assert_refused(pair, records)
    pair.submit(*bb84_records(seed=8))
    pair.finish()
    pair.run()
    assert len(pair.keys("alice")) == len(pair.keys("bob")) == 2


def test_a_record_whose_block_died_is_refused_on_the_next_connection() -> None:
    pair = pair_of_small_blocks()
    records = bb84_records()
    pair.submit(*records)
    pair.step("alice", "bob")
    pair.step("bob", "alice")
    pair.reconnect()
    assert_refused(pair, records)


def test_a_record_that_was_refused_for_another_reason_may_come_again() -> None:
    pair = pair_of_small_blocks()
    alice, bob = bb84_records()
    for session, record in ((pair.sessions["alice"], alice), (pair.sessions["bob"], bob)):
        session.submit(copy.copy(record), number=3)
        with pytest.raises(InputError, match="used already"):
            session.submit(record, number=3)
        session.submit(record, number=4)


def test_equal_records_are_two_and_a_forgotten_one_is_no_other() -> None:
    """One after another, often at the same place in memory: a queue neither holds nor remembers what is gone."""
    queue, model = RecordQueue(), bb84_records(300)[1]
    for number in range(50):
        record = copy.copy(model)
        queue.append(record, None)
        assert queue.take(number) is record
        gone = weakref.ref(record)
        del record
        gc.collect()
        assert gone() is None


def test_no_record_has_a_number_that_the_bounds_do_not_reckon_with() -> None:
    record, _ = bb84_records()
    queue = RecordQueue()
    queue.append(record, MAX_FIRST_RECORDS - 1)
    for number in (None, MAX_FIRST_RECORDS):
        with pytest.raises(InputError, match=r"number must be an integer in 0 \.\.\. 2\^31 - 1; found 2147483648"):
            queue.append(copy.copy(record), number)
