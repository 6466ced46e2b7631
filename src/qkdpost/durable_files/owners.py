"""Whose a file is: only its owner may read it, and nobody else may put another in its place.

Windows has no modes and owners of this kind: there the folder's access list must shut others out.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from qkdpost.errors import ConfigurationError

__all__ = ["HAS_MODES", "SAFE", "check_folder", "check_private", "read_private"]

SAFE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
HAS_MODES = os.name == "posix"


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
    if not HAS_MODES:
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
    if not HAS_MODES:
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
    descriptor = os.open(path, os.O_RDONLY | SAFE)
    try:
        check_private(os.fstat(descriptor), path)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most_bytes + 1)
    finally:
        os.close(descriptor)
