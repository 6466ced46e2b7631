"""The bytes of a file, unpacked if they are packed, a piece at a time."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import zlib
from collections.abc import Iterator
from os import PathLike
from typing import IO, cast

from qkdpost.checks import described
from qkdpost.errors import InputError

__all__ = ["Source", "checked_path", "open_source"]


def checked_path(path: str | PathLike[str], name: str = "path") -> str:
    """Return the path of a file as text; `name` is that of the argument.

    Raises:
        InputError: something else, or an address on the network.
    """
    if not isinstance(path, str | PathLike) or not isinstance(os.fspath(path), str):
        raise InputError(f"{name} must be the path of a file; found {described(path)}")
    text = os.fspath(path)
    if "://" in text:
        raise InputError(f"{name} must be that of a file here, not an address: download {text} first")
    try:
        if b"\0" in os.fsencode(text):
            raise InputError(f"{name} must not hold a zero byte")
    except UnicodeEncodeError:
        raise InputError(f"{name} must be of characters that the file system can encode") from None
    return text


class Source:
    """A file that is read from its beginning to its end."""

    def __init__(self, path: str, file: IO[bytes], packed_by: str) -> None:
        self.path = path
        self._file = file
        self._packed_by = packed_by

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, or fewer at the end.

        Raises:
            InputError: the file is packed, and damaged or cut off.
        """
        if not self._packed_by:
            return self._file.read(size)
        try:
            return self._file.read(size)
        except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, MemoryError) as error:
            raise InputError(f"{self.path} cannot be unpacked ({self._packed_by}): {error}") from None


@contextlib.contextmanager
def open_source(path: str) -> Iterator[Source]:
    """Open a file, which may be packed with gzip, bzip2, xz or lzma: its content says so, not its name.

    Raises:
        OSError: the file is not there, or cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"\x1f\x8b"):
            yield Source(path, cast("IO[bytes]", gzip.GzipFile(fileobj=file)), "gzip")
        elif start.startswith(b"BZh"):
            yield Source(path, bz2.BZ2File(file), "bzip2")
        elif start == b"\xfd7zXZ\0" or start.startswith(b"\x5d\0\0"):
            yield Source(path, lzma.LZMAFile(file), "xz or lzma")  # noqa: SIM115
        else:
            yield Source(path, file, "")
