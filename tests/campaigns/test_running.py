from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.campaigns import workers

import qkdpost as qp
from qkdpost.campaigns import InThisProcess, Outcome, Task, outcomes, read, run
from support.stores import started


def tasks(count: int, function: Any = workers.drawn, **arguments: Any) -> list[Task]:
    return [Task(function=function, arguments={"number": number, **arguments}, seed=5) for number in range(count)]


def numbers(found: list[Outcome]) -> list[Any]:
    return [outcome.arguments["number"] for outcome in found]


def test_outcomes_do_not_depend_on_the_executor() -> None:
    here = run(tasks(12), executor=InThisProcess())
    with ThreadPoolExecutor(3) as threads:
        assert run(tasks(12), executor=threads) == here
    assert run(tasks(12), processes=2) == here
    assert numbers(here) == list(range(12))


def test_a_campaign_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    path, work = tmp_path / "results.jsonl", tasks(10, workers.counted, folder=str(tmp_path))
    stream = outcomes(work, executor=InThisProcess(), file=path, in_flight=1)
    first = list(itertools.islice(stream, 4))
    stream.close()  # type: ignore[attr-defined]
    found = run(work, executor=InThisProcess(), file=path)
    assert numbers(found) == list(range(10))
    assert first == found[:4]
    calls = [int(trace.name.split("-")[0]) for trace in tmp_path.glob("*-*-*")]
    assert sorted(set(calls)) == list(range(10))
    assert len(calls) <= 11  # one may have been in work at the cut
    assert sorted(numbers(list(read(path)))) == list(range(10))


def test_a_task_given_twice_is_done_once(tmp_path: Path) -> None:
    work = tasks(3, workers.counted, folder=str(tmp_path))
    found = run([*work, *work], executor=InThisProcess())
    assert numbers(found) == [0, 1, 2, 0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 3


def test_tasks_are_taken_as_workers_become_free() -> None:
    taken: list[int] = []

    def endless() -> Iterator[Task]:
        for task in tasks(10**4):
            taken.append(1)
            yield task

    stream = outcomes(endless(), executor=InThisProcess(), in_flight=4)
    for _ in range(20):
        next(stream)
    assert len(taken) <= 24


def test_an_error_ends_the_campaign_after_what_runs(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with pytest.raises(qp.TaskFailed, match=r"failing failed with .*number=4.*ValueError: 4 is bad") as caught:
        run(tasks(9, workers.failing, bad=4), executor=InThisProcess(), file=path, in_flight=1)
    assert isinstance(caught.value.__cause__, ValueError)
    assert numbers(list(read(path))) == [0, 1, 2, 3]


def test_errors_can_be_recorded_and_are_tried_again(tmp_path: Path) -> None:
    path, work = tmp_path / "results.jsonl", tasks(4, workers.failing, bad=2)
    for _ in range(2):
        found = run(work, executor=InThisProcess(), file=path, failures="record")
        assert [outcome.error for outcome in found] == [None, None, "ValueError: 2 is bad", None]
        assert "error" in found[2].row()
    assert len(list(read(path))) == 5


@pytest.mark.parametrize("deaths", [1, 4])
def test_dead_workers_lose_nothing(tmp_path: Path, deaths: int) -> None:
    """More deaths than a task may see beside others: it is tried alone at last."""
    work = tasks(8, workers.dying, folder=str(tmp_path), times=min(deaths, 3))
    found = run(work, processes=2, file=tmp_path / "results.jsonl")
    calm = tmp_path / "calm"
    calm.mkdir()
    same = [Task(function=workers.drawn, arguments={"number": number}, seed=5) for number in range(8)]
    assert numbers(found) == numbers(run(same, executor=InThisProcess()))
    assert len(list(read(tmp_path / "results.jsonl"))) == 8
    assert len(list(tmp_path.glob("death-*"))) == min(deaths, 3)


def test_a_task_that_kills_each_worker_is_named(tmp_path: Path) -> None:
    work = tasks(5, workers.dying, folder=str(tmp_path), times=100)
    with pytest.raises(qp.TaskFailed, match=r"number=3.*worker died"):
        run(work, processes=2, file=tmp_path / "results.jsonl")
    others = {0, 1, 2, 4}  # of which the last was begun or not before the third was named
    assert set(numbers(list(read(tmp_path / "results.jsonl")))) <= others
    again = run([task for number, task in enumerate(work) if number in others], file=tmp_path / "results.jsonl")
    assert set(numbers(again)) == others


class _Liar(Executor):
    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return InThisProcess().submit(fn, tasks(1)[0])


def test_a_worker_that_does_another_task_is_found_out() -> None:
    with pytest.raises(qp.TaskFailed, match="another task"):
        run(tasks(3), executor=_Liar())


def test_arguments_are_checked_at_once() -> None:
    for wrong in ({"executor": 3}, {"in_flight": 0}, {"processes": 0}, {"failures": "ignore"}):
        with pytest.raises((qp.InputError, qp.ConfigurationError)):
            outcomes(tasks(1), **wrong)  # type: ignore[arg-type]
    with pytest.raises(qp.ConfigurationError, match="one of the two"):
        outcomes(tasks(1), executor=InThisProcess(), processes=2)
    with pytest.raises(qp.InputError):
        list(outcomes([3], executor=InThisProcess()))  # type: ignore[list-item]


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int | None]] = []
    run(tasks(3), executor=InThisProcess(), progress=lambda *step: told.append(step))
    assert told == [("tasks", done, 3) for done in range(4)]
    told.clear()
    list(outcomes(iter(tasks(1)), executor=InThisProcess(), progress=lambda *step: told.append(step)))
    assert told == [("tasks", done, None) for done in range(2)]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="no signals here")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_a_campaign_that_is_killed(number: signal.Signals) -> None:
    campaign = started(
        "from qkdpost import campaigns\n"
        "tasks = campaigns.correction_tasks(error_rates=[0.02], bits=4096, blocks=100_000)\n"
        "for outcome in campaigns.outcomes(tasks, processes=2): print('go', flush=True)\n",
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert campaign.stdout is not None
    try:
        assert campaign.stdout.readline() == "go\n"
        campaign.send_signal(number)
        campaign.communicate(timeout=120)  # until nobody has the other end of its pipe
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(campaign.pid, signal.SIGKILL)
