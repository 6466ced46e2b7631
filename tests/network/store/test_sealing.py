"""Sealed at rest: what opens, what does not, and what is in no file."""

from __future__ import annotations

import hashlib
import random
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from qkdpost.errors import ConfigurationError, InputError, StoreDamaged
from qkdpost.network.store import AesGcmSealer, NoSealer, Sealer, SqliteStore
from support.leaks import leaks
from support.stores import again, copy_of, rows_of, run

KEY = bytes(range(32))
SEGMENT = b"p" * 16 + b"s" * 16


class Counter:
    """A counter in hardware."""

    def __init__(self) -> None:
        self.number = 0

    def value(self) -> int:
        return self.number

    def raise_to(self, least: int) -> None:
        self.number = max(self.number, least)


# The sealer alone.


@pytest.mark.parametrize("value", [b"", b"a key", bytes(1024)])
def test_what_is_sealed_opens_where_it_belongs(value: bytes) -> None:
    sealer = AesGcmSealer(KEY)
    wrapped = sealer.new_key()
    sealed = sealer.seal(wrapped, bytearray(value), b"place")
    assert AesGcmSealer(KEY).open(wrapped, sealed, b"place") == value
    assert len(sealed) == len(value) + 40
    refused: list[tuple[Sealer, bytes, bytes, bytes]] = [
        (sealer, wrapped, sealed, b"another place"),
        (sealer, sealer.new_key(), sealed, b"place"),
        (AesGcmSealer(bytes(32)), wrapped, sealed, b"place"),
        (sealer, wrapped[:-1], sealed, b"place"),
        (sealer, wrapped, sealed[:20], b"place"),
        (sealer, wrapped, b"", b"place"),
        *((sealer, wrapped, _flipped(sealed, place), b"place") for place in range(0, 8 * len(sealed), 61)),
    ]
    for other, key, text, place in refused:
        with pytest.raises(StoreDamaged, match="does not open") as caught:
            other.open(key, text, place)
        assert leaks(caught.value, KEY, hidden=False) == []


def _flipped(sealed: bytes, place: int) -> bytes:
    flipped = bytearray(sealed)
    flipped[place // 8] ^= 1 << place % 8
    return bytes(flipped)


def test_no_salt_comes_twice_and_so_no_nonce_under_one_key() -> None:
    """10^4 salts of 192 bits: by chance with probability 2^-166."""
    sealer = AesGcmSealer(KEY)
    wrapped = sealer.new_key()
    assert len({sealer.seal(wrapped, b"equal", b"")[:24] for _ in range(10**4)}) == 10**4


def test_the_seal_is_as_its_docstring_says() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealer = AesGcmSealer(KEY)
    wrapped = sealer.new_key()
    sealed = sealer.seal(wrapped, b"value", b"place")

    def opened(key: bytes, text: bytes, associated: bytes) -> bytes:
        value_key = hashlib.blake2b(text[:24], key=key, digest_size=32, person=b"qkdpost sealing").digest()
        return AESGCM(value_key).decrypt(bytes(12), text[24:], associated)

    assert opened(opened(KEY, wrapped, b"qkdpost wrapped key"), sealed, b"place") == b"value"


@pytest.mark.parametrize("key", [bytes(31), "0" * 32, None, 5])
def test_the_wrapping_key_is_checked(key: Any) -> None:
    with pytest.raises(InputError, match="key must be 32 bytes"):
        AesGcmSealer(key)


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigurationError, match=r"qkdpost\[network\]"):
        AesGcmSealer(KEY)


def test_importing_the_room_does_not_need_the_package() -> None:
    code = "import sys, qkdpost.network.store; print([name for name in sys.modules if 'cryptography' in name])"
    assert run(code).strip() == "[]"


def test_keys_are_not_shown() -> None:
    assert repr(AesGcmSealer(KEY)) == "AesGcmSealer()"


# A sealed store.


def sealed_store(folder: Path, **more: Any) -> SqliteStore:
    return SqliteStore(folder / "store", sealer=AesGcmSealer(KEY, **more))


def test_a_store_keeps_to_how_it_was_made(folder: Path) -> None:
    sealed_store(folder).close()
    with pytest.raises(ConfigurationError, match="is sealed"):
        SqliteStore(folder / "store")
    with pytest.raises(StoreDamaged, match="another wrapping key"):
        SqliteStore(folder / "store", sealer=AesGcmSealer(bytes(32)))
    SqliteStore(folder / "plain").close()
    with pytest.raises(ConfigurationError, match="not sealed"):
        SqliteStore(folder / "plain", sealer=AesGcmSealer(KEY))


