"""The self-test: every family of kernels computes what is known, on the processor path in use."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TypeAlias

import msgspec

from qkdpost.compilation import processor_path
from qkdpost.errors import SelfTestFailed
from qkdpost.known_answers import continuous, correction, hashing, records, strings
from qkdpost.known_answers.verdict import note_failure

__all__ = ["FAMILIES", "SelfTestReport", "self_test"]

_LOG = logging.getLogger("qkdpost.known_answers")

Answer: TypeAlias = str | int | list[float]
TOLERANCE = 1e-3
"""By how much a real number may differ from its answer, in parts of it, or of 1 if it is smaller: sums of float32 in
another order differ by far less, and a wrong term by far more."""

FAMILIES: Mapping[str, Callable[[], Mapping[str, Answer]]] = {
    "packing": strings.packing,
    "runs": strings.runs,
    "shared random": strings.shared_random,
    "algebraic check": hashing.algebraic_check,
    "Toeplitz hashing": hashing.toeplitz,
    "polynomial tags": hashing.polynomial_tags,
    "slots": records.slots,
    "time tags": records.time_tags,
    "Cascade": correction.cascade,
    "syndromes": correction.syndromes,
    "LDPC, fast": correction.ldpc_fast,
    "LDPC, accurate": correction.ldpc_accurate,
    "raptor-like codes": correction.raptor,
    "slices": continuous.slices,
    "whitening": continuous.whitening,
    "rotations": continuous.rotations,
    "sums of quadratures": continuous.sums,
}
"""What is tested, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestReport:
    """What was tested, every answer being right.

    Args:
        processor_path: the code for carry-less multiplication that was in use.
        families: for each family of kernels, how many answers were compared.
    """

    processor_path: str
    families: Mapping[str, int]

    def __str__(self) -> str:
        width = max(map(len, self.families))
        rows = (f"  {name:<{width}}  {count} answers right" for name, count in self.families.items())
        return "\n".join((f"self-test passed on processor path {self.processor_path}", *rows))


def self_test() -> SelfTestReport:
    """Let every family of kernels compute what is known, as a certified module does when it is switched on.

    The answers come with the package. They were made once by slow programs that follow the definitions and share no
    code with the kernels (`tests/known_answers`), from inputs that follow from names by SHAKE256. Kernels are tested on
    the processor path in use, as `python -m qkdpost` names it. Where they are not compiled yet, that happens first;
    otherwise it takes a second or two.

    Not tested are the bounds on Eve's knowledge, and kernels that make no key: of reading files, numbering pulses,
    simulating and designing codes.

    Returns:
        What was compared.

    Raises:
        SelfTestFailed: an answer is wrong, and which one; or the file of known answers is damaged. From then on this
            process makes no key: `Session`, `Session.connect`, `distill` and `KeyManager` raise the same, whatever a
            later self-test finds.
        RuntimeError: QKDPOST_CLMUL names a path that this processor lacks; see `processor_path`.

    >>> import qkdpost as qp
    >>> report = qp.self_test()
    >>> "Toeplitz hashing" in report.families
    True
    """
    path = processor_path()  # without one there is nothing to be tested
    answers = _answers()
    counts = {name: _test(name, family, answers[name]) for name, family in FAMILIES.items()}
    _LOG.info("self-test passed on processor path %s: %d answers right", path, sum(counts.values()))
    return SelfTestReport(processor_path=path, families=counts)


def _test(name: str, family: Callable[[], Mapping[str, Answer]], known: Mapping[str, Answer]) -> int:
    """Compare the answers of a family, and return how many there are."""
    try:
        found = family()
    except Exception as error:  # a kernel that computes wrongly may well break what follows it
        raise _failure(f"{name} ended with {type(error).__name__}: {error}") from error
    for case in known.keys() | found.keys():
        if case not in known or case not in found or not _equal(found[case], known[case]):
            raise _failure(
                f"{name} gives a wrong answer for {case!r}: {_shown(found.get(case))}, not {_shown(known.get(case))}"
            )
    return len(known)


def _failure(text: str) -> SelfTestFailed:
    """Note the failure, and return what says so."""
    note_failure(text)
    _LOG.error("self-test failed: %s", text)
    return SelfTestFailed(
        f"{text}, on processor path {processor_path()}. This process makes no key from now on. Try "
        "QKDPOST_CLMUL=portable, an emptied cache of compiled code, a new installation, other memory; and report it"
    )


class _AnswersFile(msgspec.Struct, forbid_unknown_fields=True):
    origin: str
    answers: dict[str, dict[str, Answer]]


def _answers() -> dict[str, dict[str, Answer]]:
    """Return the known answers, each family's; what they are read from is believed no more than a kernel."""
    place = resources.files("qkdpost.known_answers").joinpath("answers.json")
    try:
        answers = msgspec.json.decode(place.read_bytes(), type=_AnswersFile).answers
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _failure(f"the known answers in {place} cannot be read: {error}") from error
    if answers.keys() != FAMILIES.keys():
        strange = ", ".join(map(repr, sorted(answers.keys() ^ FAMILIES.keys())))
        raise _failure(f"the known answers in {place} are not those of this release; they differ in {strange}")
    return answers


def _equal(found: Answer, known: Answer) -> bool:
    if isinstance(found, list) and isinstance(known, list):
        return len(found) == len(known) and all(map(_close, found, known))
    return found == known


def _close(found: float, known: float) -> bool:
    return math.isclose(found, known, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _shown(answer: Answer | None) -> str:
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        return f"{len(answer)} numbers that begin {', '.join(f'{number:.6g}' for number in answer[:3])}"
    return str(answer)
