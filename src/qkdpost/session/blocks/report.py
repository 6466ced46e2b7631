"""The report of one block: every count, rate, leak and term, readable and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import ROUND_CEILING, Context
from typing import Any

import msgspec

from qkdpost.dialogue.ledger import Cause, Ledger
from qkdpost.dialogue.roles import Role
from qkdpost.display import html_table
from qkdpost.health import OwnRecord
from qkdpost.security.result import SecretLength
from qkdpost.session.blocks.hints import hints_of_error_rates
from qkdpost.session.blocks.rates import Rates
from qkdpost.session.blocks.run import BlockRun
from qkdpost.statistics.entropy import binary_entropy
from qkdpost.statistics.error_rate import estimate_error_rate

__all__ = ["BlockReport", "report_of"]

TENTHS_SHOWN = 10
NOT_MEASURED = "not measured"
_TRAFFIC = ("messages_sent", "messages_received", "bytes_sent", "bytes_received")
_ENDING = ("abort_reason", "abort_detail", "aborted_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockReport(Rates):
    """What happened to a block on this side, written once it has ended. Nothing in it is secret.

    Args:
        block: the number of the block.
        role: "alice" or "bob".
        kind: the kind of QKD.
        continuous: whether outcomes are numbers, as with continuous variables; then all that is said here of clicks,
            bits and errors before correction is 0 or None.
        pulses: how many pulses or slots the records of the block cover, or symbols of continuous variables; 0 of time
            tags, and of a block that ended before this side had them all.
        seconds: of time tags, from the first click to the last of each of this side's records; None else, for the
            library has no clock: `Totals.of(reports, repetition_rate_hz=...)`.
        rounds: rounds that both sides recorded, before sifting (matched pairs where both detect); symbols of continuous
            variables.
        double_clicks: events of this side's records, sifted or not, in which both detectors of a basis clicked.
        cross_clicks: and those in which detectors of both bases did; a proof for a passive receiver must bound them.
        sifted_key_bits: sifted rounds that may become key.
        sifted_test_bits: sifted rounds of the test basis.
        surplus_bits: sifted bits of either basis that were discarded to meet sizes which were set beforehand.
        test_bits: rounds compared in public for the bound.
        test_errors: how many of them differed.
        setup_bits: key-basis rounds disclosed to set up correction; they are no longer key.
        setup_errors: how many of them differed.
        key_bits: bits that went into correction.
        key_errors: errors found in them, known exactly after correction; None on a side that does not learn them, as
            Alice does not by LDPC.
        frames: frames that short tags verify: those of Cascade, and all of continuous outcomes.
        dropped_frames: frames given up because their tags differed.
        ldpc_frames: frames of LDPC; 0 where Cascade corrected the block.
        ldpc_failed_frames: of these, how many it did not correct; the fallback says what became of them.
        reconciliation_rounds: exchanges of parities.
        corrected_bits: bits that went into amplification.
        ledger: disclosed bits by cause.
        secret: the bound with all its terms.
        authentication_bits: bits of the new key that pay for the pads which the block used.
        key_length_bits: bits of key delivered.
        epsilon_total: secrecy, correctness and authentication together, of the key delivered, by its own block alone.
        accumulated_epsilon: the same of all blocks that were opened on the pool of authentication key so far, without
            key or with, as `KeyPool.accumulated_epsilon` counts: what the key is away from an ideal one all in all.
        messages_sent: messages of this block sent by this side.
        messages_received: and received.
        bytes_sent: their bytes, sent.
        bytes_received: and received.
        completed_stages: names of the stages that this side completed.
        could_sample: whether a sample of both bases could have been compared in the place of the whole test basis.
        other_facts: what stages of the kind's own said beside all this, by name, also under a name that has another
            meaning here.
        abort_reason: why there is no key, or None.
        abort_detail: the same in a sentence.
        aborted_by: the role of the host that gave the block up, or None.
        matched_by_tenth: of time tags, how many events were reported and how many of these both hosts keep, for each
            tenth of each record in turn; the same on both sides.
        notices: what is unusual and no reason for an abort: where coincidences vanished or events are missing, which
            jumps of a clock were corrected, and warnings about continuous outcomes and their calibration.
        own_record: what this host counted in its own records; None before it has sifted, and of continuous outcomes.

    >>> import qkdpost as qp
    >>> alice, bob = qp.simulation.bb84(pulses=400_000, rng=1)
    >>> report = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84())).report
    >>> report.kind, report.key_length_bits > 0, report.abort_reason
    ('bb84', True, None)
    >>> sorted(report.to_dict())[:3]
    ['abort_detail', 'abort_reason', 'aborted_by']
    """

    block: int
    role: Role
    kind: str
    continuous: bool = False
    pulses: int = 0
    seconds: float | None = None
    rounds: int = 0
    double_clicks: int = 0
    cross_clicks: int = 0
    sifted_key_bits: int = 0
    sifted_test_bits: int = 0
    surplus_bits: int = 0
    test_bits: int = 0
    test_errors: int = 0
    setup_bits: int = 0
    setup_errors: int = 0
    key_bits: int = 0
    key_errors: int | None = None
    frames: int = 0
    dropped_frames: int = 0
    ldpc_frames: int = 0
    ldpc_failed_frames: int = 0
    reconciliation_rounds: int = 0
    corrected_bits: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    secret: SecretLength | None = None
    authentication_bits: int = 0
    key_length_bits: int = 0
    epsilon_total: float = 0.0
    accumulated_epsilon: float = 0.0
    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    completed_stages: tuple[str, ...] = ()
    could_sample: bool = False
    other_facts: Mapping[str, Any] = field(default_factory=dict)
    abort_reason: str | None = None
    abort_detail: str | None = None
    aborted_by: Role | None = None
    matched_by_tenth: tuple[tuple[int, int], ...] = ()
    notices: tuple[str, ...] = ()
    own_record: OwnRecord | None = None

    @property
    def efficiency(self) -> float | None:
        """Disclosed bits of correction over the Shannon limit n h(QBER).

        None where the error rate is not known to this side, and where there was nothing to correct.
        """
        limit = self.key_bits * binary_entropy(self.qber_key or 0.0)
        disclosed = self.ledger.bits(Cause.REFERENCE_PARITIES) + self.ledger.bits(Cause.REVEALED_BITS)
        return disclosed / limit if limit else None

    @property
    def hints(self) -> tuple[str, ...]:
        """What the public counts point to: one of the usual mistakes of a set-up, or a way to more key."""
        hints = hints_of_error_rates((self.setup_errors, self.setup_bits), (self.test_errors, self.test_bits))
        variable = self.secret is not None and self.secret.form == "variable-length"
        many = self.test_bits > self.sifted_key_bits / 3
        if self.key_length_bits and variable and self.could_sample and many:
            hints += (
                f"all {self.test_bits:,} rounds of the test basis were disclosed; with test='sample' most of them make "
                "key, too",
            )
        return hints

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON knows."""
        result = {
            item.name: getattr(self, item.name) for item in fields(self) if item.name not in ("ledger", "own_record")
        }
        result["own_record"] = self.own_record.to_dict() if self.own_record is not None else None
        result["hints"] = list(self.hints)
        result["matched_by_tenth"] = [list(tenth) for tenth in self.matched_by_tenth]
        result["notices"], result["completed_stages"] = list(self.notices), list(self.completed_stages)
        result["other_facts"] = msgspec.to_builtins(dict(self.other_facts), enc_hook=str)
        result |= {"leakage": self.ledger.to_dict(), "leakage_bits": self.ledger.charged_bits}
        result["secret"] = self.secret.to_dict() if self.secret is not None else None
        rates = ("qber_test", "qber_key", "efficiency", "bits_per_pulse", "bits_per_second")
        return result | {name: getattr(self, name) for name in rates}

    def _ldpc_in_words(self) -> list[tuple[str, str]]:
        counts = f"{self.ldpc_frames:,} / {self.ldpc_failed_frames:,}"
        return [("frames of LDPC / failed", counts)] if self.ldpc_frames else []

    def _matched_in_words(self) -> list[tuple[str, str]]:
        if not self.matched_by_tenth:
            return []
        shares = [matched / events if events else 0.0 for events, matched in self.matched_by_tenth]
        if len(shares) > TENTHS_SHOWN:
            text = f"{min(shares):.1%} to {max(shares):.1%} in each tenth of a record"
        else:
            text = " ".join(f"{100 * share:.1f}" for share in shares) + " % in each tenth"
        return [("events matched", text)]

    def _bits_in_words(self) -> list[tuple[str, str]]:
        """Return what there is to say of clicks and error rates; kinds whose outcomes are continuous have neither."""
        return [
            ("own double / cross clicks", f"{self.double_clicks:,} / {self.cross_clicks:,} events"),
            *(self.own_record.rows() if self.own_record is not None else []),
            *self._matched_in_words(),
            ("sifted: key / test basis", f"{self.sifted_key_bits:,} / {self.sifted_test_bits:,} bits"),
            *([("discarded above the set sizes", f"{self.surplus_bits:,} bits")] if self.surplus_bits else []),
            ("QBER of test rounds", _rate_in_words(self.test_errors, self.test_bits)),
            ("QBER of the set-up sample", _rate_in_words(self.setup_errors, self.setup_bits)),
            ("QBER of the key, exact", self._key_errors_in_words()),
        ]

    def _efficiency_in_words(self) -> str:
        if self.continuous:
            return ""
        return f", efficiency {NOT_MEASURED if self.efficiency is None else f'{self.efficiency:.4f}'}"

    def _key_errors_in_words(self) -> str:
        if not self.key_bits:
            return NOT_MEASURED
        if self.key_errors is None:
            return f"unknown to this side ({self.key_bits:,} bits)"
        return f"{self.qber_key:.3%} ({self.key_errors:,} of {self.key_bits:,})"

    def _rates_in_words(self) -> list[tuple[str, str]]:
        rows = [] if self.bits_per_pulse is None else [("secret bits per pulse", f"{self.bits_per_pulse:.4g}")]
        if self.bits_per_second is not None:
            rows.append(("secret bits per second", f"{self.bits_per_second:,.6g}"))
        return rows

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            *([("pulses covered", f"{self.pulses:,}")] if self.pulses and not self.continuous else []),
            *([("duration of the records", f"{self.seconds:,.6g} s")] if self.seconds is not None else []),
            ("symbols of the block" if self.continuous else "rounds seen by both sides", f"{self.rounds:,}"),
            *([] if self.continuous else self._bits_in_words()),
            *((name.replace("_", " "), _fact_in_words(value)) for name, value in self.other_facts.items()),
            ("frames / dropped", f"{self.frames:,} / {self.dropped_frames:,}"),
            *self._ldpc_in_words(),
            ("correction", f"{self.reconciliation_rounds:,} rounds{self._efficiency_in_words()}"),
        ]
        rows += [
            (f"disclosed: {cause.replace('_', ' ')}", f"{bits:,} bits")
            for cause, bits in self.ledger.to_dict().items()
            if bits
        ]
        rows += [
            ("leakage charged", f"{self.ledger.charged_bits:,} bits"),
            ("sent", f"{self.messages_sent:,} messages, {self.bytes_sent:,} bytes"),
            ("received", f"{self.messages_received:,} messages, {self.bytes_received:,} bytes"),
        ]
        if self.abort_reason is not None:
            rows.append(("no key", f"{self.abort_reason}: {self.abort_detail}"))
        else:
            rows.append(("spent on authentication", f"{self.authentication_bits:,} bits"))
            rows.append(("key delivered", f"{self.key_length_bits:,} bits, epsilon {_rounded_up(self.epsilon_total)}"))
            rows += self._rates_in_words()
        rows.append(("epsilon of all blocks so far", _rounded_up(self.accumulated_epsilon)))
        rows += [("notice", notice) for notice in self.notices]
        return rows + [("hint", hint) for hint in self.hints]

    @property
    def _head(self) -> str:
        return f"block {self.block}, {self.kind}, {self.role}"

    def __str__(self) -> str:
        rows = self._rows()
        width = max(len(name) for name, _ in rows)
        table = "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)
        return f"{self._head}\n{table}" + (f"\n{self.secret}" if self.secret is not None else "")

    def __repr__(self) -> str:
        end = f"key_length_bits={self.key_length_bits}" if self.abort_reason is None else f"no key: {self.abort_reason}"
        return f"BlockReport(block={self.block}, kind={self.kind!r}, role={self.role!r}, {end})"

    def _repr_html_(self) -> str:
        return html_table(self._head, self._rows(), more=str(self.secret or ""), summary="the bound")


