"""How well errors are corrected: blocks of drawn bits as tasks, and the points of a curve that they make."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from qkdpost.bits import Bits
from qkdpost.campaigns.plain_values import Plain, canonical_json
from qkdpost.campaigns.task import Outcome, Task
from qkdpost.checks import numbers, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.reconciliation import reconcile
from qkdpost.statistics.entropy import binary_entropy

__all__ = ["CorrectionPoint", "corrected_block", "correction_curve", "correction_tasks"]


def correction_tasks(
    *,
    error_rates: Sequence[float],
    bits: int = 2**20,
    blocks: int = 8,
    estimate_error: float = 0.0,
    seed: int = 0,
    **options: Any,
) -> Iterator[Task]:
    """Yield tasks that correct blocks of drawn bits, for `correction_curve`.

    Args:
        error_rates: of the drawn errors, each above 0 and below 0.5.
        bits: in a block.
        blocks: at each error rate.
        estimate_error: by what share the estimate that correction is given is off: above in every other block, below
            in the rest.
        seed: of the campaign.
        options: for `qkdpost.reconcile`, as `method="ldpc"`.

    Raises:
        InputError: an argument is out of range. What `reconcile` refuses, the task raises.

    >>> from qkdpost import campaigns
    >>> tasks = campaigns.correction_tasks(error_rates=[0.02, 0.05], bits=2**14, blocks=2, method="cascade")
    >>> len(list(tasks))
    4
    """
    rates = numbers("error_rates", error_rates)
    bits = whole_number("bits", bits, least=1, most=2**30)
    blocks = whole_number("blocks", blocks, least=1, most=2**40)
    estimate_error = real_number("estimate_error", estimate_error, least=0.0, below=1.0)
    for rate in rates:
        real_number("an error rate", rate, above=0.0, below=0.5)
    common = {"bits": bits, "estimate_error": estimate_error, **options}
    return (
        Task(function=corrected_block, arguments=common | {"error_rate": rate, "number": number}, seed=seed)
        for rate, number in itertools.product(rates, range(blocks))
    )


def corrected_block(
    rng: np.random.Generator,
    *,
    bits: int,
    error_rate: float,
    number: int = 0,
    estimate_error: float = 0.0,
    **options: Any,
) -> dict[str, Plain]:
    """Draw a block and its errors, correct it, and return the counts.

    Args:
        rng: what everything is drawn from.
        bits: in the block.
        error_rate: of the errors.
        number: of the block; odd ones get an estimate that is too high.
        estimate_error: by what share.
        options: for `qkdpost.reconcile`.

    Returns:
        `bits`, `errors`, `leakage_bits`, `frames`, `failed_frames` (known to have failed before the fallback),
        `residual_frames` (that differ still), `rounds`.

    >>> import numpy as np
    >>> from qkdpost import campaigns
    >>> campaigns.corrected_block(np.random.default_rng(1), bits=2**14, error_rate=0.02)["residual_frames"]
    0
    """
    reference = Bits.from_bytes(rng.bytes(-(-bits // 8)), bits)
    errors = Bits.from_array(rng.random(bits, dtype=np.float32) < error_rate)
    estimate = min(0.5, error_rate * (1 + estimate_error * (1 if number % 2 else -1)))
    done = reconcile(reference, reference ^ errors, qber=estimate, seed=rng.bytes(32), **options)
    return {
        "bits": bits,
        "errors": errors.weight(),
        "leakage_bits": done.leakage_bits,
        "frames": done.frames,
        "failed_frames": done.failed_frames,
        "residual_frames": done.residual_frames,
        "rounds": done.rounds,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionPoint:
    """What blocks corrected in the same way come to.

    Args:
        arguments: what the blocks have in common.
        error_rate: of the errors that there were.
        blocks: how many.
        frames: in all.
        efficiency: f, disclosed bits over n h(Q), with Q the error rate.
        frame_error_rate: frames that differ in the end, over frames.
        efficiency_with_failures: f_FER = (1 - FER) f + FER / h(Q), which charges such a frame whole (Martinez-Mateo et
            al., arXiv:1407.3257, eq. 5).
        rounds: as `qkdpost.reconciliation.Reconciled.rounds`, mean over blocks.
        processor_seconds: of all blocks, drawing included.

    >>> import qkdpost as qp
    >>> import inspect
    >>> "efficiency" in inspect.signature(qp.campaigns.CorrectionPoint).parameters
    True
    """

    arguments: dict[str, Plain]
    error_rate: float
    blocks: int
    frames: int
    efficiency: float
    frame_error_rate: float
    efficiency_with_failures: float
    rounds: float
    processor_seconds: float


def correction_curve(outcomes: Iterable[Outcome]) -> list[CorrectionPoint]:
    """Return a point for each way of correction and error rate among the outcomes of `correction_tasks`.

    Raises:
        InputError: an outcome is of another task, or failed.

    >>> from qkdpost import campaigns
    >>> tasks = campaigns.correction_tasks(error_rates=[0.02, 0.05], bits=2**16, blocks=1)
    >>> curve = campaigns.correction_curve(campaigns.run(tasks, executor=campaigns.InThisProcess()))
    >>> [point.frames for point in curve], all(1.0 < point.efficiency < 1.2 for point in curve)
    ([1, 1], True)
    """
    sums: dict[str, _Sum] = {}
    for outcome in outcomes:
        if outcome.function_name != f"{__name__}:{corrected_block.__name__}" or outcome.result is None:
            raise InputError(
                f"a curve is made of outcomes of correction_tasks that did not fail; found {outcome.function_name}"
            )
        common = {name: value for name, value in outcome.arguments.items() if name != "number"}
        sums.setdefault(canonical_json(common), _Sum(common)).add(outcome)
    return [total.point() for total in sums.values()]


class _Sum:
    """Counts of blocks that were corrected in the same way."""

    def __init__(self, arguments: dict[str, Plain]) -> None:
        self._arguments = arguments
        self._counts: dict[str, int] = {}
        self._blocks = 0
        self._seconds = 0.0

    def add(self, outcome: Outcome) -> None:
        for name, count in cast("dict[str, int]", outcome.result).items():
            self._counts[name] = self._counts.get(name, 0) + count
        self._blocks += 1
        self._seconds += outcome.processor_seconds

    def point(self) -> CorrectionPoint:
        counts = self._counts
        entropy = binary_entropy(counts["errors"] / counts["bits"])
        efficiency = counts["leakage_bits"] / (counts["bits"] * entropy) if entropy else float("inf")
        failures = counts["residual_frames"] / counts["frames"]
        charged = failures / entropy if entropy else float("inf")
        return CorrectionPoint(
            arguments=self._arguments,
            error_rate=counts["errors"] / counts["bits"],
            blocks=self._blocks,
            frames=counts["frames"],
            efficiency=efficiency,
            frame_error_rate=failures,
            efficiency_with_failures=(1 - failures) * efficiency + (charged if failures else 0.0),
            rounds=counts["rounds"] / self._blocks,
            processor_seconds=self._seconds,
        )
