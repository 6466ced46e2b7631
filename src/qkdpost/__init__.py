"""Quantum key distribution post-processing: raw records to secret keys, with a finite-key bound.

In a notebook, with both sides' records::

    result = qkdpost.distill(alice, bob, qkdpost.LinkConfig(protocol=qkdpost.BB84()))
    print(result.report)

At one end of a fibre: `Session`, with the drivers in `transport` and the pool of key in a file, `storage`. The parts on
their own: `reconcile`, `toeplitz_hash`, `security`, `sifting`, `estimation`, `simulation`; `planning` and `plotting`
for who builds a link; `network` for keys between applications. `warmup` compiles every kernel at once.

Constants:

KEY_BASIS: 0, the basis that key is made of, in every record.
TEST_BASIS: 1, the basis that is compared in public.
DOUBLE_CLICK: 2, the outcome of a detection in which both detectors of the basis clicked.
__version__: the release, as text.
"""

from __future__ import annotations

import logging as _logging
import typing as _typing
from importlib import import_module as _import_module

from qkdpost.version import VERSION as __version__

if _typing.TYPE_CHECKING:
    from qkdpost import campaigns, network, planning, plotting, security, sifting, simulation, storage, transport
    from qkdpost.amplification import modified_toeplitz_hash, toeplitz_hash
    from qkdpost.bits import Bits
    from qkdpost.blocks import Blocks
    from qkdpost.checks import RegisteredName
    from qkdpost.compilation import processor_path, warmup
    from qkdpost.config import LinkConfig
    from qkdpost.dialogue.ledger import Cause, Ledger
    from qkdpost.dialogue.messages import AbortReason
    from qkdpost.distillation import Distillation, distill
    from qkdpost.errors import (
        AuthenticationError,
        ConfigurationError,
        InputError,
        KeyNotFound,
        KeyPoolExhausted,
        LocalProtocolError,
        NoRoute,
        NotAuthorised,
        NotEnoughKey,
        PeerUnavailable,
        QkdpostError,
        RemoteProtocolError,
        SelfTestFailed,
        StoreDamaged,
        StoreInUse,
        StoreUnavailable,
        TaskFailed,
        UnsupportedRequest,
    )
    from qkdpost.health import RecordLimits
    from qkdpost.keys import KeyPool
    from qkdpost.keys.secret_key import SecretKey
    from qkdpost.known_answers.running import self_test
    from qkdpost.labels import Labels
    from qkdpost.progress import Progress
    from qkdpost.protocols.bb84 import BB84
    from qkdpost.protocols.bbm92 import BBM92
    from qkdpost.protocols.bbm92_time_tags import BBM92TimeTags
    from qkdpost.protocols.decoy_bb84 import DecoyBB84
    from qkdpost.protocols.gaussian_cv import GaussianCV
    from qkdpost.protocols.single_photon_bb84 import SinglePhotonBB84
    from qkdpost.reconciliation import Reconciled, reconcile
    from qkdpost.reconciliation.settings import Auto, Cascade, Ldpc, Multidimensional, Slices
    from qkdpost.records import (
        DOUBLE_CLICK,
        KEY_BASIS,
        TEST_BASIS,
        CoherentStates,
        Detections,
        PreparedPulses,
        QuadratureOutcomes,
        TimeTags,
        load,
        save,
    )
    from qkdpost.security.decoy.tally import DecoyTally
    from qkdpost.security.gaussian.slices.bound import SlicedTally
    from qkdpost.security.gaussian.tally import GaussianTally
    from qkdpost.security.qubits.tally import SampledTally, Tally
    from qkdpost.security.settings import Security
    from qkdpost.security.single_photon.tally import SinglePhotonTally
    from qkdpost.session.blocks.report import BlockReport
    from qkdpost.session.blocks.totals import Totals
    from qkdpost.session.events import (
        BlockAborted,
        ConnectionClosed,
        ConnectionLost,
        HandshakeCompleted,
        KeyPoolLow,
        KeyReady,
        StageCompleted,
    )
    from qkdpost.session.session import Session
    from qkdpost.session.states import ConnectionState
    from qkdpost.sifting.sifted import SiftedKey
    from qkdpost.statistics import error_rate as estimation

__all__ = [
    "BB84",
    "BBM92",
    "DOUBLE_CLICK",
    "KEY_BASIS",
    "TEST_BASIS",
    "AbortReason",
    "AuthenticationError",
    "Auto",
    "BBM92TimeTags",
    "Bits",
    "BlockAborted",
    "BlockReport",
    "Blocks",
    "Cascade",
    "Cause",
    "CoherentStates",
    "ConfigurationError",
    "ConnectionClosed",
    "ConnectionLost",
    "ConnectionState",
    "DecoyBB84",
    "DecoyTally",
    "Detections",
    "Distillation",
    "GaussianCV",
    "GaussianTally",
    "HandshakeCompleted",
    "InputError",
    "KeyNotFound",
    "KeyPool",
    "KeyPoolExhausted",
    "KeyPoolLow",
    "KeyReady",
    "Labels",
    "Ldpc",
    "Ledger",
    "LinkConfig",
    "LocalProtocolError",
    "Multidimensional",
    "NoRoute",
    "NotAuthorised",
    "NotEnoughKey",
    "PeerUnavailable",
    "PreparedPulses",
    "Progress",
    "QkdpostError",
    "QuadratureOutcomes",
    "Reconciled",
    "RecordLimits",
    "RegisteredName",
    "RemoteProtocolError",
    "SampledTally",
    "SecretKey",
    "Security",
    "SelfTestFailed",
    "Session",
    "SiftedKey",
    "SinglePhotonBB84",
    "SinglePhotonTally",
    "SlicedTally",
    "Slices",
    "StageCompleted",
    "StoreDamaged",
    "StoreInUse",
    "StoreUnavailable",
    "Tally",
    "TaskFailed",
    "TimeTags",
    "Totals",
    "UnsupportedRequest",
    "__version__",
    "campaigns",
    "distill",
    "estimation",
    "load",
    "modified_toeplitz_hash",
    "network",
    "planning",
    "plotting",
    "processor_path",
    "reconcile",
    "save",
    "security",
    "self_test",
    "sifting",
    "simulation",
    "storage",
    "toeplitz_hash",
    "transport",
    "warmup",
]