_SAID_BY_THE_SESSION = {"block", "role", "kind", "ledger", "completed_stages", "other_facts", *_TRAFFIC, *_ENDING}
_SAID_BY_STAGES = frozenset(item.name for item in fields(BlockReport)) - _SAID_BY_THE_SESSION


def report_of(run: BlockRun, *, role: Role, kind: str) -> BlockReport:
    """Write the report of a block that has ended, from what its stages said.

    Later facts replace earlier ones, but for notices, which are added up.
    """
    said: dict[str, Any] = {"accumulated_epsilon": run.accumulated_epsilon}
    for facts in run.facts:
        before = said.get("notices")
        said |= facts.by_name()
        if said.get("notices") is not before and isinstance(before, tuple) and isinstance(said["notices"], tuple):
            said["notices"] = before + said["notices"]
    return BlockReport(
        block=run.block.number,
        role=role,
        kind=kind,
        ledger=run.block.ledger,
        completed_stages=tuple(run.completed_stages),
        **{name: getattr(run.traffic, name) for name in _TRAFFIC},
        other_facts={name: value for name, value in said.items() if name not in _SAID_BY_STAGES},
        **{name: value for name, value in said.items() if name in _SAID_BY_STAGES},
    )


def _rate_in_words(errors: int, compared: int) -> str:
    return str(estimate_error_rate(errors, compared)) if compared else NOT_MEASURED


def _fact_in_words(value: object) -> str:
    match value:
        case bool():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.6g}"
    return str(value)


def _rounded_up(epsilon: float) -> str:
    """Return three digits of an epsilon, never a smaller number than it is."""
    return f"{float(Context(prec=3, rounding=ROUND_CEILING).create_decimal(epsilon)):.3g}"
