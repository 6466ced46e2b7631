"""Frozen records that put what they checked in the place of what they were given."""

from __future__ import annotations

import msgspec

__all__ = ["keep"]


def keep(record: object, name: str, value: object) -> None:
    """Put a converted value into a frozen struct or dataclass, in its `__post_init__` and nowhere else."""
    if isinstance(record, msgspec.Struct):
        msgspec.structs.force_setattr(record, name, value)
    else:
        object.__setattr__(record, name, value)
