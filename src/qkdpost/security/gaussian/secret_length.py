r"""Secret length of Gaussian-modulated coherent states, corrected from Bob to Alice by rotations: variable length.

The key string is u, the random bits of all m reals that took part, d of them rotated together. A unit is d reals, or a
whole symbol if that is more; there are m / d of them, independent and alike under the attacks that are named. Write
E for the eavesdropper's system, N and M for a unit's norm and rotation, d_A = 2^d, s = alpha - 1, L for log2(1 /
eps_PA), H_alpha for the sandwiched conditional Renyi entropy of order alpha, optimised over the eavesdropper's state,
and Q(rho) = 2^(-(s / alpha) H_alpha). With Delta_iso from `isotropy`, chi from `box`, q outcomes a symbol, and
V = log2(1 + 2^(d + 1)), the length is

    ell = floor(m (1 - chi / q) - Delta_iso - 2 V sqrt((m / d) L) - (L - 2) - leakage).

One unit.
    u is uniform, and (u, M, N) is a one-to-one function of (y, u's randomness) that determines y, so that
    I(u : E M N) = I(u : M N) + I(u : E | M N) <= I(u : M | N) + chi(y : E), N being a function of y alone and u
    independent of it. Summed over units, the first is at most Delta_iso, the second (m / q) chi. Numbers of finite
    precision in place of M and N are functions of them.

Renyi entropy of one unit: H_alpha >= H - s V^2 for 0 < s <= 1 / V, with coefficient 1.
    H_alpha (up, sandwiched) is at least Petz's form with the state of E itself, D_alpha(rho_UE || 1 x rho_E). Of both
    operators take the laws P and R of Nussbaum and Szkola: with X = log2(R / P), E_P[X] = H(U | E) and the Petz entropy
    is -(1 / s) log2 E_P[2^(-s X)]. E_P[2^X] <= d_A is the trace of 1 x rho_E; and E_P[2^-X] <= 1, for U is classical:
    rho_UE = sum_u |u><u| x rho_u, tr rho_u^2 rho_E^-1 <= tr rho_u since rho_u <= rho_E. With ln 2^(-s X) = -x,

        e^-x - 1 + x <= 2 (cosh x - 1) = 2^(s X) + 2^(-s X) - 2     for all real x,

    so that E_P[2^(-s X)] <= 1 - s ln2 H + E_P[y^s + y^-s - 2], y = 2^X + 2^-X + 1, as X -> 2^(sX) + 2^(-sX) grows with
    |X| and y >= max(2^X, 2^-X). y -> y^s + y^-s is concave for y >= 3 and s <= 1/2 [its second derivative has the sign
    of (s - 1) y^(2 s) + (s + 1), and 3^(2 s) (1 - s) >= 1 + s there], hence by Jensen, with E_P[y] <= d_A + 2 = eta,
    the last term is at most eta^s + eta^-s - 2 = 2 (cosh(s ln eta) - 1) <= (s ln eta)^2 cosh(s ln eta). With
    log2(1 + z) <= z / ln2,

        H_alpha >= H - s ln2 cosh(s ln eta) (log2 eta)^2,

    and s ln eta <= ln 2 for s <= 1 / log2 eta, where ln2 cosh(ln2) = 0.87 < 1. Last, eta <= 1 + 2 d_A, so that
    log2 eta <= V. Nothing was asked of the dimension of E.

All units.
    Entropies of products add at least: the product of the optimal states is one of those over which is optimised. So
    H_alpha(u^m | E M N) >= m (1 - chi / q) - Delta_iso - (m / d) s V^2.

The leftover hash lemma.
    Of a two-universal linear hash to ell bits with a public seed, take the difference of what comes out from uniform
    bits beside E. The map that makes it has norm 2 between spaces of order 1, and 2^((ell - H_2) / 2) is its bound at
    order 2. Riesz and Thorin's interpolation at theta = 2 s / alpha gives a trace norm, averaged over seeds, of at most
    2^(2 / alpha - 1) 2^((s / alpha) (ell - H_alpha)), for 1 < alpha <= 2 (the form of Dupuis, IEEE Trans. Inf. Theory
    69, 7784 (2023)). Half of that is eps_PA where

        ell = H_alpha - (alpha / s) (L + 2 / alpha - 2).

    It is homogeneous: nothing is asked of the trace of the state. E of infinite dimension is reached through
    projections of finite rank: pinching and cutting do not raise Q, and the trace norm is lower semicontinuous.

What is announced, and a length that depends on it.
    Let f be all that is announced beside M and N: a function of symbols, outcomes, u and public seeds. The operators
    rho_f <= rho add up to rho, and tr (A + B)^alpha >= tr A^alpha + tr B^alpha for positive A, B, so that
    sum_f Q(rho_f)^alpha <= Q(rho)^alpha. With a prefix-free description of f by l(f) bits, sum_f 2^-l(f) <= 1 (Kraft),
    and by Hoelder

        sum_f 2^(-(s / alpha) l(f)) Q(rho_f) <= Q(rho):

    bits that are announced are paid for once, by subtracting their number, whatever they depend on, and key symbols
    need not stay independent given f. The ledger's charge is such an l: each syndrome, flag and tag has a fixed number
    of bits, and statistics have 64 a number. For f whose limits hold, ell(f) + l(f) is at most what the true chi and
    Delta_iso allow, and the distances of all such f add up to eps_PA at most; the others weigh eps_AT at most,
    plus that of a wrong frame that was taken for right, eps_EV, since Alice's sums are then not those of the block.
    So secrecy is eps_AT + eps_PA + eps_EV, without roots and without conditioning on success. This needs one alpha and
    one map from outcomes to messages for all f: alpha follows from m, d and eps_PA alone, and whitening was frozen
    before the block.

Frames that were given up
    are disclosed whole and charged: m counts their reals. Q of a string that is known is at most 1, and the charge of
    its n bits is at least its entropy, so that this holds whatever else was said of it, its outcomes among it. Only
    good frames are hashed, and of these the core bits alone: the rest of a frame is an affine function of core and
    syndrome, both announced or hashed, so that the entropy is the same.

The order.
    m (s / d) V^2 + (alpha / s) (L + 2 / alpha - 2) = u s V^2 + L - 2 + L / s with u = m / d is least at
    s = sqrt(L / u) / V, where it is 2 V sqrt(u L) + L - 2. s <= 1 / V asks for u >= L; V >= 2.3, so that s < 1/2.

Which form of a block is chosen, which limits, d, and the division of epsilon is fixed in the settings: no maximum over
bounds is taken after data were seen.
"""

