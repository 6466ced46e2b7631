"""Proposals, parities, tags and verdicts that come too early, twice, from the wrong side, or say what is not so.

Somebody on the line alters them, who holds no key of the tags at the end of a block. So each ends as the peer's fault,
or in a block without key on both hosts, or in silence until the line is cut; and both make keys afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import structs

from qkdpost.dialogue.messages import (
    AbortReason,
    BlockTag,
    BlockVerdict,
    ComparedBits,
    CorrectionRound,
    CorrectionStart,
    FrameTags,
    FrameVerdict,
    LengthProposal,
    Message,
)
from qkdpost.errors import AuthenticationError, RemoteProtocolError
from qkdpost.keys.price import PADS_OF_A_BLOCK_BYTES
from qkdpost.session.codec import decode, encode
from qkdpost.session.states import ConnectionState
from support.correction import pair_with
from support.link import Pair, bb84_records

FRAMES = 5
"""Of the key of a block."""
GOOD: list[int] = []
BAD = [1, 3]
"""Which frames stay wrong after correction."""

Place = tuple[str, type[Message], int]
"""Who says it, its type, and how many others of this type he said before."""
Change = Callable[[bytes], bytes]
Forge = Callable[[Any], Sequence[Message]]
"""From what was said to what is heard in its place."""

EMPTY = CorrectionRound(block=0, round=0, bits=0, data=b"")
START = CorrectionStart(block=0, method=0, qber_ppm=10_000, seed=bytes(32))
TAG = BlockTag(block=0, hash_key=bytes(32), tag=bytes(5))
VERDICT = BlockVerdict(block=0, equal=True, bound_bits=1000)
PROPOSAL = LengthProposal(block=0, length_bits=1000, ledger=(0,) * 9, seed=b"")


def twice(said: Message) -> list[Message]:
    return [said, said]


def after(early: Message) -> Forge:
    return lambda said: [early, said]


def lost(_: Message) -> list[Message]:
    return []


def but(**fields: object) -> Forge:
    """Say the same with other fields; a function makes the new content of the old."""

    def forge(said: Any) -> list[Message]:
        new = {name: value(getattr(said, name)) if callable(value) else value for name, value in fields.items()}
        return [structs.replace(said, **new)]

    return forge


def longer(data: bytes) -> bytes:
    return data + b"\0"


def shorter(data: bytes) -> bytes:
    return data[:-1]


def beyond(data: bytes) -> bytes:
    """Set the last bit of the last byte, which is past the end where the bits do not fill it."""
    return data[:-1] + bytes((data[-1] | 0x80,))


def flipped(data: bytes) -> bytes:
    return bytes((data[0] ^ 1,)) + data[1:]


def verdict_on(wrong: Sequence[int]) -> Forge:
    """Say that these frames are wrong and no others."""
    equal = sum(1 << frame for frame in range(FRAMES) if frame not in wrong)
    return but(equal=equal.to_bytes(1, "little"))


def named(value: object) -> str | None:
    """Return how a test is told from others."""
    if isinstance(value, list):
        return "bad" if value else "good"
    return f"{value[0]}-{value[1].__name__}-{value[2]}" if isinstance(value, tuple) else None


class Altered:
    """A line on which something else is heard in the place of one message: after `past` others of its type."""

    def __init__(self, place: Place, forge: Forge) -> None:
        self.role, self.kind, past = place
        self.forge, self.left = forge, past + 1

    def __call__(self, role: str, _number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if role != self.role or not isinstance(message, self.kind):
            return [frame]
        self.left -= 1
        return [frame] if self.left else [encode(piece) for piece in self.forge(message)]


def check_no_key_and_go_on(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    """No host has a key of the block; over a new line both get the next one."""
    assert pair.keys("alice") == pair.keys("bob") == {}
    monkeypatch.undo()
    pair.reconnect()
    pair.collect()
    assert [session.blocks_in_flight for session in pair.sessions.values()] == [0, 0]
    for role, record in zip(("alice", "bob"), bb84_records(20_000, seed=8), strict=True):
        pair.sessions[role].submit(record, number=10)
    pair.finish()
    pair.run()
    assert pair.keys("alice") == pair.keys("bob") != {}


def no_pad_is_used(pair: Pair) -> bool:
    return [pool.spent_bytes for pool in pair.pools.values()] == [0, 0]


@pytest.mark.parametrize(
    ("wrong", "place", "forge", "match"),
    [
        # The proposal of correction.
        (GOOD, ("bob", ComparedBits, 0), after(START), "CorrectionStart has no place in estimation"),
        (GOOD, ("bob", CorrectionStart, 0), twice, "expected CorrectionRound, the peer sent CorrectionStart"),
        (GOOD, ("bob", CorrectionStart, 0), lost, "expected CorrectionStart, the peer sent CorrectionRound"),
        (GOOD, ("bob", FrameVerdict, 0), after(START), "CorrectionStart has no place after verification"),
        (GOOD, ("alice", ComparedBits, 0), after(START), "CorrectionStart has no place after estimation"),
        (GOOD, ("alice", CorrectionRound, 0), after(START), "CorrectionStart has no place after reconciliation"),
        (GOOD, ("bob", CorrectionStart, 0), but(qber_ppm=0), "an error rate of 0 parts"),
        (GOOD, ("bob", CorrectionStart, 0), but(qber_ppm=500_000), "an error rate of 500000 parts"),
        (GOOD, ("bob", CorrectionStart, 0), but(method=1), "correction by method 1; the link asks for 0"),
        (
            GOOD,
            ("bob", CorrectionStart, 0),
            but(qber_ppm=400_000),
            "400000 .*; the compared bits come to",
        ),
        # The first turn of Cascade; of parities as many as it has, see `tests/reconciliation/cascade/test_turns.py`.
        (GOOD, ("alice", ComparedBits, 0), lambda said: [said, EMPTY], "expected [0-9]+ parities"),
        (GOOD, ("bob", CorrectionStart, 0), lambda said: [said, EMPTY], "expected [0-9]+ parities"),
        # Tags, to the corrector.
        (GOOD, ("alice", CorrectionRound, 1), after(TAG), "BlockTag has no place in reconciliation"),
        (GOOD, ("alice", FrameTags, 0), after(TAG), "expected FrameTags, the peer sent BlockTag"),
        (GOOD, ("alice", FrameTags, 0), twice, "expected BlockTag, the peer sent FrameTags"),
        (GOOD, ("alice", BlockTag, 0), twice, "BlockTag has no place after length agreement"),
        (BAD, ("alice", BlockTag, 1), twice, "BlockTag has no place after length agreement"),
        (GOOD, ("alice", BlockTag, 0), after(PROPOSAL), "LengthProposal has no place in verification"),
        (BAD, ("alice", BlockTag, 1), after(PROPOSAL), "LengthProposal has no place in verification"),
        # Verdicts, to the reference.
        (GOOD, ("bob", FrameVerdict, 0), after(VERDICT), "expected FrameVerdict, the peer sent BlockVerdict"),
        (GOOD, ("bob", FrameVerdict, 0), twice, "expected BlockVerdict, the peer sent FrameVerdict"),
        (GOOD, ("bob", FrameVerdict, 0), but(corrected=None), "where, and only where"),
    ],
    ids=named,
)
def test_what_is_out_of_order_is_the_peers_fault(
    monkeypatch: pytest.MonkeyPatch, wrong: list[int], place: Place, forge: Forge, match: str
) -> None:
    """And so early that no pad is used."""
    pair = pair_with(monkeypatch, wrong)
    with pytest.raises(RemoteProtocolError, match=match):
        pair.run(Altered(place, forge))
    assert [session.state for session in pair.sessions.values()].count(ConnectionState.BROKEN) == 1
    assert no_pad_is_used(pair)
    check_no_key_and_go_on(monkeypatch, pair)


@pytest.mark.parametrize(
    ("wrong", "place", "name", "change", "what"),
    [
        (*case[:3], change, case[3])
        for case in (
            (GOOD, ("alice", FrameTags, 0), "tags", "frame tags"),
            (GOOD, ("alice", BlockTag, 0), "tag", "block tag"),
            (BAD, ("alice", BlockTag, 0), "tag", "block tag"),
            (BAD, ("alice", BlockTag, 1), "tag", "block tag"),
            (GOOD, ("bob", FrameVerdict, 0), "equal", "frame verdicts"),
            (BAD, ("bob", FrameVerdict, 0), "equal", "frame verdicts"),
        )
        for change in (longer, shorter, beyond)
        if (change, case[2]) != (beyond, "tags")  # which fill their last byte
    ],
    ids=named,
)
def test_tags_and_verdicts_have_the_length_that_both_know(
    monkeypatch: pytest.MonkeyPatch, wrong: list[int], place: Place, name: str, change: Change, what: str
) -> None:
    pair = pair_with(monkeypatch, wrong)
    with pytest.raises(RemoteProtocolError, match=f"{what} of the peer"):
        pair.run(Altered(place, but(**{name: change})))
    assert no_pad_is_used(pair)
    check_no_key_and_go_on(monkeypatch, pair)


@pytest.mark.parametrize(
    ("wrong", "place", "forge", "reason"),
    [
        (GOOD, ("alice", BlockTag, 0), but(tag=flipped), AbortReason.VERIFICATION_FAILED),
        (GOOD, ("alice", BlockTag, 0), but(hash_key=flipped), AbortReason.VERIFICATION_FAILED),
        (BAD, ("alice", BlockTag, 1), but(tag=flipped), AbortReason.VERIFICATION_FAILED),
        (GOOD, ("alice", FrameTags, 0), but(hash_key=flipped), AbortReason.VERIFICATION_FAILED),
        (GOOD, ("bob", FrameVerdict, 0), verdict_on(range(FRAMES)), AbortReason.VERIFICATION_FAILED),
        (BAD, ("bob", FrameVerdict, 0), verdict_on(range(FRAMES)), AbortReason.VERIFICATION_FAILED),
        (BAD, ("bob", FrameVerdict, 0), verdict_on([0]), AbortReason.VERIFICATION_FAILED),
        (BAD, ("bob", FrameVerdict, 0), verdict_on([0, 2]), AbortReason.VERIFICATION_FAILED),
        (GOOD, ("bob", BlockVerdict, 0), but(equal=False), AbortReason.VERIFICATION_FAILED),
        (BAD, ("bob", BlockVerdict, 0), but(equal=False), AbortReason.VERIFICATION_FAILED),
        (GOOD, ("bob", BlockVerdict, 0), but(bound_bits=0), AbortReason.NO_KEY_LEFT),
        (GOOD, ("bob", CorrectionStart, 0), but(seed=flipped), None),
    ],
    ids=named,
)
def test_what_is_not_so_costs_the_block(
    monkeypatch: pytest.MonkeyPatch, wrong: list[int], place: Place, forge: Forge, reason: AbortReason | None
) -> None:
    """On both hosts, without a pad; of another seed it is found that they speak of other bits."""
    pair = pair_with(monkeypatch, wrong)
    with contextlib.nullcontext() if reason else pytest.raises(RemoteProtocolError):
        pair.run(Altered(place, forge))
    for role in ("alice", "bob"):
        assert reason in {None, *(event.reason for event in pair.aborts(role))}
    assert no_pad_is_used(pair)
    check_no_key_and_go_on(monkeypatch, pair)


@pytest.mark.parametrize(
    ("wrong", "place", "forge"),
    [
        (GOOD, ("alice", FrameTags, 0), but(tags=flipped)),
        (BAD, ("alice", BlockTag, 0), but(tag=flipped)),
        (BAD, ("alice", BlockTag, 1), lambda said: [TAG]),
        (GOOD, ("bob", FrameVerdict, 0), verdict_on(BAD)),
        (GOOD, ("bob", FrameVerdict, 0), but(corrected=lambda count: count + 1)),
        (GOOD, ("bob", BlockVerdict, 0), twice),
        (GOOD, ("bob", BlockVerdict, 0), but(bound_bits=1000)),
        (BAD, ("bob", FrameVerdict, 0), lambda said: [said, VERDICT]),
    ],
    ids=named,
)
def test_what_both_could_have_said_is_found_by_the_tags(
    monkeypatch: pytest.MonkeyPatch, wrong: list[int], place: Place, forge: Forge
) -> None:
    """Or by what follows while they travel. Under a key of zeros, which no host draws, any string has the tag zero."""
    pair = pair_with(monkeypatch, wrong)
    with pytest.raises((AuthenticationError, RemoteProtocolError)):
        pair.run(Altered(place, forge))
    assert {pool.spent_bytes for pool in pair.pools.values()} <= {0, PADS_OF_A_BLOCK_BYTES}
    check_no_key_and_go_on(monkeypatch, pair)


@pytest.mark.parametrize(
    ("wrong", "place", "forge"),
    [
        (GOOD, ("bob", CorrectionRound, 0), lost),
        (GOOD, ("alice", BlockTag, 0), lost),
        (BAD, ("alice", BlockTag, 1), lost),
        (BAD, ("bob", FrameVerdict, 0), verdict_on(GOOD)),
    ],
    ids=named,
)
def test_each_waits_for_the_other_until_the_line_is_cut(
    monkeypatch: pytest.MonkeyPatch, wrong: list[int], place: Place, forge: Forge
) -> None:
    """As after any message that is lost: neither goes on with what it does not know."""
    pair = pair_with(monkeypatch, wrong)
    pair.run(Altered(place, forge))
    assert [session.blocks_in_flight for session in pair.sessions.values()] == [1, 1]
    assert no_pad_is_used(pair)
    pair.reconnect()
    pair.collect()
    for role in ("alice", "bob"):
        assert [event.reason for event in pair.aborts(role)] == [AbortReason.CONNECTION_LOST]
    check_no_key_and_go_on(monkeypatch, pair)


def test_a_verdict_that_is_foreseen_and_said_early_gives_the_key_that_it_would_have_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who says to the letter what the corrector will say takes nothing from anybody: it has to say so itself."""
    pair = pair_with(monkeypatch, BAD)
    pair.run()
    keys = pair.keys("alice")
    assert pair.keys("bob") == keys != {}
    (foreseen,) = (message for message in map(decode, pair.sent["bob"]) if isinstance(message, BlockVerdict))
    early = Altered(("bob", FrameVerdict, 0), lambda said: [said, foreseen])
    late = Altered(("bob", BlockVerdict, 0), lost)
    pair = pair_with(monkeypatch, BAD)
    pair.run(lambda role, number, frame: late(role, number, frame) and early(role, number, frame))
    assert pair.keys("alice") == pair.keys("bob") == keys
