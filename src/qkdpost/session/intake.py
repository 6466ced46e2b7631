"""What a session refuses of a record when it is submitted, before any block has to do with it."""

from __future__ import annotations

from qkdpost.config import LinkConfig
from qkdpost.errors import InputError
from qkdpost.protocols import PROTOCOLS
from qkdpost.records import PreparedPulses, RawRecords, TimeTags
from qkdpost.session.record_queue import detections_in
from qkdpost.sifting.time_tags.clicks import check_tags

__all__ = ["check_record"]


def check_record(record: RawRecords, role: str, link: LinkConfig) -> None:
    """Check that a record is one that this role of such a link submits.

    Raises:
        InputError: a record of another type, too large a record, time tags that cannot be told, or intensities that
            are not those of the link.
    """
    wanted = PROTOCOLS[link.kind].record_type(role)
    if not isinstance(record, wanted):
        raise InputError(f"{role} of a {link.kind} link submits {wanted.__name__}, found {type(record).__name__}")
    if detections_in(record) > link.largest_block_detections:
        raise InputError(
            f"a record of {detections_in(record)} detections exceeds largest_block_detections "
            f"({link.largest_block_detections}); submit it in pieces"
        )
    if isinstance(record, TimeTags):
        check_tags(record)
    if isinstance(record, PreparedPulses):
        _check_intensities(record, link)


def _check_intensities(record: PreparedPulses, link: LinkConfig) -> None:
    if record.intensities is None:
        if link.intensities:
            raise InputError(
                f"the record has no intensities; on a {link.kind} link every pulse has one of the "
                f"{len(link.intensities)}: PreparedPulses(intensities=...), 0 for {link.intensities[0]:g}"
            )
        return
    if not link.intensities:
        raise InputError(
            f"the record has intensities, and a {link.kind} link has none; use kind 'decoy-bb84', or leave them out"
        )
    for label in range(len(link.intensities), 1 << len(record.intensities.planes)):
        count = record.intensities.where(label).weight()
        if count:
            raise InputError(
                f"{count} pulses have intensity {label}; the link has {len(link.intensities)} intensities, "
                f"numbered 0 ... {len(link.intensities) - 1}"
            )
