"""Hostile peers: what one sends is altered on the line, or by himself so that his tags fit.

The first bytes choose the link, who is attacked and how; the others what is altered where.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from unittest import mock

import msgspec

from fuzzing.choices import Choices
from fuzzing.limits import Finding
from fuzzing.worlds import ROLES, WORLDS, World, repeatable, said, session_of
from qkdpost.dialogue.messages import Message
from qkdpost.errors import AuthenticationError, LocalProtocolError, QkdpostError, RemoteProtocolError
from qkdpost.session import session as session_module
from qkdpost.session.codec import decode, encode
from qkdpost.session.events import KeyReady
from qkdpost.session.line import Line
from qkdpost.session.session import Session

__all__ = ["fuzz_conversation"]

ATTACKED = (RemoteProtocolError, AuthenticationError)
ALTERATIONS = 4
MAX_STEPS = 5000

Alter = Callable[[int, bytes], list[bytes]]


def fuzz_conversation(data: bytes) -> None:
    """Raise if a hostile peer gets more than an abort, or an error of the two documented classes."""
    choices = Choices(data)
    world = choices.pick(WORLDS)
    role = choices.pick(ROLES)
    if choices.chance():
        _replay(world, role, choices)
    else:
        _hostile_host(world, role, choices)


def _replay(world: World, role: str, choices: Choices) -> None:
    """Let `role` hear an old conversation, altered: nothing but what was said may lead to a key."""
    heard = said(world)[_other(role)]
    confirmed = _last_confirmation(world, role)
    alter = _alterations(choices, len(heard), heard)
    stream = b"".join(piece for number, frame in enumerate(heard) for piece in alter(number, frame))
    clean = b"".join(heard)
    cuts = sorted(choices.below(len(stream) + 1) for _ in range(choices.below(3)))
    with repeatable():
        session = session_of(world, role)
        _feed(session, stream, cuts)
    keys = _end(session)
    # What is altered after the last word that the key waits for is too late.
    if keys and not stream.startswith(clean[:confirmed]):
        raise Finding(f"a key of {len(keys[0])} bytes after an altered conversation")


def _feed(session: Session, stream: bytes, cuts: list[int]) -> None:
    with _only_documented(session):
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            session.receive_data(stream[start:stop])
            while session.data_to_send():
                pass


def _hostile_host(world: World, role: str, choices: Choices) -> None:
    """Let `role` talk with a host that alters what it says before it computes its tags."""
    count = len(said(world)[_other(role)])
    hostile = _HostileLine.altering(_alterations(choices, count, said(world)[_other(role)]))
    own = session_of(world, role)
    with mock.patch.object(session_module, "Line", hostile):
        peer = session_of(world, _other(role))
    steps = 0
    with _only_documented(own):
        while own.state.alive and steps < MAX_STEPS:
            steps += 1
            to_peer = own.data_to_send()
            with contextlib.suppress(QkdpostError):  # a host that cannot follow its own lies falls silent
                if peer.state.alive and to_peer:
                    peer.receive_data(to_peer)
            from_peer = b""
            with contextlib.suppress(QkdpostError):
                from_peer = peer.data_to_send()
            if not to_peer and not from_peer:
                break
            if from_peer and own.state.alive:
                own.receive_data(from_peer)
    if steps == MAX_STEPS:
        raise Finding("the conversation does not end")
    sifted = [event.report for event in own.events() if isinstance(event, KeyReady)]
    for report in sifted:
        if report.key_length_bits > report.sifted_key_bits + report.sifted_test_bits:
            raise Finding("a key longer than what was sifted")
    with contextlib.suppress(QkdpostError):
        peer.connection_lost()
    _end(own)


class _HostileLine(Line):
    """Says, and counts as said, something else than the session wants."""

    alter: Alter
    said_so_far = 0

    @classmethod
    def altering(cls, alter: Alter) -> Callable[..., Line]:
        def make(**fields: object) -> Line:
            line = cls(**fields)  # type: ignore[arg-type]
            line.alter = alter
            return line

        return make

    def send(self, message: Message) -> bytes:
        pieces = self.alter(self.said_so_far, encode(message))
        self.said_so_far += 1
        for piece in pieces:
            self.outgoing.append(piece)
        return pieces[0] if pieces else encode(message)


@contextlib.contextmanager
def _only_documented(session: Session) -> Iterator[None]:
    try:
        yield
    except ATTACKED:
        if session.state.alive:
            raise Finding(f"the connection is {session.state.name} after an error") from None
    except LocalProtocolError as error:
        # What arrives after a farewell is the application's matter.
        if session.state.alive:
            raise Finding(f"blamed on this host: {error}") from error


def _end(session: Session) -> list[bytes]:
    session.connection_lost()
    if session.blocks_in_flight:
        raise Finding("blocks are in flight without a connection")
    return [event.key.to_bytes() for event in session.events() if isinstance(event, KeyReady)]


def _alterations(choices: Choices, count: int, heard: list[bytes]) -> Alter:
    """Choose what to do to a few messages."""
    plans: dict[int, Callable[[bytes], list[bytes]]] = {}
    for _ in range(1 + choices.below(ALTERATIONS)):
        place = choices.below(max(count, 1))
        if choices.chance():
            plans[place] = functools.partial(_field_changed, choices.below(16), choices.take(12))
        else:
            plans[place] = functools.partial(_bytes_changed, choices.below(8), choices.take(8), heard)

    def alter(number: int, frame: bytes) -> list[bytes]:
        return plans[number](frame) if number in plans else [frame]

    return alter


def _field_changed(field: int, drawn: bytes, frame: bytes) -> list[bytes]:
    """Give one field of a message another value; of a type that the codec may still refuse."""
    message = decode(frame)
    names = list(message.__struct_fields__)
    if not names:
        return [frame]
    name = names[field % len(names)]
    choices = Choices(drawn)
    try:
        return [encode(msgspec.structs.replace(message, **{name: _other_value(getattr(message, name), choices)}))]
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
        return [frame]


def _other_value(value: object, choices: Choices) -> object:  # noqa: PLR0911
    match value:
        case bool():
            return not value
        case int():
            return choices.pick([value + 1, value - 1, 0, 2 * value, choices.whole()])
        case float():
            return choices.pick([0.0, -0.0, float("nan"), float("inf"), -value, value + 1.0, 1e-300, 1e300])
        case bytes():
            return _other_bytes(value, choices)
        case tuple():
            changed = list(value)
            if choices.chance() or not changed:
                return choices.pick([(), value[:-1], value + value[:1], value * 9])
            place = choices.below(len(changed))
            changed[place] = _other_value(changed[place], choices)
            return tuple(changed)
        case None:
            return choices.whole()
        case str():
            return choices.pick(["", "alice", "bob", "x" * 9])
        case _:
            return value


def _other_bytes(value: bytes, choices: Choices) -> bytes:  # noqa: PLR0911
    match choices.below(7):
        case 0:
            return b""
        case 1:
            return value[:-1]
        case 2:
            return value + choices.take(4)
        case 3:
            return bytes(len(value))
        case 4:
            return b"\xff" * len(value)
        case 5:
            return value[::-1]
        case _:
            changed = bytearray(value)
            if changed:
                changed[choices.below(len(changed))] ^= 1 << choices.below(8)
            return bytes(changed)


def _bytes_changed(kind: int, drawn: bytes, heard: list[bytes], frame: bytes) -> list[bytes]:  # noqa: PLR0911
    """Damage, repeat, leave out or add."""
    choices = Choices(drawn)
    place = choices.below(len(frame))
    match kind:
        case 0:
            return [frame[:place] + bytes([frame[place] ^ (1 << choices.below(8))]) + frame[place + 1 :]]
        case 1:
            return [frame[:place] + choices.take(3) + frame[place + 3 :]]
        case 2:
            return [frame[:place] + frame[place + 1 + choices.below(64) :]]
        case 3:
            return [frame[:place] + choices.rest() + frame[place:]]
        case 4:
            return [frame, frame]
        case 5:
            return []
        case 6:
            return [choices.pick(heard), frame]
        case _:
            noise = choices.rest()
            return [len(noise).to_bytes(4, "little") + noise, frame]


@functools.cache
@repeatable()
def _last_confirmation(world: World, role: str) -> int:
    """How much of what it hears `role` needs for its key, in bytes."""
    session = session_of(world, role)
    clean = said(world)[_other(role)]
    needed = 0
    for number, frame in enumerate(clean):
        session.receive_data(frame)
        while session.data_to_send():
            pass
        if any(isinstance(event, KeyReady) for event in session.events()):
            needed = sum(map(len, clean[: number + 1]))
    return needed


def _other(role: str) -> str:
    return ROLES[1 - ROLES.index(role)]
