"""What several blocks gave together: sums over their reports, and rates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from qkdpost.checks import instance, listed, real_number
from qkdpost.display import html_table
from qkdpost.errors import InputError
from qkdpost.session.blocks.rates import Rates
from qkdpost.session.blocks.report import BlockReport

__all__ = ["Totals"]

_SUMMED = (
    "key_length_bits",
    "pulses",
    "rounds",
    "sifted_key_bits",
    "sifted_test_bits",
    "test_bits",
    "test_errors",
    "key_bits",
    "authentication_bits",
    "bytes_sent",
    "bytes_received",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals(Rates):
    """Sums over the reports of several blocks, those without key among them; `Totals.of(reports)` makes them.

    Args:
        blocks: how many blocks there were.
        blocks_with_key: and how many left key.
        key_length_bits: bits of key delivered.
        pulses: pulses or slots that the records covered, symbols of continuous variables; 0 of time tags.
        seconds: how long the records took; None where it is not known.
        rounds: rounds that both sides recorded.
        sifted_key_bits: sifted rounds that might become key.
        sifted_test_bits: sifted rounds of the test basis.
        test_bits: rounds compared in public for the bound.
        test_errors: how many of them differed.
        key_bits: bits that went into correction.
        key_errors: errors found in them; None where this side does not know those of every block.
        leakage_bits: disclosed bits that were charged.
        authentication_bits: bits of new key that paid for pads.
        bytes_sent: bytes of these blocks, sent.
        bytes_received: and received.
        accumulated_epsilon: of all blocks that were opened on the pool, after the last of these.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=400_000, rng=1)
    >>> others = qp.simulation.bb84(pulses=400_000, rng=2)
    >>> link = qp.LinkConfig(protocol=qp.BB84(), blocks=qp.Blocks(detections=1000))
    >>> result = qp.distill([alice, others[0]], [bob, others[1]], link)
    >>> totals = qp.Totals.of(result.reports)
    >>> totals.blocks, totals.key_length_bits == len(result.key)
    (2, True)
    """

    blocks: int
    blocks_with_key: int
    key_length_bits: int
    pulses: int
    seconds: float | None
    rounds: int
    sifted_key_bits: int
    sifted_test_bits: int
    test_bits: int
    test_errors: int
    key_bits: int
    key_errors: int | None
    leakage_bits: int
    authentication_bits: int
    bytes_sent: int
    bytes_received: int
    accumulated_epsilon: float

    @classmethod
    def of(
        cls,
        reports: Iterable[BlockReport],
        *,
        seconds: float | None = None,
        repetition_rate_hz: float | None = None,
    ) -> Totals:
        """Add up the reports of one side.

        Args:
            reports: of the blocks, in the order in which they ended.
            seconds: how long the records took, by the host's own clock; None: by the reports, which know it of time
                tags, or by the repetition rate.
            repetition_rate_hz: how many pulses there were in a second.

        Raises:
            InputError: something else than reports, or both or neither a duration nor a rate that can be.

        >>> Totals.of([]).key_length_bits
        0
        """
        entries = [instance("each of reports", entry, BlockReport) for entry in listed("reports", reports, "reports")]
        sums: dict[str, int] = {name: sum(getattr(report, name) for report in entries) for name in _SUMMED}
        corrected = [report.key_errors for report in entries if report.key_bits]
        return cls(
            blocks=len(entries),
            blocks_with_key=sum(report.key_length_bits > 0 for report in entries),
            seconds=_seconds(entries, sums["pulses"], seconds, repetition_rate_hz),
            key_errors=None if None in corrected or not corrected else sum(filter(None, corrected)),
            leakage_bits=sum(report.ledger.charged_bits for report in entries),
            accumulated_epsilon=max((report.accumulated_epsilon for report in entries), default=0.0),
            **sums,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain numbers, None where something is not known: a row of a table."""
        rates = ("qber_test", "qber_key", "bits_per_pulse", "bits_per_second")
        return asdict(self) | {name: getattr(self, name) for name in rates}

    def rows(self) -> list[tuple[str, str]]:
        """Return name and value of each line, in words."""
        return [
            ("blocks / with key", f"{self.blocks:,} / {self.blocks_with_key:,}"),
            ("key delivered", f"{self.key_length_bits:,} bits"),
            *([("pulses covered", f"{self.pulses:,}")] if self.pulses else []),
            *([("secret bits per pulse", f"{self.bits_per_pulse:.4g}")] if self.bits_per_pulse is not None else []),
            *([("seconds", f"{self.seconds:,.6g}")] if self.seconds is not None else []),
            *([("secret bits per second", f"{self.bits_per_second:,.6g}")] if self.bits_per_second is not None else []),
            ("QBER of test rounds", _in_words(self.qber_test, self.test_errors, self.test_bits)),
            ("QBER of the key, exact", _in_words(self.qber_key, self.key_errors, self.key_bits)),
            ("leakage charged", f"{self.leakage_bits:,} bits"),
            ("spent on authentication", f"{self.authentication_bits:,} bits"),
            ("sent / received", f"{self.bytes_sent:,} / {self.bytes_received:,} bytes"),
        ]

    def __str__(self) -> str:
        rows = self.rows()
        width = max(len(name) for name, _ in rows)
        return "all blocks\n" + "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)

    def __repr__(self) -> str:
        return f"Totals(blocks={self.blocks}, key_length_bits={self.key_length_bits}, pulses={self.pulses})"

    def _repr_html_(self) -> str:
        return html_table("all blocks", self.rows())


def _seconds(
    reports: list[BlockReport], pulses: int, seconds: float | None, repetition_rate_hz: float | None
) -> float | None:
    if seconds is not None and repetition_rate_hz is not None:
        raise InputError("seconds and repetition_rate_hz say the same: give one of them")
    if seconds is not None:
        return real_number("seconds", seconds, above=0.0)
    if repetition_rate_hz is not None:
        return pulses / real_number("repetition_rate_hz", repetition_rate_hz, above=0.0) if pulses else None
    known = [report.seconds for report in reports if report.seconds is not None]
    return sum(known) if known and len(known) == len(reports) else None


def _in_words(rate: float | None, errors: int | None, compared: int) -> str:
    return "not known" if rate is None else f"{rate:.3%} ({errors:,} of {compared:,})"
