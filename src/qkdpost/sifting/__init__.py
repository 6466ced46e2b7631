"""From raw records of both sides to sifted keys: what each side does alone, and what they announce to each other."""

from __future__ import annotations

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
from qkdpost.sifting.quadratures.calibration import CalibrationSums
from qkdpost.sifting.slots.coding import decode_slots, decode_times, encode_slots, encode_times
from qkdpost.sifting.slots.coincident import SlotMatch, match_detections
from qkdpost.sifting.slots.prepared import match_prepared, sift_detections, sift_prepared
from qkdpost.sifting.symbol_files import load_coherent_states, load_quadrature_outcomes
from qkdpost.sifting.tag_files import load_own_time_tags, load_time_tags, sort_time_tags, unwrap_ticks
from qkdpost.sifting.time_tags.clock import ClockModel, NoCoincidencePeak
from qkdpost.sifting.time_tags.matching import PairedTags, pair_time_tags

__all__ = [
    "Alignment",
    "AlignmentPattern",
    "CalibrationSums",
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
    "load_coherent_states",
    "load_own_time_tags",
    "load_quadrature_outcomes",
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


def __dir__() -> list[str]:
    """Offer the public names alone."""
    return sorted(__all__)
