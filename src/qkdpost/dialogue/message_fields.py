"""Types of the fields of messages, with the bounds that the codec holds them to."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

__all__ = [
    "AccumulatedEpsilon",
    "BlockNumber",
    "Count",
    "Octets16",
    "Octets32",
    "PartsPerMillion",
    "Real",
    "Tick",
]

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Tick: TypeAlias = Annotated[int, Meta(ge=-(2**62), le=2**62)]
BlockNumber: TypeAlias = Annotated[int, Meta(ge=0, le=2**53)]
Octets16: TypeAlias = Annotated[bytes, Meta(min_length=16, max_length=16)]
Octets32: TypeAlias = Annotated[bytes, Meta(min_length=32, max_length=32)]
AccumulatedEpsilon: TypeAlias = Annotated[float, Meta(ge=0.0, le=2.0**53)]
PartsPerMillion: TypeAlias = Annotated[int, Meta(ge=0, le=1_000_000)]
Real: TypeAlias = Annotated[float, Meta(ge=-1e60, le=1e60)]
"""A finite number: the bounds refuse infinities, and NaN, which is in no order with them."""
