"""Whatever is handed in is numbered or refused by the library's own errors: nothing else is raised, nothing hangs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.errors import InputError, QkdpostError
from qkdpost.sifting import AlignmentPattern, PulseEncoding, PulseRecord

ENCODINGS = (
    PulseEncoding.polarisation(key=(1, 2), test=(3, 4)),
    PulseEncoding.time_bin(key=1, test=(2, 3), separation_ps=2000),
    PulseEncoding.time_bin(key=1, test=(2, 3), separation_ps=2000, outer_peaks="loss"),
)
PATTERN, _ = qp.sifting.alignment_pattern(
    qp.simulation.bb84(pulses=20_000, rng=np.random.default_rng(1))[0], pulses_each=100
)
VALUES: tuple[Any, ...] = (None, "a", b"b", [], [1], {}, 1.5, -1, True, np.nan, np.inf, np.uint64(2**63), object())


def _ticks(kind: int, rng: np.random.Generator) -> np.ndarray:
    count, span = int(rng.integers(0, 3000)), int(10 ** rng.uniform(0, 17))
    if kind == 0:
        return rng.integers(0, span + 1, count)
    if kind == 1:
        return np.arange(count) * int(rng.integers(0, 20_000))
    if kind == 2:
        return np.full(count, int(rng.integers(-(2**60), 2**60)))
    if kind == 3:
        return rng.integers(0, span // 10_000 + 2, count) * 10_000 + int(rng.integers(-(2**59), 2**59))
    if kind == 4:
        return np.concatenate([np.arange(count) * 1_000_000, rng.integers(0, 100 * count + 1, count) * 10_000])
    return np.concatenate([rng.integers(0, 100, count), 2**52 + rng.integers(0, 1000, count)])


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 5))
def test_tags_without_sense(seed: int, kind: int) -> None:
    rng = np.random.default_rng(seed)
    ticks = np.sort(_ticks(kind, rng))
    encoding = ENCODINGS[int(rng.integers(0, 3))]
    some: dict[str, Any] = (
        {"sync_channel": 5, "divider": int(rng.choice([1, 100, 2**40]))} if rng.random() < 0.6 else {}
    )
    some |= {"delays_ps": dict.fromkeys(encoding.detectors, float(rng.choice([0, 1e15])))} if rng.random() < 0.3 else {}
    try:
        record = qp.sifting.pulse_numbers(
            ticks,
            rng.integers(1, 6, ticks.size),
            tick_ps=float(rng.choice([0.1, 1.0, 1e4])),
            period_ps=float(rng.choice([4.0, 4000, 10_000, 1e6, 1e12])),
            dead_time_ps=float(rng.choice([0, 50_000, 1e12])),
            encoding=encoding,
            pattern=PATTERN if rng.random() < 0.5 else None,
            search_pulses=int(rng.choice([0, 1000])),
            **some,
        )
    except QkdpostError:
        return
    assert isinstance(record, PulseRecord)
    assert str(record)


@pytest.mark.parametrize(
    "name",
    ["ticks", "channels", "tick_ps", "period_ps", "dead_time_ps", "sync_channel", "divider", "encoding", "pattern",
     "search_pulses", "gate_ps", "delays_ps", "chosen_bases", "pulses", "offset"],
)  # fmt: skip
def test_arguments_without_sense(name: str) -> None:
    tagged = qp.simulation.pulsed_time_tags(pulses=200_000, rng=np.random.default_rng(1))
    pattern, _ = qp.sifting.alignment_pattern(tagged.prepared, pulses_each=2000)
    usual: dict[str, Any] = {
        "ticks": tagged.ticks,
        "channels": tagged.channels,
        "tick_ps": 1.0,
        "encoding": ENCODINGS[0],
        "period_ps": 10_000,
        "dead_time_ps": 50_000,
        "sync_channel": 5,
        "divider": 1000,
        "pattern": None if name in ("pulses", "offset") else pattern,
    }
    taken = []
    for value in VALUES:
        try:
            qp.sifting.pulse_numbers(**(usual | {name: value}))
        except QkdpostError:
            continue
        taken.append(value)
    # None is a value of its own where an argument may be left away.
    fitting: dict[str, list[Any]] = {"dead_time_ps": [1.5], "offset": [-1], "gate_ps": [None]}
    left_away = name in ("pattern", "gate_ps", "delays_ps", "chosen_bases", "pulses", "sync_channel")
    assert taken == fitting.get(name, [None] if left_away else [])


@given(st.binary(max_size=200))
def test_bytes_that_are_no_pattern(data: bytes) -> None:
    with pytest.raises(InputError):
        AlignmentPattern.from_bytes(data)
    with pytest.raises(InputError):
        AlignmentPattern.from_bytes(PATTERN.to_bytes() + data + b"1")


def test_patterns_are_sent_as_bytes() -> None:
    sent = PATTERN.to_bytes()
    assert AlignmentPattern.from_bytes(sent) == PATTERN
    for at in (*range(8), *range(16, 32)):
        with pytest.raises(InputError):
            AlignmentPattern.from_bytes(sent[:at] + bytes([sent[at] ^ 0x81]) + sent[at + 1 :])
    for size in range(0, len(sent), 7):
        with pytest.raises(InputError):
            AlignmentPattern.from_bytes(sent[:size])
