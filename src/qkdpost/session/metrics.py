"""What a host counts of a session, as plain numbers by the names that monitoring wants.

Names are in the style of Prometheus, without the prefix that an exporter puts before them: with the unit at the end,
and then `_total` where a number only ever grows while the session lives. Every name is there from the start, at 0.
After a restart counts begin anew, as monitoring expects.
"""

from __future__ import annotations

import math
from typing import get_args

from qkdpost.dialogue.ledger import Cause
from qkdpost.dialogue.messages import AbortReason
from qkdpost.session.blocks.report import BlockReport
from qkdpost.session.events import (
    BlockAborted,
    ConnectionLost,
    Event,
    HandshakeCompleted,
    KeyPoolLow,
    KeyReady,
    LossReason,
)
from qkdpost.single_use import SingleUse

__all__ = ["Counters", "Number"]

Number = int | float

_COUNTS = (
    "keys_total",
    "key_bits_total",
    "blocks_aborted_total",
    "rounds_total",
    "sifted_key_bits_total",
    "sifted_test_bits_total",
    "corrected_bits_total",
    "authentication_bits_total",
    "disclosed_bits_total",
    "connections_total",
    "connections_lost_total",
    "received_bytes_total",
    "sent_bytes_total",
    "records_total",
    "key_pool_low_total",
)


def _aborted(reason: AbortReason) -> str:
    return f"blocks_aborted_{reason.name.lower()}_total"


def _lost(reason: LossReason) -> str:
    return f"connections_lost_{reason.replace('-', '_')}_total"


def _disclosed(cause: str) -> str:
    return f"disclosed_bits_{cause}_total"


class Counters(SingleUse):
    """The numbers that only grow, and what was measured of the last block."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        names = [*_COUNTS, *map(_aborted, AbortReason), *map(_lost, get_args(LossReason))]
        names += [_disclosed(cause.name.lower()) for cause in Cause]
        self.values: dict[str, Number] = dict.fromkeys(names, 0)
        self.values |= {"last_block_qber_ratio": math.nan, "last_block_key_bits": 0}

    def add(self, name: str, count: int) -> None:
        """Count."""
        self.values[name] += count

    def count(self, event: Event) -> None:
        """Count what an event says."""
        match event:
            case HandshakeCompleted():
                self.add("connections_total", 1)
            case ConnectionLost():
                self.add("connections_lost_total", 1)
                self.add(_lost(event.reason), 1)
            case KeyPoolLow():
                self.add("key_pool_low_total", 1)
            case KeyReady():
                self.add("keys_total", 1)
                self.add("key_bits_total", len(event.key))
                self._count_report(event.report)
            case BlockAborted():
                self.add("blocks_aborted_total", 1)
                self.add(_aborted(event.reason), 1)
                self._count_report(event.report)

    def _count_report(self, report: BlockReport) -> None:
        """Count what became of a block, as far as it came."""
        self.add("rounds_total", report.rounds)
        self.add("sifted_key_bits_total", report.sifted_key_bits)
        self.add("sifted_test_bits_total", report.sifted_test_bits)
        self.add("corrected_bits_total", report.corrected_bits)
        self.add("authentication_bits_total", report.authentication_bits)
        for cause, bits in report.ledger.to_dict().items():
            self.add("disclosed_bits_total", bits)
            self.add(_disclosed(cause), bits)
        rate = report.qber_test if report.qber_key is None else report.qber_key
        self.values["last_block_qber_ratio"] = math.nan if rate is None else rate
        self.values["last_block_key_bits"] = report.key_length_bits
