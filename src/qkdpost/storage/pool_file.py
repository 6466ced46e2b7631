"""A pool of authentication key in a file, see `PoolFile`."""

from __future__ import annotations

import hashlib
import os
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from qkdpost.checks import flag
from qkdpost.durable_files import check_folder, lock, read_private, replace_file
from qkdpost.errors import InputError, LocalProtocolError, StoreDamaged, StoreUnavailable
from qkdpost.keys.pool import KeyPool
from qkdpost.keys.snapshot import Content, unpack
from qkdpost.single_use import SingleUse
from qkdpost.storage.saves import MAX_SAVES, NUMBER, read_told, write_told

__all__ = ["PoolFile"]

MAX_BYTES = 2**28
"""More than a pool ever has: 1,024 segments, most of 48 bytes, and the pre-shared one."""
_MAGIC = b"qkdpfile"
_VERSION = 1
_VERSION_BYTES = 2
_DIGEST_BYTES = 32
_HEAD_BYTES = len(_MAGIC) + _VERSION_BYTES + NUMBER.size
_NEW = "make a new pool of new pre-shared key on both hosts"


class PoolFile(SingleUse):
    """A `KeyPool` that outlives the process, the power, and the operator who puts back a copy.

    Each save is a new file, made durable before it takes the place of the last, and is told when it would survive a
    power cut. The file has a digest and the number of its save; damaged, it is refused. Beside it stands a file of the
    same name with `.lock`: by it one process at a time has the pool, and in it stands how many saves were told. A pool
    with fewer, such as a backup, or without that count, is refused: its pads may be used. Both files are the owner's
    alone (mode 600).

    Not on a network file system, whose locks and syncs are not to be relied on. On Windows the lock is one of a range
    of bytes, and the folder's access list takes the place of modes.

    Args:
        path: of the file; `create` makes it.

    Raises:
        InputError: no path.

    >>> import tempfile, qkdpost as qp
    >>> folder = tempfile.TemporaryDirectory()
    >>> file = qp.storage.PoolFile.create(f"{folder.name}/pool", bytes(range(256)))
    >>> with file:
    ...     pool = file.open()
    ...     session = qp.Session(
    ...         role="bob", link=qp.LinkConfig(protocol=qp.BB84()), auth_key=pool, save_pool=file.save
    ...     )
    >>> pool.available_bytes
    224
    >>> folder.cleanup()
    """

    instead: ClassVar[str] = "close it there, and open it here"

    __slots__ = ("__weakref__", "_end", "_lock", "_mark", "_path", "_pool", "_process", "_saves", "_spent_bytes")

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"path must name a file; found a {type(path).__name__}")
        self._path = Path(os.path.abspath(path))  # which a later change of the working folder must not move
        self._process = os.getpid()
        self._lock = -1
        self._saves = 0
        self._mark = b""  # of the pool that is open
        self._pool: KeyPool | None = None
        self._spent_bytes = 0
        self._end: weakref.finalize[[int, int], PoolFile] | None = None

    @classmethod
    def create(cls, path: str | os.PathLike[str], preshared: bytes | bytearray | memoryview) -> Self:
        """Make a pool of pre-shared key and its file; once, and with key that no pool had before.

        Args:
            path: of the file, where there is none.
            preshared: see `KeyPool`. Secret. Destroy every other copy.

        Returns:
            The file, not open.

        Raises:
            InputError: no path, a file that is there, or too little key.
            StoreDamaged: there was a pool, by its lock's file, and it is gone.
            StoreInUse, ConfigurationError, StoreUnavailable: as `open`.
        """
        made = cls(path)
        try:
            pool = KeyPool(preshared)
        finally:
            del preshared
        made._take_lock()
        try:
            made._check_is_new()
            made._write(pool.snapshot())
            made._tell()
        finally:
            made.close()
        return made

    def open(self, *, restored: bool = False) -> KeyPool:
        """Return the pool, and keep the file locked until `close`.

        Args:
            restored: a copy was put in the place of the file, or the number of saves was lost, and you answer for it
                that no pad in it was used since: with `KeyPool.skip` go past what may have been, before anything is
                sent. The peer's greeting, which nothing authenticates, is no protection. In doubt make a new pool.

        Raises:
            StoreDamaged: the file is damaged, gone, or older than what was told.
            StoreInUse: it is open, here or in another process.
            ConfigurationError: it is a link, or open to others, or its folder is.
            StoreUnavailable: it cannot be read now.
            LocalProtocolError: this object has it open already, or came here by a fork.
        """
        whole = flag("restored", restored)
        self._take_lock()
        try:
            pool = self._read(restored=whole)
        except BaseException:
            self.close()
            raise
        return pool

    def save(self, snapshot: bytes) -> None:
        """Store a snapshot; this is the `save_pool` of a `Session`. When it returns, the snapshot would survive a cut.

        Raises:
            InputError: no snapshot, or one of another pool or of an earlier time.
            StoreUnavailable: it may not have been stored (disk full or broken, or the folder renamed): call again, or
                do not send.
            LocalProtocolError: the file is not open, or this process is a fork.
        """
        self._check_process()
        if self._lock < 0:
            del snapshot
            raise LocalProtocolError("this file of a pool is not open: call open() first")
        try:
            if not isinstance(snapshot, bytes):
                raise InputError(f"snapshot must be bytes, of KeyPool.snapshot(); found a {type(snapshot).__name__}")
            self._check_follows(unpack(snapshot))
            self._check_place()
            self._write(snapshot)
        finally:
            del snapshot

    def close(self) -> None:
        """Let go of the lock, so that another may open the file, and retire the pool; again is allowed."""
        if self._pool is not None:
            self._pool.retire()
        if self._end is not None and self._process == os.getpid():
            self._end()
        self._lock, self._mark, self._end, self._pool = -1, b"", None, None

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PoolFile({str(self._path)!r})"

    # The lock.

    def _take_lock(self) -> None:
        self._check_process()
        if self._lock >= 0:
            raise LocalProtocolError("this file of a pool is open already")
        check_folder(self._path.parent)
        try:
            self._lock = lock(self._lock_path)
        except OSError as error:
            raise self._unavailable(error, "lock") from error
        self._end = weakref.finalize(self, _close, self._lock, self._process)

    @property
    def _lock_path(self) -> Path:
        return self._path.with_name(f"{self._path.name}.lock")

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise LocalProtocolError(
                "this file of a pool came here by a fork, and both processes would use the same pads: open it after "
                "the fork, in one of them"
            )

    def _check_place(self) -> None:
        """Refuse to write where the folder was renamed, or the lock's file exchanged: another pool may stand there."""
        try:
            held = os.path.samestat(os.stat(self._lock_path), os.fstat(self._lock))
        except OSError:
            held = False
        if not held:
            raise StoreUnavailable(
                f"cannot write {self._path}: {self._lock_path.name} beside it is not the file that was locked. Put "
                "back the folder as it was"
            )

    # What stands in the files.

    def _check_is_new(self) -> None:
        if os.path.lexists(self._path):
            raise InputError(
                f"{self._path} is there already: open() it. To begin anew, with key that no pool had before, remove it "
                f"and {self._lock_path.name} first"
            )
        if read_told(self._lock, self._lock_path) is not None:
            raise StoreDamaged(
                f"{self._lock_path} tells of a pool, and {self._path} is gone. If that pool shall never come back, "
                f"remove the file, and {_NEW}"
            )

    def _read(self, *, restored: bool) -> KeyPool:
        told = None if restored else self._told()
        try:
            content = read_private(self._path, MAX_BYTES)
        except FileNotFoundError:
            raise StoreDamaged(f"{self._path} is gone, or was never made: create() makes one; or {_NEW}") from None
        except OSError as error:
            raise self._unavailable(error, "read") from error
        try:
            self._saves, snapshot = self._unwrapped(content)
            self._check_age(told, restored=restored)
            pool = self._restored(snapshot)
        finally:
            del content
        self._tell()
        return pool

    def _told(self) -> int | None:
        try:
            return read_told(self._lock, self._lock_path)
        except OSError as error:
            raise self._unavailable(error, "read") from error

    def _unwrapped(self, content: bytes) -> tuple[int, bytes]:
        body = content[:-_DIGEST_BYTES]
        whole = len(content) >= _HEAD_BYTES + _DIGEST_BYTES and _digest(body) == content[-_DIGEST_BYTES:]
        head = body[:_HEAD_BYTES] if whole and body.startswith(_MAGIC) else b""
        version = int.from_bytes(head[len(_MAGIC) : -NUMBER.size], "little")
        if version == _VERSION:
            return int(NUMBER.unpack(head[-NUMBER.size :])[0]), body[_HEAD_BYTES:]
        del content, body
        if not head:
            raise StoreDamaged(f"{self._path} is damaged, or holds no pool: {_NEW}; a backup of it has used pads")
        raise StoreDamaged(
            f"{self._path} is of another format version, {version}; this release reads {_VERSION}: open it with the "
            "one that wrote it"
        )

    def _check_age(self, told: int | None, *, restored: bool) -> None:
        if restored:
            return
        if told is None:
            raise StoreDamaged(
                f"{self._lock_path}, which counts the saves of {self._path}, is gone or cut short: whether "
                "that is the latest cannot be told. See open(restored=True); or, where create() never returned, remove "
                "both files and call it again"
            )
        if told is not None and self._saves < told:
            raise StoreDamaged(
                f"{self._path} is save number {self._saves}, and {told} were told: it is older, and pads in it were "
                f"used. Put back the latest, or {_NEW}"
            )

    def _restored(self, snapshot: bytes) -> KeyPool:
        try:
            pool = KeyPool.restore(snapshot)
        except InputError as error:
            raise StoreDamaged(f"{self._path}: {error}") from None
        finally:
            del snapshot
        self._mark, self._spent_bytes, self._pool = _digest(pool.hash_key), pool.spent_bytes, pool
        return pool

    def _check_follows(self, content: Content) -> None:
        """Refuse what would take the pool back, or put another in its place."""
        mark, spent_bytes = _digest(content.hash_key), content.spent_bytes
        del content
        if mark != self._mark or spent_bytes < self._spent_bytes:
            raise InputError(f"snapshot must be a later one of the pool that open() made of {self._path}")
        self._spent_bytes = spent_bytes

    def _write(self, snapshot: bytes) -> None:
        number = self._saves + 1
        if number >= MAX_SAVES:
            del snapshot
            raise StoreUnavailable(f"{self._path} was saved as often as can be counted")
        body = _MAGIC + _VERSION.to_bytes(_VERSION_BYTES, "little") + NUMBER.pack(number) + snapshot
        del snapshot
        failure: OSError | None = None
        self._saves = number  # also where it fails: the file may have taken its place
        try:
            replace_file(self._path, body + _digest(body))
            write_told(self._lock, number)
        except OSError as error:
            failure = error
        finally:
            del body
        if failure is not None:
            raise self._unavailable(failure, "write")

    def _tell(self) -> None:
        """Make the number durable, so that a power cut may take it back a little, but not away."""
        try:
            write_told(self._lock, self._saves, durable=True)
        except OSError as error:
            raise self._unavailable(error, "write") from error

    def _unavailable(self, error: OSError, what: str) -> StoreUnavailable:
        return StoreUnavailable(f"cannot {what} {self._path}: {error.strerror or type(error).__name__}")


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()


def _close(descriptor: int, process: int) -> None:
    """Close the lock's file; in a fork that would be allowed, too, but is left to the end of that process."""
    if process == os.getpid():
        with suppress(OSError):
            os.close(descriptor)
