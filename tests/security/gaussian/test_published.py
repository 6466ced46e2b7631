"""Published rates come out as published; and may not be the bound of a session."""

from __future__ import annotations

import pytest

from qkdpost.errors import ConfigurationError
from qkdpost.security.gaussian.published import lgg_rate, york_rate
from qkdpost.security.gaussian.settings import GaussianBoundSettings


def test_hundred_kilometres() -> None:
    """Sci. Adv. 10, eadi9474: 25.4 kbit/s at 100 MBd with 59 % of frames lost, if outcomes had no detector's noise."""
    t = 10**-1.54
    link = {
        "efficiency": 0.68,
        "electronic_noise": 0.06272,
        "detection": "heterodyne",
        "reconciliation_efficiency": 0.925,
    }
    block = {"key_symbols": 950_000_000, "estimation_reals": 1_900_000_000}
    ideal = lgg_rate(8.41, t, 0.212e-3 / t, **link, **block, detector_noise=False)  # type: ignore[arg-type]
    assert ideal.bits_per_symbol * 0.41 * 1e5 == pytest.approx(25.412, abs=6e-4)
    real = lgg_rate(8.41, t, 0.212e-3 / t, **link, **block)  # type: ignore[arg-type]
    assert real.bits_per_symbol == pytest.approx(-9.1e-4, abs=1e-5)
    assert not ideal.rigorous


def test_york() -> None:
    found = york_rate(
        18.5,
        0.302,
        0.005,
        efficiency=0.606,
        electronic_noise=0.041,
        detection="homodyne",
        reconciliation_efficiency=0.95,
        symbols=10**9,
        disclosed_symbols=10**8,
        bits_per_quadrature=7,
        success=0.95,
    )
    assert found.transmittance == pytest.approx(0.3017768329, abs=1e-10)
    assert found.excess_noise == pytest.approx(0.0103702022, abs=1e-10)
    assert found.holevo_information == pytest.approx(0.9071371612, abs=1e-10)
    assert found.bits_per_symbol == pytest.approx(0.06866938195, abs=1e-11)


@pytest.mark.parametrize("name", ["york", "lgg-2010"])
def test_they_give_no_key(name: str) -> None:
    with pytest.raises(ConfigurationError, match="it gives no key"):
        GaussianBoundSettings(modulation_variance=4.0, efficiency=0.6, bound=name)


@pytest.mark.parametrize("name", ["coherent", "general"])
def test_general_attacks_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ConfigurationError, match="energy test"):
        GaussianBoundSettings(modulation_variance=4.0, efficiency=0.6, attacks=name)  # type: ignore[arg-type]
