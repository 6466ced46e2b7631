"""What cannot be is refused of a tally before any bound sees it: all of it may come from a peer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qkdpost.errors import InputError
from qkdpost.statistics.gaussian.moments import Whitening
from reference.gaussian_blocks import Block

GOOD = Block.plain(4.0, 0.3, 1.11, 0.1, 10**6).expected()
HOMODYNE = Block.plain(4.0, 0.3, 1.11, 0.1, 10**6, detection="homodyne").expected()
NO_COUNTS = (-8, 8.0, np.float64(8), True, np.True_, "8", None, float("nan"), float("inf"), 2**53 + 8, 10**400)


@pytest.mark.parametrize("value", NO_COUNTS, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("name", ["key_reals", "dimension"])
def test_counts_are_whole_numbers(name: str, value: object) -> None:
    with pytest.raises(InputError, match=name):
        replace(GOOD, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [np.int8, np.int16, np.uint8, np.int64, np.uint64])
def test_counts_of_every_width_become_plain_integers(width: type) -> None:
    tally = replace(GOOD, dimension=width(4), key_reals=width(96))
    assert tally == replace(GOOD, dimension=4, key_reals=96)
    assert (type(tally.dimension), type(tally.key_reals)) == (int, int)


PARTS = ("detection", "moments", "whitening", "shot_electronic", "electronic")
WRONG = (5, (1.0,) * 20, GOOD, np.zeros(4), "moments", GOOD.key_reals)


@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", PARTS)
def test_parts_of_another_class_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=name):
        replace(GOOD, **{name: value})


@pytest.mark.parametrize("name", PARTS)
def test_one_record_alone_may_be_missing(name: str) -> None:
    if name == "electronic":
        assert replace(GOOD, electronic=None).electronic is None
        return
    with pytest.raises(InputError, match=name):
        replace(GOOD, **{name: None})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"detection": "Heterodyne"}, "'heterodyne', 'homodyne'"),
        ({"dimension": 3}, "1, 2, 4 or 8"),
        ({"dimension": 16}, "dimension"),
        ({"key_reals": sum(GOOD.moments.counts) + 8}, "must not exceed"),
        ({"key_reals": 999_999}, "multiple of the dimension"),
        ({"moments": GOOD.shot_electronic}, "moments"),
        ({"shot_electronic": GOOD.moments}, "shot_electronic"),
        (
            {"moments": replace(GOOD.moments, counts=(500_000, 499_999)), "key_reals": 8},
            "as many outcomes of either quadrature",
        ),
        ({"shot_electronic": replace(GOOD.shot_electronic, counts=(200, 300))}, "shot_electronic of heterodyne"),
        ({"electronic": replace(GOOD.shot_electronic, counts=(200, 300))}, "electronic of heterodyne"),
    ],
    ids=str,
)
def test_parts_that_contradict_each_other(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(GOOD, **changes)


def test_homodyne_detection_has_no_sums_across_quadratures() -> None:
    assert (HOMODYNE.outcomes_per_symbol, GOOD.outcomes_per_symbol) == (1, 2)
    with pytest.raises(InputError, match="one quadrature at a time"):
        replace(HOMODYNE, whitening=Whitening(centre=(0.0, 0.0), matrix=(1.0, 0.1, 0.0, 1.0)))
    moments = HOMODYNE.moments
    for name in ("measured_squares", "products", "sent_squares"):
        values = getattr(moments, name)
        with pytest.raises(InputError, match="one quadrature at a time"):
            replace(HOMODYNE, moments=replace(moments, **{name: (*values[:-1], 1.0)}))


def test_the_unit_of_the_proof_is_a_whole_symbol_at_least() -> None:
    assert [replace(GOOD, dimension=d).unit_reals for d in (1, 2, 4, 8)] == [2, 2, 4, 8]
    assert [replace(HOMODYNE, dimension=d).unit_reals for d in (1, 2, 4, 8)] == [1, 2, 4, 8]
