"""The named sets of Cascade: the published block sizes, whole frames and short ones, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.errors import ConfigurationError
from qkdpost.reconciliation import PARAMETER_SETS, CascadeParameters, parameters_for
from qkdpost.reconciliation.cascade.parameters import NEVER
from support.rounds import run_both_sides, strings


@pytest.mark.parametrize(
    ("name", "qber_ppm", "expected"),
    [
        ("original", 30_000, (25, 50, 100, 200)),
        ("yan", 30_000, (27, 135, *[8192] * 8)),
        ("optimised", 30_000, (34, 68, *[8192] * 14)),
        ("power-of-two", 30_000, (64, 256, *[8192] * 12)),
        ("near-optimal", 5_000, (256, 1024, 4096, *[8192] * 11)),
        ("near-optimal", 10_000, (128, 512, 4096, *[8192] * 11)),
        ("near-optimal", 20_000, (64, 512, 4096, *[8192] * 11)),
        ("near-optimal", 30_000, (32, 512, 4096, *[8192] * 11)),
        ("near-optimal", 40_000, (32, 256, 4096, *[8192] * 11)),
        ("near-optimal", 50_000, (16, 256, 4096, *[8192] * 11)),
        ("near-optimal", 60_000, (16, 256, 4096, *[8192] * 11)),
        ("near-optimal", 70_000, (16, 256, 4096, *[8192] * 11)),
        ("near-optimal", 80_000, (8, 256, 4096, *[8192] * 11)),
        ("near-optimal", 90_000, (8, 256, 4096, *[8192] * 11)),
        ("near-optimal", 100_000, (8, 256, 4096, *[8192] * 11)),
        ("near-optimal", 110_000, (8, 256, 4096, *[8192] * 11)),
        # Between rows the nearer in ratio: the rows of 2 and 3 % meet at sqrt(6) %.
        ("near-optimal", 24_494, (64, 512, 4096, *[8192] * 11)),
        ("near-optimal", 24_495, (32, 512, 4096, *[8192] * 11)),
        # Beyond them the formula: 2^ceil(a), 2^ceil((a + 12) / 2), a = log2(1 / Q) - 1/2.
        ("near-optimal", 4_999, (256, 1024, 4096, *[8192] * 11)),
        ("near-optimal", 1_000, (1024, 2048, 4096, *[8192] * 11)),
        ("near-optimal", 0, (4096, 4096, 4096, *[8192] * 11)),
        ("near-optimal", 176_776, (8, 256, 4096, *[8192] * 11)),
        ("near-optimal", 176_777, (4, 128, 4096, *[8192] * 11)),
        ("near-optimal", 500_000, (2, 128, 4096, *[8192] * 11)),
        ("balanced", 43_000, (16, 128, *[8192] * 16)),
        ("balanced", 42_999, (32, 128, *[8192] * 16)),
        ("balanced", 500_000, (4, 64, *[8192] * 16)),
        ("balanced", 2_799, (256, 512, *[8192] * 16)),
        ("balanced", 0, (16384, 16384, *[8192] * 16)),
        ("few-rounds", 28_000, (32, 32, *[8192] * 16)),
        ("few-rounds", 200_000, (4, 16, *[8192] * 16)),
        ("few-rounds", 27_999, (32, 64, *[8192] * 16)),
        ("few-rounds", 1_299, (512, 1024, *[8192] * 16)),
        ("few-rounds", 500_000, (4, 16, *[8192] * 16)),
        ("original", 0, (16384, 16384, 16384, 16384)),
        ("original", 500_000, (2, 4, 8, 16)),
    ],
)
def test_published_block_sizes(name: str, qber_ppm: int, expected: tuple[int, ...]) -> None:
    assert parameters_for(name, qber_ppm, 1 << 14).block_bits == expected


def test_formula_beyond_the_table_in_floats() -> None:
    for qber_ppm in [*range(10, 5000, 37), *range(110_001, 500_001, 1009)]:
        a = math.log2(1e6 / qber_ppm) - 0.5
        expected = (2 ** math.ceil(a), 2 ** math.ceil((a + 12) / 2))
        chosen = parameters_for("near-optimal", qber_ppm, 1 << 20).block_bits
        assert chosen[:2] == expected


@settings(deadline=None)
@given(st.sampled_from(list(PARAMETER_SETS)), st.integers(0, 500_000), st.integers(1, 1 << 20), st.integers(1, 1 << 20))
def test_block_sizes_fit_any_frame(name: str, qber_ppm: int, frame_bits: int, length: int) -> None:
    parameters = parameters_for(name, qber_ppm, frame_bits)
    assert all(1 <= size <= frame_bits for size in parameters.block_bits)
    sizes = parameters.for_length(min(length, frame_bits))
    assert all(1 <= size <= min(length, frame_bits) for size in sizes)


def test_wrong_parameters() -> None:
    for qber_ppm in (-1, 500_001):
        with pytest.raises(ConfigurationError, match="qber_ppm"):
            parameters_for("yan", qber_ppm, 100)
    for frame_bits in (0, (1 << 20) + 1):
        with pytest.raises(ConfigurationError, match="frame"):
            parameters_for("yan", 1000, frame_bits)
        with pytest.raises(ConfigurationError, match="frame"):
            CascadeParameters(name="own", frame_bits=frame_bits, block_bits=(1,))
    for block_bits in ((), (0,), (8, -1), (1,) * 64):
        with pytest.raises(ConfigurationError):
            CascadeParameters(name="own", frame_bits=100, block_bits=block_bits)
    for first, doubles, field in ((-1, 1, "hurry_from"), (NEVER + 1, 1, "hurry_from"), (0, 0, "hurry_doubles")):
        with pytest.raises(ConfigurationError, match=field):
            CascadeParameters(name="own", frame_bits=9, block_bits=(1,), hurry_from=first, hurry_doubles=doubles)
    for early in (-1, 65):
        with pytest.raises(ConfigurationError, match="early_places"):
            CascadeParameters(name="own", frame_bits=9, block_bits=(1,), early_places=early)


@pytest.mark.parametrize("name", PARAMETER_SETS)
def test_frames_hurry_later_where_the_rate_is_known_less_well(name: str) -> None:
    known = parameters_for(name, 30_000, 1 << 16)
    rounds = [
        parameters_for(name, 30_000, 1 << 16, uncertainty_permille=permille).hurry_from
        for permille in (0, 100, 200, 500, 1_000)
    ]
    if known.hurry_from is None:
        assert rounds == [None] * 5
    else:
        assert rounds[0] == rounds[1] == known.hurry_from
        assert rounds[1:] == sorted(rounds[1:], key=lambda late: late or 0)
        assert rounds[3] == known.hurry_from * 324**2 // 100**2
    hardly = parameters_for(name, 30_000, 1 << 16, uncertainty_permille=101)
    assert hardly.early_places == 0
    assert known.early_places == (0 if known.hurry_from is None else 4)
    assert replace(hardly, hurry_from=known.hurry_from, early_places=known.early_places) == known
    with pytest.raises(ConfigurationError, match="uncertainty_permille"):
        parameters_for(name, 30_000, 100, uncertainty_permille=1_001)


@pytest.mark.parametrize("name", ["balanced", "few-rounds"])
def test_too_low_a_rate_from_a_few_errors_does_not_make_frames_hurry(name: str) -> None:
    """As of recorded errors: 1.88 % in frames of 8,851 bits, of which 256 that were compared had shown one."""
    rng = np.random.default_rng(9)
    reference, noisy = strings(rng, rng.random(24 * 8851) < 0.0188)
    known, hardly = (
        run_both_sides(reference, noisy, 8851, parameters_for(name, 5_836, 8851, uncertainty_permille=permille))[0]
        for permille in (0, 500)
    )
    assert hardly.parities < 0.95 * known.parities
