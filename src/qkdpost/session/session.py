"""One half of a link: bytes of the peer in, bytes for the peer and events out; no sockets, no clocks, no threads."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Executor

from qkdpost.checks import choice, described, instance, whole_number
from qkdpost.config import LinkConfig
from qkdpost.dialogue.messages import AbortReason
from qkdpost.errors import AuthenticationError, ConfigurationError, InputError, LocalProtocolError, RemoteProtocolError
from qkdpost.keys import KeyPool
from qkdpost.known_answers.verdict import refuse_after_failure
from qkdpost.protocols.table import protocol_of
from qkdpost.reconciliation.method import check_decoder
from qkdpost.records import RawRecord
from qkdpost.session.alone import Alone
from qkdpost.session.connection import Connection
from qkdpost.session.event_queue import EventQueue
from qkdpost.session.events import Event, LossReason
from qkdpost.session.intake import check_callables, check_record, counted
from qkdpost.session.line import ROLES, Line, Role
from qkdpost.session.metrics import Number
from qkdpost.session.pool_level import LOW_POOL_BYTES, PoolLevel
from qkdpost.session.record_queue import MAX_NUMBER, RecordQueue
from qkdpost.session.states import ConnectionState
from qkdpost.single_use import SingleUse
from qkdpost.threads import sharing, threads_of

__all__ = ["Session"]

_LOST: dict[LossReason, str] = {
    "peer-closed": "the line ended while the block was in flight",
    "timed-out": "nothing was heard for too long",
    "closed-here": "this host ended the line",
    "protocol-error": "the driver found the line broken",
    "authentication-failed": "the driver found the peer to be another",
    "failed-here": "this host's driver failed",
}


class Session(SingleUse):
    """One host's half of the conversation, over any number of blocks and connections.

    A session owns no socket: give it what the peer sent with `receive_data`, send the peer what `data_to_send`
    returns, and read `events` after every call. Bob opens blocks and reports his detections; which of the two holds the
    string that is kept is the kind's (`Protocol.reference`). The n-th record that Alice submits must cover the same
    pulses as Bob's n-th.

    A session holds its pool while its connection is open. It lets go when that ends, by `finish`, an error or
    `connection_lost`, or when the session is forgotten; another session may then have the pool, and this one have it
    back by `connect`. A session cannot be copied, pickled or sent to another process: make it where it is wanted, of
    the pool that `KeyPool.restore` makes there.

    Args:
        role: "alice" or "bob"; the peer must be the other.
        link: the configuration, equal on both hosts.
        auth_key: the pool of pre-shared key; it is spent and refilled in place. Secret.
        random_source: returns as many truly random bytes as it is asked for; the operating system's generator by
            default. Every seed, nonce and hash key of the conversation is drawn from it. It does not serve what is
            drawn where records are made and matched. The bits of double clicks in `Detections` are drawn when the
            record is made, by a `random_source` of its own. Of `TimeTags`, the outcomes of double clicks, the bases of
            cross clicks, and where in its tick a click of a coarse tagger lies, come from the operating system's
            generator (`secrets`) always.
        save_pool: stores what it is given, the pool's `snapshot`, so that it survives a power cut when it returns. It
            is called by `data_to_send` whenever the pool has changed, before any byte is handed out that was made with
            it; if it raises, none is. It is called where a tag is found wrong, too; if it raises there, the next
            `data_to_send` raises. As long as it has not succeeded after that, do not restart from what was stored
            before: the same pad would check a second tag. Without `save_pool`, the application must do all this
            itself, after every `receive_data` and `data_to_send` and before it sends: store `auth_key.snapshot()` if
            `auth_key.revision` has grown. A pad that is used again after a restart discloses the keys of the
            authentication. The snapshot is secret; an error that leaves `save_pool` carries it in its frames, if it
            was kept in a variable there.
        low_pool_bytes: the event `KeyPoolLow` tells when less than this is left of the pool; 0 for never.
        first_record: the number of the first record, where this session goes on for one that ended with its process.
        executor: in whose threads kernels work too, such as `concurrent.futures.ThreadPoolExecutor`; what is said and
            made is the same. It may be the one in which a driver calls the session, and is not shut down.

    Raises:
        ConfigurationError: an unknown role, no configuration or pool, or a decoder of LDPC codes or a kind of QKD that
            this host does not have, or no executor of threads.
        InputError: no number of bytes, or of a record.
        LocalProtocolError: another session, whose connection is open, holds the pool.
        SelfTestFailed: a self-test of this process has failed.

    >>> import qkdpost as qp
    >>> import os
    >>> link, preshared = qp.LinkConfig(protocol=qp.BB84()), os.urandom(4096)
    >>> alice = qp.Session(role="alice", link=link, auth_key=qp.KeyPool(preshared))
    >>> bob = qp.Session(role="bob", link=link, auth_key=qp.KeyPool(preshared))
    >>> for session, record in zip((alice, bob), qp.simulation.bb84(pulses=400_000, rng=1)):
    ...     session.submit(record)
    ...     session.finish()
    >>> while bob.state.alive:
    ...     alice.receive_data(bob.data_to_send())
    ...     bob.receive_data(alice.data_to_send())
    >>> [len(event.key.bits) > 10_000 for event in alice.events() if isinstance(event, qp.KeyReady)]
    [True]
    """

    def __init__(
        self,
        *,
        role: Role,
        link: LinkConfig,
        auth_key: KeyPool,
        random_source: Callable[[int], bytes] = secrets.token_bytes,
        save_pool: Callable[[bytes], None] | None = None,
        low_pool_bytes: int = LOW_POOL_BYTES,
        first_record: int = 0,
        executor: Executor | None = None,
    ) -> None:
        if not isinstance(auth_key, KeyPool):
            found = type(auth_key).__name__
            del auth_key  # which may be the key itself
            raise ConfigurationError(f"auth_key must be a KeyPool; found a {found}. Write auth_key=KeyPool(preshared)")
        self.role: Role = choice("role", role, ROLES, error=ConfigurationError)
        instance("link", link, LinkConfig, hint="write link=LinkConfig(...)", error=ConfigurationError)
        check_callables(random_source, save_pool)
        check_decoder(link.correction)
        self.link = link
        self._protocol = protocol_of(link.protocol)
        self._pool = auth_key
        self._random_source = counted(random_source)
        self._save_pool = save_pool
        self._saved_revision = -1
        self._queue = RecordQueue(next_number=whole_number("first_record", first_record, most=MAX_NUMBER))
        self._events = EventQueue(self.role, link.protocol.kind)
        low = whole_number("low_pool_bytes", low_pool_bytes, most=2**53)
        self._pool_level = PoolLevel(auth_key, self._events, low, link.blocks.in_flight)
        self._executor = threads_of(executor)
        self._alone = Alone()
        self._connection = self._new_connection()

    # What the application calls.

    def connect(self) -> None:
        """Start a connection: the first, or the next after one that ended. Queues the greeting.

        Each connection wants a stream of its own: what a peer sends on the old one after its end is not read.

        Raises:
            LocalProtocolError: a connection is open, or another session holds the pool of authentication key.
            SelfTestFailed: a self-test of this process has failed.
        """
        with self._alone:
            if self._connection.alive:
                raise LocalProtocolError("a connection is open already; call connection_lost() first if it is gone")
            self._connection = self._new_connection()

    def submit(self, record: RawRecord, *, number: int | None = None) -> None:
        """Hand over a raw record; it becomes part of a block in its turn.

        Args:
            record: of the type that the kind of link and the role call for, when all its rounds are over: the peer may
                disclose bases as soon as it is in. Secret. No round is submitted twice, not even where its block died:
                two blocks would disclose parities of the same bits and make two keys of them. The same object is
                refused; a copy, or a record that overlaps another, cannot be detected here. A block closes with its
                512th record, however few detections these hold, and the hosts must stay within 1,024 records of each
                other.
            number: its number, if the application counts; must grow, and stay below 2^31. By default one more than
                the last.

        Raises:
            InputError: a record of another type, too large a record, time tags that cannot be encoded, intensities that
                are not those of the link, a record that was submitted before, or a number that is none or was used
                already.
            LocalProtocolError: after `finish`.

        What the peer sent ahead of this record may turn out to be wrong: then the connection ends, the events name
        every block that died, and the record is held for the next connection.
        """
        with self._alone:
            check_record(record, self.role, self.link, self._protocol)
            self._queue.append(record, number)
            self._events.counters.add("records_total", 1)
            self._resume_or_break()

    def skip_records(self, before: int) -> None:
        """Say that no record below this number comes any more, and drop those held that no block has claimed.

        For a host that was down or behind: blocks of the peer over such numbers end at once, and do not wait.

        Args:
            before: the number of the next record that may come; nothing happens if it is that of one before.

        Raises:
            InputError: no number of a record.
        """
        number = whole_number("before", before, most=MAX_NUMBER)
        with self._alone:
            self._queue.skip(number)
            self._resume_or_break()

    def flush(self) -> None:
        """Let the records submitted so far become a block even if they are few (Bob; Alice follows)."""
        with self._alone:
            self._queue.flush()
            self._resume_or_break()

    def finish(self) -> None:
        """Say that no more records come: the rest becomes a block, and the connection ends after the last."""
        with self._alone:
            self._queue.finished = True
            self.flush()

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes that the peer sent, in any pieces.

        What is not due yet is held, however much it is: as long as `data_to_send` has something, an
        application that reads no more from the line keeps that small, as the drivers do.

        Raises:
            InputError: no bytes.
            RemoteProtocolError: the bytes are not of the protocol; every block in flight is dead, the session lives:
                `connect` starts the next connection.
            AuthenticationError: a tag is wrong; likewise.
            LocalProtocolError: no connection is open, or another thread is in a call of this session.
        """
        if type(data) is not bytes and not isinstance(data, bytes | bytearray | memoryview):
            raise InputError(f"data must be bytes as the peer sent them; found {described(data)}")
        connection = self._connection
        if not connection.alive:
            if connection.state is ConnectionState.BROKEN:
                raise LocalProtocolError("the connection is gone; connect() starts the next")
            raise RemoteProtocolError("the peer went on after the connection had ended in good order")
        with self._alone:
            self._events.counters.add("received_bytes_total", len(data))
            self._act(connection.receive, data)

    def data_to_send(self) -> bytes:
        """Return what must be sent to the peer now, and forget it; call it until it returns nothing.

        A session works in steps, so that the peer can begin with the first answer while the next is made: as long as
        there is something to send, the rest of what was received waits; but answers to short messages, as those of
        the many blocks in flight, go together as long as they fit a packet. The pool of authentication key is saved
        first, if it has changed and `save_pool` was given.

        Raises:
            RemoteProtocolError, AuthenticationError: as `receive_data`.
            Exception: whatever `save_pool` raises; nothing is handed out then, and the next call tries again.
        """
        data = self.step()
        while not data and self.busy:
            data = self.step()
        return data

    def step(self) -> bytes:
        """Take one step of work, and return what must be sent now, which may be nothing; else as `data_to_send`.

        For a driver that reads from the line between two steps of long work, as long as `busy` says that there are
        more: so short answers of other blocks do not wait for it.
        """
        with self._alone:
            outgoing = (connection := self._connection).line.outgoing
            try:
                if not outgoing.size and not connection.settled and connection.alive:
                    self._act(connection.work)
            finally:
                self._save()
            data = outgoing.take()
            if data:
                self._events.counters.add("sent_bytes_total", len(data))
        return data

    @property
    def busy(self) -> bool:
        """Whether long work is left, and all that was received is taken up: read what else has come, and `step`."""
        return self._connection.busy

    def keepalive(self) -> bytes:
        """Return what says that this host is there, or nothing where the peer would not take it now.

        A driver puts it on the wire between two frames when it has sent nothing for a while, so that a peer which
        waits for a limited time does not take a quiet line for a dead one. Also while another thread is in a call.
        """
        return self._connection.keepalive()

    def events(self) -> Iterator[Event]:
        """Give back what happened since the last call, in order."""
        while self._events:
            yield self._events.popleft()

    def connection_lost(self, reason: LossReason = "peer-closed") -> None:
        """Say that the connection is gone: every block in flight is dead, and what it spent stays spent.

        Args:
            reason: why, for the event `ConnectionLost`; nothing happens where the connection has ended before.

        Raises:
            InputError: no such reason.
        """
        detail = _LOST[choice("reason", reason, _LOST)]
        with self._alone:
            if self._connection.alive:
                self._act(self._connection.break_off, AbortReason.CONNECTION_LOST, reason, detail)

    @property
    def state(self) -> ConnectionState:
        """Where the connection stands."""
        return self._connection.state

    @property
    def finished(self) -> bool:
        """Whether `finish` was called: no more records come."""
        return self._queue.finished

    @property
    def next_record(self) -> int:
        """The number that the next record gets if none is given."""
        return self._queue.next_number

    @property
    def blocks_in_flight(self) -> int:
        """How many blocks are being worked on."""
        return len(self._connection.blocks.runs)

    @property
    def records_waiting(self) -> int:
        """How many records are held that no block has taken yet.

        Nothing limits them: while the line is down, an application that must not grow submits no more, and later goes
        on with a `number` that both sides reckon with.
        """
        return self._queue.waiting

    def metrics(self) -> dict[str, Number]:
        """Return what monitoring wants: counts since the session was made, and how things stand.

        Plain numbers by name, the same names always; docs/monitoring.md tells each. Those that end in `_total` only
        grow. None is secret. Another thread may ask while the session works.
        """
        pool = self._pool
        return self._events.counters.values | {
            "connection_open": int(self.state is ConnectionState.OPEN),
            "blocks_in_flight": self.blocks_in_flight,
            "records_waiting": self.records_waiting,
            "key_pool_available_bytes": pool.available_bytes,
            "key_pool_resting_bytes": pool.resting_bytes,
            "key_pool_spent_bytes_total": pool.spent_bytes,
            "accumulated_epsilon": pool.accumulated_epsilon,
        }

    def __repr__(self) -> str:
        return f"Session(role={self.role!r}, state={self.state.name}, blocks_in_flight={self.blocks_in_flight})"

    def _save(self) -> None:
        pool = self._pool
        if self._save_pool is not None and self._saved_revision != pool.revision:
            revision = pool.revision
            self._save_pool(pool.snapshot())
            self._saved_revision = revision

    # The connection.

    def _new_connection(self) -> Connection:
        refuse_after_failure()
        line = Line(
            role=self.role,
            link=self.link,
            protocol=self._protocol,
            pool=self._pool,
            pool_level=self._pool_level,
            random_source=self._random_source,
            events=self._events,
        )
        connection = Connection(line, self._queue)
        self._pool.take_hold(self)
        return connection

    def _resume_or_break(self) -> None:
        with contextlib.suppress(RemoteProtocolError, AuthenticationError):
            self._act(self._connection.resume)

    def _act(self, action: Callable[..., None], *arguments: object) -> None:
        """Do something to the connection; if it ends with that, let go of the pool.

        After a wrong tag the pool is saved at once: no pad may check a second tag after a restart. What cannot be
        stored then raises from the next `data_to_send`.
        """
        try:
            if self._executor is None:
                action(*arguments)
            else:
                with sharing(self._executor):
                    action(*arguments)
        except AuthenticationError:
            with contextlib.suppress(Exception):
                self._save()
            raise
        finally:
            if not self._connection.alive:
                self._pool.let_go(self)
