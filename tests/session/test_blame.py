"""Who is told of a mistake: the peer of what it sent, this host of its own record, the caller of a call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import qkdpost as qp
from qkdpost import simulation
from qkdpost.bits import Bits
from qkdpost.config import LinkConfig
from qkdpost.dialogue.messages import Abort, AbortReason, Confirmation
from qkdpost.dialogue.program import PAUSE, Program, from_peer
from qkdpost.errors import ConfigurationError, InputError, RemoteProtocolError
from qkdpost.keys.secret_key import SecretKey
from qkdpost.records import Detections, PreparedPulses, RawRecord, TimeTags
from qkdpost.session.codec import decode, encode
from qkdpost.session.states import ConnectionState
from qkdpost.stages import release
from qkdpost.stages.block import Block
from support.link import Pair, bb84_records, small_link


def altered(record: RawRecord, name: str, change: Callable[[np.ndarray], np.ndarray]) -> RawRecord:
    """Write into a frozen record, as nobody should: the checks of its constructor are behind it."""
    object.__setattr__(record, name, change(np.array(getattr(record, name))))
    return record


def bb84_with_altered_slots() -> tuple[LinkConfig, PreparedPulses, Detections]:
    alice, bob = bb84_records(4000, seed=1)
    altered(bob, "slots", lambda slots: np.roll(slots, 5))
    return small_link(), alice, bob


def time_tags_with_altered_ticks() -> tuple[LinkConfig, TimeTags, TimeTags]:
    link = small_link(protocol=qp.BBM92TimeTags())
    alice, bob = simulation.bbm92_time_tags(duration_s=0.5, pair_rate_hz=1e5, rng=np.random.default_rng(1))
    altered(bob, "ticks", lambda ticks: np.roll(ticks, 5))
    return link, alice, bob


@pytest.mark.parametrize("records", [bb84_with_altered_slots, time_tags_with_altered_ticks])
def test_an_own_record_that_cannot_be_worked_on_ends_its_block_and_blames_nobody_else(
    records: Callable[[], tuple[LinkConfig, RawRecord, RawRecord]],
) -> None:
    """It used to break the connection with an error about input, in the midst of the peer's messages."""
    link, alice, bob = records()
    pair = Pair(link)
    pair.submit(alice, bob)  # type: ignore[arg-type]
    pair.finish()
    pair.run()
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.RECORD_UNUSABLE]
        assert pair.sessions[role].state is ConnectionState.CLOSED
        assert pair.keys(role) == {}
    assert "this host cannot work on its own record" in pair.aborts("bob")[0].detail
    assert "this host" not in pair.aborts("alice")[0].detail


def test_the_blocks_beside_it_live_on() -> None:
    pair = Pair(small_link(blocks={"detections": 8000, "in_flight": 3}))
    for seed in range(3):
        alice, bob = bb84_records(8000, seed=seed)
        if seed == 1:
            altered(bob, "slots", lambda slots: np.roll(slots, 5))
        pair.submit(alice, bob)
    pair.finish()
    pair.run()
    assert [event.reason for event in pair.aborts("bob")] == [AbortReason.RECORD_UNUSABLE]
    assert sorted(pair.keys("alice")) == sorted(pair.keys("bob")) == [0, 2]


def test_only_input_that_the_peer_sent_becomes_its_fault() -> None:
    with pytest.raises(RemoteProtocolError, match=r"the slots of the peer: too many") as caught, from_peer("the slots"):
        raise InputError("too many")
    assert caught.value.__cause__ is None
    for error in (ConfigurationError, OSError, RemoteProtocolError):
        with pytest.raises(error, match="something else"), from_peer("the slots"):
            raise error("something else")


def test_a_peer_that_gives_up_a_block_which_is_complete_here_is_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage may pause before its end; the peer's abort then finds the block done, and its key told."""
    real = release._release

    def pausing(block: Block, bits: Bits) -> Program[SecretKey]:
        key = yield from real(block, bits)
        yield PAUSE
        return key

    monkeypatch.setattr(release, "_release", pausing)
    pair = Pair(small_link())
    pair.submit(*bb84_records())
    pair.finish()
    last = None
    while not (isinstance(last, Confirmation) and last.step == 2):
        pair.step("bob", "alice")
        pair.step("alice", "bob")
        last = decode(pair.sent["alice"][-1]) if len(pair.sent["alice"]) > 1 else None
    with pytest.raises(RemoteProtocolError, match="block 0, which is not in flight"):
        pair.sessions["alice"].receive_data(encode(Abort(block=0, reason=AbortReason.TOO_FEW_BITS)))
    pair.collect()
    assert list(pair.keys("alice")) == [0]
