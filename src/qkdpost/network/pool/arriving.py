"""How key comes into a pool: a segment that nothing is spent of before the other end has it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qkdpost.checks import byte_string, described, flag
from qkdpost.errors import InputError
from qkdpost.network.pool.booking import Source
from qkdpost.network.pool.segment import HASH_KEYS_BYTES, PooledSegment, SegmentStage
from qkdpost.network.pool.vouching import RESERVED_BYTES, segment_checks

if TYPE_CHECKING:
    from qkdpost.network.pool.pool import Pool

__all__ = ["IDENTIFIER_BYTES", "take_in"]

LEAST_BODY_BYTES = 128
MOST_BODY_BYTES = 2**31
MOST_SEGMENTS = 2**15
"""A greeting lists them all, and a row has the times when they came."""
IDENTIFIER_BYTES = 16


def take_in(
    pool: Pool, identifier: bytes, content: bytearray, *, provenance: bytes, source: Source, vouched: bool
) -> bool:
    """Take in a segment, see `Pool.add_segment`."""
    named = byte_string("identifier", identifier, count=IDENTIFIER_BYTES)
    is_vouched = flag("vouched", vouched)
    reserved = 0 if is_vouched else RESERVED_BYTES
    if not isinstance(content, bytearray):
        raise InputError(f"content must be a bytearray, which is zeroed here; found {described(content)}")
    body = len(content) - reserved
    if not LEAST_BODY_BYTES <= body < MOST_BODY_BYTES:
        raise InputError(
            f"a segment must have {LEAST_BODY_BYTES + reserved} bytes or more, and fewer than 2^31; "
            f"found {len(content)}. Join several keys into one"
        )
    try:
        if pool.order.is_known(pool.store, named):
            return pool.refuse("segment-refused", named, "a segment of this identifier came in before")
        if len(pool.order.by_identifier) >= MOST_SEGMENTS:
            return pool.refuse("pool-full", named, "the pool has as many segments as it may: join keys into one")
        if pool.stored_bytes + len(content) > pool.settings.quota_bytes:
            return pool.refuse("pool-full", named, "the pool holds as much as its quota allows")
        _add(pool, named, content, bytes(provenance), source, is_vouched)
        return True
    finally:
        content[:] = bytes(len(content))


def _add(pool: Pool, identifier: bytes, content: bytearray, provenance: bytes, source: Source, vouched: bool) -> None:
    length = len(content) - (0 if vouched else RESERVED_BYTES)
    segment = _new_segment(identifier, length, pool.settings.chunk_bytes, vouched)
    if not vouched:
        checks = b"".join(segment_checks(identifier, content))
        pool.content.write_hash_keys(identifier, content[length : length + HASH_KEYS_BYTES] + checks)
    pool.content.add(segment, content)
    was = pool.stored_bytes
    pool.received(segment, provenance, source, len(content))
    if was < 0.8 * pool.settings.quota_bytes <= pool.stored_bytes:
        pool.note("pool-filling", identifier, "the pool has filled four fifths of its quota")
    if vouched and pool.is_leader:
        pool.number(segment)
    pool.to_offer.append(segment)


def _new_segment(identifier: bytes, length: int, chunk: int, vouched: bool) -> PooledSegment:
    split = length // 2
    split -= split % chunk if split >= 2 * chunk else 0
    return PooledSegment(identifier, SegmentStage.OFFERED, vouched=vouched, length=length, split=split, chunk=chunk)
