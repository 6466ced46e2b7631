from __future__ import annotations

import copy
import pickle
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from qkdpost import CoherentStates, InputError

SYMBOLS = np.random.default_rng(1).normal(0.0, 2.0, (20_000, 2)).astype(np.float32)


def test_symbols_are_kept_without_a_copy_and_cannot_be_written_to() -> None:
    record = CoherentStates(symbols=SYMBOLS, modulation_variance=4)
    assert np.shares_memory(record.symbols, SYMBOLS)
    assert np.shares_memory(copy.copy(record).symbols, SYMBOLS)
    assert SYMBOLS.flags.writeable
    assert not record.symbols.flags.writeable
    assert record.events == 20_000
    assert weakref.ref(record)() is record


def test_nothing_of_it_is_shown() -> None:
    record = CoherentStates(symbols=SYMBOLS, modulation_variance=4.0)
    assert repr(record) == "CoherentStates(modulation_variance=4.0, symbols=20000)"


def test_equal_records() -> None:
    record = CoherentStates(symbols=SYMBOLS, modulation_variance=4.0)
    assert pickle.loads(pickle.dumps(record)) == record == copy.copy(record)
    assert record != CoherentStates(symbols=SYMBOLS[:-1], modulation_variance=4.0)
    assert record != CoherentStates(symbols=SYMBOLS, modulation_variance=4.1)
    assert record != 3


@pytest.mark.parametrize("form", [SYMBOLS.tolist(), SYMBOLS.astype(np.float64), SYMBOLS.T.copy().T])
def test_other_forms_of_the_same(form: object) -> None:
    own = CoherentStates(symbols=form, modulation_variance=np.float32(4.0))  # type: ignore[arg-type]
    assert own == CoherentStates(symbols=SYMBOLS, modulation_variance=4.0)


@pytest.mark.parametrize(
    ("symbols", "variance", "message"),
    [
        (SYMBOLS[:, 0], 4.0, "shape \\(n, 2\\)"),
        (np.zeros((5, 3)), 4.0, "shape \\(n, 2\\)"),
        (SYMBOLS[:, 0] + 1j * SYMBOLS[:, 1], 4.0, "complex numbers"),
        (np.where(SYMBOLS > 7.9, np.nan, SYMBOLS), 4.0, "found NaN"),
        (np.full((4, 2), np.inf), 4.0, "infinity"),
        (np.full((4, 2), 1e39), 4.0, "infinity or more"),
        (np.ones((4, 2), dtype=bool), 4.0, "real numbers"),
        ([["a", "b"]], 4.0, "real numbers"),
        (SYMBOLS, 0.0, "above 0"),
        (SYMBOLS, float("nan"), "modulation_variance"),
        (SYMBOLS, "4", "modulation_variance"),
        (SYMBOLS / np.sqrt(2.0), 4.0, "twice the mean number of photons"),
        (SYMBOLS * np.sqrt(2.0), 4.0, "twice the mean number of photons"),
        (np.zeros((20_000, 2)), 4.0, "variance of 0 in x"),
    ],
)
def test_what_cannot_be_is_refused(symbols: object, variance: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CoherentStates(symbols=symbols, modulation_variance=variance)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
def test_few_symbols_say_nothing_of_their_variance(count: int) -> None:
    assert CoherentStates(symbols=np.full((count, 2), 0.1), modulation_variance=4.0).events == count


def test_the_modulation_of_the_link() -> None:
    record = CoherentStates(symbols=SYMBOLS, modulation_variance=4.04)
    record.check_for(SimpleNamespace())
    record.check_for(SimpleNamespace(modulation_variance=4.0, modulation_tolerance=0.01))
    with pytest.raises(InputError, match="this link has 4"):
        record.check_for(SimpleNamespace(modulation_variance=4.0, modulation_tolerance=0.009))
    # Within the tolerance by its own word, but its symbols are not: 20 %, and 20,000 symbols show 10 % for certain.
    stronger = CoherentStates(symbols=SYMBOLS * np.float32(np.sqrt(1.2)), modulation_variance=4.0)
    with pytest.raises(InputError, match=r"variance of 4\.69"):
        stronger.check_for(SimpleNamespace(modulation_variance=4.0, modulation_tolerance=0.01))


@pytest.mark.slow
def test_honest_symbols_are_taken() -> None:
    """False alarms of 2^-40 each: none in 2,000 records."""
    generator = np.random.default_rng(5)
    for count in (2, 3, 10, 100, 1000):
        for _ in range(400):
            record = CoherentStates(symbols=generator.normal(0.0, 2.0, (count, 2)), modulation_variance=4.0)
            record.check_for(SimpleNamespace(modulation_variance=4.0, modulation_tolerance=0.0))


@pytest.mark.parametrize("levels", [2, 4, 8])
def test_a_constellation_is_no_normal_modulation(levels: int) -> None:
    """The bound is for Gaussian modulation: the same variance from a grid would be taken for it, to too much key."""
    rng = np.random.default_rng(7)
    settings = SimpleNamespace(modulation_variance=4.0, modulation_tolerance=0.01)
    grid = 2.0 * rng.binomial(levels - 1, 0.5, (100_000, 2)) - (levels - 1)
    symbols = 2.0 * grid / np.sqrt(levels - 1)
    with pytest.raises(InputError, match="normal distribution"):
        CoherentStates(symbols=symbols, modulation_variance=4.0).check_for(settings)


def test_a_converter_of_eight_bits_is_fine_enough() -> None:
    """False alarms of 2^-40 a quadrature."""
    rng = np.random.default_rng(8)
    settings = SimpleNamespace(modulation_variance=4.0, modulation_tolerance=0.01)
    step = 16.0 / 256.0
    symbols = np.clip(np.round(rng.normal(0.0, 2.0, (300_000, 2)) / step) * step, -8.0, 8.0)
    CoherentStates(symbols=symbols, modulation_variance=4.0).check_for(settings)
