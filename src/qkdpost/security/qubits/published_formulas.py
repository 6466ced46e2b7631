"""The formulas of published fixed-length bounds for qubit rounds, in the papers' own quantities.

Tomamichel and Leverrier, Quantum 1, 14 (2017); Lim, Xu, Pan and Ekert, Phys. Rev. Lett. 126, 100501 (2021);
Tomamichel, Lim, Gisin and Renner, Nature Communications 3, 634 (2012). `published` makes lengths of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.checks import real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.security.qubits.tally import Tally
from qkdpost.statistics.entropy import binary_entropy

__all__ = [
    "TheoremThree",
    "lim_2021_deviation",
    "lim_2021_parameter_estimation",
    "tlgr_2012_deviation",
    "tomamichel_leverrier_deviation",
    "tomamichel_leverrier_theorem_three",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TheoremThree:
    """The security parameters of Tomamichel and Leverrier's Theorem 3 for one set of protocol parameters.

    Args:
        parameter_estimation: eps_pe.
        amplification: eps_pa.
        correctness: eps_ec.
    """

    parameter_estimation: float
    amplification: float
    correctness: float

    @property
    def total(self) -> float:
        """The sum: the protocol is this far from ideal at most."""
        return self.parameter_estimation + self.amplification + self.correctness


def tomamichel_leverrier_theorem_three(
    *,
    sifted_bits: int,
    test_bits: int,
    tolerated_error_rate: float,
    deviation: float,
    syndrome_bits: int,
    tag_bits: int,
    secret_bits: int,
    overlap: float = 0.5,
) -> TheoremThree:
    """Evaluate Theorem 3 of Tomamichel and Leverrier, Quantum 1, 14 (2017), in exactly the paper's quantities.

        eps_pe = 2 exp(-(m - k) k^2 nu^2 / (m (k + 1)))
        eps_pa = 1/2 2^(-1/2 ((m - k)(log2(1 / c) - h(delta + nu)) - r - t - l))
        eps_ec = 2^-t

    Args:
        sifted_bits: m, tested ones included.
        test_bits: k.
        tolerated_error_rate: delta.
        deviation: nu, in 0 ... 1/2 - delta.
        syndrome_bits: r.
        tag_bits: t.
        secret_bits: l.
        overlap: c, of the two measurements; 1/2 for ideal conjugate bases.

    Raises:
        InputError: parameters outside the theorem's range.
    """
    sifted_bits, test_bits = _sifted(sifted_bits, test_bits)
    tolerated_error_rate = _rate(tolerated_error_rate)
    syndrome_bits, tag_bits = whole_number("syndrome_bits", syndrome_bits), whole_number("tag_bits", tag_bits)
    secret_bits = whole_number("secret_bits", secret_bits)
    overlap = real_number("overlap", overlap, above=0.0, most=1.0)
    if not 0.0 < deviation < 0.5 - tolerated_error_rate or tolerated_error_rate < 0.0:
        raise InputError(f"nu must lie in 0 ... 1/2 - delta; found nu {deviation}, delta {tolerated_error_rate}")
    key = sifted_bits - test_bits
    exponent = key * test_bits**2 * deviation**2 / (sifted_bits * (test_bits + 1))
    entropy = key * (-math.log2(overlap) - binary_entropy(tolerated_error_rate + deviation))
    spare = entropy - syndrome_bits - tag_bits - secret_bits
    return TheoremThree(
        parameter_estimation=2.0 * math.exp(-exponent),
        amplification=0.5 * 2.0 ** (-0.5 * spare),
        correctness=2.0**-tag_bits,
    )


def tomamichel_leverrier_deviation(sifted_bits: int, test_bits: int, parameter_estimation: float) -> float:
    """Return the nu at which eps_pe of Theorem 3 is `parameter_estimation`.

    Raises:
        InputError: parameters outside the theorem's range.
    """
    sifted_bits, test_bits = _sifted(sifted_bits, test_bits)
    parameter_estimation = real_number("parameter_estimation", parameter_estimation, above=0.0, below=1.0)
    key = sifted_bits - test_bits
    exponent = math.log(2.0) - math.log(parameter_estimation)
    return math.sqrt(exponent * sifted_bits * (test_bits + 1) / key) / test_bits


def lim_2021_parameter_estimation(
    *, sifted_bits: int, test_bits: int, tolerated_error_rate: float, middle: float, deviation: float
) -> float:
    """Return eps_pe of Lim, Xu, Pan and Ekert, Phys. Rev. Lett. 126, 100501 (2021), for small blocks.

        eps_pe^2 = exp(-2 m k xi^2 / (n + 1)) + exp(-2 G ((n (nu - xi))^2 - 1)),
        G = 1 / (m (delta + xi) + 1) + 1 / (m - m (delta + xi) + 1)

    The first term bounds the error rate of all m bits by delta + xi, the second (Hush and Scovel) that of the n key
    bits by delta + nu.

    Args:
        sifted_bits: m, tested ones included.
        test_bits: k.
        tolerated_error_rate: delta.
        middle: xi, in 0 ... nu.
        deviation: nu.

    Raises:
        InputError: numbers of bits or rates out of range, or xi and nu not in order.
    """
    sifted_bits, test_bits = _sifted(sifted_bits, test_bits)
    tolerated_error_rate = _rate(tolerated_error_rate)
    if not 0.0 < middle < deviation < 0.5 - tolerated_error_rate:
        raise InputError(f"0 < xi < nu < 1/2 - delta is needed; found xi {middle}, nu {deviation}")
    key = sifted_bits - test_bits
    first = math.exp(-2.0 * sifted_bits * test_bits * middle**2 / (key + 1))
    spread = _hush_scovel(sifted_bits, tolerated_error_rate + middle)
    second = math.exp(-2.0 * spread * ((key * (deviation - middle)) ** 2 - 1.0))
    return math.sqrt(first + second)


def lim_2021_deviation(tally: Tally, tolerated: float, estimation: float) -> float:
    """Return the least nu over xi with eps_pe of `lim_2021_parameter_estimation` equal to `estimation`; 1/2 if none.

    Args:
        tally: n and k, neither of them zero.
        tolerated: delta.
        estimation: the eps_pe that is wanted.
    """
    sifted, key = tally.key_bits + tally.test_bits, tally.key_bits
    log_target = 2.0 * math.log(estimation)
    least = math.sqrt(-log_target * (key + 1) / (2.0 * sifted * tally.test_bits))

    def deviation(stretch: float) -> float:
        middle = least * stretch
        if tolerated + middle >= 0.5:
            return 0.5
        log_first = -2.0 * sifted * tally.test_bits * middle**2 / (key + 1)
        log_second = log_target + math.log1p(-math.exp(log_first - log_target))
        spread = _hush_scovel(sifted, tolerated + middle)
        return middle + math.sqrt(1.0 - log_second / (2.0 * spread)) / key

    # From one part in 10^6 of the target on, the first event costs nothing more: the best stretch is below 1.2.
    return min(deviation(1.0 + 0.2 * (step / 64.0) ** 3) for step in range(1, 65))


def tlgr_2012_deviation(key_bits: int, test_bits: int, secrecy: float) -> float:
    """Return mu = sqrt((n + k) / (n k) (k + 1) / k ln(4 / eps_sec)) of Tomamichel, Lim, Gisin and Renner (2012).

    Raises:
        InputError: numbers of bits below 1, or a parameter outside 0 ... 1.
    """
    key_bits, test_bits = whole_number("key_bits", key_bits, least=1), whole_number("test_bits", test_bits, least=1)
    secrecy = real_number("secrecy", secrecy, above=0.0, below=1.0)
    scale = (key_bits + test_bits) / key_bits / test_bits * (test_bits + 1) / test_bits
    return math.sqrt(scale * (math.log(4.0) - math.log(secrecy)))


def _sifted(sifted_bits: int, test_bits: int) -> tuple[int, int]:
    sifted_bits, test_bits = whole_number("sifted_bits", sifted_bits), whole_number("test_bits", test_bits)
    if not 0 < test_bits < sifted_bits:
        raise InputError(f"test_bits must lie in 1 ... sifted_bits - 1; found {test_bits} of {sifted_bits}")
    return sifted_bits, test_bits


def _rate(tolerated_error_rate: float) -> float:
    return real_number("tolerated_error_rate", tolerated_error_rate, least=0.0, below=0.5)


def _hush_scovel(sifted_bits: int, rate: float) -> float:
    errors = sifted_bits * rate
    return 1.0 / (errors + 1.0) + 1.0 / (sifted_bits - errors + 1.0)
