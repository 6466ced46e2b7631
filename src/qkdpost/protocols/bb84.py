"""BB84 with qubits: one side prepares, one photon a pulse, the other measures in numbered slots."""

from __future__ import annotations

from qkdpost.protocols.protocol import Protocol
from qkdpost.protocols.qubits import FIXED_LENGTH, QubitSettings, bound_settings, tally_qubits
from qkdpost.protocols.slots import PREPARE_AND_MEASURE
from qkdpost.records import Detections, PreparedPulses
from qkdpost.security.qubits import bb84
from qkdpost.security.qubits.settings import QubitBoundSettings
from qkdpost.security.qubits.tally import SampledTally, Tally

__all__ = ["BB84", "PROTOCOL"]


class BB84(QubitSettings, frozen=True, kw_only=True, tag="bb84"):
    """Settings of BB84 with one photon a pulse.

    Args:
        test: "basis" (the test basis is disclosed whole, the key comes from the key basis) or "sample" (a random sample
            of both bases is disclosed, the key comes from the rest): `qkdpost.protocols.qubits.QubitSettings`.
        sample_fraction: which part of the sifted rounds "sample" discloses, 10^-6 ... 0.999.

    >>> import qkdpost as qp
    >>> link = qp.LinkConfig(protocol=qp.BB84(test="sample", sample_fraction=0.2))
    >>> link.protocol.kind
    'bb84'
    """


PROTOCOL: Protocol[BB84, Tally | SampledTally, QubitBoundSettings] = Protocol(
    settings=BB84,
    alice_records=PreparedPulses,
    bob_records=Detections,
    reference="alice",
    stages=PREPARE_AND_MEASURE,
    tally=tally_qubits,
    bound=bb84.apply_bound,
    bound_settings=bound_settings,
    fixed_length=FIXED_LENGTH,
)
