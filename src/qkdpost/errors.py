"""The errors of the library: one family, one reason per class.

A message says what was found, what is allowed and what to do. It never shows key bits.
"""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "InputError",
    "KeyNotFound",
    "KeyPoolExhausted",
    "LocalProtocolError",
    "NoRoute",
    "NotAuthorised",
    "NotEnoughKey",
    "PeerUnavailable",
    "QkdpostError",
    "RemoteProtocolError",
    "SelfTestFailed",
    "StoreDamaged",
    "StoreInUse",
    "StoreUnavailable",
    "TaskFailed",
    "UnsupportedRequest",
]


class QkdpostError(Exception):
    """What every error of this library is."""


class InputError(QkdpostError, ValueError):
    """An argument or record from the caller has the wrong shape, dtype or value."""


class ConfigurationError(QkdpostError, ValueError):
    """The configuration is invalid: a field is out of range, or two fields contradict each other."""


class LocalProtocolError(QkdpostError):
    """The application asked a session for something that its state does not allow."""


class RemoteProtocolError(QkdpostError):
    """The peer sent bytes that the protocol does not allow; every block of the connection is dead."""


class AuthenticationError(QkdpostError):
    """A tag of the peer is wrong: somebody altered the conversation, or the key pools differ."""


class KeyPoolExhausted(QkdpostError):
    """The pool of authentication key holds too little for the next tag; it is never stretched."""


class SelfTestFailed(QkdpostError):
    """A kernel computed a wrong answer on this processor; no session or key manager of this process starts any more."""


# Of key managers. Each is one answer to an application or to an operator.


class NotEnoughKey(QkdpostError):
    """A key manager has too little key for a request at present, or a quota is used up; nothing was spent."""


class KeyNotFound(QkdpostError):
    """One or more keys asked for by ID are not here for this caller; none is given."""


class NotAuthorised(QkdpostError):
    """The caller may not have what it asks for."""


class UnsupportedRequest(QkdpostError):
    """A request is well formed, but asks for what this key manager cannot do."""


class NoRoute(QkdpostError):
    """The topology has no way, or too few disjoint ones, between two key managers."""


class PeerUnavailable(QkdpostError):
    """The other key manager is not connected, or did not answer in time; what was assigned is void."""


class StoreUnavailable(QkdpostError):
    """The store of a key manager cannot record: what was asked for is refused, and nothing is answered from memory."""


class StoreDamaged(QkdpostError):
    """The store of a key manager is damaged, or older than what was told already: it is not opened, or not read on."""


class StoreInUse(QkdpostError):
    """The store of a key manager is open already, here or in another process; two writers would use keys twice."""


class TaskFailed(QkdpostError):
    """A task of a campaign raised an error, or killed each worker that tried it; the others are in the results file."""
