"""The state table: which message a host accepts in which stage of a block."""

from __future__ import annotations

from enum import IntEnum

from qkdpost.dialogue.messages import (
    AmplificationProposal,
    BlockMessage,
    BlockTag,
    BlockVerdict,
    CalibrationClicks,
    ComparedBits,
    Confirmation,
    CorrectionStart,
    DetectionReport,
    FrameTags,
    FrameVerdict,
    Parities,
    RecordsHeld,
    SampleSeed,
    SiftReply,
    WindowChoice,
)

__all__ = ["ACCEPTED", "STILL_ACCEPTED", "ConnectionState", "Stage"]


class ConnectionState(IntEnum):
    """Where a connection stands."""

    HANDSHAKE = 0
    """The peer's `Hello` has not come yet."""
    OPEN = 1
    """Blocks may be worked on."""
    CLOSED = 2
    """Ended in good order."""
    BROKEN = 3
    """Ended by an error or a lost line; `Session.connect` starts the next."""


class Stage(IntEnum):
    """The stages of a block, in order."""

    SIFTING = 0
    ESTIMATION = 1
    RECONCILIATION = 2
    VERIFICATION = 3
    AMPLIFICATION = 4
    CONFIRMATION = 5


ACCEPTED: dict[tuple[str, Stage], frozenset[type[BlockMessage]]] = {
    ("alice", Stage.SIFTING): frozenset({DetectionReport, WindowChoice}),
    ("bob", Stage.SIFTING): frozenset({RecordsHeld, SiftReply, CalibrationClicks}),
    ("alice", Stage.ESTIMATION): frozenset({ComparedBits}),
    ("bob", Stage.ESTIMATION): frozenset({SampleSeed, ComparedBits}),
    ("alice", Stage.RECONCILIATION): frozenset({Parities}),
    ("bob", Stage.RECONCILIATION): frozenset({CorrectionStart, Parities}),
    ("alice", Stage.VERIFICATION): frozenset({FrameVerdict, BlockVerdict}),
    ("bob", Stage.VERIFICATION): frozenset({FrameTags, BlockTag}),
    ("alice", Stage.AMPLIFICATION): frozenset(),
    ("bob", Stage.AMPLIFICATION): frozenset({AmplificationProposal}),
    ("alice", Stage.CONFIRMATION): frozenset({Confirmation}),
    ("bob", Stage.CONFIRMATION): frozenset({Confirmation}),
}
"""By role and stage. Alice's parities may reach Bob early, and Bob's Alice: both speak at once in a round."""

STILL_ACCEPTED: dict[tuple[str, Stage], frozenset[type[BlockMessage]]] = {
    (role, stage): frozenset[type[BlockMessage]]().union(*(ACCEPTED[role, later] for later in Stage if later >= stage))
    for role, stage in ACCEPTED
}
"""By role and stage: what this stage or a later one accepts, and so may wait."""
