"""What a host finds wrong with its own record, and what it does not."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.config import LinkConfig
from qkdpost.dialogue.messages import AbortReason
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.health import RecordLimits, judge, judgement, summarise
from qkdpost.health.sequences import SequenceHealth
from qkdpost.health.statistics import share_interval
from qkdpost.records import Detections, PreparedPulses, RawRecord, TimeTags

LIMITS = RecordLimits()


def drawn(rng: np.random.Generator, size: int, share: float = 0.5) -> np.ndarray:
    return (rng.random(size) < share).astype(np.uint8)


def detections(bases: np.ndarray, outcomes: np.ndarray) -> Detections:
    return Detections(pulses=10 * bases.size, slots=10 * np.arange(bases.size), bases=bases, outcomes=outcomes)


def reasons(*records: RawRecord, limits: RecordLimits = LIMITS, **stated: object) -> set[AbortReason]:
    return {finding.reason for finding in judge([summarise(r) for r in records], limits, **stated)}  # type: ignore[arg-type]


def tags(rng: np.random.Generator, clicks: int, shares: tuple[float, ...]) -> TimeTags:
    channels = rng.choice(4, size=clicks, p=np.array(shares) / sum(shares))
    return TimeTags(ticks=np.arange(clicks) * 1000, channels=channels, tick_ps=1.0)


@pytest.mark.parametrize("dead", range(4))
@pytest.mark.parametrize("clicks", [500, 20_000, 10**6])
def test_a_dead_detector_is_named_with_its_count(dead: int, clicks: int) -> None:
    shares = tuple(float(detector != dead) for detector in range(4))
    (finding,) = judge([summarise(tags(np.random.default_rng(dead), clicks, shares))], LIMITS)
    assert finding.reason is AbortReason.DETECTOR_UNFIT
    assert finding.text.startswith(f"detector {dead} ")
    assert "never clicked" in finding.text


def test_a_detector_that_only_counts_in_the_dark_is_found() -> None:
    (finding,) = judge([summarise(tags(np.random.default_rng(1), 20_000, (1.0, 0.1, 1.0, 1.0)))], LIMITS)
    assert "detector 1 " in finding.text
    assert "far more rarely" in finding.text


@pytest.mark.parametrize("basis", [0, 1])
def test_a_detector_of_numbered_slots_is_found_as_well(basis: int) -> None:
    rng = np.random.default_rng(2)
    bases, outcomes = drawn(rng, 4000), drawn(rng, 4000)
    outcomes[bases == basis] = 0
    (finding,) = judge([summarise(detections(bases, outcomes))], LIMITS)
    assert finding.reason is AbortReason.DETECTOR_UNFIT
    assert finding.text.startswith(f"detector {2 * basis + 1} ")


@pytest.mark.parametrize("kind", ["zeros", "ones", "period 2", "period 8", "period 100", "repeated file", "half"])
@pytest.mark.parametrize("size", [4000, 100_000])
def test_bits_that_were_not_drawn_are_found(kind: str, size: int) -> None:
    rng = np.random.default_rng(3)
    bits = {
        "zeros": np.zeros(size, np.uint8),
        "ones": np.ones(size, np.uint8),
        "period 2": np.arange(size) % 2,
        "period 8": np.resize([1, 1, 0, 1, 0, 0, 1, 0], size),
        "period 100": np.resize(drawn(rng, 100), size),
        "repeated file": np.resize(drawn(rng, 128), size),
        "half": np.concatenate([drawn(rng, size // 2), np.zeros(size - size // 2, np.uint8)]),
    }[kind]
    prepared = PreparedPulses(bases=drawn(rng, size), bits=bits)
    assert AbortReason.BITS_NOT_RANDOM in reasons(prepared)
    seen = reasons(detections(drawn(rng, size), bits.astype(np.uint8)))
    assert seen & {AbortReason.BITS_NOT_RANDOM, AbortReason.DETECTOR_UNFIT}


@pytest.mark.parametrize("kind", ["alternating", "one alone", "period 50", "stuck", "one in hundred"])
def test_bases_that_were_not_drawn_are_found(kind: str) -> None:
    rng, size = np.random.default_rng(4), 50_000
    bases = {
        "alternating": np.arange(size) % 2,
        "one alone": np.zeros(size, np.int64),
        "period 50": np.resize(drawn(rng, 50), size),
        "stuck": np.where(np.arange(size) % 10_000 < 2000, 0, drawn(rng, size)),
        "one in hundred": (np.arange(size) % 100 == 0).astype(np.int64),
    }[kind]
    assert reasons(PreparedPulses(bases=bases, bits=drawn(rng, size))) == {AbortReason.BASES_NOT_RANDOM}
    assert reasons(detections(bases.astype(np.uint8), drawn(rng, size))) == {AbortReason.BASES_NOT_RANDOM}


@pytest.mark.parametrize("loss", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("period", [2, 7, 64, 100])
def test_bases_that_repeat_in_the_slots_are_found_behind_loss(loss: float, period: int) -> None:
    rng = np.random.default_rng(period)
    slots = np.flatnonzero(rng.random(int(60_000 / (1.0 - loss))) > loss)
    pattern = np.resize([0, 1], 2) if period == 2 else drawn(rng, period)
    record = Detections(
        pulses=int(slots[-1]) + 1, slots=slots, bases=pattern[slots % period], outcomes=drawn(rng, slots.size)
    )
    assert reasons(record) == {AbortReason.BASES_NOT_RANDOM}


def test_afterpulses_in_the_basis_of_their_click_are_no_finding() -> None:
    """A beam splitter chooses; 2 % of the clicks are followed by one of the same detector, soon."""
    rng = np.random.default_rng(11)
    clicks = np.flatnonzero(rng.random(3 * 10**7) < 1e-3)
    after = clicks[rng.random(clicks.size) < 0.02]
    slots, first = np.unique(np.concatenate([clicks, after + rng.geometric(0.1, after.size)]), return_index=True)
    bases, outcomes = drawn(rng, clicks.size), drawn(rng, clicks.size)
    parent = np.concatenate([np.arange(clicks.size), np.searchsorted(clicks, after)])[first]
    record = Detections(pulses=4 * 10**7, slots=slots, bases=bases[parent], outcomes=outcomes[parent])
    assert not reasons(record)


def test_records_of_unlike_bias_are_not_joined() -> None:
    """The sample of the test basis speaks for the key only if it was equally probable in every round."""
    rng = np.random.default_rng(5)
    pair = [PreparedPulses(bases=drawn(rng, 10**5, share), bits=drawn(rng, 10**5)) for share in (0.5, 0.01)]
    seen = [detections(drawn(rng, 10**4, share), drawn(rng, 10**4)) for share in (0.5, 0.01)]
    for records in (pair, seen):
        findings = judge([summarise(record) for record in records], LIMITS)
        assert {finding.reason for finding in findings} == {AbortReason.BASES_NOT_RANDOM}
        assert "in record 0" in findings[0].text
        for record in records:
            assert not reasons(record)
        off = RecordLimits(share_drift=None, prepared_correlation=None, detected_correlation=None)
        assert not reasons(*records, limits=off)
    joined = PreparedPulses(bases=np.concatenate([pair[0].bases, pair[1].bases]), bits=drawn(rng, 2 * 10**5))
    assert reasons(joined) == {AbortReason.BASES_NOT_RANDOM}


@pytest.mark.parametrize(("early", "late"), [(0.5, 0.15), (0.1, 0.3), (0.5, 0.42)])
def test_a_bias_that_changes_within_one_record_is_found(early: float, late: float) -> None:
    """The sample of the test basis does not speak for the key basis then, be the rounds in one record or in two."""
    rng = np.random.default_rng(11)
    bases = np.concatenate([drawn(rng, 150_000, early), drawn(rng, 150_000, late)])
    whole = detections(bases, drawn(rng, bases.size))
    (finding,) = judge([summarise(whole)], LIMITS)
    assert finding.reason is AbortReason.BASES_NOT_RANDOM
    assert "changed between the parts of the records" in finding.text
    assert not judge([summarise(whole)], RecordLimits(share_drift=None))
    drift = np.concatenate([drawn(rng, 30_000, early + place / 1000) for place in range(10)])
    assert not judge([summarise(detections(drift, drawn(rng, drift.size)))], LIMITS)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_bias_that_drifts_as_devices_do_is_no_finding(share: float) -> None:
    rng = np.random.default_rng(6)
    shares = share + 0.05 * share * (1.0 - share) * np.linspace(-1, 1, 50)
    assert not reasons(*(detections(drawn(rng, 30_000, own), drawn(rng, 30_000)) for own in shares))


def decoy_record(rng: np.random.Generator, size: int, probabilities: tuple[float, ...]) -> PreparedPulses:
    labels = rng.choice(len(probabilities), size=size, p=probabilities)
    return PreparedPulses(bases=drawn(rng, size, 0.3), bits=drawn(rng, size), intensities=labels)


def test_intensities_that_are_not_those_of_the_link_are_found() -> None:
    rng = np.random.default_rng(7)
    stated = (0.6, 0.3, 0.1)
    record = decoy_record(rng, 50_000, stated)
    assert not reasons(record, intensity_probabilities=stated)
    assert reasons(record, intensity_probabilities=(0.3, 0.6, 0.1)) == {AbortReason.INTENSITIES_NOT_RANDOM}
    other = decoy_record(rng, 50_000, (0.5, 0.4, 0.1))
    assert reasons(record, other, intensity_probabilities=stated) == {AbortReason.INTENSITIES_NOT_RANDOM}
    labels = np.arange(50_000) % 2
    alternating = PreparedPulses(bases=drawn(rng, 50_000), bits=drawn(rng, 50_000), intensities=labels)
    assert reasons(alternating, intensity_probabilities=(0.5, 0.5)) == {AbortReason.INTENSITIES_NOT_RANDOM}


def test_a_test_probability_that_the_bound_was_told_is_that_of_the_record() -> None:
    rng = np.random.default_rng(8)
    record = PreparedPulses(bases=drawn(rng, 50_000, 0.2), bits=drawn(rng, 50_000))
    assert not reasons(record, test_probability=0.2)
    assert reasons(record, test_probability=0.3) == {AbortReason.BASES_NOT_RANDOM}


@pytest.mark.parametrize("size", [0, 1, 2, 10, 255])
def test_of_few_rounds_nothing_is_said(size: int) -> None:
    rng = np.random.default_rng(size)
    record = detections(drawn(rng, size, 0.01), drawn(rng, size))
    assert not reasons(record)
    assert not reasons(*[record] * 3)


def honest_block(rng: np.random.Generator) -> tuple[RawRecord, ...]:
    """Devices within the limits, of any bias: records of one block, of 256 to a million rounds in all."""
    size = int(2 ** rng.uniform(8, 20))
    test = float(rng.choice([0.01, 0.1, 0.3, 0.5]))
    parts = int(rng.choice([1, 1, 2, 8]))
    ones = rng.uniform(0.4, 0.6, size=2)  # detectors 1:1.5
    kind = int(rng.integers(3))
    records: list[RawRecord] = []
    for _ in range(parts):
        bases = drawn(rng, size // parts, test)
        match kind:
            case 0:
                bits = drawn(rng, bases.size, 0.47 + 0.15 * (ones[0] - 0.4))
                records.append(PreparedPulses(bases=bases, bits=bits))
            case 1:
                records.append(detections(bases, (rng.random(bases.size) < ones[bases]).astype(np.uint8)))
            case _:
                records.append(_recovering_clicks(rng, bases, ones))
    return tuple(records)


def _recovering_clicks(rng: np.random.Generator, bases: np.ndarray, ones: np.ndarray) -> TimeTags:
    """Clicks at random times, each detector blind for a while after its own: 5 % of them are lost."""
    channels = (2 * bases + (rng.random(bases.size) < ones[bases])).astype(np.int64)
    ticks = np.cumsum(rng.exponential(1000.0, bases.size)).astype(np.int64)
    keep = np.ones(bases.size, dtype=bool)
    for detector in range(4):
        own = np.flatnonzero(channels == detector)
        keep[own[1:]] = np.diff(ticks[own]) > 200
    return TimeTags(ticks=ticks[keep], channels=channels[keep], tick_ps=1.0)


def false_alarms(blocks: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    return sum(bool(judge([summarise(record) for record in honest_block(rng)], LIMITS)) for _ in range(blocks))


def test_honest_records_raise_no_alarm() -> None:
    assert false_alarms(60, seed=1) == 0


@pytest.mark.slow
def test_ten_thousand_honest_blocks_raise_no_alarm() -> None:
    assert false_alarms(10_000, seed=2) == 0


@pytest.mark.slow
def test_alarms_are_no_more_frequent_than_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 2^-5 in place of 2^-40: 4,000 blocks raise 125 alarms at most on average, over 200 with probability 1e-9."""
    monkeypatch.setattr(judgement, "FALSE_ALARM_BITS", 5)
    assert false_alarms(4000, seed=3) <= 200


