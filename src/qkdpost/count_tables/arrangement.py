"""What the rows of a table of counts are: one for each intensity and basis, or one for each intensity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qkdpost.checks import described, listed, real_number
from qkdpost.count_tables.table import CountTable, label_of
from qkdpost.errors import InputError

__all__ = ["counts_of_bases", "counts_of_intensities"]

Basis = Literal["key", "test"]
_BASES: dict[str, Basis] = {"key": "key", "test": "test", "0.0": "key", "1.0": "test"}
_FALSE_ALARM = 1e-12


@dataclass(slots=True)
class _Level:
    """What is said of one intensity."""

    row: int
    detected: dict[str, int]
    errors: dict[str, int | None]
    probability: float | None = None
    sent: int | None = None


def counts_of_bases(table: CountTable, key_basis: object = None) -> dict[str, int]:
    """Return `key_bits`, `test_bits` and `test_errors` of a table without intensities.

    Raises:
        InputError: another table; the message names line and column.
    """
    columns = table.columns()
    if "intensity" in columns and len({table.word(row, columns["intensity"]) for row in range(len(table.rows))}) > 1:
        raise InputError(f"{table.source} has several intensities: DecoyTally.from_counts takes it")
    level = _levels(table, {name: place for name, place in columns.items() if name != "intensity"}, key_basis)[""]
    errors = level.errors["test"]
    if errors is None:
        raise table.column_missing("test_errors")
    return {"key_bits": level.detected["key"], "test_bits": level.detected["test"], "test_errors": errors}


def counts_of_intensities(
    table: CountTable, intensities: object, probabilities: object, key_basis: object
) -> dict[str, Any]:
    """Return what a `DecoyTally` is made of, the strongest intensity first.

    Raises:
        InputError: another table; the message names line and column.
    """
    columns = table.columns()
    if "intensity" not in columns:
        raise table.column_missing("intensity", hint="Tally.from_counts takes counts without intensities")
    levels = _levels(table, columns, key_basis)
    named = _intensities(table, list(levels), intensities)
    order = sorted(levels, key=lambda label: _upper_end(named[label]), reverse=True)
    chosen = _probabilities(table, levels, order, probabilities)
    result: dict[str, Any] = {
        "intensities": tuple(named[label] for label in order),
        "probabilities": chosen,
        "key_counts": tuple(levels[label].detected["key"] for label in order),
        "test_counts": tuple(levels[label].detected["test"] for label in order),
        "test_errors": tuple(levels[label].errors["test"] for label in order),
    }
    if None in result["test_errors"]:
        raise table.column_missing("test_errors")
    key_errors = tuple(levels[label].errors["key"] for label in order)
    return result if None in key_errors else result | {"key_errors": key_errors}


def _levels(table: CountTable, columns: dict[str, int], key_basis: object) -> dict[str, _Level]:
    return _long(table, columns, key_basis) if "basis" in columns else _wide(table, columns)


def _wide(table: CountTable, columns: dict[str, int]) -> dict[str, _Level]:
    """Read one row for each intensity."""
    for name in ("key_detected", "test_detected", "test_errors"):
        if name not in columns:
            raise table.column_missing(name) if name != "key_detected" else table.column_missing("basis", name)
    levels: dict[str, _Level] = {}
    for row in range(len(table.rows)):
        label = table.word(row, columns["intensity"]) if "intensity" in columns else ""
        if label in levels:
            raise _repeated(table, row, levels[label].row)
        level = levels[label] = _Level(row, {}, {})
        for basis in ("key", "test"):
            _take(table, row, columns, level, basis, f"{basis}_detected", f"{basis}_errors")
        _take_shares(table, row, columns, level)
        detected = sum(level.detected.values())
        if level.sent is not None and detected > level.sent:
            raise table.fault(row, f"{detected} detected must not exceed {level.sent} sent")
    return levels


def _long(table: CountTable, columns: dict[str, int], key_basis: object) -> dict[str, _Level]:
    """Read one row for each intensity and basis."""
    if "detected" not in columns or "errors" not in columns:
        raise table.column_missing("detected" if "detected" not in columns else "errors")
    levels: dict[str, _Level] = {}
    for row in range(len(table.rows)):
        label = table.word(row, columns["intensity"]) if "intensity" in columns else ""
        level = levels.setdefault(label, _Level(row, {}, {}))
        basis = _basis(table, row, columns["basis"], key_basis)
        if basis in level.detected:
            raise _repeated(table, row, level.row)
        before = level.sent
        _take(table, row, columns, level, basis, "detected", "errors")
        _take_shares(table, row, columns, level)
        if "sent" in columns and level.detected[basis] > (level.sent or 0) - (before or 0):
            raise table.fault(row, "detected must not exceed sent")
    for level in levels.values():
        for basis in ("key", "test"):
            if basis not in level.detected:
                raise table.fault(level.row, f"there must be a row of the {basis} basis, too, for this intensity")
    return levels


def _take(
    table: CountTable, row: int, columns: dict[str, int], level: _Level, basis: str, detected: str, errors: str
) -> None:
    level.detected[basis] = table.count(row, columns[detected])
    if errors not in columns or (basis == "key" and table.is_empty(row, columns[errors])):
        level.errors[basis] = None
        return
    level.errors[basis] = found = table.count(row, columns[errors])
    if found > level.detected[basis]:
        raise table.fault(row, f"errors must not exceed detections; found {found} of {level.detected[basis]}")


def _take_shares(table: CountTable, row: int, columns: dict[str, int], level: _Level) -> None:
    if "sent" in columns:
        level.sent = (level.sent or 0) + table.count(row, columns["sent"])
    if "probability" not in columns:
        return
    share = table.real(row, columns["probability"])
    if level.probability not in (None, share):
        raise table.fault(row, f"an intensity has one probability; found {share} and {level.probability}")
    level.probability = share


def _repeated(table: CountTable, row: int, first: int) -> InputError:
    return table.fault(row, f"these counts stand in {table.places[first]} already: add up what belongs to one block")


def _basis(table: CountTable, row: int, column: int, key_basis: object) -> Basis:
    word = table.word(row, column)
    if key_basis is not None:
        return "key" if word == label_of(key_basis) else "test"
    if word not in _BASES:
        raise table.fault(
            row,
            f"basis must be key or test, or 0 or 1; found {word!r:.40}. Say which makes key, as key_basis={word!r:.40}",
        )
    return _BASES[word]


def _intensities(table: CountTable, labels: list[str], intensities: object) -> dict[str, Any]:
    if intensities is None:
        numbers = {label: _as_number(label) for label in labels}
        counted = [set(range(first, first + len(labels))) for first in (0, 1)]
        if None in numbers.values() or set(numbers.values()) in counted:
            raise InputError(
                f"{table.source}: intensities must be mean numbers of photons; found {', '.join(labels)[:80]}. Say "
                f"what they mean, as intensities={{{labels[0]!r:.40}: 0.5, ...}}"
            )
        return numbers
    if not isinstance(intensities, Mapping):
        raise InputError(
            f"intensities must be a mapping of what the table calls them to mean numbers of photons; found "
            f"{described(intensities)}"
        )
    named = {label_of(name): value for name, value in intensities.items()}
    if set(named) != set(labels):
        raise InputError(
            f"{table.source} has the intensities {', '.join(labels)[:80]}; intensities= names {', '.join(named)[:80]}"
        )
    return named


def _probabilities(
    table: CountTable, levels: dict[str, _Level], order: list[str], probabilities: object
) -> tuple[float, ...]:
    sent = [levels[label].sent for label in order]
    if probabilities is None:
        found = [levels[label].probability for label in order]
        if None in found:
            total = sum(count or 0 for count in sent)
            shares = f"; the shares sent are {[round((count or 0) / total, 6) for count in sent]}" if total else ""
            raise InputError(
                f"{table.source} must have a column probability, or give probabilities=, with which each intensity is "
                f"chosen, the strongest first{shares}"
            )
        chosen = tuple(share for share in found if share is not None)
    elif isinstance(probabilities, Mapping):
        named = {label_of(name): value for name, value in probabilities.items()}
        if set(named) != set(order):
            raise InputError(f"probabilities must name each of {', '.join(order)[:80]}; found {', '.join(named)[:80]}")
        chosen = tuple(real_number(f"probabilities[{label!r:.40}]", named[label]) for label in order)
    else:
        entries = listed("probabilities", probabilities, "numbers")
        if len(entries) != len(order):
            raise InputError(f"probabilities must be one for each of {len(order)} intensities; found {len(entries)}")
        chosen = tuple(real_number(f"probabilities[{place}]", value) for place, value in enumerate(entries))
    _check_shares(table, order, chosen, sent)
    return chosen


def _check_shares(table: CountTable, order: list[str], chosen: tuple[float, ...], sent: list[int | None]) -> None:
    """Refuse probabilities that what was sent contradicts; by Hoeffding, wrongly once in 10^12 tables."""
    total = sum(count or 0 for count in sent)
    if not total or None in sent:
        return
    tolerance = math.sqrt(math.log(2.0 * len(order) / _FALSE_ALARM) / (2.0 * total))
    for label, share, count in zip(order, chosen, sent, strict=True):
        if abs((count or 0) / total - share) > tolerance:
            raise InputError(
                f"{table.source}: intensity {label} was chosen for {(count or 0) / total:.6f} of the pulses sent; its "
                f"probability is {share:g}. Are the columns exchanged?"
            )


def _as_number(label: str) -> float | None:
    try:
        return float(label)
    except ValueError:
        return None


def _upper_end(intensity: object) -> float:
    ends = listed("intensities", intensity, "numbers") if isinstance(intensity, Sequence) else [intensity]
    return max((real_number("intensities", end) for end in ends), default=0.0)
