"""From raw records of both sides to sifted keys: what each side does alone, and what they tell each other."""

from __future__ import annotations

from qkdpost.sifting.bb84 import match_prepared, sift_detections, sift_prepared
from qkdpost.sifting.bbm92 import SlotMatch, match_detections
from qkdpost.sifting.clock import ClockModel, NoCoincidencePeak
from qkdpost.sifting.coincidence import PairedTags, pair_time_tags
from qkdpost.sifting.pulse_numbering import (
    Alignment,
    AlignmentPattern,
    NoAlignment,
    PulseEncoding,
    PulseRecord,
    align,
    alignment_pattern,
    pulse_numbers,
)
from qkdpost.sifting.slot_coding import decode_slots, decode_times, encode_slots, encode_times
from qkdpost.sifting.tag_files import load_own_time_tags, load_time_tags, sort_time_tags, unwrap_ticks

__all__ = [
    "Alignment",
    "AlignmentPattern",
    "ClockModel",
    "NoAlignment",
    "NoCoincidencePeak",
    "PairedTags",
    "PulseEncoding",
    "PulseRecord",
    "SlotMatch",
    "align",
    "alignment_pattern",
    "decode_slots",
    "decode_times",
    "encode_slots",
    "encode_times",
    "load_own_time_tags",
    "load_time_tags",
    "match_detections",
    "match_prepared",
    "pair_time_tags",
    "pulse_numbers",
    "sift_detections",
    "sift_prepared",
    "sort_time_tags",
    "unwrap_ticks",
]