def test_who_writes_to_the_disk_cannot_alter_a_mark(folder: Path) -> None:
    """The check of a store that is not sealed can be made by anybody; that of a sealed one needs the key."""
    for sealer in (NoSealer(), AesGcmSealer(KEY)):
        path = folder / type(sealer).__name__
        store = SqliteStore(path, sealer=sealer)
        store.begin()
        store.put("marks", b"a", b"17")
        store.commit()
        store.close()
        connection = sqlite3.connect(path / "store.db")
        name, stored = connection.execute("SELECT name, value FROM plain").fetchone()
        check = hashlib.blake2b(
            b"\0" + len(name).to_bytes(2, "little") + name + b"17", digest_size=16, person=b"qkdpost row"
        ).digest()
        assert (stored[-16:] == check) == isinstance(sealer, NoSealer)
        connection.close()


def test_a_value_that_is_moved_to_another_row_is_refused(folder: Path) -> None:
    store = sealed_store(folder)
    store.begin()
    for key in (b"a", b"b"):
        store.put("held", key, b"key of " + key, secret=True)
    store.commit()
    store.close()
    connection = sqlite3.connect(folder / "store" / "store.db")
    with connection:
        connection.execute(
            "UPDATE secret SET slot=(SELECT slot FROM secret WHERE name=?) WHERE name=?", (b"held\0b", b"held\0a")
        )
    connection.close()
    store = sealed_store(folder)
    store.begin()
    assert store.get("held", b"b") == b"key of b"
    with pytest.raises(StoreDamaged):
        store.get("held", b"a")
    store.close()


def wrapped_keys(folder: Path) -> dict[bytes, bytes]:
    connection = sqlite3.connect(folder / "store.db")
    found = {
        name[1:]: value[4:104]
        for name, value in connection.execute(
            "SELECT name, value FROM secret JOIN slots ON slots.id=slot WHERE hex(name) LIKE '00%'"
        )
    }
    connection.close()
    return found


def test_the_key_of_a_segment_goes_with_its_last_chunk(folder: Path) -> None:
    store = sealed_store(folder)
    store.begin()
    for other in (b"", b"another"):
        for index in range(3):
            store.put("chunks", (other + SEGMENT)[:32] + bytes([index]), b"chunk", secret=True)
    store.put("held", b"k", b"key", secret=True)
    store.commit()
    store.close()
    before = wrapped_keys(folder / "store")
    assert len(before) == 3
    again(folder / "store", folder / "old")
    store.reopen()
    for index in (1, 0, 2):
        store.begin()
        assert store.take("chunks", SEGMENT + bytes([index])) == b"chunk"
        store.commit()
    store.checkpoint()
    assert len(rows_of(store)) == 4
    store.close()
    after = wrapped_keys(folder / "store")
    assert set(before) - set(after) == {b"chunks\0" + SEGMENT}
    lost = before[b"chunks\0" + SEGMENT]
    assert not [path for path in (folder / "store").iterdir() if lost in path.read_bytes()]


def test_a_chunk_without_the_key_of_its_segment_is_refused(folder: Path) -> None:
    store = sealed_store(folder)
    store.begin()
    store.put("chunks", SEGMENT, b"chunk", secret=True)
    store.commit()
    store.close()
    connection = sqlite3.connect(folder / "store" / "store.db")
    with connection:
        connection.execute("DELETE FROM secret WHERE name=?", (b"\0chunks\0" + SEGMENT,))
    connection.close()
    store = sealed_store(folder)
    store.begin()
    with pytest.raises(StoreDamaged, match="key of a sealed row is gone"):
        store.get("chunks", SEGMENT)
    store.close()


def test_an_erasure_that_is_rolled_back_keeps_the_key(folder: Path) -> None:
    store = sealed_store(folder)
    store.begin()
    store.put("chunks", SEGMENT, b"chunk", secret=True)
    store.commit()
    store.begin()
    store.take("chunks", SEGMENT)
    store.rollback()
    assert rows_of(store) == {("chunks", SEGMENT): b"chunk"}
    store.close()


# The counter.


