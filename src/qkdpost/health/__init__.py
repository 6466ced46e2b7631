"""A host judges its own record: what it counts in it, and what no honest device would have written.

A proof takes for granted that bits and bases are drawn at random and that all detectors are alive; no error rate shows
when they are not. `summarise` counts, when a record is submitted, what can be counted at next to no cost; `judge` holds
the counts of all records of a block against the `RecordLimits` of the link. These are health tests in the manner of
NIST SP 800-90B (repetition count and adaptive proportion), with one for periods and one for each detector. They find
devices that failed, not an adversary: what passes has not been shown to be random.
"""

from __future__ import annotations

from qkdpost.health.judgement import FALSE_ALARM_BITS, Finding, judge
from qkdpost.health.limits import RecordLimits
from qkdpost.health.quadratures import QuadratureHealth
from qkdpost.health.sequences import SequenceHealth
from qkdpost.health.shown import OwnRecord, show
from qkdpost.health.summary import RecordHealth, add_up, summarise

__all__ = [
    "FALSE_ALARM_BITS",
    "Finding",
    "OwnRecord",
    "QuadratureHealth",
    "RecordHealth",
    "RecordLimits",
    "SequenceHealth",
    "add_up",
    "judge",
    "show",
    "summarise",
]
