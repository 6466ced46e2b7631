from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from qkdpost import planning, simulation
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.planning import BBM92Link, DecoyBB84Link, PlannedLink, SinglePhotonBB84Link
from qkdpost.records import Detections, PreparedPulses
from qkdpost.simulation import Fibre, GatedDetectors, ImperfectPhotonSource, WeakCoherentSource
from support.yardstick import in_yardsticks, takes_less_than

TWO_DECOYS = DecoyBB84Link(
    source=WeakCoherentSource(intensities=(0.5, 0.15, 2e-4), probabilities=(0.6, 0.3, 0.1)), fibre=Fibre(length_km=50)
)
ONE_DECOY = dataclasses.replace(
    TWO_DECOYS, source=WeakCoherentSource(intensities=(0.5, 0.15), probabilities=(0.7, 0.3))
)
PHOTONS = SinglePhotonBB84Link(fibre=Fibre(length_km=50))
PAIRS = BBM92Link(fibre=Fibre(length_km=50))
LINKS: dict[str, PlannedLink] = {"two decoys": TWO_DECOYS, "one decoy": ONE_DECOY, "photons": PHOTONS, "pairs": PAIRS}
ROUGH = GatedDetectors(
    efficiency=0.3, dark_count_probability=2e-4, dead_time_slots=20, afterpulse_probability=0.05, afterpulse_slots=300.0
)


