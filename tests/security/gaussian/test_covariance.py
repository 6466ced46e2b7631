"""The Holevo information of a covariance matrix against published closed forms, computed independently."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.security.gaussian.covariance import entropy_of_modes, holevo_of_covariance, symplectic_eigenvalues
from support.eavesdropper import holevo_information

# V_A, T, xi, eta, v: trusted and untrusted receiver, heterodyne, then homodyne detection. From an independent program.
POINTS = [
    ((5, 0.316, 0.01, 0.6, 0.1), (0.402870851722, 0.929099099637, 0.337794632079, 0.648639211904)),
    ((18.5, 0.302, 0.005, 0.606, 0.041), (1.245753978200, 1.537065577876, 0.902043294561, 1.073114746691)),
    ((2.9, 0.35, 0.036, 0.69, 0.0514), (0.311837422924, 0.627226755626, 0.268860547203, 0.448044417532)),
    (
        (8.41, 0.028840315031266057, 0.007350821229593672, 0.68, 0.06272),
        (0.097025520544, 0.443142849286, 0.093302173212, 0.296553620976),
    ),
    ((3, 0.5, 0.02, 0.55, 0.08), (0.311855247043, 0.781290826427, 0.261902984194, 0.538142230710)),
]


def gaussian(variance: float, passed: float, noise: float) -> tuple[float, float, float]:
    v = variance + 1.0
    return v, 1.0 + passed * (variance + noise), math.sqrt(passed * (v * v - 1.0))


@pytest.mark.parametrize(("point", "expected"), POINTS)
def test_gaussian_modulation_as_published(point: tuple[float, ...], expected: tuple[float, ...]) -> None:
    variance, passed, noise, efficiency, electronic = point
    found = [
        holevo_of_covariance(
            *gaussian(variance, passed, noise),
            efficiency=efficiency,
            electronic_noise=electronic,
            detection=detection,
            receiver=receiver,
        )
        for detection in ("heterodyne", "homodyne")
        for receiver in ("trusted", "untrusted")
    ]
    assert found == pytest.approx(expected, abs=3e-12)


@pytest.mark.parametrize("detection", ["heterodyne", "homodyne"])
def test_the_detector_purified_in_full(detection: str) -> None:
    """A receiver of efficiency eta and noise v, purified mode by mode, is the beam splitter of eta / (1 + v)."""
    rng = np.random.default_rng(1)
    for _ in range(200):
        variance, passed, noise = rng.uniform(0.1, 20.0), rng.uniform(0.01, 1.0), rng.uniform(0.0, 0.2)
        efficiency, electronic = rng.uniform(0.1, 0.99), rng.uniform(0.0, 0.5)
        found = holevo_of_covariance(
            *gaussian(variance, passed, noise),
            efficiency=efficiency,
            electronic_noise=electronic,
            detection=detection,  # type: ignore[arg-type]
        )
        expected = holevo_information(
            modulation_variance=variance,
            transmittance=passed,
            excess_noise=noise,
            efficiency=efficiency,
            electronic_noise=electronic,
            detection=detection,
        )
        assert found == pytest.approx(expected, abs=1e-9)


def test_nobody_listens_to_a_line_without_loss_and_noise() -> None:
    found = holevo_of_covariance(*gaussian(4.0, 1.0, 0.0), efficiency=0.7, electronic_noise=0.1, detection="heterodyne")
    assert found == pytest.approx(0.0, abs=1e-9)


def test_less_correlation_gives_the_eavesdropper_more() -> None:
    v, w, z = gaussian(3.0, 0.4, 0.01)
    found = [
        holevo_of_covariance(v, w, share * z, efficiency=0.6, electronic_noise=0.1, detection="heterodyne")
        for share in (1.0, 0.99, 0.9, 0.5, 0.0)
    ]
    assert found == sorted(found)
    negative = holevo_of_covariance(v, w, -z, efficiency=0.6, electronic_noise=0.1, detection="heterodyne")
    assert negative == pytest.approx(found[0], abs=1e-12)


def test_symplectic_eigenvalues_of_known_states() -> None:
    squeezed = np.diag([0.2, 3.0]), np.diag([5.0, 3.0])
    assert symplectic_eigenvalues(*squeezed) == pytest.approx([3.0, 1.0])
    assert entropy_of_modes(np.array([3.0, 1.0])) == pytest.approx(2.0)  # a thermal state of one photon


@pytest.mark.parametrize(
    "change",
    [
        {"variance": 0.9},
        {"variance": math.nan},
        {"output_variance": 0.5},
        {"correlation": 4.0},
        {"correlation": math.inf},
        {"efficiency": 0.0},
        {"efficiency": 1.1},
        {"electronic_noise": -0.1},
        {"detection": "both"},
        {"receiver": "half"},
    ],
)
def test_what_is_no_state_is_refused(change: dict[str, object]) -> None:
    v, w, z = gaussian(3.0, 0.4, 0.01)
    good = {"variance": v, "output_variance": w, "correlation": z, "efficiency": 0.6, "electronic_noise": 0.1}
    with pytest.raises(InputError, match=r"must be|uncertainty"):
        holevo_of_covariance(**(good | {"detection": "heterodyne"} | change))  # type: ignore[arg-type]
