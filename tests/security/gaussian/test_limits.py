"""Limits of gain, noise and calibration: vectors, coverage over drawn blocks, and attacks on one quadrature."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qkdpost.security.gaussian.holevo import holevo_of_gain
from qkdpost.security.gaussian.limits.box import channel_box, largest_information, untested_limits, worst_information
from qkdpost.security.gaussian.limits.calibration import receiver_units
from qkdpost.security.gaussian.limits.isotropy import direction_leak
from qkdpost.security.gaussian.limits.regression import block_sums
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.statistics.gaussian.intervals import variance_limits
from reference.gaussian_blocks import Block

CALIBRATED = [  # calibration outcomes, t-, t+, s2+, chi
    (10**8, 0.293336926948, 0.293797978452, 1.002092799006, 0.415425228961),
    (10**9, 0.293430626559, 0.293704201727, 1.001453189546, 0.409222070172),
    (10**10, 0.293460258864, 0.293674548809, 1.001250982631, 0.407151365045),
]


@pytest.mark.parametrize(("outcomes", "low", "high", "noise", "chi"), CALIBRATED)
def test_vectors_of_one_calibration(outcomes: int, low: float, high: float, noise: float, chi: float) -> None:
    tail, reals, gain, estimate = 1e-10 / 5, 10**9, 0.307896086, 1.100948001101
    width, found = untested_limits(math.sqrt(estimate / (5 * reals)), estimate * (reals - 1), reals - 1, tail)
    least, most = variance_limits(1.1 * (outcomes - 1), outcomes - 1, tail)
    t_low, t_high, s2 = (gain - width) / math.sqrt(most), (gain + width) / math.sqrt(least), found / least
    assert (t_low, t_high, s2) == (
        pytest.approx(low, abs=1e-11),
        pytest.approx(high, abs=1e-11),
        pytest.approx(noise, abs=1e-11),
    )
    assert largest_information(5.0, t_low, t_high, s2, 0.6 / 1.1, "heterodyne") == pytest.approx(chi, abs=1e-10)


def test_vectors_of_the_worst_case_over_a_long_line() -> None:
    """At 100 km the eavesdropper knows more at the *upper* end of the gain."""
    t, v, reals, tail = 10**-1.54, 0.06272, 1_900_000_000, 1e-10
    gain = math.sqrt(0.68 * t / 2)
    noise = 1 + v + 0.68 * 0.212e-3 / 2
    width, found = untested_limits(math.sqrt(noise / (8.41 * reals)), noise * (reals - 1), reals - 1, tail)
    up = math.sqrt(1 + v)
    ends = [
        holevo_of_gain(8.41, end / up, found / up**2, 0.68 / up**2, "heterodyne")
        for end in (gain - width, gain + width)
    ]
    assert ends == [pytest.approx(0.0992707661, abs=3e-10), pytest.approx(0.0994634925, abs=3e-10)]
    whole = largest_information(
        8.41, (gain - width) / up, (gain + width) / up, found / up**2, 0.68 / up**2, "heterodyne"
    )
    assert whole == ends[1]


class Judge:
    """Counts blocks whose limits do not hold, and says whether that is too many."""

    def __init__(self, block: Block, **options: Any) -> None:
        self.block = block
        self.settings = GaussianBoundSettings(
            **({"modulation_variance": block.modulation_variance, "efficiency": 0.6} | options)
        )
        v, scale = block.electronic, block.whitening.matrix[0]
        # The truth in units of shot and electronic noise: mean gain, and all that is not it.
        gain = np.trace(block.gains) / 2
        rest = block.gains - gain * np.eye(2)
        noise = np.trace(block.noise + block.modulation_variance * rest @ rest.T) / 2
        self.gain, self.noise = gain / math.sqrt(1 + v), noise / (1 + v)
        self.efficiency = 0.6 / (1 + v)
        variance = scale**2 * (block.modulation_variance * block.gains @ block.gains.T + block.noise)
        half = np.trace(variance) / 2
        self.direction = max(0.0, math.log2(half**2 / np.linalg.det(variance)) / 4)
        self.chi = holevo_of_gain(
            block.modulation_variance, self.gain, max(1.0, self.noise), self.efficiency, block.detection
        )

    def failures(self, blocks: int, probability: float, seed: int) -> tuple[int, int, int]:
        """Return in how many blocks any limit fails, chi is exceeded, and the estimate alone is below the noise."""
        rng = np.random.default_rng(seed)
        wrong = exceeded = short = 0
        for _ in range(blocks):
            tally = self.block.drawn(rng)
            units = receiver_units(tally, self.settings, probability / 24)
            box = channel_box(block_sums(tally), units, self.settings, tally.detection, probability / 24)
            leak = direction_leak(tally, probability / 24)
            short += self.noise > box.noise
            holds = (
                box.gain_low <= self.gain <= box.gain_high
                and self.noise <= box.noise_high
                and self.efficiency <= box.efficiency
                and tally.key_reals * self.direction <= leak.bits
            )
            wrong += not holds
            exceeded += self.chi > worst_information(box, self.settings)
        return wrong, exceeded, short


def allowed(probability: float, blocks: int) -> int:
    """Return the least count that so many blocks exceed with a probability of 1e-9 at most, by Chernoff's bound."""
    mean, count = probability * blocks, math.ceil(probability * blocks)
    while count * math.log(max(count, 1) / mean) - count + mean < math.log(1e9):
        count += 1
    return count


GAIN = math.sqrt(0.6 * 10**-0.5 / 2)
TURNED = np.array([[1.01, 0.02], [-0.02, 0.99]])
CASES = {
    "plain": (Block.plain(4.0, GAIN, 1.105, 0.1, 10**7, calibration=10**7), {}),
    "short": (Block.plain(4.0, GAIN, 1.105, 0.1, 2 * 10**6, calibration=2 * 10**5), {}),
    "untested": (
        Block.plain(4.0, GAIN, 1.105, 0.1, 10**6, calibration=10**6),
        {"attacks": "phase-insensitive-gaussian-collective"},
    ),
    "tolerance": (
        Block.plain(4.0, GAIN, 1.105, 0.1, 10**7, calibration=10**7),
        {
            "modulation_variance": 4.0 / 1.02,
            "modulation_tolerance": 0.02 + 1e-12,
            "efficiency": 0.6 / 1.03,
            "efficiency_tolerance": 0.03 + 1e-12,
        },
    ),
    "homodyne": (Block.plain(4.0, GAIN, 1.105, 0.1, 10**7, calibration=10**7, detection="homodyne"), {}),
    "sensitive": (
        replace(
            Block.plain(4.0, GAIN, 1.105, 0.1, 10**7, calibration=10**9),
            gains=GAIN * TURNED,
            noise=1.105 * np.array([[1.04, 0.02], [0.02, 0.96]]),
        ),
        {},
    ),
}


@pytest.mark.parametrize(
    "blocks", [pytest.param(300, id="sampled"), pytest.param(10_000, id="whole", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("probability", [1e-2, 1e-3])
@pytest.mark.parametrize("case", CASES)
def test_coverage(case: str, probability: float, blocks: int) -> None:
    """All limits of a block together; sums are drawn from their exact laws. A false alarm: 1e-9 for each test."""
    block, options = CASES[case]
    wrong, exceeded, short = Judge(block, **options).failures(blocks, probability, 7)
    print(f"{case} at {probability}: {wrong} of {blocks} wrong, chi too small in {exceeded}")
    assert short > allowed(probability, blocks)  # what has no margin is caught
    assert wrong <= allowed(probability, blocks)
    assert exceeded <= allowed(probability, blocks)
