"""Frozen structs that put what they checked in the place of what they were given."""

from __future__ import annotations

import msgspec

__all__ = ["keep"]


def keep(record: msgspec.Struct, name: str, value: object) -> None:
    """Put a converted value into a frozen struct, in its `__post_init__` and nowhere else."""
    msgspec.structs.force_setattr(record, name, value)
