"""What a block's records hold, piece by piece, is what they hold at once, without what was disclosed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.bits import Bits
from qkdpost.errors import LocalProtocolError
from qkdpost.stages.continuous.stream import SymbolStream, rows_at


@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=5),
    pieces=st.lists(st.integers(1, 7), min_size=1, max_size=40),
    data=st.data(),
)
def test_pieces_are_the_whole_without_what_is_left_out(
    lengths: list[int], pieces: list[int], data: st.DataObject
) -> None:
    total = sum(lengths)
    whole = np.arange(2 * total, dtype=np.float32).reshape(total, 2)
    left_out = np.array(
        sorted(data.draw(st.sets(st.integers(0, total - 1), max_size=total)) if total else []), dtype=np.int64
    )
    parts = np.split(whole, np.cumsum(lengths)[:-1])
    kept = np.delete(whole, left_out, axis=0)
    stream, taken = SymbolStream.of(parts, left_out), 0
    for count in pieces:
        if taken + count > len(kept):
            break
        assert (stream.take(count) == kept[taken : taken + count]).all()
        taken += count
    assert (rows_at(parts, left_out) == whole[left_out]).all()


def test_bits_are_streamed_alike() -> None:
    bits = Bits.from_array([0, 1, 1, 0, 1])
    assert SymbolStream.of([bits], np.array([1], dtype=np.int64)).take(4).tolist() == [False, True, False, True]


def test_what_is_taken_is_a_copy() -> None:
    record = np.zeros(4, dtype=np.float32)
    SymbolStream.of([record], np.zeros(0, dtype=np.int64)).take(4)[:] = 1.0
    assert not record.any()


def test_a_part_that_is_used_up_is_let_go() -> None:
    stream = SymbolStream.of([np.zeros(3), np.zeros(3)], np.zeros(0, dtype=np.int64))
    stream.take(4)
    assert len(stream.parts) == 1


def test_more_than_there_is_cannot_be_taken() -> None:
    stream = SymbolStream.of([np.zeros(3)], np.array([0], dtype=np.int64))
    with pytest.raises(LocalProtocolError, match="fewer symbols"):
        stream.take(3)
