"""Quantum key distribution post-processing: raw records to secret keys, with a finite-key bound.

In a notebook, with both sides' records::

    result = qkdpost.distill(alice, bob, qkdpost.LinkConfig(kind="bb84"))
    print(result.report)

At one end of a fibre: `Session`, with the drivers in `transport`. The parts on their own: `reconcile`,
`toeplitz_hash`, `security`, `sifting`, `estimation`, `simulation`. `warmup` compiles every kernel at once.
"""

from __future__ import annotations

from qkdpost import estimation, security, sifting, simulation, transport
from qkdpost.amplification import modified_toeplitz_hash, toeplitz_hash
from qkdpost.bits import Bits
from qkdpost.config import LinkConfig
from qkdpost.distillation import Distillation, distill
from qkdpost.errors import (
    AuthenticationError,
    ConfigurationError,
    InputError,
    KeyPoolExhausted,
    LocalProtocolError,
    QkdpostError,
    RemoteProtocolError,
)
from qkdpost.key_pool import KeyPool
from qkdpost.leakage import Cause, Ledger
from qkdpost.messages import AbortReason
from qkdpost.reconciliation import reconcile
from qkdpost.records import (
    DOUBLE_CLICK,
    KEY_BASIS,
    TEST_BASIS,
    Detections,
    PreparedPulses,
    SecretKey,
    SiftedKey,
    Tally,
    TimeTags,
)
from qkdpost.session.events import (
    BlockAborted,
    ConnectionClosed,
    HandshakeCompleted,
    KeyReady,
    StageCompleted,
)
from qkdpost.session.report import BlockReport
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState, Stage


__all__ = [
    "DOUBLE_CLICK",
    "KEY_BASIS",
    "TEST_BASIS",
    "AbortReason",
    "AuthenticationError",
    "Bits",
    "BlockAborted",
    "BlockReport",
    "Cause",
    "ConfigurationError",
    "ConnectionClosed",
    "ConnectionState",
    "Detections",
    "Distillation",
    "HandshakeCompleted",
    "InputError",
    "KeyPool",
    "KeyPoolExhausted",
    "KeyReady",
    "Ledger",
    "LinkConfig",
    "LocalProtocolError",
    "PreparedPulses",
    "QkdpostError",
    "RemoteProtocolError",
    "SecretKey",
    "Session",
    "SiftedKey",
    "Stage",
    "StageCompleted",
    "Tally",
    "TimeTags",
    "distill",
    "estimation",
    "modified_toeplitz_hash",
    "reconcile",
    "security",
    "sifting",
    "simulation",
    "toeplitz_hash",
    "transport",
]
