"""Planning as a campaign: many links, block sizes and budgets."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from qkdpost.campaigns.plain_values import Plain, plain_value
from qkdpost.campaigns.task import Task
from qkdpost.checks import flag, whole_numbers
from qkdpost.planning import PlannedLink, expected_length, optimise

__all__ = ["planned_link", "planning_tasks"]


def planning_tasks(
    links: Iterable[PlannedLink],
    *,
    pulses: Sequence[int],
    epsilon: float = 1e-10,
    optimised: bool = True,
    **options: Any,
) -> Iterator[Task]:
    """Yield a task for each link and block size: the longest key that it is expected to give.

    Args:
        links: of `qkdpost.planning`; for a sweep of distances `dataclasses.replace(link, fibre=...)`.
        pulses: the sizes of blocks.
        epsilon: the security parameter.
        optimised: search for the best choices of each link; otherwise take it as it is.
        options: for the kind's bound, as in `planning.optimise`.

    >>> import qkdpost as qp
    >>> links = [qp.planning.BBM92Link(), qp.planning.DecoyBB84Link()]
    >>> len(list(qp.campaigns.planning_tasks(links, pulses=[10**8, 10**9])))
    4
    """
    common = {"epsilon": epsilon, "optimised": flag("optimised", optimised), **options}
    sizes = whole_numbers("pulses", pulses, least=1)
    return (
        Task(function=planned_link, arguments=common | {"link": link, "pulses": size})
        for link, size in itertools.product(links, sizes)
    )


def planned_link(
    rng: np.random.Generator, *, link: PlannedLink, pulses: int, epsilon: float, optimised: bool, **options: Any
) -> dict[str, Plain]:
    """Plan one link; nothing is drawn.

    Returns:
        `bits`, `bits_per_pulse`, `bits_per_second`, and `choices`: the link with the best of its parameters.

    >>> import numpy as np, qkdpost as qp
    >>> link = qp.planning.DecoyBB84Link()
    >>> found = qp.campaigns.planned_link(
    ...     np.random.default_rng(), link=link, pulses=10**9, epsilon=1e-10, optimised=False
    ... )
    >>> found["bits"] > 0
    True
    """
    if optimised:
        plan = optimise(link, pulses=pulses, epsilon=epsilon, **options)
        link, bits = plan.link, plan.result.bits
    else:
        bits = expected_length(link, pulses=pulses, epsilon=epsilon, **options).bits
    return {
        "bits": bits,
        "bits_per_pulse": bits / pulses,
        "bits_per_second": bits / pulses * link.pulse_rate_hz,
        "choices": plain_value("choices", link),
    }
