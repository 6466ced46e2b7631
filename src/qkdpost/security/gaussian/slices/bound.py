"""Secret length of Gaussian-modulated coherent states whose outcomes were sliced: variable length.

The outcome y of a real is cut into a label K, the key, a place R and a turn J, which are public
(`reconciliation/slices`): cell and place tell y, to 2^-16 of a cell. A unit is a symbol, two reals with heterodyne
detection, one with homodyne; there are u of them, of d_A = 2^(levels reals of a symbol) keys each. With chi the limit
of what the eavesdropper holds of a symbol, from the same box as for rotations
(`qkdpost.security.gaussian.limits.box`), and V = log2(1 + 2 d_A), L = log2(1 / eps_PA), where u >= L,

    ell = floor(sum of H(K | R) - u chi - correlation in time - 2 V sqrt(u L) - (L - 2) - leakage).

One symbol
    H(K | E R) = H(K) - I(K : R) - I(K : E | R) >= H(K | R) - I(K R : E) >= H(K | R) - chi(y : E),
    the last step since (K, R) is a function of y. H(K | R) is bounded in `entropy`, for continuous places: those of
    2^-16 of a cell are a function of these, and conditioning on less only adds. Neither offset nor imbalance of the
    quadratures is a condition: what they tell, which with rotations must be charged, is in the entropies themselves.

All symbols
    The Renyi entropy of a unit and of many, and the leftover hash lemma, are those of
    `qkdpost.security.gaussian.secret_length`, with d_A as above, for a side system E that holds the classical R too.
    Nothing there asks the key to be uniform: H_alpha >= H - (alpha - 1) V^2 uses that it is classical and has d_A
    values.

What is announced
    Let f be all that is announced apart from places: turns, syndromes, verdicts, revealed bits, labels of frames that
    are given up, tags, statistics. Places are classical, so that Q(rho) = sum_r p(r) Q(rho_r), and for each r

        sum_f 2^(-(s / alpha) l_r(f)) Q(rho_(r, f)) <= Q(rho_r)    if sum_f 2^-l_r(f) <= 1

    by Hoelder's inequality, as there. So l_r(f) bits are paid for by subtracting them, once. The ledger's charge is
    such an l: fixed numbers of bits for flags, syndromes and revealed bits, those that were sent for turns, and for a
    frame that is given up the length of its labels in a prefix code that was fixed beforehand, of which every syndrome
    of the frame is a function (`SlicePlan.lengths`, which Kraft's inequality is asked of). Frames that were given up
    are part of the state, of the entropy and of the statistics, and not of what is hashed. Width, levels and lengths
    come from disclosed symbols that were removed, and alpha from u.

The events
    are twelve of gain, noise and calibration, and six of variances here; of the 24 parts of eps_AT that leaves six. The
    limits of isotropy, which rotations need, take no part in the length; a block that fails them was not whitened,
    and is refused.

What rebuilding outcomes does to the sums: given its symbol an outcome is normal and some 24,000 places wide, so that
what it is off by is uniform and independent of symbol and outcome to within exp(-10^9): it adds a part of 1e-10 to the
noise, and to the gain 1e-5 of the standard error. Variances concede the whole of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qkdpost.checks import instance, real_number, whole_number
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.gaussian.assumptions import assumptions_of, attacks_of, unproven_of
from qkdpost.security.gaussian.limits.estimate import Estimate, estimate_block
from qkdpost.security.gaussian.secret_length import EVENTS, divide_epsilon, finite_size_cost
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.gaussian.slices.entropy import LabelEntropy, label_entropy
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.security.result import SecretLength, Term, secret_length_of_terms
from qkdpost.security.theorem import correction_terms

__all__ = ["SlicedTally", "apply_bound"]

_MOST_LEVELS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicedTally:
    """What the bound needs to know of a block whose outcomes were sliced; all of it public.

    Args:
        sums: over the block and its calibration; the outcomes are those that were sliced, rebuilt. Its dimension says
            nothing here.
        width: of a cell, in the units of the outcomes: that of the plan, which was made before they were seen.
        levels: bits of a label.

    Raises:
        InputError: a number that cannot be, or labels of half a symbol.

    >>> import qkdpost as qp
    >>> sums = qp.planning.GaussianLink(correction="slices").expected_tally(10**7)
    >>> qp.SlicedTally(sums=sums, width=0.2, levels=6).levels
    6
    """

    sums: GaussianTally
    width: float
    levels: int

    def __post_init__(self) -> None:
        sums = instance("sums", self.sums, GaussianTally)
        object.__setattr__(self, "width", real_number("width", self.width, above=0.0, most=1e12))
        object.__setattr__(self, "levels", whole_number("levels", self.levels, least=1, most=_MOST_LEVELS))
        if sums.key_reals % sums.outcomes_per_symbol:
            raise InputError(f"labels must be those of whole symbols; found {sums.key_reals} reals")


def apply_bound(
    tally: SlicedTally, disclosed: Disclosed, budget: Epsilon, settings: GaussianBoundSettings
) -> SecretLength:
    """Return how many secret bits a block of sliced outcomes may keep.

    Args:
        tally: the sums of the block and of its calibration, and the cells.
        disclosed: what the ledger charged, one-way.
        budget: how far from ideal the key may be; as for rotations.
        settings: devices and class of attacks; of variable length. Its dimension is that of rotations, and ignored.

    Raises:
        InputError: no `SlicedTally`.
        ConfigurationError: the tally is of another detection than the settings; correction was two-way; another bound
            than one of variable length is asked for; verification was charged too little; or secrecy is not more than
            correctness.
    """
    tally = instance("tally", tally, SlicedTally)
    settings = instance("settings", settings, GaussianBoundSettings, error=ConfigurationError)
    sums = tally.sums
    _check_agreement(sums, disclosed, settings)
    limits, amplification = divide_epsilon(budget)
    estimate = estimate_block(sums, settings, limits / EVENTS)
    entropy = label_entropy(
        sums.moments,
        key_reals=sums.key_reals,
        detection=sums.detection,
        width=tally.width,
        levels=tally.levels,
        probability=limits / EVENTS,
    )
    charges = correction_terms(disclosed, budget)
    log_epsilon = -math.log2(amplification)
    few = "" if entropy.symbols >= log_epsilon else f"{entropy.symbols} symbols; the proof needs {log_epsilon:.0f}"
    likely = entropy.likely_bits - entropy.symbols * estimate.likely_information
    return secret_length_of_terms(
        (*_terms(entropy, estimate, amplification), *charges),
        bound="gaussian-cv by slices, variable-length",
        form="variable-length",
        rigorous=True,
        attacks=attacks_of(settings),
        assumptions=assumptions_of(settings, sliced=True),
        epsilon=_ledger(budget, limits, amplification),
        evidence=(
            *estimate.evidence,
            ("variance_low_0", entropy.variances[0]),
            ("variance_low_1", entropy.variances[1]),
            ("correlation_high", entropy.correlation),
            ("reconciliation_efficiency", _efficiency(entropy, estimate, disclosed)),
        ),
        asymptotic_bits=likely + math.fsum(term.bits for term in charges),
        key_bits=tally.levels * sums.key_reals,
        abort=estimate.reason or entropy.reason or few,
        unproven=unproven_of(settings, sliced=True),
    )


def _check_agreement(sums: GaussianTally, disclosed: Disclosed, settings: GaussianBoundSettings) -> None:
    if settings.bound != "variable-length":
        raise ConfigurationError(f"sliced outcomes have a bound of variable length only; found {settings.bound!r}")
    if sums.detection != settings.detection:
        raise ConfigurationError(f"the settings say {settings.detection} detection; the tally is {sums.detection}")
    if disclosed.two_way:
        raise ConfigurationError(
            "the bound for Gaussian modulation takes one-way correction only: what the corrector says is no function "
            "of a public error pattern"
        )


def _terms(entropy: LabelEntropy, estimate: Estimate, amplification: float) -> tuple[Term, ...]:
    """Return the terms of a length, but for what was disclosed."""
    label_bits, symbols = entropy.levels * entropy.reals_per_symbol, entropy.symbols
    low = ", ".join(f"{variance:.6g}" for variance in entropy.variances)
    return (
        Term(
            name="entropy of labels",
            bits=entropy.bits,
            explanation=f"{symbols} symbols, {label_bits} bits each, given places; variances of {low} at the least",
        ),
        Term(
            name="Holevo information",
            bits=-symbols * estimate.information,
            explanation=f"-u chi, chi = {estimate.information:.9f} bits a symbol: the most within the limits",
        ),
        Term(
            name="correlation in time",
            bits=-estimate.correlation_bits,
            explanation="beyond independent symbols, where it shows",
        ),
        Term(
            name="finite size",
            bits=-finite_size_cost(symbols, label_bits, -math.log2(amplification)),
            explanation=f"-2 V sqrt(u L), u = {symbols}, V = log2(1 + 2^{label_bits + 1}), L = log2(1 / eps_PA)",
        ),
        Term(
            name="amplification",
            bits=2.0 + math.log2(amplification),
            explanation=f"-(L - 2), eps_PA = {amplification:.3g}",
        ),
    )


def _ledger(budget: Epsilon, limits: float, amplification: float) -> EpsilonLedger:
    return EpsilonLedger(
        proof="eps_AT + eps_PA + eps_EV",
        budget=budget,
        terms=(
            EpsilonTerm(
                name="eps_AT",
                value=limits,
                weight=1.0,
                meaning=f"one of at most {EVENTS} limits does not hold, each at the same part",
            ),
            EpsilonTerm(name="eps_PA", value=amplification, weight=1.0, meaning="the hash is not quite uniform"),
            EpsilonTerm(
                name="eps_EV",
                value=budget.correctness,
                weight=1.0,
                meaning="a wrong frame was taken for right, and the sums are not the block's (in correctness too)",
            ),
        ),
    )


def _efficiency(entropy: LabelEntropy, estimate: Estimate, disclosed: Disclosed) -> float:
    """Return what was kept of the mutual information: printed, never used."""
    reals = entropy.symbols * entropy.reals_per_symbol
    capacity = reals * math.log1p(max(0.0, estimate.signal_to_noise_ratio)) / math.log(4.0)
    return (entropy.likely_bits - disclosed.leakage_bits) / capacity if capacity > 0.0 else 0.0
