"""Counts of any integer type give what plain integers give, or are refused: nothing is computed in fixed width."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import InputError, QkdpostError
from qkdpost.security import bb84, bbm92, decoy_bb84, single_photon
from qkdpost.security.decoy.single_photons import estimate_single_photons
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.phase_errors import max_phase_errors
from qkdpost.security.qubits import published_formulas as fixed_length
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.single_photon.tally import SinglePhotonTally
from qkdpost.statistics import concentration, sampling
from qkdpost.statistics import inversion as crossing
from qkdpost.statistics import log_tails as tails
from qkdpost.statistics.entropy import binary_entropy, inverse_binary_entropy
from qkdpost.statistics.error_envelope import max_errors_of_longer, steady_entropy

TYPES = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
WIDE = (np.int32, np.int64, np.uint32, np.uint64)


def alike(number: Callable[[int], Any]) -> dict[str, int]:
    """Every bound with all counts made by `number`."""
    n = number
    decoys = {
        "intensities": (0.5, 0.15, 2e-4),
        "probabilities": (0.4, 0.45, 0.15),
        "key_counts": (n(7_000_000), n(2_700_000), n(4_000)),
        "test_counts": (n(700_000), n(270_000), n(400)),
        "test_errors": (n(7_000), n(2_900), n(200)),
    }
    one_decoy = {
        "intensities": (0.5, 0.1),
        "probabilities": (0.7, 0.3),
        "key_counts": (n(9_000_000), n(700_000)),
        "test_counts": (n(900_000), n(70_000)),
        "test_errors": (n(9_000), n(900)),
        "key_errors": (n(90_000), n(9_000)),
    }
    photons = SinglePhotonTally(
        pulses_sent=n(10**7),
        key_probability=0.75**2,
        test_probability=0.25**2,
        mean_photons=0.3,
        g2=0.03,
        key_bits=n(10**6),
        test_bits=n(20_000),
        test_errors=n(100),
    )
    sampled = SampledTally(
        key_counts=(n(0), n(10_000_001)), test_counts=(n(10**6), n(10**5)), test_errors=(n(99), n(9))
    )
    lengths = {
        "wrong in a fifth": bb84.secret_length(
            Tally(key_bits=n(10**5), test_bits=n(10**4), test_errors=n(2_000)), leakage_bits=0, epsilon=1e-10
        ),
        "one field alone": bb84.secret_length(
            Tally(key_bits=n(5 * 10**6), test_bits=10**6, test_errors=400_000), leakage_bits=0, epsilon=1e-10
        ),
        "few": bb84.secret_length(
            Tally(key_bits=n(500), test_bits=300, test_errors=3), leakage_bits=n(100), epsilon=1e-10
        ),
        "verification": bb84.secret_length(
            Tally(key_bits=n(10**6), test_bits=n(10**5), test_errors=n(3_000)),
            leakage_bits=n(50_000),
            verification_bits=n(60),
            epsilon=1e-10,
        ),
        "bbm92": bbm92.secret_length(
            Tally(key_bits=n(10**5), test_bits=n(10**4), test_errors=n(2_000)), leakage_bits=0, epsilon=1e-10
        ),
        "sampled": bbm92.secret_length(sampled, leakage_bits=n(100), epsilon=1e-10),
        "serfling": bb84.secret_length(
            Tally(key_bits=n(10**6), test_bits=n(10**5), test_errors=n(3_000)),
            leakage_bits=0,
            epsilon=1e-10,
            concentration="serfling",
        ),
        "single photons": single_photon.secret_length(photons, leakage_bits=n(1_000), epsilon=1e-10),
    }
    for bound in ("tomamichel-leverrier-2017", "lim-2021", "tlgr-2012"):
        lengths[bound] = bb84.secret_length(
            Tally(key_bits=n(10**6), test_bits=n(10**5), test_errors=n(3_000)),
            leakage_bits=n(1_000),
            epsilon=1e-10,
            bound=bound,
            tolerated_error_rate=0.04,
        )
    for method in ("linear-program", "analytic"):
        lengths[f"decoys, {method}"] = decoy_bb84.secret_length(
            DecoyTally(**decoys), leakage_bits=n(1_000), epsilon=1e-10, method=method, two_way=False
        )
    lengths["one decoy, one way"] = decoy_bb84.secret_length(
        DecoyTally(**one_decoy), leakage_bits=n(1_000), epsilon=1e-10, method="analytic", two_way=False
    )
    for bound, kind in (("wiesemann-2026", one_decoy), ("rusca-2018", one_decoy), ("lim-2014", decoys)):
        lengths[bound] = decoy_bb84.secret_length(DecoyTally(**kind), leakage_bits=n(9), epsilon=1e-10, bound=bound)
    return {name: result.bits for name, result in lengths.items()}


PLAIN = alike(int)


@pytest.mark.parametrize("kind", WIDE, ids=lambda kind: kind.__name__)
def test_every_bound_gives_what_plain_integers_give(kind: type) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert alike(kind) == PLAIN
    assert PLAIN["wrong in a fifth"] == 20_137
    assert PLAIN["few"] == 0


def test_counts_as_a_notebook_makes_them() -> None:
    """Sums of 0/1 vectors of uint8 are uint64; 20 % errors."""
    rng = np.random.default_rng(1)
    alice, bob = rng.integers(0, 2, (2, 400_000), dtype=np.uint8)
    bits, errors = rng.integers(0, 2, 400_000, dtype=np.uint8), (rng.random(400_000) < 0.2).astype(np.uint8)
    test, key = alice & bob, (1 - alice) & (1 - bob)
    counts = {"key_bits": key.sum(), "test_bits": test.sum(), "test_errors": ((bits ^ (bits ^ errors)) & test).sum()}
    assert counts["key_bits"].dtype == np.uint64
    result = bb84.secret_length(Tally(**counts), leakage_bits=0, epsilon=1e-10)
    plain = Tally(**{name: int(value) for name, value in counts.items()})
    assert result == bb84.secret_length(plain, leakage_bits=0, epsilon=1e-10)
    assert 0 < result.bits < result.asymptotic_bits < 30_000


EPSILON = Epsilon.split(1e-10)
FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "hypergeometric": ("nkx", lambda n, k, x: sampling.hypergeometric_key_errors(n, k, x, 1e-10)),
    "hypergeometric lower": ("nkx", lambda n, k, x: sampling.hypergeometric_key_errors_lower(n, k, x, 1e-10)),
    "serfling": ("nk", lambda n, k, x: sampling.serfling_deviation(n, k, 1e-10)),
    "serfling smoothing": ("nk", lambda n, k, x: sampling.serfling_deviation_smoothing(n, k, 1e-10)),
    "hoeffding": ("n", lambda n, k, x: concentration.hoeffding_deviation(n, 1e-10)),
    "binomial": ("n", lambda n, k, x: concentration.binomial_at_most(n, 0.01, 1e-10)),
    "clopper-pearson upper": ("kx", lambda n, k, x: concentration.clopper_pearson_upper(k, x, 1e-10)),
    "clopper-pearson lower": ("kx", lambda n, k, x: concentration.clopper_pearson_lower(k, x, 1e-10)),
    "kullback-leibler upper": ("kx", lambda n, k, x: concentration.kullback_leibler_upper(k, x, 1e-10)),
    "kullback-leibler lower": ("kx", lambda n, k, x: concentration.kullback_leibler_lower(k, x, 1e-10)),
    "fair coin": ("nx", lambda n, k, x: concentration.trials_upper_bound(x, n, 1e-10)),
    "hypergeometric tail": ("nkx", lambda n, k, x: tails.hypergeometric_log_tail(n, k, k, x)),
    "binomial tail": ("nx", lambda n, k, x: tails.binomial_log_tail(x, n, 0.3, 0.7)),
    "phase errors": ("nkx", lambda n, k, x: max_phase_errors(n, k, x, 1e-10, "hypergeometric")),
    "steady entropy": ("nkx", lambda n, k, x: steady_entropy(n, k, x, 1e-10, 99)),
    "most errors of longer": ("nkx", lambda n, k, x: max_errors_of_longer(n, n, k, x, 1e-10, 99)),
    "theorem three": ("nk", lambda n, k, x: fixed_length.tomamichel_leverrier_deviation(n, k, 1e-10)),
    "tlgr": ("nk", lambda n, k, x: fixed_length.tlgr_2012_deviation(n, k, 1e-10)),
    "small blocks": (
        "nk",
        lambda n, k, x: fixed_length.lim_2021_parameter_estimation(
            sifted_bits=n, test_bits=k, tolerated_error_rate=0.01, middle=0.1, deviation=0.2
        ),
    ),
}
"""Each with those of its arguments key bits (or all), test bits and errors that are counts."""


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_function_of_counts(name: str, data: st.DataObject) -> None:
    kinds = [data.draw(st.sampled_from(TYPES)) for _ in range(3)]
    key = data.draw(st.integers(0, np.iinfo(kinds[0]).max).filter(lambda n: n < 2**53))
    test = data.draw(st.integers(1, min(2**53 - 1, np.iinfo(kinds[1]).max)))
    wrong = data.draw(st.integers(0, min(test, np.iinfo(kinds[2]).max)))
    (_, function), plain = FUNCTIONS[name], (key, test, wrong)

    def answer(numbers: tuple[Any, ...]) -> Any:
        try:
            return function(*numbers)
        except QkdpostError as error:
            return str(error)

    numbers = tuple(kind(value) for kind, value in zip(kinds, plain, strict=True))
    assert answer(numbers) == answer(plain)


@pytest.mark.parametrize("wrong", [1.0, 1.5, float("nan"), float("inf"), True, "1", None, [1], np.array([1, 2]), -2])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_count_is_refused(name: str, wrong: Any) -> None:
    used, function = FUNCTIONS[name]
    for place in used:
        numbers: dict[str, Any] = {"n": 10_000, "k": 1_000, "x": 10} | {place: wrong}
        if (name, place) != ("binomial tail", "n") or type(wrong) is not int:  # searches ask for -1 missed
            with pytest.raises(InputError):
                function(**numbers)


def test_searches_end_for_every_type() -> None:
    """With 32 bits the step of the search wrapped below its target, and it never ended."""
    plain = steady_entropy(10**6, 20_000, 100, 1e-10, 12_000)
    assert steady_entropy(np.uint32(10**6), np.uint32(20_000), np.uint32(100), 1e-10, np.uint32(12_000)) == plain
    assert crossing.limit_below(lambda at: 0.0, -1.0, 0.5, 0.5, 1.0) >= 1.0 - 1e-9


@pytest.mark.parametrize("ratio", [float("nan"), np.float16("nan"), np.float64("nan")])
def test_not_a_number_ends_the_series(ratio: float) -> None:
    with pytest.raises(InputError, match="ratio"):
        tails.relative_deviance(ratio)
    for success, failure in ((ratio, 0.5), (0.5, ratio), (1.5, 0.5), (-0.1, 0.5)):
        with pytest.raises(InputError, match="probabilities"):
            tails.binomial_log_tail(1, 2, success, failure)


def test_series_of_small_ratios_is_as_before() -> None:
    for ratio in (-0.1, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.1):
        exact = ratio**2 / 2 - ratio**3 / 6 + ratio**4 / 12 - ratio**5 / 20 + ratio**6 / 30 - ratio**7 / 42
        assert tails.relative_deviance(ratio) == pytest.approx(exact, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("tail", [np.float32(0.0), 10**400, float("nan"), "1e-10", None, 1.0, np.array([0.1, 0.2])])
def test_tails_that_are_none(tail: Any) -> None:
    for call in (
        lambda: sampling.hypergeometric_key_errors(100, 10, 1, tail),
        lambda: concentration.clopper_pearson_upper(10, 1, tail),
        lambda: max_phase_errors(100, 10, 1, tail, "hypergeometric"),
        lambda: steady_entropy(100, 10, 1, tail, 20),
    ):
        with pytest.raises(InputError, match="tail"):
            call()


def test_entropies_of_what_is_no_probability() -> None:
    for wrong in (10**400, float("nan"), "0.1", None, np.array([0.1, 0.2]), -1):
        with pytest.raises(InputError):
            binary_entropy(wrong)  # type: ignore[arg-type]
        with pytest.raises(InputError):
            inverse_binary_entropy(wrong)  # type: ignore[arg-type]
    assert binary_entropy(np.float32(0.25)) == binary_entropy(0.25)


@pytest.mark.parametrize("module", [bb84, bbm92, decoy_bb84, single_photon], ids=lambda module: module.__name__)
def test_another_kind_of_tally_is_named(module: Any) -> None:
    for tally in (None, 5, object(), {"key_bits": 1}):
        with pytest.raises(InputError, match=r"tally must be a \w*Tally"):
            module.secret_length(tally, leakage_bits=0, epsilon=1e-10)
    if module is decoy_bb84:
        with pytest.raises(InputError, match="must be a DecoyTally; found a Tally"):
            module.secret_length(Tally(key_bits=1, test_bits=1, test_errors=0), leakage_bits=0, epsilon=1e-10)


def test_thresholds_of_another_kind_are_refused() -> None:
    tally = Tally(key_bits=1000, test_bits=100, test_errors=1)
    for wrong in (0.05, "0.05", object()):
        with pytest.raises(QkdpostError, match="acceptance must be a QubitAcceptance"):
            bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, bound="lim-2021", acceptance=wrong)  # type: ignore[arg-type]


def test_counts_of_lists_and_arrays_in_decoy_tallies() -> None:
    plain = DecoyTally(
        intensities=(0.5, 0.1, 0.0),
        probabilities=(0.5, 0.25, 0.25),
        key_counts=(100_000, 20_000, 10),
        test_counts=(10_000, 2_000, 10),
        test_errors=(100, 20, 5),
    )
    for make in (list, lambda counts: np.array(counts, dtype=np.uint32)):
        other = DecoyTally(
            intensities=plain.intensities,
            probabilities=plain.probabilities,
            key_counts=make(plain.key_counts),
            test_counts=make(plain.test_counts),
            test_errors=make(plain.test_errors),
        )
        found, wanted = (
            estimate_single_photons(t, method="analytic", intervals="clopper-pearson", tail=1e-10)
            for t in (other, plain)
        )
        assert found == wanted
