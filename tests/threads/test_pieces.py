from __future__ import annotations

import contextlib
import itertools
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import qkdpost as qp
from qkdpost import sifting
from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation.in_process import BitMethod
from qkdpost.session.events import Event
from qkdpost.threads import in_pieces, pieces, sharing, threads_at_work, threads_of, together

SECONDS = 30


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadPoolExecutor]:
    monkeypatch.setattr(pieces, "_processors", lambda: 3)
    with ThreadPoolExecutor(2) as executor:
        yield executor


class Refuses(Executor):
    def submit(self, *arguments: object, **keywords: object) -> Future[None]:  # type: ignore[override]
        raise RuntimeError("cannot schedule new futures after shutdown")


def squares(size: int, least: int = 1) -> list[int]:
    found = np.full(size, -1, dtype=np.int64)

    def work(first: int, end: int) -> None:
        assert (found[first:end] == -1).all(), "a piece was done twice"
        found[first:end] = np.arange(first, end) ** 2

    in_pieces(work, size, least)
    return found.tolist()


@pytest.mark.parametrize("size", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("least", [0, 1, 3, 1000])
def test_pieces_make_up_the_whole(size: int, least: int, pool: ThreadPoolExecutor) -> None:
    expected = [number**2 for number in range(size)]
    assert squares(size, least) == expected
    with sharing(pool):
        assert squares(size, least) == expected


@pytest.mark.parametrize("threads", [1, 2, 16])
@pytest.mark.parametrize("least", [0, 1, 7, 10**6])
@pytest.mark.parametrize("size", [0, 1, 13, 14, 1000, 10**6])
def test_pieces_are_few_and_the_last_to_be_done_are_short(size: int, least: int, threads: int) -> None:
    cut = pieces._cut(size, least, threads)
    bounds = [0, *(end for _, end in cut)]
    assert cut == list(itertools.pairwise(bounds))
    sizes = [end - first for first, end in cut]
    assert sum(sizes) == size
    assert len(cut) <= 2 * threads * (1 + math.log(size + 1))
    if threads == 1 or size < 2 * max(least, 1):
        assert len(cut) == min(size, 1)
    else:
        assert max(least, 1) <= sizes[0] < 2 * max(least, 1)
        assert max(sizes) < max(2 * least, -(-size // (2 * threads)) + 1)


def test_without_an_executor_the_work_is_one_piece_in_this_thread() -> None:
    seen = []
    in_pieces(lambda first, end: seen.append((first, end, threading.get_ident())), 1000)
    assert seen == [(0, 1000, threading.get_ident())]
    assert threads_at_work() == 1


@pytest.mark.parametrize(("workers", "threads"), [(1, 2), (3, 4), (7, 8), (100, 8)])
def test_no_more_threads_are_reckoned_with_than_there_are(
    workers: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product that reckons with sixty-four, where there are five, is cut too small."""
    monkeypatch.setattr(pieces, "_processors", lambda: 8)
    with ThreadPoolExecutor(workers) as executor, sharing(executor):
        assert threads_at_work() == threads
    with sharing(Refuses()):
        assert threads_at_work() == 8


def test_pieces_run_at_once(pool: ThreadPoolExecutor) -> None:
    meeting = threading.Barrier(3)
    with sharing(pool):
        assert threads_at_work() == 3
        in_pieces(lambda first, end: meeting.wait(SECONDS) and None, 3)


def test_a_call_in_the_executors_only_thread_is_done(pool: ThreadPoolExecutor) -> None:
    with ThreadPoolExecutor(1) as single:

        def step() -> list[int]:
            with sharing(single):
                return squares(50)

        assert single.submit(step).result(SECONDS) == [number**2 for number in range(50)]


def test_pieces_are_not_split_again(pool: ThreadPoolExecutor) -> None:
    """In the threads of the executor there is none, so that no piece waits for another."""
    with sharing(pool):
        assert pool.submit(threads_at_work).result(SECONDS) == 1


def test_an_executor_that_takes_nothing_leaves_all_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_processors", lambda: 4)
    with sharing(Refuses()):
        assert squares(20) == [number**2 for number in range(20)]


@pytest.mark.parametrize("failure", [RuntimeError, OSError])
def test_nothing_goes_on_where_an_executor_takes_work_and_raises(
    failure: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_processors", lambda: 2)
    own, begun, at_work = threading.get_ident(), threading.Event(), set()

    class Takes(ThreadPoolExecutor):
        """Does what the standard one does where the system has no more threads: what it was asked for stays queued."""

        def submit(self, *arguments: object, **keywords: object) -> Future[None]:  # type: ignore[override]
            super().submit(*arguments, **keywords)  # type: ignore[arg-type]
            begun.wait(SECONDS)
            raise failure("can't start new thread")

    def work(first: int, end: int) -> None:
        if threading.get_ident() != own:
            at_work.add(first)
            begun.set()
            time.sleep(0.2)
            at_work.discard(first)

    with Takes(1) as executor, sharing(executor):
        with contextlib.nullcontext() if failure is RuntimeError else pytest.raises(failure):
            in_pieces(work, 8)
        assert begun.is_set()
        assert not at_work


@pytest.mark.parametrize("in_caller", [True, False])
def test_what_a_piece_raises_is_raised_when_nobody_is_at_work(in_caller: bool, pool: ThreadPoolExecutor) -> None:
    own, meeting, at_work = threading.get_ident(), threading.Barrier(3), set()

    def work(first: int, end: int) -> None:
        at_work.add(first)
        if first >= 6:
            meeting.wait(SECONDS)
            if (threading.get_ident() == own) is in_caller:
                at_work.discard(first)
                raise MemoryError(str(first))
        at_work.discard(first)

    with sharing(pool), pytest.raises(MemoryError):
        in_pieces(work, 12)
    assert not at_work


def test_sharing_ends_with_its_block_and_nests(pool: ThreadPoolExecutor) -> None:
    with sharing(pool):
        with sharing(None):
            assert threads_at_work() == 3
        with pytest.raises(KeyError), sharing(pool):
            raise KeyError
        assert threads_at_work() == 3
    assert threads_at_work() == 1


@pytest.mark.parametrize("wrong", [3, "pool", object(), ThreadPoolExecutor])
def test_what_is_no_executor_is_refused(wrong: Executor) -> None:
    with pytest.raises(ConfigurationError, match="executor"):
        threads_of(wrong)


def test_an_executor_of_processes_is_refused() -> None:
    with (
        ProcessPoolExecutor(1) as processes,
        pytest.raises(ConfigurationError, match="one of threads"),
    ):
        threads_of(processes)


def test_processors_are_counted() -> None:
    assert pieces._processors() >= 1


# Calls that share by themselves.


def test_all_take_part_at_once(pool: ThreadPoolExecutor) -> None:
    meeting, helped = threading.Barrier(3), []

    def take_part(helping: bool) -> None:
        helped.append(helping)
        meeting.wait(SECONDS)

    with sharing(pool):
        together(take_part, 3)
    assert sorted(helped) == [False, True, True]


@pytest.mark.parametrize("most", [0, 1])
def test_nobody_is_asked_for_what_one_can_do(most: int) -> None:
    helped: list[bool] = []
    with sharing(Refuses()):
        together(helped.append, most)
    assert helped == [False]


def test_who_helps_is_waited_for(pool: ThreadPoolExecutor) -> None:
    begun, ended = threading.Event(), threading.Event()

    def take_part(helping: bool) -> None:
        if helping:
            begun.set()
            time.sleep(0.1)
            ended.set()
        else:
            assert begun.wait(SECONDS)

    with sharing(pool):
        together(take_part, 2)
    assert ended.is_set()


def test_what_was_asked_for_and_never_begun_holds_nothing() -> None:
    asked = []

    class Never(Executor):
        def submit(self, function: Callable[[], None], *arguments: object) -> Future[None]:  # type: ignore[override]
            asked.append(function)
            return Future()

    class Work:
        def take_part(self, helping: bool) -> None:
            pass

    work = Work()
    remembered = weakref.ref(work)
    with sharing(Never()):
        together(work.take_part, 2)
    del work
    assert remembered() is None
    asked[0]()


@pytest.mark.parametrize("in_caller", [True, False])
def test_what_is_shared_is_not_shared_again(in_caller: bool, pool: ThreadPoolExecutor) -> None:
    """Nor in the caller's thread: the others are asked for already."""
    own, meeting, seen = threading.get_ident(), threading.Barrier(3), []

    def take_part(helping: bool) -> None:
        meeting.wait(SECONDS)
        if (threading.get_ident() == own) is in_caller:
            seen.append(threads_at_work())

    with sharing(pool):
        together(take_part, 3)
        assert threads_at_work() == 3
    assert set(seen) == {1}


# The same, bit for bit.


@pytest.mark.parametrize("input_bits", [300_000, 1_000_001])
def test_hashes_are_the_same(input_bits: int, pool: ThreadPoolExecutor) -> None:
    rng = np.random.default_rng(1)
    bits, seed = rng.integers(0, 2, input_bits), rng.integers(0, 2, 2 * input_bits)
    output_bits = input_bits * 2 // 3
    seed = seed[: input_bits + output_bits - 1]
    alone = qp.toeplitz_hash(bits, seed, output_bits)
    assert qp.toeplitz_hash(bits, seed, output_bits, executor=pool) == alone
    modified = qp.modified_toeplitz_hash(bits, seed[: input_bits - 1], output_bits)
    assert qp.modified_toeplitz_hash(bits, seed[: input_bits - 1], output_bits, executor=pool) == modified


@pytest.mark.parametrize("method", ["cascade", "ldpc"])
def test_corrections_are_the_same(method: BitMethod, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    reference = rng.integers(0, 2, 1_200_000)
    noisy = reference ^ (rng.random(reference.size) < 0.03)

    def corrected(executor: Executor | None) -> qp.Reconciled:
        monkeypatch.setattr("os.urandom", np.random.default_rng(3).bytes)
        return qp.reconcile(
            reference, noisy, method=method, qber=0.03, frame_bits=2**14, seed=bytes(32), executor=executor
        )

    alone, shared = corrected(None), corrected(pool)
    assert shared == alone
    assert shared.bits == qp.Bits.coerce(reference)


def test_clocks_are_the_same(pool: ThreadPoolExecutor) -> None:
    tags = qp.simulation.bbm92_time_tags(duration_s=0.2, pair_rate_hz=2e5, clock_offset_ps=3e6, rng=1)
    alone, shared = (sifting.pair_time_tags(*tags, executor=executor) for executor in (None, pool))
    assert repr(shared.reporting_calibration) == repr(alone.reporting_calibration)
    assert repr(shared.answering_calibration) == repr(alone.answering_calibration)
    assert shared.answering.rounds == alone.answering.rounds > 100


@pytest.mark.parametrize("threads_of_pool", [1, 2])
def test_keys_are_the_same(threads_of_pool: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the whole runs in a thread of the executor, and so takes the only one that there is."""
    monkeypatch.setattr(pieces, "_processors", lambda: 3)
    records = qp.simulation.bb84(pulses=400_000, rng=1)

    def distilled(executor: Executor | None) -> qp.Distillation:
        source = np.random.default_rng(1).bytes
        return qp.distill(*records, qp.LinkConfig(protocol=qp.BB84()), random_source=source, executor=executor)

    alone = distilled(None)
    with ThreadPoolExecutor(threads_of_pool) as executor:
        shared = executor.submit(distilled, executor).result(4 * SECONDS)
    assert shared.key == alone.key
    assert len(shared.key) > 10_000


@pytest.mark.parametrize("threads", [2, 3])
def test_blocks_in_flight_are_the_same(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_processors", lambda: threads)
    pairs = [qp.simulation.bb84(pulses=300_000, rng=seed) for seed in (1, 2, 3)]
    blocks = qp.Blocks(detections=1, in_flight=3)
    link = qp.LinkConfig(protocol=qp.BB84(), correction=qp.Ldpc(frame_bits=2**14), blocks=blocks)

    def distilled(executor: Executor | None) -> qp.Distillation:
        alice, bob = zip(*pairs, strict=True)
        source = np.random.default_rng(1).bytes
        return qp.distill(alice, bob, link, random_source=source, executor=executor)

    alone = distilled(None)
    with ThreadPoolExecutor(threads - 1) as executor:
        shared = distilled(executor)
    assert shared.key == alone.key
    assert [report.to_dict() for report in shared.reports] == [report.to_dict() for report in alone.reports]
    assert len(alone.reports) == 3 and len(alone.key) > 10_000


def test_an_executor_that_is_shut_down_midway_changes_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_processors", lambda: 3)
    records = qp.simulation.bb84(pulses=400_000, rng=1)
    executor = ThreadPoolExecutor(2)

    def distilled(on_event: Callable[[Event], None] | None) -> qp.Distillation:
        source = np.random.default_rng(1).bytes
        link = qp.LinkConfig(protocol=qp.BB84())
        shared = executor if on_event else None
        return qp.distill(*records, link, random_source=source, executor=shared, on_event=on_event)

    alone = distilled(None)
    assert distilled(lambda event: executor.shutdown(wait=False)).key == alone.key
    assert len(alone.key) > 10_000
