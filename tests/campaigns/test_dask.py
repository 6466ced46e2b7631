"""Over a real Dask cluster on loopback: the same outcomes as in one process, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.campaigns import workers

from qkdpost.campaigns import InThisProcess, Task, read, run

distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = str(tmp_path_factory.mktemp("dask"))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=folder, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_cluster_gives_what_one_process_gives(client: Any) -> None:
    work = [Task(function=workers.drawn, arguments={"number": number}, seed=2) for number in range(30)]
    assert run(work, executor=client.get_executor()) == run(work, executor=InThisProcess())


def test_a_killed_worker_loses_nothing_and_repeats_nothing(client: Any, tmp_path: Path) -> None:
    work = [
        Task(function=workers.slow, arguments={"number": number, "folder": str(tmp_path), "seconds": 0.05}, seed=2)
        for number in range(40)
    ]
    killed: list[int] = []

    def kill_in_the_middle() -> None:
        """Kill the worker that began task 10, while it is at it or just after."""
        while not (started := list(tmp_path.glob("started-10-*"))):
            time.sleep(0.005)
        killed.append(int(started[0].name.split("-")[2]))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    found = run(work, executor=client.get_executor(), file=tmp_path / "results.jsonl", in_flight=8)
    killer.join()
    assert [outcome.arguments["number"] for outcome in found] == list(range(40))
    recorded = [outcome.identity for outcome in read(tmp_path / "results.jsonl")]
    assert sorted(recorded) == sorted(task.identity for task in work)
    pids = {int(path.name.split("-")[2]) for path in tmp_path.glob("started-*")}
    assert killed[0] in pids
    assert len(pids) >= 2
    calm = run(work, executor=InThisProcess())
    assert found == calm
