"""Slots of a record in parts: coded apart, in any number of threads, as the obvious twin codes each."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.errors import InputError, RemoteProtocolError
from qkdpost.sifting.slots.coding import check_code, rice_parameter
from qkdpost.sifting.slots.parts import CodedPart, CodedSlots, encode_parts, part_detections, part_sizes
from qkdpost.threads import pieces, sharing
from reference.sifting import rice_code

PULSES = 20_000


@pytest.fixture(params=[1, 2, 3], ids=lambda threads: f"{threads} threads")
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor | None]:
    """None, or one that makes up so many threads together with the caller's."""
    monkeypatch.setattr(pieces, "_processors", lambda: request.param)
    if request.param == 1:
        yield None
        return
    with ThreadPoolExecutor(request.param - 1) as pool:
        yield pool


def slots_of(count: int) -> np.ndarray:
    slots = np.sort(np.random.default_rng(count).choice(PULSES, count, replace=False))
    slots.flags.writeable = False
    return slots


@pytest.fixture(params=[2**18, 120, 1], ids=lambda slots: f"{slots} at once", autouse=True)
def slots_at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qkdpost.sifting.slots.parts._SLOTS_AT_ONCE", request.param)


@pytest.mark.parametrize("sizes", [[0], [1], [64, 64, 64, 3], [50] * 40])
def test_each_part_is_coded_as_by_the_twin_and_comes_back(sizes: list[int], executor: Executor | None) -> None:
    slots = slots_of(sum(sizes))
    with sharing(executor):
        parts = list(chain.from_iterable(encode_parts(slots, sizes, PULSES)))
        coded = CodedSlots(parts)
        assert len(coded) == slots.size
        assert np.array_equal(coded.decoded(), slots)
        pieces = list(chain.from_iterable(coded.by_pieces(lambda piece, first: (first, piece.copy()))))
    assert [first for first, _ in pieces] == [0, *np.cumsum([piece.size for _, piece in pieces])[:-1]]
    assert np.array_equal(np.concatenate([piece for _, piece in pieces]), slots)
    start = first = 0
    for part, size in zip(parts, sizes, strict=True):
        own = slots[first : first + size]
        last = first + size == slots.size
        end = PULSES if last else int(own[-1]) + 1
        code = rice_code((own - start).tolist(), rice_parameter(size, end - start))
        assert part == CodedPart(code, size, start, end)
        check_code(part.code, size, end - start)
        start, first = end, first + size


def test_no_parts_have_no_slots() -> None:
    assert CodedSlots([]).decoded().size == 0


def test_the_first_part_that_is_none_is_named(executor: Executor | None) -> None:
    parts = list(chain.from_iterable(encode_parts(slots_of(2000), [50] * 40, PULSES)))
    for index, count in ((39, 49), (7, 48), (23, 47)):
        parts[index] = replace(parts[index], count=count)
    with sharing(executor):
        with pytest.raises(RemoteProtocolError, match="48 positions"):
            CodedSlots(parts).decoded()
        with pytest.raises(RemoteProtocolError, match="48 positions"):
            list(CodedSlots(parts).by_pieces(lambda piece, first: None))


def test_what_a_host_makes_of_a_piece_is_not_put_down_to_its_peer(executor: Executor | None) -> None:
    def refuse(piece: np.ndarray, first: int) -> None:
        raise InputError("my own")

    with sharing(executor), pytest.raises(InputError, match=r"^my own$"):
        parts = list(chain.from_iterable(encode_parts(slots_of(2000), [50] * 40, PULSES)))
        list(CodedSlots(parts).by_pieces(refuse))


@pytest.mark.parametrize("wrong", [[5, 5], [7, 6], [1, PULSES], [-1, 4]])
def test_slots_that_cannot_be_are_not_coded(wrong: list[int], executor: Executor | None) -> None:
    with sharing(executor), pytest.raises(InputError, match="slots must increase"):
        list(encode_parts(np.array(wrong), [2], PULSES))


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (5, [5]), (10, [10]), (11, [10, 1]), (30, [10, 10, 10])])
def test_a_record_is_cut_into_full_parts_and_a_rest(count: int, sizes: list[int]) -> None:
    assert part_sizes(count, 10) == sizes


@pytest.mark.parametrize("spread", [True, False], ids=["spread", "at both ends"])
@pytest.mark.parametrize("pulses", [2**18, 3 * 2**20, 2**42, 2**43, 2**43 + 1, 2**50 - 1, 2**61])
def test_no_part_of_a_record_is_longer_than_every_link_allows(pulses: int, spread: bool) -> None:
    """A code is longest where it reaches to the end of the record: as much is skipped as can be."""
    count = part_detections(pulses)
    slots = np.arange(count) * (pulses // count if spread else 1)
    slots[-1] = pulses - 1
    ((part,),) = encode_parts(slots, [count], pulses)
    assert len(part.code) + count // 8 + 100 < min(qp.LinkConfig(protocol=qp.BB84()).max_message_bytes, 2**20)
