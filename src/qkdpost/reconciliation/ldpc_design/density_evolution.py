"""Density evolution of a decoder like those that run: quantised min-sum, corrected, over the binary symmetric channel.

Schedule: flooding, which needs about twice the iterations of the layered schedule that runs, to the same threshold as
a rule. Where a check sums hundreds of bits, min-sum believes its first answers too much, and the two come to differ:
flooded, all bits are misled at once and swing to and fro; layer by layer, they are not. There the evolution takes
layers too: the checks answer in so many parts by turns, and a bit's message sums the last answers of each part.
Method: Richardson and Urbanke, IEEE Trans. Inf. Theory 47, 599 (2001), with quantised densities (`node_densities`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkdpost.reconciliation.ldpc.decoders import Arithmetic
from qkdpost.reconciliation.ldpc_design.node_densities import TOP, CheckNodes, Ensemble, VariableNodes, channel_levels
from qkdpost.statistics.entropy import binary_entropy

__all__ = [
    "FINE",
    "TARGET_ERROR",
    "Ensemble",
    "Trace",
    "error_rate_of_efficiency",
    "evolve",
    "trace",
]

TARGET_ERROR = 1e-4
"""Held messages let a few errors live on along columns of degree 2 for ever; frames that are finite get rid of them."""
_RELATIVE_TARGET = 1 / 30
"""And at the lowest error rates so much of what there was."""
_MIN_PROGRESS = 0.9995

Density = NDArray[np.float64]


FINE = Arithmetic(units_per_nat=8, correction=40, max_magnitude=TOP)
"""The finest that densities of 255 levels tell apart: stands for the decoder of 16 bits, and for design."""


def error_rate_of_efficiency(syndrome_fraction: float, efficiency: float) -> float:
    """Return the error rate Q below 1/2 with efficiency * h(Q) = syndrome_fraction, by bisection."""
    low, high = 0.0, 0.5
    for _ in range(60):
        middle = (low + high) / 2
        if efficiency * binary_entropy(middle) < syndrome_fraction:
            low = middle
        else:
            high = middle
    return low


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """How the probability that a message is wrong falls, and how it hangs on the degrees.

    Attributes:
        errors: before the first iteration and after each layer, shape (layers x iterations + 1,).
        slopes: derivative of the entry after each layer by the number of columns of each degree, the messages
            before that layer held fixed, shape (layers x iterations, degrees).
        target: what counts as converged.
        converged: whether it fell below the target.
    """

    errors: NDArray[np.float64]
    slopes: NDArray[np.float64]
    target: float
    converged: bool


def evolve(
    ensemble: Ensemble, error_rate: float, iterations: int, arithmetic: Arithmetic = FINE, *, in_order: bool = False
) -> int | None:
    """Return after how many flooding iterations the decoder converges, or None if it does not within `iterations`.

    Args:
        ensemble: the degrees.
        error_rate: of the binary symmetric channel.
        iterations: the most to try.
        arithmetic: of the decoder.
        in_order: round as often as the decoder does, and the channel's ratio as well; slower, and needed where the
            arithmetic is coarse.
    """
    found = trace(ensemble, error_rate, iterations, arithmetic, in_order=in_order)
    return len(found.errors) - 1 if found.converged else None


def trace(
    ensemble: Ensemble,
    error_rate: float,
    iterations: int,
    arithmetic: Arithmetic = FINE,
    *,
    in_order: bool = False,
    degrees: Sequence[int] = (),
    layers: int = 1,
) -> Trace:
    """Return the course of the evolution, until it converges or comes to a halt; arguments as for `evolve`.

    Args:
        ensemble: the degrees.
        error_rate: of the binary symmetric channel.
        iterations: the most to try.
        arithmetic: of the decoder.
        in_order: round as often as the decoder does.
        degrees: by whose numbers of columns to differentiate; all that the ensemble has, increasing, or none.
        layers: in how many parts the checks answer by turns; 1 is flooding.
    """
    checks = CheckNodes(ensemble, arithmetic, in_order)
    variables = VariableNodes(ensemble, error_rate, channel_levels(error_rate, arithmetic, in_order), degrees)
    messages = variables.channel_messages()
    errors = [_wrong(messages)]
    slopes = []
    target = min(TARGET_ERROR, error_rate * _RELATIVE_TARGET)
    converged = False
    nothing = np.zeros(2 * TOP + 1)
    nothing[TOP] = 1.0
    answers, changes = np.tile(nothing, (layers, 1)), np.zeros((layers, 2 * TOP + 1))
    while len(errors) <= layers * iterations and not converged:
        layer = (len(errors) - 1) % layers
        answers[layer], changes[layer] = checks.pass_on(messages)
        messages, slope = variables.pass_on(answers.mean(axis=0), changes.mean(axis=0))
        errors.append(_wrong(messages))
        slopes.append(slope)
        converged = errors[-1] < target
        late = len(errors) > 8 * layers + 1
        if not converged and late and errors[-1] > errors[-1 - 3 * layers] * _MIN_PROGRESS:
            break
    return Trace(errors=np.array(errors), slopes=np.array(slopes), target=target, converged=converged)


def _wrong(messages: Density) -> float:
    return float(messages[:TOP].sum() + messages[TOP] / 2)
