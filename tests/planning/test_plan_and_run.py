"""What is planned is what runs: plan, configuration, records of the same devices, and key of the length planned.

Where the counts of a block are off by delta_i, its length is off by the sum of the terms |dL/dn_i| delta_i at most, as
far as the bound is linear there. Each count is allowed eight standard deviations of Poisson's law, and more where it
is small: Chernoff's bound gives 1e-12 for that, and all counts together stay below 1e-10. What was disclosed in truth,
and the bits that set up correction, are taken as they were.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import pytest

import qkdpost as qp
from qkdpost import planning
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.planning import BBM92Link, DecoyBB84Link, GaussianLink, PlannedLink, SinglePhotonBB84Link
from qkdpost.protocols.table import protocol_of
from qkdpost.security import Disclosed
from qkdpost.simulation import Fibre, WeakCoherentSource

TWO_DECOYS = WeakCoherentSource(intensities=(0.5, 0.1, 2e-4), probabilities=(0.7, 0.2, 0.1))
ONE_DECOY = WeakCoherentSource(intensities=(0.5, 0.15), probabilities=(0.7, 0.3))
LINKS: dict[str, tuple[PlannedLink, int]] = {
    "two decoys": (DecoyBB84Link(source=TWO_DECOYS, fibre_km=2, test_probability=0.3), 20_000_000),
    "one decoy": (DecoyBB84Link(source=ONE_DECOY, fibre_km=2, test_probability=0.3), 20_000_000),
    "photons": (SinglePhotonBB84Link(fibre_km=2, test_probability=0.3), 4_000_000),
    "pairs": (BBM92Link(fibre_km=2, pairs_per_slot=0.05, test_probability=0.3), 40_000_000),
}


def _moved(tally: Any) -> Iterator[tuple[Any, Any]]:
    """The tally with one count as low as it may be by chance, and as high; for each count in turn."""
    for name in ("key_bits", "test_bits", "key_counts", "test_counts", "test_errors", "key_errors"):
        counts = getattr(tally, name, None) if name in {field.name for field in dataclasses.fields(tally)} else None
        for place, count in enumerate(counts if isinstance(counts, tuple) else () if counts is None else (counts,)):
            off = math.ceil(8.0 * math.sqrt(count + 64.0))
            yield _with(tally, name, place, max(0, count - off)), _with(tally, name, place, count + off)


def _with(tally: Any, name: str, place: int, count: int) -> Any:
    """The tally with one count replaced, and errors of a round cut down to the rounds that there are."""
    fields = {field.name: getattr(tally, field.name) for field in dataclasses.fields(tally)}
    old = fields[name]
    fields[name] = (*old[:place], count, *old[place + 1 :]) if isinstance(old, tuple) else count
    for errors, rounds in (("key_errors", "key_counts"), ("test_errors", "test_counts"), ("test_errors", "test_bits")):
        if isinstance(fields.get(errors), tuple):
            pairs = zip(fields[errors], fields[rounds], strict=True) if rounds in fields else ()
            fields[errors] = tuple(min(wrong, most) for wrong, most in pairs) if rounds in fields else fields[errors]
        elif rounds == "test_bits" and rounds in fields:
            fields[errors] = min(fields[errors], fields[rounds])
    return type(tally)(**fields)


@pytest.mark.parametrize("name", LINKS)
def test_a_block_gives_what_was_planned(name: str) -> None:
    link, pulses = LINKS[name]
    (plan,) = planning.rate_curve(link, distances_km=[2.0], pulses=pulses, optimise=False)
    config = plan.link_config()
    alice, bob = plan.simulate(rng=1)
    result = qp.distill(alice, bob, config)
    (report,) = result.reports
    assert report.secret is not None
    spent = report.ledger.charged_bits

    def length(tally: Any) -> float:
        disclosed = Disclosed(
            leakage_bits=spent, verification_bits=plan.result.epsilon.budget.verification_charge_bits, two_way=True
        )
        kind = protocol_of(config.protocol)
        found = kind.secret_length(config.protocol, config.security, tally, disclosed)
        return math.fsum(term.bits for term in found.terms)

    tally = link.expected_tally(pulses)
    expected = length(tally)
    chance = sum(max(abs(length(low) - expected), abs(length(high) - expected)) for low, high in _moved(tally))
    assert expected - chance - report.setup_bits <= report.secret.bits <= expected + chance
    assert chance < 0.5 * plan.result.bits
    assert report.secret.bits > 0.5 * plan.result.bits > 0
    assert len(result.key) == report.secret.bits - report.authentication_bits


@pytest.mark.parametrize("name", LINKS)
def test_the_configuration_has_what_was_chosen(name: str) -> None:
    link, pulses = LINKS[name]
    config = link.link_config(pulses=pulses, epsilon=1e-9, correction=qp.Ldpc())
    assert config.security.epsilon == 1e-9
    assert config.correction == qp.Ldpc()
    assert config.blocks.detections == round(link.expected_detections(pulses))
    assert link.link_config().blocks == qp.Blocks()
    assert link.link_config().security == qp.Security()
    assert link.link_config(blocks=qp.Blocks(detections=5)).blocks.detections == 5
    if isinstance(link, DecoyBB84Link):
        assert config.protocol == qp.DecoyBB84(
            intensities=link.source.intensities, probabilities=link.source.probabilities
        )
    for excluded in ({"security": qp.Security(), "epsilon": 1e-9}, {"blocks": qp.Blocks(), "pulses": 5}):
        with pytest.raises(ConfigurationError, match="found both"):
            link.link_config(**excluded)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LINKS)
def test_as_many_detections_come_as_expected(name: str) -> None:
    link, _ = LINKS[name]
    _, bob = link.simulate(pulses=1e6, rng=3)
    expected = link.expected_detections(1e6)
    assert abs(bob.events - expected) <= 8.0 * math.sqrt(expected + 64.0)  # false alarm below 1e-12, as above


def test_attenuated_photons_are_simulated_and_configured() -> None:
    link = SinglePhotonBB84Link(attenuation=0.5)
    config = link.link_config()
    assert isinstance(config.protocol, qp.SinglePhotonBB84)
    assert config.protocol.mean_photons == 0.25
    assert config.protocol.test_probabilities == (0.1, 0.1)
    _, bob = link.simulate(pulses=10**5, rng=1)
    assert bob.events < 0.6 * SinglePhotonBB84Link().simulate(pulses=10**5, rng=1)[1].events


@pytest.mark.parametrize("correction", ["multidimensional", "slices"])
def test_continuous_variables_are_configured_as_planned(correction: Any) -> None:
    link = GaussianLink(
        detection="homodyne", receiver="untrusted", dimension=4, correction=correction, fibre_km=3, efficiency=0.7
    )
    config = link.link_config(pulses=10**6)
    assert config.correction == (qp.Slices() if correction == "slices" else qp.Multidimensional(dimension=4))
    assert config.protocol == qp.GaussianCV(
        modulation_variance=4.0, efficiency=0.7, detection="homodyne", receiver="untrusted",
        modulation_tolerance=0.0, efficiency_tolerance=0.0,
    )  # fmt: skip
    assert config.blocks.detections == 10**6
    alice, bob = link.simulate(pulses=1e3, rng=1)
    assert (alice.events, bob.events, bob.detection, bob.efficiency) == (1000, 1000, "homodyne", 0.7)


@pytest.mark.slow
def test_continuous_variables_give_what_was_planned() -> None:
    """Eight standard deviations of noise and gain, by calibration too; false alarm below 1e-11."""
    link = GaussianLink(fibre_km=5, excess_noise=0.005, disclosed_symbols=2**16)
    pulses = 2**23
    plan = planning.rate_curve(link, distances_km=[5.0], pulses=pulses, optimise=False)[0]
    alice, bob = plan.simulate(rng=1)
    (report,) = qp.distill(alice, bob, plan.link_config()).reports
    assert report.secret is not None
    off = 8.0 * math.sqrt(3.0 * 2.0 / pulses)
    noise = off * link.noise_variance / link.gain**2
    worse = dataclasses.replace(link, excess_noise=link.excess_noise + noise, efficiency=link.efficiency * (1.0 - off))
    better = dataclasses.replace(link, excess_noise=max(0.0, link.excess_noise - noise))
    ends = [planning.expected_length(at, pulses=pulses).bits for at in (worse, better)]
    told = (
        report.ledger.charged_bits - link.expected_disclosure(report.key_bits, plan.result.epsilon.budget).leakage_bits
    )
    assert ends[0] - abs(told) <= report.secret.bits <= ends[1] + abs(told)
    assert report.secret.bits > 0.5 * plan.result.bits > 0


def test_one_word_for_the_length_of_a_fibre() -> None:
    lossy = Fibre(loss_db_per_km=0.3)
    for kind in (DecoyBB84Link, SinglePhotonBB84Link, BBM92Link, GaussianLink):
        assert kind(fibre_km=20).fibre == Fibre(20) == Fibre(length_km=20)
        assert kind(fibre=lossy, fibre_km=20).fibre == Fibre(length_km=20, loss_db_per_km=0.3)
        assert kind(fibre_km=20).over(5) == kind(fibre_km=5)
        assert dataclasses.replace(kind(fibre_km=20), pulse_rate_hz=5.0).fibre == Fibre(20)
        with pytest.raises(InputError, match="fibre_km"):
            kind(fibre_km=-1)
    near, far = (qp.simulation.bb84(pulses=10**5, rng=1, fibre=lossy, fibre_km=km)[1].events for km in (0, 30))
    assert far < 0.3 * near
    assert qp.simulation.bbm92(slots=10**5, rng=1, fibre=Fibre(30))[1] == qp.simulation.bbm92(
        slots=1e5, rng=1, fibre_km=30
    )[1]  # fmt: skip


def test_a_curve_of_choices_that_stay() -> None:
    link = BBM92Link(test_probability=0.25)
    plans = planning.rate_curve(link, distances_km=[0, 50], pulses=1e9, optimise=False)
    assert [plan.link for plan in plans] == [link, link.over(50)]
    assert plans[1].result == planning.expected_length(link.over(50), pulses=10**9)
    with pytest.raises(InputError, match="optimise must be True or False"):
        planning.rate_curve(link, distances_km=[0], pulses=1e9, optimise="no")  # type: ignore[arg-type]


def test_too_many_detections_for_a_block_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="detections"):
        DecoyBB84Link().link_config(pulses=1e15)
