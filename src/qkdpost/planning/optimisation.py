"""The best choices for a link, and how long it must run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from qkdpost.checks import flag, numbers, real_number, whole_number
from qkdpost.config import LinkConfig
from qkdpost.display import html_table
from qkdpost.errors import ConfigurationError, QkdpostError
from qkdpost.health.limits import RecordLimits
from qkdpost.planning.decoy_link import DecoyBB84Link
from qkdpost.planning.links import check_link, expected_length
from qkdpost.planning.planned_link import PlannedLink, check_pulses
from qkdpost.progress import Progress, telling
from qkdpost.reconciliation.settings import CorrectionSettings
from qkdpost.records import RawRecord
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength
from qkdpost.simulation.draws import RandomDraws

__all__ = ["Plan", "optimise", "rate_curve", "repeaterless_limit", "time_to_collect"]

_Link = TypeVar("_Link", bound=PlannedLink)
_Planned_co = TypeVar("_Planned_co", bound=PlannedLink, covariant=True)

_STARTS = 2
"""How many choices of the coarse grid are searched from."""
_MAX_PULSE_RATIO = 4.0**10
"""No link is planned to send this many times the pulses: the search for how many would be needed ends here."""
_LOGARITHM_OF_PULSES = 0.002
"""How near to the shortest block a search ends, as a difference of decimal logarithms: half a per cent."""
_HOPELESS = math.log(100.0)
"""A search hardly saves a factor of ten in pulses; it is not begun where the best start needs a hundred times more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[_Planned_co]):
    """A link with its choices made, and what it is expected to give.

    Args:
        link: with the choices.
        pulses: in a block.
        result: the secret length of a block, with all terms.

    >>> import qkdpost as qp
    >>> plan = qp.planning.optimise(qp.planning.BBM92Link(fibre_km=20), pulses=1e9, max_evaluations=30)
    >>> plan.seconds, plan.bits_per_pulse > 1e-4
    (1.0, True)
    """

    link: _Planned_co
    pulses: int
    result: SecretLength

    @property
    def seconds(self) -> float:
        """How long a block takes."""
        return self.pulses / self.link.pulse_rate_hz

    @property
    def bits_per_pulse(self) -> float:
        """Secret bits per pulse sent."""
        return self.result.bits / self.pulses

    @property
    def bits_per_second(self) -> float:
        """Secret bits per second of sending."""
        return self.result.bits / self.seconds

    def link_config(
        self,
        *,
        epsilon: float | None = None,
        correction: CorrectionSettings | None = None,
        record_limits: RecordLimits | None = None,
    ) -> LinkConfig:
        """Return the configuration for both hosts: the plan's choices, in blocks of its size.

        Args:
            epsilon: the security parameter of a block; None: what was planned with.
            correction: how errors are corrected; None: as the link says, or the kind's default.
            record_limits: what hosts tolerate in their own records; None: the default.

        Raises:
            ConfigurationError: a number out of range, or parts that contradict each other.

        >>> import qkdpost as qp
        >>> plan = qp.planning.optimise(qp.planning.DecoyBB84Link(fibre_km=20), pulses=1e9, max_evaluations=3)
        >>> link = plan.link_config()
        >>> link.protocol.intensities == plan.link.source.intensities, link.security.epsilon
        (True, 1e-10)
        """
        return self.link.link_config(
            pulses=self.pulses,
            epsilon=_total(self.result.epsilon.budget) if epsilon is None else epsilon,
            correction=correction,
            record_limits=record_limits,
        )

    def simulate(self, *, rng: RandomDraws, progress: bool | Progress = False) -> tuple[RawRecord, RawRecord]:
        """Draw what both sides record of a block, as `PlannedLink.simulate` does."""
        return self.link.simulate(pulses=self.pulses, rng=rng, progress=progress)

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("link", repr(self.link)),
            ("pulses in a block", f"{self.pulses:,}"),
            ("a block takes", f"{self.seconds:,.6g} s"),
            ("secret bits of a block", f"{self.result.bits:,}"),
            ("secret bits per pulse", f"{self.bits_per_pulse:.4g}"),
            ("secret bits per second", f"{self.bits_per_second:,.6g}"),
        ]

    def __str__(self) -> str:
        return "\n".join([*(f"{name}: {value}" for name, value in self._rows()), str(self.result)])

    def __repr__(self) -> str:
        length_km = self.link.fibre.length_km
        return f"Plan(link={type(self.link).__name__}, {length_km=}, pulses={self.pulses}, bits={self.result.bits})"

    def _repr_html_(self) -> str:
        return html_table("Plan", self._rows(), more=str(self.result))


