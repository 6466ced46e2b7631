"""Constellations: moments against closed forms and high precision, rates against a published system's."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, optimize

from qkdpost.errors import InputError
from qkdpost.security.gaussian.constellations import Constellation
from qkdpost.security.gaussian.covariance import holevo_of_covariance
from qkdpost.security.gaussian.discrete_modulation import (
    asymptotic_discrete_rate,
    constellation_moments,
    mutual_information,
)


def psk_moments(points: int, amplitude: float) -> tuple[float, float]:
    """The state of phase-shift keying is diagonal in sums of every `points`-th number state, which a takes down."""
    photons = amplitude**2
    weights = [
        math.fsum(math.exp(-photons) * photons**n / math.factorial(n) for n in range(k, 150, points))
        for k in range(points)
    ]
    pairs = list(pairwise([weights[-1], *weights]))
    mean = math.fsum(below**1.5 / above**0.5 for below, above in pairs)
    return photons * mean, photons * (math.fsum(below**2 / above for below, above in pairs) - mean**2)


@pytest.mark.parametrize(("points", "amplitude"), [(2, 0.3), (3, 0.5), (4, 0.35), (4, 1.0), (8, 0.4), (8, 1.2)])
def test_moments_of_phase_shift_keying(points: int, amplitude: float) -> None:
    found = constellation_moments(Constellation.psk(points, amplitude))
    correlation, dispersion = psk_moments(points, amplitude)
    assert found.correlation == pytest.approx(correlation, abs=1e-11)
    assert found.dispersion == pytest.approx(dispersion, abs=1e-11)


@pytest.mark.parametrize(
    ("points", "variance", "correlation", "dispersion"),
    # By the Gram matrix of the points, at 60 digits.
    [
        (16, 0.87, 0.788825158979183, 0.00402636082692991),
        (16, 2.0, 1.41102928721897, 0.00803032933615047),
        (64, 3.0, 1.9360825919372, 0.000646999437913692),
    ],
)
def test_moments_of_a_grid(points: int, variance: float, correlation: float, dispersion: float) -> None:
    found = constellation_moments(Constellation.qam(points, variance, shaping="binomial"))
    assert found.correlation == pytest.approx(correlation, abs=1e-12)
    assert found.dispersion == pytest.approx(dispersion, abs=1e-12)


def test_many_points_come_close_to_gaussian_modulation() -> None:
    found = constellation_moments(Constellation.qam(256, 2.0, shaping="binomial"))
    assert found.correlation == pytest.approx(1.414147501, abs=1e-8)
    assert found.correlation < math.sqrt(2.0)
    assert found.dispersion == pytest.approx(0.000113331, abs=1e-8)


BINOMIAL = {"shaping": "binomial"}


@pytest.mark.parametrize(
    ("constellation", "line", "receiver", "expected"),
    # Z, SNR, I, chi, key rate: from an independent program whose dispersions of grids are exact to 1e-8 or so.
    [
        (
            Constellation.psk(4, 0.35),
            (0.5, 0.005, 1.0, 0.0),
            "trusted",
            (0.509475600572, 0.061173533084, 0.085657910848, 0.059349033426, 0.022025981879),
        ),
        (
            Constellation.psk(4, 0.4),
            (0.5, 0.005, 0.7, 0.05),
            "trusted",
            (0.590488040698, 0.053288925895, 0.074899643547, 0.050247375706, 0.020907285663),
        ),
        (
            Constellation.qam(16, 2.0, shaping="binomial"),
            (0.4, 0.01, 0.6, 0.1),
            "trusted",
            (1.776811406804, 0.217944061024, 0.284419812355, 0.199065506572, 0.071133315165),
        ),
        (
            Constellation.qam(64, 3.0, shaping="binomial"),
            (0.4, 0.01, 0.6, 0.1),
            "trusted",
            (2.446697204612, 0.326916091537, 0.408058739486, 0.284282738324, 0.103373064188),
        ),
        (
            Constellation.qam(64, 5.0, shaping="binomial"),
            (0.316, 0.01, 1.0, 0.0),
            "untrusted",
            (3.322853013606, 0.788753769045, 0.838758744190, 0.652729391652, 0.144091415329),
        ),
    ],
)
def test_rates(
    constellation: Constellation,
    line: tuple[float, float, float, float],
    receiver: str,
    expected: tuple[float, ...],
) -> None:
    passed, noise, efficiency, electronic = line
    found = asymptotic_discrete_rate(
        constellation,
        transmittance=passed,
        excess_noise=noise,
        efficiency=efficiency,
        electronic_noise=electronic,
        receiver=receiver,  # type: ignore[arg-type]
    )
    values = (found.correlation, found.signal_to_noise_ratio, found.mutual_information, found.holevo)
    assert (*values, found.bits_per_symbol) == pytest.approx(
        expected, abs=5e-8 if len(constellation.weights) > 16 else 2e-12
    )


@pytest.mark.parametrize(
    ("points", "line", "best", "rate", "binomial"),
    # Hajomer et al., Optica 11, 1197 (2024): a table of asymptotic rates, .048, .035 and .115 bits a symbol.
    [
        (16, (0.87, 0.569, 0.0650, 0.02622), 0.8896, 0.0483828089, 0.041100165895),
        (16, (1.01, 0.618, 0.0495, 0.05187), 0.8574, 0.0369484325, 0.027973723405),
        (64, (1.03, 0.733, 0.0503, 0.0159), 0.5133, 0.1131175372, 0.105939867813),
    ],
)
def test_shaped_grids_of_a_published_system(
    points: int, line: tuple[float, float, float, float], best: float, rate: float, binomial: float
) -> None:
    variance, passed, electronic, noise = line

    def of(constellation: Constellation) -> float:
        return asymptotic_discrete_rate(
            constellation, transmittance=passed, excess_noise=noise, efficiency=0.44, electronic_noise=electronic
        ).bits_per_symbol

    assert of(Constellation.qam(points, variance, concentration=best)) == pytest.approx(rate, abs=2e-9)
    assert of(Constellation.qam(points, variance, shaping="binomial")) == pytest.approx(binomial, abs=1e-7)
    if points == 16:
        found = optimize.minimize_scalar(
            lambda concentration: -of(Constellation.qam(points, variance, concentration=concentration)),
            bounds=(0.3, 2.0),
            method="bounded",
            options={"xatol": 1e-6},
        )
        assert found.x == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize(("ratio", "exact"), [(0.029, 1e-12), (0.2, 1e-11), (1.0, 1e-7)])
def test_information_of_four_phases_is_that_of_two_signs(ratio: float, exact: float) -> None:
    def integrand(z: float) -> float:
        density = math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi)
        return density * math.log2(1.0 + math.exp(-2.0 * ratio - 2.0 * math.sqrt(ratio) * z))

    bits = 1.0 - integrate.quad(integrand, -12.0, 12.0, epsabs=1e-13)[0]
    qpsk = Constellation.psk(4, 1.0)
    assert mutual_information(qpsk, ratio / qpsk.modulation_variance) == pytest.approx(2.0 * bits, abs=exact)


def test_no_constellation_gives_more_than_gaussian_modulation() -> None:
    for noise in (0.0, 0.02):
        for points in (4, 16, 64):
            constellation = Constellation.qam(points, 1.0, concentration=0.7)
            found = asymptotic_discrete_rate(constellation, transmittance=0.4, excess_noise=noise)
            v, w = 2.0, 1.0 + 0.4 * (1.0 + noise)
            least = holevo_of_covariance(
                v, w, math.sqrt(0.4 * 3.0), efficiency=1.0, electronic_noise=0.0, detection="heterodyne"
            )
            assert found.holevo > least - 1e-12
            assert found.mutual_information < math.log2(1.0 + found.signal_to_noise_ratio)


def test_a_constellation_states_what_is_sent() -> None:
    grid = Constellation.qam(16, 2.0, concentration=0.3)
    points, weights = np.array(grid.quadratures), grid.weights
    assert (weights @ points**2).tolist() == pytest.approx([2.0, 2.0])
    assert grid.modulation_variance == pytest.approx(2.0)
    assert Constellation.psk(8, 0.5).mean_photons == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("points", "probabilities"),
    [
        (((1.0, 0.0),), (1.0,)),
        (((1.0, 0.0), (-1.0, 0.0)), (0.6, 0.6)),
        (((1.0, 0.0), (-1.0, 0.0)), (0.6, 0.4)),
        (((1.0, math.nan), (-1.0, 0.0)), (0.5, 0.5)),
        (((50.0, 0.0), (-50.0, 0.0)), (0.5, 0.5)),
        (((0.0, 0.0), (0.0, 0.0)), (0.5, 0.5)),
        ("ab", (0.5, 0.5)),
    ],
)
def test_what_is_no_constellation_is_refused(points: object, probabilities: object) -> None:
    with pytest.raises(InputError):
        Constellation(quadratures=points, probabilities=probabilities)  # type: ignore[arg-type]


def test_a_grid_has_a_power_of_four_points() -> None:
    for points in (5, 9, 32, 36, 2048, 4.0):
        with pytest.raises(InputError, match="points"):
            Constellation.qam(points, 1.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="constellation"):
        asymptotic_discrete_rate("qpsk", transmittance=0.5, excess_noise=0.0)  # type: ignore[arg-type]
