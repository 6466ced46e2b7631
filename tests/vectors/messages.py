"""One message of each type, with values that show how it is laid out, and its frame."""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping

import msgspec

from qkdpost.dialogue.messages import (
    PROTOCOL_VERSION,
    Abort,
    AbortReason,
    Alive,
    AnnouncedMoments,
    BlockOpen,
    BlockTag,
    BlockVerdict,
    CalibrationClicks,
    Close,
    ComparedBits,
    Confirmation,
    CorrectionRound,
    CorrectionStart,
    DetectionReport,
    DisclosedSymbols,
    FrameFlags,
    FrameRotations,
    FrameSlices,
    FrameSyndrome,
    FrameTags,
    FrameVerdict,
    Hello,
    LengthProposal,
    Message,
    QuadratureChoices,
    Ready,
    RecordsHeld,
    ReversePlan,
    SampleSeed,
    SegmentEntry,
    SiftReply,
    SymbolRequest,
    WindowChoice,
)
from reference import messagepack

OCTETS_16 = bytes(range(16))
OCTETS_32 = bytes(range(0x80, 0xA0))

SAMPLES: tuple[Message, ...] = (
    Hello(
        version=PROTOCOL_VERSION,
        role="bob",
        nonce=OCTETS_16,
        configuration={"epsilon": "1e-10", "test": "'basis'"},
        segments=(SegmentEntry(identifier=bytes(16), next_offset=48, length=4064),),
        accumulated_epsilon=1e-9,
        oldest_version=PROTOCOL_VERSION,
        release="0.1.0",
        altered=("epsilon",),
    ),
    Close(),
    BlockOpen(
        block=0,
        first_record=300,
        records=2,
        segment=bytes(16),
        offset=48,
        commitment=OCTETS_32,
        accumulated_epsilon=3e-10,
    ),
    Abort(block=3, reason=AbortReason.NO_KEY_LEFT),
    CalibrationClicks(
        block=70_000,
        record=5,
        part=0,
        last=True,
        count=9,
        first_tick=-(2**40),
        span_ticks=2**33,
        tick_ps=15.625,
        ticks=bytes.fromhex("0123456789abcdef"),
        outcomes=bytes.fromhex("5501"),
    ),
    DetectionReport(
        block=1,
        record=2,
        part=3,
        last=False,
        span=10**9,
        end=65_536,
        count=12,
        slots=bytes.fromhex("fedcba9876543210"),
        bases=bytes.fromhex("c305"),
    ),
    SiftReply(block=1, record=2, part=0, rounds=127, matched=bytes.fromhex("0f"), labels=b""),
    SampleSeed(block=1, key_bits=128, test_bits=255, seed=OCTETS_32),
    ComparedBits(block=1, test=b"", setup=bytes.fromhex("00ff")),
    CorrectionStart(block=1, method=41, qber_ppm=12_345, seed=OCTETS_32),
    CorrectionRound(block=2**53, round=0, bits=2400, data=bytes(300)),
    FrameTags(block=1, hash_key=OCTETS_32, tags=bytes.fromhex("a5a5a5")),
    FrameVerdict(block=1, equal=bytes.fromhex("03"), corrected=77, errors=(70, 7)),
    BlockTag(block=1, hash_key=OCTETS_32, tag=OCTETS_16[:7]),
    BlockVerdict(block=1, equal=True, bound_bits=2**32),
    LengthProposal(block=1, length_bits=1000, ledger=(256, 0, 24, 1, 50, 1, 0, 0, 1664), seed=bytes(range(256)) * 2),
    Confirmation(block=1, step=2, tag=OCTETS_16),
    WindowChoice(block=1, record=2, window_ticks=640),
    Ready(nonce=OCTETS_16),
    Alive(),
    SymbolRequest(block=1, symbols=40_000_000, seed=OCTETS_32),
    QuadratureChoices(block=1, part=2, choices=b"\xa5\x01"),
    DisclosedSymbols(block=1, part=0, symbols=bytes.fromhex("0000803f000000c0")),
    ReversePlan(
        block=1,
        plan=bytes.fromhex("a0000000"),
        gain=0.3125,
        noise_variance=0.75,
        centre=(0.5, -0.25),
        matrix=(1.0, 0.0, 0.0, 1.5),
    ),
    FrameRotations(block=1, frame=3, part=1, data=OCTETS_16),
    FrameSyndrome(block=1, frame=3, step=0, data=b"\x0f\xf0"),
    FrameSlices(block=1, frame=3, data=bytes.fromhex("ff7f0080010007000000ff55aa")),
    FrameFlags(block=1, first_frame=0, step=1, flags=b"\x07"),
    AnnouncedMoments(block=1, counts=(100, 100), sums=(0.5, -2.0, 1e9)),
    RecordsHeld(block=1, nonce=OCTETS_32),
)


def all_types() -> tuple[type[msgspec.Struct], ...]:
    """Return every type of message that the wire knows, from the union itself."""
    return typing.get_args(Message)


def plain(value: object) -> object:
    """Return what JSON can hold: bytes in hexadecimal digits, a record as its fields by name."""
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def packed(message: msgspec.Struct) -> bytes:
    """Return the frame of a message, made without the library: number of the type, then the fields in order."""
    return messagepack.frame(messagepack.pack([message.__struct_config__.tag, *_items(message)]))


def _items(record: msgspec.Struct) -> list[object]:
    fields = (getattr(record, name) for name in record.__struct_fields__)
    return [_packable(value) for value in fields]


def _packable(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return _items(value)
    if isinstance(value, tuple | list):
        return [_packable(item) for item in value]
    return value


def build() -> list[dict[str, object]]:
    """Return all messages by the number of their type."""
    ordered = sorted(SAMPLES, key=lambda message: int(message.__struct_config__.tag))
    return [
        {
            "type": type(message).__name__,
            "tag": message.__struct_config__.tag,
            "fields": plain(message),
            "frame": packed(message).hex(),
        }
        for message in ordered
    ]
