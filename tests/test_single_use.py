"""A pool, a session and whatever holds their keys are there once: no copy uses a pad a second time."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
from collections.abc import Callable

import pytest

from qkdpost.errors import LocalProtocolError
from qkdpost.keys import KeyPool
from qkdpost.keys.authentication import PolynomialHasher, Transcript
from qkdpost.session.session import Session
from qkdpost.session.states import ConnectionState
from qkdpost.single_use import SingleUse
from support.link import PRESHARED, Pair, bb84_records, small_link

LINK = small_link()
COPIES: list[Callable[[object], object]] = [
    copy.copy,
    copy.deepcopy,
    pickle.dumps,
    lambda value: pickle.dumps(value, 0),
]


def session_of(pool: KeyPool, role: str = "alice") -> Session:
    return Session(role=role, link=LINK, auth_key=pool)


def holders() -> list[object]:
    """Everything that a session in the middle of a block keeps its secrets in."""
    pair = Pair(LINK)
    pair.submit(*bb84_records(4000))
    pair.sessions["bob"].flush()
    for _ in range(2):
        pair.step("alice", "bob")
        pair.step("bob", "alice")
    session = pair.sessions["bob"]
    (run,) = session._connection.blocks.runs.values()
    pool = pair.pools["bob"]
    return [
        pool,
        pool._pads,
        *pool._pads.segments.values(),
        session,
        session._connection,
        session._connection.line,
        session._connection.blocks,
        session._queue,
        run,
        run.host,
        run.block,
        run.block.transcript,
        PolynomialHasher(bytes(16)),
        Transcript(bytes(32), reference=False),
    ]


@pytest.mark.parametrize("holder", holders(), ids=lambda holder: type(holder).__name__)
@pytest.mark.parametrize("duplicate", COPIES, ids=["copy", "deepcopy", "pickle", "pickle of protocol 0"])
def test_what_holds_secrets_refuses_to_be_copied(holder: object, duplicate: Callable[[object], object]) -> None:
    assert isinstance(holder, SingleUse)
    for wrapped in (holder, [holder], {"pool": (holder,)}):
        if duplicate is copy.copy and wrapped is not holder:
            continue  # a shallow copy of a list holds the same object, which is none
        with pytest.raises(LocalProtocolError, match="cannot be copied, pickled or sent to another process"):
            duplicate(wrapped)


def test_the_error_says_what_to_do_instead() -> None:
    with pytest.raises(LocalProtocolError, match=r"snapshot\(\).*restore\(\)"):
        copy.deepcopy(KeyPool(PRESHARED))


def _nothing(*_: object) -> None:
    return


@pytest.mark.parametrize("what", ["pool", "session", "method of the session"])
def test_no_process_is_started_with_a_copy(what: str) -> None:
    pool = KeyPool(PRESHARED)
    argument = {
        "pool": pool,
        "session": session_of(pool),
        "method of the session": session_of(KeyPool(PRESHARED)).flush,
    }
    process = multiprocessing.get_context("spawn").Process(target=_nothing, args=(argument[what],))
    with pytest.raises(LocalProtocolError, match="another process"):
        process.start()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_cannot_use_the_pool_of_its_parent() -> None:
    pool = KeyPool(PRESHARED)
    held = pool.reserve(16)
    actions: list[Callable[[], object]] = [
        lambda: pool.reserve(16),
        lambda: pool.claim(held),
        lambda: pool.pad(held, 0, 16),
        lambda: pool.refill(b"n" * 16, bytes(48)),
        lambda: pool.skip(bytes(16), 20),
        lambda: pool.charge_block(1e-9),
        lambda: pool.accumulate_to(1e-9),
        pool.snapshot,
        lambda: session_of(pool),
    ]
    child = os.fork()
    if not child:
        refused = 0
        try:
            for action in actions:
                try:
                    action()
                except LocalProtocolError:
                    refused += 1
        finally:
            os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == len(actions)
    assert pool.pad(held, 0, 16) == PRESHARED[32:48]


def test_a_second_session_on_a_pool_in_use_is_refused_at_once() -> None:
    pool = KeyPool(PRESHARED)
    first = session_of(pool)
    for role in ("alice", "bob"):
        with pytest.raises(LocalProtocolError, match=r"held by Session\(role='alice'.*connection_lost"):
            session_of(pool, role)
    assert first.data_to_send()


def test_a_session_lets_go_when_its_connection_ends_and_may_have_the_pool_back() -> None:
    pool = KeyPool(PRESHARED)
    first = session_of(pool)
    first.connection_lost()
    second = session_of(pool, "bob")
    with pytest.raises(LocalProtocolError, match="held by"):
        first.connect()
    assert first.state is ConnectionState.BROKEN
    second.connection_lost()
    first.connect()
    assert first.state is ConnectionState.HANDSHAKE


def test_a_session_that_broke_or_closed_lets_go() -> None:
    pair = Pair(LINK)
    pair.finish()
    pair.run()
    assert {session.state for session in pair.sessions.values()} == {ConnectionState.CLOSED}
    for pool in pair.pools.values():
        assert session_of(pool).state is ConnectionState.HANDSHAKE
    pool = KeyPool(PRESHARED)
    broken = session_of(pool)
    with pytest.raises(Exception, match="announces a message"):
        broken.receive_data(b"\xff" * 8)
    assert session_of(pool).state is ConnectionState.HANDSHAKE


def test_a_session_that_is_forgotten_lets_go() -> None:
    pool = KeyPool(PRESHARED)
    session_of(pool).submit(bb84_records(4000)[0])
    gc.collect()
    session_of(pool)


def test_a_session_that_could_not_begin_holds_nothing() -> None:
    pool = KeyPool(PRESHARED)

    def broken(count: int) -> bytes:
        raise OSError("no entropy")

    kept = []
    with pytest.raises(OSError, match="no entropy") as caught:
        Session(role="alice", link=LINK, auth_key=pool, random_source=broken)
    kept.append(caught)  # and with it the frames, in which the session still is
    session_of(pool)
