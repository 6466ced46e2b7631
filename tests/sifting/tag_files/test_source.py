from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.sifting import load_time_tags

EIGHT = b"".join(b"%d %d\n" % (number, 10 * number) for number in range(8))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("name", PACKERS)
def test_packed_files_are_read_by_their_content(tmp_path: Path, name: str) -> None:
    for ending in (name, "txt"):
        path = tmp_path / f"tags.{ending}"
        path.write_bytes(PACKERS[name](EIGHT))
        assert load_time_tags(path, 1.0)[1].ticks.tolist() == [40, 50, 60, 70]


@pytest.mark.parametrize("name", PACKERS)
def test_damaged_packed_files_are_refused(tmp_path: Path, name: str) -> None:
    """Five classes of error came out of numpy here."""
    path = tmp_path / f"tags.{name}"
    packed = PACKERS[name](EIGHT * 100)
    for damaged in (packed[:-5], packed[: len(packed) // 2], packed[:20] + b"\xff" * 9 + packed[29:], packed[:7]):
        path.write_bytes(damaged)
        with pytest.raises(InputError):
            load_time_tags(path, 1.0)


@pytest.mark.parametrize("ending", [*PACKERS, "txt"])
def test_files_that_are_not_packed_as_their_name_says(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"tags.{ending}"
    path.write_bytes(EIGHT)
    assert load_time_tags(path, 1.0)[1].clicks == 4


@pytest.mark.parametrize("content", [b"\xf4\x8f\xbf\xbf\n", "0 5\n1 1\u3011\n".encode(), "0 \u0665\n".encode()])
def test_other_letters_than_ascii_are_no_digits(tmp_path: Path, content: bytes) -> None:
    """The first of these killed the process; the second was read as the tick 12267."""
    path = tmp_path / "tags.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="other bytes than ASCII"):
        load_time_tags(path, 1.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PQTTTR\0\0" + bytes(9), "PicoQuant file: give file_format='picoquant-t2'"),
        (b"\x93NUMPY\x01", "file_format='numpy'"),
        (b"PK\x03\x04xx", "file_format='numpy'"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"\xff\xfe0\0 \0", "UTF-16"),
        (b"0 1\0\0\0", "is a binary file"),
        (b"0 1\n\x87\xff", "is it a binary file"),
        (b"0" * (2**16 + 1), "check that it is text"),
    ],
)
def test_binary_files_are_told_as_such(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "tags"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        load_time_tags(path, 1.0)
    assert "codec" not in str(caught.value)


def test_a_byte_order_mark_and_remarks_in_any_letters_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "tags.txt"
    path.write_bytes(b"\xef\xbb\xbf# \xb5s \xff\n" + EIGHT)
    assert load_time_tags(path, 1.0)[0].clicks == 4


@pytest.mark.parametrize("path", ["https://example.org/tags.txt", "ftp://x", "a\0b", 3, b"tags", None, "\ud800"])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(InputError, match="path"):
        load_time_tags(path, 1.0)  # type: ignore[arg-type]


def test_a_missing_file_is_told_as_everywhere(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_time_tags(tmp_path / "nothing", 1.0)


@given(st.binary(max_size=60) | st.text("0123456789 \n.-+e,;#", max_size=60).map(str.encode))
def test_any_bytes_are_clicks_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(content)
    for file_format in ("text", "numpy", "s15-a1", "s15-a1x", "picoquant-t2"):
        try:
            load_time_tags(path, 1.0, file_format=file_format, allow_silent=True, others="ignore")
        except InputError as error:
            assert error.__cause__ is None
