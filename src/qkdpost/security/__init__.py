"""How many bits of a block are secret: one module per kind of QKD, each with `secret_length`.

Every result names its bound, its form (fixed- or variable-length), the attacks that it holds against, what it
assumes, every term, and where each part of epsilon went. Lengths round down; where no key is left, the result says
which term took it.

Correction that answers back
    Two-way correction (Cascade, blind LDPC with feedback) publishes more than the reference's parities. Every set
    that is compared is fixed by public randomness and by earlier mismatches, and a corrector's parity of a set is
    the reference's parity plus that of the error pattern W = X xor Y on it. So the whole conversation is a function
    of W and of the reference's parities, and it is enough to charge these and to hand W to the eavesdropper
    (Tupkary and Luetkenhaus, Phys. Rev. Applied 20, 064040). That W costs nothing in the bounds of this room holds
    under the following conditions, which the lists of assumptions repeat:

    (i) All parities, tags and revealed bits of the reference's key are counted as they are sent; counting dependent
        ones again is safe. The number of messages is then a function of what the eavesdropper has already, and an
        announced error rate of the key as well.
    (ii) The key rounds are pairs of qubits measured in Z. A controlled-NOT from the reference's qubit to the
        corrector's turns W = Z Z into Z of the second qubit alone, and the phase-error observable X X into X of the
        first alone, and leaves Z of the first, the key, as it is. The uncertainty relation for smooth entropies,
        applied to the first qubits with *all* second qubits in the eavesdropper's hands, then gives n less the
        max-entropy of the phase-error pattern: at most n h(e) if no more than n e phases are wrong. Nothing in the
        bound changes, and W, which is a part of what she holds, is free.
    (iii) The corrector's measurement acts as a qubit measurement whose bases are conjugate: active choice of basis,
        equal efficiencies, double clicks replaced by random bits. The uncertainty relation without W would allow
        any receiver with basis-independent loss; with W public this freedom is given up. No proof is known that
        joins a public W with detectors of different efficiency: such results say that correction must be one-way.
    (iv) Rounds in which the source sent nothing give no key: the eavesdropper can cause the corrector's click, and
        W then reveals the reference's bit to her. Bounds with a vacuum term drop it when the ledger says two-way.
        Rounds with several photons give none in any case.
    (v) Verification is counted as with any correction: tags and outcomes.

    The argument of (ii) to (iv) is this library's own, not a quotation of a published theorem: results that rest on it
    say so in `unproven`. Users who reject this argument can restrict correction to one-way, for the kinds whose bound
    then does without it.

Data for choosing the correction
    The error rate that the code or block sizes are chosen by must come from disclosed rounds, which are not key, or
    be covered by (i); a length that depends on a secret error rate would leak it.
"""

from __future__ import annotations

from qkdpost.security import gaussian, single_photon
from qkdpost.security.decoy import bound as decoy_bb84
from qkdpost.security.decoy.acceptance import DecoyAcceptance
from qkdpost.security.decoy.detector_mismatch import DetectorMismatch
from qkdpost.security.decoy.ranges.sensitivity import IntensitySensitivity, intensity_sensitivity
from qkdpost.security.decoy.settings import DecoyBoundSettings
from qkdpost.security.decoy.tally import DecoyTally
from qkdpost.security.disclosed import Bound, Disclosed
from qkdpost.security.epsilon import Epsilon, EpsilonLedger, EpsilonTerm
from qkdpost.security.gaussian.acceptance import GaussianAcceptance
from qkdpost.security.gaussian.settings import GaussianBoundSettings
from qkdpost.security.gaussian.tally import GaussianTally
from qkdpost.security.leakage import expected_leakage
from qkdpost.security.qubits import bb84, bbm92
from qkdpost.security.qubits.acceptance import QubitAcceptance
from qkdpost.security.qubits.settings import QubitBoundSettings
from qkdpost.security.qubits.tally import SampledTally, Tally
from qkdpost.security.result import SecretLength, Term, at_fixed_length
from qkdpost.security.single_photon.settings import SinglePhotonBoundSettings
from qkdpost.security.single_photon.tally import SinglePhotonTally
from qkdpost.statistics.entropy import binary_entropy, inverse_binary_entropy

__all__ = [
    "Bound",
    "DecoyAcceptance",
    "DecoyBoundSettings",
    "DecoyTally",
    "DetectorMismatch",
    "Disclosed",
    "Epsilon",
    "EpsilonLedger",
    "EpsilonTerm",
    "GaussianAcceptance",
    "GaussianBoundSettings",
    "GaussianTally",
    "IntensitySensitivity",
    "QubitAcceptance",
    "QubitBoundSettings",
    "SampledTally",
    "SecretLength",
    "SinglePhotonBoundSettings",
    "SinglePhotonTally",
    "Tally",
    "Term",
    "at_fixed_length",
    "bb84",
    "bbm92",
    "binary_entropy",
    "decoy_bb84",
    "expected_leakage",
    "gaussian",
    "intensity_sensitivity",
    "inverse_binary_entropy",
    "single_photon",
]


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
