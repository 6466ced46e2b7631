"""Two sessions over continuous outcomes: what they said, and messages of a peer that is authentic and wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import numpy as np

import qkdpost as qp
from qkdpost.dialogue.messages import Message
from qkdpost.session.codec import decode, encode
from support.link import Pair

__all__ = ["Alter", "replaced", "reports", "said", "simulated", "with_field", "with_floats"]

Alter = Callable[[str, int, bytes], list[bytes]]


@cache
def simulated(
    symbols: int, detection: str = "heterodyne", *, seed: int = 1, **change: Any
) -> tuple[qp.CoherentStates, qp.QuadratureOutcomes]:
    """Return records of a link with V_A = 4, unless told otherwise."""
    channel = {"modulation_variance": 4.0, "transmittance": 0.5} | change
    return qp.simulation.gaussian_cv(
        symbols=symbols,
        rng=np.random.default_rng(seed),
        efficiency=0.6,
        electronic_noise=0.1,
        detection=detection,  # type: ignore[arg-type]
        **channel,
    )


def said(pair: Pair, role: str) -> list[Message]:
    """Return all that a role said."""
    return [decode(frame) for frame in pair.sent[role]]


def reports(pair: Pair) -> list[qp.BlockReport]:
    """Return the reports of both, Alice's first."""
    return [event.report for role in ("alice", "bob") for event in pair.events[role] if hasattr(event, "report")]


def replaced(kind: type[Message], change: Callable[[Any], Any]) -> Alter:
    """Change the first message of a kind: a peer that is authentic and wrong sends it so."""
    done = []

    def alter(source: str, number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if not isinstance(message, kind) or done:
            return [frame]
        done.append(number)
        return [encode(change(message))]

    return alter


def with_field(**changes: Any) -> Callable[[Any], Any]:
    """Change fields of a message."""
    return lambda message: msgspec.structs.replace(message, **changes)


def with_floats(name: str, *values: float) -> Callable[[Any], Any]:
    """Put numbers in the place of the first of those in a field of bytes."""

    def change(message: Any) -> Any:
        data = bytearray(getattr(message, name))
        new = np.array(values, dtype="<f4").tobytes()
        data[: len(new)] = new
        return msgspec.structs.replace(message, **{name: bytes(data)})

    return change
