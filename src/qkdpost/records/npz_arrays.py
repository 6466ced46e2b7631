"""Named arrays in one .npz file of numpy: written whole or not at all, and read without believing what the file says.

Arrays are kept as they are, without compression, so that none can be larger than the file. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qkdpost.durable_files import sync_folder
from qkdpost.errors import InputError

__all__ = ["read_arrays", "write_arrays"]

_MAX_ARRAYS = 64
_HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_PLAIN_KINDS = "biufU"
_OTHER_FILES = "Files of taggers and of symbols are read by qkdpost.sifting.load_own_time_tags and its neighbours"
_AGAIN = "Copy it again, or save the record again by qp.save"


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a file that its owner alone may read, whole or not at all, and return when it would survive a power cut.

    Raises:
        OSError: the file cannot be written; what stood at `path` still does.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise
    sync_folder(path.parent)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return all arrays of a file by name, read-only.

    Raises:
        InputError: it is no such file, is damaged, packed, or holds what is no array of numbers or text.
        OSError: the file is not there (`FileNotFoundError`), or cannot be read.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            raise InputError(f"{path} must be a .npz file that qp.save wrote; it begins otherwise. {_OTHER_FILES}")
        size = os.fstat(file.fileno()).st_size
        with _faults_told(path), zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(path, members, size)
            return {info.filename.removesuffix(".npy"): _array(path, info, archive) for info in members}


def _check_members(path: Path, members: list[zipfile.ZipInfo], size: int) -> None:
    names = [info.filename for info in members]
    if len(members) > _MAX_ARRAYS or len(set(names)) != len(names) or not all(name.endswith(".npy") for name in names):
        raise InputError(f"{path} must hold up to {_MAX_ARRAYS} arrays, each once; found {len(members)} entries")
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in members):
        raise InputError(f"{path} must not be compressed or encrypted; write it by qp.save, or by numpy.savez")
    if sum(info.file_size for info in members) > size:
        raise InputError(f"{path} says that its arrays are larger than itself. {_AGAIN}")


def _array(path: Path, info: zipfile.ZipInfo, archive: zipfile.ZipFile) -> NDArray[Any]:
    data = archive.read(info)  # whose checksum it compares
    stream = io.BytesIO(data)
    shape, fortran_order, dtype = _header(path, info.filename, stream)
    count = 1
    for length in shape:
        count *= length
    if len(data) - stream.tell() != count * dtype.itemsize:
        raise InputError(f"{path}: {info.filename} must hold as many numbers as it says. {_AGAIN}")
    array = np.frombuffer(data, dtype=dtype, offset=stream.tell(), count=count) if count else np.zeros(0, dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")


def _header(path: Path, name: str, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        shape, fortran_order, dtype = _HEADER_READERS[npy.read_magic(stream)](stream)
    except Exception as error:
        # numpy raises whatever its parsers do.
        raise InputError(f"{path}: {name} must be an array of numpy: {type(error).__name__} in its header") from None
    if dtype.hasobject:
        raise InputError(f"{path}: {name} is a pickled object, which is never loaded here, for it may run code")
    if dtype.kind not in _PLAIN_KINDS or dtype.names is not None or dtype.itemsize == 0:
        raise InputError(f"{path}: {name} must hold numbers or text; found {str(dtype)[:80]}")
    if len(shape) > 2 or any(type(length) is not int or length < 0 for length in shape):
        raise InputError(f"{path}: {name} must have at most two dimensions; found {str(shape)[:80]}")
    return shape, bool(fortran_order), dtype


@contextlib.contextmanager
def _faults_told(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        # zipfile raises what its parsers raise, half a dozen classes; where a directory sends it to a place before the
        # file's beginning, that is EINVAL. Other errors of the system are the disk's.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise InputError(f"{path} cannot be unpacked: {type(error).__name__}. {_AGAIN}") from None
