"""What the bounds take for granted, in words; each bound lists those that it needs.

A bound cannot check these: they are properties of devices and of the way in which the rest of the library, or its
user, conducts the protocol. They are stated once, here, so that the same condition has the same words everywhere.

The last ones are no conditions but steps of a proof that no published theorem covers: a result that rests on one names
it in `unproven`. Most are arguments of this library's own, written down where the text says; one has not
been proven at all.
"""

from __future__ import annotations

__all__ = [
    "ANNOUNCED_TIMES",
    "AUTHENTICATED",
    "BASES_SECRET_WHILE_MEASURING",
    "BASIS_CHOICE",
    "BASIS_INDEPENDENT_DETECTION",
    "BOUNDED_MISMATCH",
    "CLICKS_IN_BOTH_BASES",
    "CONJUGATE_MEASUREMENTS",
    "CONJUGATE_STATES",
    "DERIVED_CONSTANT",
    "DETECTORS_READY",
    "DETECTOR_ARGUMENT",
    "DETECTOR_CONSEQUENCE",
    "ENDS_BY_DETECTIONS",
    "ERROR_PATTERN_PUBLIC",
    "FIXED_BEFORE_DATA",
    "INTENSITIES_AS_STATED",
    "INTENSITIES_WITHIN",
    "ONE_WAY",
    "ONE_WAY_THEOREM_TWO_WAYS",
    "PARTIAL_STATES",
    "PHASE_RANDOMISED_PULSES",
    "PHOTONS_WITHOUT_COHERENCE",
    "PREPARED_QUBITS",
    "PUBLIC_PATTERN_ARGUMENT",
    "PULSES_FIXED",
    "RECORDS_BY_THE_CLOCK",
    "SAMPLE_OF_BOTH_BASES",
    "SINGLE_PHOTON_ARGUMENT",
    "SOURCE_ASSUMED",
    "SOURCE_MONITORED",
    "SQUASHED_RECEIVER",
    "SQUASHED_RECEIVERS",
    "THRESHOLDS_ARE_THE_COUNTS",
    "TRUSTED_LABORATORIES",
    "UNTRUSTED_SOURCE",
]

BASIS_CHOICE = (
    "bases are chosen at random, independently from round to round and with the same probabilities in every round of a "
    "block, and announced only after detection"
)
ENDS_BY_DETECTIONS = (
    "where the block begins and ends was decided by detections or the clock, never by bases, outcomes or intensities"
)
BASES_SECRET_WHILE_MEASURING = (
    "neither side's bases were known outside of its laboratory while the other side was still measuring the same rounds"
)
CONJUGATE_MEASUREMENTS = (
    "on either side the two measurements act as ones of a qubit in two conjugate bases, with an overlap of 1/2"
)
CONJUGATE_STATES = (
    "each photon carries its bit in one of two conjugate bases, prepared without flaw: whatever the photon number, a "
    "pulse averaged over its bit is the same in both, and no side channel distinguishes them"
)
BASIS_INDEPENDENT_DETECTION = (
    "whether a round is detected does not depend on the basis (equal efficiencies; no efficiency mismatch)"
)
DETECTOR_CONSEQUENCE = (
    "were the receiver's two detectors mismatched, this length would be too long: by what is known for decoy states, "
    "efficiencies that deviate by 1 % from their nominal value may hide some 0.04 of the phase-error rate"
)
DETECTORS_READY = (
    "a round counts only if every detector of its receiver was ready: none was recovering from an earlier click; and "
    "which rounds count does not reveal earlier outcomes, which light that is aimed at one detector within its dead "
    "time could bring about"
)
ANNOUNCED_TIMES = (
    "times that are announced, with each detector's delay taken off, do not depend on the outcome: detectors of one "
    "receiver have jitter of one shape"
)
CLICKS_IN_BOTH_BASES = (
    "where a beam splitter chooses the basis, clicks in both bases got a random one, and this makes a qubit of the "
    "measurement as well; that is proven for double clicks of one basis only, and not for these"
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
AUTHENTICATED = (
    "the classical conversation is authenticated with a hash key that stays secret for ever; what a forgery adds is "
    "accounted for as its own epsilon. All this is for the block by itself: a key whose authentication was made from "
    "earlier keys is as far from ideal as the epsilons of all blocks add up to, those without key among them"
)
ONE_WAY = "one-way correction: nothing that depends on the corrector's key was published but what the leakage counts"
PHASE_RANDOMISED_PULSES = (
    "pulses are phase-randomised with Poissonian photon numbers; which intensity is meant is chosen at random, with "
    "the same probabilities in every round and independently of basis, bit and earlier pulses; no side channel "
    "distinguishes them"
)
INTENSITIES_AS_STATED = (
    "intensities are exactly as stated. (10 % of undeclared drift gives too long a key: 4 to 10 % with a weaker "
    "signal, 7 to 15 % with a stronger decoy, 17 to 25 % with both, at 10^11 pulses over 20 dB; state intervals, and "
    "see security.intensity_sensitivity)"
)
INTENSITIES_WITHIN = (
    "each pulse's intensity lies in the interval that is stated for it, wherever in there, and does not depend on "
    "the pulse's basis and bit, nor on which intensities, bases and bits were chosen for other pulses"
)
PHOTONS_WITHOUT_COHERENCE = (
    "pulses are emitted independently and from the same distribution, without coherence between photon numbers; the "
    "stated mean photon number and g2 are upper limits at the channel's input"
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

PUBLIC_PATTERN_ARGUMENT = (
    "that the error pattern may be public, as two-way correction makes it, is this library's own argument (the notes "
    "of qkdpost.security, (ii) to (iv))"
)
ONE_WAY_THEOREM_TWO_WAYS = (
    "the bound of that name is a one-way theorem + this library's argument for a public error pattern (the notes of "
    "qkdpost.security, (ii) to (iv))"
)
SINGLE_PHOTON_ARGUMENT = (
    "how pulses with several photons are counted is this library's own argument along known lines (the notes of "
    "qkdpost.security.single_photon.bound)"
)
PARTIAL_STATES = (
    "that decoy events enter epsilon once and not under the root is this library's own argument (accounting "
    "'partial-states', the notes of qkdpost.security.decoy.bound)"
)
DERIVED_CONSTANT = (
    "the constant 17 for two decoys was derived by the bookkeeping that the paper has for one decoy, not read in it"
)
DETECTOR_ARGUMENT = (
    "with mismatched detectors, the exact distribution in the place of Serfling's inequality, and a number of "
    "rounds that is itself a bound, are this library's own argument (the notes of "
    "qkdpost.security.decoy.detector_mismatch)"
)
