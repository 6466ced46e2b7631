"""How many saves of a pool were told, written into the file of its lock: what is older than that is refused.

The number is written after each save and before anybody is told of it. It lies in the page cache, so it outlives the
process always, and a power cut up to when the system writes back by itself: it makes found out the copy that was put
back, not the disk that lost what it had promised to keep.
"""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

from qkdpost.errors import StoreDamaged

__all__ = ["NUMBER", "read_told", "write_told"]

NUMBER = struct.Struct("<Q")
MAX_SAVES = 2**63
_BODY = struct.Struct("<8sQ")
_MAGIC = b"qkdpsav1"
_CHECK_BYTES = 16


def read_told(descriptor: int, path: Path) -> int | None:
    """Return the number of saves that were told; None of a file that was never written to its end.

    Raises:
        StoreDamaged: something else stands there.
        OSError: it cannot be read.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    found = os.read(descriptor, _BODY.size + _CHECK_BYTES + 1)
    if len(found) < _BODY.size + _CHECK_BYTES:
        return None
    body = found[: _BODY.size]
    if not body.startswith(_MAGIC) or found[_BODY.size :] != _checked(body):
        raise StoreDamaged(
            f"{path}, which counts the saves of the pool beside it, is damaged: whether that pool is the latest cannot "
            "be told. See open(restored=True)"
        )
    return int(_BODY.unpack(body)[1])


def write_told(descriptor: int, saves: int, *, durable: bool = False) -> None:
    """Overwrite the number in place: 32 bytes, within one sector.

    Args:
        descriptor: of the file.
        saves: the number.
        durable: against a power cut, not only against the end of the process.

    Raises:
        OSError: it was not written.
    """
    body = _BODY.pack(_MAGIC, saves)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, body + _checked(body))
    if durable:
        os.fsync(descriptor)


def _checked(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES).digest()
