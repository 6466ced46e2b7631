"""The ways of a newcomer, typed as a page shows them: from own arrays, counts and tags to a key or its length."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import qkdpost as qp
from qkdpost.errors import InputError

RNG = np.random.default_rng(8)
PULSES = 2**18
BASES, BITS = RNG.random(PULSES) < 0.5, RNG.integers(0, 2, PULSES)
SEEN = RNG.random(PULSES) < 0.2
BOBS_BASES = RNG.random(PULSES) < 0.5
FLIPPED = RNG.random(PULSES) < 0.01
OUTCOMES = np.where(SEEN, np.where(BASES == BOBS_BASES, BITS ^ FLIPPED, RNG.integers(0, 2, PULSES)), -1)
LINK = qp.LinkConfig(protocol=qp.BB84())


def test_own_arrays_to_a_key_in_five_lines() -> None:
    alice = qp.PreparedPulses(BASES, BITS)
    bob = qp.Detections.from_outcomes(OUTCOMES, bases=BOBS_BASES)
    link = qp.LinkConfig(protocol=qp.BB84())
    result = qp.distill(alice, bob, link)
    assert len(result.key) > 1000, result.report


def test_columns_of_a_data_frame_to_a_key() -> None:
    frame = pd.DataFrame({"alice_basis": BASES.astype(int), "alice_bit": BITS, "bob_basis": BOBS_BASES.astype(int)})
    frame["bob"] = pd.Series(OUTCOMES, dtype="Int64").replace(-1, pd.NA)
    alice = qp.PreparedPulses(frame.alice_basis, frame.alice_bit)
    bob = qp.Detections.from_outcomes(frame.bob, bases=frame.bob_basis)
    assert bob == qp.Detections.from_outcomes(OUTCOMES, bases=BOBS_BASES)
    assert alice == qp.PreparedPulses(BASES, BITS)


def test_counts_to_a_length_in_three_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("counts.csv").write_text(
        "mu,probability,key_counts,test_counts,test_errors\n"
        "0.5,0.7,28000000,3500000,35000\n0.1,0.2,1600000,200000,2100\n0,0.1,12000,1500,750\n"
    )
    tally = qp.DecoyTally.from_counts("counts.csv")
    leakage_bits = qp.security.expected_leakage(tally.key_bits, tally.error_rate)
    length = qp.security.decoy_bb84.secret_length(tally, leakage_bits=leakage_bits, epsilon=1e-10)
    assert length.bits > 5_000_000


def write_tags(folder: Path) -> None:
    receiver = qp.simulation.TaggingReceiver(transmittance=0.5)
    alice, bob = qp.simulation.bbm92_time_tags(duration_s=0.4, pair_rate_hz=4e5, rng=3, alice=receiver, bob=receiver)
    for name, tags in (("alice.txt", alice), ("bob.csv.gz", bob)):
        late = tags.ticks + (2_500_000_000_000 if name.startswith("bob") else 0)  # his tagger was started 2.5 s before
        columns = {"channel": tags.channels, "time": late} if name.startswith("a") else {"t": late, "ch": tags.channels}
        pd.DataFrame(columns).to_csv(folder / name, sep=" " if name.startswith("a") else ",", index=False)


def test_two_files_of_tags_to_a_key_in_five_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tags(tmp_path)
    monkeypatch.chdir(tmp_path)
    alice = qp.sifting.load_own_time_tags("alice.txt", 1.0, header_lines=1)
    bob = qp.sifting.load_own_time_tags("bob.csv.gz", 1.0, columns=(1, 0), delimiter=",", header_lines=1)
    link = qp.LinkConfig(protocol=qp.BBM92TimeTags())
    result = qp.distill(alice, bob, link)
    assert len(result.key) > 1000, result.report
    assert result.totals.seconds == pytest.approx(0.4, rel=0.01)
    assert result.totals.bits_per_second == pytest.approx(len(result.key) / 0.4, rel=0.01)


def test_where_to_look_for_the_other_clock_is_a_setting_of_the_link(tmp_path: Path) -> None:
    receiver = qp.simulation.TaggingReceiver(transmittance=0.5)
    alice, bob = qp.simulation.bbm92_time_tags(duration_s=0.2, pair_rate_hz=2e5, rng=3, alice=receiver, bob=receiver)
    late = qp.TimeTags(bob.ticks + 10**9, bob.channels, bob.tick_ps)
    narrow = qp.distill(alice, late, qp.LinkConfig(protocol=qp.BBM92TimeTags(clock_search_ps=1e8)))
    assert "clock_search_ps" in (narrow.report.abort_detail or ""), narrow.report.abort_detail
    assert "clock_search_ps" in (narrow.peer_reports[0].abort_detail or "")
    assert len(qp.distill(alice, late, LINK_OF_TAGS).key) > 0


LINK_OF_TAGS = qp.LinkConfig(protocol=qp.BBM92TimeTags(clock_search_ps=1e10))


def of_bob(**changes: Any) -> qp.Detections:
    slots = np.flatnonzero(SEEN)
    arrays = {"slots": slots, "bases": BOBS_BASES[slots], "outcomes": OUTCOMES[slots]}
    return qp.Detections(PULSES, **arrays | changes)


@pytest.mark.parametrize(
    ("bob", "hint"),
    [
        (lambda: of_bob(outcomes=1 - OUTCOMES[SEEN]), "nearly all outcomes differ: name the detectors of one side"),
        (lambda: of_bob(slots=(np.flatnonzero(SEEN) + 1) % PULSES if not SEEN[-1] else None), "records are shifted"),
        (lambda: of_bob(bases=~BOBS_BASES[SEEN]), "the bases mean different things"),
        (of_bob, r"with test='sample' most of them make key, too"),
        (
            lambda: of_bob(outcomes=OUTCOMES[SEEN] ^ BOBS_BASES[SEEN]),
            "nearly all outcomes of the test basis differ: name its two detectors",
        ),
    ],
    ids=["inverted", "shifted", "bases exchanged", "test", "one basis inverted"],
)
def test_both_reports_say_what_the_counts_point_to(bob: Callable[[], qp.Detections], hint: str) -> None:
    result = qp.distill(qp.PreparedPulses(BASES, BITS), bob(), LINK)
    for report in (result.report, result.peer_reports[0]):
        assert hint in " ".join(report.hints), str(report)
        assert "hint" in str(report)


def test_what_was_not_measured_is_not_a_number() -> None:
    nothing = qp.Detections.from_outcomes(np.full(PULSES, -1), bases=np.zeros(PULSES))
    report = qp.distill(qp.PreparedPulses(BASES, BITS), nothing, LINK).report
    assert {report.to_dict()[name] for name in ("qber_test", "qber_key", "efficiency")} == {None}
    assert "QBER of test rounds               not measured" in str(report)
    assert (report.pulses, report.bits_per_pulse, report.abort_reason) == (PULSES, 0.0, "too_few_bits")


def test_records_without_intensities_are_refused_where_the_link_has_some() -> None:
    session = qp.Session(
        role="alice",
        link=qp.LinkConfig(protocol=qp.DecoyBB84(intensities=(0.5, 0.1), probabilities=(0.7, 0.3))),
        auth_key=qp.KeyPool(bytes(range(200))),
    )
    with pytest.raises(InputError, match=r"the record has no intensities.*PreparedPulses\(intensities=\.\.\.\)"):
        session.submit(qp.PreparedPulses([0, 1], [0, 1]))


def test_a_source_of_random_bytes_makes_a_distillation_repeatable() -> None:
    alice, bob = qp.PreparedPulses(BASES, BITS), of_bob()
    keys = [qp.distill(alice, bob, LINK, random_source=np.random.default_rng(1).bytes).key for _ in range(2)]
    assert keys[0] == keys[1] != qp.distill(alice, bob, LINK).key


def test_totals_are_those_of_all_blocks() -> None:
    records = [(qp.PreparedPulses(BASES, BITS), of_bob()) for _ in range(3)]
    link = qp.LinkConfig(protocol=qp.BB84(), blocks=qp.Blocks(detections=records[0][1].events))
    result = qp.distill(*map(list, zip(*records, strict=True)), link, repetition_rate_hz=1e6)
    totals = result.totals
    assert (totals.blocks, totals.blocks_with_key, totals.pulses) == (3, 3, 3 * PULSES)
    assert totals.key_length_bits == len(result.key) == sum(report.key_length_bits for report in result.reports)
    assert totals.bits_per_pulse == len(result.key) / (3 * PULSES)
    assert totals.bits_per_second == pytest.approx(1e6 * totals.bits_per_pulse)
    assert totals.qber_key == pytest.approx(0.01, rel=0.2)
    stored = json.loads(json.dumps(result.to_dict()))
    assert stored["totals"]["key_length_bits"] == len(result.key)
    assert len(pd.DataFrame(stored["reports"])) == len(stored["peer_reports"]) == 3
    assert pd.DataFrame([totals.to_dict()]).bits_per_second[0] == totals.bits_per_second
    assert f"{len(result.key):,} bits" in str(result).split("all blocks\n")[1]
    assert qp.Totals.of(result.reports, seconds=10.0).bits_per_second == len(result.key) / 10.0
