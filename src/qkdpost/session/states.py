"""The states of a connection, and which message leads from which to which: for both hosts, whoever they are."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import get_args

from qkdpost.dialogue.messages import Alive, BlockMessage, BlockOpen, Close, Hello, Message, Ready
from qkdpost.errors import RemoteProtocolError

__all__ = ["ConnectionState", "next_state"]


class ConnectionState(IntEnum):
    """Where a connection stands.

    Members:
        HANDSHAKE: the peer's greeting has not come yet.
        GREETED: it has; the peer has not said yet that it heard this host's.
        OPEN: blocks may be worked on.
        CLOSED: ended in good order.
        BROKEN: ended by an error or a lost line; `Session.connect` starts the next.

    >>> import qkdpost as qp
    >>> session = qp.Session(role="alice", link=qp.LinkConfig(protocol=qp.BB84()), auth_key=qp.KeyPool(bytes(1000)))
    >>> session.state.name
    'HANDSHAKE'
    """

    HANDSHAKE = 0
    GREETED = 1
    OPEN = 2
    CLOSED = 3
    BROKEN = 4

    @property
    def alive(self) -> bool:
        """Whether the connection has not ended."""
        return self < ConnectionState.CLOSED


_TABLE: Mapping[ConnectionState, Mapping[type[Message], ConnectionState]] = {
    ConnectionState.HANDSHAKE: {Hello: ConnectionState.GREETED},
    ConnectionState.GREETED: {Ready: ConnectionState.OPEN},
    ConnectionState.OPEN: {
        **dict.fromkeys(get_args(BlockMessage), ConnectionState.OPEN),
        Alive: ConnectionState.OPEN,
        Close: ConnectionState.CLOSED,
    },
    ConnectionState.CLOSED: {},
    ConnectionState.BROKEN: {},
}
_NEXT = tuple(_TABLE[state] for state in ConnectionState)
"""By the state's number, which is found faster: a block takes some hundred messages."""
_OPENER_SAYS: frozenset[type[Message]] = frozenset({BlockOpen, Close})
"""What only the host that opens blocks may say."""


def next_state(state: ConnectionState, message: type[Message], *, peer_opens: bool) -> ConnectionState:
    """Return the state that a message of the peer leads to.

    Args:
        state: where the connection stands.
        message: what the peer sent.
        peer_opens: whether the peer is the host that opens blocks.

    Raises:
        RemoteProtocolError: the message has no place there, or is not the peer's to send.
    """
    following = _NEXT[state].get(message)
    if following is None:
        raise RemoteProtocolError(f"the peer sent {message.__name__}, which has no place in state {state.name}")
    if message in _OPENER_SAYS and not peer_opens:
        raise RemoteProtocolError(f"the peer sent {message.__name__}, which only the host that opens blocks may send")
    return following
