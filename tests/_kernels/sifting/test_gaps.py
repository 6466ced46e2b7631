"""Groups of gaps in a window, gaps one by one, and wrong codes: all against a twin that goes bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost._kernels.sifting.gaps import decode_gaps, encode_gaps
from reference.sifting import rice_code, rice_decode

GUARD = 2**61 + 5
PARAMETERS = st.one_of(st.integers(0, 12), st.integers(0, 60))


def words_of(bits: list[int], beyond: int) -> np.ndarray:
    """The words of `bits` with three of zeros after them, as a part of an array that goes on in ones."""
    packed = np.packbits(np.array(bits, dtype=np.uint8), bitorder="little")
    size = (packed.size + 7) // 8 + 3
    whole = np.full(size + beyond, 2**64 - 1, dtype=np.uint64)
    whole[:size] = 0
    whole.view(np.uint8)[: packed.size] = packed
    return whole[:size]


def decoded(bits: list[int], parameter: int, first: int, limit: int, count: int) -> tuple[list[int], int] | None:
    """What the kernel says, as the twin says it; nothing beside `slots` may be touched."""
    room = np.full(count + 8, GUARD, dtype=np.int64)
    used = decode_gaps(words_of(bits, 4), len(bits), parameter, first, limit, room[4 : 4 + count])
    assert np.all(room[:4] == GUARD) and np.all(room[4 + count :] == GUARD)
    return None if used < 0 else (room[4 : 4 + count].tolist(), used)


def encoded(slots: list[int], first: int, limit: int, parameter: int) -> bytes | None:
    longest = len(slots) * (parameter + 1) + (max(0, limit - first) >> parameter)
    whole = np.zeros(longest // 64 + 2 + 4, dtype=np.uint64)
    whole[-4:] = GUARD
    told = np.array(slots, dtype=np.int64)
    told.flags.writeable = False
    length = encode_gaps(told, first, limit, parameter, whole[:-4])
    assert np.all(whole[-4:] == GUARD)
    return None if length < 0 else whole.astype("<u8").tobytes()[: (length + 7) // 8]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], int, int]:
    """Slots whose gaps fit the parameter but for some, the parameter, and where counting begins."""
    parameter, first = draw(PARAMETERS), draw(st.one_of(st.just(0), st.integers(0, 2**60)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, mean = draw(st.integers(0, 150)), draw(st.floats(0, 12))
    quotients = rng.poisson(mean, count)
    far = rng.random(count) < draw(st.sampled_from([0, 0.02, 0.3]))
    quotients[far] = rng.choice([61, 62, 63, 64, 65, 127, 128, 200], int(far.sum()))
    gaps = [(int(zeros) << parameter) + int(rng.integers(0, 1 << parameter)) for zeros in quotients]
    slots, expected = [], first
    for gap in gaps:
        slots.append(expected + gap)
        expected = slots[-1] + 1
        if expected >= 2**61 + first:
            slots.pop()
            break
    return slots, parameter, first


def bits_of(slots: list[int], first: int, parameter: int) -> list[int]:
    code = rice_code([slot - first for slot in slots], parameter)
    return np.unpackbits(np.frombuffer(code, dtype=np.uint8), bitorder="little").tolist()


@given(cases())
def test_slots_are_coded_as_by_the_twin_and_come_back(case: tuple[list[int], int, int]) -> None:
    slots, parameter, first = case
    limit = slots[-1] + 1 if slots else first
    bits = bits_of(slots, first, parameter)
    assert encoded(slots, first, limit, parameter) == rice_code([slot - first for slot in slots], parameter)
    found = decoded(bits, parameter, first, limit, len(slots))
    assert found == rice_decode(bits, parameter, first, limit, len(slots))
    assert found is not None and found[0] == slots


@given(cases(), st.data())
def test_slots_that_are_none_are_refused(case: tuple[list[int], int, int], data: st.DataObject) -> None:
    slots, parameter, first = case
    if not slots:
        return
    limit = slots[-1] + 1
    assert encoded(slots, first, limit - 1, parameter) is None
    assert encoded(slots, slots[0] + 1, limit, parameter) is None
    at = data.draw(st.integers(0, len(slots) - 1))
    wrong = data.draw(st.sampled_from([-1, -(2**63), 2**63 - 1, limit, slots[at - 1] if at else -2]))
    assert encoded([*slots[:at], wrong, *slots[at + 1 :]], first, limit, parameter) is None


@given(cases(), st.data())
def test_codes_that_end_early_or_leave_the_range_are_refused(
    case: tuple[list[int], int, int], data: st.DataObject
) -> None:
    slots, parameter, first = case
    bits = bits_of(slots, first, parameter)
    cut = data.draw(st.integers(0, len(bits)))
    limit = first + data.draw(st.sampled_from([0, 1, 2**61])) if not slots else data.draw(st.sampled_from(slots))
    for shown, bound, count in (
        (bits[:cut], 2**62, len(slots)),
        (bits, limit, len(slots)),
        (bits, 2**62, len(slots) + data.draw(st.integers(1, 20))),
    ):
        assert decoded(shown, parameter, first, bound, count) == rice_decode(shown, parameter, first, bound, count)


@given(PARAMETERS, st.integers(0, 60), st.sampled_from([0.002, 0.02, 0.2, 0.5, 0.95]), st.integers(0, 2**32))
def test_any_bits_are_read_as_by_the_twin(parameter: int, count: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = (rng.random(rng.integers(0, 1500)) < share).astype(int).tolist()
    first = int(rng.integers(0, 2**50))
    for limit in (first + 1, first + int(rng.integers(1, 2**40)), 2**61):
        assert decoded(bits, parameter, first, limit, count) == rice_decode(bits, parameter, first, limit, count)


@pytest.mark.parametrize("parameter", range(61))
def test_a_group_ends_with_its_window_or_a_bit_further(parameter: int) -> None:
    """The last gap of a group fills 64 bits to the last, or not at all, wherever in a word the group begins."""
    group = max(1, 64 // (parameter + 5))
    free = 64 - group * (parameter + 1)
    for zeros in (free - 1, free, free + 1, free + 63, free + 64):
        for before in (1, 17, 63):
            # Of a group of ones and one long gap the next begins at any place of a word.
            gaps = [0] * (group - 1) + [before << parameter] + [0] * (group - 1) + [max(0, zeros) << parameter] + [1]
            slots = (np.cumsum(gaps) + np.arange(len(gaps))).tolist() if sum(gaps) < 2**62 else []
            bits, limit = bits_of(slots, 0, parameter), slots[-1] + 1 if slots else 0
            assert encoded(slots, 0, limit, parameter) == rice_code(slots, parameter)
            assert decoded(bits, parameter, 0, limit, len(slots)) == rice_decode(bits, parameter, 0, limit, len(slots))


def test_nothing_is_read_of_no_words_and_no_slots() -> None:
    for parameter in (0, 1, 20, 60):
        assert decoded([], parameter, 3, 3, 0) == ([], 0)
        assert decoded([], parameter, 3, 100, 30) is None
        assert decoded([0] * 640, parameter, 3, 100, 30) is None
        assert encoded([], 3, 3, parameter) == b""
