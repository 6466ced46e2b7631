from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from qkdpost._kernels import atomics, shared_steps
from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.jit.environment import JIT_ENABLED
from qkdpost._kernels.shared_steps import counters_of, do_steps, end_piece, next_piece, others_done
from qkdpost.amplification import toeplitz_hash
from qkdpost.bits import Bits
from qkdpost.threads import pieces, sharing

SECONDS = 30
compiled = pytest.mark.skipif(not JIT_ENABLED, reason="one thread alone is in a kernel that is not compiled")

Values = NDArray[np.int64]


@pytest.fixture(autouse=True)
def three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_processors", lambda: 3)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


class Never(Executor):
    def submit(self, *arguments: object, **keywords: object) -> Future[None]:  # type: ignore[override]
        return Future()


class Refuses(Executor):
    def submit(self, *arguments: object, **keywords: object) -> Future[None]:  # type: ignore[override]
        raise RuntimeError("cannot schedule new futures after shutdown")


class AtOnce(Executor):
    """Does what it is asked for before it answers."""

    def submit(self, function: Callable[[], None], *arguments: object) -> Future[None]:  # type: ignore[override]
        function()
        return Future()


@kernel
def mixed(counters: Values, helping: bool, step: int, values: Values, size: int) -> int:
    """Let piece k of each step write row `step` + 1 of `values`, of what all pieces wrote in the row before."""
    steps = values.size // size - 1
    for at in range(step, steps):
        piece = next_piece(counters, at)
        while piece >= 0:
            total = np.int64(0)
            for index in range(size):
                total += values[at * size + index] * (index + piece + 1)
            values[(at + 1) * size + piece] = total % 1000003
            end_piece(counters, at)
            piece = next_piece(counters, at)
        if not others_done(counters, at):
            return at
    return steps


def run(executor: Executor | None, size: int, steps: int, *, share: bool = True) -> Values:
    values = np.zeros((steps + 1) * size, dtype=np.int64)
    values[:size] = np.arange(size)
    with sharing(executor):
        do_steps(
            lambda counters, helping, step: mixed(counters, helping, step, values, size), [size] * steps, share=share
        )
    return values


def slow(size: int, steps: int) -> list[int]:
    rows = [list(range(size))]
    for _ in range(steps):
        rows.append([sum(x * (i + k + 1) for i, x in enumerate(rows[-1])) % 1000003 for k in range(size)])
    return [value for row in rows for value in row]


@pytest.mark.parametrize("kind", [None, Never, Refuses, AtOnce, lambda: ThreadPoolExecutor(2)])
@pytest.mark.parametrize(("size", "steps"), [(1, 1), (1, 5), (7, 1), (30, 6)])
def test_all_steps_are_done_in_order_whatever_the_executor_does(
    kind: Callable[[], Executor] | None, size: int, steps: int
) -> None:
    assert run(kind() if kind else None, size, steps).tolist() == slow(size, steps)


def test_what_is_not_worth_it_is_not_shared() -> None:
    class Fails(Executor):
        def submit(self, *arguments: object, **keywords: object) -> Future[None]:  # type: ignore[override]
            raise AssertionError

    assert run(Fails(), 5, 2, share=False).tolist() == slow(5, 2)


@compiled
def test_many_runs_are_the_same(pool: ThreadPoolExecutor) -> None:
    expected = run(None, 60, 20)
    assert all((run(pool, 60, 20) == expected).all() for _ in range(300))


def test_counters_count_pieces_and_say_when_others_are_done() -> None:
    counters = counters_of([2, 1])
    assert [next_piece(counters, 0) for _ in range(4)] == [0, 1, -1, -1]
    assert not others_done(counters, 0)
    end_piece(counters, 0)
    assert not others_done(counters, 0)
    end_piece(counters, 0)
    assert others_done(counters, 0)
    assert [next_piece(counters, 1) for _ in range(2)] == [0, -1]


