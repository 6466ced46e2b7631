"""Files that a power cut leaves whole: written beside, made durable, renamed, and made durable under their name."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from qkdpost.durable_files.owners import HAS_MODES, SAFE

__all__ = ["replace_file", "sync_folder"]


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
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | SAFE, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make durable which files a folder has; Windows, which cannot be asked for that, does so by itself."""
    if not HAS_MODES:
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
