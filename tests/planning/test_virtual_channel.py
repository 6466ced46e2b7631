from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

from qkdpost.errors import InputError
from qkdpost.planning.virtual_channel import sign_capacity, virtual_channel_capacity


@pytest.mark.parametrize(
    ("ratio", "bits"),
    [
        (0.029, 0.0206214150381985),
        (0.075, 0.0521654316171927),
        (0.161, 0.1076366923461958),
        (0.5, 0.290480113360848),
        (1.0, 0.485944154132935),
    ],
)
def test_a_sign_in_gaussian_noise(ratio: float, bits: float) -> None:
    """By an independent program."""
    assert sign_capacity(np.array([ratio]))[0] == pytest.approx(bits, abs=1e-9)


@pytest.mark.parametrize("dimension", [1, 2, 4, 8])
def test_capacity_of_rotations(dimension: int) -> None:
    """Parts of Shannon's capacity, by somebody else's Monte Carlo run, some to 0.003 and some to less."""
    table = {
        0.029: (0.975, 0.989, 0.993, 0.997),
        0.161: (0.890, 0.936, 0.970, 0.989),
        0.5: (0.776, 0.866, 0.921, 0.958),
        1.0: (0.690, 0.798, 0.873, 0.919),
        4.0: (0.516, 0.620, 0.694, 0.737),
    }
    for ratio, parts in table.items():
        found = virtual_channel_capacity(ratio, dimension) / (0.5 * math.log2(1.0 + ratio))
        assert found == pytest.approx(parts[(1, 2, 4, 8).index(dimension)], abs=0.006)


@pytest.mark.parametrize("ratio", [0.02, 0.161, 1.0, 4.0])
def test_the_mean_over_norms(ratio: float) -> None:
    """Of pairs, the squared norm has an exponential distribution; Simpson's rule has no trouble with it."""
    parts = np.linspace(0.0, 40.0, 200_001)
    capacities = np.concatenate([sign_capacity(ratio * piece) for piece in np.array_split(parts, 40)])
    mean = integrate.simpson(np.exp(-parts) * capacities, x=parts)
    assert virtual_channel_capacity(ratio, 2) == pytest.approx(mean, abs=2e-6)


def test_what_is_no_channel_is_refused() -> None:
    assert virtual_channel_capacity(0.0) == 0.0
    for ratio, dimension in ((-1.0, 8), (math.nan, 8), (1.0, 3), (1.0, 16), (1.0, 8.0)):
        with pytest.raises(InputError):
            virtual_channel_capacity(ratio, dimension)  # type: ignore[arg-type]
