"""What a pool has to tell whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Notice", "NoticeKind"]

NoticeKind = Literal[
    "segment-ready",
    "segment-refused",
    "segment-lost",
    "pool-filling",
    "pool-full",
    "peer-disagrees",
    "wrong-tag",
    "many-wrong-tags",
    "restored",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to a pool; public.

    Args:
        kind: what. "segment-ready": both ends hold it. "segment-refused": it came in twice, or its check was wrong.
            "segment-lost": it was given up with what was left of it. "pool-filling": four fifths of the quota are
            full. "pool-full": a segment was refused for the quota. "peer-disagrees": the ends named different places.
            "wrong-tag" and "many-wrong-tags": somebody altered a frame, or copies of a segment differ. "restored": the
            other end knows of more than this store, which must be an old one.
        segment: the identifier of the segment that it is about, or none.
        text: for people.
    """

    kind: NoticeKind
    segment: bytes | None = None
    text: str = ""
