"""What the quality benchmarks share: their blocks are tasks, which several processes or a cluster may do.

--processes N      as many processes of this machine; by default one for each core
--dask ADDRESS     the workers of a Dask scheduler instead, as tcp://10.0.0.1:8786
--results FILE     record each block in FILE, and go on with it after a cut
--seed S           of the campaign: other blocks
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from qkdpost import campaigns

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where blocks are corrected."""
    parser.add_argument("--processes", type=int, help="processes of this machine; default: one for each core")
    parser.add_argument("--dask", metavar="ADDRESS", help="of a Dask scheduler whose workers take the tasks")
    parser.add_argument("--results", type=Path, help="file in which each block is recorded; a cut run goes on there")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn; default 0")


def run(tasks: Iterable[campaigns.Task], arguments: argparse.Namespace) -> list[campaigns.Outcome]:
    """Do the tasks where the options say."""
    if arguments.dask is None:
        return campaigns.run(tasks, processes=arguments.processes, file=arguments.results, progress=True)
    from distributed import Client  # noqa: PLC0415 - of the extra "cluster"

    with Client(arguments.dask) as client:
        return campaigns.run(tasks, executor=client.get_executor(), file=arguments.results, progress=True)
