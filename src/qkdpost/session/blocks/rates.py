"""Rates of a block, or of several: what their counts come to, None where one is not known."""

from __future__ import annotations

__all__ = ["Rates"]


class Rates:
    """Rates by the counts that a report and totals both have."""

    __slots__ = ()

    test_bits: int
    test_errors: int
    key_bits: int
    key_errors: int | None
    key_length_bits: int
    pulses: int
    seconds: float | None

    @property
    def qber_test(self) -> float | None:
        """Error rate of the test rounds; None where none were compared."""
        return self.test_errors / self.test_bits if self.test_bits else None

    @property
    def qber_key(self) -> float | None:
        """Error rate of the key rounds, exact after correction; None where it is not known to this side."""
        return self.key_errors / self.key_bits if self.key_errors is not None and self.key_bits else None

    @property
    def bits_per_pulse(self) -> float | None:
        """Bits of key delivered for each pulse; None where there are no numbered pulses."""
        return self.key_length_bits / self.pulses if self.pulses else None

    @property
    def bits_per_second(self) -> float | None:
        """Bits of key delivered for each second of the records; None where their duration is not known."""
        return self.key_length_bits / self.seconds if self.seconds else None
