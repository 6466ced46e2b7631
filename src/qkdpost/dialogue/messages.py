"""What passes between the two hosts: typed, frozen, bounded; bytes are made of it in `session.codec` alone.

Every message of a block carries the block's number. Bit vectors travel packed, lowest bit of each byte first,
as in `Bits.to_bytes`; their lengths follow from what both hosts know and are checked by the stage that takes them.
The bounds given here are absolute; the stages know tighter ones. The number in `tag` stands for the type on the
wire and is never reused.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from qkdpost.dialogue.message_fields import (
    AccumulatedEpsilon,
    BlockNumber,
    Count,
    Octets16,
    Octets32,
    PartsPerMillion,
    Tick,
)
from qkdpost.dialogue.quadrature_messages import (
    AnnouncedMoments,
    DisclosedSymbols,
    FrameFlags,
    FrameRotations,
    FrameSlices,
    FrameSyndrome,
    QuadratureChoices,
    ReversePlan,
    SymbolRequest,
)

__all__ = [
    "OLDEST_PROTOCOL_VERSION",
    "PROTOCOL_VERSION",
    "UNFIT_RECORD",
    "Abort",
    "AbortReason",
    "Alive",
    "AnnouncedMoments",
    "BlockMessage",
    "BlockOpen",
    "BlockTag",
    "BlockVerdict",
    "CalibrationClicks",
    "Close",
    "ComparedBits",
    "Confirmation",
    "CorrectionRound",
    "CorrectionStart",
    "DetectionReport",
    "DisclosedSymbols",
    "FrameFlags",
    "FrameRotations",
    "FrameSlices",
    "FrameSyndrome",
    "FrameTags",
    "FrameVerdict",
    "Hello",
    "LengthProposal",
    "Message",
    "QuadratureChoices",
    "Ready",
    "RecordsHeld",
    "ReversePlan",
    "SampleSeed",
    "SegmentEntry",
    "SiftReply",
    "SymbolRequest",
    "WindowChoice",
]

PROTOCOL_VERSION = 3
"""The newest that this release speaks."""
OLDEST_PROTOCOL_VERSION = 3
"""And the oldest. A version whose tags, or what it discloses before them, are found to be weak must be none of these:
whoever is on the line can have two hosts try it (see docs/wire.md)."""


class AbortReason(IntEnum):
    """Why a block ended without key.

    Members:
        NO_KEY_LEFT: the bound leaves no key; its terms say what ate it.
        TOO_FEW_BITS: too few sifted bits to test and to correct.
        VERIFICATION_FAILED: the corrected keys differ.
        RECORDS_DISAGREE: the two hosts' raw records do not belong together.
        LENGTH_REFUSED: the peer proposed more key than this host's own bound allows.
        KEY_POOL_EXHAUSTED: too little authentication key is left to authenticate the block.
        AUTHENTICATION_FAILED: a tag was wrong.
        PROTOCOL_ERROR: the connection broke the protocol while the block was in flight.
        CONNECTION_LOST: the connection ended while the block was in flight.
        NO_COINCIDENCES: the two hosts' time tags show no common events.
        DETECTOR_UNFIT: in one host's own record, a detector never clicked, or far more rarely than its partner.
        BITS_NOT_RANDOM: in one host's own record, bits or outcomes are constant, periodic or too uneven.
        BASES_NOT_RANDOM: in one host's own record, bases are missing, periodic, or their shares changed.
        INTENSITIES_NOT_RANDOM: in one host's own record, they are periodic, or have not the link's probabilities.
        RECORD_UNUSABLE: one host could not work on its own record, as if it was altered after it was submitted.

    >>> assert AbortReason(2).name == "TOO_FEW_BITS"
    """

    NO_KEY_LEFT = 1
    TOO_FEW_BITS = 2
    VERIFICATION_FAILED = 3
    RECORDS_DISAGREE = 4
    LENGTH_REFUSED = 5
    KEY_POOL_EXHAUSTED = 6
    AUTHENTICATION_FAILED = 7
    PROTOCOL_ERROR = 8
    CONNECTION_LOST = 9
    NO_COINCIDENCES = 10
    DETECTOR_UNFIT = 11
    BITS_NOT_RANDOM = 12
    BASES_NOT_RANDOM = 13
    INTENSITIES_NOT_RANDOM = 14
    RECORD_UNUSABLE = 15


UNFIT_RECORD = frozenset(
    {
        AbortReason.DETECTOR_UNFIT,
        AbortReason.BITS_NOT_RANDOM,
        AbortReason.BASES_NOT_RANDOM,
        AbortReason.INTENSITIES_NOT_RANDOM,
        AbortReason.RECORD_UNUSABLE,
        AbortReason.RECORDS_DISAGREE,
    }
)
"""Why a host does not take its own record; nor will any other block. If the peer has none under that number, it never
will: to claim the record again and again would use up the authentication key."""


class SegmentEntry(Struct, frozen=True, array_like=True):
    """One segment of a key pool as its owner sees it: name, first unspent byte, length in bytes."""

    identifier: Octets16
    next_offset: Count
    length: Count


class Hello(Struct, frozen=True, array_like=True, tag=0):
    """The first message of a connection, from both: who speaks, under which configuration, with which pads.

    The fields of every release begin with these, in this order, so that any other release can read them and say what is
    wrong; what a newer one appends is not read. `version` is the newest that the sender speaks, `oldest_version` the
    oldest (None: it speaks one alone). `altered` names the fields of `configuration` that are not at their default.
    `accumulated_epsilon` is that of the sender's pool. All of it is believed when a tag over the greeting was right.
    """

    version: Count
    role: Annotated[str, Meta(max_length=8)]
    nonce: Octets16
    configuration: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]], Meta(max_length=256)
    ]
    segments: Annotated[tuple[SegmentEntry, ...], Meta(max_length=4096)]
    accumulated_epsilon: AccumulatedEpsilon
    oldest_version: Count | None = None
    release: Annotated[str, Meta(max_length=32)] = ""
    altered: Annotated[tuple[Annotated[str, Meta(max_length=64)], ...], Meta(max_length=256)] = ()


class Ready(Struct, frozen=True, array_like=True, tag=18):
    """The answer to a greeting: it was heard. Before this no block is opened and no pad is spent."""

    nonce: Octets16


class Alive(Struct, frozen=True, array_like=True, tag=29):
    """Nothing is to be said, and this host's driver runs: so that silence tells of a dead line. Never answered."""


