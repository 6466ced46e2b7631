"""How secret rows rest on the disk: as they are, or sealed by AES-256-GCM under keys that can be erased.

Sealing is computational, whatever the keys are that it seals: the site is the boundary of security, and a seal helps
against who takes a disk out of it or reads a backup. It also makes each row's check a keyed one, so that who writes to
the disk without the wrapping key can alter no mark.

Keys: the wrapping key is the application's, from a file, a smart card or an HSM behind a `Sealer` of its own. Under it
the store keeps *wrapped keys*: one for the store, and one for each segment of a pool. When the last chunk of a segment
is spent its wrapped key is erased, 100 bytes instead of a segment: what a flash disk keeps of old chunks in worn blocks
opens no more, unless it keeps the old wrapped key as well and the wrapping key falls into the same hands. Only a device
that keeps the keys itself erases for certain; `Sealer.forget_key` tells it.

No nonce is ever used twice, whatever is restored or sealed again. Each value is sealed under a key of its own,

    value key = BLAKE2b-256(key = unwrapped key, data = salt),   salt: 24 random bytes, new at each sealing

by AES-256-GCM with the nonce 0. Two values would share key and nonce only if their salts were equal. For N values under
one key that has probability at most N^2 / 2^193 if BLAKE2b is a pseudorandom function, 2^-113 at N = 2^40. Random salts
know no state, so that a store copied back draws new ones; a counter as nonce would run again from the backup's. And a
chunk that is sealed anew after a part of it was spent gets a new salt.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, Protocol

from qkdpost.checks import byte_string
from qkdpost.errors import ConfigurationError, StoreDamaged
from qkdpost.single_use import SingleUse

__all__ = ["AesGcmSealer", "MonotonicCounter", "NoSealer", "Sealer"]

KEY_BYTES = 32
SALT_BYTES = 24
_NONCE = bytes(12)
_KEPT_KEYS = 1024
_WRAPPED = b"qkdpost wrapped key"


class MonotonicCounter(Protocol):
    """A number in hardware, as of a TPM or HSM, that can be raised and never lowered.

    >>> from qkdpost import network
    >>> class Counter:
    ...     kept = 0
    ...     def value(self):
    ...         return self.kept
    ...     def raise_to(self, least):
    ...         self.kept = max(self.kept, least)
    >>> sealer = network.AesGcmSealer(bytes(32), counter=Counter())
    >>> sealer.raise_counter(7)
    >>> sealer.counter()
    7
    """

    def value(self) -> int:
        """Return it."""

    def raise_to(self, least: int) -> None:
        """Raise it to `least` at least, durably."""


class Sealer(Protocol):
    """What seals the secret rows of a store, and tells whether the store is older than one that was opened before.

    >>> from qkdpost import network
    >>> sealer: network.Sealer = network.AesGcmSealer(bytes(32))
    >>> wrapped = sealer.new_key()
    >>> sealer.open(wrapped, sealer.seal(wrapped, b"a key", b"held"), b"held")
    b'a key'
    """

    @property
    def seals(self) -> bool:
        """Whether values are sealed at all; a store keeps to what it was made with."""

    def new_key(self) -> bytes:
        """Make a key, and return it wrapped: the store keeps it so."""

    def seal(self, wrapped_key: bytes, value: bytes | bytearray, associated: bytes) -> bytes:
        """Seal a value, bound to `associated`, under a nonce that is never used again."""

    def open(self, wrapped_key: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Return what was sealed.

        Raises:
            StoreDamaged: it was sealed otherwise, or under other keys.
        """

    def check_key(self, wrapped_key: bytes) -> bytes:
        """Return the key of the checks of rows, 32 bytes, or none for checks that anybody can compute."""

    def forget_key(self, wrapped_key: bytes) -> None:
        """Erase what is kept of a key outside of the store, which has erased its wrapped form."""

    def counter(self) -> int | None:
        """Return a number that never falls, None without one: a store that knows a lower one is an older copy."""

    def raise_counter(self, least: int) -> None:
        """Raise that number to `least` at least; called after the store knows it durably, at openings and checkpoints.

        So a copy of the store is refused once the counter was raised after it was made.
        """


