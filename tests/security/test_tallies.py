"""Impossible counts are refused before any bound sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qkdpost
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import bb84, bbm92, decoy_bb84, single_photon
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.single_photon.tally import SinglePhotonTally

GOOD: dict[type, dict[str, Any]] = {
    Tally: {"key_bits": 100, "test_bits": 50, "test_errors": 3},
    SampledTally: {"key_counts": (100, 50), "test_counts": (50, 20), "test_errors": (3, 2)},
    DecoyTally: {
        "intensities": (0.5, 0.1, 0.0),
        "probabilities": (0.5, 0.25, 0.25),
        "key_counts": (100, 50, 3),
        "test_counts": (50, 20, 2),
        "test_errors": (3, 2, 1),
        "key_errors": (3, 2, 1),
    },
    SinglePhotonTally: {
        "pulses_sent": 1000,
        "key_probability": 0.81,
        "test_probability": 0.01,
        "mean_photons": 0.1,
        "g2": 0.01,
        "key_bits": 100,
        "test_bits": 50,
        "test_errors": 3,
    },
}
COUNTS = [
    (kind, name)
    for kind, values in GOOD.items()
    for name in values
    if name.endswith(("bits", "errors", "counts", "sent"))
]
BAD_COUNTS = (-1, 0.5, 3.0, np.float64(3), True, np.True_, "3", None, float("nan"), float("inf"), 2**53 + 1, 10**400)
WIDTHS = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)


@pytest.mark.parametrize(("kind", "name"), COUNTS, ids=str)
@pytest.mark.parametrize("value", BAD_COUNTS, ids=lambda value: str(value)[:20])
def test_counts_are_whole_numbers_within_double_precision(kind: type, name: str, value: float) -> None:
    good = GOOD[kind][name]
    places = range(len(good)) if isinstance(good, tuple) else (0,)
    for place in places:
        bad = tuple(value if at == place else other for at, other in enumerate(good)) if len(places) > 1 else value
        with pytest.raises(InputError):
            kind(**GOOD[kind] | {name: bad})


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", GOOD)
def test_counts_of_any_width_and_container_become_the_same_python_integers(kind: type, width: type) -> None:
    plain = kind(**GOOD[kind])
    counted = [name for place, name in COUNTS if place is kind and name != "pulses_sent"]
    scalars = {name: np.array(GOOD[kind][name]).astype(width) for name in counted}
    for changes in (scalars, {name: np.array(value, dtype=object) for name, value in scalars.items()}):
        found = kind(**GOOD[kind] | changes)
        assert found == plain
        assert hash(found) == hash(plain)
        assert repr(found) == repr(plain)
        for name in counted:
            value = getattr(found, name)
            assert {type(count) for count in (value if isinstance(value, tuple) else (value,))} == {int}
    if isinstance(GOOD[kind][counted[0]], tuple):
        assert kind(**GOOD[kind] | {name: list(GOOD[kind][name]) for name in counted}) == plain


def test_columns_of_a_table_are_counts() -> None:
    pandas = pytest.importorskip("pandas")
    good = GOOD[DecoyTally]
    table = pandas.DataFrame({name: good[name] for name in good}, index=[7, 5, 3])
    assert DecoyTally(**{name: table[name] for name in good}) == DecoyTally(**good)
    nullable = {name: table[name].astype("Int64") for name in ("key_counts", "test_counts", "test_errors")}
    assert DecoyTally(**good | nullable) == DecoyTally(**good)
    nullable["key_counts"].iloc[1] = pandas.NA
    with pytest.raises(InputError, match=r"key_counts\[1\]"):
        DecoyTally(**good | nullable)


def test_numbers_of_numpy_give_the_bound_of_plain_ones() -> None:
    """Unsigned counts wrapped where they were subtracted, and nearly every bit was called secret."""
    plain = Tally(key_bits=10**5, test_bits=10**4, test_errors=2000)
    secret = bb84.secret_length(plain, leakage_bits=0, epsilon=1e-10).bits
    assert secret == 20_137
    for width in (np.uint32, np.uint64, np.int32, np.int64):
        tally = Tally(key_bits=width(10**5), test_bits=width(10**4), test_errors=width(2000))
        assert bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10).bits == secret


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (DecoyTally, {"intensities": (1e-200, 1e-201, 0.0)}),
        (Tally, {"test_errors": 51}),
        (SampledTally, {"test_errors": (3, 21)}),
        (SampledTally, {"key_counts": (100,)}),
        (SampledTally, {"key_counts": (2**53, 1)}),
        (DecoyTally, {"test_errors": (3, 2, 3)}),
        (DecoyTally, {"key_errors": (3, 2, 4)}),
        (DecoyTally, {"key_counts": (100, 50)}),
        (DecoyTally, {"key_counts": (2**53, 1, 1)}),
        (DecoyTally, {"intensities": (0.1, 0.5, 0.0)}),
        (DecoyTally, {"intensities": (0.5, 0.5, 0.0)}),
        (DecoyTally, {"intensities": (0.5, 0.1, -0.1)}),
        (DecoyTally, {"intensities": (float("nan"), 0.1, 0.0)}),
        (DecoyTally, {"intensities": (0.5, 0.1)}),
        (DecoyTally, {"probabilities": (0.5, 0.25, 0.2)}),
        (DecoyTally, {"probabilities": (1.0, 0.5, -0.5)}),
        (DecoyTally, {"probabilities": (0.5, 0.5, 0.0)}),
        (DecoyTally, {"probabilities": (0.5, 0.25, float("nan"))}),
        (SinglePhotonTally, {"test_errors": 51}),
        (SinglePhotonTally, {"pulses_sent": 149}),
        (SinglePhotonTally, {"key_probability": 1.0}),
        (SinglePhotonTally, {"test_probability": 0.2}),
        (SinglePhotonTally, {"mean_photons": 0.0}),
        (SinglePhotonTally, {"mean_photons": float("nan")}),
        (SinglePhotonTally, {"g2": -0.1}),
        (SinglePhotonTally, {"g2": float("inf")}),
    ],
    ids=str,
)
def test_counts_that_contradict_each_other(kind: type, changes: dict[str, Any]) -> None:
    kind(**GOOD[kind])
    with pytest.raises(InputError):
        kind(**GOOD[kind] | changes)


BOUNDS = [
    (bb84, Tally),
    (bb84, SampledTally),
    (bbm92, Tally),
    (bbm92, SampledTally),
    (decoy_bb84, DecoyTally),
    (single_photon, SinglePhotonTally),
]


@pytest.mark.parametrize(("module", "kind"), BOUNDS, ids=lambda value: value.__name__)
@pytest.mark.parametrize("epsilon", [0.0, 1.0, -1e-10, 2.0, float("nan"), 1e-70])
def test_epsilon_out_of_range(module: Any, kind: type, epsilon: float) -> None:
    with pytest.raises(ConfigurationError, match="epsilon"):
        module.secret_length(kind(**GOOD[kind]), leakage_bits=0, epsilon=epsilon)


@pytest.mark.parametrize(("module", "kind"), BOUNDS, ids=lambda value: value.__name__)
@pytest.mark.parametrize("bits", [-1, 0.5, 2**53 + 1, float("nan")])
def test_impossible_leakage(module: Any, kind: type, bits: float) -> None:
    with pytest.raises(InputError):
        module.secret_length(kind(**GOOD[kind]), leakage_bits=bits, epsilon=1e-10)


@pytest.mark.parametrize(("module", "kind"), BOUNDS, ids=lambda value: value.__name__)
def test_where_nothing_is_left_the_largest_cost_is_named(module: Any, kind: type) -> None:
    result = module.secret_length(kind(**GOOD[kind]), leakage_bits=10_000, epsilon=1e-10)
    assert result.bits == 0
    assert "the largest is correction with 10000 bits" in result.reason or "nothing to make key of" in result.reason
    assert f"no key: {result.reason}" in str(result)


@pytest.mark.parametrize("module", [bb84, bbm92, decoy_bb84, single_photon], ids=lambda module: module.__name__)
def test_a_tally_of_another_kind_is_refused_by_name(module: Any) -> None:
    wanted = {kind for known, kind in BOUNDS if known is module}
    for kind, good in GOOD.items():
        if kind not in wanted:
            with pytest.raises(InputError, match=f"tally must be a .*Tally; found a {kind.__name__}"):
                module.secret_length(kind(**good), leakage_bits=0, epsilon=1e-10)


def test_every_tally_is_reached_by_the_public_door() -> None:
    for kind in GOOD:
        assert getattr(qkdpost, kind.__name__) is kind
        assert getattr(qkdpost.security, kind.__name__) is kind


def test_the_direction_of_correction_is_true_or_false() -> None:
    """None, which is not True, passed for one-way correction: more key."""
    tally = DecoyTally(**GOOD[DecoyTally])
    for value in (None, 0, 1, "no"):
        with pytest.raises(InputError, match="two_way must be True or False"):
            decoy_bb84.secret_length(tally, leakage_bits=0, epsilon=1e-10, two_way=value)
