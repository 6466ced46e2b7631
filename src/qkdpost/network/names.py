"""Names of applications and key managers, of the pools between them, and of keys.

A name is compared as it is written, byte for byte in UTF-8, and stands in messages, hashes and logs: so it is short,
printable and has no space at its ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from os import urandom
from struct import Struct

from qkdpost.checks import described
from qkdpost.errors import InputError, QkdpostError

__all__ = [
    "KEY_ID_BYTES",
    "MAX_NAME_BYTES",
    "POOL_ID_BYTES",
    "RandomBytes",
    "checked_name",
    "key_id_bytes",
    "key_id_text",
    "key_id_texts",
    "new_key_id",
    "new_key_ids",
    "pool_id",
    "split_key_ids",
]

MAX_NAME_BYTES = 64
KEY_ID_BYTES = 16
POOL_ID_BYTES = 16
RandomBytes = Callable[[int], bytes]
"""Where identifiers come from: so many uniformly random bytes, as `os.urandom`. No key is made of them."""

_VERSION_4 = bytes(octet & 0x0F | 0x40 for octet in range(256))
_VARIANT = bytes(octet & 0x3F | 0x80 for octet in range(256))
"""Of RFC 9562."""
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def checked_name(what: str, value: object, *, error: type[QkdpostError] = InputError) -> str:
    """Return the name of an application (SAE) or a key manager (KME) as a plain `str`.

    Args:
        what: the argument is called, for the message.
        value: 1 ... 64 bytes of UTF-8, printable, no space at either end.
        error: the class of what is raised.

    Raises:
        InputError: (or `error`) it is no such text.

    >>> checked_name("master", "SAE-A")
    'SAE-A'
    """
    text = str(value) if isinstance(value, str) else ""
    # A lone surrogate is not printable, so that what passes can be encoded.
    if not text or not text.isprintable() or text != text.strip() or len(text.encode()) > MAX_NAME_BYTES:
        raise error(
            f"{what} must be a name of 1 ... {MAX_NAME_BYTES} bytes in UTF-8, printable and without a space at either "
            f"end; found {described(value)}"
        )
    return text


def pool_id(first: str, second: str) -> bytes:
    """Return the 16 public bytes that name the pool between two key managers, in either order.

    It is BLAKE2b-128, personalised "qkdpost pool", over both names in the order of their bytes, each behind its length
    in one byte.

    Raises:
        InputError: not two names, or the same one twice.

    >>> pool_id("kbh-2", "kbh-3") == pool_id("kbh-3", "kbh-2")
    True
    """
    names = sorted((checked_name("first", first).encode(), checked_name("second", second).encode()))
    if names[0] == names[1]:
        raise InputError(f"a pool lies between two key managers; found {described(first)} twice")
    content = b"".join(bytes([len(name)]) + name for name in names)
    return blake2b(content, digest_size=POOL_ID_BYTES, person=b"qkdpost pool").digest()


def new_key_id(random_bytes: RandomBytes = urandom) -> bytes:
    """Return the 16 bytes of a new UUID of version 4 (RFC 9562), which names one key for ever.

    Args:
        random_bytes: where 16 random bytes come from.
    """
    return new_key_ids(1, random_bytes)


def new_key_ids(count: int, random_bytes: RandomBytes = urandom) -> bytes:
    """Return the bytes of so many new UUIDs, one behind the other, as of `new_key_id`."""
    octets = bytearray(random_bytes(KEY_ID_BYTES * count))
    octets[6::KEY_ID_BYTES] = octets[6::KEY_ID_BYTES].translate(_VERSION_4)
    octets[8::KEY_ID_BYTES] = octets[8::KEY_ID_BYTES].translate(_VARIANT)
    return bytes(octets)


@lru_cache(256)
def _splitter(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    return Struct(f"{KEY_ID_BYTES}s" * count).unpack


def split_key_ids(key_ids: bytes) -> tuple[bytes, ...]:
    """Return key IDs that stand one behind the other.

    >>> len(split_key_ids(bytes(32)))
    2
    """
    return _splitter(len(key_ids) // KEY_ID_BYTES)(key_ids)


def key_id_text(key_id: bytes) -> str:
    """Return a key ID as people write it: lower case, with hyphens.

    >>> key_id_text(bytes(16))
    '00000000-0000-0000-0000-000000000000'
    """
    digits = key_id.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def key_id_texts(key_ids: bytes) -> list[str]:
    """Return key IDs that stand one behind the other as people write them.

    >>> key_id_texts(bytes(32)) == 2 * [key_id_text(bytes(16))]
    True
    """
    text, parts = _writer(len(key_ids) // KEY_ID_BYTES)
    return (text % parts(key_ids.hex().encode())).decode().split()


@lru_cache(256)
def _writer(count: int) -> tuple[bytes, Callable[[bytes], tuple[bytes, ...]]]:
    return b"%b-%b-%b-%b-%b " * count, Struct("8s4s4s4s12s" * count).unpack


def key_id_bytes(what: str, value: object, *, error: type[QkdpostError] = InputError) -> bytes:
    """Return the 16 bytes of a key ID that is written as a UUID with hyphens, in either case.

    Raises:
        InputError: (or `error`) it is no such text.

    >>> key_id_bytes("key_id", "00000000-0000-4000-8000-0000000000FF").hex()
    '000000000000400080000000000000ff'
    """
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise error(f"{what} must be a UUID, as 123e4567-e89b-42d3-a456-426614174000; found {described(value)}")
    return bytes.fromhex(value.replace("-", ""))
