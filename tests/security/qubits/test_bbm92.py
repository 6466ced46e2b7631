"""BBM92 on counts that laboratories measured."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from qkdpost.security import bbm92
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.qubits.tally import Tally
from qkdpost.security.result import SecretLength
from qkdpost.statistics.entropy import binary_entropy


@pytest.mark.parametrize(
    ("concentration", "least", "most"), [("hypergeometric", 2_000, 3_500), ("serfling", 600, 1_000)]
)
def test_entangled_pairs_of_illinois(concentration: str, least: int, most: int) -> None:
    """The counts of the time tags at +-8 bins: 23 errors in X, 4.95 % in Z, corrected near the limit."""
    epsilon = Epsilon.split(1e-10)
    correction = math.ceil(1.05 * 7_855 * binary_entropy(0.0525))
    result = bbm92.secret_length(
        Tally(key_bits=7_855, test_bits=1_911, test_errors=23),
        leakage_bits=correction + epsilon.verification_charge_bits,
        verification_bits=epsilon.verification_charge_bits,
        epsilon=epsilon,
        concentration=concentration,
    )
    assert least <= result.bits <= most


def _exposures(path: Path) -> list[tuple[Tally, int]]:
    """Per exposure: the tally of H/V as key and D/A as test, and the errors in the key."""
    exposures = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            count = {name[2:]: int(value) for name, value in row.items() if name.startswith("C_")}
            wrong_key, wrong_test = count["HV"] + count["VH"], count["DA"] + count["AD"]
            key, test = count["HH"] + count["VV"] + wrong_key, count["DD"] + count["AA"] + wrong_test
            exposures.append((Tally(key_bits=key, test_bits=test, test_errors=wrong_test), wrong_key))
    return exposures


def _at_the_shannon_limit(tally: Tally, key_errors: int) -> SecretLength:
    rate = key_errors / tally.key_bits if tally.key_bits else 0.0
    leakage = math.ceil(tally.key_bits * binary_entropy(rate))
    return bbm92.secret_length(tally, leakage_bits=leakage, epsilon=1e-10)


def test_no_key_from_a_link_above_threshold(data_directory: Path) -> None:
    """Even correction at the Shannon limit leaves nothing: of no exposure, nor of their sum, and it is said why."""
    exposures = _exposures(data_directory / "ljubljana_bbm92" / "coincidence_counts.csv")
    assert len(exposures) == 4_000
    for tally, key_errors in exposures:
        result = _at_the_shannon_limit(tally, key_errors)
        assert result.bits == 0
        assert "phase errors" in result.reason or "correction" in result.reason
    whole = Tally(
        key_bits=sum(tally.key_bits for tally, _ in exposures),
        test_bits=sum(tally.test_bits for tally, _ in exposures),
        test_errors=sum(tally.test_errors for tally, _ in exposures),
    )
    result = _at_the_shannon_limit(whole, sum(key_errors for _, key_errors in exposures))
    assert result.bits == 0
    assert result.asymptotic_bits == 0
    assert result.reason
