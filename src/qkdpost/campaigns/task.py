"""One piece of a campaign: a function, its arguments and a seed; and what came of it."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from qkdpost.campaigns.plain_values import Plain, canonical_json, digest_of, module_name, plain_value
from qkdpost.checks import described, whole_number
from qkdpost.errors import InputError

__all__ = ["Outcome", "Task", "perform"]

Work = Callable[..., Mapping[str, Any]]
"""What a task calls: `function(rng, **arguments)`, which returns a mapping of plain values."""

MAX_SEED = 2**128 - 1


@dataclass(frozen=True, kw_only=True)
class Task:
    """A piece of work that any process may do, and that gives the same in each.

    Args:
        function: a function of a module, called as `function(rng, **arguments)` with a `numpy.random.Generator` of this
            task's own; it returns a mapping of plain values (what JSON can say). Never return bits of a key: outcomes
            are written to files.
        arguments: by name: numbers, text, lists, mappings, paths, and settings objects such as a `LinkConfig`. Data
            are named by the path of their file, which every worker must be able to read.
        seed: of the campaign. A task's generator follows from it, the function's name and the arguments, and from
            nothing else: neither the order of tasks nor the executor matters.

    Raises:
        InputError: the function is no function of a module, or an argument has no plain form.

    >>> from qkdpost import campaigns
    >>> task = campaigns.Task(function=campaigns.corrected_block, arguments={"bits": 4096, "error_rate": 0.02}, seed=1)
    >>> task.identity == campaigns.Task(function=task.function, arguments=dict(task.arguments), seed=1).identity
    True
    """

    function: Work
    arguments: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        _check_function(self.function)
        object.__setattr__(self, "seed", whole_number("seed", self.seed, least=0, most=MAX_SEED))
        if not isinstance(self.arguments, Mapping):
            raise InputError(f"arguments must be a mapping of names to values; found {described(self.arguments)}")
        object.__setattr__(self, "arguments", dict(self.arguments))
        _ = self.plain_arguments

    @property
    def function_name(self) -> str:
        """The function as "module:name"; of a script's own functions the module is the name of its file."""
        return f"{module_name(self.function.__module__)}:{self.function.__qualname__}"

    @cached_property
    def plain_arguments(self) -> dict[str, Plain]:
        """The arguments as JSON can say them."""
        return {name: plain_value(name, value) for name, value in self.arguments.items()}

    @cached_property
    def identity(self) -> str:
        """32 hexadecimal digits by which a results file knows this task."""
        return digest_of(self._description, purpose=b"qkdpost-task").hex()

    @property
    def _description(self) -> str:
        return canonical_json({"arguments": self.plain_arguments, "function": self.function_name, "seed": self.seed})

    def generator(self) -> np.random.Generator:
        """Return this task's own generator of random numbers, at its beginning."""
        entropy = digest_of(self._description, purpose=b"qkdpost-seed", count=32)
        return np.random.default_rng(int.from_bytes(entropy, "little"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a task.

    Args:
        identity: of the task.
        function_name: as "module:name".
        arguments: in plain form.
        seed: of the campaign.
        result: what the function returned, in plain form; None where it failed.
        error: why it failed, where it did and failures are recorded.
        processor_seconds: what it took, of processor time; not compared, since it is never the same twice.

    >>> import qkdpost as qp
    >>> outcome = qp.campaigns.Outcome(identity="1f", function_name="f", arguments={"n": 1}, seed=1, result={"bits": 7})
    >>> outcome.result["bits"]
    7
    """

    identity: str
    function_name: str
    arguments: dict[str, Plain]
    seed: int
    result: dict[str, Plain] | None
    error: str | None = None
    processor_seconds: float = field(compare=False, default=0.0)

    def row(self) -> dict[str, Plain]:
        """Return arguments and result as one flat mapping, as a row of a table.

        `pandas.DataFrame(outcome.row() for outcome in campaigns.read(path))` is the table. Nested names are joined by
        dots; a name of the result that an argument has too is preceded by "result.".
        """
        arguments = dict(_flat("", self.arguments))
        result = dict(_flat("", self.result or {}))
        apart = {f"result.{name}" if name in arguments else name: value for name, value in result.items()}
        return arguments | apart | ({} if self.error is None else {"error": self.error})


def _flat(path: str, value: Plain) -> list[tuple[str, Plain]]:
    if isinstance(value, dict):
        return [pair for name, entry in value.items() for pair in _flat(f"{path}.{name}" if path else name, entry)]
    return [(path, value)]


def perform(task: Task) -> Outcome:
    """Do a task here and return its outcome; what workers run."""
    started = time.process_time()
    found = task.function(task.generator(), **task.arguments)
    seconds = time.process_time() - started
    if not isinstance(found, Mapping):
        raise InputError(f"{task.function_name} must return a mapping of plain values; found {described(found)}")
    return Outcome(
        identity=task.identity,
        function_name=task.function_name,
        arguments=task.plain_arguments,
        seed=task.seed,
        result={name: plain_value(name, value) for name, value in found.items()},
        processor_seconds=seconds,
    )


def _check_function(function: object) -> None:
    """Check that a worker finds the function by its name: workers are other processes."""
    name, module = getattr(function, "__qualname__", ""), getattr(function, "__module__", None)
    if not callable(function) or not name or not isinstance(module, str):
        raise InputError(f"function must be a function of a module; found {described(function)}")
    if "<" in name or getattr(importlib.import_module(module), name, None) is not function:
        raise InputError(
            f"function must stand in a module under its own name, so that other processes find it; found "
            f"{module}:{name}. Define it by `def` at the outermost level"
        )
