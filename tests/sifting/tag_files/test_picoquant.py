from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.sifting import load_own_time_tags

HYDRAHARP = 0x01010204
WRAP = 2**25


def tag(name: str, kind: int, value: bytes, after: bytes = b"") -> bytes:
    return name.encode().ljust(32, b"\0") + struct.pack("<iI", -1, kind) + value.ljust(8, b"\0") + after


def header(record_type: int = HYDRAHARP, resolution_s: float = 1e-12) -> bytes:
    comment = b"a comment".ljust(16, b"\0")
    return b"".join(
        [
            b"PQTTTR\0\0" + b"1.0.00\0\0",
            tag("File_Comment", 0x4001FFFF, struct.pack("<q", len(comment)), comment),
            tag("Fast_Load_End", 0xFFFF0008, b""),
            tag("TTResultFormat_TTTRRecType", 0x10000008, struct.pack("<q", record_type)),
            tag("MeasDesc_GlobalResolution", 0x20000008, struct.pack("<d", resolution_s)),
            tag("Header_End", 0xFFFF0008, b""),
        ]
    )


def record(special: int, channel: int, time: int) -> bytes:
    return struct.pack("<I", special << 31 | channel << 25 | time)


def records(clicks: list[tuple[int, int]], one_by_one: bool) -> bytes:
    """Records of clicks (tick, number): inputs from 1, sync 0, markers negative."""
    out, turns = [], 0
    for tick, number in clicks:
        while turns < tick // WRAP:
            step = 1 if one_by_one else min(tick // WRAP - turns, WRAP - 1)
            out.append(record(1, 63, 0 if one_by_one else step))
            turns += step
        out.append(record(0, number - 1, tick % WRAP) if number > 0 else record(1, -number, tick % WRAP))
    return b"".join(out)


def load(path: Path, **arguments: object):  # type: ignore[no-untyped-def]
    return load_own_time_tags(
        path, 1.0, detectors=(1, 2, 3, 4), file_format="picoquant-t2", **arguments  # type: ignore[arg-type]
    )  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 2**34), st.integers(1, 4)), max_size=20),
    st.sampled_from([HYDRAHARP, 0x00010205, 0x00010206, 0x00010207]),
)
def test_clicks_come_back(
    tmp_path_factory: pytest.TempPathFactory, clicks: list[tuple[int, int]], record_type: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "events.ptu"
    clicks = sorted([*clicks, *((0, number) for number in range(1, 5))])
    for one_by_one in (True, False):
        path.write_bytes(header(record_type) + records(clicks, one_by_one))
        tags = load(path)
        assert list(zip(tags.ticks.tolist(), (tags.channels + 1).tolist(), strict=True)) == clicks


def test_sync_and_markers_have_numbers_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "events.ptu"
    clicks = [(number, number) for number in range(1, 5)] + [(7, 0), (8, -1), (9, -15), (10, 64)]
    path.write_bytes(header() + records(clicks, True))
    with pytest.raises(InputError, match="clicks of -15: 1, -1: 1, 0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 64: 1"):
        load(path)
    assert load(path, others=[0, -1, -15, 64]).ticks.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no PicoQuant file"),
        (header()[:-3], "its header has no end"),
        (header(0x00010304), "records of type 0x10304; only T2 records are read"),
        (header(resolution_s=4e-12), "its tick is 4 ps; found tick_ps=1"),
        (header(resolution_s=float("nan")), "its tick is nan"),
        (header() + b"\0\0\0", "3 bytes are left over"),
        (header()[:60] + b"\xff" * 4 + header()[64:], "is cut off"),
        (b"PQTTTR\0\0" + bytes(8) + tag("x", 0, b"") * 10_001, "more than 10000 entries"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "events.ptu"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        load(path)


def test_overflows_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.ptu"
    path.write_bytes(header() + record(1, 63, WRAP - 1) * 10_000)
    with pytest.raises(InputError, match="beyond 2"):
        load(path)
