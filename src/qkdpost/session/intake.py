"""What a session refuses of what an application gives it, before any block has to do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qkdpost.checks import described
from qkdpost.config import LinkConfig
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.protocols.protocol import Protocol
from qkdpost.records import RawRecord

__all__ = ["check_callables", "check_record", "counted"]


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


def counted(random_source: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """Return the source, which then gives as many bytes as were asked, or raises a `ConfigurationError`."""

    def draw(count: int) -> bytes:
        drawn = random_source(count)
        if isinstance(drawn, bytes | bytearray) and len(drawn) == count:
            return bytes(drawn)
        found = described(drawn) if not isinstance(drawn, str) else "text"
        del drawn
        raise ConfigurationError(f"random_source must return as many bytes as it is asked, {count}; found {found}")

    return draw


def check_callables(random_source: object, save_pool: object) -> None:
    """Check what a session calls.

    Raises:
        ConfigurationError: one of them is no function.
    """
    if not callable(random_source):
        raise ConfigurationError(f"random_source must be a function of a number; found {described(random_source)}")
    if save_pool is not None and not callable(save_pool):
        raise ConfigurationError(f"save_pool must be a function of a snapshot; found {described(save_pool)}")
