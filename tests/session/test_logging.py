"""What a session logs: enough to follow it, and nothing that is secret or was sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np
import pytest

import qkdpost as qp
from qkdpost.dialogue.messages import Hello
from qkdpost.session.codec import LENGTH_BYTES, decode
from support.leaks import raw_bytes, windows
from support.link import Pair, bb84_records, small_link
from vectors import conversations

PRESHARED = np.random.default_rng(41).bytes(4096)


class Heard(logging.Handler):
    """Every record that the library logs, whole."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]

    def leaks(self, secret: bytes) -> list[str]:
        """Return the lines whose text, arguments or other fields hold a piece of a secret."""
        pieces = windows(secret)
        return [record.getMessage() for record in self.records if _holds(record, pieces)]


def _holds(record: logging.LogRecord, pieces: list[bytes]) -> bool:
    told = b"".join((record.getMessage().encode(), repr(vars(record)).encode(), *raw_bytes(vars(record), hidden=True)))
    return any(piece in told or piece.hex().encode() in told or repr(piece)[2:-1].encode() in told for piece in pieces)


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, logger = Heard(), logging.getLogger("qkdpost")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def secrets_of(pair: Pair, *records: object) -> list[bytes]:
    """Return all that must be in no log: keys, pads, and the strings of the records."""
    found = [PRESHARED, *pair.keys("alice").values(), *pair.keys("bob").values()]
    for record in records:
        match record:
            case qp.PreparedPulses():
                found += [record.bits.to_bytes(), record.bases.to_bytes()]
            case qp.Detections():
                found += [record.bits.to_bytes(), record.bases.to_bytes(), record.slots.tobytes()]
            case qp.TimeTags():
                found += [record.ticks.tobytes()]
    return [secret for secret in found if len(secret) >= 8]


def said_in(pair: Pair) -> bytes:
    """Return all that was sent but for greetings: the log tells release and kind, as these do."""
    frames = (frame for sent in pair.sent.values() for frame in sent)
    return b"".join(frame for frame in frames if not isinstance(decode(frame), Hello))


@pytest.mark.parametrize("name", conversations.SCENES)
@conversations.as_recorded()
def test_whole_conversations_leave_no_secret_in_the_log(name: str, heard: Heard) -> None:
    scene = conversations.SCENES[name]()
    pair = Pair(scene.link, preshared=PRESHARED)
    pair.submit(scene.alice, scene.bob)
    pair.finish()
    pair.run()
    assert len(heard.records) > 6
    for secret in secrets_of(pair, scene.alice, scene.bob):
        assert heard.leaks(secret) == []
    assert heard.leaks(said_in(pair)) == []


@pytest.mark.parametrize("number", range(0, 30, 3))
@pytest.mark.parametrize("role", ["alice", "bob"])
def test_conversations_that_somebody_disturbs_leave_no_secret_in_the_log(role: str, number: int, heard: Heard) -> None:
    records = bb84_records(4000, qber=0.004)

    def alter(source: str, place: int, frame: bytes) -> list[bytes]:
        if (source, place) != (role, number):
            return [frame]
        middle = LENGTH_BYTES + (len(frame) - LENGTH_BYTES) // 2
        return [frame[:middle] + bytes([frame[middle] ^ 1]) + frame[middle + 1 :]]

    pair = Pair(small_link(security={"epsilon": 1e-6}), preshared=PRESHARED)
    pair.submit(*records)
    pair.finish()
    try:
        pair.run(alter)
    except qp.QkdpostError:
        pair.collect()
    for secret in secrets_of(pair, *records):
        assert heard.leaks(secret) == []


def test_the_search_finds_what_is_there(heard: Heard) -> None:
    """Else the tests above would pass for nothing."""
    for planted in (PRESHARED[32:64], PRESHARED[32:64].hex(), repr(PRESHARED[32:64]), [PRESHARED], qp.Bits.zeros(9)):
        heard.records.clear()
        logging.getLogger("qkdpost.session").debug("planted %s", planted)
        assert bool(heard.leaks(PRESHARED)) == (not isinstance(planted, qp.Bits))


def test_a_block_can_be_followed(heard: Heard) -> None:
    pair = Pair(small_link(security={"epsilon": 1e-6}))
    pair.submit(*bb84_records(4000, qber=0.004))
    pair.finish()
    pair.run()
    (ready,) = (event for event in pair.events["alice"] if isinstance(event, qp.KeyReady))
    lines = [line.split(": ", 1)[1] for line in heard.lines if line.startswith("alice ")]
    stages = ["sifting", "estimation", "reconciliation", "verification", "length agreement", "release"]
    assert lines == [
        f"connected, protocol version 3, peer release {qp.__version__}",
        *(f"block 0: {stage} done" for stage in stages),
        f"block 0: key of {len(ready.key)} bits",
        "the connection ended in good order",
    ]
    levels = {record.levelno for record in heard.records if "done" in record.getMessage()}
    assert levels == {logging.DEBUG}
    assert {record.name for record in heard.records} == {"qkdpost.session"}


def test_aborts_losses_and_low_pools_are_warnings(heard: Heard) -> None:
    pair = Pair(small_link(), preshared=PRESHARED[: 32 + 2 * 48])
    pair.run()
    pair.submit(*bb84_records(400))
    pair.finish()
    pair.run()
    pair.sessions["alice"].connect()
    pair.sessions["alice"].connection_lost()
    warnings = [record.getMessage() for record in heard.records if record.levelno == logging.WARNING]
    assert any("block 0: no key, " in line for line in warnings)
    assert any("connection lost, peer-closed" in line for line in warnings)
    assert any("authentication key runs low" in line for line in warnings)


def test_a_restored_pool_tells_what_is_left_and_no_key(heard: Heard) -> None:
    pool = qp.KeyPool.restore(qp.KeyPool(PRESHARED).snapshot())
    (record,) = heard.records
    assert record.name == "qkdpost.keys"
    assert record.getMessage() == f"restored {pool!r}"
    assert heard.leaks(PRESHARED) == []


def test_what_fails_in_the_hosts_own_code_is_not_quoted(heard: Heard) -> None:
    def source(count: int) -> bytes:
        if heard.records:
            raise RuntimeError("forged\nline, and what the host knows")
        return bytes(count)

    link = small_link()
    pool = qp.KeyPool(PRESHARED)
    session = qp.Session(role="bob", link=link, auth_key=pool, random_source=source)
    peer = qp.Session(role="alice", link=link, auth_key=qp.KeyPool(PRESHARED))
    session.receive_data(peer.data_to_send())
    peer.receive_data(session.data_to_send())
    session.receive_data(peer.data_to_send())
    session.submit(bb84_records(4000)[1])
    with pytest.raises(RuntimeError):
        session.flush()
    assert any("failed-here: see the error that was raised" in line for line in heard.lines)
    assert not any("what the host knows" in line for line in heard.lines)
    assert all(line.isprintable() for line in heard.lines)
