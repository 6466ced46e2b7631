"""The kinds of QKD, one file each: settings, records, stages, tally and bound.

`PROTOCOLS` lists them. A kind from outside the package derives its settings from `ProtocolSettings`, describes itself
by a `Protocol`, and is registered by one more entry, under the name that is its settings' tag.
"""

from __future__ import annotations

from qkdpost.protocols.protocol import Protocol, ProtocolSettings
from qkdpost.protocols.table import PROTOCOLS

__all__ = ["PROTOCOLS", "Protocol", "ProtocolSettings"]
