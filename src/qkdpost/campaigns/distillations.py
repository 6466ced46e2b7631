"""Many recorded files: each pair is distilled as a session would, and its reports are kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from qkdpost.campaigns.plain_values import Plain, plain_value
from qkdpost.campaigns.task import Task
from qkdpost.checks import instance
from qkdpost.config import LinkConfig
from qkdpost.distillation import distill
from qkdpost.errors import InputError
from qkdpost.records import CalibrationSummary, RawRecord, SavedRecord, load

__all__ = ["distillation_tasks", "distilled_records"]

Pathlike: TypeAlias = str | os.PathLike[str]


def distillation_tasks(
    pairs: Iterable[tuple[Pathlike, Pathlike]], link: LinkConfig, *, seed: int = 0
) -> Iterator[Task]:
    """Yield a task for each pair of files: how much key is in these records?

    Args:
        pairs: the paths of Alice's file and of Bob's, as `qkdpost.save` writes them. Every worker must be able to read
            them under these paths.
        link: the configuration for all.
        seed: of the campaign; what the two sessions draw follows from it.

    Raises:
        InputError: a pair is none, or the link is no `LinkConfig`.

    >>> import qkdpost as qp
    >>> link = qp.LinkConfig(protocol=qp.BB84())
    >>> len(list(qp.campaigns.distillation_tasks([("monday-alice.npz", "monday-bob.npz")], link)))
    1
    """
    instance("link", link, LinkConfig)
    for number, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(f"pairs must hold two paths each, Alice's and Bob's; entry {number} does not")
        paths = [str(Path(path)) for path in pair]
        arguments = {"alice_file": paths[0], "bob_file": paths[1], "link": link}
        yield Task(function=distilled_records, arguments=arguments, seed=seed)


def distilled_records(
    rng: np.random.Generator, *, alice_file: str, bob_file: str, link: LinkConfig
) -> dict[str, Plain]:
    """Distil two files in one process and return the reports; the key itself is dropped.

    It is drawn from `rng`, so it is no secret: this tells how much key there is, and makes none.

    Returns:
        `key_bits` over all blocks; `reports`, Alice's `BlockReport.to_dict()` of each; `alice_digest` and `bob_digest`,
        BLAKE2b of the files as they were read.

    >>> import pathlib, tempfile, numpy as np, qkdpost as qp
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> records = qp.simulation.bb84(pulses=300_000, fibre_km=5, rng=np.random.default_rng(1))
    >>> for path, record in zip((folder / "a.npz", folder / "b.npz"), records):
    ...     qp.save(path, record)
    >>> link = qp.LinkConfig(protocol=qp.BB84())
    >>> tasks = qp.campaigns.distillation_tasks([(folder / "a.npz", folder / "b.npz")], link)
    >>> [outcome] = qp.campaigns.run(tasks, executor=qp.campaigns.InThisProcess())
    >>> outcome.result["key_bits"] > 1000
    True
    """
    found = distill(_record_of(alice_file), _record_of(bob_file), link, random_source=rng.bytes)
    return {
        "key_bits": len(found.key),
        "reports": [plain_value("a report", report.to_dict()) for report in found.reports],
        "alice_digest": _digest_of(alice_file),
        "bob_digest": _digest_of(bob_file),
    }


def _record_of(path: str) -> RawRecord:
    record: SavedRecord = load(path)
    if isinstance(record, CalibrationSummary):
        raise InputError(f"{path} holds a calibration, and no record to distil")
    return record


def _digest_of(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
