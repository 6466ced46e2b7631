"""What a bound for rounds of one qubit each needs to know of a block: counts per basis, all of them public."""

from __future__ import annotations

from dataclasses import dataclass

from qkdpost.checks import whole_number, whole_numbers
from qkdpost.count_tables import CountSource, counts_of_bases, read_table
from qkdpost.security.counts import check_errors, observed_rate

__all__ = ["SampledTally", "Tally"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts of a block whose key comes from one basis and whose test from the other.

    Args:
        key_bits: sifted bits that may become key.
        test_bits: rounds of the complementary measurement that were compared in public.
        test_errors: how many of these differed.

    >>> import qkdpost as qp
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> qp.security.bb84.secret_length(tally, leakage_bits=90_000, epsilon=1e-10).bits > 700_000
    True
    """

    key_bits: int
    test_bits: int
    test_errors: int

    def __post_init__(self) -> None:
        for name in ("key_bits", "test_bits", "test_errors"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name)))
        check_errors("test", (self.test_errors,), (self.test_bits,))

    @classmethod
    def from_counts(cls, source: CountSource, *, key_basis: str | int | None = None) -> Tally:
        """Read the counts of a block from a file of CSV, or from the columns of a data frame.

        Two rows, one for each basis, with the columns `basis` ("key" or "test"), `detected` and `errors`; or one row
        with `key_detected`, `test_detected` and `test_errors`. As `DecoyTally.from_counts`, without intensities.

        Args:
            source: the path, or the columns by name.
            key_basis: what the table calls the key basis, as "Z"; the other one is the test basis.

        Raises:
            InputError: another table; the message names line and column.
            OSError: the file is not there (`FileNotFoundError`), or cannot be read.

        >>> Tally.from_counts({"basis": ["key", "test"], "detected": [9000, 1000], "errors": [90, 11]})
        Tally(key_bits=9000, test_bits=1000, test_errors=11)
        """
        return cls(**counts_of_bases(read_table(source), key_basis))

    @property
    def error_rate(self) -> float:
        """The observed error rate of the test rounds.

        Raises:
            InputError: none were compared.
        """
        return observed_rate("test", (self.test_errors,), (self.test_bits,))


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledTally:
    """Counts of a block of which a random sample of all sifted rounds was compared, and the rest makes key.

    Each is a pair: first the rounds with both sides in the key basis, then those with both in the test basis. Both
    bases make key here; that of one is judged by the sample of the other.

    Args:
        key_counts: sifted bits that were not compared, and may become key.
        test_counts: sampled rounds, compared in public.
        test_errors: how many of these differed.

    >>> import qkdpost as qp
    >>> tally = qp.SampledTally(key_counts=(400_000, 400_000), test_counts=(50_000, 50_000), test_errors=(500, 500))
    >>> qp.security.bb84.secret_length(tally, leakage_bits=80_000, epsilon=1e-10).bits > 500_000
    True
    """

    key_counts: tuple[int, int]
    test_counts: tuple[int, int]
    test_errors: tuple[int, int]

    def __post_init__(self) -> None:
        for name in ("key_counts", "test_counts", "test_errors"):
            object.__setattr__(self, name, whole_numbers(name, getattr(self, name), count=2, each="basis"))
        check_errors("test", self.test_errors, self.test_counts)

    @property
    def key_bits(self) -> int:
        """Sifted bits that may become key."""
        return sum(self.key_counts)

    @property
    def test_bits(self) -> int:
        """Rounds that were compared."""
        return sum(self.test_counts)
