from __future__ import annotations

from typing import Any

import matplotlib
import pytest

import qkdpost as qp
from support.link import bb84_records, small_link

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def reports() -> tuple[qp.BlockReport, ...]:
    records = [bb84_records(qber=qber, seed=seed) for seed, qber in enumerate((0.01, 0.02, 0.3))]
    result = qp.distill([a for a, _ in records], [b for _, b in records], small_link(blocks={"detections": 8000}))
    return result.reports


def test_the_waterfall_ends_at_the_secret_length(reports: tuple[qp.BlockReport, ...]) -> None:
    secret = reports[0].secret
    assert secret is not None
    axes = qp.plotting.plot_terms(secret)
    assert axes.patches[-1].get_height() == secret.bits
    assert len(axes.patches) == len(secret.terms) + 1


def test_error_rates_of_all_blocks(reports: tuple[qp.BlockReport, ...]) -> None:
    axes = qp.plotting.plot_qber(reports)
    test, key, lost = axes.lines
    assert len(test.get_xdata()) == 3
    assert len(key.get_xdata()) >= 2
    assert len(lost.get_xdata()) == 1


def test_rates_fall_with_distance_and_stay_below_the_limit() -> None:
    link = qp.planning.DecoyBB84Link()
    curves = {"decoy": qp.planning.rate_curve(link, distances_km=[10.0, 60.0], pulses=10**10, max_evaluations=40)}
    axes = qp.plotting.plot_key_rates(curves)
    rates, endless, limit = (line.get_ydata() for line in axes.lines)
    assert rates[0] > rates[1] > 0
    for finite, asymptotic, most in zip(rates, endless, limit, strict=True):
        assert finite < asymptotic < most


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(qp.InputError):
        qp.plotting.plot_key_rates({})


def _report(**fields: object) -> qp.BlockReport:
    return qp.BlockReport(block=0, role="alice", kind="bb84", **fields)  # type: ignore[arg-type]


def test_blocks_without_errors_are_drawn_and_unknown_rates_are_not() -> None:
    """Blocks of no key error at all were left out, and blocks where nothing was tested were drawn at 0 %."""
    clean = _report(test_bits=100, test_errors=0, key_bits=1000, key_errors=0)
    untold = _report(test_bits=100, test_errors=2, key_bits=1000, key_errors=None)
    lost = _report(abort_reason="records_disagree")
    test, key, no_key = qp.plotting.plot_qber([clean, untold, lost, clean]).lines
    assert (list(test.get_xdata()), list(test.get_ydata())) == ([0, 1, 3], [0.0, 2.0, 0.0])
    assert (list(key.get_xdata()), list(key.get_ydata())) == ([0, 3], [0.0, 0.0])
    assert list(no_key.get_xdata()) == [2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda plot: plot.plot_key_rates([1, 2]), r"Write \{'name': curve\}"),
        (lambda plot: plot.plot_key_rates({"a": 1}), r"the curve 'a' must be a sequence of Plan; found 1"),
        (lambda plot: plot.plot_key_rates({"a": [1]}), r"must be a Plan; found 1"),
        (lambda plot: plot.plot_key_rates({"a": []}), r"at least one plan"),
        (lambda plot: plot.plot_key_rates(None), r"found None"),
        (lambda plot: plot.plot_qber(None), r"reports must be a sequence of BlockReport; found None"),
        (lambda plot: plot.plot_qber([0.1]), r"must be a BlockReport; found 0.1"),
        (lambda plot: plot.plot_qber([], axes="x"), r"axes must be those of matplotlib; found 'x'"),
        (lambda plot: plot.plot_terms(0), r"secret must be a SecretLength; found 0"),
    ],
)
def test_what_cannot_be_drawn_says_what_to_give(call: Any, message: str) -> None:
    with pytest.raises(qp.InputError, match=message):
        call(qp.plotting)
