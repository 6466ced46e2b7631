"""What a bound answers: a length, with every term, assumption and epsilon that made it.

Every bound's terms are added up here, and here is the last line of defence: with its statistics and its epsilons a
length cannot exceed what the same counts would give without any, nor the bits that the key is made of. One that does
is wrong, by a fault of the library or by an input that none of its checks knows, and by how much is unknown; so it
gives no key at all, and says that it is a fault. (An answer, not an exception: it must not take an unattended host
down either.) Formulas that are kept for comparison and are no bounds may exceed both by themselves, as some do where
counts are few; they are cut off there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal, TypeAlias

from qkdpost.checks import described, instance, whole_number
from qkdpost.display import html_table
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.security import assumptions as assume
from qkdpost.security.epsilon import EpsilonLedger

__all__ = ["Evidence", "Form", "SecretLength", "Term", "at_fixed_length", "refused", "secret_length_of_terms"]

Form = Literal["variable-length", "fixed-length"]
Evidence: TypeAlias = tuple[tuple[str, float], ...]
"""Named numbers: what a bound concluded from the counts, each on the safe side of what it stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One line of a bound.

    Args:
        name: what it is, in a few words.
        bits: what it adds to the length; negative for what it costs.
        explanation: the formula, with its numbers where they help.

    >>> import qkdpost as qp
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> length = qp.security.bb84.secret_length(tally, leakage_bits=90_000, epsilon=1e-10)
    >>> length.terms[0].name, length.terms[0].bits
    ('certified rounds', 1000000.0)
    """

    name: str
    bits: float
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretLength:
    """How many secret bits may be kept of a block, and why.

    Args:
        bits: the length: the sum of `terms`, rounded down, never negative.
        bound: the name of the bound.
        form: "variable-length": the length may be chosen from what was observed; "fixed-length": only for
            thresholds that were set before the data were seen.
        attacks: the class of attacks that it holds against, in full, as "coherent".
        rigorous: whether it is a bound at all; published formulas that are kept for comparison may not be.
        assumptions: what it takes for granted.
        terms: what makes the length, in the order of the formula; a last term pays for floating-point rounding.
        epsilon: where the bound spends the budget.
        evidence: the numbers that the bound concluded from the counts and made the length of, each with its name, in an
            order that is the bound's own. Which there are depends on the kind: rounds of qubits have a
            "phase_error_rate" (an upper bound) and "certified_rounds" (a lower bound), decoy states also say what they
            prove of single photons; a kind without phase errors names what stands in their place.
        asymptotic_bits: what the same counts would give without any statistical or epsilon term; a point estimate.
        reason: why there is no key; empty if there is one.
        unproven: on which steps it rests that no published proof covers, each in words; empty if on none. Arguments of
            this library's own are among them.

    Raises:
        InputError: the evidence is not a sequence of pairs of a name and a number, or a name occurs twice.

    >>> import qkdpost as qp
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> length = qp.security.bb84.secret_length(tally, leakage_bits=90_000, epsilon=1e-10)
    >>> length.form, length.attacks, [term.name for term in length.terms][:3]
    ('variable-length', 'coherent', ['certified rounds', 'phase errors', 'correction'])
    """

    bits: int
    bound: str
    form: Form
    attacks: str
    rigorous: bool
    assumptions: tuple[str, ...]
    terms: tuple[Term, ...]
    epsilon: EpsilonLedger
    evidence: Evidence
    asymptotic_bits: float
    reason: str
    unproven: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "evidence", _checked_evidence(self.evidence))

    @property
    def phase_error_rate(self) -> float:
        """The upper bound on the phase-error rate that went in.

        Raises:
            InputError: the bound's evidence has none: it is not one of qubits.
        """
        for name, value in self.evidence:
            if name == "phase_error_rate":
                return value
        raise InputError(
            f"bound {self.bound!r} has no phase-error rate; its evidence is {[name for name, _ in self.evidence]}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return {
            "bits": self.bits,
            "bound": self.bound,
            "form": self.form,
            "attacks": self.attacks,
            "rigorous": self.rigorous,
            "assumptions": list(self.assumptions),
            "terms": [{"name": t.name, "bits": t.bits, "explanation": t.explanation} for t in self.terms],
            "epsilon": self.epsilon.to_dict(),
            "evidence": dict(self.evidence),
            "asymptotic_bits": self.asymptotic_bits,
            "reason": self.reason,
            "unproven": list(self.unproven),
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        return f"SecretLength(bits={self.bits}, bound={self.bound!r}, form={self.form!r}, attacks={self.attacks!r})"

    def _repr_html_(self) -> str:
        rows = [(term.name, f"{term.bits:+,.2f}  {term.explanation}") for term in self.terms]
        return html_table(f"secret length: {self.bits:,} bits", rows, more=str(self))


def at_fixed_length(result: SecretLength, planned_bits: int) -> SecretLength:
    """Turn a variable-length answer into that of a fixed-length protocol: `planned_bits` or nothing.

    A protocol whose length was set beforehand, and which aborts whenever the variable-length bound allows less, is
    itself a variable-length protocol with lengths 0 and `planned_bits`, both within the bound: the theorem covers
    it with the same epsilon.

    Args:
        result: of a variable-length bound.
        planned_bits: the length that was set before the data were seen.

    Raises:
        ConfigurationError: the answer is that of a fixed-length bound, or the length is no whole number.

    >>> import qkdpost as qp
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> length = qp.security.bb84.secret_length(tally, leakage_bits=90_000, epsilon=1e-10)
    >>> [qp.security.at_fixed_length(length, planned).bits for planned in (500_000, 999_999)]
    [500000, 0]
    """
    result = instance("result", result, SecretLength, error=ConfigurationError)
    planned_bits = whole_number("planned_bits", planned_bits, error=ConfigurationError)
    if result.form != "variable-length":
        raise ConfigurationError(f"a variable-length bound is needed; found {result.form}")
    if result.bits >= planned_bits > 0:
        return replace(result, form="fixed-length", bits=planned_bits)
    reason = result.reason or f"not accepted: the block allows {result.bits} bits, {planned_bits} were planned"
    return replace(result, form="fixed-length", bits=0, reason=reason)


def refused(result: SecretLength, reason: str) -> SecretLength:
    """Return the answer for a block that was not accepted: no bits, and why."""
    return replace(result, bits=0, reason=reason)


def secret_length_of_terms(
    terms: Sequence[Term],
    *,
    bound: str,
    form: Form,
    rigorous: bool,
    assumptions: Sequence[str],
    epsilon: EpsilonLedger,
    evidence: Evidence,
    asymptotic_bits: float,
    key_bits: int,
    abort: str = "",
    unproven: Sequence[str] = (),
    attacks: str = "coherent",
) -> SecretLength:
    """Add the terms of a bound up, safely, and say why if nothing is left; see the module for what is refused.

    Each term is correct to a few units in the last place of the largest one; 2^-48 of the sum of all magnitudes
    (a millionth of a bit at the least) is subtracted for that before the sum is rounded down.

    Args:
        terms: the lines of the bound.
        bound: its name.
        form: of its theorem.
        rigorous: whether it is proven.
        assumptions: what it takes for granted.
        epsilon: where it spends the budget.
        evidence: what was concluded from the counts; see `SecretLength`.
        asymptotic_bits: without statistics; clamped to 0 ... `key_bits` here.
        key_bits: how many bits the key is made of.
        abort: why the block was not accepted, if it was not.
        unproven: on which steps it rests that no published proof covers.
        attacks: the class of attacks that it holds against, in full, to be followed by the word attacks.
    """
    magnitude = math.fsum(abs(term.bits) for term in terms)
    margin = max(1e-6, magnitude * 2.0**-48)
    rounding = Term(name="rounding", bits=-margin, explanation="2^-48 of all magnitudes, for floating point")
    lines = (*terms, rounding)
    total = math.fsum(line.bits for line in lines)
    most = min(max(0.0, asymptotic_bits), float(key_bits))
    fault = _fault(total, most, key_bits) if rigorous or math.isnan(total) else ""
    if not rigorous and total > most:
        lines = (*lines, Term(name="cut off", bits=most - total, explanation="no more than without statistics"))
        total = most
    bits = 0 if abort or fault else max(0, math.floor(min(total, most)))
    return SecretLength(
        bits=bits,
        bound=bound,
        form=form,
        attacks=attacks,
        rigorous=rigorous,
        assumptions=tuple(assumptions),
        terms=lines,
        epsilon=epsilon,
        evidence=evidence,
        asymptotic_bits=most,
        unproven=tuple(unproven),
        reason=abort or fault or ("" if bits else _why_nothing(terms, total)),
    )


def _checked_evidence(evidence: object) -> Evidence:
    """Return the evidence as a tuple of pairs of a name and a Python float; one that is not finite is kept as it is.

    A bound that has gone wrong answers with no key and says so; it must not raise here.
    """
    if not isinstance(evidence, Sequence) or isinstance(evidence, str | bytes):
        raise InputError(f"evidence must be a sequence of (name, number); found {described(evidence)}")
    pairs = []
    for pair in evidence:
        if (
            not isinstance(pair, tuple)
            or len(pair) != 2
            or not isinstance(pair[0], str)
            or not isinstance(pair[1], Real)
        ):
            raise InputError(f"evidence must be a sequence of (name, number); found {described(pair)} in it")
        pairs.append((str(pair[0]), float(pair[1])))
    if len(dict(pairs)) < len(pairs):
        raise InputError(f"each name in evidence must occur once; found {[name for name, _ in pairs]}")
    return tuple(pairs)


def _fault(total: float, most: float, key_bits: int) -> str:
    """Say that a length is more than can be, if it is by more than floating point explains; NaN is too."""
    if total <= most + 1e-9 * key_bits + 1.0 or total < 1.0:
        return ""
    return (
        f"the bound gave {total:.0f} bits, more than the {most:.0f} that the same counts would give without any "
        "statistics: a fault of this library or of what it was given, so that nothing is kept; please report it "
        "with the tally"
    )


def _why_nothing(terms: Sequence[Term], total: float) -> str:
    gains = math.fsum(term.bits for term in terms if term.bits > 0)
    if gains <= 0:
        return f"there is nothing to make key of: {terms[0].name} is zero ({terms[0].explanation})"
    worst = min(terms, key=lambda term: term.bits)
    return (
        f"the costs exceed the {gains:.0f} bits there were by {max(0.0, -total):.0f}; the largest is {worst.name} "
        f"with {-worst.bits:.0f} bits ({worst.explanation})"
    )


def _lines(result: SecretLength) -> list[str]:
    proven = "" if result.rigorous else " (published formula for comparison; NOT a proven bound)"
    if assume.ONE_WAY_THEOREM_TWO_WAYS in result.unproven:
        proven = " (one-way theorem + this library's argument for a public error pattern)"
    lines = [f"secret length: {result.bits} bits", f"  bound: {result.bound}{proven}"]
    lines.append(f"  form: {result.form}, against {result.attacks} attacks")
    if result.reason:
        lines.append(f"  no key: {result.reason}")
    width = max(len(term.name) for term in result.terms)
    for term in result.terms:
        lines.append(f"  {term.name:<{width}}  {term.bits:>+18,.2f}  {term.explanation}")
    lines.extend(f"  evidence: {name.replace('_', ' ')} {value:,.10g}" for name, value in result.evidence)
    lines.append(f"  without finite-size terms: {result.asymptotic_bits:,.0f} bits")
    ledger = result.epsilon
    lines.append(f"  epsilon: secrecy {ledger.secrecy:.3g}, correctness {ledger.correctness:.3g} ({ledger.proof})")
    for entry in ledger.terms:
        lines.append(f"    {entry.weight:g} x {entry.name} = {entry.weight:g} x {entry.value:.3g}: {entry.meaning}")
    lines.append("  assumes:")
    lines.extend(f"    - {assumption}" for assumption in result.assumptions)
    if result.unproven:
        lines.append("  rests on what no published proof covers:")
        lines.extend(f"    - {step}" for step in result.unproven)
    return lines
