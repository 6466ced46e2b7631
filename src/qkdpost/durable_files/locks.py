"""Locks of files, by descriptor.

Locks are those of descriptors (`flock`), not of processes: a record lock is dropped as soon as the process closes any
descriptor of the file. Windows has locks of byte ranges instead, which serve as well. Neither kind is to be relied on
over a network.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from qkdpost.durable_files.owners import SAFE, check_private
from qkdpost.errors import ConfigurationError, StoreInUse

__all__ = ["hold", "lock"]


def lock(path: Path) -> int:
    """Take the lock that a file stands for, and return the descriptor that holds it until it is closed.

    Raises:
        StoreInUse: it is taken, here or in another process.
        ConfigurationError: the file is not this user's alone, or a link.
        OSError: it cannot be opened.
    """
    if path.is_symlink():
        raise ConfigurationError(f"{path} must be a plain file, and no link or device")
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | SAFE, 0o600)
    try:
        check_private(os.fstat(descriptor), path)
        if not hold(descriptor):
            raise StoreInUse(f"{path.with_suffix('')} is in use, here or in another process: end that first")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def hold(descriptor: int) -> bool:
    """Take the lock of an open file until it is closed, and return whether it was free.

    Raises:
        OSError: this file has no locks.
    """
    try:
        _take(descriptor)
    except OSError as refused:
        if refused.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 2**31 - 2
    """Beyond what is written in a file: a locked range cannot be read through another handle, nor written."""

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
