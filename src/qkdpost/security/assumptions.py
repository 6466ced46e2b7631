"""What the bounds take for granted, in words; each bound lists those that it needs.

A bound cannot check these: they are properties of devices and of the way in which the rest of the library, or its
user, conducts the protocol. They are stated once, here, so that the same condition has the same words everywhere.
"""

from __future__ import annotations

__all__ = [
    "ANNOUNCED_TIMES",
    "AUTHENTICATED",
    "BASIS_CHOICE",
    "BASIS_INDEPENDENT_DETECTION",
    "BOUNDED_MISMATCH",
    "CLICKS_IN_BOTH_BASES",
    "DETECTORS_READY",
    "ERROR_PATTERN_PUBLIC",
    "FIXED_BEFORE_DATA",
    "ONE_WAY",
    "PHASE_RANDOMISED_PULSES",
    "PHOTONS_WITHOUT_COHERENCE",
    "PREPARED_QUBITS",
    "PULSES_FIXED",
    "RECORDS_BY_THE_CLOCK",
    "SAMPLE_OF_BOTH_BASES",
    "SOURCE_ASSUMED",
    "SOURCE_MONITORED",
    "SQUASHED_RECEIVER",
    "SQUASHED_RECEIVERS",
    "THRESHOLDS_ARE_THE_COUNTS",
    "TRUSTED_LABORATORIES",
    "UNTRUSTED_SOURCE",
]

BASIS_CHOICE = "bases are chosen at random, independently from round to round, and announced only after detection"
BASIS_INDEPENDENT_DETECTION = (
    "whether a round is detected does not depend on the basis (equal efficiencies; no efficiency mismatch)"
)
DETECTORS_READY = (
    "a round counts only if every detector of its receiver was ready: none was recovering from an earlier click"
)
ANNOUNCED_TIMES = (
    "times that are announced, with each detector's delay taken off, do not depend on the outcome: detectors of one "
    "receiver have jitter of one shape"
)
CLICKS_IN_BOTH_BASES = (
    "where a beam splitter chooses the basis, clicks in both bases got a random one, and this makes a qubit of the "
    "measurement as well; that is proven for double clicks of one basis only"
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
SAMPLE_OF_BOTH_BASES = (
    "the probabilities of the bases are the same in every round, and the compared rounds were drawn at random from "
    "all sifted ones, after detection"
)
TRUSTED_LABORATORIES = "devices send nothing out that the protocol does not; the random generators are uniform"
ERROR_PATTERN_PUBLIC = (
    "two-way correction: the error pattern is given to the eavesdropper and every parity of the reference's key is "
    "in the leakage; the corrector's parities then say nothing more"
)
AUTHENTICATED = "the classical conversation is authenticated; what a forgery adds is accounted for as its own epsilon"
ONE_WAY = "one-way correction: nothing that depends on the corrector's key was published but what the leakage counts"
PHASE_RANDOMISED_PULSES = (
    "pulses are phase-randomised with Poissonian photon numbers; intensities are as stated, and chosen at random, "
    "independently of basis, bit and earlier pulses; no side channel tells them apart"
)
PHOTONS_WITHOUT_COHERENCE = (
    "pulses are emitted independently and alike, without coherence between photon numbers; the stated mean photon "
    "number and g2 are upper limits at the channel's input"
)
BOUNDED_MISMATCH = (
    "the two detectors differ by no more than stated, whatever the eavesdropper sends (one mode), and bases are "
    "chosen actively"
)
RECORDS_BY_THE_CLOCK = (
    "where a record begins and ends was decided without regard to what was sent or detected, as by the clock; which "
    "of them make the block the eavesdropper may have chosen"
)
PULSES_FIXED = "the first and the last pulse of the block were fixed before the first was sent"
SOURCE_ASSUMED = "brightness and g2 of the source are taken from a calibration and assumed to hold for this block"
SOURCE_MONITORED = "brightness and g2 of the source were monitored during this block; the limits hold for it"
THRESHOLDS_ARE_THE_COUNTS = (
    "the counts and the leakage that are given were the acceptance thresholds, set before the data were seen; a "
    "length computed from what was observed is not covered by this fixed-length bound"
)
FIXED_BEFORE_DATA = (
    "the thresholds (block sizes or least counts, worst error rate, most leakage) were fixed before the data were "
    "seen, and the block is aborted when it does not meet them"
)
