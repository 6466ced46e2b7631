"""What the bounds take for granted, in words; each bound lists those that it needs.

A bound cannot check these: they are properties of devices and of the way in which the rest of the library, or its
user, conducts the protocol. They are stated once, here, so that the same condition has the same words everywhere.
"""

from __future__ import annotations

__all__ = [
    "AUTHENTICATED",
    "BASIS_CHOICE",
    "BASIS_INDEPENDENT_DETECTION",
    "ERROR_PATTERN_PUBLIC",
    "FIXED_BEFORE_DATA",
    "PREPARED_QUBITS",
    "SQUASHED_RECEIVER",
    "SQUASHED_RECEIVERS",
    "TRUSTED_LABORATORIES",
    "UNTRUSTED_SOURCE",
]

BASIS_CHOICE = "bases are chosen at random, independently from round to round, and announced only after detection"
BASIS_INDEPENDENT_DETECTION = (
    "whether a round is detected does not depend on the basis (equal efficiencies; no efficiency mismatch)"
)
SQUASHED_RECEIVER = (
    "the receiver's double clicks got a random bit and none was discarded, so that its measurement acts as one on "
    "a qubit, which the argument for a public error pattern needs"
)
SQUASHED_RECEIVERS = (
    "double clicks on either side got a random bit and none was discarded, so that both measurements act as ones "
    "on a qubit, which the argument for a public error pattern needs"
)
PREPARED_QUBITS = "the source sends single photons in the four states of two conjugate bases, without side channel"
UNTRUSTED_SOURCE = "nothing is assumed of the source of pairs; it may be the eavesdropper's"
TRUSTED_LABORATORIES = "devices send nothing out that the protocol does not; the random generators are uniform"
ERROR_PATTERN_PUBLIC = (
    "two-way correction: the error pattern is given to the eavesdropper and every parity of the reference's key is "
    "in the leakage; the corrector's parities then say nothing more"
)
AUTHENTICATED = "the classical conversation is authenticated; what a forgery adds is accounted for as its own epsilon"
FIXED_BEFORE_DATA = (
    "block sizes, tolerated error rate and leakage were fixed before the data were seen, and the block is aborted "
    "when it does not meet them"
)
