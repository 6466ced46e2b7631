"""Frames in work: shared among threads they say and find the same, whatever the other host does."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from qkdpost._kernels.cascade import trees
from qkdpost._kernels.cascade.locating import MOST_DIGITS
from qkdpost.bits import Bits
from qkdpost.reconciliation import CascadeOutcome, CascadeParameters, parameters_for, run_cascade
from qkdpost.reconciliation.cascade import frames
from qkdpost.reconciliation.cascade.parameters import NEVER
from qkdpost.reconciliation.in_process import drive
from qkdpost.reconciliation.payload import Rounds
from qkdpost.threads import sharing
from support.rounds import check_agreement, lying_cascade, run_both_sides, strings

SEED = bytes(range(32))
FRAME_BITS = 256


def conversation(strings: list[Bits], executor: ThreadPoolExecutor | None) -> tuple[list[CascadeOutcome], list[Bits]]:
    """Run both sides, the corrector's alone with an executor; return what they end with, and what that one said."""
    sides = [
        run_cascade(
            bits,
            frame_bits=FRAME_BITS,
            parameters=parameters_for("balanced", 30_000, FRAME_BITS),
            seed=SEED,
            reference=which == 0,
        )
        for which, bits in enumerate(strings)
    ]
    said: list[Bits] = []

    def threaded(side: Rounds[CascadeOutcome]) -> Rounds[CascadeOutcome]:
        answer: Bits | None = None
        while True:
            with sharing(executor):
                try:
                    request = side.send(answer)
                except StopIteration as stop:
                    outcome: CascadeOutcome = stop.value
                    return outcome
            if isinstance(request, Bits):
                said.append(request)
            answer = yield request

    return list(drive(sides[0], threaded(sides[1]))), said


