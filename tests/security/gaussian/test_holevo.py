"""Closed forms of the Holevo information, against vectors, symplectic eigenvalues and what must hold of any."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.security.gaussian.covariance import holevo_of_covariance
from qkdpost.security.gaussian.holevo import asymptotic_rate, holevo_information, holevo_of_gain, mutual_information

POINTS = {
    "P1": (5, 0.316, 0.01, 0.6, 0.1),
    "P2": (18.5, 0.302, 0.005, 0.606, 0.041),
    "P3": (2.9, 0.35, 0.036, 0.69, 0.0514),
    "P4": (8.41, 0.028840315031266057, 0.007350821229593672, 0.68, 0.06272),
    "P5": (3, 0.5, 0.02, 0.55, 0.08),
}
# I, chi of a trusted and of an untrusted receiver, heterodyne and homodyne: from covariance matrices in other programs.
VECTORS = {
    "P1": ((0.516557866882, 0.402870851722, 0.929099099637), (0.447781326358, 0.337794632079, 0.648639211904)),
    "P2": ((1.392577308793, 1.245753978200, 1.537065577876), (1.043649648733, 0.902043294561, 1.073114746691)),
    "P3": ((0.413252408879, 0.311837422924, 0.627226755626), (0.365873569676, 0.268860547203, 0.448044417532)),
    "P4": ((0.107813355414, 0.097025520544, 0.443142849286), (0.104056915599, 0.093302173212, 0.296553620976)),
    "P5": ((0.465686545200, 0.311855247043, 0.781290826427), (0.407795265871, 0.261902984194, 0.538142230710)),
}

VARIANCES = st.floats(-2, 1.5).map(lambda power: 10.0**power)
TRANSMITTANCES = st.floats(-3.5, 0).map(lambda power: 10.0**power)
NOISES = st.floats(-7, -0.5).map(lambda power: 10.0**power)
EFFICIENCIES = st.floats(0.2, 1.0)
ELECTRONIC = st.floats(0.0, 0.5)
DETECTIONS = st.sampled_from(["heterodyne", "homodyne"])


@pytest.mark.parametrize("name", POINTS)
def test_vectors(name: str) -> None:
    v_a, t, xi, eta, v = POINTS[name]
    for detection, (information, trusted, untrusted) in zip(("heterodyne", "homodyne"), VECTORS[name], strict=True):
        devices: dict[str, Any] = {"efficiency": eta, "electronic_noise": v, "detection": detection}
        assert mutual_information(v_a, t, xi, **devices) == pytest.approx(information, abs=1e-12)
        assert holevo_information(v_a, t, xi, **devices) == pytest.approx(trusted, abs=1e-12)
        assert holevo_information(v_a, t, xi, **devices, receiver="untrusted") == pytest.approx(untrusted, abs=1e-12)
        rate = asymptotic_rate(v_a, t, xi, **devices, reconciliation_efficiency=0.95)
        assert rate == pytest.approx(0.95 * information - trusted, abs=2e-12)


# Phys. Rev. Lett. 125, 010502: dB, V_A, xi, v, beta; homodyne, efficiency 0.6134; the rate in another program.
ZHANG = [
    (4.36, 14.37, 0.0015, 0.1216, 0.95, 0.1242458853),
    (8.29, 14.14, 0.0033, 0.1881, 0.95, 0.02787230156),
    (11.68, 14.12, 0.0049, 0.2411, 0.96, 0.01088940346),
    (15.89, 14.53, 0.0063, 0.1893, 0.96, 0.003245949183),
    (23.46, 14.23, 0.0086, 0.2717, 0.96, 0.0004096430426),
    (32.45, 7.65, 0.0081, 0.1523, 0.98, 0.00012966105),
]


@pytest.mark.parametrize(("loss", "v_a", "xi", "v", "beta", "rate"), ZHANG)
def test_a_published_table(loss: float, v_a: float, xi: float, v: float, beta: float, rate: float) -> None:
    found = asymptotic_rate(
        v_a,
        10 ** (-loss / 10),
        xi,
        efficiency=0.6134,
        electronic_noise=v,
        detection="homodyne",
        reconciliation_efficiency=beta,
    )
    assert found == pytest.approx(rate, rel=2e-9)


HAJOMER = [  # Optica 11, 1197 (2024), Gaussian instead of the constellation: V_A, T, v, xi; heterodyne, efficiency 0.44
    (0.87, 0.569, 0.0650, 0.02622, 0.0562116852),
    (1.01, 0.618, 0.0495, 0.05187, 0.0494452315),
    (0.93, 0.702, 0.0676, 0.07183, 0.0374419047),
    (1.03, 0.733, 0.0503, 0.0159, 0.1136314945),
]


@pytest.mark.parametrize(("v_a", "t", "v", "xi", "rate"), HAJOMER)
def test_another_published_table(v_a: float, t: float, v: float, xi: float, rate: float) -> None:
    found = asymptotic_rate(
        v_a, t, xi, efficiency=0.44, electronic_noise=v, detection="heterodyne", reconciliation_efficiency=0.95
    )
    assert found == pytest.approx(rate, abs=1e-10)


@settings(max_examples=200, deadline=None)
@given(VARIANCES, TRANSMITTANCES, NOISES, EFFICIENCIES, ELECTRONIC, DETECTIONS, st.booleans())
def test_closed_forms_are_those_of_the_covariance_matrix(
    v_a: float, t: float, xi: float, eta: float, v: float, detection: Any, trusted: bool
) -> None:
    receiver: Any = "trusted" if trusted else "untrusted"
    devices: dict[str, Any] = {"efficiency": eta, "electronic_noise": v, "detection": detection, "receiver": receiver}
    twin = holevo_of_covariance(1 + v_a, 1 + t * (v_a + xi), math.sqrt(t * v_a * (v_a + 2)), **devices)
    assert holevo_information(v_a, t, xi, **devices) == pytest.approx(twin, abs=1e-10)


def entropy(nu: Decimal) -> Decimal:
    up, down = (nu + 1) / 2, (nu - 1) / 2
    return (up * up.ln() - down * down.ln() if down > 0 else Decimal(0)) / Decimal(2).ln()


def literal(v_a: float, t: float, xi: float, eta: float, heterodyne: bool) -> float:
    """The formulas as printed, for v = 0, in 60 digits: A, B, C and D of the symplectic eigenvalues."""
    getcontext().prec = 60
    va, tt, x, e = (Decimal(value) for value in (v_a, t, xi, eta))
    v, line = va + 1, 1 / tt - 1 + x
    detector = (2 - e) / e if heterodyne else (1 - e) / e
    total = line + detector / tt
    a = v * v * (1 - 2 * tt) + 2 * tt + tt * tt * (v + line) ** 2
    b = tt * tt * (v * line + 1) ** 2
    if heterodyne:
        c = a * detector**2 + b + 1 + 2 * detector * (v * b.sqrt() + tt * (v + line)) + 2 * tt * (v * v - 1)
        c /= (tt * (v + total)) ** 2
        d = ((v + b.sqrt() * detector) / (tt * (v + total))) ** 2
    else:
        c = (a * detector + v * b.sqrt() + tt * (v + line)) / (tt * (v + total))
        d = b.sqrt() * (v + b.sqrt() * detector) / (tt * (v + total))

    def pair(total: Decimal, product: Decimal) -> Decimal:
        root = max(Decimal(0), total * total - 4 * product).sqrt()
        return entropy(((total + root) / 2).sqrt()) + entropy(max(Decimal(1), (total - root) / 2).sqrt())

    return float(pair(a, b) - pair(c, d))


@settings(max_examples=60, deadline=None)
@given(VARIANCES, TRANSMITTANCES, st.floats(-12, -0.5).map(lambda power: 10.0**power), EFFICIENCIES, st.booleans())
def test_stable_where_eigenvalues_come_near_one(v_a: float, t: float, xi: float, eta: float, heterodyne: bool) -> None:
    found = holevo_information(
        v_a, t, xi, efficiency=eta, electronic_noise=0.0, detection="heterodyne" if heterodyne else "homodyne"
    )
    assert found == pytest.approx(literal(v_a, t, xi, eta, heterodyne), abs=2e-12)


@settings(max_examples=200, deadline=None)
@given(VARIANCES, TRANSMITTANCES, NOISES, EFFICIENCIES, ELECTRONIC, DETECTIONS)
def test_what_must_hold(v_a: float, t: float, xi: float, eta: float, v: float, detection: Any) -> None:
    def chi(t: float, xi: float, eta: float, v: float, receiver: Any = "trusted") -> float:
        return holevo_information(
            v_a, t, xi, efficiency=eta, electronic_noise=v, detection=detection, receiver=receiver
        )

    here = chi(t, xi, eta, v)
    assert here == pytest.approx(chi(t, xi, eta / (1 + v), 0.0), abs=1e-12)
    assert chi(t, xi, eta, v, "untrusted") >= here - 1e-12
    assert chi(t, xi * 1.1, eta, v) >= here - 1e-12
    # At the same data, gain and noise, more efficiency and less electronic noise leave less to the laboratory.
    q = 2.0 if detection == "heterodyne" else 1.0
    gain, noise = math.sqrt(eta * t / q / (1 + v)), 1 + eta * t * xi / q / (1 + v)
    same = holevo_of_gain(v_a, gain, noise, eta / (1 + v), detection)
    assert same == pytest.approx(here, abs=1e-9)
    assert holevo_of_gain(v_a, gain, noise, min(1.0, 1.05 * eta / (1 + v)), detection) >= same - 1e-11
    assert holevo_of_gain(v_a, gain, noise + 0.001, eta / (1 + v), detection) >= same - 1e-11


def test_heterodyne_information_is_twice_that_of_either_half() -> None:
    both = mutual_information(5, 0.3, 0.01, efficiency=0.6, electronic_noise=0.1, detection="heterodyne")
    half = mutual_information(5, 0.15, 0.01, efficiency=0.6, electronic_noise=0.1, detection="homodyne")
    assert both == pytest.approx(2 * half, rel=1e-12)


@pytest.mark.parametrize(
    "change",
    [{"transmittance": 1.1}, {"transmittance": 0.0}, {"excess_noise": -0.1}, {"modulation_variance": math.nan}],
)
def test_channels_that_cannot_be(change: dict[str, float]) -> None:
    channel = {"modulation_variance": 5.0, "transmittance": 0.3, "excess_noise": 0.01} | change
    with pytest.raises(InputError, match=next(iter(change))):
        holevo_information(**channel, efficiency=0.6, electronic_noise=0.1, detection="heterodyne")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="more than 1"):
        holevo_of_gain(5.0, 0.9, 1.1, 0.6, "heterodyne")
