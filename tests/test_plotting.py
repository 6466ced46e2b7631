from __future__ import annotations

import matplotlib
import pytest

import qkdpost as qp
from support.link import bb84_records, small_link

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def reports() -> tuple[qp.BlockReport, ...]:
    records = [bb84_records(qber=qber, seed=seed) for seed, qber in enumerate((0.01, 0.02, 0.3))]
    result = qp.distill([a for a, _ in records], [b for _, b in records], small_link(block_detections=8000))
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
    curves = {"decoy": qp.planning.rate_curve(link, distances_km=[10.0, 60.0], pulses=10**10, most_evaluations=40)}
    axes = qp.plotting.plot_key_rates(curves)
    rates, endless, limit = (line.get_ydata() for line in axes.lines)
    assert rates[0] > rates[1] > 0
    for finite, asymptotic, most in zip(rates, endless, limit, strict=True):
        assert finite < asymptotic < most


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(qp.InputError):
        qp.plotting.plot_key_rates({})
