"""Published fixed-length bounds for qubit rounds: their length is set by thresholds, before the data are seen.

Here the tally's block sizes and the leakage are taken to be those that were fixed, and only the observed error rate
is compared with the tolerated one. The rest is enforced by `QubitAcceptance`: a session cuts every block to exactly its
sizes and gives it up where correction needed more than the leakage that was set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from qkdpost.checks import real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.records import Tally
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.result import SecretLength, Term, secret_length_of_terms
from qkdpost.security.theorem import amplification_term, correction_terms
from qkdpost.statistics.entropy import binary_entropy

__all__ = [
    "TheoremThree",
    "asymptotic_bits",
    "lim_2021",
    "lim_2021_parameter_estimation",
    "tlgr_2012",
    "tlgr_2012_deviation",
    "tomamichel_leverrier_2017",
    "tomamichel_leverrier_deviation",
    "tomamichel_leverrier_theorem_three",
]

_SHARES = tuple(2.0**-power for power in range(1, 21))
"""The parts of secrecy that are tried for amplification; the best for the fixed thresholds is taken."""


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


def tomamichel_leverrier_2017(
    tally: Tally,
    *,
    leakage_bits: int,
    verification_bits: int | None,
    epsilon: Epsilon,
    tolerated_error_rate: float,
    assumptions: Sequence[str],
) -> SecretLength:
    """Return the length of Theorem 3 at the best nu for the budget: secrecy = eps_pe + eps_pa.

    The theorem charges its t tag bits as leakage, as the ledger does; the bit for the outcome comes on top.

    Raises:
        InputError: impossible numbers of bits or error rate.
        ConfigurationError: verification charged too little.
    """
    tally, tolerated_error_rate = _counted(tally), _rate(tolerated_error_rate)

    sifted_bits = tally.key_bits + tally.test_bits

    def divide(share: float) -> _Division:
        amplification = share * epsilon.secrecy
        estimation = epsilon.secrecy - amplification
        deviation = tomamichel_leverrier_deviation(sifted_bits, tally.test_bits, estimation)
        return _Division(deviation, estimation, 1.0, amplification)

    plan = _Plan("tomamichel-leverrier-2017", tally, leakage_bits, verification_bits, epsilon, tolerated_error_rate)
    return _best(plan, divide, assumptions)


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
        InputError: numbers of bits that cannot be, or xi or nu out of order.
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


def lim_2021(
    tally: Tally,
    *,
    leakage_bits: int,
    verification_bits: int | None,
    epsilon: Epsilon,
    tolerated_error_rate: float,
    assumptions: Sequence[str],
) -> SecretLength:
    """Return the length of Lim et al. 2021 at the best xi and nu: secrecy = 2 eps_pe + eps_pa.

    Raises:
        InputError: impossible numbers of bits or error rate.
        ConfigurationError: verification charged too little.
    """
    tally, tolerated_error_rate = _counted(tally), _rate(tolerated_error_rate)

    def divide(share: float) -> _Division:
        amplification = share * epsilon.secrecy
        estimation = (epsilon.secrecy - amplification) / 2.0
        deviation = _lim_2021_deviation(tally, tolerated_error_rate, estimation)
        return _Division(deviation, estimation, 2.0, amplification)

    plan = _Plan("lim-2021", tally, leakage_bits, verification_bits, epsilon, tolerated_error_rate)
    return _best(plan, divide, assumptions)


def tlgr_2012_deviation(key_bits: int, test_bits: int, secrecy: float) -> float:
    """Return mu = sqrt((n + k) / (n k) (k + 1) / k ln(4 / eps_sec)) of Tomamichel, Lim, Gisin and Renner (2012).

    Raises:
        InputError: numbers of bits below 1, or a parameter outside 0 ... 1.
    """
    key_bits, test_bits = whole_number("key_bits", key_bits, least=1), whole_number("test_bits", test_bits, least=1)
    secrecy = real_number("secrecy", secrecy, above=0.0, below=1.0)
    scale = (key_bits + test_bits) / key_bits / test_bits * (test_bits + 1) / test_bits
    return math.sqrt(scale * (math.log(4.0) - math.log(secrecy)))


def tlgr_2012(
    tally: Tally,
    *,
    leakage_bits: int,
    verification_bits: int | None,
    epsilon: Epsilon,
    tolerated_error_rate: float,
    assumptions: Sequence[str],
) -> SecretLength:
    """Return the length of Tomamichel, Lim, Gisin and Renner, Nature Communications 3, 634 (2012), Eq. 2.

    With q = 1: n (1 - h(Q_tol + mu)) - leakage - log2(2 / (eps_sec^2 eps_cor)). In their proof 2 eps + eps_PA =
    eps_sec with eps = eps_sec / 4 and eps_PA = eps_sec / 2, which is how the ledger reads.

    Raises:
        InputError: impossible numbers of bits or error rate.
        ConfigurationError: verification charged too little.
    """
    tally, tolerated_error_rate = _counted(tally), _rate(tolerated_error_rate)

    def divide(share: float) -> _Division:
        deviation = tlgr_2012_deviation(tally.key_bits, tally.test_bits, epsilon.secrecy)
        return _Division(deviation, epsilon.secrecy / 4.0, 2.0, epsilon.secrecy / 2.0)

    plan = _Plan("tlgr-2012", tally, leakage_bits, verification_bits, epsilon, tolerated_error_rate)
    return _best(plan, divide, assumptions)


@dataclass(frozen=True, slots=True)
class _Division:
    """One way to spend the budget: the deviation it allows, and what it spends where."""

    deviation: float
    estimation: float
    estimation_weight: float
    amplification: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked of a fixed-length bound."""

    bound: str
    tally: Tally
    leakage_bits: int
    verification_bits: int | None
    epsilon: Epsilon
    tolerated_error_rate: float


