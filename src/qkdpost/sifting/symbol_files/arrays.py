"""One array of a .npy or .npz file, read a piece at a time into float32, int16 or bits; nothing is ever unpickled.

What a file says of itself is believed only as far as its size bears it out, before anything is allocated.
"""

from __future__ import annotations

import errno
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qkdpost.checks import described
from qkdpost.errors import InputError
from qkdpost.sifting.tag_files.source import checked_path

__all__ = ["MAX_SYMBOLS", "ArrayFile", "read_quadratures", "read_reals"]

ArrayFile: TypeAlias = str | PathLike[str] | tuple[str | PathLike[str], str]
"""The path of a file, or that of a .npz file and the name of an array in it."""

MAX_SYMBOLS = 2**28
"""A longer array would need gigabytes; such records are cut into several."""
_PIECE_ENTRIES = 2**18
_MOST_EXACT = 2.0**24
"""Integers above this are not all whole numbers in float32."""
_UNPICKLED = (
    "it is a pickled Python object, which is never loaded here, for it may run code. Where it was made, save its "
    "arrays alone, as with numpy.save(path, noise.data[0])"
)


def read_reals(name: str, file: ArrayFile, *, columns: int) -> NDArray[Any]:
    """Return real numbers of a file: complex ones as two columns, integers that fit as int16, all else as float32.

    Args:
        name: of the argument, for messages.
        file: the file.
        columns: 2 for both quadratures, from complex numbers of shape (n,) or real ones of shape (n, 2); 1 for real
            numbers of shape (n,).

    Returns:
        Shape (n, 2) or (n,).

    Raises:
        InputError: no such array, or a damaged file.
        OSError: the file is not there (`FileNotFoundError`), or cannot be read.
    """
    with _opened(name, file) as stored:
        _check_numbers(stored, columns)
        small = stored.dtype.kind in "iu" and np.can_cast(stored.dtype, np.int16)
        flat = np.empty(stored.rows * columns, dtype=np.int16 if small else np.float32)
        at = 0
        for piece in stored.pieces():
            if piece.dtype.kind in "iu" and not small and (largest := _largest(piece)) > _MOST_EXACT:
                raise stored.fault(f"must hold integers within +-2^24; found {largest:.0f}")
            with np.errstate(over="ignore"):  # infinities are refused by the record, which says where they are
                flat[at : at + piece.size] = piece
            at += piece.size
    if columns == 1:
        return flat
    by_columns = stored.fortran_order and len(stored.shape) == 2
    return np.ascontiguousarray(flat.reshape(columns, -1).T) if by_columns else flat.reshape(-1, columns)


def _check_numbers(stored: _Stored, columns: int) -> None:
    kind, found = stored.dtype.kind, f"found {stored.dtype} of shape {stored.shape}"
    if columns == 1:
        if kind not in "iuf" or len(stored.shape) != 1:
            raise stored.fault(f"must hold real numbers of shape (n,), one a symbol; {found}")
    elif kind not in "ciuf" or stored.shape != ((stored.rows,) if kind == "c" else (stored.rows, 2)):
        turned = ". Transpose it: a row for each symbol" if len(stored.shape) == 2 and stored.rows == 2 else ""
        raise stored.fault(f"must hold complex numbers of shape (n,), or real ones of shape (n, 2); {found}{turned}")


def read_quadratures(name: str, file: ArrayFile) -> NDArray[np.uint8]:
    """Return which quadrature was measured, 0 for x and 1 for p, of a vector of bools or integers; shape (n,).

    Raises:
        InputError: no such array, other numbers than 0 and 1, or a damaged file.
        OSError: the file is not there (`FileNotFoundError`), or cannot be read.
    """
    with _opened(name, file) as stored:
        if stored.dtype.kind not in "biu" or stored.shape != (stored.rows,):
            raise stored.fault(
                f"must hold bools or integers of shape (n,), 0 for x and 1 for p; found {stored.dtype} of shape "
                f"{stored.shape}"
            )
        chosen = np.empty(stored.rows, dtype=np.uint8)
        at = 0
        for piece in stored.pieces():
            if piece.dtype.kind != "b" and not ((piece == 0) | (piece == 1)).all():
                raise stored.fault("must hold 0 for x and 1 for p; found another number")
            chosen[at : at + piece.size] = piece
            at += piece.size
    return chosen


