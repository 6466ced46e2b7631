"""Pulse numbers of a receiver that has time tags: the sync or the clicks as a clock, gates, encodings, alignment."""

from __future__ import annotations

from qkdpost.sifting.pulse_numbering.alignment import Alignment, NoAlignment, align
from qkdpost.sifting.pulse_numbering.encoding import PulseEncoding
from qkdpost.sifting.pulse_numbering.numbering import pulse_numbers
from qkdpost.sifting.pulse_numbering.pattern import AlignmentPattern, alignment_pattern
from qkdpost.sifting.pulse_numbering.record import DetectorCount, PulseRecord
from qkdpost.sifting.pulse_numbering.sync import SyncCount

__all__ = [
    "Alignment",
    "AlignmentPattern",
    "DetectorCount",
    "NoAlignment",
    "PulseEncoding",
    "PulseRecord",
    "SyncCount",
    "align",
    "alignment_pattern",
    "pulse_numbers",
]