from __future__ import annotations

import math

from qkdpost.checks import instance
from qkdpost.errors import ConfigurationError
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.gaussian.acceptance import GaussianAcceptance
from qkdpost.security.gaussian.assumptions import assumptions_of, attacks_of, unproven_of
from qkdpost.security.gaussian.limits.estimate import Estimate, estimate_block
from qkdpost.security.gaussian.second_order import SMOOTHING_SHARE, second_order_terms
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.security.result import Evidence, SecretLength, Term, secret_length_of_terms
from qkdpost.security.theorem import correction_terms

__all__ = ["EVENTS", "apply_bound", "divide_epsilon", "finite_size_cost", "secret_length"]

EVENTS = 24
"""eps_AT is divided among so many: gain (2), noise (1), difference of gains (1), calibration (8), isotropy (12)."""


def secret_length(
    tally: GaussianTally,
    *,
    settings: GaussianBoundSettings,
    leakage_bits: int,
    epsilon: Epsilon | float,
    verification_bits: int | None = None,
) -> SecretLength:
    """Return how many secret bits a block of Gaussian-modulated coherent states may keep.

    Args:
        tally: the sums of the block and of its calibration.
        settings: devices, class of attacks, and bound.
        leakage_bits: *all* bits that the ledger charged: syndromes, flags, tags, statistics, frames that were given up.
        epsilon: the budget, or a total that `Epsilon.split` divides.
        verification_bits: how much of the leakage verification was; None if none of it was.

    Raises:
        InputError: no `GaussianTally`, or numbers of bits that cannot be.
        ConfigurationError: as `apply_bound`.

    >>> from qkdpost.statistics.gaussian.moments import CalibrationMoments, QuadratureMoments, Whitening
    >>> n, gain, noise = 500_000_000, 0.308, 1.101   # in units of shot noise, with modulation variance 5
    >>> variance = gain**2 * 5 + noise
    >>> sums = QuadratureMoments(
    ...     counts=(n, n), sent=(0, 0), measured=(0, 0), sent_squares=(5 * n, 5 * n, 0),
    ...     measured_squares=(n, n, 0), products=(5 * n * gain / variance**0.5,) * 2 + (0, 0),
    ...     fourth_powers=(3 * n, 3 * n), lagged=(0,) * 8)
    >>> def calibration(variance):
    ...     return CalibrationMoments(
    ...         counts=(n, n), measured=(0, 0), measured_squares=(n * variance, n * variance, 0), lagged=(0,) * 4)
    >>> tally = GaussianTally(
    ...     detection="heterodyne", moments=sums, key_reals=2 * n, dimension=8,
    ...     whitening=Whitening(centre=(0, 0), matrix=(variance**-0.5, 0, 0, variance**-0.5)),
    ...     shot_electronic=calibration(1.1), electronic=calibration(0.1))
    >>> devices = GaussianBoundSettings(modulation_variance=5.0, efficiency=0.6)
    >>> result = secret_length(tally, settings=devices, leakage_bits=764_000_000, epsilon=1e-10)
    >>> result.bits > 10_000_000, result.attacks
    (True, 'Gaussian, i.i.d. collective')
    """
    disclosed = Disclosed(leakage_bits=leakage_bits, verification_bits=verification_bits, two_way=False)
    return apply_bound(tally, disclosed, Epsilon.coerce(epsilon), settings)


