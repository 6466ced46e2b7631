"""The best choices for a link, and how long it must run."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from qkdpost.errors import ConfigurationError, InputError, QkdpostError
from qkdpost.planning.links import AnyLink, DecoyBB84Link, expected_length
from qkdpost.security.epsilon import Epsilon
from qkdpost.security.result import SecretLength

__all__ = ["Plan", "optimise", "rate_curve", "repeaterless_limit", "time_to_collect"]

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A link with its choices made, and what it is expected to give.

    Args:
        link: with the choices.
        pulses: in a block.
        result: the secret length of a block, with all terms.
    """

    link: AnyLink
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


def optimise(
    link: AnyLink,
    *,
    pulses: int,
    epsilon: Epsilon | float = 1e-10,
    efficiency: float = 1.1,
    most_evaluations: int = 450,
    progress: Progress | None = None,
    **options: Any,
) -> Plan:
    """Return the link with the choices that give the longest expected key; deterministic.

    Nelder and Mead's search over the link's free parameters, started at its own or at the best point of a coarse
    grid, on the sum of the bound's terms or, where no key is left, on the share of the costs that is earned. Decoy
    bounds are searched with the analytic method, first with Hoeffding's intervals and from there with those asked
    for; the answer is by the method asked for.

    Args:
        link: devices, and choices to start from.
        pulses: in a block.
        epsilon: the budget, or a total.
        efficiency: f of error correction.
        most_evaluations: of the bound in the first search; a second one takes a third of that.
        progress: called with a line of text now and then.
        options: for the kind's `secret_length`, in the search and in the answer.

    Raises:
        InputError: pulses or efficiency that cannot be.
        ConfigurationError: options that the bound does not take.
    """
    budget = Epsilon.coerce(epsilon)

    def judged_by(settings: dict[str, Any]) -> Callable[[AnyLink], SecretLength]:
        return lambda at: expected_length(at, pulses=pulses, epsilon=budget, efficiency=efficiency, **settings)

    found = judged_by(options)(link)  # what is wrong with the arguments is raised here, not swallowed below
    stages = [options]
    if isinstance(link, DecoyBB84Link) and options.get("bound", "variable-length") == "variable-length":
        stages = [options | {"method": "analytic", "intervals": "hoeffding"}, options | {"method": "analytic"}]
    best = link
    for number, settings in enumerate(stages):
        judge = judged_by(settings)
        keyless = judge(best).bits == 0
        if number == 0 or keyless:
            best = max((best, link, *link.starting_points()), key=lambda choice: _score(judge(choice)))
        few = number > 0 and not keyless
        best = _searched(best, judge, most_evaluations // (3 if few else 1), 0.1 if few else 0.4, progress)
    result = judged_by(options)(best)
    if _score(result) < _score(found):
        best, result = link, found
    return Plan(link=best, pulses=pulses, result=result)


def rate_curve(
    link: AnyLink,
    *,
    distances_km: Sequence[float],
    pulses: int,
    progress: Progress | None = None,
    **settings: Any,
) -> list[Plan]:
    """Return the optimised plan at each distance, each search started where the one before ended.

    Args:
        link: devices, and choices to start from.
        distances_km: in the order in which they are to be done.
        pulses: in a block.
        progress: called with a line of text for each distance.
        settings: for `optimise`.
    """
    plans: list[Plan] = []
    start = link
    for distance in distances_km:
        there = replace(start, fibre=replace(link.fibre, length_km=distance))
        plan = optimise(there, pulses=pulses, **settings)
        plans.append(plan)
        if plan.result.bits:
            start = plan.link
        if progress is not None:
            progress(f"{distance:g} km: {plan.bits_per_pulse:.3g} bits per pulse")
    return plans


def time_to_collect(
    link: AnyLink, *, secret_bits: int, most_pulses: int = 10**15, progress: Progress | None = None, **settings: Any
) -> Plan:
    """Return the plan of the shortest block that is expected to give `secret_bits`; its `seconds` answer how long.

    Args:
        link: devices, and choices to start from.
        secret_bits: what is wanted of one block.
        most_pulses: where to give up.
        progress: called with a line of text now and then.
        settings: for `optimise`.

    Raises:
        InputError: no such number of bits.
        ConfigurationError: not even `most_pulses` give so many.
    """
    if secret_bits < 1:
        raise InputError(f"at least one bit must be wanted; found {secret_bits}")
    low, high = 3.0, math.log10(most_pulses)
    plan = optimise(link, pulses=most_pulses, **settings)
    if plan.result.bits < secret_bits:
        raise ConfigurationError(
            f"{most_pulses:.3g} pulses are expected to give {plan.result.bits} bits; {secret_bits} were wanted"
        )
    while high - low > 0.002:
        middle = 0.5 * (low + high)
        trial = optimise(link, pulses=round(10**middle), **settings)
        if trial.result.bits >= secret_bits:
            plan, high = trial, middle
        else:
            low = middle
        if progress is not None:
            progress(f"{trial.pulses:.3g} pulses: {trial.result.bits} bits")
    return plan


def repeaterless_limit(transmittance: float) -> float:
    """Return -log2(1 - transmittance), the most secret bits per pulse and mode without a repeater.

    Pirandola, Laurenza, Ottaviani and Banchi, Nature Communications 8, 15043 (2017).

    Raises:
        InputError: a transmittance outside 0 ... 1.
    """
    if not 0.0 <= transmittance < 1.0:
        raise InputError(f"a transmittance lies in 0 ... 1, 1 not included; found {transmittance}")
    return -math.log1p(-transmittance) / math.log(2.0)


def _score(result: SecretLength) -> float:
    """Return the sum of the terms if it is positive, else what share of the costs is earned, less one.

    Where there is no key, the sum itself would reward making less of everything.
    """
    total = math.fsum(term.bits for term in result.terms)
    if total > 0.0:
        return total
    earned = math.fsum(term.bits for term in result.terms if term.bits > 0.0 or term.name == "phase errors")
    return earned / (earned - total) - 1.0


def _searched(
    link: AnyLink,
    evaluate: Callable[[AnyLink], SecretLength],
    most_evaluations: int,
    reach: float,
    progress: Progress | None,
) -> AnyLink:
    """Return the link with its parameters at the end of a search whose first steps are `reach` wide."""
    start = link.free_parameters()
    scale = max(1.0, abs(_score(evaluate(link))))
    count = 0

    def cost(values: NDArray[np.float64]) -> float:
        nonlocal count
        count += 1
        try:
            score = _score(evaluate(link.with_free_parameters(values.tolist())))
        except QkdpostError:
            return 1e9  # choices that no device or bound allows
        if progress is not None and count % 100 == 0:
            progress(f"{count} evaluations, {score:.6g} bits")
        return -score / scale

    simplex = [list(start)]
    for index in range(len(start)):
        moved = list(start)
        moved[index] += reach
        simplex.append(moved)
    options: Any = {"maxfev": most_evaluations, "xatol": 1e-3, "fatol": 1e-6, "initial_simplex": simplex}
    answer = optimize.minimize(cost, np.array(start), method="Nelder-Mead", options=options)
    return link.with_free_parameters(answer.x.tolist())
