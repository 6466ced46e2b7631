r"""Phase errors where key and sample both come from both bases: the bound behind a `SampledTally`.

A random sample of all sifted rounds is compared, and all others become key, whichever their basis. A pooled error
rate of the sample says nothing then: with few rounds in X, an eavesdropper who reads every round in Z spoils half of
the few and leaves the pooled rate near zero. What counts is, for each key round, the measurement that was *not* made.

Which rounds stand for which
    The phase errors of key rounds in Z are the errors that a measurement of them in X would have shown, and the
    sample's rounds in X show such errors; likewise key rounds in X and the sample's rounds in Z. Bases are chosen
    at random, with the same probabilities in every round and independently of the eavesdropper, and detection does
    not depend on them; the sample is drawn after that, at random. So each sifted round carries one of four labels
    (basis; key or sample), and given how many there are of each, every assignment of labels to rounds is equally
    probable, however biased the bases are. Take the key rounds in Z and the sample's rounds in X together: the
    pattern of errors of all of them in X does not depend on which of the two a round is, and the sample's rounds are
    a uniformly random subset of them. The number of phase errors of the n_Z key rounds in Z is then bounded by
    exact inversion of the hypergeometric law (or Serfling's inequality): K_Z, exceeded with probability at most
    eps_AT^2 / 2. The same holds for K_X of the n_X key rounds in X. The two are statements on disjoint sets of
    rounds and on one and the same measurement: of each key round in the basis that it is not in, of each sampled
    round in its own. By the union bound, more than K = K_Z + K_X phase errors among the n = n_Z + n_X key rounds
    occur with probability at most eps_AT^2, which is what the theorem of `qkdpost.security.theorem` asks for.

One uncertainty relation
    The entropic uncertainty relation holds for any product of measurements: on each key round one of two conjugate
    measurements makes key, the other is the complementary one, and which is which may differ from round to round as
    the bases were announced. Each round has overlap 1/2, so that the smooth min-entropy of the n key bits is at
    least n less the smooth max-entropy of the pattern of phase errors. A pattern of at most K ones among n, K no
    more than n / 2, is one of at most 2^(n h(K / n)): hence n (1 - h(K / n)). Counting the two bases apart would
    allow n_Z h(K_Z / n_Z) + n_X h(K_X / n_X), which is no more because h is concave: the pooled count is the safe
    side, and the two agree where both bases show the same rate. The controlled-NOT by which the error pattern of
    the key may be public (see the package's notes, (ii)) is applied in each round in the basis of its key bit.

No correlation, no key
    A basis whose sample is empty, or wrong in half of its rounds or more, shows nothing that could be called
    correlation. If the other basis has key, the phase-error rate is then taken to be 1/2. The theorem does not need
    it, and is not hurt by it: what it asks for is an upper bound.
"""

from __future__ import annotations

from qkdpost.checks import whole_numbers
from qkdpost.security.phase_errors import Concentration, max_phase_errors
from qkdpost.security.qubits.tally import SampledTally
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["asymptotic_bits_of_samples", "phase_error_bound_of_samples"]

_NAMES = ("key basis", "test basis")


def phase_error_bound_of_samples(
    tally: SampledTally, smoothing: float, concentration: Concentration
) -> tuple[float, str]:
    """Bound the phase-error rate of all key rounds at tail smoothing^2, half of it for each basis, and say how.

    Returns:
        The rate, 0 ... 1/2, and the explanation for the result.

    Raises:
        ConfigurationError: an unknown concentration.
    """
    tail = smoothing**2 / 2.0
    key, tested, wrong = _counts(tally)
    worst = [
        max_phase_errors(key[own], tested[other], wrong[other], tail, concentration) for own, other in ((0, 1), (1, 0))
    ]
    total = sum(key)
    silent = _uncorrelated(tally)
    if silent or total == 0:
        return 0.5, f"-n h(1/2): {silent or 'there are no key rounds'}"
    rate = min(0.5, sum(worst) / total)
    parts = (
        f"{wrong[other]} errors in {tested[other]} sampled rounds of the {_NAMES[other]}, at most "
        f"{worst[own]:.0f} phase errors in {key[own]} key rounds of the {_NAMES[own]}"
        for own, other in ((0, 1), (1, 0))
    )
    return rate, f"-n h({rate:.5f}): {'; '.join(parts)} ({concentration})"


def asymptotic_bits_of_samples(tally: SampledTally) -> float:
    """Return n (1 - h(phase-error rate as observed)): no statistics, no epsilon; the bases pooled as in the bound."""
    key, tested, wrong = _counts(tally)
    total = sum(key)
    if total == 0 or _uncorrelated(tally):
        return 0.0
    expected = sum(key[own] * wrong[other] / tested[other] for own, other in ((0, 1), (1, 0)) if key[own])
    return total * (1.0 - binary_entropy(min(0.5, expected / total)))


def _uncorrelated(tally: SampledTally) -> str:
    """Say in which basis the sample shows no correlation although the other basis has key; empty if in neither."""
    key, tested, wrong = _counts(tally)
    for own, other in ((0, 1), (1, 0)):
        if key[own] and 2 * wrong[other] >= tested[other]:
            return f"{wrong[other]} errors in {tested[other]} sampled rounds of the {_NAMES[other]} bound nothing"
    return ""


def _counts(tally: SampledTally) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return the counts as plain integers."""
    return (
        whole_numbers("key_counts", tally.key_counts, count=2, each="basis"),
        whole_numbers("test_counts", tally.test_counts, count=2, each="basis"),
        whole_numbers("test_errors", tally.test_errors, count=2, each="basis"),
    )
