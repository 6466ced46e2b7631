"""Messages of a block heard in the place of others, some of which the other host would say too: no key, or the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkdpost.dialogue.messages import (
    BlockTag,
    BlockVerdict,
    ComparedBits,
    CorrectionRound,
    CorrectionStart,
    FrameTags,
    FrameVerdict,
    LengthProposal,
)
from qkdpost.errors import AuthenticationError, RemoteProtocolError
from qkdpost.keys.price import PADS_OF_A_BLOCK_BYTES
from qkdpost.session.codec import decode
from support.correction import pair_with
from support.link import Pair

HEARD = {
    "alice": (ComparedBits, CorrectionRound, FrameTags, BlockTag, LengthProposal),
    "bob": (ComparedBits, CorrectionStart, CorrectionRound, FrameVerdict, BlockVerdict),
}
"""What is said of a block between its sifting and its tags."""


def run_of_bad_frames(alter: Callable[[str, int, bytes], list[bytes]] | None = None) -> Pair:
    """Return two hosts after a block of which frames were dropped; at an error the line is cut."""
    with pytest.MonkeyPatch.context() as patch:
        pair = pair_with(patch, [1, 3])
        with contextlib.suppress(AuthenticationError, RemoteProtocolError):
            pair.run(alter)
    for session in pair.sessions.values():
        session.connection_lost()
    pair.collect()
    return pair


CLEAN = run_of_bad_frames()
PLACES = [
    (role, number)
    for role, kinds in HEARD.items()
    for number, frame in enumerate(CLEAN.sent[role])
    if isinstance(decode(frame), kinds)
]


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from(PLACES), st.lists(st.sampled_from(PLACES), max_size=2), min_size=1, max_size=3),
)
def test_whatever_of_a_block_is_heard_in_whatever_place(heard: dict[tuple[str, int], list[tuple[str, int]]]) -> None:
    """Both hosts draw the same numbers in each run, so that some of it is what the other host would say itself."""

    def alter(role: str, number: int, frame: bytes) -> list[bytes]:
        if (role, number) not in heard:
            return [frame]
        return [CLEAN.sent[said_by][said_at] for said_by, said_at in heard[role, number]]

    pair = run_of_bad_frames(alter)
    assert pair.keys("alice") == pair.keys("bob")
    assert pair.keys("alice") in ({}, CLEAN.keys("alice"))
    assert {pool.spent_bytes for pool in pair.pools.values()} <= {0, PADS_OF_A_BLOCK_BYTES}
    for role in ("alice", "bob"):
        assert len(pair.keys(role)) + len(pair.aborts(role)) == 1
