"""What a key manager grants by ETSI GS QKD 014, and what it tells in `status`."""

from __future__ import annotations

from typing import Literal

from qkdpost.checks import Settings, keep, whole_number
from qkdpost.errors import ConfigurationError

__all__ = ["DeliveryLimits"]

MAX_KEY_BITS = 2**16
MAX_KEYS = 1024
MAX_ADDITIONAL_SLAVES = 64
MAX_BODY_BYTES = 2**20


class DeliveryLimits(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits that `status` tells and that requests are held to (clause 6.1), and answers where the text is silent.

    Args:
        key_size_bits: of a key where the request names no size.
        shortest_key_bits: the least size that is served.
        longest_key_bits: the greatest.
        most_keys: in one request, by size as well as by key ID.
        most_stored_keys: the most that `stored_key_count` tells.
        most_additional_slaves: applications that may share a key beside the slave; 0 for no multicast.
        longest_body_bytes: of a request; longer ones are answered 413.
        unknown_application_status: answer to a request for keys with an application that no site knows. 401 tells as
            little as for an application that is known but not allowed.

    Raises:
        ConfigurationError: a limit is out of range, or sizes contradict each other or are no multiples of 8.

    >>> DeliveryLimits(most_keys=16).most_keys
    16
    """

    key_size_bits: int = 256
    shortest_key_bits: int = 64
    longest_key_bits: int = 4096
    most_keys: int = 128
    most_stored_keys: int = 100_000
    most_additional_slaves: int = 2
    longest_body_bytes: int = 65_536
    unknown_application_status: Literal[400, 401] = 401

    def __post_init__(self) -> None:
        ranges = {
            "key_size_bits": (8, MAX_KEY_BITS),
            "shortest_key_bits": (64, MAX_KEY_BITS),
            "longest_key_bits": (8, MAX_KEY_BITS),
            "most_keys": (1, MAX_KEYS),
            "most_stored_keys": (1, 2**31 - 1),
            "most_additional_slaves": (0, MAX_ADDITIONAL_SLAVES),
            "longest_body_bytes": (1024, MAX_BODY_BYTES),
            "unknown_application_status": (400, 401),
        }
        for name, (least, most) in ranges.items():
            value = whole_number(name, getattr(self, name), least=least, most=most, error=ConfigurationError)
            keep(self, name, value)
        sizes = (self.shortest_key_bits, self.key_size_bits, self.longest_key_bits)
        if any(size % 8 for size in sizes) or list(sizes) != sorted(sizes):
            raise ConfigurationError(
                "shortest_key_bits, key_size_bits and longest_key_bits must be multiples of 8, each at least the one "
                f"before; found {sizes[0]}, {sizes[1]}, {sizes[2]}"
            )