def test_nobody_waits_long_for_a_thread_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = counters_of([1])
    next_piece(counters, 0)
    counters[-1] = 1
    assert not others_done(counters, 0)


@compiled
@pytest.mark.parametrize("in_caller", [True, False])
def test_what_one_raises_is_raised_when_nobody_is_at_work(in_caller: bool, pool: ThreadPoolExecutor) -> None:
    """Also where a piece that it took is never done."""
    own, meeting, at_work = threading.get_ident(), threading.Barrier(3), set()

    def work(counters: Values, helping: bool, step: int) -> int:
        assert helping is not (threading.get_ident() == own)
        at_work.add(threading.get_ident())
        try:
            if step == 0 and next_piece(counters, 0) >= 0:
                meeting.wait(SECONDS)
                if helping is not in_caller:
                    raise MemoryError
                end_piece(counters, 0)
            return int(others_done(counters, 0))
        finally:
            at_work.discard(threading.get_ident())

    with sharing(pool), pytest.raises(MemoryError):
        do_steps(work, [3], share=True)
    assert not at_work


@compiled
def test_a_thread_that_is_set_aside_is_waited_for_without_spinning(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    begun, going_on = threading.Event(), threading.Event()
    values = np.zeros(10, dtype=np.int64)
    values[:5] = np.arange(5)
    sleep = time.sleep

    def rest(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 30:
            going_on.set()
        sleep(seconds)

    def work(counters: Values, helping: bool, step: int) -> int:
        if helping and not begun.is_set():
            assert next_piece(counters, 0) == 0
            begun.set()
            assert going_on.wait(SECONDS)
            values[5] = sum(x * (i + 1) for i, x in enumerate(range(5)))
            end_piece(counters, 0)
        assert helping or begun.wait(SECONDS)
        return mixed(counters, helping, step, values, 5)

    monkeypatch.setattr(pieces, "_processors", lambda: 2)
    monkeypatch.setattr(shared_steps.time, "sleep", rest)
    with sharing(pool):
        do_steps(work, [5], share=True)
    assert values.tolist() == slow(5, 1)
    assert len(rests) >= 30
    assert max(rests) <= 1e-4


@kernel
def _count(counters: Values, times: int) -> int:
    last = np.int64(0)
    for _ in range(times):
        last = atomics.counted_up(counters, 1)
        atomics.pause()
    return last + atomics.seen(counters, 0)


@compiled
def test_no_count_is_lost_between_threads() -> None:
    counters = np.zeros(2, dtype=np.int64)
    with ThreadPoolExecutor(4) as executor:
        last = list(executor.map(lambda _: _count(counters, 20_000), range(4)))
    assert counters.tolist() == [0, 80_000]
    assert max(last) == 79_999


def test_counting_returns_what_was_before() -> None:
    counters = np.array([5, 0], dtype=np.int64)
    assert _count(counters, 3) == 2 + 5
    assert counters.tolist() == [5, 3]


@pytest.mark.parametrize("triple", ["x86_64-unknown-linux-gnu", "arm64-apple-darwin", "riscv64-linux-gnu"])
def test_a_pause_is_known_or_left_out(triple: str) -> None:
    pytest.importorskip("llvmlite")
    name, _ = atomics._pause_of_processor(triple)
    assert name == {"x": "llvm.x86.sse2.pause", "a": "llvm.aarch64.hint", "r": ""}[triple[0]]


@compiled
@pytest.mark.parametrize("kind", [Never, Refuses, AtOnce, lambda: ThreadPoolExecutor(2)])
def test_products_are_the_same_whatever_the_executor_does(kind: Callable[[], Executor]) -> None:
    rng = np.random.default_rng(1)
    bits, seed = (Bits.from_array(rng.integers(0, 2, size, dtype=np.uint8)) for size in (200_003, 300_002))
    expected = toeplitz_hash(bits, seed, 100_000)
    executor = kind()
    assert all(toeplitz_hash(bits, seed, 100_000, executor=executor) == expected for _ in range(20))
