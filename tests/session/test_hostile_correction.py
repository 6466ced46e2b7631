"""Payloads of correction that the peer's side of the method could not send: its fault, and no key on either host."""

from __future__ import annotations

import msgspec
import pytest

from qkdpost.dialogue.messages import BlockOpen, Close, CorrectionRound, LengthProposal
from qkdpost.errors import RemoteProtocolError
from qkdpost.session.codec import decode, encode
from qkdpost.session.states import ConnectionState
from support.link import Pair, bb84_records, small_link

PAYLOADS: dict[str, dict[str, object]] = {
    "an encoding": {"bits": None},
    "an empty encoding": {"bits": None, "data": b""},
    "a long encoding": {"bits": None, "data": bytes(2**21)},
    "the most bits": {"bits": 2**53},
    "no bits but bytes": {"bits": 0},
    "nothing": {"bits": 0, "data": b""},
    "many bits": {"bits": 2**24, "data": bytes(2**21)},
    "more bytes than bits": {"data": bytes(2**21)},
    "another round": {"round": 2**53},
}


def ready_pair() -> Pair:
    pair = Pair(small_link(security={"epsilon": 1e-6}))
    pair.submit(*bb84_records(4000, qber=0.004))
    pair.finish()
    return pair


@pytest.mark.parametrize("at", [0, 1, 3])
@pytest.mark.parametrize("sender", ["alice", "bob"])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_that_cannot_be_is_the_peers_fault(payload: str, sender: str, at: int) -> None:
    seen = 0

    def alter(role: str, _: int, frame: bytes) -> list[bytes]:
        nonlocal seen
        message = decode(frame)
        if role != sender or not isinstance(message, CorrectionRound):
            return [frame]
        seen += 1
        return [encode(msgspec.structs.replace(message, **PAYLOADS[payload]))] if seen == at + 1 else [frame]

    pair = ready_pair()
    with pytest.raises(RemoteProtocolError):
        pair.run(alter)
    assert seen == at + 1
    victim = pair.sessions["bob" if sender == "alice" else "alice"]
    assert victim.state is ConnectionState.BROKEN
    pair.reconnect()
    pair.collect()
    assert pair.keys("alice") == pair.keys("bob") == {}


def test_a_length_proposed_early_waits_for_its_turn_and_is_none_then() -> None:
    """It may be heard later; but as the next message of the stage that waits it is another than that stage hears."""

    def alter(role: str, _: int, frame: bytes) -> list[bytes]:
        if role != "alice" or not isinstance(decode(frame), CorrectionRound):
            return [frame]
        return [encode(LengthProposal(block=0, length_bits=1000, ledger=(0,) * 8, seed=b"")), frame]

    pair = ready_pair()
    with pytest.raises(RemoteProtocolError, match="LengthProposal has no place in reconciliation"):
        pair.run(alter)
    assert pair.keys("alice") == pair.keys("bob") == {}


@pytest.mark.parametrize(
    "message",
    [
        Close(),
        BlockOpen(
            block=1,
            first_record=1,
            records=1,
            segment=bytes(16),
            offset=48,
            commitment=bytes(32),
            accumulated_epsilon=0.0,
        ),
    ],
    ids=["close", "open"],
)
def test_only_the_host_that_opens_blocks_opens_and_closes(message: Close | BlockOpen) -> None:
    pair = ready_pair()

    def alter(role: str, number: int, frame: bytes) -> list[bytes]:
        return [frame, encode(message)] if role == "alice" and number == 2 else [frame]

    with pytest.raises(RemoteProtocolError, match="only the host that opens blocks"):
        pair.run(alter)
    assert pair.keys("alice") == pair.keys("bob") == {}
