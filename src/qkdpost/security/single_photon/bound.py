"""Secret length of BB84 with a single-photon source, without decoys.

The source now and then emits two photons or more; all of those are taken to be detected and known to the
eavesdropper. With mean photon number <n> and g2 = <n (n - 1)> / <n>^2, both at the channel's input,

    P[two or more photons] <= P[n (n - 1) >= 2] <= g2 <n>^2 / 2

by Markov's inequality, exactly. Of N pulses, each prepared and measured in basis B with probability p_B, more than M_B
held several photons *and* met in that basis with probability at most a third of eps_AT^2, M_B from the binomial
distribution. The remaining detections, at least s_B = n_B - M_B, came from pulses with one photon or none.

Who chooses the pulses
    The binomial distribution speaks of N pulses that were fixed beforehand. A block is closed by its detections, and
    these are the eavesdropper's, who sees the photon numbers: she can let a block end just after a run of bright
    pulses, and can let earlier blocks end so that it begins just before one. (With a thousandth for the tail, a count
    above M_B at one of 512 possible ends has a probability 17 times as large.) What she cannot choose is where the
    records begin and end of which blocks are made. So there are at most R runs of pulses that the block can be, each
    of them fixed beforehand with its own N and its own M_B; M_B is taken at a third of eps_AT^2 / R, and by the union
    bound *no* run has more, except with a probability of a third of eps_AT^2: then nor has the one that she chooses,
    whatever she chooses it by. A session's block holds at most `MAX_RECORDS_IN_BLOCK` records, and starts at one of
    its first `MAX_FIRST_RECORDS`, hence R = 512 * 2^31 = 2^40; M_B grows by two or three standard deviations. It is
    not assumed that she must let a block begin before the pulses after it are sent: she may hold back light.
    Where the first and last pulse were fixed before the first was sent, R is 1, and `possible_runs` says so.
    Neither bases nor the random sample know of photon numbers, so that the rest of the argument is the same for any
    run: the choice of N conditions it, and its distributions are the same under each condition.

These two need not be distinguished. Neither depends on the basis: an empty pulse carries no state at all, and its
phase errors, one half of its detections, occur in the test as they do in the key. So both are rounds of a qubit
for the argument of `qubits`, and the public error pattern of two-way correction is covered as there: an empty
round enters the count of phase errors like any other. That the true numbers of such rounds are only bounded is met
by virtual thinning, as `decoy.bound` explains; x, the errors of *all* test rounds, bounds those of the kept ones.

Then B_1 = s_key, B_e from s_key, s_test and x by exact inversion at the last third of eps_AT^2, and the theorem of
`qkdpost.security.theorem` gives the length. A brighter source or one with more multi-photon pulses never gets more key:
what whole errors add and take away is met by `error_envelope`, at a cost of one error at most. The argument is this
library's own along known lines (the structure is that of Morrison et al., npj Quantum Inf. 9, 38 (2023) and Pousa et
al., Opt. Express 32 (2024)).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from qkdpost.checks import instance, real_number, whole_number
from qkdpost.security import assumptions as assume
from qkdpost.security.disclosed import Disclosed
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.phase_errors import Concentration, max_phase_errors
from qkdpost.security.result import SecretLength
from qkdpost.security.single_photon.settings import MAX_POSSIBLE_RUNS, MultiphotonCount, SinglePhotonBoundSettings
from qkdpost.security.single_photon.tally import SinglePhotonTally
from qkdpost.security.theorem import divide_secrecy, ledger_of_theorem, variable_length
from qkdpost.statistics.concentration import binomial_at_most, chernoff_at_most
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.statistics.error_envelope import steady_entropy

__all__ = ["ASSUMPTIONS", "apply_bound", "multiphoton_probability", "secret_length"]

ASSUMPTIONS = (
    assume.PHOTONS_WITHOUT_COHERENCE,
    assume.CONJUGATE_STATES,
    assume.BASIS_CHOICE,
    assume.ENDS_BY_DETECTIONS,
    assume.BASIS_INDEPENDENT_DETECTION,
    assume.DETECTOR_CONSEQUENCE,
    assume.DETECTORS_READY,
    assume.SQUASHED_RECEIVER,
    assume.CLICKS_IN_BOTH_BASES,
    assume.ERROR_PATTERN_PUBLIC,
    assume.TRUSTED_LABORATORIES,
    assume.AUTHENTICATED,
)


def multiphoton_probability(mean_photons: float, g2: float) -> float:
    """Return g2 <n>^2 / 2, at most 1: an upper bound on the probability of two photons or more in a pulse.

    Raises:
        InputError: not a number of at least 0.
    """
    mean_photons = real_number("mean_photons", mean_photons, least=0.0, most=1e100)
    g2 = real_number("g2", g2, least=0.0, most=1e100)
    return min(1.0, g2 * mean_photons**2 / 2.0)


def secret_length(
    tally: SinglePhotonTally,
    *,
    leakage_bits: int,
    epsilon: Epsilon | float,
    concentration: Concentration = "hypergeometric",
    multiphoton: MultiphotonCount = "exact",
    source_monitored: bool = False,
    possible_runs: int = MAX_POSSIBLE_RUNS,
    verification_bits: int | None = None,
) -> SecretLength:
    """Return how many secret bits a block from a single-photon source may keep.

    Args:
        tally: the block's counts, with upper limits on the source's brightness and g2.
        leakage_bits: *all* bits that the ledger charged, tags and outcomes of verification included.
        epsilon: the budget, or a total that `Epsilon.split` divides.
        concentration: "hypergeometric", exact, or "serfling".
        multiphoton: how the pulses with several photons are counted: by the "exact" binomial distribution, or by a
            "chernoff" bound.
        source_monitored: whether brightness and g2 were measured beside the block; changes nothing but the
            assumptions that the result lists.
        possible_runs: how many runs of pulses the block might have been, as far as detections decided where it began
            and ended; see the module. The default is what a session allows. 1 only if first and last pulse were fixed
            before any was sent, as for a block of a given duration that began at a given time.
        verification_bits: how much of the leakage verification was; see `bb84.secret_length`.

    Raises:
        InputError: counts or numbers of bits that are negative, no whole numbers, or contradict each other; or no
            `SinglePhotonTally`.
        ConfigurationError: unknown names, or verification charged too little.

    >>> import qkdpost as qp
    >>> tally = qp.planning.SinglePhotonBB84Link().expected_tally(10**9)
    >>> qp.security.single_photon.secret_length(tally, leakage_bits=10**7, epsilon=1e-10).bits > 10**6
    True
    """
    return apply_bound(
        tally,
        Disclosed(leakage_bits=leakage_bits, verification_bits=verification_bits, two_way=True),
        Epsilon.coerce(epsilon),
        SinglePhotonBoundSettings(
            concentration=concentration,
            multiphoton=multiphoton,
            source_monitored=source_monitored,
            possible_runs=possible_runs,
        ),
    )


def apply_bound(
    tally: SinglePhotonTally, disclosed: Disclosed, budget: Epsilon, settings: SinglePhotonBoundSettings
) -> SecretLength:
    """Apply the bound as a session does: the `Bound` that `secret_length` is the front of, and raises the same.

    >>> import qkdpost as qp
    >>> from qkdpost.security import Disclosed, Epsilon, SinglePhotonBoundSettings, single_photon
    >>> tally = qp.planning.SinglePhotonBB84Link().expected_tally(10**9)
    >>> disclosed = Disclosed(leakage_bits=10**7, verification_bits=64, two_way=True)
    >>> single_photon.apply_bound(tally, disclosed, Epsilon.split(1e-10), SinglePhotonBoundSettings()).bits > 10**6
    True
    """
    tally = _counted(tally)
    attempt, amplification = divide_secrecy(budget)
    tail = attempt**2 / 3.0
    multiple = multiphoton_probability(tally.mean_photons, tally.g2)
    kept = _without_multiphotons(tally, multiple, tail, settings)
    rate, steady, explanation = _phase_errors(kept, tail, settings.concentration)
    return variable_length(
        bound="variable-length",
        certified_bits=kept.key_bits,
        certified_explanation=_certified(tally, kept, settings.possible_runs),
        phase_error_rate=rate,
        phase_error_explanation=explanation,
        disclosed=disclosed,
        ledger=ledger_of_theorem(
            "variable-length theorem, 2 eps_AT + eps_PA",
            budget,
            attempt,
            amplification,
            "at tail eps_AT^2, a third each: too many photons in the key, in the test, or sampling",
        ),
        amplification_epsilon=amplification,
        asymptotic_bits=_asymptotic_bits(tally, multiple),
        key_bits=tally.key_bits,
        assumptions=_assumptions(settings),
        evidence=(
            ("multiphoton_key_pulses", float(kept.lost_key)),
            ("multiphoton_test_pulses", float(kept.lost_test)),
        ),
        entropy_bits=steady,
        unproven=(assume.PUBLIC_PATTERN_ARGUMENT, assume.SINGLE_PHOTON_ARGUMENT),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What is left once as many detections as may be of several photons were taken off."""

    key_bits: int
    test_bits: int
    test_errors: int
    lost_key: int
    lost_test: int


