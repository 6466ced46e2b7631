"""The errors of the library: one family, one reason per class.

A message says what was found, what is allowed and what to do. It never shows key bits.
"""

from __future__ import annotations

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "InputError",
    "KeyPoolExhausted",
    "LocalProtocolError",
    "QkdpostError",
    "RemoteProtocolError",
    "StoreDamaged",
    "StoreInUse",
    "StoreUnavailable",
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


class StoreUnavailable(QkdpostError):
    """The store of a key manager cannot record: what was asked for is refused, and nothing is answered from memory."""


class StoreDamaged(QkdpostError):
    """The store of a key manager is damaged, or older than what was told already: it is not opened, or not read on."""


class StoreInUse(QkdpostError):
    """The store of a key manager is open already, here or in another process; two writers would use keys twice."""
