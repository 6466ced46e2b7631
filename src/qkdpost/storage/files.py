"""Files that a power cut leaves whole: written beside, made durable, renamed, and made durable under their name.

Locks are those of descriptors (`flock`), not of processes: a record lock is dropped as soon as the process closes any
descriptor of the file. Windows has locks of byte ranges instead, which serve as well, and no modes, owners or syncs of
folders: there the folder's access list must shut others out. Neither kind of lock is to be relied on over a network.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from qkdpost.errors import ConfigurationError, StoreInUse

__all__ = ["check_folder", "check_private", "lock", "read_private", "replace_file", "sync_folder"]

_SAFE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_HAS_MODES = os.name == "posix"


def check_folder(folder: Path) -> None:
    """Refuse a folder in which others than its owner may put another file in the place of one.

    Raises:
        ConfigurationError: it is none, is not this user's or the administrator's, or others may write to it.
    """
    try:
        status = folder.stat()
    except OSError as error:
        raise ConfigurationError(f"{folder} must be a folder that is there: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigurationError(f"{folder} must be a folder")
    if not _HAS_MODES:
        return
    if status.st_uid not in (os.geteuid(), 0):
        raise ConfigurationError(f"{folder} belongs to user {status.st_uid}, who could exchange the files in it")
    if status.st_mode & _OTHERS_WRITE and not status.st_mode & stat.S_ISVTX:
        raise ConfigurationError(
            f"others may write to {folder} (mode {stat.S_IMODE(status.st_mode):o}), and exchange the files in it: "
            "close it to them (mode 700)"
        )


def check_private(status: os.stat_result, path: Path) -> None:
    """Refuse a file that is none, that belongs to somebody else, or that others may open.

    Raises:
        ConfigurationError: likewise.
    """
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"{path} must be a plain file, and no link or device")
    if not _HAS_MODES:
        return
    if status.st_uid != os.geteuid():
        raise ConfigurationError(f"{path} belongs to user {status.st_uid}, and not to the one who runs this program")
    if status.st_mode & 0o077:
        raise ConfigurationError(
            f"{path} must be closed to all but its owner (mode 600); it has mode {stat.S_IMODE(status.st_mode):o}"
        )


def read_private(path: Path, most_bytes: int) -> bytes:
    """Return what a file holds that is this user's alone, up to `most_bytes` and one.

    Raises:
        ConfigurationError: it is not this user's alone, or a link.
        OSError: it cannot be read.
    """
    check_private(os.lstat(path), path)
    descriptor = os.open(path, os.O_RDONLY | _SAFE)
    try:
        check_private(os.fstat(descriptor), path)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most_bytes + 1)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file, whole or not at all; when this returns it would survive a power cut.

    The new file stands beside it under another name at first, and is its owner's alone (mode 600). What an earlier
    attempt left there is removed.

    Args:
        path: of the file.
        content: all of it. May be secret, as a key that waits for its application.

    Raises:
        OSError: it was not done, or is not durable; what stood there before stands there still, or the new one does.

    >>> import pathlib, tempfile, qkdpost as qp
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "key"
    >>> qp.storage.replace_file(path, bytes(32))
    >>> path.stat().st_size
    32
    """
    beside = path.with_name(f"{path.name}.new")
    with suppress(FileNotFoundError):
        os.unlink(beside)
    try:
        _write_durably(beside, content)
        os.replace(beside, path)
    except OSError:
        del content
        with suppress(OSError):
            os.unlink(beside)
        raise
    sync_folder(path.parent)


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _SAFE, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make durable which files a folder has; Windows, which cannot be asked for that, does so by itself."""
    if not _HAS_MODES:
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(path: Path) -> int:
    """Take the lock that a file stands for, and return the descriptor that holds it until it is closed.

    Raises:
        StoreInUse: it is taken, here or in another process.
        ConfigurationError: the file is not this user's alone, or a link.
        OSError: it cannot be opened.
    """
    if path.is_symlink():
        raise ConfigurationError(f"{path} must be a plain file, and no link or device")
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | _SAFE, 0o600)
    try:
        check_private(os.fstat(descriptor), path)
        _take(descriptor)
    except OSError as refused:
        os.close(descriptor)
        if refused.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            raise StoreInUse(f"{path.with_suffix('')} is in use, here or in another process: end that first") from None
        raise
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 2**20
    """Beyond what is written in the file: a locked range cannot be read by others, nor written."""

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