class NoSealer:
    """Leaves values as they are: for disks that are encrypted otherwise, or sites that trust theirs.

    >>> from qkdpost import network
    >>> sealer = network.NoSealer()
    >>> wrapped = sealer.new_key()
    >>> sealer.open(wrapped, sealer.seal(wrapped, b"a key", b"held"), b"held")
    b'a key'
    """

    __slots__ = ()

    @property
    def seals(self) -> bool:
        """Not."""
        return False

    def new_key(self) -> bytes:
        """Return nothing."""
        return b""

    def seal(self, wrapped_key: bytes, value: bytes | bytearray, associated: bytes) -> bytes:
        """Return the value."""
        return bytes(value)

    def open(self, wrapped_key: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Return the value."""
        return sealed

    def check_key(self, wrapped_key: bytes) -> bytes:
        """Return none: checks are against accidents."""
        return b""

    def forget_key(self, wrapped_key: bytes) -> None:
        """Do nothing."""

    def counter(self) -> int | None:
        """Return None."""
        return None

    def raise_counter(self, least: int) -> None:
        """Do nothing."""


class AesGcmSealer(SingleUse):
    """Seals by AES-256-GCM; needs the package cryptography (extra `network`).

    Args:
        key: 32 bytes, uniformly random, used for nothing else; it wraps the keys of the store. Secret. Without it the
            store is lost.
        counter: refuses older copies of the store, if there is hardware for it.

    Raises:
        InputError: not 32 bytes.
        ConfigurationError: cryptography is not installed.

    >>> sealer = AesGcmSealer(bytes(32))
    >>> wrapped = sealer.new_key()
    >>> sealer.open(wrapped, sealer.seal(wrapped, b"a key", b"held"), b"held")
    b'a key'
    """

    __slots__ = ("_aead", "_counter", "_key", "_unwrapped")

    instead: ClassVar[str] = "make one of the same key"

    def __init__(self, key: bytes | bytearray, *, counter: MonotonicCounter | None = None) -> None:
        self._key = byte_string("key", key, count=KEY_BYTES)
        self._aead = _aes_gcm()
        self._counter = counter
        self._unwrapped = lru_cache(_KEPT_KEYS)(self._unwrap)

    def __repr__(self) -> str:
        return "AesGcmSealer()"

    @property
    def seals(self) -> bool:
        """So it does."""
        return True

    def new_key(self) -> bytes:
        """See `Sealer.new_key`."""
        return self._sealed(self._key, secrets.token_bytes(KEY_BYTES), _WRAPPED)

    def seal(self, wrapped_key: bytes, value: bytes | bytearray, associated: bytes) -> bytes:
        """See `Sealer.seal`: salt, then what AES-GCM makes, 40 bytes more than the value."""
        return self._sealed(self._unwrapped(wrapped_key), value, associated)

    def open(self, wrapped_key: bytes, sealed: bytes, associated: bytes) -> bytes:
        """See `Sealer.open`."""
        return self._opened(self._unwrapped(wrapped_key), sealed, associated)

    def check_key(self, wrapped_key: bytes) -> bytes:
        """See `Sealer.check_key`: derived from the key, so that the two uses share nothing."""
        return hashlib.blake2b(key=self._unwrapped(wrapped_key), digest_size=32, person=b"qkdpost checks").digest()

    def forget_key(self, wrapped_key: bytes) -> None:
        """Forget the keys that were unwrapped; those still in use are unwrapped again."""
        self._unwrapped.cache_clear()

    def counter(self) -> int | None:
        """See `Sealer.counter`."""
        return None if self._counter is None else self._counter.value()

    def raise_counter(self, least: int) -> None:
        """See `Sealer.raise_counter`."""
        if self._counter is not None:
            self._counter.raise_to(least)

    def _unwrap(self, wrapped_key: bytes) -> bytes:
        return self._opened(self._key, wrapped_key, _WRAPPED)

    def _sealed(self, key: bytes, value: bytes | bytearray, associated: bytes) -> bytes:
        salt = secrets.token_bytes(SALT_BYTES)
        made: bytes = self._aead(_value_key(key, salt)).encrypt(_NONCE, value, associated)
        return salt + made

    def _opened(self, key: bytes, sealed: bytes, associated: bytes) -> bytes:
        wrong: type[Exception] = _invalid_tag()
        try:
            opened: bytes = self._aead(_value_key(key, sealed[:SALT_BYTES])).decrypt(
                _NONCE, sealed[SALT_BYTES:], associated
            )
        except wrong:
            opened = b""
        else:
            return opened
        del key
        raise StoreDamaged("a sealed row does not open: it was altered, or sealed under another wrapping key")


def _value_key(key: bytes, salt: bytes) -> bytes:
    return hashlib.blake2b(salt, key=key, digest_size=KEY_BYTES, person=b"qkdpost sealing").digest()


def _aes_gcm() -> Callable[[bytes], Any]:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - an extra
    except ImportError as missing:
        raise ConfigurationError(
            "sealing needs the package cryptography: install qkdpost[network], or give NoSealer()"
        ) from missing
    return AESGCM


def _invalid_tag() -> type[Exception]:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - an extra

    return InvalidTag
