from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from tests.campaigns import workers

import qkdpost as qp
from qkdpost.campaigns.task import Task, perform


def task(number: int = 1, seed: int = 7, function: Any = workers.drawn) -> Task:
    return Task(function=function, arguments={"number": number}, seed=seed)


def test_a_task_is_known_by_function_arguments_and_seed() -> None:
    identities = {task().identity, task(2).identity, task(seed=8).identity, task(function=workers.failing).identity}
    assert len(identities) == 4
    assert task().identity == task().identity


def test_identity_and_draws_are_pinned() -> None:
    """What an older release recorded must be found again by this one."""
    found = Task(function=workers.drawn, arguments={"number": 1}, seed=7)
    assert found.function_name == "tests.campaigns.workers:drawn"
    assert found.identity == "734e48f72640ad4189cffbc65ea95561"


def test_draws_follow_from_the_task_alone() -> None:
    assert perform(task()) == perform(pickle.loads(pickle.dumps(task())))
    assert perform(task()).result != perform(task(seed=8)).result


def test_a_time_is_measured_and_not_compared() -> None:
    first, second = perform(task()), perform(task())
    assert first.processor_seconds >= 0.0
    assert first == second


def test_what_workers_cannot_find_is_refused() -> None:
    def local(rng: np.random.Generator) -> dict[str, Any]:
        return {}

    for function in (local, lambda rng: {}, 3, np.random.default_rng(1).bytes, "text"):
        with pytest.raises(qp.InputError, match="function"):
            Task(function=function)  # type: ignore[arg-type]


def test_arguments_are_checked_at_once() -> None:
    with pytest.raises(qp.InputError, match=r"number"):
        Task(function=workers.drawn, arguments={"number": np.zeros(2)})
    with pytest.raises(qp.InputError, match="mapping"):
        Task(function=workers.drawn, arguments=[1])  # type: ignore[arg-type]
    with pytest.raises(qp.InputError, match="seed"):
        Task(function=workers.drawn, arguments={"number": 1}, seed=-1)


@pytest.mark.parametrize("function", [workers.wrong_kind, workers.with_array])
def test_results_are_mappings_of_plain_values(function: Any) -> None:
    with pytest.raises(qp.InputError):
        perform(Task(function=function))


def test_an_outcome_is_a_row_of_a_table() -> None:
    row = perform(Task(function=workers.drawn, arguments={"number": 3}, seed=1)).row()
    assert row["number"] == 3 == row["result.number"]
    assert isinstance(row["draws"], list)
