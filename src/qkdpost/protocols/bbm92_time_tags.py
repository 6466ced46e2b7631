"""BBM92 with time tags: both sides measure halves of entangled pairs and record when."""

from __future__ import annotations

from qkdpost.checks import keep, real_number
from qkdpost.dialogue.messages import CalibrationClicks, DetectionReport, SiftReply, WindowChoice
from qkdpost.errors import ConfigurationError
from qkdpost.protocols.protocol import Protocol, ProtocolSettings
from qkdpost.protocols.qubits import FIXED_LENGTH, bound_settings, tally_bases
from qkdpost.records import TimeTags
from qkdpost.security.qubits import bbm92
from qkdpost.security.qubits.settings import QubitBoundSettings
from qkdpost.security.qubits.tally import Tally
from qkdpost.sifting.time_tags.conversation import answer_time_tags, report_time_tags
from qkdpost.stages.sifting import sifting
from qkdpost.stages.standard import AFTER_SIFTING

__all__ = ["PROTOCOL", "BBM92TimeTags"]


class BBM92TimeTags(ProtocolSettings, frozen=True, kw_only=True, tag="bbm92-time-tags"):
    """Settings of BBM92 where both sides record time tags.

    Args:
        dead_time_ps: for how long a detector recovers after a click, at most, 0 ... 10^12. Events closer than this to
            any click are left out, for then not every detector was ready, and announced times would disclose bits.
        coincidence_window_ps: half the width of the coincidence window, 0 ... 10^9; 0 means found from the data.
        clock_search_ps: the offset of the two clocks is looked for within +- this, at most 10^15; by default 10 s, so
            that taggers need no common start. Clocks that agree to a millisecond are found as soon.
        max_drift_ppm: how much faster one clock may run than the other, within +- this, at most 1000.
        tick_ps: length of the tick in which times are announced, 0.1 ... 10,000; records of other ticks are converted.
            0: both hosts' records must have the same.

    Raises:
        ConfigurationError: a number out of range.

    >>> import qkdpost as qp
    >>> qp.LinkConfig(protocol=qp.BBM92TimeTags(dead_time_ps=50_000.0)).protocol.kind
    'bbm92-time-tags'
    """

    dead_time_ps: float = 0.0
    coincidence_window_ps: float = 0.0
    clock_search_ps: float = 1e13
    max_drift_ppm: float = 100.0
    tick_ps: float = 0.0

    def __post_init__(self) -> None:
        for name, most in _LIMITS.items():
            number = real_number(name, getattr(self, name), least=0.0, most=most, error=ConfigurationError)
            keep(self, name, number)
        if 0.0 < self.tick_ps < 0.1:
            raise ConfigurationError(f"tick_ps must be 0 or at least 0.1; found {self.tick_ps!r}")


_LIMITS = {
    "dead_time_ps": 1e12,
    "coincidence_window_ps": 1e9,
    "clock_search_ps": 1e15,
    "max_drift_ppm": 1e3,
    "tick_ps": 1e4,
}


_STAGES = (
    sifting(
        reporting=report_time_tags,
        answering=answer_time_tags,
        reporting_hears=frozenset({CalibrationClicks, SiftReply}),
        answering_hears=frozenset({DetectionReport, WindowChoice}),
        answerer_measures=True,
    ),
    *AFTER_SIFTING,
)

PROTOCOL: Protocol[BBM92TimeTags, Tally, QubitBoundSettings] = Protocol(
    settings=BBM92TimeTags,
    alice_records=TimeTags,
    bob_records=TimeTags,
    reference="alice",
    stages=_STAGES,
    tally=tally_bases,
    bound=bbm92.apply_bound_to_time_tags,
    bound_settings=bound_settings,
    fixed_length=FIXED_LENGTH,
)