def test_a_copy_from_before_the_counter_was_raised_is_refused(folder: Path) -> None:
    counter = Counter()
    store = sealed_store(folder, counter=counter)
    store.begin()
    store.put("marks", b"", b"1")
    store.commit()
    store.close()
    again(folder / "store", folder / "old")
    store.reopen()
    store.begin()
    store.put("marks", b"", b"2")
    store.commit()
    store.close()
    again(folder / "old", folder / "store")
    with pytest.raises(StoreDamaged, match="made earlier"):
        sealed_store(folder, counter=counter)
    store = SqliteStore(folder / "store", sealer=AesGcmSealer(KEY, counter=counter), restored=True)
    assert rows_of(store) == {("marks", b""): b"1"}
    store.close()
    sealed_store(folder, counter=counter).close()


def test_a_checkpoint_raises_the_counter(folder: Path) -> None:
    counter = Counter()
    store = sealed_store(folder, counter=counter)
    before = counter.number
    store.checkpoint()
    assert counter.number == before + 1
    store.close()


def test_a_counter_that_fails_to_rise_locks_nobody_out(folder: Path) -> None:
    counter = Counter()
    sealed_store(folder, counter=counter).close()
    for broken in (0, 1):
        number = counter.number
        store = sealed_store(folder, counter=counter)
        counter.number = number + broken
        store.close()
    sealed_store(folder, counter=counter).close()


# What is in the files.

MARKED = [bytes([number]) + b"-a marked value that must be in no file-" + bytes([number]) * 40 for number in range(60)]
FIND = """
import pathlib
whole = b"".join(path.read_bytes() for path in pathlib.Path({folder!r}).iterdir())
print(whole.count(b"a marked value that must be in no file"))
"""


def marked_in_files(folder: Path) -> int:
    return int(run(FIND.format(folder=str(folder))))


def put_marked(store: SqliteStore) -> None:
    store.begin()
    for number, value in enumerate(MARKED):
        store.put("held", bytes([number]), value, secret=True)
        store.put("chunks", SEGMENT + bytes([number]), value * 12, secret=True)
    store.commit()


def test_what_was_taken_is_in_no_file_after_a_checkpoint(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    put_marked(store)
    assert marked_in_files(folder / "store") > 0
    store.begin()
    for number, value in enumerate(MARKED):
        assert store.take("held", bytes([number])) == value
        store.put("chunks", SEGMENT + bytes([number]), bytes(len(value) * 12), secret=True)
    store.commit()
    assert marked_in_files(folder / "store") > 0
    store.checkpoint()
    assert marked_in_files(folder / "store") == 0
    store.close()


def test_what_was_taken_is_in_no_file_after_closing(folder: Path) -> None:
    store = SqliteStore(folder / "store")
    put_marked(store)
    store.begin()
    for number in range(len(MARKED)):
        store.take("held", bytes([number]))
        store.take("chunks", SEGMENT + bytes([number]))
    store.commit()
    store.close()
    assert marked_in_files(folder / "store") == 0


def test_a_sealed_value_is_in_no_file_at_any_time(folder: Path) -> None:
    store = sealed_store(folder)
    put_marked(store)
    found = [marked_in_files(folder / "store")]
    store.checkpoint()
    found.append(marked_in_files(folder / "store"))
    store.backup(folder / "backup")
    found.append(marked_in_files(folder / "backup"))
    store.close()
    assert [*found, marked_in_files(folder / "store")] == [0] * 4


@pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_came_and_went_is_in_no_file(folder: Path, rounds: int, seed: int) -> None:
    """Rows of all sizes among others that stay: what moves with a page that is split would be left behind."""
    draw = random.Random(seed)
    store = SqliteStore(folder / "store")
    there: dict[bytes, bytes] = {}
    gone: set[bytes] = set()
    for number in range(rounds):
        store.begin()
        for _ in range(60):
            key = draw.randbytes(1)
            if draw.random() < 0.4 and there:
                key = draw.choice(sorted(there))
                gone.add(there.pop(key))
                store.take("held", key)
                continue
            if key in there:
                gone.add(there[key])
            there[key] = draw.randbytes(draw.choice((20, 32, 33, 200, 1024, 1030)))
            store.put("held", key, there[key], secret=True)
        store.commit()
        if number % 4 < 3:
            continue
        store.checkpoint()
        copied = copy_of(folder / "store", folder / f"copy-{number}")
        whole = b"".join(path.read_bytes() for path in copied.iterdir())
        assert not [value for value in gone if value[:16] in whole or value[-16:] in whole]
    assert rows_of(store) == {("held", key): value for key, value in there.items()}
    store.close()
