"""A short link whose outcomes are sliced: small records that make a key, and two sessions over them."""

from __future__ import annotations

from typing import Any

import qkdpost as qp
from qkdpost.dialogue.messages import ReversePlan
from qkdpost.reconciliation.slices.plan import SlicePlan
from support.continuous_sessions import Alter, said, simulated
from support.link import Pair

__all__ = ["FRAME", "link", "plan_of", "records", "talk"]

SYMBOLS = 60_000
DISCLOSED = 2**12
FRAME = 2**14
CHANNEL = {"modulation_variance": 8.0, "transmittance": 0.98, "excess_noise": 0.0, "calibration_symbols": 2**20}


def link(detection: str = "heterodyne", **correction: Any) -> qp.LinkConfig:
    """Six frames in two batches; an epsilon at which so few symbols make a key."""
    return qp.LinkConfig(
        protocol=qp.GaussianCV(
            modulation_variance=8.0,
            modulation_tolerance=0.0,
            efficiency=0.6,
            efficiency_tolerance=0.0,
            detection=detection,  # type: ignore[arg-type]
            attacks="phase-insensitive-gaussian-collective",
            disclosed_symbols=DISCLOSED,
        ),
        correction=qp.Slices(**{"frame_outcomes": FRAME, "batch_frames": 4} | correction),
        security=qp.Security(epsilon=0.1),
        blocks=qp.Blocks(detections=1, max_detections=2**20),
    )


def records(detection: str = "heterodyne") -> tuple[qp.CoherentStates, qp.QuadratureOutcomes]:
    """Return the records of a block, always the same."""
    return simulated(SYMBOLS * (1 if detection == "heterodyne" else 2), detection, **CHANNEL)


def talk(config: qp.LinkConfig, alter: Alter | None = None) -> Pair:
    """Let two sessions go through a block, over a line that may alter what is said."""
    detection: str = config.protocol.detection  # type: ignore[attr-defined]
    pair = Pair(config)
    pair.submit(*records(detection))  # type: ignore[arg-type]
    pair.finish()
    pair.run(alter)
    return pair


def plan_of(pair: Pair) -> SlicePlan:
    """Return the plan that the reference announced."""
    return SlicePlan.from_bytes(next(message.plan for message in said(pair, "bob") if isinstance(message, ReversePlan)))
