"""Published rates of finite blocks, for comparison with their authors' numbers; none of them gives a key here.

Both take a target for the efficiency of correction where a bound has the bits that were sent, leave out frames that
failed as if they had never been, and take the channel at the lower end of its transmittance, where the eavesdropper
may hold less than at the upper one. `GaussianBoundSettings` refuses their names.

lgg-2010
    Leverrier, Grosshans and Grangier, Phys. Rev. A 81, 062343 (2010), as experiments use it: beta I at the estimates -
    chi at the corner (T_min, xi_max), less 7 sqrt(log2(2 / eps_s) / n) + (2 / n) log2(1 / eps_PA). Collective, not
    composable.
york
    Pirandola and Papanastasiou, Phys. Rev. Research 6, 023321 (2024), as in the authors' program: p (n / N) [beta I(T,
    xi) - chi(T_wc, xi_wc) - Delta / sqrt(n) + Theta / n], with two slips of that program put right (the variance of T
    divides by outcomes and quadratures both, and the bracket is squared).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.checks import real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.security.gaussian.holevo import Detection, holevo_information, mutual_information
from qkdpost.statistics.gaussian.intervals import normal_quantile

__all__ = ["ComparisonRate", "lgg_rate", "york_rate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRate:
    """A published rate; no bound of any block.

    Args:
        name: of the formula.
        bits_per_symbol: of the symbols that make key (lgg-2010), or of all (york); may be negative.
        transmittance: the worst case that the formula takes.
        excess_noise: likewise.
        holevo_information: chi there.
        finite_size: what it subtracts for a finite block, bits a symbol.
        rigorous: False.
    """

    name: str
    bits_per_symbol: float
    transmittance: float
    excess_noise: float
    holevo_information: float
    finite_size: float
    rigorous: bool = False


def lgg_rate(
    modulation_variance: float,
    transmittance: float,
    excess_noise: float,
    *,
    efficiency: float,
    electronic_noise: float,
    detection: Detection,
    reconciliation_efficiency: float,
    key_symbols: int,
    estimation_reals: int,
    epsilon: float = 1e-10,
    detector_noise: bool = True,
) -> ComparisonRate:
    """Return the rate of 2010, before frames that failed.

    Args:
        modulation_variance: V_A.
        transmittance: the estimate of T.
        excess_noise: the estimate of xi.
        efficiency: eta.
        electronic_noise: v.
        detection: "heterodyne" or "homodyne".
        reconciliation_efficiency: beta, a target.
        key_symbols: n.
        estimation_reals: how many outcomes the estimate is from.
        epsilon: of each of its three parts; limits are two-sided.
        detector_noise: whether outcomes have the noise of the receiver, as they do. Without it, the noise is 1 + T xi,
            which some publications take and no data have.

    Raises:
        InputError: a number out of range.
    """
    t = real_number("transmittance", transmittance, above=0.0, most=1.0)
    xi = real_number("excess_noise", excess_noise, least=0.0)
    n, m = (
        whole_number("key_symbols", key_symbols, least=1),
        whole_number("estimation_reals", estimation_reals, least=2),
    )
    eta = real_number("efficiency", efficiency, above=0.0, most=1.0)
    z = normal_quantile(real_number("epsilon", epsilon, above=0.0, below=0.5) / 2.0)
    added = (
        (2.0 - eta + 2.0 * electronic_noise) / eta
        if detection == "heterodyne"
        else (1.0 - eta + electronic_noise) / eta
    )
    quiet = 1.0 + (added if detector_noise else 0.0)
    noise = quiet + t * xi
    gain = math.sqrt(t) - z * math.sqrt(noise / (m * modulation_variance))
    if gain <= 0.0:
        raise InputError("estimation_reals are too few for any gain to be certain")
    t_min = gain * gain
    xi_max = max(0.0, (noise * (1.0 + z * math.sqrt(2.0 / m)) - quiet) / t_min)
    finite = 7.0 * math.sqrt(math.log2(2.0 / epsilon) / n) - 2.0 / n * math.log2(epsilon)
    information = _rates(modulation_variance, t, xi, eta, electronic_noise, detection)[0]
    chi = _rates(modulation_variance, t_min, xi_max, eta, electronic_noise, detection)[1]
    return ComparisonRate(
        name="lgg-2010",
        bits_per_symbol=reconciliation_efficiency * information - chi - finite,
        transmittance=t_min,
        excess_noise=xi_max,
        holevo_information=chi,
        finite_size=finite,
    )


def york_rate(
    modulation_variance: float,
    transmittance: float,
    excess_noise: float,
    *,
    efficiency: float,
    electronic_noise: float,
    detection: Detection,
    reconciliation_efficiency: float,
    symbols: int,
    disclosed_symbols: int,
    bits_per_quadrature: int,
    success: float,
    epsilon: float = 2.0**-32,
) -> ComparisonRate:
    """Return the composable rate of 2024, bits for each of all symbols.

    Args:
        modulation_variance: V_A.
        transmittance: the estimate of T.
        excess_noise: the estimate of xi.
        efficiency: eta.
        electronic_noise: v of each detector.
        detection: "heterodyne" or "homodyne".
        reconciliation_efficiency: beta, a target.
        symbols: N, of the block.
        disclosed_symbols: those that are disclosed to estimate the channel.
        bits_per_quadrature: of the key's alphabet.
        success: the probability that a frame is corrected.
        epsilon: of each of its parts.

    Raises:
        InputError: a number out of range.
    """
    total = whole_number("symbols", symbols, least=2)
    m = whole_number("disclosed_symbols", disclosed_symbols, least=1, most=total - 1)
    t = real_number("transmittance", transmittance, above=0.0, most=1.0)
    eta = real_number("efficiency", efficiency, above=0.0, most=1.0)
    eps = real_number("epsilon", epsilon, above=0.0, below=1.0)
    quadratures = 2 if detection == "heterodyne" else 1
    seen = eta * t * real_number("excess_noise", excess_noise, least=0.0)
    noise = seen + quadratures * electronic_noise + quadratures
    width = math.sqrt(2.0 * math.log(1.0 / eps))
    t_worst = t - width * math.sqrt(4.0 * t * t * noise / (m * quadratures * eta * t * modulation_variance))
    if t_worst <= 0.0:
        raise InputError("disclosed_symbols are too few for any transmittance to be certain")
    xi_worst = (seen + width * math.sqrt(2.0 * noise * noise / (m * quadratures))) / (eta * t_worst)
    chi = _rates(modulation_variance, t_worst, xi_worst, eta, electronic_noise, detection)[1]
    information = _rates(modulation_variance, t, excess_noise, eta, electronic_noise, detection)[0]
    n = total - m
    alphabet = 2.0 ** (bits_per_quadrature * quadratures)
    finite = 4.0 * math.log2(math.sqrt(alphabet) + 2.0) * math.sqrt(math.log2(2.0 / eps**2)) / math.sqrt(n)
    finite -= math.log2(2.0 * eps**3) / n
    return ComparisonRate(
        name="york",
        bits_per_symbol=success * n / total * (reconciliation_efficiency * information - chi - finite),
        transmittance=t_worst,
        excess_noise=xi_worst,
        holevo_information=chi,
        finite_size=finite,
    )


def _rates(v_a: float, t: float, xi: float, eta: float, v: float, detection: Detection) -> tuple[float, float]:
    information = mutual_information(v_a, t, xi, efficiency=eta, electronic_noise=v, detection=detection)
    return information, holevo_information(v_a, t, xi, efficiency=eta, electronic_noise=v, detection=detection)