@pytest.mark.parametrize("threads", [2, 3, 5])
@pytest.mark.parametrize("bits_in_work", [1 << 24, 1 << 13])
def test_threads_show_in_nothing(threads: int, bits_in_work: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where not all frames are in work at once: both hosts take up the same ones."""
    monkeypatch.setattr(frames, "_BITS_IN_WORK", bits_in_work)
    rng = np.random.default_rng(1)
    reference = Bits.from_array(rng.integers(0, 2, 30_000, dtype=np.uint8))
    strings = [reference, reference ^ Bits.from_array((rng.random(30_000) < 0.03).astype(np.uint8))]
    (kept, alone), expected = conversation(strings, None)
    monkeypatch.setattr(frames, "_PARITIES_WORTH_THREADS", 8)
    monkeypatch.setattr(frames, "_FRAMES_WORTH_A_THREAD", 2)
    monkeypatch.setattr("qkdpost.threads.pieces._processors", lambda: 8)
    with ThreadPoolExecutor(threads - 1) as executor:
        (_, shared), said = conversation(strings, executor)
    assert said == expected
    assert (kept.bits, shared.bits) == (reference, alone.bits)
    assert (shared.rounds, shared.parities) == (alone.rounds, alone.parities)
    assert np.array_equal(shared.frame_parities, alone.frame_parities)
    assert np.array_equal(shared.frame_errors, alone.frame_errors)


@pytest.mark.parametrize(("length", "batches"), [(1024, 1), (1022, 1), (1020, 1), (1019, 2), (769, 2), (250, 1)])
def test_a_last_frame_that_lacks_little_is_filled_up(length: int, batches: int) -> None:
    """Four bits of 256 at most: both sides know them, and neither keeps them."""
    rng = np.random.default_rng(2)
    reference = Bits.from_array(rng.integers(0, 2, length, dtype=np.uint8))
    noisy = reference ^ Bits.from_positions([3, length - 1], length)
    block = frames.Block(noisy, FRAME_BITS, parameters_for("balanced", 30_000, FRAME_BITS), SEED, True)
    assert len(block._waiting) == batches
    (kept, corrected), _ = conversation([reference, noisy], None)
    assert (kept.bits, corrected.bits, corrected.corrected_bits) == (reference, reference, 2)
    assert corrected.frame_errors.size == -(-length // FRAME_BITS)


def test_a_peer_that_lies_cannot_lengthen_the_block() -> None:
    """Where it says that the filling is wrong, this side flips it, and gives it to nobody."""
    rng = np.random.default_rng(3)
    own = Bits.from_array(rng.integers(0, 2, 1020, dtype=np.uint8))
    settings = {"frame_bits": FRAME_BITS, "parameters": parameters_for("balanced", 30_000, FRAME_BITS)}
    side = run_cascade(own, seed=SEED, reference=False, **settings)  # type: ignore[arg-type]
    liar = lying_cascade(own, reference=True, seed=1, share=1.0, **settings)  # type: ignore[arg-type]
    assert len(drive(side, liar)[0].bits) == 1020


@pytest.mark.parametrize("seed", [163, 180, 249, 324, 357])
def test_errors_are_counted_in_the_key_alone_and_not_in_what_fills_a_frame(seed: int) -> None:
    """Of many errors a wrong place may lie there, and stay: the peer, who counts bits of the key, says one less."""
    errors = np.random.default_rng(seed).random(255) < 0.2
    parameters = CascadeParameters(
        name="x", frame_bits=256, block_bits=(16, 32, 128), hurry_from=0, hurry_doubles=3, early_places=16
    )
    reference, noisy = strings(np.random.default_rng(1), errors)
    kept, corrected = run_both_sides(reference, noisy, 256, parameters)
    check_agreement(kept, corrected, reference)
    assert kept.corrected_bits == (corrected.bits ^ noisy).weight()


@pytest.mark.parametrize("hurry", [None, (0, 1), (1, 1), (3, 2), (0, NEVER)])
@pytest.mark.parametrize("block_bits", [(4, 32), (8, 16, 32, 32, 32, 32)])
@pytest.mark.parametrize("lies", [0.5, 1.0])
@pytest.mark.parametrize("early", [0, 16])
def test_a_peer_that_lies_cannot_fill_the_lists(
    hurry: tuple[int, int] | None, block_bits: tuple[int, ...], lies: float, early: int
) -> None:
    """Whatever it says, the ranges that are listed and the parities that are asked have the room that was told."""
    rng = np.random.default_rng(4)
    start, doubles = hurry or (None, 1)
    parameters = CascadeParameters(
        name="x",
        frame_bits=64,
        block_bits=block_bits,
        hurry_from=start,
        hurry_doubles=doubles,
        early_places=early,
    )
    own = Bits.from_array(rng.integers(0, 2, 3 * 64, dtype=np.uint8))
    batch = frames.FrameBatch(frames.Shared(parameters, 64, SEED), own, range(3), 0, correcting=True)
    told = Bits.zeros(0)
    for first in itertools.chain([True], itertools.repeat(False)):
        room = batch.room
        end = len(batch.ask(told, Bits.zeros(len(told)), 0))
        active = batch._cells[batch._plan[trees.ACTIVE_AT] :][: batch._cells[trees.ACTIVE]].astype(np.int64)
        assert batch.column(trees.SPACE)[active].sum() <= room
        assert end <= (room if hurry is None and not early else MOST_DIGITS * room)
        if not end:
            assert not first
            return
        told = Bits.from_array((rng.random(end) < lies).astype(np.uint8))


def rounds_told(batch: frames.FrameBatch, differs: Iterable[bool]) -> Iterator[tuple[int, int, int]]:
    """Let all parities of a round differ from the peer's, or none; yield of each round what is asked, and the room.

    Yields:
        The parities asked, the words that the list of odd ranges may come to take, and the room that was told.
    """
    said = Bits.zeros(0)
    for every in differs:
        room = batch.room
        said = batch.ask(said, Bits.from_array(np.full(len(said), every)) ^ said, 0)
        active = batch._cells[batch._plan[trees.ACTIVE_AT] :][: batch._cells[trees.ACTIVE]].astype(np.int64)
        yield len(said), int(batch.column(trees.SPACE)[active].sum()), room


def test_a_contradiction_asks_for_no_more_than_there_is_room_for() -> None:
    """The short last block of the second pass names a bit that the first knows; all other blocks are odd and long."""
    length = 21 * 512 + 16
    parameters = CascadeParameters(name="x", frame_bits=length, block_bits=(1, 512), hurry_from=0, hurry_doubles=1)
    own = Bits.zeros(length)
    batch = frames.FrameBatch(frames.Shared(parameters, length, SEED), own, range(1), 0, correcting=True)
    rounds = list(rounds_told(batch, [False] * 2 + [True] * 5))
    assert [asked for asked, _, _ in rounds] == [length, 21, 22, 22, 22, 22, 0]
    assert all(asked <= MOST_DIGITS * room for asked, _, room in rounds)


def test_located_errors_have_room_where_other_ranges_are_cut_in_many_parts() -> None:
    """Eight errors are located while there are to be 32 parts at most: 48 parities leave no more than eight ranges."""
    parameters = CascadeParameters(name="x", frame_bits=8192, block_bits=(1024,), hurry_from=0, hurry_doubles=1)
    own = Bits.zeros(8192)
    batch = frames.FrameBatch(frames.Shared(parameters, 8192, SEED), own, range(1), 0, correcting=True)
    rounds = list(rounds_told(batch, [True] * 6))
    assert rounds[5][0] == 48
    assert all(space <= room for _, space, room in rounds)


@pytest.mark.parametrize("name", ["balanced", "few-rounds", "original"])
@pytest.mark.parametrize(("lies", "consistent"), [(0.1, False), (1.0, False), (0.5, True), (1.0, True)])
def test_a_peer_that_lies_holds_little_memory(name: str, lies: float, consistent: bool) -> None:
    """A frame ends where passes contradict each other; a peer that never does so has but another string."""
    rng = np.random.default_rng(5)
    length = 2048
    shared = frames.Shared(parameters_for(name, 10_000, length), length, SEED)
    own = Bits.from_array(rng.integers(0, 2, length, dtype=np.uint8))
    other = own ^ Bits.from_array((rng.random(length) < lies).astype(np.uint8))
    batch = frames.FrameBatch(shared, own, range(1), 0, correcting=True)
    twin = frames.FrameBatch(shared, other, range(1), 0, correcting=False)
    told = mine = Bits.zeros(0)
    parities = 0
    while parities == 0 or len(mine):
        mine, theirs = (side.ask(told, Bits.zeros(len(told)), 0) for side in (batch, twin))
        told = mine ^ theirs if consistent else Bits.from_array((rng.random(len(mine)) < lies).astype(np.uint8))
        parities += len(mine)
    assert parities <= 4 * length
    assert not consistent or parities > length / 2  # which is searched to the end
    # Four lists of words of eight bytes.
    assert 4 * 8 * batch._capacity <= 200 * length


@pytest.mark.parametrize("reference", [True, False])
@pytest.mark.parametrize("lies", [0.0, 0.02, 0.5])
def test_lists_that_must_grow_between_two_rounds_show_in_nothing(
    reference: bool, lies: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a message does two rounds and there is room for one, the second comes after the lists have grown."""
    grown = 0

    def make_room(batch: frames.FrameBatch) -> None:
        """Make room for one round, and for no more."""
        nonlocal grown
        grown += 1
        last, used = int(batch._cells[trees.LIST]), int(batch._cells[trees.USED])
        assert used <= batch.room
        start = last * batch._capacity
        ranges = np.full((4, batch.room), 2**64 - 1, dtype=np.uint64)
        ranges[last, :used] = batch._ranges[start : start + used]
        batch._capacity, batch._ranges = batch.room, ranges.reshape(-1)

    def converse() -> tuple[CascadeOutcome, CascadeOutcome]:
        rng = np.random.default_rng(6)
        own = Bits.from_array(rng.integers(0, 2, 1000, dtype=np.uint8))
        other = own ^ Bits.from_array((rng.random(1000) < 0.05).astype(np.uint8))
        parameters = parameters_for("few-rounds", 50_000, FRAME_BITS)
        side = run_cascade(own, frame_bits=FRAME_BITS, parameters=parameters, seed=SEED, reference=reference)
        peer = lying_cascade(
            other, frame_bits=FRAME_BITS, parameters=parameters, reference=not reference, seed=7, share=lies
        )
        return drive(side, peer)

    expected = converse()
    monkeypatch.setattr(frames.FrameBatch, "_make_room", make_room)
    rooms = frames.FrameBatch.__init__

    def without_room(batch: frames.FrameBatch, *arguments: Any, **keywords: Any) -> None:
        rooms(batch, *arguments, **keywords)
        batch._capacity = 0

    monkeypatch.setattr(frames.FrameBatch, "__init__", without_room)
    for found, before in zip(converse(), expected, strict=True):
        assert (found.bits, found.rounds, found.parities) == (before.bits, before.rounds, before.parities)
        assert np.array_equal(found.frame_parities, before.frame_parities)
        assert np.array_equal(found.frame_errors, before.frame_errors)
    assert grown > 10


def test_frames_are_divided_among_threads() -> None:
    span = range(10, 40)
    assert frames._shares(span, 1) == [span]
    assert frames._shares(span, 4) == [range(10, 20), range(20, 30), range(30, 40)]
    assert frames._shares(range(7), 4) == [range(7)]


def test_frames_of_one_process_are_corrected_apart_unless_some_wait() -> None:
    assert frames.frames_apart(1 << 20, 1 << 16, 1) == [range(16)]
    assert frames.frames_apart((1 << 20) - 5, 1 << 16, 2) == [range(8), range(8, 16)]
    assert frames.frames_apart(1 << 24, 1 << 16, 2) == [range(128), range(128, 256)]
    assert frames.frames_apart((1 << 24) + 1, 1 << 16, 2) == []
    # The last of 839 is filled up, and waits for the others.
    block = frames.Block(Bits.zeros(1 << 24), 19_997, parameters_for("original", 30_000, 19_997), SEED, True)
    assert len(block._waiting) == 2
    assert frames.frames_apart(1 << 24, 19_997, 2) == []
    assert frames.frames_apart(0, 1, 2) == [range(0)]
