"""Phase errors where key comes from one basis and the test from the other: the bound behind a `Tally`.

Bases are chosen at random, with the same probabilities in every round, and detection does not depend on them, so the
rounds of the test basis are a uniformly random subset of all sifted rounds: given how many there are, each subset of
that size is as probable as any other. (Were the probabilities different in two halves of a block, an eavesdropper
could spare the half that is tested more. Nor may a block's end depend on bases, for the last round would then be known
to be of a certain one.) The error pattern that a measurement of *all* of them in the test basis would have shown is
fixed before that subset is known. The unseen part of this pattern is the phase errors of the key.
"""

from __future__ import annotations

from qkdpost.checks import whole_number
from qkdpost.security.phase_errors import Concentration, max_phase_errors
from qkdpost.security.qubits.tally import Tally
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["asymptotic_bits", "phase_error_bound"]


def phase_error_bound(tally: Tally, smoothing: float, concentration: Concentration) -> tuple[float, str]:
    """Bound the phase-error rate of the key bits at tail smoothing^2, and say how.

    Exact inversion may replace Serfling's inequality wherever that stood: the theorem asks for *a* function B_e of
    announced data that is exceeded with probability at most eps_AT^2, and nothing else. Conditioned on the numbers
    of key and test bits, which are announced, the test bits are a uniformly random subset, so that the probability
    is hypergeometric for each error pattern, and hence for every mixture of patterns that an attack may produce.

    Errors are whole numbers. One more key bit at the same test may bring the next possible error with it, so that a
    length grows with the number of key bits only up to the few bits that one error costs.

    Returns:
        The rate, 0 ... 1/2, and the explanation for the result.

    Raises:
        ConfigurationError: an unknown concentration.
    """
    key, test, errors = _counts(tally)
    seen = f"{errors} errors in {test} test bits"
    worst = max_phase_errors(key, test, errors, smoothing**2, concentration)
    if key == 0 or test == 0:
        return 0.5, f"-n h(1/2): {seen} bound nothing"
    rate = min(0.5, worst / key)
    return rate, f"-n h({rate:.5f}): {seen}, at most {worst:.0f} in the key ({concentration})"


def asymptotic_bits(tally: Tally) -> float:
    """Return n (1 - h(observed test error rate)): no statistics, no epsilon; zero where nothing was tested."""
    key, test, errors = _counts(tally)
    if test == 0:
        return 0.0
    return key * (1.0 - binary_entropy(errors / test))


def _counts(tally: Tally) -> tuple[int, int, int]:
    """Return key bits, test bits and test errors as plain integers."""
    return (
        whole_number("key_bits", tally.key_bits),
        whole_number("test_bits", tally.test_bits),
        whole_number("test_errors", tally.test_errors),
    )