def optimise(
    link: _Link,
    *,
    pulses: float,
    epsilon: Epsilon | float = 1e-10,
    efficiency: float | None = None,
    max_evaluations: int = 450,
    progress: bool | Progress = False,
    **options: Any,
) -> Plan[_Link]:
    """Return the link with the choices that give the longest expected key; deterministic.

    Nelder and Mead's search over the link's free parameters. A coarse grid of choices is judged first; short searches
    start at the best of these and at the link's own, a long one where the best of them ended, and a last one there
    with small steps. What is searched is the sum of the bound's terms; where no key is left, how many times more
    pulses would be needed for some, which leads downhill to key even where nothing is certified at first. Decoy bounds
    are searched with the analytic method where there is one; the answer is by the method asked for.

    Args:
        link: devices, and choices to start from.
        pulses: in a block.
        epsilon: the budget, or a total.
        efficiency: f of error correction, as in `expected_length`.
        max_evaluations: how many choices the long search may judge; each of the others a third of that.
        progress: True to draw how many choices were judged, or a function that is told, as `Progress`.
        options: for the kind's `secret_length`, in the search and in the answer.

    Raises:
        InputError: pulses, efficiency or evaluations out of range.
        ConfigurationError: options that the bound does not take.

    >>> import qkdpost as qp
    >>> link = qp.planning.BBM92Link(fibre_km=20)
    >>> plan = qp.planning.optimise(link, pulses=1e9, max_evaluations=30)
    >>> plan.result.bits > qp.planning.expected_length(link, pulses=1e9).bits
    True
    """
    budget, link, pulses = Epsilon.coerce(epsilon), check_link(link), check_pulses("pulses", pulses)
    max_evaluations = whole_number("max_evaluations", max_evaluations, least=3)

    def judge(at: PlannedLink, times: float = 1.0, **settings: Any) -> SecretLength:
        return expected_length(at, pulses=round(pulses * times), epsilon=budget, efficiency=efficiency, **settings)

    found = judge(link, **options)  # what is wrong with the arguments is raised here, not swallowed below
    settings = dict(options)
    if isinstance(link, DecoyBB84Link) and options.get("bound", "variable-length") == "variable-length":
        settings["method"] = "analytic"
    ratio = min(_MAX_PULSE_RATIO, link.max_pulses / pulses)
    with telling(progress) as tell:
        search: _Search[_Link] = _Search(lambda at, times: _sum(judge(at, times, **settings)), ratio, tell)
        best = search.best(link, max_evaluations)
    result = judge(best, **options)
    if _sum(result) <= _sum(found):
        best, result = link, found
    return Plan(link=best, pulses=pulses, result=result)


def rate_curve(
    link: _Link,
    *,
    distances_km: Sequence[float],
    pulses: float,
    optimise: bool = True,
    progress: bool | Progress = False,
    **settings: Any,
) -> list[Plan[_Link]]:
    """Return the optimised plan at each distance, each search started where the one before ended.

    Args:
        link: devices, and choices to start from.
        distances_km: in the order in which they are to be done.
        pulses: in a block.
        optimise: False for the link's own choices at every distance.
        progress: True to draw how many distances are done, or a function that is told, as `Progress`.
        settings: for the function `optimise`; without it, for `expected_length`.

    Raises:
        InputError: distances that are no list of lengths, or as `optimise`.

    >>> import qkdpost as qp
    >>> curve = qp.planning.rate_curve(
    ...     qp.planning.DecoyBB84Link(), distances_km=[0, 50, 400], pulses=1e10, optimise=False
    ... )
    >>> [plan.bits_per_pulse > 0 for plan in curve]
    [True, True, False]
    """
    plans: list[Plan[_Link]] = []
    start = check_link(link)
    judged = _optimised if flag("optimise", optimise) else _unchanged
    distances = numbers("distances_km", distances_km, least=0.0)
    with telling(progress) as tell:
        for distance in distances:
            plan = judged(start.over(distance), pulses, settings)
            plans.append(plan)
            if plan.result.bits:
                start = plan.link
            said = f"{distance:g} km gives {plan.bits_per_pulse:.3g} bits per pulse; distances"
            tell(said, len(plans), len(distances))
    return plans


def _optimised(link: _Link, pulses: float, settings: Mapping[str, Any]) -> Plan[_Link]:
    return optimise(link, pulses=pulses, **settings)


def _unchanged(link: _Link, pulses: float, settings: Mapping[str, Any]) -> Plan[_Link]:
    return Plan(
        link=link, pulses=check_pulses("pulses", pulses), result=expected_length(link, pulses=pulses, **settings)
    )


