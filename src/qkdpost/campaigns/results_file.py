"""One append-only file of outcomes: a line of JSON for each, checked, and safe against a cut at any moment."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from qkdpost.campaigns.plain_values import canonical_json, digest_of
from qkdpost.campaigns.task import Outcome
from qkdpost.durable_files import hold
from qkdpost.errors import InputError, StoreInUse
from qkdpost.version import VERSION

__all__ = ["ResultsFile", "read"]

_LOG = logging.getLogger("qkdpost.campaigns")
FORMAT = "qkdpost campaign"
FORMAT_VERSION = 1
MAX_LINE_BYTES = 2**24
_FIELDS = {
    "task": str,
    "function": str,
    "arguments": dict,
    "seed": int,
    "result": dict | None,
    "error": str | None,
    "processor_seconds": float,
}


def read(path: str | os.PathLike[str]) -> Iterator[Outcome]:
    """Yield the outcomes of a results file, in the order in which they were recorded; memory is that of one.

    A last line that a cut left unfinished is passed over.

    Raises:
        InputError: the file is none of a campaign, of another version, or a line within it is damaged.

    >>> import tempfile, pathlib, qkdpost as qp
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "results.jsonl"
    >>> tasks = qp.campaigns.correction_tasks(error_rates=[0.02], bits=4096, blocks=2)
    >>> done = qp.campaigns.run(tasks, executor=qp.campaigns.InThisProcess(), file=path)
    >>> [outcome.result["failed_frames"] for outcome in qp.campaigns.read(path)]
    [0, 0]
    """
    for outcome, _, _ in _outcomes(Path(path)):
        yield outcome


def _outcomes(path: Path) -> Iterator[tuple[Outcome, int, int]]:
    """Yield each outcome, with where its line begins and ends."""
    with path.open("rb") as file:
        start = _check_head(path, file.readline(MAX_LINE_BYTES))
        number = 1
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            last = not file.peek(1)
            outcome = _parsed(line)
            if outcome is None and not last:
                raise InputError(
                    f"line {number} of {path} is damaged. Remove it, and the campaign does its task again; or restore "
                    "the file"
                )
            if outcome is not None:
                yield outcome, start, start + len(line)
            start += len(line)


def _check_head(path: Path, line: bytes) -> int:
    try:
        head = json.loads(line)
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise InputError(f"{path} is no file of a campaign: its first line does not say so. Name another file")
    if head.get("version") != FORMAT_VERSION:
        raise InputError(
            f"{path} must be of version {FORMAT_VERSION} of a campaign's file; found {head.get('version')}"
        )
    return len(line)


def _parsed(line: bytes) -> Outcome | None:
    """Return the outcome of a line, or None of one that is damaged or unfinished."""
    try:
        content = json.loads(line) if line.endswith(b"\n") else None
        if not isinstance(content, dict) or content.pop("check", None) != _check(content):
            return None
    except (ValueError, RecursionError):  # no JSON; or NaN, which `json` reads and a line never has; or too deep
        return None
    if content.keys() != _FIELDS.keys() | {"release"}:
        return None
    if not all(isinstance(content[name], cast("Any", kind)) for name, kind in _FIELDS.items()):
        return None
    return Outcome(
        identity=content["task"],
        function_name=content["function"],
        arguments=content["arguments"],
        seed=content["seed"],
        result=content["result"],
        error=content["error"],
        processor_seconds=content["processor_seconds"],
    )


def _check(content: dict[str, Any]) -> str:
    return digest_of(canonical_json(content), purpose=b"qkdpost-line", count=8).hex()


class ResultsFile:
    """The file of a campaign, open for one process.

    Args:
        path: of the file; made if it is not there.

    Raises:
        InputError: the file holds something else, or is damaged.
        StoreInUse: another process has it open.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._places: dict[str, tuple[int, int]] = {}
        self._file = self._path.open("ab+")
        try:
            if not hold(self._file.fileno()):
                raise StoreInUse(f"{self._path} is open in another campaign: wait for it, or name another file")
            self._load()
        except BaseException:
            self._file.close()
            raise

    def _load(self) -> None:
        """Note where each outcome stands, and cut off what a cut left unfinished."""
        if self._file.seek(0, os.SEEK_END) == 0:
            self._write(json.dumps({"format": FORMAT, "version": FORMAT_VERSION}).encode() + b"\n")
            return
        end = 0
        with self._path.open("rb") as file:
            end = _check_head(self._path, file.readline(MAX_LINE_BYTES))
        for outcome, start, stop in _outcomes(self._path):
            self._note(outcome, start, stop)
            end = stop
        unfinished = self._path.stat().st_size - end
        if unfinished:
            _LOG.warning("the last %d bytes of %s were unfinished and are cut off", unfinished, self._path)
            self._file.truncate(end)

    def _note(self, outcome: Outcome, start: int, stop: int) -> None:
        if outcome.error is None:
            self._places[outcome.identity] = (start, stop)

    def __contains__(self, identity: str) -> bool:
        """Whether the outcome of a task is here; one that failed is to be done again."""
        return identity in self._places

    def __len__(self) -> int:
        """How many tasks are done."""
        return len(self._places)

    def get(self, identity: str) -> Outcome:
        """Return the outcome of a task that is here.

        Raises:
            InputError: the line was changed since the file was opened.
        """
        start, stop = self._places[identity]
        self._file.seek(start)
        outcome = _parsed(self._file.read(stop - start))
        if outcome is None:
            raise InputError(f"{self._path} was changed while the campaign ran; begin again with the file as it is")
        return outcome

    def append(self, outcome: Outcome) -> None:
        """Record an outcome; it is on the disk when this returns."""
        content = {
            "task": outcome.identity,
            "function": outcome.function_name,
            "arguments": outcome.arguments,
            "seed": outcome.seed,
            "result": outcome.result,
            "error": outcome.error,
            "processor_seconds": outcome.processor_seconds,
            "release": VERSION,
        }
        line = json.dumps(content | {"check": _check(content)}, allow_nan=False).encode() + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise InputError(
                f"an outcome takes at most {MAX_LINE_BYTES} bytes; found {len(line)}. Write large results to a file "
                "and return its path"
            )
        start = self._file.seek(0, os.SEEK_END)
        self._write(line)
        self._note(outcome, start, start + len(line))

    def _write(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; another process may go on with it."""
        self._file.close()
