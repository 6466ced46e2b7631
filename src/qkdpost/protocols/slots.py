"""The stages of the kinds whose detections have numbered slots."""

from __future__ import annotations

from functools import partial

from qkdpost.dialogue.messages import DetectionReport, SiftReply
from qkdpost.sifting.slots.conversation import answer_slots, match_to_detections, match_to_prepared, report_slots
from qkdpost.stages.sifting import sifting
from qkdpost.stages.standard import AFTER_SIFTING

__all__ = ["BOTH_MEASURE", "PREPARE_AND_MEASURE"]

PREPARE_AND_MEASURE = (
    sifting(
        reporting=report_slots,
        answering=partial(answer_slots, matcher=match_to_prepared),
        reporting_hears=frozenset({SiftReply}),
        answering_hears=frozenset({DetectionReport}),
    ),
    *AFTER_SIFTING,
)
"""The reference prepares, the corrector measures and reports."""
BOTH_MEASURE = (
    sifting(
        reporting=report_slots,
        answering=partial(answer_slots, matcher=match_to_detections),
        reporting_hears=frozenset({SiftReply}),
        answering_hears=frozenset({DetectionReport}),
        answerer_measures=True,
    ),
    *AFTER_SIFTING,
)
"""Both measure what somebody else sent."""