@dataclass(frozen=True, slots=True)
class _Stored:
    """An array in an open file, of whose numbers none has been read."""

    path: str
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    read: Callable[[int], bytes]

    @property
    def rows(self) -> int:
        return self.shape[0]

    def fault(self, fault: str) -> InputError:
        return InputError(f"{self.name}: {self.path} {fault}")

    def pieces(self) -> Iterator[NDArray[Any]]:
        """Yield the numbers in the order of the file, those of complex ones one by one."""
        left = self.rows * (self.shape[1] if len(self.shape) == 2 else 1)
        kind = self.dtype
        if kind.kind == "c":
            left, kind = 2 * left, np.dtype(f"{kind.byteorder}f{kind.itemsize // 2}")
        while left:
            count = min(left, _PIECE_ENTRIES)
            yield np.frombuffer(self._read_whole(count * kind.itemsize), dtype=kind)
            left -= count

    def _read_whole(self, size: int) -> bytes:
        parts = []
        try:
            while size and (part := self.read(size)):
                parts.append(part)
                size -= len(part)
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError) as error:
            raise self.fault(f"is damaged: {error}. Copy it again") from None
        if size:
            raise self.fault(f"ends too early: {size} bytes of its array are missing. Copy it again")
        return b"".join(parts)


@contextmanager
def _opened(name: str, file: ArrayFile) -> Iterator[_Stored]:
    path, member = _path_and_name(name, file)
    with open(path, "rb") as opened:
        start = opened.read(6)
        opened.seek(0)
        if start.startswith(b"PK"):
            with _member(path, name, opened, member) as (stream, size):
                yield _header(path, name, stream, size)
            return
        if member is not None:
            raise InputError(f"{name}: {path} is no .npz file and has no array {member!r}; give its path alone")
        if not start.startswith(npy.MAGIC_PREFIX):
            why = _UNPICKLED if start[:1] == b"\x80" else "it begins otherwise"
            raise InputError(f"{name}: {path} must be a .npy or .npz file of numpy; {why}")
        yield _header(path, name, opened, os.fstat(opened.fileno()).st_size)


def _path_and_name(name: str, file: ArrayFile) -> tuple[str, str | None]:
    if not isinstance(file, tuple):
        return checked_path(file, name), None
    if len(file) != 2 or not isinstance(file[1], str):
        raise InputError(
            f"{name} must be a path, or a pair of a path and the name of an array; found {described(file)}"
        )
    return checked_path(file[0], name), file[1]


@contextmanager
def _member(path: str, name: str, opened: IO[bytes], member: str | None) -> Iterator[tuple[IO[bytes], int]]:
    """Open an array of a .npz file, and say how large its bytes are, by what the file says."""
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(opened))
            arrays = [found[:-4] for found in archive.namelist() if found.endswith(".npy")]
            chosen = arrays[0] if member is None and len(arrays) == 1 else member
            if chosen is None or arrays.count(chosen) != 1:
                listed = ", ".join(repr(found[:40]) for found in arrays[:10]) or "none"
                raise InputError(
                    f"{name}: name one array of {path}, as (path, 'symbols'); it has {listed}"
                    + ("" if member is None else f"; {member[:40]!r} is none of them, or twice among them")
                )
            info = archive.getinfo(f"{chosen}.npy")
            stream = stack.enter_context(archive.open(info))
        except Exception as error:
            # zipfile raises what its parsers raise, half a dozen classes; where a directory sends it to a place before
            # the file's beginning, that is EINVAL. Other errors of the system are the disk's.
            if isinstance(error, InputError) or (isinstance(error, OSError) and error.errno != errno.EINVAL):
                raise
            raise InputError(f"{name}: {path} cannot be unpacked: {type(error).__name__}. Copy it again") from None
        yield stream, info.file_size


def _header(path: str, name: str, stream: IO[bytes], size: int) -> _Stored:
    """Read what an array is, and hold it against the number of bytes that there are."""
    try:
        version = npy.read_magic(stream)
        reader = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, fortran_order, dtype = reader(stream)
    except Exception as error:
        # numpy raises what its parsers raise; of a later version are only arrays of records with names.
        raise InputError(f"{name}: {path} must hold an array of numpy: {type(error).__name__} in its header") from None
    stored = _Stored(path, name, dtype, shape, bool(fortran_order), stream.read)
    if dtype.hasobject:
        raise stored.fault(f"must hold numbers; {_UNPICKLED}")
    if dtype.names is not None or dtype.subdtype is not None or dtype.kind not in "biufc":
        raise stored.fault(f"must hold numbers; found {str(dtype)[:80]}")
    if len(shape) not in (1, 2) or any(type(length) is not int or length < 0 for length in shape):
        raise stored.fault(f"must hold an array of one or two dimensions; found {str(shape)[:80]}")
    entries = shape[0] * (shape[1] if len(shape) == 2 else 1)
    if shape[0] > MAX_SYMBOLS or entries > 2 * MAX_SYMBOLS:
        raise stored.fault(f"must hold at most 2^28 symbols; found {str(shape)[:80]}. Cut the record into several")
    found = size - stream.tell()
    if found < entries * dtype.itemsize:
        raise stored.fault(f"ends too early: {entries * dtype.itemsize - found} bytes are missing. Copy it again")
    if found > entries * dtype.itemsize:
        raise stored.fault("must hold one array and nothing else; save each array to a file of its own")
    return stored


def _largest(values: NDArray[Any]) -> float:
    return max(abs(float(values.max())), abs(float(values.min())))
