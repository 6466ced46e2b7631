"""Steps of work, each in pieces, that several threads do in one call of a kernel at once.

To ask another thread for every step would take longer than many a step. Here threads are asked once; each goes through
all steps in one kernel, takes the next piece of a step as long as there is one, and then looks at a counter until the
others are done with theirs. Nobody waits for a thread that has not begun: its pieces are taken by those that are there.
What one thread wrote in a step is seen by all in the next.

A kernel that works so has, for each step from the one that it is told to begin with on,

    piece = next_piece(counters, step)
    while piece >= 0:
        ...
        end_piece(counters, step)
        piece = next_piece(counters, step)
    if not others_done(counters, step):
        return step

and returns the number of steps at the end. `do_steps` calls it again where others were long at their pieces, as threads
that the system has set aside are.

A thread that helps leaves the last step, if that is short, to the caller, and does not wait for it either: it has gone
and let go of the interpreter when the caller comes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from qkdpost._kernels.atomics import counted_up, pause, seen
from qkdpost._kernels.jit.decorators import kernel
from qkdpost._kernels.jit.environment import JIT_ENABLED
from qkdpost.threads import together

__all__ = ["counters_of", "do_steps", "end_piece", "next_piece", "others_done"]

Counters: TypeAlias = NDArray[np.int64]
"""For each step a cache line that counts pieces which somebody has begun, and one that counts those that are done,
beside how many there are; at the end one for whether a thread failed."""

_LOOKS = 1 << 12
"""Looks at a counter, of some ten to forty nanoseconds each, before a thread lets others have its processor."""
_LINE = 8
_DONE, _COUNT = _LINE, _LINE + 1
_STEP = 2 * _LINE
_LONGEST_REST_SECONDS = 1e-4


def do_steps(work: Callable[[Counters, bool, int], int], counts: Sequence[int], *, share: bool) -> None:
    """Do steps of so many pieces, in threads at once if there is an executor.

    Args:
        work: calls the kernel and returns what it returns. Is told the counters, whether this thread helps another,
            and the step to begin with.
        counts: pieces of each step.
        share: whether it is worth asking other threads.
    """
    counters = counters_of(counts)

    def take_part(helping: bool) -> None:
        _take_part(work, counters, helping)

    together(take_part, max(counts) if share and JIT_ENABLED else 1)


def counters_of(counts: Sequence[int]) -> Counters:
    """Return the counters of steps of so many pieces."""
    counters = np.zeros(_STEP * len(counts) + 1, dtype=np.int64)
    counters[_COUNT::_STEP] = counts
    return counters


def _take_part(work: Callable[[Counters, bool, int], int], counters: Counters, helping: bool) -> None:
    """Do pieces in this thread, until all are done or another thread failed."""
    step, rests = 0, 0
    try:
        while (step := work(counters, helping, step)) < counters.size // _STEP:
            if counters[-1]:
                return
            time.sleep(min(1e-5 * rests, _LONGEST_REST_SECONDS))
            rests += 1
    except BaseException:
        counters[-1] = 1
        raise


@kernel
def next_piece(counters: Counters, step: int) -> int:
    """Return the number of a piece that nobody has begun, or -1 if there is none."""
    piece = counted_up(counters, _STEP * step)
    return piece if piece < counters[_STEP * step + _COUNT] else -1


@kernel
def end_piece(counters: Counters, step: int) -> None:
    """Say that a piece is done."""
    counted_up(counters, _STEP * step + _DONE)


@kernel
def others_done(counters: Counters, step: int) -> bool:
    """Wait until all pieces are done; return False if that takes long, or a thread failed."""
    for _ in range(_LOOKS):
        if seen(counters, _STEP * step + _DONE) >= counters[_STEP * step + _COUNT]:
            return True
        if seen(counters, counters.size - 1) != 0:
            return False
        pause()
    return False
