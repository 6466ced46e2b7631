"""BBM92 in numbered slots: both sides measure halves of entangled pairs."""

from __future__ import annotations

from qkdpost.protocols.protocol import Protocol
from qkdpost.protocols.qubits import FIXED_LENGTH, QubitSettings, bound_settings, tally_qubits
from qkdpost.protocols.slots import BOTH_MEASURE
from qkdpost.records import Detections
from qkdpost.security.qubits import bbm92
from qkdpost.security.qubits.settings import QubitBoundSettings
from qkdpost.security.qubits.tally import SampledTally, Tally

__all__ = ["BBM92", "PROTOCOL"]


class BBM92(QubitSettings, frozen=True, kw_only=True, tag="bbm92"):
    """Settings of BBM92 where both sides' detections have numbered slots.

    Args:
        test: "basis" (the test basis is disclosed whole, the key comes from the key basis) or "sample" (a random sample
            of both bases is disclosed, the key comes from the rest): `qkdpost.protocols.qubits.QubitSettings`.
        sample_fraction: which part of the sifted rounds "sample" discloses, 10^-6 ... 0.999.

    >>> import qkdpost as qp
    >>> qp.LinkConfig(protocol=qp.BBM92()).protocol.kind
    'bbm92'
    """


PROTOCOL: Protocol[BBM92, Tally | SampledTally, QubitBoundSettings] = Protocol(
    settings=BBM92,
    alice_records=Detections,
    bob_records=Detections,
    reference="alice",
    stages=BOTH_MEASURE,
    tally=tally_qubits,
    bound=bbm92.apply_bound,
    bound_settings=bound_settings,
    fixed_length=FIXED_LENGTH,
)
