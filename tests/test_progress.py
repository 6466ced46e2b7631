from __future__ import annotations

import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import qkdpost as qp
from qkdpost import progress as progress_room
from qkdpost.progress import telling


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def shows(self) -> str:
        """What stands in the last line, as a terminal shows it."""
        line = ""
        for part in self.getvalue().split("\r"):
            line = part + line[len(part) :]
        return line


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress_room, "time", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Terminal]:
    terminal = Terminal()
    monkeypatch.setattr(progress_room, "sys", SimpleNamespace(stderr=terminal))
    monkeypatch.setenv("COLUMNS", "60")
    yield terminal


def test_a_function_is_told_everything() -> None:
    told: list[tuple[str, int, int | None]] = []
    with telling(lambda *said: told.append(said)) as tell:
        tell("counting", 1, 3)
        tell("waiting", 0, None)
    assert told == [("counting", 1, 3), ("waiting", 0, None)]


def test_short_work_draws_nothing(terminal: Terminal, clock: Clock) -> None:
    with telling(True) as tell:
        for done in range(1000):
            tell("counting", done, 1000)
        clock.now += 0.49
        tell("counting", 1000, 1000)
    assert terminal.getvalue() == ""


def test_long_work_draws_one_line_and_leaves_none(terminal: Terminal, clock: Clock) -> None:
    with telling(True) as tell:
        clock.now += 2.0
        tell("counting sheep", 1200, 3000)
        assert terminal.shows() == "counting sheep: 1,200 of 3,000 (40%), 2 s"
        tell("counting sheep", 1201, 3000)
        assert "1,201" not in terminal.getvalue()
        clock.now += 0.1
        tell("counting", 7, None)
        assert terminal.shows().rstrip() == "counting: 7, 2 s"
        clock.now += 0.1
        tell("x" * 100, 7, None)
        assert terminal.shows() == "x" * 59
    assert terminal.shows().strip() == ""
    assert terminal.getvalue().endswith("\r")
    assert "\n" not in terminal.getvalue()


def test_the_line_is_erased_where_work_fails(terminal: Terminal, clock: Clock) -> None:
    with pytest.raises(ZeroDivisionError), telling(True) as tell:
        clock.now += 1.0
        tell("dividing", 0, 0)
        assert terminal.shows() == "dividing: 0 of 0 (0%), 1 s"
        raise ZeroDivisionError
    assert terminal.shows().strip() == ""


@pytest.mark.parametrize("stream", [io.StringIO(), None], ids=["a file", "none at all"])
def test_nothing_is_drawn_where_nobody_looks(monkeypatch: pytest.MonkeyPatch, clock: Clock, stream: Any) -> None:
    monkeypatch.setattr(progress_room, "sys", SimpleNamespace(stderr=stream))
    with telling(True) as tell:
        clock.now += 5.0
        tell("counting", 1, 2)
    assert stream is None or stream.getvalue() == ""


def test_a_notebook_counts_as_a_terminal(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(progress_room, "sys", SimpleNamespace(stderr=stream))
    with telling(True) as tell:
        clock.now += 5.0
        tell("counting", 1, 2)
        assert "counting: 1 of 2" in stream.getvalue()


def test_a_terminal_that_goes_away_does_not_end_the_work(terminal: Terminal, clock: Clock) -> None:
    with telling(True) as tell:
        terminal.close()
        clock.now += 5.0
        tell("counting", 1, 2)


@pytest.mark.parametrize("wrong", [1, "yes", None])
def test_anything_else_is_refused(wrong: Any) -> None:
    with pytest.raises(qp.InputError, match=r"progress must be True, False or a function.*found"), telling(wrong):
        pass


def test_what_a_function_raises_comes_out() -> None:
    def stop(what: str, done: int, total: int | None, /) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        qp.planning.rate_curve(
            qp.planning.BBM92Link(), distances_km=[0.0], pulses=10**8, max_evaluations=3, progress=stop
        )
