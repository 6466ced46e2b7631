from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkdpost.errors import InputError
from qkdpost.sifting import load_own_time_tags, load_time_tags

TICK_PS = 1000 / 256
RECORDED = "fpfind_timestamp7"


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.uint32, np.int32])
def test_numpy_files_are_read(tmp_path: Path, dtype: type[np.integer]) -> None:
    ticks, channels = np.arange(0, 80, 10, dtype=dtype), np.arange(8, dtype=np.uint8)
    np.savez(tmp_path / "tags.npz", ticks=ticks, channels=channels)
    np.savez_compressed(tmp_path / "packed.npz", ticks=ticks, channels=channels)
    fields = np.zeros(8, dtype=[("channels", "u1"), ("ticks", dtype)])
    fields["ticks"], fields["channels"] = ticks, channels
    np.save(tmp_path / "tags.npy", fields)
    for name in ("tags.npz", "packed.npz", "tags.npy"):
        alice, bob = load_time_tags(tmp_path / name, 1.0, file_format="numpy")
        assert (alice.ticks.tolist(), bob.channels.tolist()) == ([0, 10, 20, 30], [0, 1, 2, 3])


@pytest.mark.parametrize(
    "arrays",
    [
        {"ticks": [0]},
        {"ticks": [0.5], "channels": [0]},
        {"ticks": [[0]], "channels": [0]},
        {"ticks": [0], "channels": [0, 1]},
        {"ticks": np.array([2**63], dtype=np.uint64), "channels": [0]},
        {"ticks": np.array([None]), "channels": [0]},
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, arrays: dict[str, object]) -> None:
    path = tmp_path / "tags.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        load_time_tags(path, 1.0, file_format="numpy")


def test_arrays_of_other_names_are_named_and_sent_to_the_record(tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", t=[1, 2], **{"d" * 100: [0, 1]})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=rf"found 't', '{'d' * 40}'\. .*make TimeTags\(ticks="):
        load_time_tags(tmp_path / "own.npz", 1.0, file_format="numpy")
    np.save(tmp_path / "plain.npy", [[1, 0], [2, 1]])
    with pytest.raises(InputError, match=r"found no names"):
        load_time_tags(tmp_path / "plain.npy", 1.0, file_format="numpy")


def test_other_files_than_numpys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tags.npz"
    for content in (b"", b"0 1\n", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x10\x00{'descr': 'O'}  \n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"must be a \.npz file"):
            load_time_tags(path, 1.0, file_format="numpy")


def event(tick: int, mask: int, flags: int = 0) -> int:
    return tick << 10 | flags << 4 | mask


def as_bytes(events: list[int], exchanged: bool) -> bytes:
    words = np.array(events, dtype="<u8").view("<u4").reshape(-1, 2)
    return (words[:, ::-1] if exchanged else words).tobytes()


@given(
    st.lists(st.tuples(st.integers(0, 2**54 - 1), st.integers(1, 15), st.integers(0, 63)), min_size=1, max_size=20),
    st.booleans(),
    st.booleans(),
)
def test_masks_of_detectors_become_clicks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, int]], exchanged: bool, packed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "events.ts"
    rows = sorted(rows, key=lambda row: row[0])
    content = as_bytes([event(*row) for row in rows], exchanged)
    path.write_bytes(gzip.compress(content) if packed else content)
    file_format = "s15-a1x" if exchanged else "s15-a1"
    tags = load_own_time_tags(path, TICK_PS, file_format=file_format, allow_silent=True)
    expected = [(tick, bit) for tick, mask, flags in rows if not flags & 1 for bit in range(4) if mask >> bit & 1]
    assert list(zip(tags.ticks.tolist(), tags.channels.tolist(), strict=True)) == expected


def test_damaged_events_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.ts"
    path.write_bytes(as_bytes([event(1, 1), event(2, 2)], False)[:-1])
    with pytest.raises(InputError, match="7 bytes are left over"):
        load_own_time_tags(path, TICK_PS, file_format="s15-a1")
    path.write_bytes(as_bytes([event(1, 1), event(2, 0)], False))
    with pytest.raises(InputError, match="1 events without a detector"):
        load_own_time_tags(path, TICK_PS, file_format="s15-a1")


def test_recorded_events_are_read(data_directory: Path) -> None:
    """2,000 events, of which 12 are of two detectors; known counts of each mask."""
    path = data_directory / RECORDED / "timestamp7_c1234.Aa1.ts"
    tags = load_own_time_tags(path, TICK_PS, file_format="s15-a1")
    assert tags.clicks == 2_012
    assert np.bincount(tags.channels).tolist() == [621, 488, 481, 422]
    assert int(np.count_nonzero(np.diff(tags.ticks) == 0)) >= 12
    with pytest.raises(InputError):
        load_own_time_tags(path, TICK_PS, file_format="s15-a1x")


def test_recorded_events_out_of_order_are_told_and_sorted(data_directory: Path) -> None:
    """Eight steps back; what is marked as the counter's roll-over is no click."""
    path = data_directory / RECORDED / "timestamp7_c14_rollover.Aa1fX.ts"
    with pytest.raises(InputError, match=r"no click of 1 \(detectors\[1\]\), 2"):
        load_own_time_tags(path, TICK_PS, file_format="s15-a1x")
    with pytest.raises(InputError, match="give max_disorder_ticks=") as caught:
        load_own_time_tags(path, TICK_PS, file_format="s15-a1x", allow_silent=True)
    farthest = int(str(caught.value).rpartition("=")[2])
    assert farthest < 2**25
    tags = load_own_time_tags(path, TICK_PS, file_format="s15-a1x", allow_silent=True, max_disorder_ticks=farthest)
    assert tags.clicks == 862
    assert np.bincount(tags.channels).tolist() == [431, 0, 0, 431]
