"""The files beside the database: the lock, the count of commits that were told, and room kept for bad times.

Why the lock is a file of its own: SQLite locks its database by POSIX record locks, which belong to the process. The
kernel drops all of them as soon as the process closes *any* descriptor of the file, so a copy or a checksum made by the
same program silently opens the store to a second writer. A lock by `flock` belongs to the descriptor that took it.

Why there is a count: one flipped bit in the write-ahead log, an old log beside a newer database, or a log that was
deleted all open without complaint as an *earlier* state, whose marks would be used again. The count is written after
each commit and before anybody is told of it; what opens with fewer commits is refused. It lies in the page cache until
a checkpoint, so it outlives the process always, and a power cut up to the last checkpoint.

None of this works on network file systems.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from pathlib import Path

from qkdpost.durable_files import hold, sync_folder
from qkdpost.errors import ConfigurationError, StoreDamaged, StoreInUse

__all__ = ["CountFile", "Reserve", "lock", "make_file", "private_folder", "unlock"]

RESERVE_BYTES = 4 * 2**20
_CLOSED = os.O_CLOEXEC | os.O_NOFOLLOW if hasattr(os, "O_NOFOLLOW") else 0
_COUNT = struct.Struct("<8sQB7x")
_COUNT_MAGIC = b"qkdpcnt1"
_CHECK_BYTES = 16


def private_folder(path: Path) -> None:
    """Make the folder of a store, for its owner alone; one that is there must be so already.

    Raises:
        ConfigurationError: no folder, or others may read it.
    """
    if not path.exists():
        path.mkdir(mode=0o700)
        sync_folder(path.parent)
    status = path.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigurationError(f"the path of a store must be a folder; {path} is none")
    if status.st_mode & 0o077:
        raise ConfigurationError(
            f"the folder of a store must be closed to all but its owner (mode 700); {path} has mode "
            f"{stat.S_IMODE(status.st_mode):o}"
        )


def make_file(path: Path) -> None:
    """Make an empty file that its owner alone may read; SQLite would follow the umask, and gives its log this mode.

    Raises:
        FileExistsError: it is there.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _CLOSED, 0o600))


def lock(path: Path) -> int:
    """Take the lock of a store, and return the descriptor that holds it.

    Raises:
        StoreInUse: it is taken.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | _CLOSED, 0o600)
    try:
        if not hold(descriptor):
            raise StoreInUse(
                f"the store in {path.parent} is open already, here or in another process: close it there first"
            )
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def unlock(descriptor: int) -> None:
    """Let go of a lock."""
    os.close(descriptor)


class CountFile:
    """How many commits were told, and whether the log may be gone because this library closed the database itself.

    32 bytes in one sector, overwritten in place: magic, the number, the flag, and a check over them.
    """

    __slots__ = ("_descriptor", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR | _CLOSED, 0o600)

    def read(self) -> tuple[int, bool] | None:
        """Return the number and the flag; None of a file that was never written.

        Raises:
            StoreDamaged: something else stands there.
        """
        found = os.pread(self._descriptor, _COUNT.size + _CHECK_BYTES + 1, 0)
        if not found:
            return None
        body = found[: _COUNT.size]
        if len(found) != _COUNT.size + _CHECK_BYTES or found[_COUNT.size :] != _checked(body):
            raise StoreDamaged(f"{self._path}, which counts what was told, is damaged; restore a backup of the store")
        magic, commits, may_lack_log = _COUNT.unpack(body)
        if magic != _COUNT_MAGIC:
            raise StoreDamaged(f"{self._path} is of another format version; open the store with what wrote it")
        return commits, bool(may_lack_log)

    def write(self, commits: int, *, may_lack_log: bool = False, durable: bool = False) -> None:
        """Overwrite both.

        Args:
            commits: told from now on.
            may_lack_log: the database is about to be closed, and its log deleted.
            durable: against a power cut, not only against the end of the process.
        """
        body = _COUNT.pack(_COUNT_MAGIC, commits, may_lack_log)
        os.pwrite(self._descriptor, body + _checked(body), 0)
        if durable:
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _checked(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES).digest()


class Reserve:
    """Room on the disk that is given back when it is full: deletions and erasure need some as well."""

    __slots__ = ("_path", "_size")

    def __init__(self, path: Path, size: int = RESERVE_BYTES) -> None:
        self._path = path
        self._size = size

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there."""
        return self._path.exists() and self._path.stat().st_size >= self._size

    def fill(self) -> bool:
        """Take the room if there is that much; tell whether it is there now."""
        if self.is_whole:
            return True
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | _CLOSED, 0o600)
        try:
            _allocate(descriptor, self._size)
        except OSError:
            os.ftruncate(descriptor, 0)
            return False
        finally:
            os.close(descriptor)
        return True

    def free(self) -> None:
        """Give the room back."""
        self._path.unlink(missing_ok=True)


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    for start in range(0, size, 2**16):
        os.pwrite(descriptor, bytes(min(2**16, size - start)), start)