class Close(Struct, frozen=True, array_like=True, tag=1):
    """The opener has no more records and no block in flight: the connection may end."""


class BlockOpen(Struct, frozen=True, array_like=True, tag=2):
    """The opener starts a block over `records` submitted records from `first_record` on, and names its pads.

    `commitment` is drawn when the opener's records are in. Nobody else can have opened the block before: what the peer
    discloses of its own records in answer was not disclosed while the opener's were still being measured. Whoever
    forges an opening ahead must guess what will be drawn: 2^-256, beside which the tags' own bound is large.
    `accumulated_epsilon` is that of the opener's pool, this block among what it counts.
    """

    block: BlockNumber
    first_record: Count
    records: Annotated[int, Meta(ge=1, le=2**16)]
    segment: Octets16
    offset: Count
    commitment: Octets32
    accumulated_epsilon: AccumulatedEpsilon


class Abort(Struct, frozen=True, array_like=True, tag=3):
    """The block ends without key; sent back by the other host so that both know that nothing more comes."""

    block: BlockNumber
    reason: AbortReason


class RecordsHeld(Struct, frozen=True, array_like=True, tag=19):
    """The answering host holds its own records of all rounds of the block: the opener may disclose its bases now.

    Where both hosts measure, a source that knew one side's bases before the other had measured would get the whole key
    without an error. `nonce` is drawn when the last of the records is in, and the tags cover it: as with `BlockOpen`,
    it cannot have been sent before. A host that prepares does not say this: see `stages.sifting`.
    """

    block: BlockNumber
    nonce: Octets32


class CalibrationClicks(Struct, frozen=True, array_like=True, tag=4):
    """Part of the time tags of the sender's test basis with their outcomes, for calibration; disclosed whole anyway.

    `first_tick` and `span_ticks` are those of the clicks in this part, which can thus be read without the others.
    """

    block: BlockNumber
    record: Count
    part: Count
    last: bool
    count: Count
    first_tick: Tick
    span_ticks: Count
    tick_ps: Annotated[float, Meta(ge=1e-3, le=1e12)]
    ticks: bytes
    outcomes: bytes


class WindowChoice(Struct, frozen=True, array_like=True, tag=17):
    """Half the width of the coincidence window of a record, in the ticks of `CalibrationClicks`."""

    block: BlockNumber
    record: Count
    window_ticks: Annotated[int, Meta(ge=0, le=2**40)]


