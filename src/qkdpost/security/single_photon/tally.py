"""What the bound for a single-photon source needs to know of a block and of the source; all of it public."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.checks import real_number, whole_number
from qkdpost.errors import InputError, QkdpostError
from qkdpost.security.counts import check_errors

__all__ = ["SinglePhotonTally", "check_basis_probabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePhotonTally:
    """Counts of a block from a single-photon source without decoys, and what is known of the source.

    Args:
        pulses_sent: how many pulses left the sender.
        key_probability: the probability that a pulse is prepared *and* measured in the key basis, detected or not.
        test_probability: the same for the test basis.
        mean_photons: <n> at the channel's input, an upper confidence limit.
        g2: <n (n - 1)> / <n>^2 at the channel's input, an upper confidence limit.
        key_bits: detections with both sides in the key basis.
        test_bits: detections with both sides in the test basis, all compared in public.
        test_errors: how many of these differed.

    >>> import qkdpost as qp
    >>> link = qp.planning.SinglePhotonBB84Link()
    >>> tally = link.expected_tally(10**8)
    >>> tally.pulses_sent, tally.g2
    (100000000, 0.02)
    """

    pulses_sent: int
    key_probability: float
    test_probability: float
    mean_photons: float
    g2: float
    key_bits: int
    test_bits: int
    test_errors: int

    def __post_init__(self) -> None:
        for name in ("pulses_sent", "key_bits", "test_bits", "test_errors"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name)))
        check_errors("test", (self.test_errors,), (self.test_bits,))
        if self.key_bits + self.test_bits > self.pulses_sent:
            raise InputError(
                "key_bits and test_bits together must not exceed pulses_sent; found "
                f"{self.key_bits} + {self.test_bits} > {self.pulses_sent}"
            )
        key, test = check_basis_probabilities(self.key_probability, self.test_probability)
        object.__setattr__(self, "key_probability", key)
        object.__setattr__(self, "test_probability", test)
        object.__setattr__(self, "mean_photons", real_number("mean_photons", self.mean_photons, above=0.0, most=20.0))
        object.__setattr__(self, "g2", real_number("g2", self.g2, least=0.0, most=1e6))


def check_basis_probabilities(
    key_probability: float, test_probability: float, *, error: type[QkdpostError] = InputError
) -> tuple[float, float]:
    """Return the probabilities of key and test basis as Python floats.

    Raises:
        InputError: (or `error`) one is not between 0 and 1, or they add up to more than 1.
    """
    key = real_number("key_probability", key_probability, above=0.0, below=1.0, error=error)
    test = real_number("test_probability", test_probability, above=0.0, below=1.0, error=error)
    if key + test > 1.0 + 1e-12:
        raise error(f"key_probability and test_probability must not add up to more than 1; found {key} + {test}")
    return key, test