def apply_bound(
    tally: GaussianTally, disclosed: Disclosed, budget: Epsilon, settings: GaussianBoundSettings
) -> SecretLength:
    """Apply the bound as a session does: the `Bound` that `secret_length` is the front of.

    Args:
        tally: the sums of the block and of its calibration.
        disclosed: what the ledger charged, one-way.
        budget: how far from ideal the key may be. Its secrecy pays for limits, hashing, and once more for correctness,
            since limits come from corrected data.
        settings: devices, class of attacks, and bound.

    Raises:
        InputError: no `GaussianTally`.
        ConfigurationError: the tally is of another detection or dimension than the settings; correction was two-way;
            verification was charged too little; or secrecy is not more than correctness.

    >>> import qkdpost as qp
    >>> from qkdpost.security import Disclosed, Epsilon, GaussianBoundSettings, gaussian
    >>> tally = qp.planning.GaussianLink(fibre_km=5).expected_tally(10**8)
    >>> disclosed = Disclosed(leakage_bits=10**6, verification_bits=64, two_way=False)
    >>> settings = GaussianBoundSettings(modulation_variance=4.0, efficiency=0.6)
    >>> gaussian.apply_bound(tally, disclosed, Epsilon.split(1e-10), settings).form
    'variable-length'
    """
    tally = instance("tally", tally, GaussianTally)
    settings = instance("settings", settings, GaussianBoundSettings, error=ConfigurationError)
    _check_agreement(tally, disclosed, settings)
    limits, amplification = divide_epsilon(budget)
    estimate = estimate_block(tally, settings, limits / EVENTS)
    charges = correction_terms(disclosed, budget)
    finite, ledger, reason = _finite_size(tally, budget, settings, limits, amplification)
    accepted, abort = settings.acceptance, estimate.reason or reason
    if accepted is not None:
        abort = abort or _why_not_accepted(tally, disclosed.with_verification(budget), estimate, accepted)
        charges = correction_terms(_as_accepted(disclosed, accepted), budget)
    terms = (*_entropy_terms(tally, estimate, accepted), *finite, *charges)
    spent = math.fsum(term.bits for term in charges)
    return secret_length_of_terms(
        terms,
        bound=f"gaussian-cv, {settings.bound}",
        form="variable-length" if accepted is None else "fixed-length",
        rigorous=True,
        attacks=attacks_of(settings),
        assumptions=assumptions_of(settings),
        epsilon=ledger,
        evidence=_evidence(tally, disclosed, estimate),
        asymptotic_bits=tally.key_reals * (1.0 - estimate.likely_information / tally.outcomes_per_symbol) + spent,
        key_bits=tally.key_reals,
        abort=abort,
        unproven=unproven_of(settings),
    )


def divide_epsilon(budget: Epsilon) -> tuple[float, float]:
    """Return (eps_AT, eps_PA): halves of what secrecy has left beside eps_EV. Fixed before any data.

    Raises:
        ConfigurationError: nothing is left.
    """
    left = budget.secrecy - budget.correctness
    if not left > budget.secrecy * 1e-3:
        raise ConfigurationError(
            "epsilon: limits on a Gaussian channel come from corrected data, so that secrecy must leave room for "
            f"correctness; found secrecy {budget.secrecy:.3g} and correctness {budget.correctness:.3g}"
        )
    return left / 2.0, left / 2.0


def finite_size_cost(units: float, unit_bits: int, log_epsilon: float) -> float:
    """Return 2 V sqrt(u L), which `units` of so many bits cost beside L - 2; L is `log_epsilon`.

    >>> round(finite_size_cost(10**9 / 8, 8, 33.2192809489), 1)
    1160268.3
    """
    return 2.0 * math.log2(1.0 + 2.0 ** (unit_bits + 1)) * math.sqrt(units * log_epsilon)


def _check_agreement(tally: GaussianTally, disclosed: Disclosed, settings: GaussianBoundSettings) -> None:
    if tally.detection != settings.detection:
        raise ConfigurationError(f"the settings say {settings.detection} detection; the tally is {tally.detection}")
    if settings.dimension not in (None, tally.dimension):
        raise ConfigurationError(f"the settings say dimension {settings.dimension}; the tally has {tally.dimension}")
    if disclosed.two_way:
        raise ConfigurationError(
            "the bound for Gaussian modulation takes one-way correction only: what the corrector says is no function "
            "of a public error pattern"
        )


