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
    """What every error of this library is.

    >>> import qkdpost as qp
    >>> try:
    ...     qp.LinkConfig(protocol=qp.BB84(test="both"))
    ... except qp.QkdpostError as error:
    ...     print(error)
    test must be one of 'basis', 'sample'; found 'both'
    """


class InputError(QkdpostError, ValueError):
    """An argument or record from the caller has the wrong shape, dtype or value.

    >>> import qkdpost as qp
    >>> try:
    ...     qp.Tally(key_bits=-1, test_bits=0, test_errors=0)
    ... except qp.InputError as error:
    ...     print(error)
    key_bits must be an integer in 0 ... 2^53; found -1
    """


class ConfigurationError(QkdpostError, ValueError):
    """The configuration is invalid: a field is out of range, or two fields contradict each other.

    >>> import qkdpost as qp
    >>> try:
    ...     qp.Security(epsilon=2.0)
    ... except qp.ConfigurationError as error:
    ...     print(error)
    epsilon must be a number at least 1e-30 and at most 0.1; found 2.0
    """


class LocalProtocolError(QkdpostError):
    """The application asked a session for something that its state does not allow.

    >>> import qkdpost as qp
    >>> session = qp.Session(role="alice", link=qp.LinkConfig(protocol=qp.BB84()), auth_key=qp.KeyPool(bytes(1000)))
    >>> try:
    ...     session.receive_data(b"")
    ... except qp.LocalProtocolError as error:
    ...     print(error)
    """


class RemoteProtocolError(QkdpostError):
    """The peer sent bytes that the protocol does not allow; every block of the connection is dead.

    >>> import qkdpost as qp
    >>> session = qp.Session(role="alice", link=qp.LinkConfig(protocol=qp.BB84()), auth_key=qp.KeyPool(bytes(1000)))
    >>> try:
    ...     session.receive_data(b"hello, it is me, Bob")
    ... except qp.RemoteProtocolError:
    ...     print(session.state.name)
    BROKEN
    """


class AuthenticationError(QkdpostError):
    """A tag of the peer is wrong: somebody altered the conversation, or the key pools differ.

    >>> import qkdpost as qp
    >>> issubclass(qp.AuthenticationError, qp.RemoteProtocolError)
    False
    """


class KeyPoolExhausted(QkdpostError):
    """The pool of authentication key holds too little for the next tag; it is never stretched.

    >>> import qkdpost as qp
    >>> pool = qp.KeyPool(bytes(100))
    >>> try:
    ...     pool.reserve(1000)
    ... except qp.KeyPoolExhausted as error:
    ...     print(error)
    no segment has 1000 bytes of authentication key left in one piece (68 in all); supply new pre-shared key
    """


class SelfTestFailed(QkdpostError):
    """A kernel computed a wrong answer on this processor; no session or key manager of this process starts any more.

    >>> import qkdpost as qp
    >>> try:
    ...     report = qp.self_test()
    ... except qp.SelfTestFailed:
    ...     print("do not use this host")
    """


# Of key managers. Each is one answer to an application or to an operator.


class NotEnoughKey(QkdpostError):
    """A key manager has too little key for a request at present, or a quota is used up; nothing was spent.

    >>> import qkdpost as qp
    >>> issubclass(qp.NotEnoughKey, qp.QkdpostError)
    True
    """


class KeyNotFound(QkdpostError):
    """One or more keys asked for by ID are not here for this caller; none is given.

    >>> import qkdpost as qp
    >>> issubclass(qp.KeyNotFound, qp.QkdpostError)
    True
    """


class NotAuthorised(QkdpostError):
    """The caller may not have what it asks for.

    >>> import qkdpost as qp
    >>> issubclass(qp.NotAuthorised, qp.QkdpostError)
    True
    """


class UnsupportedRequest(QkdpostError):
    """A request is well formed, but asks for what this key manager cannot do.

    >>> import qkdpost as qp
    >>> issubclass(qp.UnsupportedRequest, qp.QkdpostError)
    True
    """


class NoRoute(QkdpostError):
    """The topology has no way, or too few disjoint ones, between two key managers.

    >>> import qkdpost as qp
    >>> issubclass(qp.NoRoute, qp.QkdpostError)
    True
    """


class PeerUnavailable(QkdpostError):
    """The other key manager is not connected, or did not answer in time; what was assigned is void.

    >>> import qkdpost as qp
    >>> issubclass(qp.PeerUnavailable, qp.QkdpostError)
    True
    """


class StoreUnavailable(QkdpostError):
    """The store of a key manager cannot record: what was asked for is refused, and nothing is answered from memory.

    >>> import qkdpost as qp
    >>> issubclass(qp.StoreUnavailable, qp.QkdpostError)
    True
    """


class StoreDamaged(QkdpostError):
    """The store of a key manager is damaged, or older than what was told already: it is not opened, or not read on.

    >>> import qkdpost as qp
    >>> issubclass(qp.StoreDamaged, qp.QkdpostError)
    True
    """


class StoreInUse(QkdpostError):
    """The store of a key manager is open already, here or in another process; two writers would use keys twice.

    >>> import qkdpost as qp
    >>> issubclass(qp.StoreInUse, qp.QkdpostError)
    True
    """


class TaskFailed(QkdpostError):
    """A task of a campaign raised an error, or killed each worker that tried it; the others are in the results file.

    >>> import qkdpost as qp
    >>> issubclass(qp.TaskFailed, qp.QkdpostError)
    True
    """
