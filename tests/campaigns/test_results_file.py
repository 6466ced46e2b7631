from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.campaigns import workers

import qkdpost as qp
from qkdpost.campaigns.results_file import ResultsFile, read
from qkdpost.campaigns.task import Outcome, Task, perform
from qkdpost.errors import InputError


def outcome(number: int) -> Outcome:
    return replace(perform(Task(function=workers.drawn, arguments={"number": number}, seed=1)), processor_seconds=0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


def written(path: Path, count: int) -> list[Outcome]:
    file = ResultsFile(path)
    found = [outcome(number) for number in range(count)]
    for entry in found:
        file.append(entry)
    file.close()
    return found


def test_what_is_written_is_read(path: Path) -> None:
    found = written(path, 5)
    assert list(read(path)) == found
    file = ResultsFile(path)
    assert len(file) == 5
    assert [file.get(entry.identity) for entry in found] == found
    file.close()


def test_a_cut_at_every_byte_loses_only_the_line_in_work(path: Path) -> None:
    found = written(path, 3)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    ends = [sum(map(len, lines[: count + 1])) for count in range(len(lines))]
    near = {end + step for end in ends for step in (-2, -1, 0, 1, 2)} | set(range(ends[0], len(whole), 37))
    for cut in sorted(cut for cut in near if ends[0] <= cut <= len(whole)):
        path.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends) - 1
        assert list(read(path)) == found[:kept]
        file = ResultsFile(path)
        assert len(file) == kept
        file.append(found[2])
        file.close()
        assert list(read(path))[:kept] == found[:kept]
        assert list(read(path))[kept:] == [found[2]]


def test_a_head_that_was_cut_is_told(path: Path) -> None:
    written(path, 1)
    path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(qp.InputError, match="no file of a campaign"):
        ResultsFile(path)


@settings(max_examples=200)
@given(data=st.data())
def test_a_flipped_bit_is_told(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("flip") / "results.jsonl"
    found = written(path, 3)
    content = bytearray(path.read_bytes())
    last_break = content.rindex(b"\n", 0, -1)
    place = data.draw(st.integers(0, len(content) - 1) | st.just(last_break))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        kept = list(read(path))
    except qp.InputError:
        return
    # In the head's spaces; or in the last line, which counts as unfinished, and which the one before it may be part of.
    assert kept in (found, found[:1] if place == last_break else found[:2])


def test_a_damaged_line_in_the_middle_is_named(path: Path) -> None:
    written(path, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b'"seed": 1', b'"seed": 2')
    path.write_bytes(b"".join(lines))
    with pytest.raises(qp.InputError, match="line 3"):
        ResultsFile(path)
    with pytest.raises(qp.InputError, match="line 3"):
        list(read(path))


@pytest.mark.parametrize("line", [b'{"check": "0", "seed": NaN}', b'{"seed": ' + b"9" * 5000 + b"}", b"[" * 200_000])
def test_a_line_that_only_some_readers_take_is_damaged(path: Path, line: bytes) -> None:
    written(path, 1)
    with path.open("ab") as file:
        file.write(line + b"\n" + path.read_bytes().splitlines(keepends=True)[1])
    with pytest.raises(InputError, match="line 3"):
        list(read(path))
    with pytest.raises(InputError, match="line 3"):
        ResultsFile(path)
    path.write_bytes(line + b"\n")
    with pytest.raises(InputError, match="no file of a campaign"):
        list(read(path))


def test_other_files_are_refused_and_left_alone(path: Path) -> None:
    path.write_text("my thesis\n")
    with pytest.raises(qp.InputError, match="Name another file"):
        ResultsFile(path)
    assert path.read_text() == "my thesis\n"
    path.write_text('{"format": "qkdpost campaign", "version": 2}\n')
    with pytest.raises(qp.InputError, match="version 1"):
        ResultsFile(path)


def test_one_process_at_a_time(path: Path) -> None:
    pytest.importorskip("fcntl")
    file = ResultsFile(path)
    with pytest.raises(qp.StoreInUse, match="another campaign"):
        ResultsFile(path)
    file.close()
    ResultsFile(path).close()


def test_failures_are_recorded_but_not_done(path: Path) -> None:
    file = ResultsFile(path)
    good = outcome(1)
    file.append(
        Outcome(
            **{name: getattr(good, name) for name in ("identity", "function_name", "arguments", "seed")},
            result=None,
            error="no",
        )
    )
    assert good.identity not in file
    file.append(good)
    assert good.identity in file
    file.close()
    assert [entry.error for entry in read(path)] == ["no", None]