def _finite_size(
    tally: GaussianTally, budget: Epsilon, settings: GaussianBoundSettings, limits: float, amplification: float
) -> tuple[tuple[Term, ...], EpsilonLedger, str]:
    """Return the terms of a finite block, where epsilon goes, and why there can be no key, if so."""
    if settings.bound == "second-order":
        terms = second_order_terms(tally, amplification)
        smoothing = amplification * SMOOTHING_SHARE
        return terms, _ledger(budget, limits, amplification - 2.0 * smoothing, smoothing), ""
    units, log_epsilon = tally.key_reals / tally.unit_reals, -math.log2(amplification)
    terms = (
        Term(
            name="finite size",
            bits=-finite_size_cost(units, tally.unit_reals, log_epsilon),
            explanation=(
                f"-2 V sqrt(u L), u = {units:.6g} units of {tally.unit_reals} bits, V = log2(1 + 2^"
                f"{tally.unit_reals + 1}), L = log2(1 / eps_PA)"
            ),
        ),
        Term(name="amplification", bits=2.0 - log_epsilon, explanation=f"-(L - 2), eps_PA = {amplification:.3g}"),
    )
    few = "" if units >= log_epsilon else f"the block has {units:.0f} units, and the proof needs {log_epsilon:.0f}"
    return terms, _ledger(budget, limits, amplification, 0.0), few


def _ledger(budget: Epsilon, limits: float, amplification: float, smoothing: float) -> EpsilonLedger:
    terms = [
        EpsilonTerm(
            name="eps_AT",
            value=limits,
            weight=1.0,
            meaning=f"one of {EVENTS} limits does not hold, each at the same part",
        ),
        EpsilonTerm(name="eps_PA", value=amplification, weight=1.0, meaning="the hash is not quite uniform"),
        EpsilonTerm(
            name="eps_EV",
            value=budget.correctness,
            weight=1.0,
            meaning="a wrong frame was taken for right, and the sums are not the block's (in correctness too)",
        ),
    ]
    if smoothing > 0.0:
        meaning = "the smoothing of the entropy, by both steps of the triangle"
        terms.insert(1, EpsilonTerm(name="eps_s", value=smoothing, weight=2.0, meaning=meaning))
    return EpsilonLedger(proof="eps_AT + eps_PA + eps_EV", budget=budget, terms=tuple(terms))


def _entropy_terms(tally: GaussianTally, estimate: Estimate, accepted: GaussianAcceptance | None) -> tuple[Term, ...]:
    m, q = tally.key_reals, tally.outcomes_per_symbol
    share = "-m chi" if q == 1 else f"-m chi / {q}"
    information = estimate.information if accepted is None else accepted.holevo_information
    directions, in_time = estimate.direction_bits, estimate.correlation_bits
    if accepted is not None:
        directions, in_time = accepted.direction_bits, 0.0
    return (
        Term(name="reals", bits=float(m), explanation="outcomes that took part, one bit each"),
        Term(
            name="Holevo information",
            bits=-m * information / q,
            explanation=f"{share}, chi = {information:.9f} bits a symbol: the most within the limits",
        ),
        Term(name="directions", bits=-directions, explanation="what rotations tell where outcomes are not isotropic"),
        Term(name="correlation in time", bits=-in_time, explanation="beyond independent symbols, where it shows"),
    )


def _as_accepted(disclosed: Disclosed, accepted: GaussianAcceptance) -> Disclosed:
    """Return the leakage that was set, of which verification is part."""
    verification = disclosed.verification_bits
    if verification is None or verification > accepted.leakage_bits:
        return Disclosed(leakage_bits=accepted.leakage_bits, verification_bits=None, two_way=False)
    return Disclosed(leakage_bits=accepted.leakage_bits, verification_bits=verification, two_way=False)


def _why_not_accepted(
    tally: GaussianTally, disclosed: Disclosed, estimate: Estimate, accepted: GaussianAcceptance
) -> str:
    for what, found, most in (
        ("Holevo information", estimate.information, accepted.holevo_information),
        ("charge for directions", estimate.direction_bits + estimate.correlation_bits, accepted.direction_bits),
        ("leakage", disclosed.leakage_bits, accepted.leakage_bits),
    ):
        if not found <= most:
            return f"not accepted: the {what} is {found:.10g}, and {most:.10g} was set"
    if tally.key_reals != accepted.key_reals:
        return f"not accepted: the block has {tally.key_reals} reals, and {accepted.key_reals} were set"
    return ""


def _evidence(tally: GaussianTally, disclosed: Disclosed, estimate: Estimate) -> Evidence:
    capacity = math.log1p(max(0.0, estimate.signal_to_noise_ratio)) / math.log(4.0)
    rate = 1.0 - disclosed.leakage_bits / tally.key_reals if tally.key_reals else 0.0
    return (*estimate.evidence, ("reconciliation_efficiency", rate / capacity if capacity > 0.0 else 0.0))