def _without_multiphotons(
    tally: SinglePhotonTally, multiple: float, tail: float, settings: SinglePhotonBoundSettings
) -> _Kept:
    def lost(probability: float) -> int:
        """Return how many pulses with several photons met in a basis at most, in every run that may be the block."""
        return _at_most(tally.pulses_sent, probability * multiple, tail / settings.possible_runs, settings.multiphoton)

    lost_key, lost_test = lost(tally.key_probability), lost(tally.test_probability)
    kept_test = max(0, tally.test_bits - lost_test)
    return _Kept(
        key_bits=max(0, tally.key_bits - lost_key),
        test_bits=kept_test,
        test_errors=min(kept_test, tally.test_errors),
        lost_key=lost_key,
        lost_test=lost_test,
    )


def _certified(tally: SinglePhotonTally, kept: _Kept, runs: int) -> str:
    said = f"{tally.key_bits} key detections less {kept.lost_key} that may be of several photons"
    return f"{said}, whichever of {runs:.3g} runs of pulses the block is" if runs > 1 else said


def _assumptions(settings: SinglePhotonBoundSettings) -> tuple[str, ...]:
    return (
        *ASSUMPTIONS,
        assume.RECORDS_BY_THE_CLOCK if settings.possible_runs > 1 else assume.PULSES_FIXED,
        assume.SOURCE_MONITORED if settings.source_monitored else assume.SOURCE_ASSUMED,
    )


