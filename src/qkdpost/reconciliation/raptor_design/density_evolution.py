"""Density evolution of raptor-like ensembles under sum-product decoding over the binary-input Gaussian channel.

Every message is symmetric, so that its density is that of its magnitude alone: a mixture of binary symmetric channels
(T. Richardson and R. Urbanke, Modern Coding Theory, 4.1.4). Edges have types: information to precode, parity to
precode, information to extension, parity to extension; taken together they would converge where no decoder does.

- *Precode*: magnitudes on a grid that is finest near zero. A result between two points is split so that E[tanh^2(x/2)],
  which for symmetric densities is E[tanh(x/2)], stays what it was.
- *Extension*: a check adds to a core bit the mean of u = 2 atanh(prod t), t = tanh(x/2) of all others, the bit's own
  column among them. Since E[t^(2k-1)] = E[t^(2k)], that mean is 2 sum_k 1/(2k-1) prod E[t^(2k)] without any grid: the
  messages are as weak as the channel, and a grid would round them off. A bit sums many of them, so that the sum is
  taken as normal, of variance twice its mean.

A layered decoder ends where a flooding one does, in about half as many iterations: thresholds are those of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from qkdpost.errors import InputError

__all__ = ["RaptorEnsemble", "converges", "error_rates", "snr_of_efficiency", "threshold_efficiency"]

Density = NDArray[np.float64]

_LEVELS = 96
_MOST = 36.0
_SHAPE = 1.7
_MOMENTS = 24
_FINE = 1024
_DONE = 2e-5
_FIRST_LOOK = 20
_STALLED = 2e-5
"""By which share of the error probability an iteration must at least lower it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaptorEnsemble:
    """A raptor-like ensemble, counted for each information column.

    Args:
        extension: (information edges, parity edges) of a row to the number of such rows.
        increments: information edges of a row to the number of such rows, whose bit is known without noise.
        info_degree: precode edges of an information column.
    """

    extension: Mapping[tuple[int, int], float]
    increments: Mapping[int, float]
    info_degree: int = 3

    @property
    def rate(self) -> float:
        """Share of a frame that the syndrome, with increments, leaves undisclosed."""
        return (1 - sum(self.increments.values())) / (2 + sum(self.extension.values()))


def snr_of_efficiency(rate: float, efficiency: float) -> float:
    """Return the signal-to-noise ratio at which log2(1 + SNR) / 2 times the efficiency is the rate."""
    return float(np.expm1(2 * np.log(2) * rate / efficiency))


@cache
def _magnitudes() -> Density:
    return _MOST * (np.arange(_LEVELS) / (_LEVELS - 1)) ** _SHAPE


def _split(values: Density) -> tuple[NDArray[np.int64], Density]:
    """Return the grid point below each magnitude and the share that goes to the next."""
    grid = np.tanh(_magnitudes() / 2) ** 2
    wanted = np.tanh(np.minimum(values, _MOST) / 2) ** 2
    low = np.clip(np.searchsorted(_magnitudes(), values, side="right") - 1, 0, _LEVELS - 2)
    share = (wanted - grid[low]) / np.maximum(grid[low + 1] - grid[low], 1e-300)
    return low, np.clip(share, 0.0, 1.0)


@cache
def _maps() -> tuple[tuple[NDArray[np.int64], Density], ...]:
    """Return where pairs of magnitudes go at a check, and at a bit when they agree and when they contradict."""
    grid = _magnitudes()
    left, right = np.meshgrid(grid, grid, indexing="ij")
    product = np.minimum(np.tanh(left / 2) * np.tanh(right / 2), 1 - 1e-16)
    agree = (1 + np.tanh(left / 2) * np.tanh(right / 2)) / 2
    check, share = _split(2 * np.arctanh(product).ravel())
    both, both_share = _split((left + right).ravel())
    one, one_share = _split(np.abs(left - right).ravel())
    weights = agree.ravel()
    places = np.concatenate([both, both + 1, one, one + 1])
    shares = np.concatenate(
        [weights * (1 - both_share), weights * both_share, (1 - weights) * (1 - one_share), (1 - weights) * one_share]
    )
    return (np.concatenate([check, check + 1]), np.concatenate([1 - share, share])), (places, shares)


def _combine(left: Density, right: Density, kind: int) -> Density:
    places, shares = _maps()[kind]
    pairs = np.outer(left, right).reshape(1, -1)
    weights = (shares.reshape(-1, pairs.size) * pairs).ravel()
    found = np.bincount(places, weights=weights, minlength=_LEVELS).astype(np.float64)
    found /= found.sum()  # rounding would grow with every iteration
    return found


def _check(*parts: Density) -> Density:
    found = parts[0]
    for part in parts[1:]:
        found = _combine(found, part, 0)
    return found


def _sum(*parts: Density) -> Density:
    found = parts[0]
    for part in parts[1:]:
        found = _combine(found, part, 1)
    return found