def time_to_collect(
    link: _Link, *, secret_bits: float, max_pulses: float = 1e15, progress: bool | Progress = False, **settings: Any
) -> Plan[_Link]:
    """Return the plan of the shortest block that is expected to give `secret_bits`; its `seconds` answer how long.

    Args:
        link: devices, and choices to start from.
        secret_bits: how many bits one block is to give.
        max_pulses: the largest block that is considered.
        progress: True to draw how many sizes of block were tried, or a function that is told, as `Progress`.
        settings: for `optimise`.

    Raises:
        InputError: a number of bits or pulses out of range.
        ConfigurationError: even `max_pulses` give fewer.

    >>> import qkdpost as qp
    >>> plan = qp.planning.time_to_collect(
    ...     qp.planning.BBM92Link(fibre_km=10), secret_bits=10_000, max_pulses=1e10, max_evaluations=3
    ... )
    >>> plan.result.bits >= 10_000, plan.seconds < 1.0
    (True, True)
    """
    wanted = check_pulses("secret_bits", secret_bits)
    link = check_link(link)
    most = min(check_pulses("max_pulses", max_pulses), link.max_pulses)
    low, high = 3.0, math.log10(most)
    plan = optimise(link, pulses=most, **settings)
    if plan.result.bits < wanted:
        raise ConfigurationError(
            f"{most:.3g} pulses are expected to give {plan.result.bits} bits, where {wanted} were "
            "wanted: ask for fewer bits, raise max_pulses, or improve the link"
        )
    steps = max(0, math.ceil(math.log2((high - low) / _LOGARITHM_OF_PULSES))) if high > low else 0
    with telling(progress) as tell:
        for step in range(steps):
            middle = 0.5 * (low + high)
            trial = optimise(link, pulses=round(10**middle), **settings)
            if trial.result.bits >= wanted:
                plan, high = trial, middle
            else:
                low = middle
            tell(f"{trial.pulses:.3g} pulses give {trial.result.bits} bits; sizes of block", step + 1, steps)
    return plan


def repeaterless_limit(transmittance: float) -> float:
    """Return -log2(1 - transmittance), the most secret bits per pulse and mode without a repeater.

    Pirandola, Laurenza, Ottaviani and Banchi, Nature Communications 8, 15043 (2017).

    Raises:
        InputError: a transmittance outside 0 ... 1.

    >>> import qkdpost as qp
    >>> round(qp.planning.repeaterless_limit(0.5), 3)
    1.0
    """
    transmittance = real_number("transmittance", transmittance, least=0.0, below=1.0)
    return -math.log1p(-transmittance) / math.log(2.0)


def _total(budget: Epsilon) -> float:
    """Return the number that a budget was split from, which its parts may miss in the last digit."""
    written = float(f"{budget.total:.12g}")
    return written if Epsilon.split(written) == budget else budget.total


def _sum(result: SecretLength) -> float:
    return math.fsum(term.bits for term in result.terms)


class _Search(Generic[_Link]):
    """A search for the best choices of a link."""

    def __init__(self, bits: Callable[[_Link, float], float], max_ratio: float, tell: Progress) -> None:
        """Search by `bits`, which returns the length, not clipped at zero, of a link with a multiple of the pulses."""
        self._bits = bits
        self._max_pulse_ratio = max_ratio
        self._tell = tell
        self._count = 0

    def best(self, link: _Link, max_evaluations: int) -> _Link:
        """Return the best choices that are found."""
        starts: list[_Link] = sorted(link.starting_points(), key=self._score, reverse=True)
        ends: list[_Link] = [link, *starts[:_STARTS]]
        if max(map(self._score, ends)) < -_HOPELESS:
            return link
        for number, start in enumerate(ends):
            ends[number] = self._searched(start, max_evaluations // 3, 0.4)
        end = max(ends, key=self._score)
        for most, reach in ((max_evaluations, 0.3), (max_evaluations // 3, 0.1)):
            end = self._searched(end, most, reach)
        return end

    def _score(self, link: _Link) -> float:
        """Return the length, or less the logarithm of how many times the pulses are needed; worst where none would do.

        More pulses give more key: the least number is searched by doubling and halving.
        """
        try:
            bits = self._bits(link, 1.0)
            if bits > 0.0:
                return bits
            low, high = 1.0, 4.0
            while self._bits(link, min(high, self._max_pulse_ratio)) <= 0.0:
                if high >= self._max_pulse_ratio:
                    return -math.log(self._max_pulse_ratio) - 1.0
                low, high = high, 4.0 * high
            for _ in range(6):
                middle = math.sqrt(low * high)
                low, high = (low, middle) if self._bits(link, middle) > 0.0 else (middle, high)
            return -math.log(high)
        except QkdpostError:
            return -math.inf  # choices that no device or bound allows

    def _searched(self, link: _Link, max_evaluations: int, reach: float) -> _Link:
        """Return the link with its parameters at the end of a search whose first steps are `reach` wide."""
        start = link.free_parameters()
        scale = max(1.0, abs(self._score(link)))

        def cost(values: NDArray[np.float64]) -> float:
            self._count += 1
            score = self._score(link.with_free_parameters(values.tolist()))
            said = f"{score:.6g} bits" if score > 0.0 else f"no key, {math.exp(-score):.3g} times the pulses needed"
            self._tell(f"{said}; choices judged", self._count, None)
            return max(-score / scale, -1e9) if score > -math.inf else 1e9

        simplex = [list(start)]
        for index in range(len(start)):
            moved = list(start)
            moved[index] += reach
            simplex.append(moved)
        options: Any = {"maxfev": max_evaluations, "xatol": 1e-3, "fatol": 1e-6, "initial_simplex": simplex}
        answer = optimize.minimize(cost, np.array(start), method="Nelder-Mead", options=options)
        return link.with_free_parameters(answer.x.tolist())
