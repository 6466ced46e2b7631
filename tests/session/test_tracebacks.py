"""No pad, hash key or key bit is left in a frame that one of the library's errors came through.

Whatever collects tracebacks with their variables would store it; a pad beside the peer's tag gives away the hash keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from qkdpost import distillation
from qkdpost.bits import Bits
from qkdpost.dialogue.messages import Confirmation
from qkdpost.errors import AuthenticationError, ConfigurationError, QkdpostError, RemoteProtocolError
from qkdpost.keys import KeyPool, PadReference, authentication
from qkdpost.keys.authentication import PolynomialHasher, Transcript
from qkdpost.reconciliation.ldpc.conversation import ldpc_reference
from qkdpost.reconciliation.ldpc.plan import plan_ldpc
from qkdpost.session.codec import decode, encode
from qkdpost.session.session import Session
from qkdpost.stages import release as confirmation
from qkdpost.stages.outcomes import AgreedLength
from support.leaks import leaks
from support.link import Pair, bb84_records, seeded_source, small_link
from support.rounds import begin, tell

GENERATOR = np.random.default_rng(20)
PRESHARED = GENERATOR.bytes(32 + 48 * 4)
FOREIGN = GENERATOR.bytes(32 + 48 * 4)
LINK = small_link(security={"epsilon": 1e-6})
RECORDS = bb84_records(4000, qber=0.004)


def fresh_pair(bob: bytes = PRESHARED) -> Pair:
    pair = Pair(LINK, preshared=PRESHARED)
    if bob is not PRESHARED:
        pair.sessions["bob"] = Session(
            role="bob", link=LINK, auth_key=KeyPool(bob), random_source=seeded_source(b"pairbob")
        )
    pair.submit(*RECORDS)
    pair.finish()
    return pair


def clean_run() -> tuple[Pair, bytes]:
    """Run a pair, and return with it the corrected string of the block, from which the key was made."""
    corrected: list[bytes] = []
    real = confirmation._amplify

    def remember(agreed: AgreedLength) -> Bits:
        corrected.append(agreed.key.to_bytes())
        return real(agreed)

    confirmation._amplify = remember
    try:
        pair = fresh_pair()
        pair.run()
    finally:
        confirmation._amplify = real
    assert pair.keys("alice") == pair.keys("bob") != {}
    assert corrected[0] == corrected[1]
    return pair, corrected[0]


CLEAN, CORRECTED = clean_run()
KEY = CLEAN.keys("alice")[0]
PLACES = [(role, number) for role in ("alice", "bob") for number in range(len(CLEAN.sent[role]))]
ACTIONS = ["flip", "replay", "drop", "cut short", "another message"]
CONFIRMATIONS = [
    (role, number) for role, number in PLACES if isinstance(decode(CLEAN.sent[role][number]), Confirmation)
]


def check(error: BaseException) -> None:
    assert leaks(error, PRESHARED, hidden=True) == []
    assert leaks(error, FOREIGN, hidden=True) == []
    assert leaks(error, CORRECTED, hidden=False) == []
    assert leaks(error, KEY, hidden=False) == []


def error_of(pair: Pair, alter: Callable[[str, int, bytes], list[bytes]] | None) -> QkdpostError | None:
    try:
        pair.run(alter)
    except QkdpostError as error:
        return error
    return None


def test_the_search_finds_what_is_there() -> None:
    """Else the tests below would pass for nothing."""

    name = authentication.__file__
    for planted in (PRESHARED, [PRESHARED], Bits.from_bytes(PRESHARED[32:], 8 * 192), {"x": (bytearray(PRESHARED),)}):
        source = "def verify(self, pad):\n    raise self\n"
        space: dict[str, Any] = {}
        exec(compile(source, name, "exec"), space)
        with pytest.raises(ValueError, match="planted") as caught:
            space["verify"](ValueError("planted"), planted)
        assert leaks(caught.value, PRESHARED, hidden=True) == ["authentication.py:2 verify: pad"]


@pytest.mark.parametrize("place", CONFIRMATIONS, ids=lambda p: f"{p[0]}{p[1]}")
def test_a_wrong_tag(place: tuple[str, int]) -> None:
    def forge(role: str, number: int, frame: bytes) -> list[bytes]:
        message = decode(frame)
        if (role, number) != place or not isinstance(message, Confirmation):
            return [frame]
        return [encode(msgspec.structs.replace(message, tag=bytes(16)))]

    error = error_of(fresh_pair(), forge)
    assert isinstance(error, AuthenticationError)
    check(error)


@pytest.mark.parametrize("other", [FOREIGN, PRESHARED[:32] + FOREIGN[32:], FOREIGN[:32] + PRESHARED[32:]])
def test_pools_that_differ(other: bytes) -> None:
    error = error_of(fresh_pair(bob=other), None)
    assert isinstance(error, AuthenticationError)
    check(error)


@pytest.mark.parametrize("turn", range(len(ACTIONS)), ids=ACTIONS)
def test_whatever_happens_to_a_message(turn: int) -> None:
    """Each message suffers one of these, the next message the next."""
    action, raised = ACTIONS[turn], 0
    for place in PLACES[turn :: len(ACTIONS)]:
        rng = np.random.default_rng(place[1])

        def alter(
            role: str, number: int, frame: bytes, place: tuple[str, int] = place, rng: np.random.Generator = rng
        ) -> list[bytes]:
            if (role, number) != place:
                return [frame]
            altered = bytearray(frame)
            altered[int(rng.integers(4, len(frame)))] ^= 1 << int(rng.integers(8))
            return {
                "flip": [bytes(altered)],
                "replay": [frame, frame],
                "drop": [],
                "cut short": [frame[: len(frame) // 2] + bytes(len(frame) - len(frame) // 2)],
                "another message": [CLEAN.sent[role][number // 2]],
            }[action]

        error = error_of(fresh_pair(), alter)
        if error is not None:
            check(error)
            raised += 1
    assert raised > (0 if action == "drop" else len(PLACES) // len(ACTIONS) // 2)


@pytest.mark.parametrize("role", ["alice", "bob"])
def test_a_random_source_or_a_store_that_fails(role: str) -> None:
    for after in range(1, 12):
        pair = fresh_pair()
        connection = pair.sessions[role]._connection.line
        working, calls = connection.random_source, [0]

        def failing(
            count: int, working: Callable[[int], bytes] = working, calls: list[int] = calls, after: int = after
        ) -> bytes:
            calls[0] += 1
            if calls[0] == after:
                raise ConfigurationError("no entropy")
            return working(count)

        connection.random_source = failing
        error = error_of(pair, None)
        if error is not None:
            check(error)
    pair = fresh_pair()

    def full(snapshot: bytes) -> None:
        del snapshot
        raise ConfigurationError("the disk is full")

    pair.sessions[role]._save_pool = full
    error = error_of(pair, None)
    assert error is not None
    check(error)


def test_errors_of_the_pool() -> None:
    pool = KeyPool(PRESHARED)
    piece = pool.reserve(48)
    pool.pad(piece, 0, 16)
    pool.refill(b"n" * 16, FOREIGN[:48])
    snapshot = pool.snapshot()
    session = Session(role="alice", link=LINK, auth_key=pool)
    far = PadReference(segment=bytes(16), offset=1, length=5)
    actions: list[Callable[[], object]] = [
        lambda: pool.pad(piece, 0, 16),
        lambda: pool.pad(piece, 8, 40),
        lambda: pool.pad(piece, -1, 4),
        lambda: pool.pad(far, 0, 1),
        lambda: pool.pad("x", 0, 1),  # type: ignore[arg-type]
        lambda: pool.pad(piece, "x", 1),  # type: ignore[arg-type]
        lambda: pool.reserve(10**4),
        lambda: pool.reserve(0),
        lambda: pool.claim(far),
        lambda: pool.skip(bytes(16), 10**6),
        lambda: pool.skip(b"?" * 16, 0),
        lambda: pool.refill(b"n" * 16, FOREIGN[:48]),
        lambda: pool.refill(b"short", FOREIGN[:48]),
        lambda: pool.refill(b"m" * 16, list(FOREIGN)),  # type: ignore[arg-type]
        lambda: pool.refill(b"m" * 16, Bits.from_bytes(FOREIGN, 8 * len(FOREIGN))[:-1]),
        lambda: pool.synchronise(5),  # type: ignore[arg-type]
        lambda: KeyPool(PRESHARED[:31]),
        lambda: KeyPool(list(PRESHARED)),  # type: ignore[arg-type]
        lambda: KeyPool.restore(snapshot[:-1]),
        lambda: KeyPool.restore(snapshot[1:]),
        lambda: KeyPool.restore(memoryview(snapshot)[:-1]),
        lambda: KeyPool.restore(list(snapshot)),  # type: ignore[arg-type]
        lambda: Session(role="alice", link=LINK, auth_key=PRESHARED),  # type: ignore[arg-type]
        lambda: Session(role="alice", link=LINK, auth_key=pool),
        session.connect,
        lambda: Transcript(PRESHARED[:31], reference=True),
        lambda: Transcript(PRESHARED[:32], reference="eve"),  # type: ignore[arg-type]
        lambda: Transcript(list(PRESHARED), reference=True),  # type: ignore[arg-type]
        lambda: PolynomialHasher(PRESHARED[:15]),
        lambda: Transcript(PRESHARED[:32], reference=True).tag(PRESHARED[32:47]),
        lambda: Transcript(PRESHARED[:32], reference=True).verify(bytes(16), PRESHARED[32:48]),
        lambda: Transcript(PRESHARED[:32], reference=True).verify(bytes(16), PRESHARED[32:47]),
        lambda: Transcript(PRESHARED[:32], reference=True).verify("tag", PRESHARED[32:48]),  # type: ignore[arg-type]
    ]
    for number, action in enumerate(actions):
        with pytest.raises(QkdpostError) as caught:
            action()
        assert leaks(caught.value, PRESHARED, hidden=True) == [], number
        assert leaks(caught.value, FOREIGN, hidden=True) == [], number


@pytest.mark.parametrize("extra", [-1, 1])
def test_the_punctured_bits_of_ldpc(extra: int) -> None:
    """Which were drawn by the reference, and mask its syndromes."""
    drawn: list[bytes] = []

    def draw(count: int) -> bytes:
        drawn.append(GENERATOR.bytes(count))
        return drawn[-1]

    bits = Bits.from_array(GENERATOR.integers(0, 2, 10_000))
    plan = plan_ldpc(len(bits), error_rate_ppm=20_000, frame_bits=2**14, uncertainty_permille=100)
    reference = ldpc_reference(bits, plan=plan, seed=bytes(32), random_source=draw)
    begin(reference)
    with pytest.raises(QkdpostError) as caught:
        tell(reference, Bits.zeros(plan.frames + extra))
    assert len(drawn[0]) >= 64
    assert leaks(caught.value, drawn[0], hidden=True) == []
    assert leaks(caught.value, bits.to_bytes(), hidden=False) == []


def test_the_pools_of_a_distillation(monkeypatch: pytest.MonkeyPatch) -> None:
    preshared = GENERATOR.bytes(distillation.POOL_BYTES)
    monkeypatch.setattr(distillation.secrets, "token_bytes", lambda count: preshared[:count])
    for records in ((RECORDS[1], RECORDS[0]), ([RECORDS[0]] * 2, [RECORDS[1]])):
        with pytest.raises(QkdpostError) as caught:
            distillation.distill(*records, LINK)  # type: ignore[arg-type]
        assert leaks(caught.value, preshared, hidden=True) == []


def test_what_no_decoder_reads_has_no_cause_that_shows_more() -> None:
    pair = fresh_pair()
    with pytest.raises(RemoteProtocolError) as caught:
        pair.sessions["alice"].receive_data(b"\x03\0\0\0\xff\xff\xff")
    assert caught.value.__cause__ is None