def _best(plan: _Plan, divide: Callable[[float], _Division], assumptions: Sequence[str]) -> SecretLength:
    if plan.tally.key_bits == 0 or plan.tally.test_bits == 0:
        half = plan.epsilon.secrecy / 2.0
        return _length(plan, _Division(0.5, half / 2.0, 1.0, half), assumptions)

    def raw_bits(division: _Division) -> float:
        entropy = plan.tally.key_bits * (1.0 - _worst_entropy(plan, division))
        return entropy + amplification_term(division.amplification).bits

    return _length(plan, max((divide(share) for share in _SHARES), key=raw_bits), assumptions)


def _length(plan: _Plan, division: _Division, assumptions: Sequence[str]) -> SecretLength:
    tally, tolerated = plan.tally, plan.tolerated_error_rate
    rate = min(0.5, tolerated + division.deviation)
    costs = correction_terms(plan.leakage_bits, plan.verification_bits, plan.epsilon)
    ledger = EpsilonLedger(
        proof=plan.bound,
        budget=plan.epsilon,
        terms=(
            EpsilonTerm(
                name="eps_pe",
                value=division.estimation,
                weight=division.estimation_weight,
                meaning="the key differs in more than the tolerated rate and its deviation",
            ),
            EpsilonTerm(
                name="eps_pa", value=division.amplification, weight=1.0, meaning="the hash is not quite uniform"
            ),
        ),
    )
    terms = (
        Term(name="key bits", bits=float(tally.key_bits), explanation="block size, one qubit each"),
        Term(
            name="phase errors",
            bits=-tally.key_bits * _worst_entropy(plan, division),
            explanation=f"-n h({rate:.5f}): tolerated {tolerated:.5f}, deviation {division.deviation:.5f}",
        ),
        *costs,
        amplification_term(division.amplification),
    )
    return secret_length_of_terms(
        terms,
        bound=plan.bound,
        form="fixed-length",
        rigorous=True,
        assumptions=assumptions,
        epsilon=ledger,
        phase_error_rate=rate,
        asymptotic_bits=asymptotic_bits(tally) + costs[0].bits,
        key_bits=tally.key_bits,
        abort=_abort(tally, tolerated),
    )


def _worst_entropy(plan: _Plan, division: _Division) -> float:
    return binary_entropy(min(0.5, plan.tolerated_error_rate + division.deviation))


def _abort(tally: Tally, tolerated: float) -> str:
    if tally.test_bits == 0:
        return "nothing was tested"
    if Fraction(tally.test_errors, tally.test_bits) > Fraction(tolerated):
        observed = tally.test_errors / tally.test_bits
        return f"not accepted: the observed error rate {observed:.8g} exceeds the tolerated {tolerated:.8g}"
    return ""


def asymptotic_bits(tally: Tally) -> float:
    """Return n (1 - h(observed test error rate)): no statistics, no epsilon; zero where nothing was tested."""
    tally = _counted(tally)
    if tally.test_bits == 0:
        return 0.0
    return tally.key_bits * (1.0 - binary_entropy(tally.test_errors / tally.test_bits))


def _counted(tally: Tally) -> Tally:
    """Return the tally with plain integers."""
    return Tally(
        key_bits=whole_number("key_bits", tally.key_bits),
        test_bits=whole_number("test_bits", tally.test_bits),
        test_errors=whole_number("test_errors", tally.test_errors),
    )


def _sifted(sifted_bits: int, test_bits: int) -> tuple[int, int]:
    sifted_bits, test_bits = whole_number("sifted_bits", sifted_bits), whole_number("test_bits", test_bits)
    if not 0 < test_bits < sifted_bits:
        raise InputError(f"{test_bits} test bits of {sifted_bits} sifted ones cannot be")
    return sifted_bits, test_bits


def _rate(tolerated_error_rate: float) -> float:
    return real_number("tolerated_error_rate", tolerated_error_rate, least=0.0, below=0.5)


def _hush_scovel(sifted_bits: int, rate: float) -> float:
    errors = sifted_bits * rate
    return 1.0 / (errors + 1.0) + 1.0 / (sifted_bits - errors + 1.0)


def _lim_2021_deviation(tally: Tally, tolerated: float, estimation: float) -> float:
    """Return the least nu over xi with eps_pe equal to `estimation`; 1/2 if there is none."""
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