def _counted(tally: SinglePhotonTally) -> SinglePhotonTally:
    """Return the tally with plain integers.

    Raises:
        InputError: it is no such tally.
    """
    hint = "A block of qubits is judged by bb84, one with decoy intensities by decoy_bb84"
    tally = instance("tally", tally, SinglePhotonTally, hint=hint)
    names = ("pulses_sent", "key_bits", "test_bits", "test_errors")
    return replace(tally, **{name: whole_number(name, getattr(tally, name)) for name in names})


def _phase_errors(kept: _Kept, tail: float, concentration: Concentration) -> tuple[float, int | None, str]:
    """Bound the phase-error rate; return it, the whole bits of entropy that are left if errors are whole, and how."""
    worst = max_phase_errors(kept.key_bits, kept.test_bits, kept.test_errors, tail, concentration)
    rate = min(0.5, worst / kept.key_bits) if kept.key_bits and kept.test_bits else 0.5
    explanation = f"-n h({rate:.5f}): {kept.test_errors} errors in {kept.test_bits} test bits ({concentration})"
    if concentration != "hypergeometric":
        return rate, None, explanation
    steady = steady_entropy(kept.key_bits, kept.test_bits, kept.test_errors, tail, int(worst))
    return rate, steady, f"{explanation}, at most {worst:.0f} in the key; and up to one error more, see error_envelope"


def _at_most(pulses: int, probability: float, tail: float, multiphoton: MultiphotonCount) -> int:
    if multiphoton == "exact":
        return binomial_at_most(pulses, probability, tail)
    return min(pulses, math.floor(chernoff_at_most(pulses * probability, tail) * (1.0 + 1e-12)))


def _asymptotic_bits(tally: SinglePhotonTally, multiple: float) -> float:
    """Return what is left if just the mean number of pulses held several photons, and all others show the test's rate.

    It exceeds every length: more than the mean are taken off there, at a tail far below one half.
    """
    kept_key = tally.key_bits - tally.pulses_sent * tally.key_probability * multiple
    kept_test = tally.test_bits - tally.pulses_sent * tally.test_probability * multiple
    if kept_key <= 0.0 or kept_test <= 0.0:
        return 0.0
    return kept_key * (1.0 - binary_entropy(min(0.5, tally.test_errors / kept_test)))


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
