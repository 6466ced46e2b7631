"""The states of a connection: which message leads where, whoever the peer is."""

from __future__ import annotations

from typing import get_args

import pytest

from qkdpost.dialogue.messages import Alive, BlockMessage, BlockOpen, Close, Hello, Message, Ready
from qkdpost.errors import RemoteProtocolError
from qkdpost.session.states import ConnectionState, next_state

HANDSHAKE, GREETED, OPEN = ConnectionState.HANDSHAKE, ConnectionState.GREETED, ConnectionState.OPEN
EVERY = get_args(Message)
LEADS = {
    (HANDSHAKE, Hello): GREETED,
    (GREETED, Ready): OPEN,
    (OPEN, Close): ConnectionState.CLOSED,
    (OPEN, Alive): OPEN,
}
LEADS |= {(OPEN, kind): OPEN for kind in get_args(BlockMessage)}


@pytest.mark.parametrize("state", ConnectionState)
@pytest.mark.parametrize("message", EVERY, ids=lambda kind: kind.__name__)
def test_every_message_in_every_state(state: ConnectionState, message: type[Message]) -> None:
    if (state, message) in LEADS:
        assert next_state(state, message, peer_opens=True) is LEADS[state, message]
    else:
        with pytest.raises(RemoteProtocolError, match=message.__name__):
            next_state(state, message, peer_opens=True)


@pytest.mark.parametrize("message", [BlockOpen, Close])
def test_what_the_opener_alone_says(message: type[Message]) -> None:
    with pytest.raises(RemoteProtocolError, match="only the host that opens blocks"):
        next_state(OPEN, message, peer_opens=False)


@pytest.mark.parametrize("message", sorted(set(EVERY) - {BlockOpen, Close}, key=lambda kind: kind.__name__))
def test_all_else_is_for_both(message: type[Message]) -> None:
    for state in ConnectionState:
        if (state, message) in LEADS:
            assert next_state(state, message, peer_opens=False) is LEADS[state, message]


def test_a_connection_is_alive_until_it_ends() -> None:
    assert [state for state in ConnectionState if state.alive] == [HANDSHAKE, GREETED, OPEN]


def test_nothing_leads_back() -> None:
    assert all(after >= before for (before, _), after in LEADS.items())
