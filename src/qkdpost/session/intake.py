"""What a session refuses of a record when it is submitted, before any block has to do with it."""

from __future__ import annotations

from typing import Any

from qkdpost.config import LinkConfig
from qkdpost.errors import InputError
from qkdpost.protocols.protocol import Protocol
from qkdpost.records import RawRecord

__all__ = ["check_record"]


def check_record(record: RawRecord, role: str, link: LinkConfig, protocol: Protocol[Any, Any, Any]) -> None:
    """Check that a record is one that this role of such a link submits.

    Raises:
        InputError: a record of another type, too large a record, or one that does not fit the link's settings.
    """
    wanted = protocol.record_type(role)
    if not isinstance(record, wanted):
        raise InputError(
            f"{role} of a {link.protocol.kind} link submits {wanted.__name__}, found {type(record).__name__}"
        )
    if record.events > link.blocks.max_detections:
        raise InputError(
            f"a record of {record.events} detections exceeds max_detections ({link.blocks.max_detections}); "
            "submit it in pieces"
        )
    record.check_for(link.protocol)
