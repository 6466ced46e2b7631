"""What holds in every state that two ends of a pool can reach, see `support.every_state`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qkdpost.network.pool.direction import Direction, Place
from support.every_state import ARRIVAL, Bounds, World, explore, follow, replay

SMALL = [
    Bounds(keys=(1, 0), crashes=1),
    Bounds(keys=(1, 0), breaks=1),
    Bounds(keys=(1, 0), restores=1),
]
LARGE = [
    Bounds(keys=(2, 0), breaks=1),
    Bounds(keys=(2, 0), crashes=1),
    Bounds(keys=(1, 1), crashes=1),
    Bounds(keys=(1, 0), crashes=2),
    Bounds(keys=(2, 0), restores=1),
    Bounds(keys=(1, 0), crashes=1, restores=1),
    Bounds(keys=(1, 0), breaks=1, crashes=1, restores=1),
]


def named(bounds: Bounds) -> str:
    keys = "+".join(map(str, bounds.keys))
    return f"keys {keys}, {bounds.crashes} crashes, {bounds.breaks} breaks, {bounds.restores} restores"


@pytest.mark.parametrize(
    "bounds", [*SMALL, *(pytest.param(bounds, marks=pytest.mark.slow) for bounds in LARGE)], ids=named
)
def test_no_byte_meets_two_texts_and_rest_is_reached_from_everywhere(bounds: Bounds) -> None:
    assert explore(bounds).stuck == 0


def test_frames_of_earlier_connections_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = itertools.count()
    check = World.check

    def checked(world: World, *, without_restore: bool) -> None:
        check(world, without_restore=without_restore)
        if next(said) % 5 == 0:
            replay(world)

    monkeypatch.setattr(World, "check", checked)
    assert explore(Bounds(keys=(1, 0), breaks=1)).stuck == 0


# The search finds what goes wrong without the rules: a search that cannot fail shows nothing.


def test_without_the_skip_a_restored_store_uses_a_pad_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Direction, "place_after", lambda self, start, count: start)
    with pytest.raises(AssertionError, match="meets two texts"):
        explore(Bounds(keys=(2, 0), restores=1))


WAY_TO_TWO_SKIPS = [
    "a backup of A is made", "A dies and comes back", "the ends connect", ARRIVAL, "A assigns a key",
    "B dies and comes back", "the backup of A is put back", "the ends connect", ARRIVAL, "A assigns a key", ARRIVAL,
]  # fmt: skip
"""A skips twice from the same place, and what it sends in between is lost; too far off for a search of every state."""


def forgets(pool: Any, mark: Any, window: int) -> None:
    """Go on from where the peer says, and do not store that."""
    before = pool.peer.window
    pool.peer.jump(Place(mark.segment, mark.offset))
    pool.peer.write(Nowhere())
    pool.peer.window = window or before


class Nowhere:
    def put(self, *_: object, **__: object) -> None:
        """Not stored."""


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_skip_that_the_peer_does_not_store_is_no_skip(monkeypatch: pytest.MonkeyPatch, is_stored: bool) -> None:
    bounds = Bounds(keys=(2, 0), restores=1, crashes=2)
    if is_stored:
        follow(bounds, WAY_TO_TWO_SKIPS)
        return
    monkeypatch.setattr("qkdpost.network.peer.greeting_exchange.store_peer_mark", forgets)
    with pytest.raises(AssertionError, match="meets two texts"):
        follow(bounds, WAY_TO_TWO_SKIPS)


# The implementation beside the model of the protocol.


def models_folder() -> Path:
    root = Path(__file__).resolve().parents[3]
    data = Path(os.environ.get("QKDPOST_DATA", root.parent / "shared" / "data"))
    return data.parent / "models"


def model_of_the_protocol() -> Callable[..., dict[str, Any]]:
    path = models_folder() / "pool_protocol.py"
    if not path.is_file():
        pytest.skip("the model of the protocol is not beside this checkout")
    source = path.read_text(encoding="utf-8")
    ending = "complete=True,time="
    assert source.count(ending) == 1
    namespace: dict[str, Any] = {"__name__": "model"}
    exec(compile(source.replace(ending, "seen=seen," + ending), str(path), "exec"), namespace)
    run: Callable[..., dict[str, Any]] = namespace["run"]
    return run


def deliveries_of_the_model(run: Callable[..., dict[str, Any]], bounds: Bounds) -> set[tuple[Any, Any]]:
    """Return what both ends of the model can say of A's keys at once."""
    result = run(
        N=90,
        lim0=45,
        W=bounds.window_units,
        reqs=bounds.keys,
        crashes=bounds.crashes,
        disc=bounds.breaks,
        restore=bool(bounds.restores),
    )
    assert result["complete"] and not result["viol"]
    found = set()
    for first, second, *_ in result["seen"]:
        mine, theirs = dict(first[4]), dict(second[4])
        names = sorted({name[1:] for name in (*mine, *theirs)})
        found.add(
            (tuple(mine.get("k" + name, "") for name in names), tuple(theirs.get("h" + name, "") for name in names))
        )
    return found


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(keys=(1, 0), crashes=1),
        Bounds(keys=(1, 0), restores=1),
        pytest.param(Bounds(keys=(2, 0), crashes=1), marks=pytest.mark.slow),
        pytest.param(Bounds(keys=(2, 0), restores=1), marks=pytest.mark.slow),
    ],
    ids=named,
)
def test_deliveries_are_never_in_a_state_that_the_model_does_not_know(bounds: Bounds) -> None:
    allowed = deliveries_of_the_model(model_of_the_protocol(), bounds)
    found = explore(bounds)
    for mine, theirs in found.deliveries:
        named_as_there = tuple("ASSIGNED" if state == "LEFT" else state for state in mine)
        assert (named_as_there[::-1], theirs[::-1]) in allowed  # keys are counted down here, and up there