def test_limits_can_be_set_and_switched_off_one_by_one() -> None:
    rng = np.random.default_rng(9)
    lame = tags(rng, 20_000, (1.0, 0.4, 1.0, 1.0))
    assert reasons(lame) == {AbortReason.DETECTOR_UNFIT}
    assert not reasons(lame, limits=RecordLimits(max_ratio=3.0))
    assert not reasons(lame, limits=RecordLimits(max_ratio=None))
    assert RecordLimits(max_ratio=None, share_drift=None).off == ("max_ratio", "share_drift")
    assert LIMITS.off == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_ratio", 0.5), ("share_drift", -0.1), ("prepared_correlation", 1.5), ("min_basis_share", "x")],
)
def test_limits_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        RecordLimits(**{name: value})  # type: ignore[arg-type]


def test_limits_are_part_of_the_link() -> None:
    assert LinkConfig(protocol=qp.BB84()).record_limits == LIMITS
    told = {"protocol": {"kind": "bb84"}, "record_limits": {"max_ratio": 3}}
    assert LinkConfig.from_dict(told).record_limits == RecordLimits(max_ratio=3.0)
    with pytest.raises(ConfigurationError, match="record_limits"):
        LinkConfig(protocol=qp.BB84(), record_limits=None)  # type: ignore[arg-type]


@given(
    st.integers(0, 5000),
    st.integers(1, 5000),
    st.integers(0, 1024),
    st.integers(0, 1024),
    st.lists(st.integers(0, 400), min_size=128, max_size=128),
    st.floats(1.0, 60.0),
)
def test_no_interval_has_to_be_found_where_the_share_alone_shows_nothing(
    ones: int, more: int, low: int, high: int, unlike: list[int], bits: float
) -> None:
    """What is said is what the interval says, whether or not it was looked for."""
    sequence = SequenceHealth(
        length=ones + more,
        ones=ones,
        windows=4,
        min_ones=min(low, high),
        max_ones=max(low, high),
        pairs=400,
        disagreements=np.array(unlike),
    )
    test = partial(judgement._unlike_draws, sequence, 0.05)
    said = judgement._for_any_share(test, ones, ones + more, bits)
    assert said == test(share_interval(ones, ones + more, bits), bits)