class DetectionReport(Struct, frozen=True, array_like=True, tag=5):
    """Part of the slots (or corrected ticks) and bases of the opener's detections in one record.

    `span` is what the whole record covers; this part covers what lies between the end of the part before and `end`.
    """

    block: BlockNumber
    record: Count
    part: Count
    last: bool
    span: Count
    end: Count
    count: Count
    slots: bytes
    bases: bytes


class SiftReply(Struct, frozen=True, array_like=True, tag=6):
    """Which detections of the report of the same part both hosts keep, one bit each.

    `rounds` counts, in the first part, the detections of the whole record that the sender also saw, whatever the bases.
    `labels` holds, with decoy states, the intensities of those kept: bit 0 of all, then bit 1 of all, as needed.
    """

    block: BlockNumber
    record: Count
    part: Count
    rounds: Count
    matched: bytes
    labels: bytes


class SampleSeed(Struct, frozen=True, array_like=True, tag=7):
    """The seed, drawn after sifting, from which both derive the rounds that are compared in public."""

    block: BlockNumber
    key_bits: Count
    test_bits: Count
    seed: Octets32


class ComparedBits(Struct, frozen=True, array_like=True, tag=8):
    """The sender's outcomes of the test rounds, and of the key-basis rounds that set up correction."""

    block: BlockNumber
    test: bytes
    setup: bytes


class CorrectionStart(Struct, frozen=True, array_like=True, tag=9):
    """How the key will be corrected, as the corrector proposes: method, error rate assumed, and seed of what is random.

    `method` is 0 for Cascade, and one more than the index of the code for LDPC.
    """

    block: BlockNumber
    method: Annotated[int, Meta(ge=0, le=2**16)]
    qber_ppm: PartsPerMillion
    seed: Octets32


class CorrectionRound(Struct, frozen=True, array_like=True, tag=10):
    """What the sender discloses in one round of correction; what it means is the method's, and known to both hosts.

    `bits` says how many bits `data` holds, or is None where it holds something else than bits.
    """

    block: BlockNumber
    round: Count
    bits: Count | None
    data: bytes


class FrameTags(Struct, frozen=True, array_like=True, tag=11):
    """Universal hashes of the reference's frames, under a fresh key."""

    block: BlockNumber
    hash_key: Octets32
    tags: bytes


class FrameVerdict(Struct, frozen=True, array_like=True, tag=12):
    """Which frames the corrector found equal, one bit each; and what is public of the errors, if anything is.

    Where correction was two-way, the error pattern counts as published: `corrected` is how many errors were found,
    and `errors` how many bits of each intensity are wrong, or unknown because dropped. Else both are empty.
    """

    block: BlockNumber
    equal: bytes
    corrected: Count | None
    errors: Annotated[tuple[Count, ...], Meta(max_length=8)]


class BlockTag(Struct, frozen=True, array_like=True, tag=13):
    """A universal hash of the block or of the frames kept, under a fresh key, as long as correctness epsilon asks."""

    block: BlockNumber
    hash_key: Octets32
    tag: Annotated[bytes, Meta(max_length=16)]


class BlockVerdict(Struct, frozen=True, array_like=True, tag=14):
    """Whether the corrector found the whole block equal, and how many bits its own bound then allows."""

    block: BlockNumber
    equal: bool
    bound_bits: Count


class LengthProposal(Struct, frozen=True, array_like=True, tag=15):
    """The length that the reference's bound allows, its ledger, and the Toeplitz seed."""

    block: BlockNumber
    length_bits: Annotated[int, Meta(ge=1, le=2**53)]
    ledger: Annotated[tuple[Count, ...], Meta(max_length=32)]
    seed: bytes


class Confirmation(Struct, frozen=True, array_like=True, tag=16):
    """A Wegman-Carter tag over all that either host sent for the block so far."""

    block: BlockNumber
    step: Annotated[int, Meta(ge=0, le=2)]
    tag: Octets16


BlockMessage: TypeAlias = (
    BlockOpen
    | Abort
    | CalibrationClicks
    | RecordsHeld
    | DetectionReport
    | SiftReply
    | SampleSeed
    | ComparedBits
    | CorrectionStart
    | CorrectionRound
    | FrameTags
    | FrameVerdict
    | BlockTag
    | BlockVerdict
    | LengthProposal
    | Confirmation
    | WindowChoice
    | SymbolRequest
    | QuadratureChoices
    | DisclosedSymbols
    | ReversePlan
    | FrameRotations
    | FrameSlices
    | FrameSyndrome
    | FrameFlags
    | AnnouncedMoments
)
Message: TypeAlias = Hello | Ready | Alive | Close | BlockMessage