def _agreeing(alice: PreparedPulses | Detections, bob: Detections) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slots, bases and differences of the rounds in which both bases agree."""
    if isinstance(alice, Detections):
        slots, at_alice, at_bob = np.intersect1d(alice.slots, bob.slots, return_indices=True)
        bases, bits = np.asarray(alice.bases)[at_alice], np.asarray(alice.bits)[at_alice]
        other_bases, other_bits = np.asarray(bob.bases)[at_bob], np.asarray(bob.bits)[at_bob]
    else:
        slots = bob.slots
        bases, bits = np.asarray(alice.bases)[slots], np.asarray(alice.bits)[slots]
        other_bases, other_bits = np.asarray(bob.bases), np.asarray(bob.bits)
    same = bases == other_bases
    return slots[same], bases[same], (bits != other_bits)[same]


def _near(found: float, expected: float) -> None:
    assert abs(found - expected) <= 5 * math.sqrt(expected + 1) + 0.005 * expected


def test_expected_decoy_counts_are_those_of_the_simulation() -> None:
    link = DecoyBB84Link(
        source=WeakCoherentSource(intensities=(0.6, 0.2, 0.0), probabilities=(0.5, 0.3, 0.2), misalignment=0.03),
        fibre=Fibre(length_km=20),
        detectors=ROUGH,
        test_probability=0.4,
    )
    pulses = 3_000_000
    alice, bob = simulation.decoy_bb84(
        pulses=pulses,
        rng=np.random.default_rng(1),
        fibre=link.fibre,
        source=link.source,
        detectors=link.detectors,
        test_probabilities=(0.4, 0.4),
    )
    slots, bases, wrong = _agreeing(alice, bob)
    expected = link.expected_tally(pulses)
    assert alice.intensities is not None
    for number in range(3):
        labelled = np.asarray(alice.intensities.where(number))[slots] == 1
        for basis, counts, errors in (
            (0, expected.key_counts, expected.key_errors),
            (1, expected.test_counts, expected.test_errors),
        ):
            chosen = labelled & (bases == basis)
            _near(chosen.sum(), counts[number])
            assert errors is not None
            _near(wrong[chosen].sum(), errors[number])


def test_expected_single_photon_counts_are_those_of_the_simulation() -> None:
    link = SinglePhotonBB84Link(
        source=ImperfectPhotonSource(mean_photons=0.4, g2=0.3, misalignment=0.03),
        fibre=Fibre(length_km=10),
        detectors=ROUGH,
        test_probability=0.4,
    )
    pulses = 3_000_000
    alice, bob = simulation.single_photon_bb84(
        pulses=pulses,
        rng=np.random.default_rng(2),
        fibre=link.fibre,
        source=link.source,
        detectors=link.detectors,
        test_probabilities=(0.4, 0.4),
    )
    _, bases, wrong = _agreeing(alice, bob)
    expected = link.expected_tally(pulses)
    _near((bases == 0).sum(), expected.key_bits)
    _near((bases == 1).sum(), expected.test_bits)
    _near(wrong[bases == 1].sum(), expected.test_errors)


def test_expected_pairs_are_those_of_the_simulation() -> None:
    detectors = GatedDetectors(efficiency=0.5, dark_count_probability=1e-4)
    link = BBM92Link(
        pairs_per_slot=0.05,
        misalignment=0.02,
        fibre=Fibre(length_km=10),
        alice_detectors=detectors,
        bob_detectors=detectors,
        test_probability=0.4,
    )
    slots = 4_000_000
    alice, bob = simulation.bbm92(
        slots=slots,
        rng=np.random.default_rng(3),
        pairs_per_slot=0.05,
        fibre_km=10,
        alice_detectors=detectors,
        bob_detectors=detectors,
        misalignment=0.02,
        test_probability=0.4,
    )
    _, bases, wrong = _agreeing(alice, bob)
    expected = link.expected_tally(slots)
    _near((bases == 0).sum(), expected.key_bits)
    _near((bases == 1).sum(), expected.test_bits)
    seen = int(wrong[bases == 1].sum())
    assert 0.75 * expected.test_errors < seen < expected.test_errors + 5 * math.sqrt(expected.test_errors)


@pytest.mark.parametrize("kind", LINKS)
def test_choices_survive_the_way_to_a_vector_and_back(kind: str) -> None:
    link = LINKS[kind]
    again = link.with_free_parameters(link.free_parameters())
    if isinstance(link, DecoyBB84Link) and isinstance(again, DecoyBB84Link):
        assert again.source.intensities == pytest.approx(link.source.intensities)
        assert again.source.probabilities == pytest.approx(link.source.probabilities)
    assert again.test_probability == pytest.approx(link.test_probability)
    assert again.fibre == link.fibre


@settings(max_examples=200)
@given(st.lists(st.floats(-30, 30), min_size=6, max_size=6))
def test_any_vector_is_a_link_or_a_refusal(values: list[float]) -> None:
    for link in LINKS.values():
        count = len(link.free_parameters())
        try:
            moved = link.with_free_parameters(values[:count])
        except InputError:
            continue
        assert (
            planning.expected_length(moved, pulses=10**8, method="analytic").bits >= 0
            if isinstance(moved, DecoyBB84Link) and moved.source.intensities[0] > sum(moved.source.intensities[1:])
            else True
        )


@pytest.mark.parametrize("kind", LINKS)
def test_the_optimum_beats_the_start_and_its_neighbours(kind: str) -> None:
    link = LINKS[kind]
    start = planning.expected_length(link, pulses=10**10)
    plan = planning.optimise(link, pulses=10**10)
    assert plan.result.bits > start.bits
    assert plan.result.bits == planning.expected_length(plan.link, pulses=10**10).bits
    best = plan.link.free_parameters()
    for index in range(len(best)):
        for step in (-0.3, 0.3):
            moved = list(best)
            moved[index] += step
            neighbour = planning.expected_length(plan.link.with_free_parameters(moved), pulses=10**10)
            assert neighbour.bits <= plan.result.bits * 1.01


@pytest.mark.parametrize("kind", LINKS)
def test_rates_fall_with_distance_and_stay_below_what_a_line_can_carry(kind: str) -> None:
    distances = [0, 60, 120]
    plans = planning.rate_curve(LINKS[kind], distances_km=distances, pulses=10**11, max_evaluations=150)
    rates = [plan.bits_per_pulse for plan in plans]
    assert all(near >= far for near, far in itertools.pairwise(rates))
    assert rates[1] > 0
    for distance, rate in zip(distances[1:], rates[1:], strict=True):
        assert rate < planning.repeaterless_limit(Fibre(length_km=distance).transmittance)


@pytest.mark.slow
def test_how_long_for_a_million_bits_at_eighty_kilometres() -> None:
    link = dataclasses.replace(TWO_DECOYS, fibre=Fibre(length_km=80))
    plan = planning.time_to_collect(link, secret_bits=10**6)
    assert plan.result.bits >= 10**6
    assert plan.seconds == pytest.approx(plan.pulses / 1e9)
    shorter = planning.optimise(plan.link, pulses=int(plan.pulses * 0.97))
    assert shorter.result.bits < 10**6


def test_how_long_for_a_million_bits_of_pairs() -> None:
    plan = planning.time_to_collect(PAIRS, secret_bits=10**6)
    assert plan.result.bits >= 10**6
    assert planning.optimise(plan.link, pulses=int(plan.pulses * 0.97)).result.bits < 10**6


FEW_PULSES = 5_500_000
"""Of which the links below make about 10^4 detections over 50 km."""


def _links_short_of_key() -> list[DecoyBB84Link]:
    """Links whose own choices certify nothing: neither single photons nor a phase-error rate below one half."""
    detectors = GatedDetectors(efficiency=0.2, dark_count_probability=1e-7)
    links = [dataclasses.replace(link, detectors=detectors) for link in (TWO_DECOYS, ONE_DECOY)]
    for link in links:
        few = planning.expected_length(link, pulses=FEW_PULSES)
        assert few.bits == 0
        assert few.phase_error_rate == 0.5
    return links


def test_key_is_found_where_the_start_certifies_nothing() -> None:
    for link in _links_short_of_key():
        assert planning.optimise(link, pulses=FEW_PULSES).result.bits > 1_000


@pytest.mark.slow
def test_no_global_search_finds_more() -> None:
    """The same score, maximised by differential evolution with ten times the evaluations."""
    for link in _links_short_of_key():
        plan = planning.optimise(link, pulses=FEW_PULSES)

        def bits(values: np.ndarray, link: DecoyBB84Link = link) -> float:
            moved = link.with_free_parameters(values.tolist())
            try:
                terms = planning.expected_length(moved, pulses=FEW_PULSES, method="analytic").terms
            except (InputError, ConfigurationError):
                return -1e9
            return math.fsum(term.bits for term in terms)

        start = plan.link.free_parameters()
        box = [(value - 2, value + 2) for value in start]
        found = optimize.differential_evolution(lambda v, bits=bits: -bits(v), box, maxiter=80, popsize=15, seed=1)
        assert bits(np.array(start)) >= 0.97 * -found.fun
        print(link.source.intensities, bits(np.array(start)), -found.fun)


def test_far_beyond_reach_the_search_is_not_begun() -> None:
    far = dataclasses.replace(TWO_DECOYS, fibre=Fibre(length_km=400))
    plan = planning.optimise(far, pulses=10**10)
    assert takes_less_than(2.0, lambda: planning.optimise(far, pulses=10**10))
    assert (plan.link, plan.result.bits) == (far, 0)
    assert plan.result.reason


def test_progress_tells_how_far_from_key_a_search_is() -> None:
    told: list[tuple[str, int, int | None]] = []
    planning.optimise(_links_short_of_key()[0], pulses=FEW_PULSES // 3, progress=lambda *said: told.append(said))
    assert any("times the pulses needed" in what for what, _, _ in told)


def test_the_same_question_has_the_same_answer() -> None:
    told: list[tuple[str, int, int | None]] = []
    first = planning.optimise(ONE_DECOY, pulses=10**9, max_evaluations=200, progress=lambda *said: told.append(said))
    assert planning.optimise(ONE_DECOY, pulses=10**9, max_evaluations=200) == first
    assert [done for _, done, _ in told] == list(range(1, len(told) + 1))
    assert all("bits; choices judged" in what for what, _, _ in told)


def test_progress_of_a_search_for_time_reaches_its_end() -> None:
    told: list[tuple[str, int, int | None]] = []
    planning.time_to_collect(
        PAIRS, secret_bits=1000, max_pulses=10**8, max_evaluations=3, progress=lambda *said: told.append(said)
    )
    assert [(done, total) for _, done, total in told] == [(step, len(told)) for step in range(1, len(told) + 1)]
    assert len(told) == 12


def test_options_reach_the_bound() -> None:
    default = planning.expected_length(TWO_DECOYS, pulses=10**10)
    assert planning.expected_length(TWO_DECOYS, pulses=10**10, bound="wiesemann-2026").bound == "wiesemann-2026"
    assert planning.expected_length(TWO_DECOYS, pulses=10**10, concentration="serfling").bits < default.bits
    assert planning.expected_length(TWO_DECOYS, pulses=10**10, efficiency=1.3).bits < default.bits
    with pytest.raises(ConfigurationError):
        planning.optimise(TWO_DECOYS, pulses=10**10, bound="guess")


@pytest.mark.parametrize(("pulses", "efficiency"), [(0, 1.1), (2**54, 1.1), (10**6, 0.9), (10**6, math.nan)])
def test_what_cannot_be_is_refused(pulses: int, efficiency: float) -> None:
    with pytest.raises(InputError):
        planning.expected_length(PAIRS, pulses=pulses, efficiency=efficiency)


def test_limits_of_asking() -> None:
    with pytest.raises(InputError):
        planning.time_to_collect(PAIRS, secret_bits=0)
    far = dataclasses.replace(PAIRS, fibre=Fibre(length_km=400))
    with pytest.raises(ConfigurationError, match="ask for fewer bits"):
        planning.time_to_collect(far, secret_bits=10**6, max_pulses=10**10)
    with pytest.raises(InputError):
        BBM92Link(pairs_per_slot=0.0)
    with pytest.raises(InputError):
        planning.repeaterless_limit(1.0)
    assert planning.repeaterless_limit(0.5) == 1.0


@pytest.mark.slow
def test_a_curve_of_forty_points_takes_less_than_a_minute_of_one_core() -> None:
    def curve() -> object:
        return planning.rate_curve(TWO_DECOYS, distances_km=[5.0 * step for step in range(40)], pulses=10**11)

    assert in_yardsticks(curve, times=1) < 80_000  # a yardstick takes 0.75 ms or more


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: SinglePhotonBB84Link(attenuation=1e300), "attenuation"),
        (lambda: SinglePhotonBB84Link(attenuation=0.0), "attenuation"),
        (lambda: SinglePhotonBB84Link(attenuation=math.nan), "attenuation"),
        (lambda: DecoyBB84Link(test_probability=7.0), "test_probability"),
        (lambda: DecoyBB84Link(test_probability=-1e200), "test_probability"),
        (lambda: DecoyBB84Link(test_probability="0.1"), "test_probability"),
        (lambda: DecoyBB84Link(pulse_rate_hz=0.0), "pulse_rate_hz"),
        (lambda: DecoyBB84Link(fibre=[Fibre(), Fibre()]), "fibre must be a Fibre.*rate_curve"),
        (lambda: DecoyBB84Link(fibre=50), "fibre must be a Fibre"),
        (lambda: DecoyBB84Link(source=ImperfectPhotonSource()), "source must be a WeakCoherentSource"),
        (lambda: SinglePhotonBB84Link(source=0.1), "source must be an? ImperfectPhotonSource"),
        (lambda: BBM92Link(bob_detectors=None), "bob_detectors must be a GatedDetectors"),
        (lambda: BBM92Link(pairs_per_slot=10**400), "pairs_per_slot"),
        (lambda: BBM92Link(misalignment=np.array([0.1, 0.2])), "misalignment"),
        (lambda: planning.rate_curve(PAIRS, distances_km=50, pulses=10**9), "distances_km must be a sequence"),
        (lambda: planning.rate_curve(PAIRS, distances_km=["a"], pulses=10**9), "distances_km"),
        (lambda: planning.rate_curve(PAIRS, distances_km=[-1.0], pulses=10**9), "distances_km"),
        (lambda: planning.expected_length(PAIRS, pulses=math.nan), "pulses"),
        (lambda: planning.expected_length(PAIRS, pulses=10**400), "pulses"),
        (lambda: planning.expected_length(PAIRS, pulses="9"), "pulses"),
        (lambda: planning.expected_length(PAIRS, pulses=10**9, efficiency=math.inf), "efficiency"),
        (lambda: planning.expected_length(None, pulses=10**9), "link must be a DecoyBB84Link"),
        (lambda: planning.optimise(5, pulses=10**9), "link must be a DecoyBB84Link"),
        (lambda: planning.optimise(PAIRS, pulses=10**9, max_evaluations=1.5), "max_evaluations"),
        (lambda: planning.time_to_collect(PAIRS, secret_bits=0), "secret_bits"),
        (lambda: planning.time_to_collect(PAIRS, secret_bits=5, max_pulses=0), "max_pulses"),
        (lambda: planning.repeaterless_limit(10**400), "transmittance"),
        (lambda: planning.repeaterless_limit(None), "transmittance"),
    ],
)
def test_what_no_link_can_be_is_named(make: Callable[[], object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        make()


def test_numbers_of_numpy_plan_the_same() -> None:
    plain = planning.expected_length(TWO_DECOYS, pulses=10**10, method="analytic")
    assert planning.expected_length(TWO_DECOYS, pulses=np.uint64(10**10), method="analytic") == plain
    assert planning.expected_length(TWO_DECOYS, pulses=1e10, method="analytic") == plain
    other = dataclasses.replace(TWO_DECOYS, test_probability=np.float32(0.125))
    same = dataclasses.replace(TWO_DECOYS, test_probability=0.125)
    assert other == same
    assert planning.expected_length(other, pulses=10**10, method="analytic").bits == (
        planning.expected_length(same, pulses=10**10, method="analytic").bits
    )


def test_pulses_may_be_a_whole_float_and_no_other() -> None:
    link = BBM92Link()
    assert planning.expected_length(link, pulses=1e9) == planning.expected_length(link, pulses=10**9)
    with pytest.raises(InputError, match=r"pulses must be a whole number in 1 \.\.\. 2\^53; found 1\.5"):
        planning.expected_length(link, pulses=1.5)