def _normal(mean: float) -> Density:
    """Return the density of magnitudes of a normal law of the given mean and twice that variance."""
    mean = max(mean, 1e-9)
    deviation = np.sqrt(2 * mean)
    points = np.linspace(mean - 8 * deviation, mean + 8 * deviation, _FINE)
    weights = np.exp(-((points - mean) ** 2) / (4 * mean))
    low, share = _split(np.abs(points))
    density = np.bincount(low, weights * (1 - share), _LEVELS).astype(np.float64)
    density += np.bincount(low + 1, weights * share, _LEVELS)
    density /= density.sum()
    return density


@cache
def _powers() -> Density:
    return np.tanh(_magnitudes()[None, :] / 2) ** (2 * np.arange(1, _MOMENTS + 1)[:, None])


_SERIES = 2 / (2 * np.arange(1, _MOMENTS + 1) - 1)


def _error(density: Density) -> float:
    return float((density / (1 + np.exp(_magnitudes()))).sum())


def _of_degree(channel: float, degree: float, mean: float) -> Density:
    """Return the density of a parity bit's channel and extension messages: columns differ by one in their degrees."""
    low = int(np.floor(degree))
    share = degree - low
    density = (1 - share) * _normal(channel + low * mean)
    return density if share == 0 else density + share * _normal(channel + (low + 1) * mean)


def error_rates(ensemble: RaptorEnsemble, snr: float) -> Iterator[float]:
    """Yield the error probability of information bits after each flooding iteration, without end.

    Args:
        ensemble: the degrees.
        snr: of each bit: its log-likelihood ratio is normal with mean 2 SNR and variance 4 SNR.

    Raises:
        InputError: a ratio that is not positive.
    """
    if snr <= 0:
        raise InputError(f"a signal-to-noise ratio is positive, found {snr}")
    channel = 2 * snr
    extension = _Extension(ensemble, _powers() @ _normal(channel))
    to_info = to_parity = np.eye(1, _LEVELS)[0]
    info_moments = parity_moments = extension.channel_moments
    while True:
        info_mean, parity_mean = extension.means(info_moments, parity_moments)
        outside = _normal(channel + extension.info_edges * info_mean)
        twice = _sum(*[to_info] * (ensemble.info_degree - 1))
        info = _sum(outside, twice)
        parity = _sum(_of_degree(channel, extension.parity_edges, parity_mean), to_parity)
        one_less = _normal(channel + max(extension.info_edges - 1, 0.0) * info_mean)
        info_moments = _powers() @ _sum(one_less, _sum(twice, to_info))
        one_less = _of_degree(channel, max(extension.parity_edges - 1, 0.0), parity_mean)
        parity_moments = _powers() @ _sum(one_less, _sum(to_parity, to_parity))
        pair = _check(info, info)
        to_info, to_parity = _check(pair, _check(parity, parity)), _check(pair, _check(info, parity))
        yield _error(_sum(info, to_info))


class _Extension:
    """What the rows of an extension, and of increments, tell of core bits."""

    def __init__(self, ensemble: RaptorEnsemble, channel_moments: Density) -> None:
        self.channel_moments = channel_moments
        known = np.ones_like(channel_moments)
        self._rows = [(*kind, number, channel_moments) for kind, number in ensemble.extension.items()]
        self._rows += [(info, 0, number, known) for info, number in ensemble.increments.items()]
        self.info_edges = sum(info * number for info, _, number, _ in self._rows)
        self.parity_edges = sum(parity * number for _, parity, number, _ in self._rows)

    def means(self, info: Density, parity: Density) -> tuple[float, float]:
        """Return the mean of a message to an information bit, and to a parity bit, from the moments of theirs."""
        info_sum = parity_sum = 0.0
        for to_info, to_parity, number, own in self._rows:
            if to_info:
                moments = own * info ** (to_info - 1) * parity**to_parity
                info_sum += number * to_info * float(_SERIES @ moments)
            if to_parity:
                moments = own * info**to_info * parity ** (to_parity - 1)
                parity_sum += number * to_parity * float(_SERIES @ moments)
        return info_sum / max(self.info_edges, 1e-9), parity_sum / max(self.parity_edges, 1e-9)


def converges(ensemble: RaptorEnsemble, snr: float, iterations: int = 1000) -> tuple[bool, int, float]:
    """Return whether the error probability goes to zero, after how many iterations it was judged, and its last value.

    Args:
        ensemble: the degrees.
        snr: as for `error_rates`.
        iterations: flooding ones, after which to give up.
    """
    last, count = 0.5, 0
    for error in islice(error_rates(ensemble, snr), iterations):
        count += 1
        if error < _DONE:
            return True, count, error
        if count > _FIRST_LOOK and last - error < _STALLED * error:
            return False, count, error
        last = error
    return False, count, last


def threshold_efficiency(
    ensemble: RaptorEnsemble, *, low: float = 0.86, high: float = 1.0, digits: float = 5e-4, iterations: int = 1000
) -> float:
    """Return the highest efficiency at which the ensemble converges, by halving; 0 if it does not even at `low`."""
    if not converges(ensemble, snr_of_efficiency(ensemble.rate, low), iterations)[0]:
        return 0.0
    while high - low > digits:
        middle = (low + high) / 2
        if converges(ensemble, snr_of_efficiency(ensemble.rate, middle), iterations)[0]:
            low = middle
        else:
            high = middle
    return low
