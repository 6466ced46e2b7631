"""Messages of a block heard in the place of others, some of which the other host would say too: no key, or the same."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkdpost as qp
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


Places = dict[tuple[str, int], list[tuple[str, int]]]
"""In whose place what is heard: who says which of his messages."""


class Conversation:
    """A block of two hosts that draw the same numbers in each run, so that one may hear what the other would say."""

    def __init__(self, wrong: list[int], **parts: object) -> None:
        self.wrong, self.parts = wrong, parts
        self.clean = self.run({})
        self.places = [
            (role, number)
            for role, kinds in HEARD.items()
            for number, frame in enumerate(self.clean.sent[role])
            if isinstance(decode(frame), kinds)
        ]

    def run(self, heard: Places) -> Pair:
        """Return both hosts after a run in which something else was heard; at an error the line is cut."""

        def alter(role: str, number: int, frame: bytes) -> list[bytes]:
            if (role, number) not in heard:
                return [frame]
            return [self.clean.sent[said_by][said_at] for said_by, said_at in heard[role, number]]

        with pytest.MonkeyPatch.context() as patch:
            pair = pair_with(patch, self.wrong, **self.parts)
            with contextlib.suppress(AuthenticationError, RemoteProtocolError):
                pair.run(alter)
        for session in pair.sessions.values():
            session.connection_lost()
        pair.collect()
        return pair


CASES: dict[str, Callable[[], Conversation]] = {
    "cascade, of which frames are wrong": lambda: Conversation([1, 3]),
    "ldpc": lambda: Conversation([], correction=qp.Ldpc(frame_bits=2**14)),
}


@functools.cache
def conversation_of(name: str) -> Conversation:
    """Return the conversation, held when it is first asked for and not when tests are collected."""
    return CASES[name]()


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=100)
@given(data=st.data())
def test_whatever_of_a_block_is_heard_in_whatever_place(name: str, data: st.DataObject) -> None:
    conversation = conversation_of(name)
    clean = conversation.clean.keys("alice")
    assert clean
    places = st.sampled_from(conversation.places)
    pair = conversation.run(data.draw(st.dictionaries(places, st.lists(places, max_size=2), min_size=1, max_size=3)))
    assert pair.keys("alice") == pair.keys("bob")
    assert pair.keys("alice") in ({}, clean)
    assert {pool.spent_bytes for pool in pair.pools.values()} <= {0, PADS_OF_A_BLOCK_BYTES}
    for role in ("alice", "bob"):
        assert len(pair.keys(role)) + len(pair.aborts(role)) == 1
