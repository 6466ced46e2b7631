"""Pictures of what people would rather look at; needs matplotlib, `pip install 'qkdpost[plot]'`.

Each function draws into the axes it is given, or into new ones, and returns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qkdpost.errors import ConfigurationError, InputError
from qkdpost.planning import Plan, repeaterless_limit
from qkdpost.security.result import SecretLength
from qkdpost.session.report import BlockReport

__all__ = ["plot_key_rates", "plot_qber", "plot_terms"]


def plot_key_rates(curves: Mapping[str, Sequence[Plan]], axes: Any = None, *, asymptotic: bool = True) -> Any:
    """Draw secret bits per pulse against distance, with the repeaterless limit.

    Args:
        curves: what `planning.rate_curve` returned, by the name that the legend shall show.
        axes: matplotlib axes to draw into.
        asymptotic: whether to draw, dotted, what each plan would give of endless blocks.

    Raises:
        InputError: no curve, or an empty one.
        ConfigurationError: matplotlib is not installed.
    """
    if not curves or not all(curves.values()):
        raise InputError("at least one curve with at least one plan is needed")
    axes = axes if axes is not None else _new_axes()
    distances: set[float] = set()
    for number, (name, plans) in enumerate(curves.items()):
        places = [plan.link.fibre.length_km for plan in plans]
        distances |= set(places)
        with_key = [(place, plan.bits_per_pulse) for place, plan in zip(places, plans, strict=True) if plan.result.bits]
        axes.plot(*_columns(with_key), color=f"C{number}", label=name)
        if asymptotic:
            endless = [
                (place, plan.result.asymptotic_bits / plan.pulses)
                for place, plan in zip(places, plans, strict=True)
                if plan.result.bits
            ]
            axes.plot(*_columns(endless), color=f"C{number}", linestyle=":", linewidth=1)
    fibre = next(iter(curves.values()))[0].link.fibre
    limit = [(km, 10 ** (-fibre.loss_db_per_km * km / 10)) for km in sorted(distances) if km > 0]
    axes.plot(*_columns([(km, repeaterless_limit(share)) for km, share in limit]), "k--", label="repeaterless limit")
    axes.set_yscale("log")
    axes.set_xlabel("fibre / km")
    axes.set_ylabel("secret bits per pulse")
    axes.legend()
    return axes


def plot_qber(reports: Sequence[BlockReport], axes: Any = None) -> Any:
    """Draw the error rates of consecutive blocks; blocks without key are marked.

    Args:
        reports: in the order in which the blocks ended.
        axes: matplotlib axes to draw into.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    axes = axes if axes is not None else _new_axes()
    blocks = list(range(len(reports)))
    axes.plot(blocks, [100 * report.qber_test for report in reports], "o-", label="test rounds")
    known = [(block, 100 * report.qber_key) for block, report in zip(blocks, reports, strict=True) if report.key_errors]
    axes.plot(*_columns(known), "s-", label="key, exact")
    lost = [block for block, report in zip(blocks, reports, strict=True) if report.abort_reason is not None]
    axes.plot(lost, [0.0] * len(lost), "rx", label="no key")
    axes.set_xlabel("block")
    axes.set_ylabel("QBER / %")
    axes.legend()
    return axes


def plot_terms(secret: SecretLength, axes: Any = None) -> Any:
    """Draw the terms of one bound as a waterfall, from what was certified down to what is left.

    Args:
        secret: what a bound returned.
        axes: matplotlib axes to draw into.

    Raises:
        ConfigurationError: matplotlib is not installed.
    """
    axes = axes if axes is not None else _new_axes()
    level = 0.0
    for number, term in enumerate(secret.terms):
        axes.bar(number, term.bits, bottom=level, color="C0" if term.bits > 0 else "C3")
        level += term.bits
        axes.annotate(f"{term.bits:+,.0f}", (number, level), ha="center", va="bottom", fontsize=8)
    axes.bar(len(secret.terms), secret.bits, color="C2")
    axes.annotate(f"{secret.bits:,}", (len(secret.terms), secret.bits), ha="center", va="bottom", fontsize=8)
    names = [*(term.name for term in secret.terms), "secret bits"]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_ylabel("bits")
    axes.set_title(f"{secret.bound}, {secret.form}, {secret.attacks} attacks")
    return axes


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def _new_axes() -> Any:
    try:
        from matplotlib import pyplot  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigurationError("pictures need matplotlib: pip install 'qkdpost[plot]'") from error
    return pyplot.subplots(layout="constrained")[1]
