"""What test campaigns do; in a module of its own, since workers import it by name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np


def drawn(rng: np.random.Generator, *, number: int) -> dict[str, Any]:
    """Return numbers that only this task's generator gives."""
    return {"number": number, "draws": rng.integers(2**32, size=4).tolist()}


def counted(rng: np.random.Generator, *, number: int, folder: str) -> dict[str, Any]:
    """Leave a trace of each call."""
    path = Path(folder) / f"{number}-{os.getpid()}-{time.monotonic_ns()}"
    path.touch()
    return {"number": number}


def failing(rng: np.random.Generator, *, number: int, bad: int) -> dict[str, Any]:
    if number == bad:
        raise ValueError(f"{number} is bad")
    return {"number": number}


def dying(rng: np.random.Generator, *, number: int, folder: str, times: int) -> dict[str, Any]:
    """Kill the worker as often as told, then do the work."""
    marks = list(Path(folder).glob("death-*"))
    if number == 3 and len(marks) < times:
        (Path(folder) / f"death-{len(marks)}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"number": number, "draws": rng.integers(2**32, size=4).tolist()}


def slow(rng: np.random.Generator, *, number: int, folder: str, seconds: float) -> dict[str, Any]:
    """Tell which worker took the task, and take a while."""
    (Path(folder) / f"started-{number}-{os.getpid()}").touch()
    time.sleep(seconds)
    return {"number": number, "draws": rng.integers(2**32, size=4).tolist()}


def wrong_kind(rng: np.random.Generator) -> Any:
    return [1, 2]


def with_array(rng: np.random.Generator) -> dict[str, Any]:
    return {"array": np.zeros(3)}
