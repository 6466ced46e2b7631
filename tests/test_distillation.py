"""Whole distillations, on recorded data too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.sifting.tag_files import load_time_tags
from support.link import bb84_records, small_link

TICK_PS = 78.125
WINDOW_PS = 8 * TICK_PS
DEAD_TIME_PS = 300 * TICK_PS


def kwiat(directory: Path, *, window_ps: float = WINDOW_PS, concentration: Any = "hypergeometric") -> qp.Distillation:
    alice, bob = load_time_tags(directory / "kwiat_bbm92_timetags" / "Alice1_Bob1_with_delays.txt", TICK_PS)
    protocol = qp.BBM92TimeTags(dead_time_ps=DEAD_TIME_PS, coincidence_window_ps=window_ps)
    return qp.distill(alice, bob, qp.LinkConfig(protocol=protocol, security=qp.Security(concentration=concentration)))


def test_time_tags_of_the_laboratory_give_a_key(data_directory: Path) -> None:
    result = kwiat(data_directory)
    report = result.report
    # Of the known 17,487, 7,855 and 1,911, some four in a hundred follow another click by less than the dead time.
    assert report.rounds == pytest.approx(0.96 * 17_487, rel=0.01)
    assert report.sifted_key_bits == pytest.approx(0.96 * 7_855, rel=0.015)
    assert report.sifted_test_bits == pytest.approx(0.96 * 1_911, rel=0.03)
    assert report.key_errors is not None
    key_errors = report.key_errors + report.setup_errors
    # Double clicks got random bits, which the known 4.95 % and 1.20 % did not.
    assert 0.0485 < key_errors / report.sifted_key_bits < 0.0535
    assert 0.0100 < report.qber_test < 0.0180
    assert report.secret is not None
    assert report.secret.bits >= 2_000
    assert len(result.key) == report.key_length_bits == report.secret.bits - report.authentication_bits


def test_serfling_leaves_far_less_of_the_same_tags(data_directory: Path) -> None:
    secret = kwiat(data_directory, concentration="serfling").report.secret
    assert secret is not None
    assert 500 < secret.bits < 1_100


def test_the_window_is_found_from_the_data(data_directory: Path) -> None:
    report = kwiat(data_directory, window_ps=0.0).report
    assert report.rounds > 16_000
    assert report.secret is not None
    assert report.secret.bits >= 2_000


@pytest.mark.parametrize("run", ["run01_longdist10", "run05_longdist20"])
def test_errors_in_their_recorded_order(data_directory: Path, run: str) -> None:
    stored = np.load(data_directory / "weihs1998" / "sifted_error_flags.npz")
    bases, errors = stored[f"{run}_basis"], stored[f"{run}_err"]
    bits = np.random.default_rng(5).integers(0, 2, bases.size, dtype=np.uint8)
    alice, bob = (
        qp.Detections(pulses=bases.size, slots=np.arange(bases.size), bases=bases, outcomes=outcomes)
        for outcomes in (bits, bits ^ errors)
    )
    result = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BBM92()))
    report = result.report
    assert report.key_errors + report.setup_errors + report.test_errors == errors.sum()
    assert report.dropped_frames == 0
    assert len(result.key) > 0
    print(f"{run}\n{report}")


def test_time_tags_without_common_events_say_so() -> None:
    rng = np.random.default_rng(3)
    tags = [
        qp.TimeTags(ticks=np.sort(rng.integers(0, 10**9, 3000)), channels=rng.integers(0, 4, 3000), tick_ps=100.0)
        for _ in range(2)
    ]
    result = qp.distill(*tags, qp.LinkConfig(protocol=qp.BBM92TimeTags()))
    assert len(result.key) == 0
    assert result.report.abort_reason == "no_coincidences"


def test_several_records_and_progress() -> None:
    records = [bb84_records(seed=seed) for seed in range(3)]
    seen: list[object] = []
    told: list[tuple[str, int, int | None]] = []
    result = qp.distill(
        [alice for alice, _ in records],
        [bob for _, bob in records],
        small_link(blocks={"detections": 8000}),
        on_event=seen.append,
        progress=lambda *said: told.append(said),
    )
    assert len(result.reports) == len(result.peer_reports) == 3
    assert len(result.key) == sum(report.key_length_bits for report in result.reports)
    assert sum(isinstance(event, qp.KeyReady) for event in seen) == 3
    stages = [event for event in seen if isinstance(event, qp.StageCompleted)]
    assert told[-1][1] == len(stages) > 0
    assert {what for what, _, _ in told if "has its key" in what} == {
        f"block {block} has its key; stages done" for block in range(3)
    }
    assert f"block {stages[0].block}, {stages[0].stage}; stages done" == told[0][0]


def test_the_report_is_readable_and_json() -> None:
    result = qp.distill(*bb84_records(), small_link())
    text = str(result.report)
    for word in ("QBER", "leakage charged", "key delivered", "variable-length", "coherent"):
        assert word in text
    again = json.loads(json.dumps(result.report.to_dict()))
    assert again["key_length_bits"] == len(result.key)
    assert again["secret"]["bits"] == result.report.secret.bits  # type: ignore[union-attr]


def test_no_key_shows_in_anything_printed() -> None:
    result = qp.distill(*bb84_records(), small_link())
    digits = "".join(str(bit) for bit in np.asarray(result.key)[:24])
    printed = repr(result) + str(result) + repr(result.report) + str(result.report)
    assert repr(result) == f"Distillation(key_bits={len(result.key)}, blocks={len(result.reports)})"
    assert digits not in printed
    assert result.key.to_bytes()[:4].hex() not in printed


def test_unequal_numbers_of_records_are_refused() -> None:
    alice, bob = bb84_records()
    with pytest.raises(qp.InputError, match="as many"):
        qp.distill([alice, alice], [bob], small_link())


def test_what_distill_takes_is_said() -> None:
    alice, bob = bb84_records(qber=0.01, seed=1)
    link = small_link()
    for arguments, message in (
        ((alice, bob, "bb84"), r"link must be a LinkConfig; found 'bb84'. distill takes a LinkConfig"),
        (("records", bob, link), r"the records of alice must be a sequence of PreparedPulses; found 'records'"),
        ((alice, None, link), r"the records of bob must be a sequence of Detections; found None"),
        ((alice, [bob, 3], link), r"the records of bob must be of Detections; found 3"),
    ):
        with pytest.raises(qp.InputError, match=message):
            qp.distill(*arguments)  # type: ignore[arg-type]
    for functions in ({"random_source": 1}, {"on_event": "print"}):
        with pytest.raises(qp.InputError, match="must be functions"):
            qp.distill(alice, bob, link, **functions)  # type: ignore[arg-type]
