"""Pictures of what people would rather look at; needs matplotlib, `pip install 'qkdpost[plot]'`.

Each function draws into the axes it is given, or into new ones, and returns them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from qkdpost.checks import described, instance, listed
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.planning import Plan, repeaterless_limit
from qkdpost.security.result import SecretLength
from qkdpost.session.blocks.report import BlockReport

__all__ = ["plot_key_rates", "plot_qber", "plot_terms"]

_Kept = TypeVar("_Kept")


def plot_key_rates(curves: Mapping[str, Sequence[Plan[Any]]], axes: Any = None, *, asymptotic: bool = True) -> Any:
    """Draw secret bits per pulse against distance, with the repeaterless limit.

    Args:
        curves: what `planning.rate_curve` returned, by the name that the legend shall show.
        axes: matplotlib axes to draw into.
        asymptotic: whether to draw, dotted, what each plan would give of endless blocks.

    Raises:
        InputError: no mapping of names to plans, no curve, or an empty one.
        ConfigurationError: matplotlib is not installed.

    >>> import qkdpost as qp
    >>> curve = qp.planning.rate_curve(qp.planning.BBM92Link(), distances_km=[0, 50], pulses=1e9, optimise=False)
    >>> from matplotlib.figure import Figure
    >>> axes = qp.plotting.plot_key_rates({"pairs": curve}, axes=Figure().add_subplot())
    >>> axes.get_yscale()
    'log'
    """
    named = _named_curves(curves)
    axes = _axes(axes)
    distances: set[float] = set()
    for number, (name, plans) in enumerate(named.items()):
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
    fibre = next(iter(named.values()))[0].link.fibre
    limit = [(km, 10 ** (-fibre.loss_db_per_km * km / 10)) for km in sorted(distances) if km > 0]
    axes.plot(*_columns([(km, repeaterless_limit(share)) for km, share in limit]), "k--", label="repeaterless limit")
    axes.set_yscale("log")
    axes.set_xlabel("fibre / km")
    axes.set_ylabel("secret bits per pulse")
    axes.legend()
    return axes


def plot_qber(reports: Sequence[BlockReport], axes: Any = None) -> Any:
    """Draw the error rates of consecutive blocks; blocks without key are marked at the lower edge.

    What was not measured is not drawn: no rate of the test rounds where none was compared, none of the key where this
    side does not know its errors.

    Args:
        reports: in the order in which the blocks ended, as `Distillation.reports`.
        axes: matplotlib axes to draw into.

    Raises:
        InputError: something else than reports.
        ConfigurationError: matplotlib is not installed.

    >>> import qkdpost as qp
    >>> from matplotlib.figure import Figure
    >>> alice, bob = qp.simulation.bb84(pulses=400_000, rng=1)
    >>> result = qp.distill(alice, bob, qp.LinkConfig(protocol=qp.BB84()))
    >>> axes = qp.plotting.plot_qber(result.reports, axes=Figure().add_subplot())
    >>> axes.get_ylabel()
    'QBER / %'
    """
    listed = _all_of("reports", reports, BlockReport, "Give result.reports, or a list of reports")
    axes = _axes(axes)
    tested = [
        (block, 100 * report.test_errors / report.test_bits) for block, report in enumerate(listed) if report.test_bits
    ]
    axes.plot(*_columns(tested), "o-", label="test rounds")
    known = [
        (block, 100 * report.key_errors / report.key_bits)
        for block, report in enumerate(listed)
        if report.key_errors is not None and report.key_bits
    ]
    axes.plot(*_columns(known), "s-", label="key, exact")
    lost = [block for block, report in enumerate(listed) if report.abort_reason is not None]
    # Their height is a place on the paper, not a rate.
    axes.plot(lost, [0.02] * len(lost), "rx", label="no key", transform=axes.get_xaxis_transform())
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
        InputError: it is no `SecretLength`.
        ConfigurationError: matplotlib is not installed.

    >>> import qkdpost as qp
    >>> from matplotlib.figure import Figure
    >>> tally = qp.Tally(key_bits=1_000_000, test_bits=100_000, test_errors=1_000)
    >>> length = qp.security.bb84.secret_length(tally, leakage_bits=90_000, epsilon=1e-10)
    >>> axes = qp.plotting.plot_terms(length, axes=Figure().add_subplot())
    >>> axes.get_ylabel()
    'bits'
    """
    instance("secret", secret, SecretLength, hint="Give report.secret, or what a secret_length returned")
    axes = _axes(axes)
    level = 0.0
    for number, term in enumerate(secret.terms):
        axes.bar(number, term.bits, bottom=level, color="C0" if term.bits > 0 else "C3")
        level += term.bits
        top = max(level, level - term.bits)
        axes.annotate(f"{term.bits:+,.0f}", (number, top), ha="center", va="bottom", fontsize=8)
    axes.bar(len(secret.terms), secret.bits, color="C2")
    axes.annotate(f"{secret.bits:,}", (len(secret.terms), secret.bits), ha="center", va="bottom", fontsize=8)
    names = [*(term.name for term in secret.terms), "secret bits"]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_ylabel("bits")
    axes.margins(y=0.1)  # room for the numbers above the bars
    axes.set_title(", ".join(dict.fromkeys((secret.bound, secret.form, f"{secret.attacks} attacks"))))
    return axes


def _named_curves(curves: Mapping[str, Sequence[Plan[Any]]]) -> dict[str, list[Plan[Any]]]:
    if not isinstance(curves, Mapping):
        raise InputError(
            f"curves must be a mapping of names to curves; found {described(curves)}. Write {{'name': curve}}"
        )
    named = {
        str(name): _all_of(f"the curve {str(name)!r:.40}", plans, Plan, "Give what planning.rate_curve returned")
        for name, plans in curves.items()
    }
    if not named or not all(named.values()):
        raise InputError("at least one curve with at least one plan is needed")
    return named


def _all_of(name: str, values: Iterable[_Kept], kind: type[_Kept], hint: str) -> list[_Kept]:
    entries = listed(name, values, kind.__name__)
    return [instance(f"each of {name}", value, kind, hint=hint) for value in entries]


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [first for first, _ in pairs], [second for _, second in pairs]


def _axes(axes: Any) -> Any:
    if axes is not None:
        if not hasattr(axes, "plot") or not hasattr(axes, "bar"):
            raise InputError(f"axes must be those of matplotlib; found {described(axes)}. Write pyplot.subplots()[1]")
        return axes
    try:
        from matplotlib import pyplot  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        raise ConfigurationError("pictures need matplotlib: pip install 'qkdpost[plot]'") from error
    return pyplot.subplots(layout="constrained")[1]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