_HOMES = {
    "AbortReason": "qkdpost.dialogue.messages",
    "AuthenticationError": "qkdpost.errors",
    "Auto": "qkdpost.reconciliation.settings",
    "BB84": "qkdpost.protocols.bb84",
    "BBM92": "qkdpost.protocols.bbm92",
    "BBM92TimeTags": "qkdpost.protocols.bbm92_time_tags",
    "Bits": "qkdpost.bits",
    "BlockAborted": "qkdpost.session.events",
    "BlockReport": "qkdpost.session.blocks.report",
    "Blocks": "qkdpost.blocks",
    "Cascade": "qkdpost.reconciliation.settings",
    "Cause": "qkdpost.dialogue.ledger",
    "CoherentStates": "qkdpost.records",
    "ConfigurationError": "qkdpost.errors",
    "ConnectionClosed": "qkdpost.session.events",
    "ConnectionLost": "qkdpost.session.events",
    "ConnectionState": "qkdpost.session.states",
    "DOUBLE_CLICK": "qkdpost.records",
    "DecoyBB84": "qkdpost.protocols.decoy_bb84",
    "DecoyTally": "qkdpost.security.decoy.tally",
    "Detections": "qkdpost.records",
    "Distillation": "qkdpost.distillation",
    "GaussianCV": "qkdpost.protocols.gaussian_cv",
    "GaussianTally": "qkdpost.security.gaussian.tally",
    "HandshakeCompleted": "qkdpost.session.events",
    "InputError": "qkdpost.errors",
    "KEY_BASIS": "qkdpost.records",
    "KeyNotFound": "qkdpost.errors",
    "KeyPool": "qkdpost.keys",
    "KeyPoolExhausted": "qkdpost.errors",
    "KeyPoolLow": "qkdpost.session.events",
    "KeyReady": "qkdpost.session.events",
    "Labels": "qkdpost.labels",
    "Ldpc": "qkdpost.reconciliation.settings",
    "Ledger": "qkdpost.dialogue.ledger",
    "LinkConfig": "qkdpost.config",
    "LocalProtocolError": "qkdpost.errors",
    "Multidimensional": "qkdpost.reconciliation.settings",
    "NoRoute": "qkdpost.errors",
    "NotAuthorised": "qkdpost.errors",
    "NotEnoughKey": "qkdpost.errors",
    "PeerUnavailable": "qkdpost.errors",
    "PreparedPulses": "qkdpost.records",
    "Progress": "qkdpost.progress",
    "QkdpostError": "qkdpost.errors",
    "QuadratureOutcomes": "qkdpost.records",
    "Reconciled": "qkdpost.reconciliation",
    "RecordLimits": "qkdpost.health",
    "RegisteredName": "qkdpost.checks",
    "RemoteProtocolError": "qkdpost.errors",
    "SampledTally": "qkdpost.security.qubits.tally",
    "SecretKey": "qkdpost.keys.secret_key",
    "Security": "qkdpost.security.settings",
    "SelfTestFailed": "qkdpost.errors",
    "Session": "qkdpost.session.session",
    "SiftedKey": "qkdpost.sifting.sifted",
    "SinglePhotonBB84": "qkdpost.protocols.single_photon_bb84",
    "SinglePhotonTally": "qkdpost.security.single_photon.tally",
    "SlicedTally": "qkdpost.security.gaussian.slices.bound",
    "Slices": "qkdpost.reconciliation.settings",
    "StageCompleted": "qkdpost.session.events",
    "StoreDamaged": "qkdpost.errors",
    "StoreInUse": "qkdpost.errors",
    "StoreUnavailable": "qkdpost.errors",
    "TEST_BASIS": "qkdpost.records",
    "Tally": "qkdpost.security.qubits.tally",
    "TaskFailed": "qkdpost.errors",
    "TimeTags": "qkdpost.records",
    "Totals": "qkdpost.session.blocks.totals",
    "UnsupportedRequest": "qkdpost.errors",
    "distill": "qkdpost.distillation",
    "load": "qkdpost.records",
    "modified_toeplitz_hash": "qkdpost.amplification",
    "processor_path": "qkdpost.compilation",
    "reconcile": "qkdpost.reconciliation",
    "save": "qkdpost.records",
    "self_test": "qkdpost.known_answers.running",
    "toeplitz_hash": "qkdpost.amplification",
    "warmup": "qkdpost.compilation",
}
_ROOMS = {"estimation": "statistics.error_rate"} | {
    name: name
    for name in (
        "campaigns",
        "network",
        "planning",
        "plotting",
        "security",
        "sifting",
        "simulation",
        "storage",
        "transport",
    )
}

# Without a handler here Python would write warnings of a host that has not set up logging to its standard error.
_logging.getLogger(__name__).addHandler(_logging.NullHandler())


if (
    not _typing.TYPE_CHECKING
):  # to type checkers a name that is not written above does not exist, so that they refuse typos

    def __getattr__(name: str) -> _typing.Any:
        """Enter a room when a name of it is first used, so that importing the package costs next to nothing."""
        if name in _ROOMS:
            return _import_module(f"{__name__}.{_ROOMS[name]}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(_import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
