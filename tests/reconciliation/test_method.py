"""Which method "auto" takes: by round-trip time, error rate, processor speed, block size and blocks in flight."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.reconciliation import method
from qkdpost.reconciliation.cascade.correction import CascadePlan
from qkdpost.reconciliation.cascade.parameters import PARAMETER_SETS
from qkdpost.reconciliation.ldpc.codes import code_names, frame_lengths, load_code
from qkdpost.reconciliation.ldpc.correction import LdpcCorrection
from qkdpost.reconciliation.ldpc.disclosure import FAILURE_WIDTHS
from qkdpost.reconciliation.method import (
    CorrectionTask,
    cascade_rounds,
    check_decoder,
    plan_correction,
    uncertainty_permille,
)
from qkdpost.reconciliation.settings import CascadeSet, FirstFailures, FrameBits


def chosen(*, block_bits: int = 2**22, qber_ppm: int = 30_000, in_flight: int = 4, **changes: float) -> str:
    plan = plan_correction(qp.Auto(**changes), task(block_bits, qber_ppm, in_flight))
    return plan.parameters.name if isinstance(plan, CascadePlan) else plan.method


def task(block_bits: int, qber_ppm: int, in_flight: int) -> CorrectionTask:
    return CorrectionTask(
        block_bits=block_bits, qber_ppm=qber_ppm, uncertainty_permille=10, frame_bits=2**16, in_flight=in_flight
    )


@pytest.mark.parametrize(
    ("easier", "harder"),
    [
        ({"round_trip_ms": 1.0}, {"round_trip_ms": 10.0}),
        ({"in_flight": 32}, {"in_flight": 1}),
        ({"block_bits": 2**23}, {"block_bits": 2**20}),
        ({"processor_mbit_per_s": 4.0}, {"processor_mbit_per_s": 100.0}),
    ],
)
def test_cascade_is_taken_where_the_work_hides_its_rounds(easier: dict[str, float], harder: dict[str, float]) -> None:
    """2^22 bits at 20 Mbit/s are 210 ms of work; 171 rounds of 10 ms among 8 blocks wait for 214 ms, 40 for 50."""
    line = {"round_trip_ms": 20.0, "in_flight": 8}
    assert chosen(**line) == "few-rounds"  # type: ignore[arg-type]
    assert chosen(**line | easier) == "balanced"  # type: ignore[arg-type]
    assert chosen(**line | {"in_flight": 1, "block_bits": 2**20} | harder) == "ldpc"  # type: ignore[arg-type]


def test_the_rule_at_its_edges() -> None:
    line = {"round_trip_ms": 20.0, "in_flight": 4, "processor_mbit_per_s": 1.0}
    assert [cascade_rounds(name, 30_000) for name in ("balanced", "few-rounds")] == [171, 40]
    assert [chosen(block_bits=bits, **line) for bits in (427_500, 427_499)] == ["balanced", "few-rounds"]
    assert [chosen(block_bits=bits, **line) for bits in (50_000, 49_999)] == ["few-rounds", "ldpc"]
    rates = {"block_bits": 120_000}
    assert [chosen(qber_ppm=ppm, **rates, **line) for ppm in (83_999, 84_000)] == ["few-rounds", "ldpc"]
    assert chosen(qber_ppm=84_000, block_bits=125_000, **line) == "few-rounds"


def test_more_errors_take_more_rounds() -> None:
    line = {"round_trip_ms": 15.0, "in_flight": 8, "block_bits": 2**22}
    assert [chosen(qber_ppm=rate, **line) for rate in (10_000, 90_000)] == ["balanced", "few-rounds"]  # type: ignore[arg-type]


def test_without_waiting_it_is_cascade_as_it_was_set() -> None:
    assert [chosen(block_bits=bits) for bits in (1000, 0)] == ["balanced", "balanced"]
    plan = plan_correction(qp.Auto(cascade=qp.Cascade(parameters="yan")), task(1000, 30_000, 1))
    assert isinstance(plan, CascadePlan)
    assert (plan.parameters.name, plan.parameters.frame_bits) == ("yan", 1000)


def test_what_no_code_corrects_goes_to_cascade() -> None:
    assert chosen(round_trip_ms=100.0) == "ldpc"
    assert chosen(round_trip_ms=100.0, qber_ppm=400_000) == "balanced"


def test_methods_named_are_taken() -> None:
    for correction in (qp.Cascade(), qp.Ldpc()):
        for in_flight in (1, 256):
            plan = plan_correction(correction, task(2**20, 30_000, in_flight))
            if isinstance(plan, LdpcCorrection):
                assert (correction, plan.method) == (qp.Ldpc(), "ldpc")
                assert plan.number == 1 + code_names().index(plan.plan.code)
                assert plan.plan.uncertainty_permille == 10
            else:
                assert (correction, plan.method, plan.number) == (qp.Cascade(), "cascade", 0)


def test_settings_of_no_method_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="methods cascade, ldpc, auto"):
        plan_correction(object(), task(2**20, 30_000, 1))  # type: ignore[arg-type]


def test_a_defect_of_a_plan_is_not_taken_for_a_missing_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where no code corrects the errors does Cascade step in."""

    def broken(*_: object, **__: object) -> None:
        raise InputError("a defect")

    monkeypatch.setattr(method, "plan_ldpc", broken)
    with pytest.raises(InputError, match="a defect"):
        plan_correction(qp.Ldpc(), task(2**20, 30_000, 1))


def test_an_estimate_of_few_errors_is_provided_for() -> None:
    assert [uncertainty_permille(errors) for errors in (0, 100, 10**6)] == [500, 100, 1]


def test_a_link_offers_the_frame_lengths_that_codes_have() -> None:
    assert {load_code(name).frame_bits for name in code_names()} == set(get_args(FrameBits)) == set(frame_lengths())


def test_choices_that_are_named_are_those_that_there_are() -> None:
    """What is written for a type checker to see repeats a table; here is that it repeats it whole."""
    assert set(get_args(CascadeSet)) == PARAMETER_SETS.keys()
    assert set(get_args(FirstFailures)) == FAILURE_WIDTHS.keys()


def test_a_decoder_that_is_not_here_is_refused_where_it_may_be_needed() -> None:
    check_decoder(qp.Cascade())
    with pytest.raises(ConfigurationError, match="fast"):
        check_decoder(qp.Auto(ldpc=qp.Ldpc(decoder="another")))


@pytest.mark.parametrize("name", PARAMETER_SETS)
def test_rounds_are_about_those_of_cascade(name: CascadeSet) -> None:
    """Within a factor of two; the seeds are fixed."""
    for qber in (0.005, 0.03, 0.08, 0.11):
        rng = np.random.default_rng(3)
        alice = rng.integers(0, 2, 2**21, dtype=np.uint8)
        bob = alice ^ (rng.random(alice.size) < qber)
        rounds = qp.reconcile(alice, bob, qber=qber, parameters=name, seed=bytes(32)).rounds
        assert 0.5 < cascade_rounds(name, round(1e6 * qber)) / rounds < 2.0, (name, qber, rounds)
